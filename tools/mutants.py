"""Do the tests see a mistake? Small ones are made one at a time in a copy of the tree, and the tests of the place run.

The mistakes are mutmut's (a number one more, an operator turned round, an argument left out or None, a condition always
true). mutmut itself makes all mutants of all files and forks after it has run all tests, which the libraries that
train do not survive; here some are drawn by a seed, and each is tried by a fresh process. See docs/testing.md.
"""

from __future__ import annotations

import argparse
import difflib
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import Mutation, create_mutations

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("decide", "evaluate", "training", "data", "artifact", "stats", "record")
PATIENCE, MORE_SECONDS = 4, 30
"""A mutant that takes so many times as long as the code without the mistake, and more, runs in circles."""
CLOCK = "the clock"
PYTEST = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "--hypothesis-seed=0", "-m", "not clock")
DURATIONS = ("--durations=0", "--durations-min=0")
PRINTED = "printed"
QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Hypothesis is loaded before pytest is asked to."""
GUARDS = re.compile(r",?\s*\b(?:dtype|strict)=[\w.]+|,\s*(?=\))")
"""Arguments that change nothing where all is well."""

FORKS = multiprocessing.get_context("forkserver")
LIBRARIES = ("hypothesis", "lightgbm", "numpy", "polars", "scipy.stats", "sklearn.ensemble", "sklearn.metrics")
"""Loaded once, by a process that does nothing else and forks one for each run of tests: that saves half of the time."""

Tests = tuple[str, ...]


@dataclass(frozen=True)
class Mutant:
    """A file of the tree with one mistake in a line."""

    path: Path
    line: int
    code: str

    @property
    def room(self) -> str:
        return self.path.parts[2]

    def __str__(self) -> str:
        before, after = (text.splitlines() for text in ((ROOT / self.path).read_text("utf-8"), self.code))
        changed = [*difflib.unified_diff(before, after, lineterm="", n=0)][3:]
        return "\n".join([f"{self.path}:{self.line}", *(f"    {line}" for line in changed)])


@dataclass(frozen=True)
class Verdict:
    """``killed``: by which test; None where all of them passed."""

    mutant: Mutant
    killed: str | None
    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:3.0f} s, {f'killed by {self.killed}' if self.killed else 'SURVIVES'}: {self.mutant}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--number", type=int, default=200, help="mutants in all, as many from each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", default=",".join(ROOMS))
    parser.add_argument("--files", default="", help="only files whose path holds this")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    rooms = args.rooms.split(",")
    os.chdir(ROOT)
    mutants = [m for room in rooms for m in draw_mutants(room, args.number // len(rooms), args.seed, args.files)]
    os.environ["OMP_NUM_THREADS"] = "1"
    FORKS.set_forkserver_preload(["__main__", *LIBRARIES])
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for job in range(args.jobs):
            trees.put(copied(Path(folder) / f"{job}"))
        verdicts = []
        with ThreadPoolExecutor(args.jobs) as pool:
            for verdict in pool.map(lambda mutant: judged(mutant, trees), mutants):
                verdicts.append(verdict)
                print(verdict, flush=True)
        print(summary(verdicts))


def summary(verdicts: Sequence[Verdict]) -> str:
    """Survivors with what was changed, and the counts of each room."""
    lines = ["", *(str(v.mutant) for v in verdicts if v.killed is None), "", "room        killed  survived  share"]
    for name in (*dict.fromkeys(v.mutant.room for v in verdicts), "all"):
        group = [v for v in verdicts if name in (v.mutant.room, "all")]
        killed = sum(v.killed is not None for v in group)
        lines.append(f"{name:12}{killed:6}{len(group) - killed:10}{killed / max(len(group), 1):7.0%}")
    return "\n".join(lines)


def draw_mutants(room: str, number: int, seed: int, files: str) -> list[Mutant]:
    """So many mutants of a room, each in a line of its own: lines are drawn first, then one of the mistakes in each."""
    lines: dict[tuple[Path, int], list[tuple[cst.Module, Mutation]]] = defaultdict(list)
    for path in sorted((ROOT / "src" / "sortal" / room).glob("*.py")):
        if files in str(path):
            for line, module, mistake in mistakes(path):
                lines[path.relative_to(ROOT), line].append((module, mistake))
    rng = random.Random(f"{seed} {room}")
    mutants: list[Mutant] = []
    for path, line in rng.sample(sorted(lines), len(lines)):
        if len(mutants) == number:
            break
        module, mistake = rng.choice(lines[path, line])
        code = module.deep_replace(mistake.original_node, mistake.mutated_node).code
        if GUARDS.sub("", code) != GUARDS.sub("", module.code):
            mutants.append(Mutant(path, line, code))
    return mutants


def mistakes(path: Path) -> Iterator[tuple[int, cst.Module, Mutation]]:
    """What can be done wrong in each line: in what functions do, but for the texts that people read. A name that is
    given None is no mistake that anybody overlooks.
    """
    module, mutations, _, _ = create_mutations(str(path), path.read_text("utf-8"))
    places = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    texts = {id(node) for text in _texts(module) for node in _inside(text)}
    for mutation in mutations:
        silly = id(mutation.original_node) in texts or isinstance(mutation.original_node, cst.Assign | cst.AnnAssign)
        if mutation.contained_by_top_level_function is not None and not silly:
            yield places[mutation.original_node].start.line, module, mutation


def _texts(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.Raise | cst.BaseString):
        yield node
    else:
        for child in node.children:
            yield from _texts(child)


def _inside(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _inside(child)


def copied(folder: Path) -> Path:
    """The tree as it is now, without what git ignores."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    # Compiled code is told by the content of its source, for a file changes more than once in a second.
    compiling = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "src"]
    subprocess.run(compiling, cwd=folder, check=True)
    return folder


