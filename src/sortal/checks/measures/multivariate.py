"""What several columns achieve together, by a small forest, and what one of them adds to the others.

All figures are out of fold and come from a stratified sample. A difference of two of them has a standard error, because
both are of the same rows and folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sortal.checks.measures.power import auc, ranks, sampled
from sortal.core.arrays import Floats, Ints
from sortal.core.kinds import kind_of
from sortal.core.table import Table
from sortal.data.split import folds
from sortal.stats.ranking import placements

_ROWS = 3_000
"""For speed: a forest of .2 to .4 s (decision 0016)."""
_RARE_ROWS = 1_000
"""A third of the rows where one of two classes is rare: the error of a ROC-AUC depends on these (decision 0016)."""
_MOST_COLUMNS = 200
"""For speed: the best by themselves."""
_MOST_TRIED = 20
"""Columns tried for a split, for speed: half of them, up to this."""
_TREES = 25
"""For speed (decision 0016): with three folds of 3,000 rows .2 to .4 s."""
_LEAF = 5
"""Rows of a leaf. Chosen, not measured: class shares of single rows are only 0 and 1."""
_BLOCKS = 9
"""Three for each fold. Occupancy's leak hides at random folds (.99 without it), not by blocks (.86; decision 0016)."""


@dataclass(frozen=True)
class Multivariate:
    """``table`` and ``codes`` (n,): the rows looked at. ``probability``: (n, K) of rows not used for fitting.

    ``drops``: how much ROC-AUC is lost when a column is shuffled, for those columns where it was asked for.
    """

    table: Table
    codes: Ints
    probability: Floats
    drops: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def auc(self) -> float:
        return auc(self.codes, self.probability)

    def error_of_lift(self, rest: Multivariate) -> float:
        """Standard error of the difference to the ROC-AUC of other columns, on the same rows."""
        difference = influence(self.codes, self.probability) - influence(rest.codes, rest.probability)
        return float(np.sqrt((difference**2).sum()))


@dataclass(frozen=True)
class Lift:
    """ROC-AUC with a column and without it, and the standard error of the difference."""

    column: str
    everything: float
    rest: float
    error: float

    @property
    def value(self) -> float:
        return self.everything - self.rest


def multivariate(
    table: Table, codes: Ints, names: Sequence[str], seed: int, shuffled: Sequence[str] = ()
) -> Multivariate:
    """What these columns say together; nothing is known without columns. ``names``: the best first, 200 are taken.

    ``shuffled``: those whose use to the others is measured.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    table, codes = _sampled(table, codes, seed)
    classes = int(codes.max()) + 1
    if not names:
        return Multivariate(table, codes, np.tile(np.bincount(codes) / len(codes), (len(codes), 1)))
    names = list(names[:_MOST_COLUMNS])
    shuffled = [name for name in shuffled if name in names]
    matrix = ranks(table, names)
    probability = np.zeros((1 + len(shuffled), len(codes), classes))
    rng, max_features = np.random.default_rng(seed), min((len(names) + 1) // 2, _MOST_TRIED)
    for train, valid in _folds(table, codes, seed):
        forest = ExtraTreesClassifier(_TREES, min_samples_leaf=_LEAF, max_features=max_features, random_state=seed)
        forest.fit(matrix[train], codes[train])
        queries = np.tile(matrix[valid], (1 + len(shuffled), 1, 1))
        for i, name in enumerate(shuffled, 1):
            rng.shuffle(queries[i, :, names.index(name)])
        answer = forest.predict_proba(queries.reshape(-1, len(names))).reshape(*queries.shape[:2], -1)
        probability[np.ix_(np.arange(len(queries)), valid, forest.classes_)] = answer
    drops = [auc(codes, probability[0]) - auc(codes, p) for p in probability[1:]]
    return Multivariate(table, codes, probability[0], dict(zip(shuffled, drops, strict=True)))


def _sampled(table: Table, codes: Ints, seed: int) -> tuple[Table, Ints]:
    """About 3,000 rows with all classes in proportion; of two classes the rarer one has a third of them where it can.

    The ROC-AUC of two classes does not depend on their shares, but its error does, on the rows of the rarer one.
    """
    sizes = np.bincount(codes)
    rare = int(sizes.argmin())
    if len(codes) <= _ROWS or len(sizes) != 2 or sizes[rare] >= len(codes) * _RARE_ROWS / _ROWS:
        return sampled(table, codes, _ROWS, seed)
    rng = np.random.default_rng([seed, 2])
    rare_rows = rng.permutation(np.flatnonzero(codes == rare))[:_RARE_ROWS]
    others = rng.permutation(np.flatnonzero(codes != rare))[: _ROWS - len(rare_rows)]
    index = np.sort(np.concatenate([rare_rows, others]))
    return table.take(index), codes[index]


def _folds(table: Table, codes: Ints, seed: int) -> list[tuple[Ints, Ints]]:
    """Three, at random. Where a column says when a row was, of nine blocks in time: neighbours may be nearly the same
    row.
    """
    when = table.schema.only("time")
    dates = [column for column in table.schema.features if kind_of(column.kind).storage == "moment"]
    if when is None and len(dates) == 1:
        when = dates[0]
    if when is None:
        return folds(codes, 3, seed)
    place = np.empty(len(codes), dtype=np.int64)
    place[table[when.name].arg_sort().to_numpy()] = np.arange(len(codes))
    part = place * _BLOCKS // len(codes) % 3
    return [(np.flatnonzero(part != i), np.flatnonzero(part == i)) for i in range(3)]


def influence(codes: Ints, score: Floats) -> Floats:
    """(n,) what each row adds to the error of ``auc``; the sum of squares is its variance (DeLong et al. 1988)."""
    sizes = np.bincount(codes, minlength=score.shape[1])
    present = np.flatnonzero((sizes > 0) & (sizes < len(codes)))
    if score.shape[1] == 2:
        return _influence(codes == 1, score[:, 1]) if len(present) else np.zeros(len(codes))
    weights = sizes[present] / max(1, sizes[present].sum())
    total = np.zeros(len(codes))
    for c, weight in zip(present, weights, strict=True):
        total += weight * _influence(codes == c, score[:, c])
    return total


def _influence(positive: NDArray[np.bool_], score: Floats) -> Floats:
    """(n,) for one class against the rest; unlike ``roc_auc_effect`` it is finite for a class of one row."""
    hits = np.count_nonzero(positive)
    effect: Floats = placements(positive, score) / np.where(positive, hits, len(positive) - hits)
    return effect
