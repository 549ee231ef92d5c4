"""The waist of the hourglass: probabilities for known rows, and nothing about how they came to be.

Metrics, intervals, calibration, thresholds and the report read this and know nothing of kinds or families.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.thresholds import descending

Part = Literal["out-of-fold", "valid", "nested", "test", "fresh"]
OFF_ONE = 1e-6
"""How far the probabilities of a row may be from summing to one: what float32 loses in a sum of many classes."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities of ``n`` rows for ``K`` classes.

    ``rows``: (n,) row ids in the source table. ``truth``: (n,) class codes 0..K-1. ``probability``: (n, K), rows sum to
    1, columns in the order of ``classes``. ``part`` says which rows of the data these are. ``row_costs``: (n, m) what
    the task's cost columns hold in these rows; None where it has none. ``groups``: (n,) ids of rows that vary together,
    such as those of one patient; None where every row stands alone. ``drawn_from``: (K,) rows of each class in the
    table that these are a stratified part of; None where rows came one by one, as some of such a part do. All that is
    told of the rows with an interval takes it from here.
    """

    classes: tuple[str, ...]
    rows: NDArray[np.int64]
    truth: NDArray[np.int64]
    probability: NDArray[np.float64]
    part: Part
    row_costs: NDArray[np.float64] | None = None
    groups: NDArray[np.int64] | None = None
    drawn_from: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        n, k = len(self.rows), len(self.classes)
        if self.truth.shape != (n,) or self.probability.shape != (n, k):
            raise ValueError(
                f"shapes differ: rows {n}, truth {self.truth.shape}, probability {self.probability.shape}, {k} classes"
            )
        if self.groups is not None and self.groups.shape != (n,):
            raise ValueError(f"{n} rows, but groups of shape {self.groups.shape}")
        if self.drawn_from is not None and self.drawn_from.shape != (k,):
            raise ValueError(f"{k} classes, but rows of classes of shape {self.drawn_from.shape}")
        if n and not (np.isfinite(self.probability).all() and np.abs(self.probability.sum(axis=1) - 1).max() < OFF_ONE):
            raise ValueError("probabilities must be finite and sum to one")
        if n and not (self.truth.min() >= 0 and self.truth.max() < k):
            raise ValueError(f"class codes must lie in 0..{k - 1}")

    def __len__(self) -> int:
        return len(self.rows)

    def descending(self, code: int) -> NDArray[np.int64]:
        """(n,) rows from the highest probability of a class to the lowest: the one sorting that all its rankings
        share.
        """
        if code not in self._orders:
            self._orders[code] = descending(self.probability[:, code])
        return self._orders[code]

    @cached_property
    def _orders(self) -> dict[int, NDArray[np.int64]]:
        return {}

    def take(self, index: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Predictions:
        """Those of some rows, by position or mask, in this order."""
        return replace(
            self,
            rows=self.rows[index],
            truth=self.truth[index],
            probability=self.probability[index],
            row_costs=None if self.row_costs is None else self.row_costs[index],
            groups=None if self.groups is None else self.groups[index],
            drawn_from=None,
        )

    @cached_property
    def clusters(self) -> NDArray[np.int64] | None:
        """(n,) the groups, counted from 0 on; None where every row stands alone."""
        return None if self.groups is None else np.unique(self.groups, return_inverse=True)[1].astype(np.int64)

    def one_a_group(self, seed: int) -> Predictions:
        """One row of each group, drawn by ``seed``: rows that do not vary together. All of them where there are no
        groups.

        Dunn, Wasserman & Ramdas (2023), "Distribution-Free Prediction Sets for Two-Layer Hierarchical Models", section
        3.
        """
        if self.groups is None:
            return self
        order = np.random.default_rng(seed).permutation(len(self))
        _, first = np.unique(self.groups[order], return_index=True)
        return self.take(np.sort(order[first]))


def weighted_mean(weights: Iterable[float | Floats], probabilities: Iterable[Floats]) -> Floats:
    """(n, K) the mean of what several models say of the same rows, by weights that sum to one: numbers, or (n, 1) of
    each row. By its last bit a mean of ones can be more than one, which no probability is.

    >>> weighted_mean([0.25, 0.75], [np.array([[1.0, 0.0]]), np.array([[0.6, 0.4]])])
    array([[0.7, 0.3]])
    """
    return np.minimum(sum(w * p for w, p in zip(weights, probabilities, strict=True)), 1.0)
