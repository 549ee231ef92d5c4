"""The waist of the hourglass: probabilities for known rows, and nothing about how they came to be.

Metrics, intervals, calibration, thresholds and the report read this and know nothing of kinds or families.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.sweep import descending

Part = Literal["out-of-fold", "valid", "test", "fresh"]


@dataclass(frozen=True)
class Predictions:
    """Probabilities of ``n`` rows for ``K`` classes.

    ``rows``: (n,) row ids in the source table. ``truth``: (n,) class codes 0..K-1. ``probability``: (n, K), rows sum
    to 1, columns in the order of ``classes``. ``part`` says which rows of the data these are. ``amounts``: (n, m) what the
    task's cost columns hold in these rows; None where it has none.
    """

    classes: tuple[str, ...]
    rows: NDArray[np.int64]
    truth: NDArray[np.int64]
    probability: NDArray[np.float64]
    part: Part
    amounts: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n, k = len(self.rows), len(self.classes)
        if self.truth.shape != (n,) or self.probability.shape != (n, k):
            raise ValueError(
                f"shapes differ: rows {n}, truth {self.truth.shape}, probability {self.probability.shape}, {k} classes"
            )
        if n and not (np.isfinite(self.probability).all() and np.abs(self.probability.sum(axis=1) - 1).max() < 1e-6):
            raise ValueError("probabilities must be finite and sum to one")
        if n and not (self.truth.min() >= 0 and self.truth.max() < k):
            raise ValueError(f"class codes must lie in 0..{k - 1}")

    def __len__(self) -> int:
        return len(self.rows)

    def descending(self, code: int) -> NDArray[np.int64]:
        """(n,) rows from the highest probability of a class to the lowest: the one sorting that all its rankings share."""
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
            amounts=None if self.amounts is None else self.amounts[index],
        )
