"""How sure a score is: two-sided intervals, most of them in closed form.

A metric says how it varies from sample to sample by one of five plain descriptions (``stats.sampling``), and each has
one method:

| description     | score                       | method                                                    |
|-----------------|-----------------------------|-----------------------------------------------------------|
| Rates           | mean of shares of successes | Wilson (1927), joined by MOVER (Zou & Donner 2008)        |
| Mean            | mean of one value a row     | Wilson's for more values than two (``stats.means``)       |
| Influence       | figure of a ranking, 0 to 1 | the same, of a class and of the others, joined by MOVER   |
| CalibrationBins | calibration error           | normal approximation of a debiased quadratic form         |
| BestCut         | largest recall of the cuts  | a test inverted over all cuts (``stats.cuts``)            |

A metric that gives none is bootstrapped by row. In simulations, closed forms kept their level where
percentiles of a bootstrap did not (skewed losses, few positives, rates near 0 or 1). Clusters (rows that
belong together, such as those of one patient) replace rows as the unit that varies: rows count as many as they
are worth, and quantiles are those of Student's t (``stats.clusters``). Rows that were dealt class by class, as those
of a stratified test, are worth more than rows that came one by one (``stats.strata``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.stats.clusters import Worth, worth_of_rows
from sortal.stats.cuts import precision_deviates, recall_limits
from sortal.stats.means import score_limits
from sortal.stats.proportions import two_sided_z, wilson
from sortal.stats.sampling import BestCut, CalibrationBins, Influence, Mean, Rates, Sampling, Spread
from sortal.stats.strata import Strata

ROUNDING = 1e-12
"""Values that are this close to their mean, as a share of the largest, are equal to it."""


def strata_of(predictions: Predictions) -> Strata | None:
    """The classes by which these rows were dealt; None where they came one by one."""
    return Strata.of(predictions.truth, predictions.drawn_from)


def sampling_interval(
    value: float, sampling: Sampling, clusters: Codes | None, confidence: float, strata: Strata | None = None
) -> Interval:
    """The interval of a score of this ``value`` by the method of its description."""
    match sampling:
        case Rates() as rates:
            return rates_interval(rates, clusters, confidence, strata)
        case Mean() as mean:
            return mean_interval(mean, clusters, confidence, strata)
        case Influence() as influence:
            return _influence(value, influence, clusters, confidence, strata)
        case CalibrationBins() as bins:
            return _bins(value, bins, clusters, confidence)
        case BestCut() as best:
            return _best_cut(value, best, clusters, confidence, strata)


def rates_interval(
    rates: Rates, clusters: Codes | None = None, confidence: float = 0.95, strata: Strata | None = None
) -> Interval:
    """Wilson's interval of each rate, joined to that of their mean by MOVER (Zou & Donner 2008).

    Where rates share rows, or rows come in clusters, trials are divided by the design effect: the variance
    of the linearised mean over that of independent rates.
    """
    trials, share, score, worth = rates.trials, rates.shares, rates.scores, _worth_to(rates, clusters, strata)
    low, high = wilson(share, trials / worth.design, worth.z(confidence))
    if rates.f1:
        low, high = 2 * low / (1 + low), 2 * high / (1 + high)
    return _of_mean(score, low, high)


def _worth_to(rates: Rates, clusters: Codes | None, strata: Strata | None) -> Worth:
    """What rows are worth to the mean of rates."""
    expected = np.zeros(len(rates.pairs[0][0]))
    for (trial, _), variance in zip(rates.pairs, rates.weights**2 * rates.shares * (1 - rates.shares), strict=True):
        expected += variance * trial
    return worth_of_rows(rates.effect, clusters, expected=expected, independent=float(expected.sum()), strata=strata)


def mean_interval(
    mean: Mean, clusters: Codes | None = None, confidence: float = 0.95, strata: Strata | None = None
) -> Interval:
    """The score interval of a mean of one value a row (``stats.means``), with the quantile of Student's t.

    Rows that come in clusters count as many as they are worth: their number divided by the design effect. A single row
    or cluster says nothing of how others differ: the limits are those that no row is beyond, NaN where none is known.
    """
    values = mean.values
    n, value = len(values), float(values.mean())
    away = values - value
    away[np.abs(away) <= ROUNDING * np.abs(values).max(initial=0.0)] = 0.0
    worth = worth_of_rows(away, clusters, strata=strata)
    if n < 2 or worth.design == np.inf:
        ends = (np.nan, np.nan) if mean.guessed_range else (mean.low, mean.high)
        return Interval(value, *(end if np.isfinite(end) else np.nan for end in ends))
    z = two_sided_z(confidence, worth.groups or n)
    low, high = score_limits(values, 1 / n, n / worth.design, z, low=mean.low, high=mean.high)
    return Interval(value, float(low), float(high))


def folds_interval(
    scores: Sequence[float],
    train_rows: float | Sequence[float],
    valid_rows: float | Sequence[float],
    confidence: float = 0.95,
) -> Interval:
    """The mean over folds of cross-validation, by the corrected resampled t (Nadeau & Bengio 2003).

    Training sets overlap, so that scores of folds vary together: the variance of their mean is (1/k +
    valid/train) times theirs instead of 1/k. ``train_rows``, ``valid_rows``: rows of a fold, or of each (or
    shares). Folds of repeated cross-validation are simply more folds.

    >>> print(folds_interval([0.90, 0.92, 0.91, 0.89, 0.93], 800, 200))
    .91 [.88 .94]
    """
    from scipy.special import stdtrit

    values = np.asarray(scores, dtype=np.float64)
    k, value = len(values), float(np.mean(values))
    if k < 2:
        return Interval(value, np.nan, np.nan)
    overlap = float(np.mean(valid_rows) / np.mean(train_rows))
    half = float(stdtrit(k - 1, 0.5 + confidence / 2) * np.sqrt((1 / k + overlap) * values.var(ddof=1)))
    return Interval(value, value - half, value + half)


def resample(score: Callable[[Codes], float], n: int, clusters: Codes | None, seed: int, repeats: int) -> Floats:
    """Bootstrap: ``score`` of row numbers that are drawn by row or by whole cluster, ``repeats`` times."""
    rng = np.random.default_rng(seed)
    if clusters is None:
        return np.array([score(rng.integers(n, size=n)) for _ in range(repeats)])
    order = np.argsort(clusters, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(clusters))[:-1])
    draws = (rng.integers(len(members), size=len(members)) for _ in range(repeats))
    return np.array([score(np.concatenate([members[g] for g in draw])) for draw in draws])


def percentile_interval(value: float, scores: Floats, confidence: float, clusters: Codes | None = None) -> Interval:
    """Percentiles of bootstrap scores; samples in which the metric is undefined are left out.

    Few clusters vary less in resamples than in samples, and as Student's t: the interval is stretched by as much.
    """
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(scores, [0.5 - confidence / 2, 0.5 + confidence / 2])
    groups = None if clusters is None else int(clusters.max()) + 1
    if groups == 1:
        return Interval(value, -np.inf, np.inf)
    unseen = 1.0 if groups is None else float(np.sqrt(groups / (groups - 1)))
    stretch = unseen * two_sided_z(confidence, groups) / two_sided_z(confidence)
    below, above = max(value - float(low), 0.0), max(float(high) - value, 0.0)
    return Interval(value, value - stretch * below, value + stretch * above)


def _best_cut(
    value: float, best: BestCut, clusters: Codes | None, confidence: float, strata: Strata | None
) -> Interval:
    """Rows are worth as much as they are to recall or to precision of the best cut, whichever is less; where no cut
    has the precision, of the one that comes nearest.
    """
    hits, rows = best.counts
    reached = np.flatnonzero(hits >= best.precision * rows - 1e-9)
    at = int(reached[-1]) if len(reached) else int(precision_deviates(hits, rows, best.precision).argmax())
    worth = max((_worth_to(rates, clusters, strata) for rates in best.shares(at)), key=lambda worth: worth.design)
    if worth.design == np.inf:
        return Interval(value, 0.0, 1.0)
    low, high = recall_limits(hits / worth.design, rows / worth.design, best.precision, worth.z(confidence))
    return Interval(value, min(low, value), max(high, value))


def _influence(
    value: float, influence: Influence, clusters: Codes | None, confidence: float, strata: Strata | None
) -> Interval:
    """The limits of each class's figure by its own rows and by the others (``stats.means``), joined by MOVER, and those
    of all classes likewise. They lie around what is expected of fresh rows, and always hold the sample's own ``value``.
    A class of one row says nothing of how its figure varies: that may be anything.
    """
    figures = influence.figures
    independent = sum(part.variance for _, parts in figures for part in parts) / len(figures) ** 2
    worth = worth_of_rows(
        influence.effect, clusters, expected=influence.expected, independent=independent, strata=strata
    )
    limits = np.array([_ranked(*pair, worth.design, worth.z(confidence)) for pair in figures])
    around = _of_mean(np.array([figure for figure, _ in figures]), limits[:, 0], limits[:, 1])
    return Interval(value, min(around.low, value), max(around.high, value))


def _ranked(figure: float, parts: Sequence[Spread], design: float, z: float) -> tuple[float, float]:
    if min(part.rows for part in parts) < 2:
        return 0.0, 1.0
    low, high = np.array([_limits(part, design, z) for part in parts]).T
    below, above = np.sqrt(((figure - low) ** 2).sum()), np.sqrt(((high - figure) ** 2).sum())
    return max(figure - float(below), 0.0), min(figure + float(above), 1.0)


def _limits(part: Spread, design: float, z: float) -> tuple[Floats, Floats]:
    """One row less, as in DeLong's variance (1988): the figure around which values vary is made of them."""
    trials = (part.rows - 1) / design
    return score_limits(part.value, part.count / part.rows, trials, z, low=part.low, high=part.high)


