"""Whether the deadline is one: the wall clock of whole processes, from 60 rows to a million, on a quiet machine and on
a busy one.

Made-up tables of every shape (few rows, many classes, many columns, many rows) and real ones of the folder, from the
smallest to the largest, each at several budgets, by the command line. Then all of it again beside four processes that
do nothing but compute.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bench._outcome import Goal, Options, Outcome
from bench.trip import FAST_BUDGET, Case, best_baseline, fast_cases, folder_cases
from sortal.record.run import RunRecord

BUDGETS = (10.0, 20.0, 60.0)
QUIET_LIMIT, BUSY_LIMIT, USED = 1.05, 1.15, 0.85
"""Of the budget: what a run may take on a quiet machine and on a busy one, and what it has to use where it skipped
something."""
BUSY_PROCESSES = 4
MILLION, MILLION_BUDGET, MEMORY = "1,000,000 x 50", 180.0, 8.0
"""The largest table, the seconds it is given, and how many GB it may take."""
REAL_TABLES = 4
BOOSTERS = ("lightgbm", "xgboost", "catboost")
GIVEN_UP = 4.0
"""A run that takes this many times its budget is ended."""
CLOCK = ("time left", "s left")
"""How the reason ends of a candidate that was skipped for want of time."""


@dataclass(frozen=True)
class Shape:
    """A made-up table: ``numbers`` and ``categories`` columns, ``classes`` of falling frequency."""

    name: str
    rows: int
    numbers: int
    categories: int
    classes: int


SHAPES = (
    Shape("60 rows", 60, 5, 2, 2),
    Shape("300 x 5,000", 300, 5_000, 0, 2),
    Shape("100 classes", 20_000, 20, 4, 100),
    Shape("494,021 x 41", 494_021, 34, 7, 23),
)
LARGEST = Shape(MILLION, 1_000_000, 40, 10, 2)


@dataclass(frozen=True)
class Trial:
    """One run. ``record`` is None where it did not finish; ``message`` is its last line then. ``gigabytes``: its peak
    memory.
    """

    table: str
    budget: float
    busy: bool
    wall: float
    gigabytes: float
    record: RunRecord | None
    message: str = ""

    @property
    def ratio(self) -> float:
        return self.wall / self.budget

    @property
    def late(self) -> list[str]:
        """Candidates that were skipped for want of time."""
        skipped = () if self.record is None else self.record.timing.skipped
        return [skip.name for skip in skipped if skip.reason.endswith(CLOCK)]

    @property
    def boosted(self) -> bool:
        return self.record is not None and any(row.family in BOOSTERS for row in self.record.leaderboard)

    @property
    def where(self) -> str:
        return f"{self.table} at {self.budget:g} s"


def run(options: Options) -> Outcome:
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        plan = list(_plan(options, work))
        trials = []
        for busy in (False, True):
            with _others(BUSY_PROCESSES if busy else 0):
                for name, case, budget in plan:
                    if busy and budget not in BUDGETS:
                        continue
                    trials.append(trial(name, case, budget, busy, work / f"run-{len(trials)}"))
                    print(_progress(trials[-1]), file=sys.stderr, flush=True)
    return outcome(trials)


def _plan(options: Options, work: Path) -> Iterator[tuple[str, Case, float]]:
    """Tables and budgets."""
    if options.fast:
        for case in fast_cases(work)[:1]:
            yield case.file.stem, case, FAST_BUDGET
        return
    cases = [(shape.name, make(shape, work)) for shape in SHAPES]
    if options.data is not None:
        usable = [case for case in folder_cases(options.data) if not case.unusable]
        by_size = sorted(usable, key=lambda case: case.file.stat().st_size)
        places = np.linspace(0, len(by_size) - 1, min(REAL_TABLES, len(by_size))).astype(int)
        cases += [(by_size[i].file.stem, by_size[i]) for i in dict.fromkeys(places.tolist())]
    for budget in BUDGETS:
        for name, case in cases:
            yield name, case, budget
    yield MILLION, make(LARGEST, work), MILLION_BUDGET


def make(shape: Shape, folder: Path, seed: int = 0) -> Case:
    """A table with linear, wavy and categorical effects, missing values, and classes whose frequency falls like 1/k."""
    rng = np.random.default_rng(seed)
    n, k = shape.rows, shape.classes
    score = rng.gumbel(size=(n, k)) - np.log(np.arange(1, k + 1))
    columns: dict[str, object] = {}
    for j in range(shape.numbers):
        x = rng.normal(size=n).astype(np.float32)
        if rng.random() < 40 / max(shape.numbers, 40):
            score += np.outer(x, rng.normal(size=k) / 2) + np.outer(np.sin(2 * x), rng.normal(size=k) * (j % 3 == 0))
        x[rng.random(n) < 0.05] = np.nan
        columns[f"n{j}"] = x
    for j in range(shape.categories):
        levels = min(5 * 2**j, 1000)
        code = np.minimum((rng.pareto(1.2, size=n) * levels / 8).astype(int), levels - 1)
        score += rng.normal(size=(levels, k))[code] / 2
        columns[f"c{j}"] = np.array([f"v{i}" for i in range(levels)])[code]
    columns["y"] = np.array([f"class {i:03d}" for i in range(k)])[score.argmax(axis=1)]
    file = folder / f"made_up_{n}_{k}.parquet"
    pl.DataFrame(columns).write_parquet(file)
    return Case(file, "y")


def trial(name: str, case: Case, budget: float, busy: bool, out: Path) -> Trial:
    """One run of the command line; the wall clock is that of the whole process."""
    options = {"--target": case.target, "--budget": f"{budget:g}s", "--out": str(out)}
    words = [word for pair in options.items() for word in pair]
    command = [sys.executable, "-m", "sortal.cli", "train", str(case.file), *words, "--json"]
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        usage = _wait(process, start + GIVEN_UP * budget)
        wall = time.monotonic() - start
        errors.seek(0)
        message = (errors.read().strip() or f"exit code {process.returncode}").splitlines()[-1]
    finished = process.returncode == 0
    record = RunRecord.from_json((out / "run.json").read_bytes()) if finished else None
    return Trial(name, budget, busy, wall, usage / 1e6, record, "" if finished else message)


def _wait(process: subprocess.Popen[bytes], until: float) -> int:
    """Waits for a process, ends it where it takes too long, and returns its peak memory in kB."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_maxrss
        if time.monotonic() > until:
            process.kill()
        time.sleep(0.02)


