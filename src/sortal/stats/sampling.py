"""How a score varies from sample to sample: five plain descriptions, each with its closed form in
``evaluate.intervals``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Codes, Floats, Mask


@dataclass(frozen=True)
class Rates:
    """The mean of m shares of successes, or of F1 = 2 s / (1 + s) of each share s.

    ``pairs``: for each share an (n,) mask of the rows that are its trials, and of those that are its
    successes.
    """

    pairs: Sequence[tuple[Mask, Mask]]
    f1: bool = False

    @property
    def trials(self) -> Floats:
        return np.array([np.count_nonzero(trial) for trial, _ in self.pairs], dtype=np.float64)

    @property
    def shares(self) -> Floats:
        """(m,) shares of successes; 0 of no trials."""
        hits = np.array([np.count_nonzero(success) for _, success in self.pairs], dtype=np.float64)
        return hits / np.maximum(self.trials, 1)

    @property
    def scores(self) -> Floats:
        """(m,) figures whose mean is the score."""
        return 2 * self.shares / (1 + self.shares) if self.f1 else self.shares


@dataclass(frozen=True)
class Mean:
    """The mean of ``values`` (n,), each of which lies between ``low`` and ``high``."""

    values: Floats
    low: float
    high: float


@dataclass(frozen=True)
class Influence:
    """``effect`` (n,): what each row adds to the score's deviation; their squares sum to its variance.

    ``evidence``: rows of the rarest class, on which a perfect score rests.
    """

    effect: Floats
    evidence: int


@dataclass(frozen=True)
class CalibrationBins:
    """The root of the debiased mean square, over ``bin`` (n,), of the mean ``deviation`` (n,) in each."""

    bin: Codes
    deviation: Floats


@dataclass(frozen=True)
class CountCells:
    """A score that is the best over something counted, such as thresholds.

    Such a score is optimistic, and with few positive rows its interval still reaches too little below it.
    ``score`` takes counts (R, size) of the cells that the rows fall in, ``cell`` (n,), and gives (R,) scores.
    """

    cell: Codes
    size: int
    score: Callable[[NDArray[np.int64]], Floats]


Sampling = Rates | Mean | Influence | CalibrationBins | CountCells
