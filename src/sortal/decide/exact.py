"""Exact binomial tests of precision, recall and false positive rate at thresholds of a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sortal.core.arrays import Floats, Mask
from sortal.core.predictions import Predictions
from sortal.decide.certificate import Measure


@dataclass(frozen=True)
class Constraint:
    """``rate``: the least share of successes among trials that ``level`` comes to."""

    measure: Measure
    level: float
    rate: float

    def outcome(self, counts: Counts) -> tuple[Floats, Floats]:
        """Successes and trials of the measure."""
        if self.measure == "precision":
            return counts.hits, counts.selected
        if self.measure == "recall":
            return counts.hits, counts.positives
        return counts.negatives - (counts.selected - counts.hits), counts.negatives


@dataclass(frozen=True)
class Counts:
    """Rows at thresholds, in arrays that broadcast: selected ones, positives among them, positives and negatives at
    all.
    """

    selected: Floats
    hits: Floats
    positives: Floats
    negatives: Floats


@dataclass(frozen=True)
class RankedScores:
    """``score``: (n,) probabilities of the positive class from low to high; ``positive``: (n,) whether they are it."""

    score: Floats
    positive: Mask

    @classmethod
    def of(cls, predictions: Predictions, positive: str) -> RankedScores:
        code = predictions.classes.index(positive)
        order = np.argsort(predictions.probability[:, code], kind="stable")
        return cls(predictions.probability[order, code], predictions.truth[order] == code)

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: Mask) -> RankedScores:
        return RankedScores(self.score[rows], self.positive[rows])

    def counts(self, thresholds: Floats) -> Counts:
        above = np.append(np.cumsum(self.positive[::-1])[::-1], 0)
        first = np.searchsorted(self.score, thresholds)
        positives, n = above[0], len(self)
        return Counts(*(np.asarray(a, dtype=np.float64) for a in (n - first, above[first], positives, n - positives)))


def at_least(successes: Floats, trials: Floats, rate: ArrayLike) -> Floats:
    """P(Binomial(trials, rate) >= successes)."""
    from scipy.special import betainc

    k = np.maximum(successes, 1)
    more = k > trials
    tail = betainc(k, np.where(more, 1, trials - k + 1), np.asarray(rate, dtype=np.float64))
    return np.where(successes <= 0, 1.0, np.where(more, 0.0, tail))


def fewest_trials(failures: Floats, rate: float, alpha: float) -> Floats:
    """The least number of trials with which so many failures still show a rate of success above ``rate`` at level
    ``alpha``.

    >>> fewest_trials(np.array([0.0, 1.0, 2.0]), 0.9, 0.05).tolist()
    [29.0, 46.0, 61.0]
    """

    def significant(trials: Floats) -> Mask:
        return at_least(trials - failures, trials, rate) <= alpha

    low, high = failures, 2 * failures + 1
    while not significant(high).all():
        high = np.where(significant(high), high, 2 * high)
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        low, high = np.where(significant(middle), low, middle), np.where(significant(middle), middle, high)
    return high


def p_value(constraint: Constraint, counts: Counts) -> Floats:
    return at_least(*constraint.outcome(counts), constraint.rate)


def between(low: float, high: float) -> float:
    """A threshold that selects ``high`` and not ``low``: their middle, so that small changes of scores change
    nothing.
    """
    middle = (low + high) / 2
    return float(middle if low < middle <= high else high)
