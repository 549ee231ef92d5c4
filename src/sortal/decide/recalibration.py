"""What recalibrating a model would gain, were there plenty of rows to learn it from.

Loss is refinement plus calibration error, and what is left after the best recalibration is the refinement (Berta,
Holzmüller, Jordan & Bach 2025, "Rethinking early stopping: refine, then calibrate"). The recalibration is a weight and
a bias for each class, softmax(w log p + b): vector scaling (Guo et al. 2017), which for two classes is beta calibration
(Kull, Silva Filho & Flach 2017). On seven public tables, four families and up to ten classes it gained what matrix
scaling and isotonic regression did, but for single trees.

What the rows gain that it is fitted on is too much by about half a log-likelihood unit for each parameter, and twice
their sum is a likelihood ratio. It varies as a multiple of a noncentral chi-square (Wald 1943, "Tests of statistical
hypotheses concerning several parameters when the number of observations is large"), whose noncentrality is what all
rows would gain; the limits are those noncentralities with which it would seldom be so large, or so small (Kent &
Hainsworth 1995, "Confidence intervals for the noncentral chi-squared distribution"). Where the model is not one of the
family, or rows come in clusters, the parameters vary otherwise than the likelihood says (White 1982; Rao & Scott 1984),
and the chi-square is scaled to that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.engine.affine import log_probability
from sortal.stats.clusters import worth_of_rows
from sortal.stats.proportions import two_sided_z

FEWEST_ROWS, MOST_ENTRIES = 10, 200_000
"""Rows that say anything, and probabilities that are read, which takes less than a second."""
STEPS, HALVINGS, CLOSE = 100, 20, 1e-9
"""Of Newton's method: at most, of a step that goes too far, and the gain in log-likelihood that ends it."""


