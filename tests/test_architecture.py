"""No module imports itself by way of others; imports for types, which Python does not run, count too."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def modules() -> dict[str, Path]:
    names = {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in SOURCE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


def imports(path: Path) -> set[str]:
    """What a file names in imports; a.b of ``from a import b``, where b may be a module or lie in one."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            named.update(f"{node.module}.{alias.name}" for alias in node.names)
    return named


def edges(known: dict[str, Path]) -> dict[str, set[str]]:
    graph = {}
    for name, path in known.items():
        wanted = {one if one in known else one.rpartition(".")[0] for one in imports(path)}
        graph[name] = (wanted & known.keys()) - {name}
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
