"""Columns of what is known of levels: of a value that comes again, be it a category or a number, and of pairs of them.

Of each level the shares of the classes and the number of rows, as CatBoost has them of categories (Prokhorenkova et al.
2018, section 3.2) and TabPrep of numbers, too (arXiv 2606.02384). The shares of a training row are learned without the
fifth of the rows that it belongs to. Figures: docs/decisions/0075.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from sortal.core.arrays import Codes, Floats, Ints, Mask
from sortal.engine.program import Program
from sortal.prepare.evidence import PARTS, PRIOR_ROWS, beyond, ranked, rows_by_part, tenths
from sortal.prepare.view import Labels

T = TypeVar("T")

MOST_SINGLE, MOST_PAIRS, MOST_COLUMNS = 12, 8, 60
"""Keys of one column and of two at most, and columns that are made of them: fewer keys where there are more classes."""
MANY = 30
"""A number of fewer levels is cut by a tree into all of them; only pairs with a column of more are looked at."""
REPEATED = 0.5
"""Of the rows, those whose value comes again, at least: else a column is a measurement, and its values are its own."""
MOST_LEVELS = 5_000
"""Of a key, the most frequent ones: some hundred kilobytes in a model file."""
LEAST_T = 4.5
"""Standard errors that what a key tells beyond its columns is from nothing, as in ``interactions``."""
MOST_ROWS, MOST_CELLS, LEAST_ROWS = 50_000, 5_000_000, 200
"""Rows that are looked at for the choice, fewer of wide tables, so that it takes some seconds at most; and those of
which nothing is learned."""


@dataclass(frozen=True)
class Key:
    """One column, twice, or two. ``first``, ``second``: (L,) the pairs of values that are its levels, ascending.

    ``table``: (L + 1, w) the figures of each, and at last of all other rows. ``train``: (n, w) those of the training
    rows, learned without them.
    """

    left: int
    right: int
    first: Floats
    second: Floats
    table: Floats
    train: Floats

    @property
    def parents(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((self.left, self.right)))

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """What its columns are called where the matrix has these."""
        own = " and ".join(columns[parent] for parent in self.parents)
        shares = self.table.shape[1] - 1
        classes = [1] if shares == 1 else range(shares)
        return (*(f"{own}: share of class {k}" for k in classes), f"{own}: rows")


def choose(
    matrix: Floats, numeric: Ints, categorical: Ints, labels: Labels, smallest_count: int, seed: int
) -> list[Key]:
    """The keys that tell more than their columns do, with what is known of their levels; none where nothing repeats.

    ``matrix``: (n, d) training rows, NaN is missing. ``numeric`` and ``categorical``: its columns of quantities, and of
    codes; of more than two classes only the codes. A level has ``smallest_count`` rows at least. Rows are not weighted.
    """
    if len(matrix) < LEAST_ROWS:
        return []
    if labels.n_classes > 2:
        numeric = numeric[:0]
    order = np.random.default_rng(seed).permutation(len(matrix))
    rows = order[: min(MOST_ROWS, MOST_CELLS // matrix.shape[1])]
    part = np.arange(len(rows)) % PARTS
    sample = _Learner(matrix[rows], labels.codes[rows], labels.n_classes, part, smallest_count)
    keys = _informative(sample, numeric, categorical)
    everything = _Learner(matrix, labels.codes, labels.n_classes, order % PARTS, smallest_count)
    own = {j: everything.levels(j) for j in sorted({j for key in keys for j in key})}
    return [everything.key(left, right, own) for left, right in keys]


def append(keys: list[Key], width: int) -> Program:
    """The step that appends the keys to a matrix of so many columns."""
    arrays = {
        "left": np.array([key.left for key in keys], dtype=np.int32),
        "right": np.array([key.right for key in keys], dtype=np.int32),
        "first": np.concatenate([key.first for key in keys]),
        "second": np.concatenate([key.second for key in keys]),
        "stop": np.cumsum([len(key.first) for key in keys], dtype=np.int32),
        "table": np.concatenate([*(key.table[:-1] for key in keys), *(key.table[-1:] for key in keys)]),
    }
    return Program("levels", {"columns": width}, arrays)


@dataclass(frozen=True)
class _Levels:
    """``code``: (n,) the level of each row, their number where it has none. ``first``, ``second``: (L,) pairs."""

    code: Codes
    first: Floats
    second: Floats

    def __len__(self) -> int:
        return len(self.first)

    @property
    def own(self) -> Mask:
        """(n,) whether a row has one."""
        return self.code < len(self)


@dataclass(frozen=True)
class _Learner:
    """What is learned of levels from rows with their class codes ``y`` and the ``part`` that each belongs to, (n,)."""

    matrix: Floats
    y: Codes
    n_classes: int
    part: Codes
    smallest_count: int

    def levels(self, column: int) -> _Levels:
        x = self.matrix[:, column]
        own = ~np.isnan(x)
        values, code = np.unique(x[own], return_inverse=True)
        frequent, codes = self._frequent(code, own)
        return _Levels(codes, values[frequent], values[frequent])

    def pair(self, left: _Levels, right: _Levels) -> _Levels:
        own = left.own & right.own
        pairs, code = np.unique((left.code * len(right) + right.code)[own], return_inverse=True)
        frequent, codes = self._frequent(code, own)
        first, second = np.divmod(pairs[frequent], max(len(right), 1))
        return _Levels(codes, left.first[first], right.first[second])

    def _frequent(self, code: Codes, own: Mask) -> tuple[Codes, Codes]:
        """The most frequent codes of the rows that have one, ascending, and (n,) the place among them of all rows."""
        rows = np.bincount(code)
        frequent = np.sort(np.argsort(-rows, kind="stable")[:MOST_LEVELS])
        frequent = frequent[rows[frequent] >= self.smallest_count]
        place = np.full(len(rows), len(frequent))
        place[frequent] = np.arange(len(frequent))
        places = np.full(len(own), len(frequent))
        places[own] = place[code]
        return frequent, places

    def shares(self, levels: _Levels) -> tuple[Floats, Floats]:
        """(L + 1, k) shares of the classes in each level, and (n, k) in that of each row by the other parts."""
        counts = rows_by_part(levels.code, self.y, self.part, len(levels) + 1, self.n_classes)
        whole = counts.sum(axis=1)
        prior = PRIOR_ROWS * whole.sum(axis=0) / whole.sum()
        table = (whole + prior) / (whole.sum(axis=1, keepdims=True) + PRIOR_ROWS)
        others = whole[:, None, :] - counts
        apart = (others + prior) / (others.sum(axis=2, keepdims=True) + PRIOR_ROWS)
        classes = slice(1, 2) if self.n_classes == 2 else slice(None)
        return table[:, classes], apart[levels.code, self.part][:, classes]

    def key(self, left: int, right: int, own: dict[int, _Levels]) -> Key:
        """``own``: the levels of columns, by their places."""
        levels = own[left] if left == right else self.pair(own[left], own[right])
        table, train = self.shares(levels)
        rows = np.bincount(levels.code, minlength=len(levels) + 1).astype(np.float64)
        rows[-1] = 0.0
        table, train = np.column_stack([table, rows]), np.column_stack([train, rows[levels.code]])
        return Key(left, right, levels.first, levels.second, table, train)


def _informative(sample: _Learner, numeric: Ints, categorical: Ints) -> list[tuple[int, int]]:
    """Columns that repeat, and then pairs of them; first those that tell most beyond what is known without them."""
    levels = {int(j): sample.levels(int(j)) for j in (*numeric, *categorical)}
    levels = {j: of for j, of in levels.items() if len(of) > 1 and of.own.mean() >= REPEATED}
    shares = {j: sample.shares(of)[1] for j, of in levels.items()}
    classes = (sample.y[:, None] == np.arange(sample.n_classes)).astype(np.float64)
    classes = classes[:, 1:] if sample.n_classes == 2 else classes
    most = MOST_COLUMNS // (classes.shape[1] + 1)

    def number(j: int) -> Floats:
        """What a tree soon knows of a number."""
        x = sample.matrix[:, [j]]
        return np.hstack([ranked(x), tenths(x[:, 0], sample.y)])

    nothing = np.zeros((len(classes), 0))
    strength = {j: beyond(share, nothing, classes) for j, share in shares.items()}
    single = {j: strength[j] if j in categorical else beyond(shares[j], number(j), classes) for j in shares}
    telling = [j for j in _by(single) if len(levels[j]) > (2 if j in categorical else MANY)]
    parents = sorted(sorted(shares, key=lambda j: (len(levels[j]) <= MANY, -strength[j]))[:MOST_SINGLE])
    pairs = {}
    for left, right in combinations(parents, 2):
        if max(len(levels[left]), len(levels[right])) > MANY:
            share = sample.shares(sample.pair(levels[left], levels[right]))[1]
            pairs[left, right] = beyond(share, np.hstack([shares[left], shares[right]]), classes)
    keys = [(j, j) for j in telling[: min(MOST_SINGLE, -(-most // 2))]]
    return [*keys, *_by(pairs)[: min(MOST_PAIRS, most - len(keys))]]


def _by(t_values: dict[T, float]) -> list[T]:
    """Those that tell enough, most first."""
    return [key for key, t in sorted(t_values.items(), key=lambda item: -item[1]) if t >= LEAST_T]
