"""How a score varies from sample to sample: five plain descriptions, each with its closed form in
``evaluate.intervals``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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

    @property
    def weights(self) -> Floats:
        """(m,) by how much each figure moves, to the first order, with a success more."""
        slope = 2 / (1 + self.shares) ** 2 if self.f1 else 1.0
        return slope / np.maximum(self.trials, 1)

    @property
    def effect(self) -> Floats:
        """(n,) what each row adds, to the first order, to the sum of the figures."""
        effect = np.zeros(len(self.pairs[0][0]))
        for (trial, success), share, weight in zip(self.pairs, self.shares, self.weights, strict=True):
            effect += weight * (success - share * trial)
        return effect


@dataclass(frozen=True)
class Mean:
    """The mean of ``values`` (n,). A fresh row may have what none of these has, from ``low`` to ``high``; infinite
    where that is not known. ``guessed_range``: that is as far as these rows tell, and no bound of any row.
    """

    values: Floats
    low: float = -np.inf
    high: float = np.inf
    guessed_range: bool = False

    @classmethod
    def within(cls, values: Floats, least: float | Floats, most: float | Floats) -> Mean:
        """Of values each of which could have been from ``least`` to ``most``, one for all rows or (n,).

        What a fresh row may have follows from how far each row could have gone: the mean, where far ones count by how
        far they go, as they do in the variance of events that strike now and then (a compound Poisson's).

        >>> Mean.within(np.zeros(4), 0.0, 8.0).high, Mean.within(np.zeros(4), 0.0, np.array([1.0, 1.0, 1.0, 3.0])).high
        (8.0, 2.0)
        """
        mean = float(values.mean()) if len(values) else 0.0
        down, up = (_farther(np.broadcast_to(x, values.shape)) for x in (values - least, most - values))
        low, high = max(mean - down, float(np.min(least))), min(mean + up, float(np.max(most)))
        low, high = min(low, float(values.min(initial=low))), max(high, float(values.max(initial=high)))
        return cls(values, low, high, guessed_range=np.ndim(least) + np.ndim(most) > 0)


@dataclass(frozen=True)
class Spread:
    """Values around a mean: (L,) ``value``, of which ``count`` rows each have one. ``low`` and ``high``: as of a
    ``Mean``.
    """

    value: Floats
    count: Floats
    low: float
    high: float

    @classmethod
    def around(cls, figure: float, effect: Floats, chance: float) -> Spread:
        """What each row of a class adds to a figure of 0 to 1, in its unit, from the ``effect`` of each on it.

        ``chance``: what a row may add that the model does not recognise, though it recognises all of these; above it
        where the figure is worse than that.
        """
        m = len(effect)
        value, count = np.unique(
            figure + np.sqrt(m * (m - 1)) * (effect - effect.sum() / max(m, 1)), return_counts=True
        )
        low, high = (chance, 1.0) if figure >= chance else (0.0, 1 - chance)
        return cls(value, count.astype(np.float64), low, high)

    @property
    def rows(self) -> float:
        return float(self.count.sum())

    @property
    def variance(self) -> float:
        """Of the mean; 0 of a single row, which says nothing of it."""
        mean = float(self.count @ self.value) / max(self.rows, 1)
        return float(self.count @ (self.value - mean) ** 2) / max(self.rows * (self.rows - 1), 1)


@dataclass(frozen=True)
class Influence:
    """The mean of figures of rankings, of one class each against the rest.

    ``effect`` (n,): what each row adds to the score's deviation; their squares sum to its variance. ``expected`` (n,):
    in proportion to the square that is expected of rows like it. ``figures``: of each class its own figure, as it is
    expected of fresh rows, and around it the values of the rows of the class, and those of the others; and of all rows
    where it matters how many are of the class. It is the mean of each, and varies with each.
    """

    effect: Floats
    expected: Floats
    figures: Sequence[tuple[float, Sequence[Spread]]]


@dataclass(frozen=True)
class CalibrationBins:
    """The root of the debiased mean square, over ``bin`` (n,), of the mean ``deviation`` (n,) in each."""

    bin: Codes
    deviation: Floats


@dataclass(frozen=True)
class BestCut:
    """The largest recall of a cut through a ranking that has this ``precision`` at least.

    ``positive``: (n,) mask. ``cut``: (n,) the number of the strictest cut that each row is above, from 0 on.
    """

    positive: Mask
    cut: Codes
    precision: float

    @property
    def counts(self) -> tuple[Floats, Floats]:
        """(m,) positives and rows above each cut."""
        hits = np.bincount(self.cut, weights=self.positive).cumsum()
        return hits, np.bincount(self.cut).cumsum().astype(np.float64)

    def shares(self, number: int) -> tuple[Rates, Rates]:
        """Recall and precision of one cut."""
        above = self.cut <= number
        hit = self.positive & above
        return Rates([(self.positive, hit)]), Rates([(above, hit)])


def _farther(room: Floats) -> float:
    """The mean of distances, each counted by its size."""
    total = float(room.sum())
    return float(room @ room) / total if total > 0 else 0.0


Sampling = Rates | Mean | Influence | CalibrationBins | BestCut
