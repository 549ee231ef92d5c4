"""What columns tell of the class on some training rows, by ranks: alone, and beyond the two that they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Codes, Floats, Ints

MOST_NUMBERS, MOST_GROUPS = 12, 12
"""Parents at most, those that tell most of the class: 66 pairs of numbers, and 144 of a number and a group."""
MOST_CLASSES = 10
"""Classes that are looked at, the most frequent ones."""
BINS, PARTS, PRIOR_ROWS = 10, 5, 10.0
"""What a parent tells by itself: the class shares of its bins or levels, learned without the fifth of the rows that a
row belongs to, and with so many rows of the overall shares. In what boosters are given (``prepare.levels``) one row in
the place of ten costs amazon_employee_access .004 of log-loss."""
NOTHING_LEFT = 0.05
"""Of the length of a column, what is taken for rounding and ties where its parents are taken off."""


@dataclass(frozen=True)
class Sample:
    """``X``: (s, d) rows in random order. ``numbers``, ``groups``: the columns that tell most of the class.

    ``classes``: (s, k) whether a row is of a class. By column, ``ranks`` (s,) of a number, and ``shares`` (s, k), the
    ranks of what it tells by itself of each class. All these are centred and of length one.
    """

    X: Floats
    numbers: tuple[int, ...]
    groups: tuple[int, ...]
    classes: Floats
    ranks: dict[int, Floats]
    shares: dict[int, Floats]

    def beyond(self, ranks: Floats, *parents: int) -> Floats:
        """(m,) how many standard errors the partial correlation of columns with a class is from none, of the class
        where it is most, when what the parents tell is taken off. ``ranks``: (s, m) of the columns.
        """
        t = np.zeros(ranks.shape[1])
        for k in range(self.classes.shape[1]):
            known_ranks = [self.shares[p][:, k] for p in parents] + [self.ranks[p] for p in parents if p in self.ranks]
            t = np.maximum(t, _t_values(ranks, np.column_stack(known_ranks), self.classes[:, [k]])[:, 0])
        return t


def beyond(columns: Floats, others: Floats, classes: Floats) -> float:
    """The same of (s, m) columns beyond (s, q) others, of (s, k) classes: the most of any of both."""
    return float(_t_values(*map(_of_length_one, (columns, others, classes))).max())


def _t_values(columns: Floats, others: Floats, truth: Floats) -> Floats:
    """(m, k) of the partial correlations of (s, m) columns with (s, k), without (s, q) others; all centred."""
    basis = _basis(others)
    columns, truth = (values - basis @ (basis.T @ values) for values in (columns, truth))
    length, height = (np.sqrt((values**2).sum(axis=0)) for values in (columns, truth))
    norms = np.outer(np.where(length > NOTHING_LEFT, length, 0.0), height)
    r = np.divide(columns.T @ truth, norms, out=np.zeros_like(norms), where=norms > 0)
    freedom = len(columns) - basis.shape[1] - 2
    return np.asarray(np.abs(r) * np.sqrt(freedom / np.maximum(1 - r**2, 1e-9)))


def tenths(x: Floats, y: Codes) -> Floats:
    """(s, K) class shares of the tenth of the rows that a number is in, as the other parts of the rows have them."""
    return _shares(_bins(x), y)


def sampled(X: Floats, numeric: Ints, categorical: Ints, y: Codes) -> Sample:
    """What the columns ``numeric`` (quantities) and ``categorical`` (codes 0, 1, ...) of some rows in random order tell
    of their classes. A quantity of only 0 and 1 is a code.
    """
    distinct = {int(j): np.unique(X[~np.isnan(X[:, j]), j]) for j in (*numeric, *categorical)}
    numbers = [int(j) for j in numeric if len(distinct[int(j)]) > 2]
    groups = [int(j) for j in numeric if np.array_equal(distinct[int(j)], [0, 1])]
    groups += [int(j) for j in categorical if len(distinct[int(j)]) > 1]
    y = _by_frequency(y)
    class_slice = slice(1, 2) if y.max() == 1 else slice(MOST_CLASSES)
    classes = _of_length_one((y[:, None] == np.arange(y.max() + 1)).astype(np.float64)[:, class_slice])
    shares = {j: ranked(_shares(_bins(X[:, j]), y)[:, class_slice]) for j in numbers}
    shares |= {j: ranked(_shares(_levels(X[:, j]), y)[:, class_slice]) for j in groups}
    strength = {j: np.abs((share * classes).sum(axis=0)).max(initial=0.0) for j, share in shares.items()}
    numbers = sorted(numbers, key=lambda j: -strength[j])[:MOST_NUMBERS]
    groups = sorted(groups, key=lambda j: -strength[j])[:MOST_GROUPS]
    ranks = {j: ranked(X[:, [j]])[:, 0] for j in numbers}
    return Sample(X, tuple(numbers), tuple(groups), classes, ranks, shares)


def ranked(values: Floats) -> Floats:
    """(s, m) ranks by column, ties shared, centred and of length one; 0 where a value is missing.

    >>> ranked(np.array([[1.0], [5.0], [np.nan], [9.0]])).round(2).ravel()
    array([-0.71,  0.  ,  0.  ,  0.71])
    """
    out = np.zeros(values.shape)
    for column, ranks in zip(values.T, out.T, strict=True):
        finite = ~np.isnan(column)
        if finite.any():
            _, place, count = np.unique(column[finite], return_inverse=True, return_counts=True)
            ranks[finite] = (np.cumsum(count) - (count - 1) / 2)[place]
            ranks[finite] -= ranks[finite].mean()
    return _scaled(out)


def _by_frequency(y: Codes) -> Codes:
    """Classes numbered from the most frequent one; those after ``MOST_CLASSES`` are one.

    >>> _by_frequency(np.array([7, 3, 3, 9, 3, 7]))
    array([1, 0, 0, 2, 0, 1])
    """
    _, y, counts = np.unique(y, return_inverse=True, return_counts=True)
    place = np.argsort(np.argsort(-counts, kind="stable"))
    return np.minimum(place[y], MOST_CLASSES)


def _of_length_one(values: Floats) -> Floats:
    return _scaled(values - values.mean(axis=0))


def _scaled(values: Floats) -> Floats:
    """Columns of length one; what is constant stays zero."""
    length = np.sqrt((values**2).sum(axis=0))
    return np.asarray(values / np.where(length > 0, length, 1.0))


def _basis(columns: Floats) -> Floats:
    """(s, q) an orthonormal basis of centred columns."""
    q, r = np.linalg.qr(columns)
    return np.asarray(q[:, np.abs(np.diag(r)) > 1e-6])


def _bins(x: Floats) -> Codes:
    """Tenths of the rows by their values, and a bin of the missing ones."""
    finite = x[~np.isnan(x)]
    edges = np.unique(np.quantile(finite, np.arange(1, BINS) / BINS))
    return np.where(np.isnan(x), BINS, np.searchsorted(edges, x, side="right"))


def _levels(x: Floats) -> Codes:
    return np.where(np.isnan(x), np.nanmax(x) + 1, x).astype(np.int64)


def _shares(code: Codes, y: Codes) -> Floats:
    """(s, K) class shares of each row's bin or level, as the other parts of the rows have them."""
    part = np.arange(len(y)) % PARTS
    counts = rows_by_part(code, y, part, int(code.max()) + 1, int(y.max()) + 1)
    others = counts.sum(axis=1, keepdims=True) - counts
    overall = others.sum(axis=0) / others.sum(axis=(0, 2))[:, None]
    shares = (others + PRIOR_ROWS * overall) / (others.sum(axis=2, keepdims=True) + PRIOR_ROWS)
    return np.asarray(shares[code, part])


def rows_by_part(code: Codes, y: Codes, part: Codes, levels: int, classes: int) -> Ints:
    """(levels, ``PARTS``, classes) how many rows are of a level, a part and a class."""
    counts = np.bincount((code * PARTS + part) * classes + y, minlength=levels * PARTS * classes)
    return counts.reshape(levels, PARTS, classes)
