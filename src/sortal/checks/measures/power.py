"""How well each column predicts the target alone, by class rates in bins, always on rows not used for fitting.

Figures come from a stratified sample and depend on the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sortal.core.arrays import Floats, Ints
from sortal.core.kinds import kind_of
from sortal.core.schema import Column
from sortal.core.table import Table
from sortal.data.split import folds, holdout
from sortal.stats.ranking import roc_auc

LEAST_ROWS = 50
"""Rows for any guess. Chosen, not measured: ten for each of five folds."""
_CELLS = 1_000_000
"""Rows times columns, for speed: of many columns fewer rows are looked at."""
_MOST_ROWS = 20_000
"""For speed: chance moves a ROC-AUC of so many rows by .004."""
_MOST_BINS = 100
"""Chosen, not measured: 200 of 20,000 rows are in each, which tell a rate to .035."""
_PROMISING = 0.1
"""Share of the errors of guessing where finer bins are tried: A101 asks for .01, which a step inside a bin may cost."""
_TREES = 40
"""For speed. Chosen, not measured."""
_LEAF = 3
"""Rows of a leaf. Chosen, not measured: fewer fit single rows."""
_MOST_TRIED = 20
"""Columns tried for a split, for speed."""


@dataclass(frozen=True)
class Power:
    """What one column alone achieves: ROC-AUC (weighted one-vs-rest) and the share of rows misclassified."""

    column: str
    auc: float
    error: float


def usable(table: Table) -> list[str]:
    """The features that can be weighed here: all but free text, images and the like."""
    return [column.name for column in table.schema.features if is_weighable(column)]


def is_weighable(column: Column) -> bool:
    """Whether single values say something: they have an order, or come again."""
    kind = kind_of(column.kind)
    return kind.numeric or kind.categorical


def sampled(table: Table, codes: Ints, most: int, seed: int) -> tuple[Table, Ints]:
    """At most about ``most`` rows with all classes in proportion, and their codes."""
    if len(codes) <= most:
        return table, codes
    index = holdout(codes, most / len(codes), seed)[1]
    return table.take(index), codes[index]


def univariate(table: Table, codes: Ints, seed: int) -> list[Power]:
    """What each usable column achieves alone, the best first."""
    names = usable(table)
    most = min(_MOST_ROWS, max(1_000, _CELLS // max(1, len(names))))
    table, codes = sampled(table, codes, most, seed)
    pairs = folds(codes, 5, seed)
    guess = 1 - np.bincount(codes).max() / len(codes)
    powers = []
    for name in names:
        values = table[name]
        probability = _rates(binned(values), codes, pairs)
        error = float((probability.argmax(axis=1) != codes).mean())
        if error < _PROMISING * guess:  # a step may lie inside a bin
            finer = _rates(binned(values, max(1, len(values) // 5)), codes, pairs)
            error = min(error, float((finer.argmax(axis=1) != codes).mean()))
        powers.append(Power(name, auc(codes, probability), error))
    return sorted(powers, key=lambda power: (-power.auc, power.column))


def ranks(table: Table, names: Sequence[str]) -> Floats:
    """(n, d) columns as ranks for trees: categories by frequency, missing below all numbers."""
    return np.column_stack([_ordered(table[name]) for name in names])


def held_out(matrix: Floats, codes: Ints, pairs: Sequence[tuple[Ints, Ints]], seed: int) -> Floats:
    """(n, K) class probabilities by a small forest for the rows of validation parts; 0 for rows in none."""
    from sklearn.ensemble import ExtraTreesClassifier

    probability = np.zeros((len(codes), int(codes.max()) + 1))
    max_features = min(matrix.shape[1], _MOST_TRIED)
    for train, valid in pairs:
        forest = ExtraTreesClassifier(_TREES, min_samples_leaf=_LEAF, max_features=max_features, random_state=seed)
        forest.fit(matrix[train], codes[train])
        probability[np.ix_(valid, forest.classes_)] = forest.predict_proba(matrix[valid])
    return probability


def binned(values: pl.Series, bins: int | None = None) -> Ints:
    """(n,) bins of a column: 0 is missing, a category is a bin, numbers fall into ``bins`` quantiles.

    A number that fills half a quantile or more has a bin of its own, so that a frequent value (0 claims) is never
    mixed with its neighbours.
    """
    if values.dtype in (pl.String, pl.Boolean):
        return values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    numbers = _numbers(values)
    finite = np.isfinite(numbers)
    if not finite.any():
        return np.zeros(len(numbers), dtype=np.int64)
    bins = bins or int(np.clip(np.sqrt(len(numbers)), 8, _MOST_BINS))
    ordered = np.sort(numbers[finite])
    edges = np.unique(ordered[np.rint(np.linspace(0, len(ordered) - 1, bins + 1)).astype(np.int64)])
    counts = np.searchsorted(ordered, edges, "right") - np.searchsorted(ordered, edges, "left")
    frequent = edges[counts >= max(2, len(ordered) / (2 * bins))]
    place = 1 + np.searchsorted(edges, numbers, "left") + np.searchsorted(frequent, numbers, "right")
    return np.where(finite, place, 0)


def _numbers(values: pl.Series) -> Floats:
    if isinstance(values.dtype, pl.Datetime):
        values = values.dt.epoch("us")
    return values.cast(pl.Float64).to_numpy()


def _ordered(values: pl.Series) -> Floats:
    """(n,) a column as ranks for trees: categories by frequency, missing below all numbers."""
    place: Ints = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    if values.dtype != pl.String:
        return place.astype(np.float64)
    counts = np.bincount(place)
    rank: Floats = np.argsort(np.argsort(-counts, kind="stable")).astype(np.float64)
    return rank[place]


def _rates(bins: Ints, codes: Ints, pairs: Sequence[tuple[Ints, Ints]]) -> Floats:
    """(n, K) out-of-fold class rates of each row's bin, shrunk to the class shares by two rows."""
    classes, size = int(codes.max()) + 1, int(bins.max()) + 1
    probability = np.zeros((len(codes), classes))
    for train, valid in pairs:
        cells = np.bincount(bins[train] * classes + codes[train], minlength=size * classes)
        counts = cells.reshape(size, classes)
        prior = counts.sum(axis=0) / len(train)
        rates = (counts + 2 * prior) / (counts.sum(axis=1, keepdims=True) + 2)
        probability[valid] = rates[bins[valid]]
    return probability


def auc(codes: Ints, score: Floats) -> float:
    """ROC-AUC of scores (n, K): of class 1 against 0 for two classes, else one against the rest, weighted by class.

    >>> auc(np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.2, 0.8]]))
    0.875
    """
    sizes = np.bincount(codes, minlength=score.shape[1])
    present = np.flatnonzero((sizes > 0) & (sizes < len(codes)))
    if len(present) == 0:
        return 0.5
    if score.shape[1] == 2:
        return roc_auc(codes == 1, score[:, 1])
    return float(np.average([roc_auc(codes == c, score[:, c]) for c in present], weights=sizes[present]))
