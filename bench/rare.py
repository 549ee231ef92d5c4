"""Does a model lose anything where rare levels are learned as unseen ones?

Every table with categories is parted at random, again and again. The same families with the same settings are fitted to
four fifths with every level named, and with those of fewer rows than the smallest count as unseen; the log-loss on the
last fifth is compared row by row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bench._outcome import Goal, Options, Outcome
from bench._tables import EXAMPLE, no_table, tabular
from sortal.core import registry
from sortal.core.disclosure import SMALLEST_COUNT
from sortal.core.errors import InputError
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import Problem, frame_problem
from sortal.data.split import folds
from sortal.models.family import Resources, Settings
from sortal.training.candidate import Candidate, Development, fit, prepare_rows

FAMILIES: dict[str, Settings] = {
    "logistic": {},
    "lightgbm": {"rounds": 150, "learning_rate": 0.05},
    "xgboost": {"rounds": 100, "learning_rate": 0.08},
    "extra_trees": {"trees": 100},
}
ROWS, FAST_ROWS = 8_000, 1_500
WORSE = 0.01
"""The most that the log-loss may rise, as a share of itself, over all tables together."""


@dataclass(frozen=True)
class Cell:
    """Log-loss of a family on fresh rows of a table, and how much it rises (``rise``, with its standard error) by the
    rule.
    """

    table: str
    family: str
    rare: float
    loss: float
    rise: float
    error: float


def run(options: Options) -> Outcome:
    notes: list[str] = []
    if options.fast:
        tables: Iterator[tuple[str, Problem]] = iter([("example", crossed())])
    elif options.data is not None:
        tables = problems(options.data, notes)
    else:
        sys.exit("which tables? give --data FOLDER, or --fast")
    cells = [cell for name, problem in tables for cell in measure(name, problem, options.reps)]
    if not cells:
        no_table("with rare levels")
    return outcome(cells, notes)


def crossed() -> Problem:
    """The example data with a category of many rare levels that tells something."""
    frame = pl.read_csv(EXAMPLE, infer_schema=False).sample(FAST_ROWS, seed=0)
    crossed = pl.concat_str("Contract", "PaymentMethod", "tenure", separator="/").str.replace_all(" ", "")
    return frame_problem(frame.with_columns(crossed=crossed), GoalOptions("Churn"), RowOptions())


def problems(folder: Path, notes: list[str]) -> Iterator[tuple[str, Problem]]:
    for file in tabular(folder):
        frame = file.frame()
        try:
            problem = frame_problem(
                frame.sample(min(len(frame), ROWS), shuffle=True, seed=0), GoalOptions(file.target), RowOptions()
            )
        except InputError as error:
            notes.append(f"left out: {file.name}: {error}")
            continue
        if rare_share(problem) > 0:
            yield file.name, problem


def rare_share(problem: Problem) -> float:
    """The largest share of rows whose level is rare, over the categories."""
    table = problem.table
    names = [c.name for c in table.schema.features if c.kind == "category"]
    counts = [table[name].drop_nulls().alias("level").value_counts(name="rows")["rows"] for name in names]
    return max((float(c.filter(c < SMALLEST_COUNT).sum()) / len(table) for c in counts), default=0.0)


def measure(name: str, problem: Problem, reps: int) -> Iterator[Cell]:
    """With every level named, and with the rare ones as unseen."""
    for family, settings in FAMILIES.items():
        every, common = (
            np.concatenate([_losses(problem, family, settings, seed, k) for seed in range(max(reps, 1))])
            for k in (1, SMALLEST_COUNT)
        )
        rises = common - every
        error = float(rises.std(ddof=1) / np.sqrt(len(rises)))
        yield Cell(name, family, rare_share(problem), float(every.mean()), float(rises.mean()), error)
    print(f"{name}: done", file=sys.stderr)


def _losses(problem: Problem, name: str, settings: Settings, seed: int, smallest_count: int) -> np.ndarray:
    """(m,) log-losses of the rows of one fifth."""
    train, test = folds(problem.codes, 5, seed)[0]
    dev = Development(
        problem.table,
        problem.codes,
        problem.task.classes,
        seed,
        resources=Resources(threads=1),
        smallest_count=smallest_count,
    )
    candidate = Candidate(name, registry.load("sortal.models", name))
    prepared = prepare_rows(dev, train, candidate.family.view)
    pipeline = fit(candidate, prepared, dev, settings, purpose="ship")
    p = pipeline.predict_proba(pipeline.preprocessor.transform(problem.table.take(test)))
    return -np.log(np.clip(p[np.arange(len(test)), problem.codes[test]], 1e-6, 1))


def outcome(cells: Sequence[Cell], notes: Sequence[str]) -> Outcome:
    rows = [
        [c.table, f"{100 * c.rare:.1f} %", c.family, f"{c.loss:.4f}", f"{c.rise:+.4f} ± {c.error:.4f}"] for c in cells
    ]
    rise = sum(c.rise for c in cells) / sum(c.loss for c in cells)
    beyond = [c for c in cells if c.rise > 2 * c.error]
    worst = f", clearly in {len(beyond)}: {', '.join(dict.fromkeys(c.table for c in beyond))}" if beyond else ""
    goal = Goal(
        f"learning levels of fewer than {SMALLEST_COUNT} rows as unseen raises the mean log-loss by at most "
        f"{WORSE:.0%}",
        f"{100 * rise:+.2f} % over {len(cells)} fits{worst}",
        rise <= WORSE,
    )
    figures = [vars(cell) for cell in cells]
    title = "Log-loss on fresh rows with every level named, and how much it rises where rare ones are as unseen"
    return Outcome(title, ["table", "rare rows", "family", "log-loss", "rise"], rows, [goal], notes, figures)
