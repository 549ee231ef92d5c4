"""The whole trip on every table of a folder, by the command line, as a person would run it.

Every table is to finish, the wall clock of the whole process to stay within 1.05 of the budget, and no table to end
worse than its best baseline: neither out of fold, where both are judged on the same rows and the paired difference has
an interval, nor on the sealed test, whose interval is held against the baseline's interval over folds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bench._outcome import Goal, Options, Outcome
from bench._tables import EXAMPLE, no_table, table_files
from sortal.core.columns import Origin
from sortal.core.errors import InputError
from sortal.core.infer import infer
from sortal.record import wording
from sortal.record.parts import Baseline
from sortal.record.run import RunRecord

LATEST = 1.05
COMPARED = (
    "beats it by: log-loss of the best baseline less that of the chosen model, paired over out-of-fold rows, with "
    "its 95 % "
    "interval; the test is the saved model's, on rows that were opened once"
)
GIVEN_UP = 5.0
"""A run that takes this many times its budget is ended."""
FAST_ROWS, FAST_BUDGET = 700, 20.0
FOUND = (
    *("rows", "best baseline (log-loss out of fold)", "chosen", "beats it by"),
    *("test log-loss", "test ROC-AUC", "opens", "MB", "parity"),
)
"""Columns of the table for a run that finished, beside its name and its time."""


@dataclass(frozen=True)
class Case:
    """A table to train on. ``unusable``: why it is left out, or empty."""

    file: Path
    target: str
    unusable: str = ""


@dataclass(frozen=True)
class Trial:
    """One run. ``record`` is None where it did not finish; ``message`` is its last line then."""

    name: str
    wall: float
    budget: float
    record: RunRecord | None
    message: str = ""


def run(options: Options) -> Outcome:
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        if options.fast:
            cases, budget = fast_cases(work), FAST_BUDGET
        elif options.data is not None:
            cases, budget = list(folder_cases(options.data)), options.budget
        else:
            sys.exit("which tables? give --data FOLDER, or --fast")
        trials = []
        for case in cases:
            for seed in range(options.reps if not case.unusable else 0):
                trials.append(trial(case, budget, seed, work / f"{case.file.stem}-{seed}"))
                print(progress(trials[-1]), file=sys.stderr)
    if not trials:
        no_table("to train on")
    notes = [f"left out: {case.file.stem}: {case.unusable}" for case in cases if case.unusable]
    return outcome(trials, budget, notes)


def folder_cases(folder: Path) -> Iterator[Case]:
    """The tables of a folder, by name."""
    for file in table_files(folder):
        yield Case(file.path, file.target, file.unusable or why_unusable(file.path, file.target))


def why_unusable(file: Path, target: str) -> str:
    """Why nothing can be predicted from the columns of this table; empty where something can."""
    try:
        schema = infer(pl.read_parquet(file), target, source=Origin(file.name))
    except InputError as error:
        return str(error)
    return "" if schema.features else "no column of a kind that can be trained on yet"


def fast_cases(work: Path) -> list[Case]:
    """Three small tables out of the example: two classes, three classes, and hardly any signal."""
    churn = pl.read_csv(EXAMPLE, infer_schema=False).sample(FAST_ROWS, seed=0)
    cases = []
    for target, dropped in {"Churn": [], "Contract": ["Churn"], "gender": ["Churn", "tenure"]}.items():
        file = work / f"example_{target.lower()}.csv"
        churn.drop(dropped).write_csv(file)
        cases.append(Case(file, target))
    return cases


def trial(case: Case, budget: float, seed: int, out: Path) -> Trial:
    """One run of the command line; the wall clock is that of the whole process."""
    options = {"--target": case.target, "--budget": f"{budget:g}s", "--seed": str(seed), "--out": str(out)}
    words = [word for pair in options.items() for word in pair]
    command = [sys.executable, "-m", "sortal.cli", "train", str(case.file), *words, "--json"]
    start = time.monotonic()
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=GIVEN_UP * budget, check=False)
        message = (process.stderr.strip() or f"exit code {process.returncode}").splitlines()[-1]
        finished = process.returncode == 0 and (out / "run.json").exists()
    except subprocess.TimeoutExpired:
        message, finished = f"ended after {GIVEN_UP:g} times its budget", False
    wall = time.monotonic() - start
    record = RunRecord.from_json((out / "run.json").read_bytes()) if finished else None
    return Trial(case.file.stem, wall, budget, record, "" if finished else message)


def outcome(trials: list[Trial], budget: float, notes: list[str]) -> Outcome:
    records = {t.name: t.record for t in trials if t.record is not None}
    failed = [t for t in trials if t.record is None]
    late = max(trials, key=lambda t: t.wall / t.budget)
    return Outcome(
        title=f"the whole trip, budget {budget:g} s",
        columns=list(cells(trials[0])),
        rows=[list(cells(t).values()) for t in trials],
        goals=[
            Goal("all tables finish", f"{len(records)} of {len(trials)}", not failed),
            Goal(
                f"wall/budget <= {LATEST} on each",
                f"at most {late.wall / late.budget:.3f} ({late.name})",
                late.wall <= LATEST * late.budget,
            ),
            for_all("no table ends worse than its best baseline", records, no_worse_than_baseline),
            for_all("each test is opened exactly once", records, lambda r: r.ledger.opens == 1),
            for_all("each saved model decides as the trained one", records, reproduced),
        ],
        notes=[COMPARED, *notes, *(f"did not finish: {t.name}: {t.message}" for t in failed)],
        figures=[figures(t) for t in trials],
    )


def for_all(goal: str, records: dict[str, RunRecord], holds: Callable[[RunRecord], bool]) -> Goal:
    exceptions = [name for name, record in records.items() if not holds(record)]
    figure = f"{len(records) - len(exceptions)} of {len(records)}"
    return Goal(goal, figure + (f" (not {', '.join(exceptions)})" if exceptions else ""), not exceptions)


def no_worse_than_baseline(record: RunRecord) -> bool:
    """The chosen model is not worse than its best baseline by more than the interval, out of fold or on the test."""
    baseline = best_baseline(record)
    row = next(r for r in record.leaderboard if r.name == baseline.name)
    out_of_fold = baseline.margin is None or baseline.margin.high is None or baseline.margin.high >= 0
    loss = (record.test or {}).get("log_loss")
    if loss is None or loss.low is None or row.score.high is None:
        return out_of_fold
    return out_of_fold and loss.low <= row.score.high


def best_baseline(record: RunRecord) -> Baseline:
    """The one that the chosen model beats by least; a baseline without a margin was chosen itself."""
    return min(record.baselines, key=lambda b: 0.0 if b.margin is None else b.margin.value or 0.0)


def reproduced(record: RunRecord) -> bool:
    parity = record.artifact.parity if record.artifact else None
    return parity is not None and parity.label_flips == 0


def cells(trial: Trial) -> dict[str, str]:
    """The row of a trial in the table, by column."""
    record = trial.record
    texts = {"table": trial.name, "wall/budget": f"{trial.wall / trial.budget:.3f}"}
    if record is None:
        return texts | dict.fromkeys(FOUND, wording.DASH)
    baseline, test, artifact = best_baseline(record), record.test or {}, record.artifact
    margin = "it is the baseline" if baseline.margin is None else wording.interval(baseline.margin, 1)
    parity = artifact.parity if artifact else None
    values = (
        f"{record.data.rows:,}",
        f"{baseline.name} {wording.number(baseline.mean, 4)}",
        record.chosen.name if record.chosen else wording.DASH,
        margin,
        wording.interval(test.get("log_loss"), 1),
        wording.interval(test.get("roc_auc")),
        str(record.ledger.opens),
        f"{artifact.bytes / 1e6:.2f}" if artifact else wording.DASH,
        f"{parity.max_difference:.0e}, {parity.label_flips} flips" if parity else wording.DASH,
    )
    return texts | dict(zip(FOUND, values, strict=True))


def figures(trial: Trial) -> dict[str, Any]:
    """The same as JSON values, and what else the record of the run has to say about time and scores."""
    keys = ("baselines", "leaderboard", "selection", "calibration", "test", "timing", "ledger", "artifact")
    record = json.loads(trial.record.to_json()) if trial.record else {}
    return {
        "table": trial.name,
        "wall_seconds": trial.wall,
        "budget_seconds": trial.budget,
        "finished": trial.record is not None,
        "message": trial.message,
        **{key: record[key] for key in keys if key in record},
    }


def progress(trial: Trial) -> str:
    row = trial.record.chosen if trial.record else None
    return f"{trial.name}: {trial.wall:.1f} s, {row.name if row else trial.message}"
