"""Rows that are mostly zero, as the numbers that are not: what texts become (compressed sparse rows, CSR)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats, Ints

AT_ONCE = 2**20
"""Products that ``times`` has in memory at the same time: eight megabytes."""


@dataclass(frozen=True, eq=False)
class Sparse:
    """(n, ``width``) numbers. Row i has ``value[j]`` in column ``index[j]`` for ``start[i] <= j < start[i + 1]``, in
    ascending columns; all others are zero.

    >>> Sparse(np.array([0, 1, 1]), np.array([2]), np.array([5.0]), width=3).dense()
    array([[0., 0., 5.],
           [0., 0., 0.]])
    """

    start: Ints
    index: NDArray[np.integer[Any]]
    value: Floats
    width: int

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def nbytes(self) -> int:
        return self.start.nbytes + self.index.nbytes + self.value.nbytes

    def take(self, rows: Ints) -> Sparse:
        """The rows at these positions, in that order."""
        lengths = np.diff(self.start)[rows]
        start = np.concatenate([[0], np.cumsum(lengths)])
        at = np.repeat(self.start[rows] - start[:-1], lengths) + np.arange(start[-1])
        return Sparse(start, self.index[at], self.value[at], self.width)

    def above(self, below: Sparse) -> Sparse:
        """These rows, then those."""
        return above([self, below])

    def dense(self) -> Floats:
        """The same numbers, zeros included."""
        full = np.zeros((len(self), self.width))
        full[self.rows, self.index] = self.value
        return full

    @property
    def rows(self) -> Ints:
        """(nonzero,) the row of each number."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def times(self, weight: Floats) -> Floats:
        """(n, k) product with ``weight`` (width, k). A row gets the same sums alone and among others."""
        n, k = len(self), weight.shape[1]
        product = np.zeros((n, k))
        first = 0
        while first < n:
            until = max(int(np.searchsorted(self.start, self.start[first] + AT_ONCE // k, side="right")) - 1, first + 1)
            low, high = self.start[first], self.start[until]
            terms = weight[self.index[low:high]]
            terms *= self.value[low:high, None]
            nonempty = first + np.flatnonzero(np.diff(self.start[first : until + 1]))
            if len(nonempty):
                product[nonempty] = np.add.reduceat(terms, self.start[nonempty] - low, axis=0)
            first = until
        return product


def of_dense(x: Floats) -> Sparse:
    """An array, of which the zeros are left out; what is missing is not."""
    row, column = np.nonzero(x)
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(x)))])
    return Sparse(start, column, x[row, column], x.shape[1])


def above(parts: Sequence[Sparse]) -> Sparse:
    """The rows of all parts, one after another."""
    ends = np.cumsum([0, *(part.start[-1] for part in parts)])
    starts = [part.start[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return Sparse(
        np.concatenate([*starts, ends[-1:]]),
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.value for part in parts]),
        parts[0].width,
    )


def beside(parts: Sequence[Sparse | Floats]) -> Sparse:
    """The columns of all parts, side by side."""
    blocks = [part if isinstance(part, Sparse) else of_dense(part) for part in parts]
    shifts = np.cumsum([0, *(block.width for block in blocks)])
    lengths = np.sum([np.diff(block.start) for block in blocks], axis=0)
    start = np.concatenate([[0], np.cumsum(lengths)])
    index, value = np.empty(start[-1], dtype=np.int64), np.empty(start[-1])
    offsets = start[:-1].copy()
    for block, shift in zip(blocks, shifts, strict=False):
        own = np.diff(block.start)
        at = np.repeat(offsets - block.start[:-1], own) + np.arange(block.start[-1])
        index[at], value[at] = block.index + shift, block.value
        offsets += own
    return Sparse(start, index, value, int(shifts[-1]))
