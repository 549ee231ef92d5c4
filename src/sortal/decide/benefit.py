"""Decision curve analysis: what deciding by a model is worth, at every weight of a miss against a false alarm.

Net benefit (Vickers & Elkin 2006, "Decision Curve Analysis: A Novel Method for Evaluating Prediction Models", Medical
Decision Making 26:565) counts true positives and takes off false ones at the rate at which they are worth it: whoever
decides positive from a probability t on, says that a missed positive weighs (1 - t) / t false alarms.

    net benefit(t) = true positives / n - t / (1 - t) false positives / n

Its unit is one caught positive a row. Never deciding positive has none; always deciding it is the other measure that a
model has to beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.writing import level
from sortal.stats.proportions import two_sided_z, wilson

Codes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class NetBenefit:
    """Net benefit a row of deciding positive from each ``threshold`` on: (m,) arrays.

    ``low`` and ``high`` are pointwise limits of ``model``. ``always``: of deciding positive whatever the score. That of
    never deciding it is 0. ``least_gain``: lower limit of what the model has over the better of the two; it is useful
    where that is above 0. It can be while the limits of ``model`` hold ``always``: both move with the share of
    positives.
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
) -> NetBenefit:
    """The decision curve of these rows, with pointwise limits.

    ``positive``: (n,) where the positive class is true, ``score``: (n,) its probabilities, ``thresholds``: (m,) from 0
    to below 1. ``groups``: (n,) ids of rows that vary together.

    The limits join Wilson's of the shares of true and of false positives (1927) by MOVER (Zou & Donner 2008), with
    their correlation as cells of a multinomial; groups divide the number of rows by the design effect. Unlike those by
    the standard error they do not shrink to nothing where nobody is decided positive.

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
    rows = np.full((2, len(thresholds)), float(n))
    if groups is not None:
        rows /= _design_effects(positive, score, thresholds, groups)
    z = two_sided_z(confidence)
    model = true - weight * false
    below, above = _reach(true, false, weight, rows[0], z)
    # Over always deciding positive a model has what it spares, less what it misses.
    _, more_missed = _reach(missed, spared, weight, rows[1], z)
    over_always = weight * spared - missed - more_missed
    return NetBenefit(
        threshold=thresholds,
        model=model,
        low=model - below,
        high=model + above,
        always=share - weight * (1 - share),
        least_gain=np.minimum(model - below, over_always),
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


def _reach(true: Floats, false: Floats, weight: Floats, rows: Floats, z: float) -> tuple[Floats, Floats]:
    """(m,) how far the limits of ``true - weight * false`` lie below and above it."""
    true_low, true_high = wilson(true, rows, z)
    false_low, false_high = wilson(false, rows, z)
    odds = true * false / np.maximum((1 - true) * (1 - false), 1e-300)
    correlation = -np.sqrt(np.minimum(odds, 1.0))

    def joined(a: Floats, b: Floats) -> Floats:
        return np.sqrt(a**2 + b**2 - 2 * correlation * a * b)

    below = joined(true - true_low, weight * (false_high - false))
    above = joined(true_high - true, weight * (false - false_low))
    return below, above


def _design_effects(
    positive: NDArray[np.bool_], score: Floats, thresholds: Floats, groups: NDArray[np.generic]
) -> Floats:
    """(2, m) design effects of true less false positives, and of missed less spared rows."""
    _, code = np.unique(groups, return_inverse=True)
    sizes = np.bincount(code)
    order = np.argsort(score, kind="stable")
    first, second = (order[truth] for truth in (positive[order], ~positive[order]))
    starts = zip(np.searchsorted(score[first], thresholds), np.searchsorted(score[second], thresholds), strict=True)
    hits, alarms = code[first], code[second]
    effects = [
        (_design_effect(hits[i:], alarms[j:], weight, sizes), _design_effect(hits[:i], alarms[:j], weight, sizes))
        for (i, j), weight in zip(starts, thresholds / (1 - thresholds), strict=True)
    ]
    return np.array(effects).reshape(-1, 2).T


def _design_effect(plus: Codes, minus: Codes, weight: float, sizes: Codes) -> float:
    """The variance of ``plus`` less ``weight * minus`` rows when whole groups are drawn, over that of independent rows;
    at least 1. ``plus`` and ``minus`` are the groups of such rows, ``sizes`` those of all groups.
    """
    n, groups = sizes.sum(), len(sizes)
    mean = (len(plus) - weight * len(minus)) / n
    by_row = len(plus) + weight**2 * len(minus) - n * mean**2
    if by_row <= 1e-12:
        return float(n / groups)
    sums = np.bincount(plus, minlength=groups) - weight * np.bincount(minus, minlength=groups) - mean * sizes
    return max(1.0, float(sums @ sums) * groups / max(groups - 1, 1) / float(by_row))
