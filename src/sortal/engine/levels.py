"""The op ``levels``: what is known of a value that comes again, or of a pair of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.engine.limits import CALL, Cost
from sortal.engine.program import Program
from sortal.engine.step import One, Step, count, fail, floats, indices


@dataclass(frozen=True)
class _Key:
    """Two columns, and the pairs of values that have a row of their own: numbers ``u[i]`` and ``v[j]`` do where ``i *
    len(v) + j`` is in ``codes``, ascending. The first of these rows is ``start``; ``other`` is that of all other pairs.
    """

    left: int
    right: int
    u: Floats
    v: Floats
    codes: Codes
    start: int
    other: int

    def rows(self, x: Floats) -> Codes:
        """(n,) rows of the table for (n, d) columns."""
        if not len(self.codes):
            return np.full(len(x), self.other)
        (i, is_first), (j, is_second) = _places(self.u, x[:, self.left]), _places(self.v, x[:, self.right])
        at, is_pair = _places(self.codes, i * len(self.v) + j)
        return np.where(is_first & is_second & is_pair, self.start + at, self.other)


def step(program: Program) -> Step:
    """The columns, and then for each key ``left``, ``right`` the figures of its level: a row of ``table``.

    The levels of a key are pairs of numbers ``first``, ``second``, in ascending order; they end before ``stop``. A key
    of one column has it twice. After the rows of all levels, ``table`` has one for each key: that of whatever is no
    such pair, missing among it.
    """
    d = count(program, "columns", 1)
    left = indices(program, "left", d)
    m = len(left)
    right = indices(program, "right", d, m)
    first = floats(program, "first", (None,))
    second = floats(program, "second", (len(first),))
    stop = indices(program, "stop", len(first) + 1, m)
    table = floats(program, "table", (len(first) + m, None))
    start = np.concatenate([np.zeros(1, dtype=np.intp), stop])[:-1]
    if (m and stop[-1] != len(first)) or (start > stop).any() or (not m and len(first)):
        raise fail("levels", "array 'stop' does not part the levels among the keys")
    keys = []
    for k in range(m):
        at = slice(start[k], stop[k])
        u, i = np.unique(first[at], return_inverse=True)
        v, j = np.unique(second[at], return_inverse=True)
        codes = i * len(v) + j
        if (np.diff(codes) <= 0).any():
            raise fail("levels", "arrays 'first' and 'second' are not in ascending order")
        keys.append(_Key(int(left[k]), int(right[k]), u, v, codes, int(start[k]), len(first) + k))
    width = table.shape[1]

    def run(x: Floats) -> Floats:
        out = np.empty((len(x), d + m * width))
        out[:, :d] = x
        for k, key in enumerate(keys):
            out[:, d + k * width : d + (k + 1) * width] = table[key.rows(x)]
        return out

    cost = Cost(40 * CALL * (m + 1), 4 * d + (100 + 4 * width) * m, 16 * d + (120 + 24 * width) * m)
    return Step("levels", run, d + m * width, cost, inputs=d, one=_one(keys, first, second, table))


def _one(keys: list[_Key], first: Floats, second: Floats, table: Floats) -> One:
    """A row alone looks its pairs up in dictionaries, which are made for the first one."""

    @cache
    def figures() -> list[tuple[int, int, dict[tuple[float, float], list[float]], list[float]]]:
        rows, pairs = table.tolist(), list(zip(first.tolist(), second.tolist(), strict=True))
        slices = [slice(key.start, key.start + len(key.codes)) for key in keys]
        return [
            (key.left, key.right, dict(zip(pairs[at], rows[at], strict=True)), rows[key.other])
            for key, at in zip(keys, slices, strict=True)
        ]

    def one(row: list[float]) -> list[float]:
        out = list(row)
        for left, right, by_pair, other in figures():
            out += by_pair.get((row[left], row[right]), other)
        return out

    return one


def _places(ascending: Floats | Codes, x: Floats | Codes) -> tuple[Codes, Codes]:
    """(n,) where each number stands among these, or might, and whether it does."""
    at = np.minimum(np.searchsorted(ascending, x), len(ascending) - 1)
    return at, ascending[at] == x
