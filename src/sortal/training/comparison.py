"""Candidates compared in pairs, on the same rows or on the same folds; and the chosen one of many with a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.interval import Interval
from sortal.evaluate.compare import corrected_t, difference
from sortal.evaluate.metrics import Metric, per_row_log_loss
from sortal.training.cv_result import Result

Groups = NDArray[np.generic] | None
"""(n,) ids of rows that belong together; None where each stands alone."""
TAIL = 0.025
"""Of a two-sided 95 % interval, on one side."""
DRAWS, SEED = 100_000, 0
"""Of several normal variables, each taken in both directions: they find the tail to some per cent of it."""


def loss_of(scored: Result, metric: Metric) -> float:
    """The mean of a metric over folds, as a loss; infinite where it is not defined."""
    mean = float(np.mean(scored.fold_scores[metric.name]))
    return np.inf if np.isnan(mean) else (-mean if metric.higher_is_better else mean)


def paired_difference(
    worse: Result, better: Result, metric: Metric, groups: Groups = None, confidence: float = 0.95
) -> Interval:
    """By how much one candidate is worse than another, in the metric's unit; positive where it is.

    For the log-loss from paired rows, which holds for the average loss of the models of the folds (Bayle et al. 2020,
    "Cross-validation confidence intervals for test error"); for other metrics from paired folds, by the corrected
    resampled t.
    """
    if metric.name == "log_loss":
        losses = (per_row_log_loss(s.predictions) for s in (worse, better))
        return difference(*losses, groups=groups, confidence=confidence)
    return corrected_t(*_by_folds(worse, better, metric), worse.train_share, confidence)[0]


def _by_folds(worse: Result, better: Result, metric: Metric) -> tuple[list[float], list[float]]:
    """Scores of the folds, in the order in which a positive difference says that the first is worse."""
    a, b = (result.fold_scores[metric.name].tolist() for result in (worse, better))
    return (b, a) if metric.higher_is_better else (a, b)


def margin(
    baseline: Result, winner: Result, scored: Sequence[Result], metric: Metric, groups: Groups = None
) -> Interval:
    """By how much the ``winner``, chosen among all ``scored`` ones, is better than a baseline, in the metric's unit, as
    it was measured.

    Whatever was chosen looks better than it is. So the low end is that of all comparisons with the baseline at once
    (Dunnett 1955; with their own correlations, Hothorn, Bretz & Westfall 2008): it lies above the truth for any of them
    in 2.5 % of cases, however the choice was made. The high end is that of one comparison.
    """
    rivals = [s for s in scored if s is not baseline]
    tail = joint_tail(_correlation(baseline, rivals, metric, groups))
    interval = paired_difference(baseline, winner, metric, groups)
    low = paired_difference(baseline, winner, metric, groups, 1 - 2 * tail).low
    return Interval(interval.value, min(low, interval.low), interval.high)


def joint_tail(correlation: Floats) -> float:
    """The tail beyond which each of several normal variables may lie, so that any does with a probability of ``TAIL``.

    ``correlation``: (K, K) of them. Independent ones get what Šidák (1967) gives them, equal ones ``TAIL``.

    >>> round(joint_tail(np.eye(5)), 3), round(joint_tail(np.ones((5, 5))), 3)
    (0.005, 0.025)
    """
    if len(correlation) < 2:
        return TAIL
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    samples = np.random.default_rng(SEED).standard_normal((DRAWS, len(correlation))) @ root.T
    largest = np.concatenate([samples.max(axis=1), -samples.min(axis=1)])
    # Draws are draws: no comparison is surer than if it were the only one.
    return min(TAIL, NormalDist().cdf(-float(np.quantile(largest, 1 - TAIL))))


def _correlation(baseline: Result, rivals: Sequence[Result], metric: Metric, groups: Groups) -> Floats:
    """(K, K) correlation of the differences of all rivals to the baseline. Of few folds none can be told, and
    independent ones are the safe side.
    """
    if metric.name != "log_loss":
        return np.eye(len(rivals))
    losses = per_row_log_loss(baseline.predictions)
    values = _by_unit(np.array([losses - per_row_log_loss(s.predictions) for s in rivals]), groups)
    covariance = values @ values.T
    error = np.sqrt(np.diag(covariance))
    differ = error > 0
    correlation: Floats = covariance[np.ix_(differ, differ)] / np.outer(error[differ], error[differ])
    return correlation


def _by_unit(values: Floats, groups: Groups) -> Floats:
    """(K, units) deviations from the means of (K, n) values, summed over the rows that belong together."""
    values = values - values.mean(axis=1, keepdims=True)
    if groups is None:
        return values
    clusters = np.unique(groups, return_inverse=True)[1]
    return np.array([np.bincount(clusters, weights=v) for v in values])


def standard_errors(scored: Sequence[Result], metric: Metric, groups: Groups) -> Floats:
    """(K, K) standard errors of the differences that ``paired_difference`` gives, all at once from the covariance of
    the candidates.
    """
    if metric.name == "log_loss":
        losses = np.array([per_row_log_loss(s.predictions) for s in scored])
        values, n = _by_unit(losses, groups), losses.shape[1]
        units = values.shape[1]
        scale = units / max(units - 1, 1) / n**2
    else:
        values = np.array([s.fold_scores[metric.name] for s in scored])
        values = values - values.mean(axis=1, keepdims=True)
        k, train = values.shape[1], scored[0].train_share
        scale = (1 / k + (1 - train) / train) / (k - 1) if k > 1 else np.nan
    covariance = scale * values @ values.T
    own = np.diag(covariance)
    errors: Floats = np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0.0))
    return errors


def p_value(a: Result, b: Result, metric: Metric, groups: Groups) -> float | None:
    """Two-sided, that neither is better; None where it cannot be told."""
    if metric.name != "log_loss":
        p = corrected_t(*_by_folds(a, b, metric), a.train_share)[1]
        return None if np.isnan(p) else p
    error = float(standard_errors((a, b), metric, groups)[0, 1])
    gain = paired_difference(a, b, metric, groups).value
    return 2 * (1 - NormalDist().cdf(abs(gain) / error)) if error > 0 else None