@contextmanager
def _others(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def outcome(trials: Sequence[Trial]) -> Outcome:
    quiet, busy = ([t for t in trials if t.busy is kind] for kind in (False, True))
    failed = [t for t in trials if t.record is None]
    hurried = [t for t in quiet if t.late]
    goals = [
        Goal("all runs finish", f"{len(trials) - len(failed)} of {len(trials)}", not failed),
        _all_below("quiet", quiet, QUIET_LIMIT),
        _all_below(f"beside {BUSY_PROCESSES} busy processes", busy, BUSY_LIMIT),
        _for_all(
            f"used >= {USED} of the budget where candidates were skipped for time", hurried, lambda t: t.ratio >= USED
        ),
        _for_all("a booster is tried", quiet, lambda t: t.boosted),
    ]
    for t in quiet:
        if t.table == MILLION:
            goals.append(Goal(f"{t.where} ends with a booster that beats the baselines", _chosen_model(t), _wins(t)))
            goals.append(
                Goal(f"{t.where} takes less than {MEMORY:g} GB", f"{t.gigabytes:.1f} GB", t.gigabytes < MEMORY)
            )
    return Outcome(
        title="wall clock over budget, of whole processes",
        columns=["table", "budget", "machine", "wall", "ratio", "GB", "tried", "no time for", "chosen"],
        rows=[_cells(t) for t in trials],
        goals=goals,
        notes=[f"did not finish: {t.where}: {t.message}" for t in failed],
        figures=[{**asdict(t), "record": None, "late": t.late, "chosen": _chosen_model(t)} for t in trials],
    )


def _all_below(machine: str, trials: Sequence[Trial], limit: float) -> Goal:
    worst = max(trials, key=lambda t: t.ratio)
    over = [t.where for t in trials if t.ratio > limit]
    figure = f"at most {worst.ratio:.3f} ({worst.where}), {len(over)} of {len(trials)} above"
    return Goal(f"{machine}: wall/budget <= {limit} in all runs", figure, not over)


def _for_all(goal: str, trials: Sequence[Trial], holds: object) -> Goal:
    exceptions = [f"{t.where}: {t.ratio:.2f}" for t in trials if not holds(t)]  # type: ignore[operator]
    figure = f"{len(trials) - len(exceptions)} of {len(trials)}"
    return Goal(goal, figure + (f" (not {'; '.join(exceptions)})" if exceptions else ""), not exceptions)


def _wins(trial: Trial) -> bool:
    """The chosen one is a booster, or an ensemble with one, and better than each baseline beyond noise."""
    record = trial.record
    if record is None or record.chosen is None:
        return False
    families = {row.name: row.family for row in record.leaderboard}
    if not {families[name] for name in record.chosen.weights or (record.chosen.name,)} & {*BOOSTERS}:
        return False
    margin = best_baseline(record).margin
    return margin is not None and margin.low is not None and margin.low > 0


def _chosen_model(trial: Trial) -> str:
    record = trial.record
    return (
        trial.message if record is None or record.chosen is None else f"{record.chosen.name} {record.chosen.mean:.4f}"
    )


def _cells(trial: Trial) -> list[str]:
    n_candidates = 0 if trial.record is None else len(trial.record.leaderboard)
    machine = "busy" if trial.busy else "quiet"
    times = [f"{trial.budget:g} s", machine, f"{trial.wall:.1f} s", f"{trial.ratio:.3f}", f"{trial.gigabytes:.1f}"]
    return [trial.table, *times, str(n_candidates), str(len(trial.late)), _chosen_model(trial)]


def _progress(trial: Trial) -> str:
    return "  ".join(_cells(trial))
