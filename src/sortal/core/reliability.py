"""How far the probabilities of a class can be believed: what they said of rows that the model never saw, and what came.

A reliability diagram as numbers: rows in bins of their probability, with the sum of the probabilities and how many were
of the class. The edges lie on one grid of log-odds, so that none of them is the probability of a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Codes, Floats

GRID: Floats = 1 / (1 + np.exp(-np.arange(-10, 10.25, 0.25)))
"""Between which cells of probabilities lie: steps of a fourth of log-odds, from 1 in 20,000 to all but that."""
BINS, LEAST = 10, 20
"""At most so many bins, the usual number of a reliability diagram, of so many rows each at least."""


@dataclass(frozen=True)
class Reliability:
    """Of one class, in bins from low to high: ``edges`` between them, ``rows``, ``said``, the sum of the probabilities,
    and ``came``, how many were of the class.

    ``wander``: by how much the share of a bin moves between times or groups of the test, beyond chance (a standard
    deviation); 0 where rows stand alone and in no order.
    """

    edges: tuple[float, ...]
    rows: tuple[int, ...]
    said: tuple[float, ...]
    came: tuple[int, ...]
    wander: float = 0.0

    @classmethod
    def of(
        cls, probability: Floats, hit: NDArray[np.bool_], blocks: Codes | None = None, least: int = 1
    ) -> Reliability:
        """``probability``: (n,) of the class, ``hit``: (n,) whether a row is of it. ``blocks``: (n,) times or groups,
        counted from 0. No bin has fewer rows than ``least``.
        """
        edges = _edges(probability, max(LEAST, least))
        bins = np.searchsorted(edges, probability, side="right")
        rows, hits = (np.bincount(bins[part], minlength=len(edges) + 1) for part in (slice(None), hit))
        probability_sum = np.bincount(bins, weights=probability, minlength=len(edges) + 1)
        wander = 0.0 if blocks is None else _wander(probability, hit, bins, blocks)
        return cls(
            tuple(edges.tolist()), tuple(rows.tolist()), tuple(probability_sum.tolist()), tuple(hits.tolist()), wander
        )

    def bins(self, probability: Floats) -> Codes:
        """(n,) the bin of each probability."""
        return np.searchsorted(self.edges, probability, side="right")

    @property
    def gaps(self) -> Floats:
        """(bins,) by how much the share of the class exceeded its probability."""
        return np.asarray((np.array(self.came) - np.array(self.said)) / np.array(self.rows))

    @property
    def variances(self) -> Floats:
        """(bins,) of the gaps, by chance alone. Half a row of each kind is added (Jeffreys), as none of 50 is not
        never.
        """
        rows = np.array(self.rows, dtype=np.float64)
        share = (np.array(self.came) + 0.5) / (rows + 1)
        return np.asarray(share * (1 - share) / rows)


def cells(probability: Floats) -> Codes:
    """(n,) where probabilities lie on the grid."""
    return np.searchsorted(GRID, probability, side="right")


def _edges(probability: Floats, least: int) -> Floats:
    """Cells of the grid, put together from below until each bin has its share of the rows; the last takes what is
    left.
    """
    counts, n = np.bincount(cells(probability), minlength=len(GRID) + 1), len(probability)
    enough = max(least, n / BINS)
    edges: list[float] = []
    filled, rows_left = 0, n
    for edge, count in zip(GRID.tolist(), counts.tolist(), strict=False):
        filled += count
        rows_left -= count
        if filled >= enough and rows_left >= least:
            edges.append(edge)
            filled = 0
    return np.array(edges)


def _wander(probability: Floats, hit: NDArray[np.bool_], bins: Codes, blocks: Codes) -> float:
    """Squares of what came less what was said, in each bin of each block, beyond those of chance, a row each (by
    moments, as DerSimonian & Laird 1986 do between studies).
    """
    _, cell = np.unique(bins * (int(blocks.max()) + 1) + blocks, return_inverse=True)
    rows = np.bincount(cell).astype(np.float64)
    missed = np.bincount(cell, weights=hit - probability)
    chance = np.bincount(cell, weights=probability * (1 - probability))
    return float(np.sqrt(max((missed**2 - chance).sum(), 0.0) / (rows**2).sum()))
