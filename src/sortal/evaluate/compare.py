"""Two models on the same rows or the same folds: by how much they differ, and whether that is noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Codes, Floats
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.costs import costs_within
from sortal.evaluate.intervals import folds_interval, mean_interval, strata_of
from sortal.stats.sampling import Influence, Mean, Rates, Sampling


def difference(
    a: Floats, b: Floats, *, groups: NDArray[np.generic] | None = None, confidence: float = 0.95
) -> Interval:
    """Mean of ``a - b``, paired over rows: negative where the losses ``a`` are smaller.

    ``a``, ``b``: (n,) losses of the same rows, such as ``per_row_log_loss``. ``groups``: (n,) ids of rows
    that belong together. The method is that of a mean of one value a row, see ``intervals.mean_interval``.

    >>> print(difference(np.array([0.1, 0.3, 0.2]), np.array([0.1, 0.3, 0.2])))
    .000 [.000 .000]
    """
    clusters = None if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64)
    return mean_interval(Mean(np.asarray(a - b, dtype=np.float64)), clusters, confidence)


def excess_cost(task: Task, predictions: Predictions, decided: Codes, code: int) -> Interval:
    """By how much decisions cost more a row than deciding class ``code`` in every row, paired: negative where they cost
    less.

    ``decided``: (n,) codes. Of errors that cost one each, the interval is Tango's (1998) of paired shares.
    """
    costs = task.costs(predictions.row_costs)
    gap = costs - costs[..., code, None]
    mean = costs_within(gap, predictions.truth, decided)
    return mean_interval(mean, predictions.clusters, strata=strata_of(predictions))


def row_values(score: float, sampling: Sampling | None) -> Floats | None:
    """(n,) values of the rows whose mean is the score, and whose spread is, to the first order, that of the score: its
    infinitesimal jackknife (Jaeckel 1972). None for a score that has none, or is of no row.

    Those of two models on the same rows, compared by ``difference``, say by how much the scores differ.

    >>> rows = np.array([True, True, False, True])
    >>> row_values(2 / 3, Rates([(rows, np.array([True, True, False, False]))])).round(3).tolist()
    [1.111, 1.111, 0.667, -0.222]
    """
    match sampling:
        case Mean(values=values):
            return values
        case Influence(effect=effect):
            return score + len(effect) * effect
        case Rates(pairs=pairs) if pairs:
            effect = sampling.effect / len(pairs)
            return score + len(effect) * effect
    return None


def corrected_t(
    a: Sequence[float], b: Sequence[float], train_share: float, confidence: float = 0.95
) -> tuple[Interval, float]:
    """Mean difference ``a - b`` of scores on the same folds, with the two-sided p value that there is none.

    The corrected resampled t of Nadeau & Bengio (2003). ``train_share``: the share of the rows that each
    fold trains on, .8 for five folds. Folds of repeated cross-validation are simply more folds.

    >>> interval, p = corrected_t([0.90, 0.92, 0.91, 0.89, 0.93], [0.88, 0.91, 0.90, 0.88, 0.91], 0.8)
    >>> print(interval, round(p, 3))
    .01 [.00 .02] 0.019
    """
    from scipy.special import stdtr

    gap = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    interval = folds_interval(gap.tolist(), train_share, 1 - train_share, confidence)
    k, spread = len(gap), float(gap.std(ddof=1)) if len(gap) > 1 else float("nan")
    if spread <= 1e-12:
        return interval, 1.0 if abs(interval.value) <= 1e-12 else 0.0
    error = spread * np.sqrt(1 / k + (1 - train_share) / train_share)
    return interval, float(2 * stdtr(k - 1, -abs(interval.value) / error)) if k > 1 else float("nan")


def total(*parts: Interval) -> Interval:
    """The sum of figures of which each may be off on its own, from their intervals.

    MOVER, the method of variance estimates recovery (Zou & Donner 2008): half-widths are added as squares, side by
    side.

    >>> print(total(Interval(0.40, 0.36, 0.44), Interval(-0.02, -0.05, 0.01)))
    .38 [.33 .43]
    """
    value = sum(part.value for part in parts)
    below = np.sqrt(sum((part.value - part.low) ** 2 for part in parts))
    above = np.sqrt(sum((part.high - part.value) ** 2 for part in parts))
    return Interval(value, float(value - below), float(value + above))


def change(before: Interval, after: Interval) -> Interval:
    """``after - before`` of one figure on two sets of rows that have nothing in common, from their two intervals.

    >>> print(change(Interval(0.33, 0.30, 0.36), Interval(0.37, 0.33, 0.41)))
    .04 [-.01 .09]
    """
    return total(after, Interval(-before.value, -before.high, -before.low))


def apart(before: Interval, after: Interval) -> bool:
    """Whether each figure lies outside the other's interval.

    >>> near, far = Interval(0.37, 0.33, 0.41), Interval(0.5, 0.4, 0.6)
    >>> apart(Interval(0.33, 0.30, 0.36), near), apart(Interval(0.3, 0.2, 0.4), far)
    (False, True)
    """
    return not before.low <= after.value <= before.high and not after.low <= before.value <= after.high
