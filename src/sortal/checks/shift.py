"""A207: parts that a classifier can tell apart, though they should be alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.context import AuditContext, SplitView
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, brief, too_few
from sortal.checks.measures.power import binned, ranks, usable
from sortal.core.arrays import Ints
from sortal.core.table import Table
from sortal.data.stratify import connected_groups
from sortal.stats.ranking import roc_auc

_LEAST_UNITS = 200
"""Rows that have nothing to do with each other. Chosen, not measured: half of them are all that the forest learns
from."""
_LEAST_OF_PART = 30
"""Chosen, not measured: the half that is guessed still has 15, for a ROC-AUC."""
_SAMPLE = 4_000
"""Rows, for speed: chance moves a ROC-AUC of the half that is guessed by .013 at least."""
_MOST_COLUMNS = 60
"""For speed: those whose distributions differ most."""
_TREES = 60
"""For speed. Chosen, not measured."""
_ERRORS = 3.5
"""Standard errors. Chance reaches them once in 4,000 times; the largest of 176 random splits was 2.1 (decision
0017)."""
_TELLING = 0.55
"""ROC-AUC. Chosen, not measured: in large tables errors are small, and less of a difference harms no score."""
_EXPECTED = 0.6
"""ROC-AUC of parts made by time that goes without saying. Chosen, not measured: time changes every table a little."""
_SHOWN = 3
"""Columns that the message names: as many as a line holds."""


@dataclass(frozen=True)
class _Separation:
    """How well the test part is told from the rest, its standard error by chance, and the columns that tell most."""

    roc_auc: float
    chance: float
    columns: list[str]


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Learns on half of the rows whether a row is held out, and guesses the other half.

    A warning from 3.5 standard errors on, which parts made at random reach once in 4,000 times. Of rows that must
    stay together (records, groups) one is looked at, since the others are no evidence of their own. A note where parts
    were made by time, which lets them differ.
    """
    split_view = context.split_view
    if split_view is None:
        return NotApplicable("there are no parts yet")
    if not usable(split_view.features):
        return NotApplicable("no column to tell parts apart by")
    rows = _one_of_each(split_view, context.seed)
    last = split_view.held_out[rows]
    if len(rows) < _LEAST_UNITS or min(last.sum(), (~last).sum()) < _LEAST_OF_PART:
        return too_few(f"{_LEAST_UNITS} different rows, or a part with fewer than {_LEAST_OF_PART}")
    separation = _tell_apart(split_view.features.take(rows), last, context.seed)
    if separation.roc_auc < max(_TELLING, 0.5 + _ERRORS * separation.chance):
        return []
    by_time = split_view.times is not None
    return [] if by_time and separation.roc_auc < _EXPECTED else [_finding(separation, len(rows), by_time)]


def _one_of_each(split_view: SplitView, seed: int) -> Ints:
    """At most 4000 rows, of which no two must stay together; as many of the held-out ones as may be, up to a half."""
    units = split_view.records if split_view.groups is None else connected_groups(split_view.records, split_view.groups)
    shuffled = np.random.default_rng(seed).permutation(len(units))
    rows = shuffled[np.unique(units[shuffled], return_index=True)[1]]
    rows = np.random.default_rng([seed, 1]).permutation(rows)
    last = split_view.held_out[rows]
    return np.concatenate([rows[last][: _SAMPLE // 2], rows[~last][: _SAMPLE // 2]])


def _tell_apart(table: Table, last: NDArray[np.bool_], seed: int) -> _Separation:
    """A small forest is fitted to one half, and scores the other."""
    from sklearn.ensemble import ExtraTreesClassifier

    names = usable(table)
    if len(names) > _MOST_COLUMNS:
        alone = {name: _alone(table[name], last) for name in names}
        names = sorted(names, key=lambda name: -alone[name])[:_MOST_COLUMNS]
    matrix = ranks(table, names)
    rng = np.random.default_rng([seed, 2])
    half = np.zeros(len(last), dtype=bool)
    for side in (last, ~last):
        members = rng.permutation(np.flatnonzero(side))
        half[members[: len(members) // 2]] = True
    forest = ExtraTreesClassifier(_TREES, min_samples_leaf=5, max_features=min(len(names), 20), random_state=seed)
    forest.fit(matrix[half], last[half])
    score = forest.predict_proba(matrix[~half])[:, 1]
    positive = last[~half]
    inside, outside = int(positive.sum()), int((~positive).sum())
    chance = float(np.sqrt((inside + outside + 1) / (12 * inside * outside)))
    strongest = np.argsort(-forest.feature_importances_, kind="stable")[:_SHOWN]
    return _Separation(roc_auc(positive, score), chance, [names[k] for k in strongest])


def _alone(values: pl.Series, last: NDArray[np.bool_]) -> float:
    """How much the shares of bins differ between the parts (total variation)."""
    bins = binned(values, 8)
    size = int(bins.max()) + 1
    inside, outside = (np.bincount(bins[side], minlength=size) / side.sum() for side in (last, ~last))
    return float(np.abs(inside - outside).sum())


def _finding(separation: _Separation, rows: int, by_time: bool) -> Finding:
    telling = ", ".join(separation.columns)
    why = ", as may be when the newest rows are the test" if by_time else ""
    message = (
        f"a quick model tells held-out rows from those to train on with ROC-AUC {brief(separation.roc_auc)} "
        f"(.50 if they were alike){why}; it looks most at {telling}"
    )
    evidence: dict[str, Evidence] = {
        "roc_auc": separation.roc_auc,
        "chance": separation.chance,
        "errors": (separation.roc_auc - 0.5) / separation.chance,
        "columns": separation.columns,
        "rows_looked_at": rows,
    }
    fix = (
        "expect scores to fall as time goes on; leave out columns that only count time"
        if by_time
        else f"find out how the parts were made, and whether {separation.columns[0]} means the same in both"
    )
    severity: Severity = "note" if by_time else "warning"
    return Finding(check.code, severity, None, message, evidence, fix)


check = Check("A207", "parts that can be told apart", find)
