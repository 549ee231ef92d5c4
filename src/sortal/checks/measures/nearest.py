"""How near rows are to each other, and how near rows are that never were: the geometry behind near-copies (A204)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.arrays import Ints
from sortal.core.kinds import kind_of
from sortal.core.table import Table

Floats = NDArray[np.float32]

NEIGHBOURS = 10
"""Chosen, not measured: the distance to the tenth is a steady measure of how dense rows lie."""
NEAR = 0.05
"""Of the distance to the tenth neighbour. With it 56 of 56 and 100 of 105 planted rows are found (decision 0017)."""
_CANDIDATES = 24
"""For speed: more than twice the neighbours, since squared distances order rows a little differently."""
_FARTHEST = 5.0
"""Spreads from the middle. Chosen, not measured: an outlier must not outweigh all other columns."""
_FIRST_LOOK = 20_000
"""Rows that tell quantiles, for speed: to less than .01 of the rows."""
_CELLS = 6_000_000
"""Rows times columns, for speed: 24 MB in 32 bits."""
_PAIRS = 10_000_000
"""Distances, for speed: A204 takes 2 s of a million rows (docs/benchmarks.md)."""
_LEAST_QUERIES = 300
"""Rows that are asked. Chosen, not measured: 1 % of them is three rows, and fewer could not be told from none."""
_MOST_QUERIES = 1_200
"""Rows that are asked, for speed: they tell a share of 5 % to .006."""
_BLOCK = 8_000_000
"""Distances at a time, for memory: 32 MB in 32 bits."""


@dataclass(frozen=True)
class Near:
    """Near-copies among ``n_queries`` rows that were compared with ``compared`` others.

    ``row`` and ``partner`` (m,): positions of near-copies and of the rows they repeat. ``expected``: how many there are
    by chance.
    """

    row: Ints
    partner: Ints
    n_queries: int
    compared: int
    expected: int


@dataclass(frozen=True)
class Points:
    """Rows as points: ``numbers`` (n, d) on a common scale, ``levels`` (n, c) that are the same or are not."""

    numbers: Floats
    levels: Ints

    def take(self, index: Ints) -> Points:
        return Points(self.numbers[index], self.levels[index])

    def scattered(self) -> Floats:
        """(n, d + c) in which each level is a random point, for a quick first guess."""
        most = int(self.levels.max(initial=0))
        place = np.random.default_rng(0).random((most + 1, self.levels.shape[1]), dtype=np.float32)
        return np.column_stack([self.numbers, np.take_along_axis(place, self.levels, axis=0)])

    def __len__(self) -> int:
        return len(self.numbers)


def points(table: Table, rows: Ints) -> Points:
    """Numbers and dates by their place in the distribution, 0 to 1 (missing is -1); categories as levels."""
    numbers, levels = [], []
    for column in table.schema.features:
        values = table[column.name][rows]
        kind = kind_of(column.kind)
        if kind.storage in ("number", "moment"):
            numbers.append(_places(values))
        elif kind.storage == "boolean" or kind.categorical:
            levels.append(values.rank("dense").fill_null(0).to_numpy().astype(np.int64))
    empty = np.empty((len(rows), 0))
    return Points(
        np.column_stack([empty, *numbers]).astype(np.float32), np.column_stack([empty, *levels]).astype(np.int64)
    )


def _places(values: pl.Series) -> NDArray[np.float64]:
    """(n,) numbers in units of their spread between the 5th and the 95th percentile."""
    if isinstance(values.dtype, pl.Datetime):
        values = values.dt.epoch("us")
    numbers = values.cast(pl.Float64).to_numpy()
    finite = np.isfinite(numbers)
    if not finite.any():
        return np.zeros(len(numbers))
    sample = numbers[finite][:: max(1, int(finite.sum()) // _FIRST_LOOK)]
    low, middle, high = np.quantile(sample, [0.05, 0.5, 0.95])
    spread = (high - low) or np.ptp(sample) or 1.0
    return np.where(finite, np.clip((numbers - middle) / spread, -_FARTHEST, _FARTHEST), _FARTHEST + 1)


def sizes(n: int, width: int) -> tuple[int, int]:
    """How many rows are asked, and with how many they are compared."""
    compared = min(n, max(1_000, _CELLS // max(1, width)))
    return min(n, int(np.clip(_PAIRS // compared, _LEAST_QUERIES, _MOST_QUERIES))), compared


def near_copies(among: Points, n_queries: int, seed: int, near: float = NEAR) -> Near:
    """Those of the first ``n_queries`` rows that are far nearer (by the factor ``near``) to some row than to their
    tenth neighbour.

    The distance of two rows is the sum of their differences in all columns. How many rows look like this by chance is
    counted on rows that never were: half of the columns of a row, and the other half of a row that resembles it in the
    first.
    """
    everything = np.arange(n_queries)
    places, distance = _nearest(among, among.take(everything), everything[:, None])
    hit = np.flatnonzero(distance[:, 0] <= near * distance[:, -1])
    mixed, parents = _mixed(among, n_queries, seed)
    chance = _nearest(among, mixed, parents)[1]
    expected = int((chance[:, 0] <= near * chance[:, -1]).sum())
    return Near(hit, places[hit, 0], n_queries, len(among), expected)


def _mixed(among: Points, n_queries: int, seed: int) -> tuple[Points, Ints]:
    """``n_queries`` rows that never were, and (n_queries, 2) the two rows each is made of."""
    rng = np.random.default_rng(seed)
    d, c = among.numbers.shape[1], among.levels.shape[1]
    first = rng.permutation(d + c) < (d + c + 1) // 2
    own = np.arange(n_queries)
    half = Points(among.numbers[:, first[:d]], among.levels[:, first[d:]])
    places = _nearest(half, half.take(own), own[:, None])[0]
    other = places[own, rng.integers(3, NEIGHBOURS, n_queries)]
    numbers = np.where(first[:d], among.numbers[own], among.numbers[other])
    levels = np.where(first[d:], among.levels[own], among.levels[other])
    return Points(numbers, levels), np.column_stack([own, other])


def _nearest(among: Points, queries: Points, but: Ints) -> tuple[Ints, NDArray[np.float64]]:
    """(q, 10) places of and distances to the rows nearest to those asked, without the rows ``but`` (q, b).

    Candidates come from a matrix product of squared distances.
    """
    cloud, probe = among.scattered(), queries.scattered()
    half = (cloud**2).sum(axis=1) / 2
    size = max(1, _BLOCK // len(cloud))
    places, distances = [], []
    for start in range(0, len(queries), size):
        block = slice(start, start + size)
        scores = half[None, :] - probe[block] @ cloud.T
        np.put_along_axis(scores, but[block], np.inf, axis=1)
        candidates = np.argpartition(scores, _CANDIDATES, axis=1)[:, :_CANDIDATES]
        distance = np.abs(queries.numbers[block][:, None] - among.numbers[candidates]).sum(axis=2, dtype=np.float64)
        distance += (queries.levels[block][:, None] != among.levels[candidates]).sum(axis=2)
        order = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
        places.append(np.take_along_axis(candidates, order, axis=1))
        distances.append(np.take_along_axis(distance, order, axis=1))
    return np.concatenate(places), np.concatenate(distances)
