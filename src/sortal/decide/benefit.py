"""Decision curve analysis: what deciding by a model is worth, at every weight of a miss against a false alarm.

Net benefit (Vickers & Elkin 2006, "Decision Curve Analysis: A Novel Method for Evaluating Prediction Models", Medical
Decision Making 26:565) counts true positives and takes off false ones at the rate at which they are worth it: whoever
decides positive from a probability t on, says that a missed positive weighs (1 - t) / t false alarms.

    net benefit(t) = true positives / n - t / (1 - t) false positives / n

Its unit is one caught positive a row. Never deciding positive has none; always deciding it is the other measure that a
model has to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.writing import level
from sortal.stats.bands import each_confidence
from sortal.stats.clusters import Worth, worth, worth_of_sizes
from sortal.stats.means import score_limits

Codes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class NetBenefit:
    """Net benefit a row of deciding positive from each ``threshold`` on: (m,) arrays.

    ``low`` and ``high`` are limits of ``model``. ``always``: of deciding positive whatever the score. That of never
    deciding it is 0. ``least_gain``: lower limit of what the model has over the better of the two; it is useful where
    that is above 0. It can be while the limits of ``model`` hold ``always``: both move with the share of positives.
    """

    threshold: Floats
    model: Floats
    low: Floats
    high: Floats
    always: Floats
    least_gain: Floats


def net_benefit(
    positive: NDArray[np.bool_],
    score: Floats,
    thresholds: Floats,
    *,
    groups: NDArray[np.generic] | None = None,
    confidence: float = 0.95,
    together: bool = False,
) -> NetBenefit:
    """The decision curve of these rows, with its limits.

    ``positive``: (n,) where the positive class is true, ``score``: (n,) its probabilities, ``thresholds``: (m,)
    ascending, from 0 to below 1. ``groups``: (n,) ids of rows that vary together. ``together``: whether limits hold at
    all thresholds at once (``stats.bands``), or at each by itself.

    The limits are those of a mean of one value a row (``stats.means``): 1 where a positive is caught, less the weight
    of a false alarm, or 0; groups divide the number of rows by the design effect. Unlike limits by the standard error
    they do not shrink to nothing where nobody is decided positive.

    Raises ValueError where shapes differ, there are no rows, or a threshold is outside.

    >>> curve = net_benefit(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.4, 0.1]), np.array([0.2, 0.5]))
    >>> curve.model, curve.always
    (array([0.4375, 0.    ]), array([0.375, 0.   ]))
    """
    n = len(score)
    if not n or positive.shape != (n,) or score.shape != (n,) or (groups is not None and len(groups) != n):
        raise ValueError(f"positive {positive.shape} and score {score.shape} have to be as many rows, and some")
    if not ((thresholds >= 0) & (thresholds < 1)).all():
        raise ValueError("thresholds of net benefit lie between 0 and 1, which itself has none")
    share, weight = float(positive.mean()), thresholds / (1 - thresholds)
    true = _reaching(score[positive], thresholds) / n
    false = _reaching(score[~positive], thresholds) / n
    missed, spared = share - true, 1 - share - false
    sides = [(true, false), (missed, spared)]
    levels = [each_confidence(_neighbours(*side, weight), confidence) if together else confidence for side in sides]
    worths = _worths(positive, score, thresholds, groups)
    rows = n / np.array([[item.design for item in side] for side in worths])
    z = np.array([[item.z(level) for item in side] for side, level in zip(worths, levels, strict=True)])
    low, high = _limits(true, false, weight, rows[0], z[0])
    # Over always deciding positive a model has what it spares, less what it misses.
    spared_less, _ = _limits(missed, spared, weight, rows[1], z[1], sign=-1.0)
    return NetBenefit(
        threshold=thresholds,
        model=true - weight * false,
        low=low,
        high=high,
        always=share - weight * (1 - share),
        least_gain=np.minimum(low, spared_less),
    )


def weight_in_words(threshold: float, positive: str) -> str:
    """What deciding ``positive`` from this threshold on says of a miss and a false alarm.

    >>> weight_in_words(0.2, "churn"), weight_in_words(0.75, "churn")
    ('as if a missed churn cost 4 false alarms', 'as if a false alarm cost 3 missed churn')
    """
    alarms = (1 - threshold) / threshold
    if level(alarms, 3) == "1":
        return f"as if a missed {positive} cost one false alarm"
    if alarms > 1:
        return f"as if a missed {positive} cost {level(alarms, 3)} false alarms"
    return f"as if a false alarm cost {level(1 / alarms, 3)} missed {positive}"


def _reaching(score: Floats, thresholds: Floats) -> Floats:
    """(m,) how many scores reach each threshold."""
    return len(score) - np.searchsorted(np.sort(score), thresholds, side="left").astype(np.float64)


def _limits(
    positive: Floats, negative: Floats, weight: Floats, rows: Floats, z: Floats, sign: float = 1.0
) -> tuple[Floats, Floats]:
    """(m,) limits of ``sign * (positive - weight * negative)``, of shares of rows: a mean of three values a row."""
    worth = sign * np.stack([np.ones_like(weight), -weight, np.zeros_like(weight)], axis=1)
    share = np.stack([positive, negative, np.maximum(1 - positive - negative, 0.0)], axis=1)
    return score_limits(worth, share, rows, z, low=worth.min(axis=1), high=worth.max(axis=1))


def _neighbours(positive: Floats, negative: Floats, weight: Floats) -> Floats:
    """(m - 1,) how ``positive - weight * negative`` at one threshold goes with that at the next: their correlation, of
    independent rows. Rows that count at one of two thresholds count at the other, or are more.
    """
    mean = positive - weight * negative
    variance = np.maximum(positive + weight**2 * negative - mean**2, 0.0)
    both = np.minimum(positive[:-1], positive[1:]) + weight[:-1] * weight[1:] * np.minimum(negative[:-1], negative[1:])
    scale = np.sqrt(variance[:-1] * variance[1:])
    still: Floats = (variance[:-1] == variance[1:]).astype(np.float64)
    np.divide(both - mean[:-1] * mean[1:], scale, out=still, where=scale > 0)
    return still


def _worths(
    positive: NDArray[np.bool_], score: Floats, thresholds: Floats, groups: NDArray[np.generic] | None
) -> tuple[Sequence[Worth], Sequence[Worth]]:
    """What rows are worth to true less false positives at each threshold, and to missed less spared rows."""
    if groups is None:
        return [Worth(1.0)] * len(thresholds), [Worth(1.0)] * len(thresholds)
    _, code = np.unique(groups, return_inverse=True)
    sizes = np.bincount(code)
    order = np.argsort(score, kind="stable")
    first, second = (order[truth] for truth in (positive[order], ~positive[order]))
    starts = zip(np.searchsorted(score[first], thresholds), np.searchsorted(score[second], thresholds), strict=True)
    hits, alarms = code[first], code[second]
    worths = [
        (_worth(hits[i:], alarms[j:], weight, sizes), _worth(hits[:i], alarms[:j], weight, sizes))
        for (i, j), weight in zip(starts, thresholds / (1 - thresholds), strict=True)
    ]
    return [above for above, _ in worths], [below for _, below in worths]


def _worth(plus: Codes, minus: Codes, weight: float, sizes: Codes) -> Worth:
    """Of rows each of which adds 1, takes off ``weight``, or does nothing. ``plus`` and ``minus`` are the groups of
    such rows, ``sizes`` those of all groups.
    """
    gains, losses = (np.bincount(codes, minlength=len(sizes)).astype(np.float64) for codes in (plus, minus))
    rows, changes = sizes.astype(np.float64), gains + losses
    mean = float(gains.sum() - weight * losses.sum()) / rows.sum()
    square = float(gains.sum() * (1 - mean) ** 2 + losses.sum() * (weight + mean) ** 2)
    by_row = square + (rows.sum() - changes.sum()) * mean**2
    if by_row <= 1e-12:
        return worth_of_sizes(rows)
    expected = square / changes.sum() * changes + mean**2 * (rows - changes)
    return worth(gains - weight * losses - mean * rows, expected, by_row, by_row)
