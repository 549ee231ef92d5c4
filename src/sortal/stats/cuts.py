"""The limits of the largest recall that a cut through a ranking has at a precision, by inverting a test.

The best cut of some rows is not that of all: which one reaches the precision is not known, and the best that was seen
flatters. So a recall r is within the limits where some cut could be the right one, which is judged by two deviates
together: that of its recall from r (a score, as in Wilson 1927), and that of its precision from the one asked for (by
the mid-p of the binomial distribution, since few rows stand above a strict cut; Lancaster 1961, "Significance tests in
discrete distributions", JASA 56:223).

- *Up to the high limit* some cut has at least recall r and the precision.
- *Down to the low limit* some cut has at most recall r, the next one lacks the precision, and none after it has shown
  that it has it.

The cut is free and takes one degree of freedom of the two, so that the squared distance from what is supposed is held
against the square of one normal deviate (a profile). The first cut is above all rows: the right one may be there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sortal.core.arrays import Floats

STEPS, EDGE = 40, 1e-12
"""Halvings of the range of recalls, and how near to 0 and 1 it comes."""
SMALLEST = 1e-300
"""Probabilities that are smaller count as this, which 37 standard deviations are enough for."""


def recall_limits(hits: Floats, rows: Floats, precision: float, z: float) -> tuple[float, float]:
    """The least and the largest recall that the best cut with this ``precision`` could have.

    ``hits``, ``rows``: (m,) positives and rows above cuts from the strictest on; the last one has all positives. Where
    rows vary together they count as as many as they are worth. ``z``: as for a normal variable,
    ``proportions.two_sided_z``.

    >>> hits = np.arange(1.0, 51)
    >>> low, high = recall_limits(hits, hits, 0.9, 1.96)
    >>> round(low, 2), high
    (0.93, 1.0)
    >>> low, high = recall_limits(hits[:20], hits[:20], 0.9, 1.96)  # .9 ** 20 = .12: too few to show the precision
    >>> low, high
    (0.0, 1.0)
    """
    hits, rows = (np.concatenate([[0.0], counts]) for counts in (hits, rows))
    total = hits[-1]
    deviate = precision_deviates(hits, rows, precision)
    significant = np.flatnonzero(deviate > z)
    reached = hits[hits >= precision * rows - 1e-9]
    best = float(reached.max() / total)

    def above(recall: float) -> float:
        apart = _correlation(recall, np.zeros(1), precision)
        return float(_squared_distance(-_recall_deviates(hits, total, recall), -deviate, apart).min())

    def below(recall: float) -> float:
        start = int(significant[-1])
        gap, after = np.append(np.diff(hits), 0.0) / total, np.append(deviate[1:], -np.inf)
        apart = _correlation(recall, gap[start:], precision)
        return float(_squared_distance(_recall_deviates(hits, total, recall)[start:], after[start:], apart).min())

    low = _last(lambda recall: below(recall) <= z * z, best, 0.0) if len(significant) else 0.0
    return low, _last(lambda recall: above(recall) <= z * z, best, 1.0)


def precision_deviates(hits: Floats, rows: Floats, precision: float) -> Floats:
    """(m,) normal deviates of numbers of hits among rows, if each is a hit with this probability; 0 of no rows.

    >>> precision_deviates(np.array([1.0, 0.0]), np.array([1.0, 1.0]), 0.5).round(3).tolist()
    [0.674, -0.674]
    """
    from scipy.special import betainc, ndtri

    misses = rows - hits
    with np.errstate(divide="ignore", invalid="ignore"):
        up_to = np.where(misses > 0, betainc(np.maximum(misses, SMALLEST), hits + 1, 1 - precision), 1.0)
        fewer = np.where(hits > 0, betainc(misses + 1, np.maximum(hits, SMALLEST), 1 - precision), 0.0)
        at_least = np.where(hits > 0, betainc(np.maximum(hits, SMALLEST), misses + 1, precision), 1.0)
        more = np.where(misses > 0, betainc(hits + 1, np.maximum(misses, SMALLEST), precision), 0.0)
    low, high = (np.maximum((a + b) / 2, SMALLEST) for a, b in ((up_to, fewer), (at_least, more)))
    return np.asarray(np.where(low < high, ndtri(low), -ndtri(high)))


def _recall_deviates(hits: Floats, total: float, recall: float) -> Floats:
    return np.asarray((hits - recall * total) / np.sqrt(total * recall * (1 - recall)))


def _correlation(recall: float, gap: Floats, precision: float) -> Floats:
    """Of the hits above a cut of this recall, and of the precision at one below it, with so many of the positives in
    between.

    A positive adds 1 - recall to the one and 1 - precision to the other, one in between takes recall from the one.
    """
    covariance = recall * (1 - precision) * np.maximum(1 - recall - gap, 0.0)
    return np.asarray(covariance / np.sqrt(recall * (1 - recall) * (recall + gap) * (1 - precision)))


def _squared_distance(a: Floats, b: Floats, correlation: Floats) -> Floats:
    """(m,) of two normal deviates from where neither is above 0."""
    both = (a**2 + b**2 - 2 * correlation * a * b) / (1 - correlation**2)
    alone = np.where(b <= correlation * a, a**2, np.where(a <= correlation * b, b**2, both))
    return np.where((a <= 0) & (b <= 0), 0.0, alone)


def _last(within: Callable[[float], bool], inside: float, end: float) -> float:
    """How far from a recall ``inside`` towards the ``end`` a recall is ``within``."""
    inside, outside = (float(np.clip(recall, EDGE, 1 - EDGE)) for recall in (inside, end))
    if within(outside):
        return end
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if within(middle) else (inside, middle)
    return inside
