"""What each ingredient is worth: the log-loss of the future with everything, and with everything but one.

Through ``sortal.train`` on a sample of a table, at the same budget; the rest of the table is the future. What does not
help is to be taken out.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl

import sortal
from bench._outcome import Goal, Options, Outcome
from bench._result_store import ResultStore
from bench._tables import EXAMPLE, no_table, tabular
from bench.quality import sample, scored
from sortal.core import registry
from sortal.training.zoo import BASELINES

ALL = "everything"
STEPS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "ensemble": lambda: patch("sortal.training.develop.select", lambda *args: None),
    "calibration": lambda: patch("sortal.decide.calibrate.calibrators", lambda *args: ()),
    "target encoding": lambda: patch("sortal.prepare.category.MAX_TARGET_CLASSES", 0),
    "simpler of equals": lambda: patch("sortal.training.select.IMMATERIAL", 0.0),
}
"""What is no family, and how to do without it."""
FAST_ROWS, FAST_BUDGET, FAST_INGREDIENTS = 1_000, 12.0, ("ensemble", "calibration")


@dataclass(frozen=True)
class Job:
    """``without``: an ingredient, or "everything" where none is left out."""

    table: str
    train: Path
    test: Path
    target: str
    without: str
    budget: float
    seed: int
    rows: int

    @property
    def key(self) -> str:
        return f"{self.table} {self.seed}, without {self.without}, {self.rows} rows, {self.budget:g} s"


@dataclass(frozen=True)
class Loss:
    """``log_loss`` of the future; ``chosen`` is the model that was taken."""

    table: str
    seed: int
    without: str
    log_loss: float
    chosen: str


def run(options: Options) -> Outcome:
    rows, budget = (FAST_ROWS, FAST_BUDGET) if options.fast else (options.rows, options.budget)
    names = FAST_INGREDIENTS if options.fast else tuple(n for n in ingredients() if options.case in n)
    with tempfile.TemporaryDirectory() as scratch:
        jobs = list(_jobs(options, rows, budget, names, Path(scratch)))
        losses = _losses(jobs, ResultStore(options.resume))
    if not losses:
        no_table("to train on")
    return outcome(losses, names, budget)


def ingredients() -> tuple[str, ...]:
    families = [name for name in registry.names("sortal.models") if name not in BASELINES]
    return (*families, *STEPS)


def _jobs(options: Options, rows: int, budget: float, names: Sequence[str], folder: Path) -> Iterator[Job]:
    """Every table and repetition; each ingredient after the other on the same rows."""
    if options.fast or options.data is None:
        tables = [("example", pl.read_csv(EXAMPLE), "Churn")]
    else:
        tables = [(file.name, file.frame(), file.target) for file in tabular(options.data)]
    for name, frame, target in tables:
        for seed in range(options.reps):
            paths = folder / f"train-{name}-{seed}.parquet", folder / f"test-{name}-{seed}.parquet"
            for part, path in zip(sample(frame, target, rows, seed), paths, strict=True):
                part.write_parquet(path)
            for without in (ALL, *names):
                yield Job(name, *paths, target, without, budget, seed, rows)


def _losses(jobs: Sequence[Job], store: ResultStore) -> list[Loss]:
    """One after another, each in a process of its own: what is left out of one is left out of no other."""
    todo = [job for job in jobs if job.key not in store]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        for job, loss in zip(todo, pool.map(_train, todo), strict=True):
            print(f"{loss.table}  without {loss.without}  {loss.log_loss:.4f}  {loss.chosen}", file=sys.stderr)
            store[job.key] = asdict(loss)
    return [Loss(**store[job.key]) for job in jobs]


def _train(job: Job) -> Loss:
    families = [name for name in registry.names("sortal.models") if name not in ("majority", "tree", job.without)]
    step = STEPS.get(job.without, nullcontext)
    train, test = pl.read_parquet(job.train), pl.read_parquet(job.test)
    with step():
        run = sortal.train(train, job.target, models=families, budget=job.budget, seed=job.seed, split="100/0")
    probability = run.model.predict_proba(test)
    figures = scored(test[job.target].to_numpy(), probability, list(run.model.classes_))
    names = ", ".join(row.name for row in run.record.leaderboard if row.selected)
    return Loss(job.table, job.seed, job.without, figures["log_loss"], names)


def outcome(losses: Sequence[Loss], names: Sequence[str], budget: float) -> Outcome:
    complete = {(loss.table, loss.seed): loss.log_loss for loss in losses if loss.without == ALL}
    worth = {name: _worth(losses, complete, name) for name in names}
    return Outcome(
        title=f"what each ingredient is worth, {budget:g} s: change of the future's log-loss without it, in %",
        columns=["without", "mean", "standard error", "worse", "better", "of tables"],
        rows=[_row(name, change) for name, change in worth.items()],
        goals=[
            Goal(
                f"the log-loss is not lower without {name}, beyond two standard errors",
                f"{change.mean():+.2f} +- {_error(change):.2f} %",
                bool(change.mean() >= -2 * _error(change)),
            )
            for name, change in worth.items()
        ],
        notes=[
            f"{loss.table} {loss.seed}: {loss.log_loss:.4f}, {loss.chosen}" for loss in losses if loss.without == ALL
        ],
        figures=[vars(loss) | {"budget": budget} for loss in losses],
    )


def _worth(losses: Sequence[Loss], complete: dict[tuple[str, int], float], name: str) -> np.ndarray:
    """Change in %, of each table and repetition."""
    without = [loss for loss in losses if loss.without == name]
    return np.array([100 * (loss.log_loss / complete[loss.table, loss.seed] - 1) for loss in without])


def _error(change: np.ndarray) -> float:
    return float(change.std(ddof=1) / np.sqrt(len(change))) if len(change) > 1 else float("inf")


def _row(name: str, change: np.ndarray) -> list[str]:
    worse, better = int((change > 0).sum()), int((change < 0).sum())
    return [name, f"{change.mean():+.2f}", f"{_error(change):.2f}", f"{worse}", f"{better}", f"{len(change)}"]
