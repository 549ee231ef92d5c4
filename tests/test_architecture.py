"""The laws of the house: no module imports itself by way of others, and pages and functions stay short.

Imports for types, which Python does not run, count too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def modules() -> dict[str, Path]:
    names = {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in SOURCE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """What a file names in imports; a.b of ``from a import b``, where b may be a module or lie in one."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def edges(paths: dict[str, Path]) -> dict[str, set[str]]:
    graph = {}
    for name, path in paths.items():
        targets = {target if target in paths else target.rpartition(".")[0] for target in imports(path)}
        graph[name] = (targets & paths.keys()) - {name}
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle; none: empty."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_imports_go_in_a_circle() -> None:
    assert circle(edges(modules())) == []


def test_a_circle_would_be_seen() -> None:
    graph = edges(modules())
    assert "sortal.core.thresholds" in graph["sortal.stats.ranking"]
    graph["sortal.core.thresholds"].add("sortal.stats.ranking")
    assert {"sortal.core.thresholds", "sortal.stats.ranking"} <= set(circle(graph))


MOST_LINES, MOST_OF_A_FUNCTION = 400, 60
"""What CONTRIBUTING.md asks for. A page that outgrows it holds an idea that is not its own."""
MOST_PARAMETERS = 8
OPTIONS = {"sortal.estimator.__init__", "sortal.serve.commands.serve", "sortal.monitor.commands.monitor"}
OPTIONS |= {"sortal.retrain.commands.retrain"}
"""Of commands and of the classifier, parameters are what a person may ask for."""


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many there are beside the object that a method is of."""
    args = function.args
    names = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"])) + (args.vararg is not None) + (args.kwarg is not None)


def test_pages_and_functions_stay_short() -> None:
    long, wide = [], []
    for name, path in modules().items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        long += [f"{name}: {lines} lines"] if lines > MOST_LINES else []
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                long += [f"{name}.{node.name}: {lines} lines"] if lines > MOST_OF_A_FUNCTION else []
                wide += [f"{name}.{node.name}"] if parameters(node) > MOST_PARAMETERS else []
    assert long == []
    assert set(wide) == OPTIONS


COLUMN = re.compile(
    r"\bframe\[(?:\w+\.)*(?:name|target|column|weight)\]\.(\w+)|\bconform\(.*\)\.to_series\(\)(\.alias)?"
)
"""A column that is taken by its name, and what is called of it; or the only one of a frame, which has its name still."""
HARMLESS = {"alias", "to_numpy", "dtype", "null_count"}
"""What polars does without an expression."""


def test_no_name_of_a_column_is_taken_for_a_pattern() -> None:
    """Polars makes expressions of most methods of a column, and takes a name such as "^p.*$" for a pattern then."""
    calls = {
        f"{path.relative_to(SOURCE)}: {match.group()}"
        for path in modules().values()
        for match in COLUMN.finditer(path.read_text(encoding="utf-8"))
        if match[1] not in HARMLESS and not match[2]
    }
    assert calls == set()
    assert COLUMN.search("table.frame[column.name].gather(rows)")
    assert COLUMN.search("conform(frame, schema, roles).to_series().dt.year()")


PARTICIPLE = re.compile(
    "_*(asked|begun|broken|brought|came|chosen|counted|dealt|done|drawn|found|given|gone|heard|held|kept|known|lost|made|"
    "meant|met|paid|proven|said|seen|sent|shipped|shown|sold|spoken|taken|thought|told|tried|understood|wanted|won|"
    "written)_*"
)
"""What is so and so is somebody's private shorthand: a name says what a thing is."""


def names_of(node: ast.AST) -> Iterator[str]:
    """Names that a file gives to variables, parameters and functions. Fields of a class may be those of a file format,
    and are left out, as methods are.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        elif isinstance(child, ast.arg):
            yield child.arg
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not isinstance(node, ast.ClassDef):
            yield child.name
        if not (isinstance(node, ast.ClassDef) and isinstance(child, ast.AnnAssign)):
            yield from names_of(child)


def test_no_participle_stands_for_a_noun() -> None:
    root = SOURCE.parent
    shorthand = {
        f"{path.relative_to(root)}: {name}"
        for folder in ("src", "bench", "tools", "tests")
        for path in root.joinpath(folder).rglob("*.py")
        for name in names_of(tree(path))
        if PARTICIPLE.fullmatch(name)
    }
    assert shorthand == set()


def test_a_participle_would_be_seen() -> None:
    code = "class A:\n    kept: int\n    def shown(self, told): seen = [said for said in told]\ndef found(): pass"
    assert set(names_of(ast.parse(code))) == {"self", "told", "seen", "said", "found"}
