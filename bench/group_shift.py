"""By how much the classes of rows unlike those of training differ from what a model says of them.

Where the constant comes from that estimates without labels allow for (``monitor.estimate.GAP_OF_UNLIKE``). Each case
is a table without the rows of one level of a column: a model is trained on what is left, and how often each class is
there among the other rows is held against its probabilities. The tables of ``bench estimate``, which judges the
intervals, take no part here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from scipy.special import ndtri

import sortal
from bench._outcome import Goal, Options, Outcome
from bench._tables import EXAMPLE, no_table, tabular
from bench.estimate import CUTS
from bench.leaks import KNOWN
from sortal.monitor.estimate import GAP_OF_UNLIKE

LEAST_LEVELS, MOST_LEVELS = 3, 20
"""A column of two levels is constant without one of them."""
LEAST_ROWS, LARGEST_SHARE, TRAIN_ROWS = 100, 0.5, 5_000
"""Rows of a level, the share of all rows that it may have, and how many of the others are trained on."""
MOST_CASES, FAST_CASES = 12, 2
MODELS, EFFORT = ("logistic", "lightgbm"), 8.0
SHARE, WITHIN = 0.9, 1.25
"""The share of gaps that is measured, and the factor by which the constant may be off it."""


@dataclass(frozen=True)
class Gap:
    """Of a class in the rows of a level: by how much its share exceeds its mean ``probability``, and what of it chance
    explains (a standard error).
    """

    table: str
    column: str
    level: str
    label: str
    rows: int
    probability: float
    share: float
    error: float

    @property
    def beyond_chance(self) -> float:
        return float(np.sqrt(max((self.share - self.probability) ** 2 - self.error**2, 0.0)))


def run(options: Options) -> Outcome:
    gaps: list[Gap] = []
    for name, frame, target in _tables(options):
        columns = _cases(frame, target)
        order = np.random.default_rng(0).permutation(len(columns))
        for at in order[: FAST_CASES if options.fast else MOST_CASES].tolist():
            column, level = columns[at]
            try:
                gaps += _gaps(name, frame, target, column, level)
            except sortal.SortalError as error:
                print(f"{name}, {column} {level}: left out: {error}", file=sys.stderr)
    if not gaps:
        no_table("with columns of a few levels")
    return outcome(gaps, options.fast)


def _tables(options: Options) -> Iterator[tuple[str, pl.DataFrame, str]]:
    if options.fast or options.data is None:
        yield "churn", pl.read_csv(EXAMPLE).drop("customerID"), "Churn"
        return
    judged = {cut.table for cut in CUTS}
    for file in tabular(options.data):
        if file.name not in judged:
            leaks, _ = KNOWN.get(file.name.removeprefix("tabular_"), ((), ""))
            yield file.name, file.frame().drop_nulls(file.target).drop(leaks, strict=False), file.target


def _cases(frame: pl.DataFrame, target: str) -> list[tuple[str, str]]:
    """Columns and their levels, as text."""
    cases = []
    for column in frame.columns:
        if column == target or not LEAST_LEVELS <= frame[column].n_unique() <= MOST_LEVELS:
            continue
        counts = frame[column].drop_nulls().cast(pl.String).value_counts(sort=True)
        sizes = dict(counts.iter_rows())
        enough = [level for level, n in sizes.items() if LEAST_ROWS <= n <= LARGEST_SHARE * len(frame)]
        cases += [(column, level) for level in enough]
    return cases


def _gaps(name: str, frame: pl.DataFrame, target: str, column: str, level: str) -> Iterator[Gap]:
    in_level = (pl.col(column).cast(pl.String) == level).fill_null(value=False)
    others = frame.filter(~in_level)
    train = others.sample(min(len(others), TRAIN_ROWS), seed=0)
    model = sortal.train(train, target, models=list(MODELS), effort=EFFORT, seed=0).model
    rows = frame.filter(in_level)
    probability, labels = model.predict_proba(rows), rows[target].cast(pl.String).to_numpy()
    classes = [str(label) for label in model.classes_]
    for code in range(len(classes)) if len(classes) > 2 else [1]:
        p, n = probability[:, code], len(rows)
        error = float(np.sqrt((p * (1 - p)).sum())) / n
        yield Gap(
            name, column, level, classes[code], n, float(p.mean()), float((labels == classes[code]).mean()), error
        )


def quantile(gaps: Sequence[Gap], share: float = SHARE) -> float:
    """The size beyond chance that so many gaps do not exceed; each table counts as much as any other."""
    tables = [each.table for each in gaps]
    weight = np.array([1 / tables.count(table) for table in tables])
    size = np.array([each.beyond_chance for each in gaps])
    order = np.argsort(size)
    reached = np.cumsum(weight[order]) >= share * weight.sum() - 1e-9
    return float(size[order][int(reached.argmax())])


def _row(table: str, gaps: Sequence[Gap]) -> list[str]:
    return [table, f"{len(gaps)}", *(f"{quantile(gaps, share):.2f}" for share in (0.5, SHARE))]


def outcome(gaps: Sequence[Gap], fast: bool) -> Outcome:
    tables = list(dict.fromkeys(each.table for each in gaps))
    measured = quantile(gaps) / float(ndtri(0.5 + SHARE / 2))
    goals = [
        Goal(
            f"the constant is within a factor of {WITHIN} of what {SHARE:.0%} of gaps say",
            f"{GAP_OF_UNLIKE:g} against {measured:.2f}",
            bool(GAP_OF_UNLIKE / WITHIN <= measured <= GAP_OF_UNLIKE * WITHIN),
        )
    ]
    return Outcome(
        title="shares of classes of a level that training did not have, less what a model says of it",
        columns=["table", "gaps", "median", f"{SHARE:.0%} below"],
        rows=[_row(table, [gap for gap in gaps if gap.table == table]) for table in tables],
        goals=[] if fast else goals,
        notes=[f"a normal gap with that quantile has a standard deviation of {measured:.2f}"],
        figures=[asdict(each) for each in gaps],
    )