def recalibration_gain(predictions: Predictions, *, seed: int = 0) -> Interval:
    """The log-loss that the best recalibration would remove, a row, with its 95 % interval.

    It is a figure of the model, as the log-loss is, not what these rows would be enough to learn. ``seed``: which rows
    are read of very many. All three figures are NaN with fewer than ten rows; of a single cluster the interval is.

    >>> rng = np.random.default_rng(0)
    >>> right = rng.random(4000)
    >>> truth = (rng.random(4000) < right).astype(np.int64)
    >>> told = right**3 / (right**3 + (1 - right) ** 3)
    >>> rows = Predictions(("no", "yes"), np.arange(4000), truth, np.column_stack([1 - told, told]), "test")
    >>> print(recalibration_gain(rows))
    .23 [.20 .26]
    """
    if len(predictions) < FEWEST_ROWS:
        return Interval(np.nan, np.nan, np.nan)
    most = max(MOST_ENTRIES // len(predictions.classes), FEWEST_ROWS)
    if len(predictions) > most:
        predictions = predictions.take(np.random.default_rng(seed).permutation(len(predictions))[:most])
    n, clusters = len(predictions), predictions.clusters
    fit = _fit(log_probability(predictions.probability), predictions.truth)
    gains = fit.before - fit.after
    gain = max(float(gains.mean()), np.finfo(np.float64).tiny)
    worth = worth_of_rows(gains - gains.mean(), clusters)
    optimism, scale = _optimism(fit, clusters)
    value = max(gain - optimism / (2 * n), 0.0)
    if worth.design == np.inf:
        return Interval(value, np.nan, np.nan)
    # By theory the variance of the gain is twice the gain, times the scale; of a gain that is large it can be seen.
    scale = max(scale, worth.design * float(gains.var(ddof=1)) / (2 * gain))
    low, high = _noncentral(2 * n * gain / scale, max(optimism / scale, 1.0), two_sided_z(0.95, worth.groups))
    return Interval(value, min(low * scale / (2 * n), value), high * scale / (2 * n))


def _noncentral(ratio: float, freedom: float, z: float) -> tuple[float, float]:
    """The noncentralities between which a chi-square ``ratio`` is not extreme.

    A ratio that is less than the calibrated have on average says no more than that, so the high limit is never below
    ``least``. A noncentrality below it can be missed at the low limit alone, which takes both tails there (as limits
    near the end of a range do in Feldman & Cousins 1998, "Unified approach to the classical statistical analysis of
    small signals"). With the tails apart, hardly an interval missed a gain of nearly nothing, and most are.
    """
    from scipy.special import chndtr, chndtrinc, ndtr

    tail = float(ndtr(-z))

    def below(share: float) -> float:
        return float(chndtrinc(ratio, freedom, share)) if chndtr(ratio, freedom, 0.0) > share else 0.0

    least, high = (float(chndtrinc(max(x, freedom), freedom, tail)) for x in (freedom, ratio))
    low = below(1 - 2 * tail)
    return (low if low <= least else max(least, below(1 - tail))), high


@dataclass(frozen=True)
class _Fit:
    """Losses (n,) of the rows ``before`` and ``after``; how each pulls at the d parameters, (n, d) ``score``; and the
    ``information`` (d, d) of all.
    """

    before: Floats
    after: Floats
    score: Floats
    information: Floats


def _optimism(fit: _Fit, clusters: Codes | None) -> tuple[float, float]:
    """Twice what the rows together seem to gain and do not, and the scale of the chi-square.

    A prior of one unit keeps every parameter from following its rows all the way. Rows vary at least as the likelihood
    says: few rows hide how parameters vary that they were fitted to.
    """
    pull = fit.score
    unseen = 1.0
    if clusters is not None:
        pull = np.zeros((clusters.max() + 1, fit.score.shape[1]))
        np.add.at(pull, clusters, fit.score)
        unseen = len(pull) / max(len(pull) - 1, 1)
    cover = np.linalg.inv(fit.information + np.eye(len(fit.information)))
    gain_matrix = 2 * cover - cover @ fit.information @ cover
    varies = gain_matrix @ (pull.T @ pull) * unseen
    optimism = max(float(np.trace(varies)), float((gain_matrix * fit.information).sum()))
    return optimism, max(float((varies * varies.T).sum() / max(np.trace(varies), np.finfo(np.float64).tiny)), 1.0)


def _fit(logs: Floats, truth: Codes) -> _Fit:
    """The weights and biases of the largest likelihood of (n, K) log-probabilities, with a normal prior of one unit
    around changing nothing, by Newton's method.
    """
    k = logs.shape[1]
    rows, true = np.arange(len(logs)), np.eye(k)[truth]
    change = np.zeros(2 * k)

    def at(change: Floats) -> tuple[Floats, Floats]:
        scores = logs * (1 + change[:k]) + change[k:]
        scores -= scores.max(axis=1, keepdims=True)
        of_truth = scores[rows, truth]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1)
        return np.log(total) - of_truth, scores / total[:, None]

    before, probability = at(change)
    after, height = before, float(before.sum())
    for _ in range(STEPS):
        score, information = _slopes(logs, true, probability)
        slope = score.sum(axis=0) - change
        step = np.linalg.solve(information + np.eye(2 * k), slope)
        rise = float(step @ slope)
        if rise < CLOSE:
            break
        for _ in range(HALVINGS):
            after, probability = at(change + step)
            new = float(after.sum() + ((change + step) ** 2).sum() / 2)
            if new <= height:
                break
            step = step / 2
        change, height = change + step, new
    return _Fit(before, after, score, information)


def _slopes(logs: Floats, true: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """How each row pulls at weights and biases, (n, 2 K), and the information of all on them."""
    k = logs.shape[1]
    score = np.hstack([(true - probability) * logs, true - probability])
    features = np.hstack([probability * logs, probability])
    information = -features.T @ features
    by_class = np.arange(k)
    for i, j, own in (
        (0, 0, (features[:, :k] * logs).sum(axis=0)),
        (0, k, features[:, :k].sum(axis=0)),
        (k, 0, features[:, :k].sum(axis=0)),
        (k, k, probability.sum(axis=0)),
    ):
        information[i + by_class, j + by_class] += own
    return score, information