def _of_mean(score: Floats, low: Floats, high: Floats) -> Interval:
    """The mean of (m,) shares or the like, whose own limits are joined by MOVER (Zou & Donner 2008)."""
    value, m = float(score.mean()), len(score)
    below, above = np.sqrt(((score - low) ** 2).sum()) / m, np.sqrt(((high - score) ** 2).sum()) / m
    return Interval(value, max(value - float(below), 0.0), min(value + float(above), 1.0))


def _bins(value: float, bins: CalibrationBins, clusters: Codes | None, confidence: float) -> Interval:
    """The square varies in the first order with the means of bins, which rows of a cluster share, and in the second
    with the squared errors that are taken off.
    """
    share, square, error, residual = bin_squares(bins, clusters)
    effect = 2 * np.sqrt(np.maximum(square, 0.0))[bins.bin] * residual / len(residual)
    worth = worth_of_rows(effect, clusters)
    first = worth.design * float(effect @ effect) if effect.any() else 0.0
    half = worth.z(confidence) * np.sqrt(first + float((2 * (share * error) ** 2).sum()))
    total = float(share @ square)
    return Interval(value, min(value, max(total - half, 0.0) ** 0.5), max(value, max(total + half, 0.0) ** 0.5))


def bin_squares(bins: CalibrationBins, clusters: Codes | None = None) -> tuple[Floats, Floats, Floats, Floats]:
    """Of each bin: share of rows, unbiased square of the mean deviation, squared error of the mean; and (n,) how far
    each row deviates from its bin's mean.

    The square of a mean exceeds that of the expectation by the mean's variance, which is taken off (Bröcker
    2012; Kumar, Liang & Ma 2019, "Verified Uncertainty Calibration"). A bin of one row, or of one cluster, counts as
    zero, and is off by as much as it deviates.
    """
    count = np.bincount(bins.bin).astype(np.float64)
    mean = np.bincount(bins.bin, weights=bins.deviation) / np.maximum(count, 1)
    residual = bins.deviation - mean[bins.bin]
    if clusters is None:
        units, squares = count, np.bincount(bins.bin, weights=residual**2)
    else:
        owner, pair = np.unique(clusters * len(count) + bins.bin, return_inverse=True)
        owner %= len(count)
        units = np.bincount(owner, minlength=len(count)).astype(np.float64)
        squares = np.bincount(owner, weights=np.bincount(pair, weights=residual) ** 2, minlength=len(count))
    error = np.where(units > 1, squares / np.maximum(count, 1) ** 2 * units / np.maximum(units - 1, 1), mean**2)
    return count / len(bins.bin), mean**2 - error, error, residual