def judged(mutant: Mutant, trees: SimpleQueue[Path]) -> Verdict:
    """What the tests of its module say of a mutant: its own first, then those that import the module."""
    tree, start, killed = trees.get(), time.monotonic(), None
    file = tree / mutant.path
    whole = file.read_text("utf-8")
    try:
        for tests in tests_of(mutant.path):
            usual = passing(tests, tree)
            file.write_text(mutant.code, "utf-8")
            killed = failing(usual.tests, tree, PATIENCE * usual.seconds + MORE_SECONDS) if usual.tests else None
            file.write_text(whole, "utf-8")
            if killed:
                break
    finally:
        trees.put(tree)
    return Verdict(mutant, killed, time.monotonic() - start)


@cache
def tests_of(path: Path) -> tuple[Tests, ...]:
    """The tests that mirror a module, with its own examples, and then those of what uses it in its room, and the files
    that import it.

    What has no mirror is tested with what uses it.
    """
    mirrored = _mirrors(path)
    users = [user for user in _importing([path], ROOT / "src") if user.parts[2] == path.parts[2]]
    user_tests = [file for user in users for file in _mirrors(user)]
    first = (str(path), *map(str, mirrored or user_tests))
    importing = _importing([path] if mirrored else [path, *users], ROOT / "tests")
    others = dict.fromkeys(str(file) for file in (*user_tests, *importing) if file.name.startswith("test_"))
    second = tuple(file for file in others if file not in first)
    return (first, second) if second else (first,)


def _mirrors(path: Path) -> list[Path]:
    tests = (ROOT / "tests" / path.parts[2]).glob(f"test_{path.stem}*.py")
    return [file.relative_to(ROOT) for file in sorted(tests)]


def _importing(modules: Sequence[Path], folder: Path) -> list[Path]:
    """The files below a folder that import one of these modules."""
    names = "|".join(
        rf"sortal\.{m.parts[2]}\.{m.stem}\b|from sortal\.{m.parts[2]} import .*\b{m.stem}\b" for m in modules
    )
    files = [file for file in sorted(folder.rglob("*.py")) if re.search(names, file.read_text("utf-8"))]
    return [file.relative_to(ROOT) for file in files if len(file.relative_to(ROOT).parts) > 2 or folder.name == "tests"]


@dataclass(frozen=True)
class Usual:
    """What tests do without a mistake: they pass. ``tests``: one by one, the quickest first."""

    tests: Tests
    seconds: float


USUAL: dict[Tests, Usual] = {}


def passing(tests: Tests, tree: Path) -> Usual:
    """Raises SystemExit where one of them fails."""
    if tests not in USUAL:
        start = time.monotonic()
        fails = failing((*DURATIONS, *tests), tree, None)
        seconds, text = time.monotonic() - start, (tree / PRINTED).read_text("utf-8")
        durations = re.findall(r"^([\d.]+)s call +(\S.*)$", text, re.MULTILINE)
        quickest = tuple(test for _, test in sorted(durations, key=lambda pair: float(pair[0])))
        if fails := fails or failing(("--collect-only", *quickest), tree, None):
            sys.exit(f"{fails} fails without a mistake, too: mend that first\n{text}")
        USUAL[tests] = Usual(quickest, seconds)
    return USUAL[tests]


def failing(tests: Tests, tree: Path, seconds: float | None) -> str | None:
    """The first of these tests that fails in a tree; None where all pass."""
    output = tree / PRINTED
    running = FORKS.Process(target=_run, args=(tests, tree, output))
    running.start()
    running.join(seconds)
    if running.exitcode is None and running.pid is not None:
        os.killpg(running.pid, signal.SIGKILL)
        running.join()
        return CLOCK
    if running.exitcode in (0, 5):  # 5: there is no test in these files
        return None
    match = re.search(r"^(?:FAILED|ERROR) (\S+)", output.read_text("utf-8"), re.MULTILINE)
    return match[1] if match else f"exit status {running.exitcode}"


def _run(tests: Tests, tree: Path, output: Path) -> None:
    """In a process of its own, which holds the libraries and nothing of sortal yet."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which who runs in the background is born without
    with output.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree / "src")
    sys.path[:0] = [str(tree / "src"), str(tree)]
    sys.exit(int(pytest.main([*PYTEST, *QUIET, *tests])))


if __name__ == "__main__":
    main()
