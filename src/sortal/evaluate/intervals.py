"""How sure a score is: two-sided intervals, most of them in closed form.

A metric says how it varies from sample to sample by one of five plain descriptions (``stats.sampling``), and each has
one method:

| description     | score                       | method                                                    |
|-----------------|-----------------------------|-----------------------------------------------------------|
| Rates           | mean of shares of successes | Wilson (1927), joined by MOVER (Zou & Donner 2008)        |
| Mean            | mean of one value a row     | Student's t after Hall's (1992) removal of skewness       |
| Influence       | figure of a ranking, 0 to 1 | DeLong's (1988) or jackknife variance, on the logit scale |
| CalibrationBins | calibration error           | normal approximation of a debiased quadratic form         |
| CountCells      | best of many counts         | bootstrap of the counts, the low end reflected            |

A metric that gives none is bootstrapped by row. In simulations, closed forms kept their level where
percentiles of a bootstrap did not (skewed losses, few positives, rates near 0 or 1). ``groups`` (rows that
belong together, such as those of one patient) replace rows as the unit that varies: residuals are summed
within groups, rates count as many trials as they are worth (design effect), and the quantiles are those of
Student's t with one degree of freedom less than there are groups (Cameron & Miller 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.interval import Interval
from sortal.stats.proportions import two_sided_z, wilson
from sortal.stats.sampling import CalibrationBins, CountCells, Influence, Mean, Rates, Sampling

CELLS_AT_ONCE = 2_000_000
SURE = 8.0
"""Beyond this many standard deviations a normal probability is one in floating point."""


def sampling_interval(
    value: float, sampling: Sampling, clusters: Codes | None, seed: int, confidence: float, repeats: int
) -> Interval:
    """The interval of a score of this ``value`` by the method of its description."""
    match sampling:
        case Rates() as rates:
            return rates_interval(rates, clusters, confidence)
        case Mean() as mean:
            return mean_interval(mean.values, clusters, confidence, low=mean.low, high=mean.high)
        case Influence() as influence:
            return _influence(value, influence, clusters, confidence)
        case CalibrationBins() as bins:
            return _bins(value, bins, clusters, confidence)
        case CountCells() as cells:
            scores = _recount(cells, clusters, seed, repeats)
            return percentile_interval(value, scores, confidence, optimistic=True)


def rates_interval(rates: Rates, clusters: Codes | None = None, confidence: float = 0.95) -> Interval:
    """Wilson's interval of each rate, joined to that of their mean by MOVER (Zou & Donner 2008).

    Where rates share rows, or rows come in clusters, trials are divided by the design effect: the variance
    of the linearised mean over that of independent rates.
    """
    confidence = _enough(confidence, clusters)
    trials, share, score = rates.trials, rates.shares, rates.scores
    slope = 2 / (1 + share) ** 2 if rates.f1 else np.ones_like(share)
    effect = np.zeros(len(rates.pairs[0][0]))
    for k, (trial, success) in enumerate(rates.pairs):
        effect += slope[k] / np.maximum(trials[k], 1) * (success - share[k] * trial)
    independent = float((slope**2 * share * (1 - share) / np.maximum(trials, 1)).sum())
    if independent > 0:
        design = max(_variance(effect, clusters), float(effect @ effect)) / independent
    else:
        design = 1.0 if clusters is None else len(clusters) / (clusters.max() + 1)
    low, high = wilson(share, trials / design, two_sided_z(confidence))
    if rates.f1:
        low, high = 2 * low / (1 + low), 2 * high / (1 + high)
    value, m = float(score.mean()), len(score)
    below, above = np.sqrt(((score - low) ** 2).sum()) / m, np.sqrt(((high - score) ** 2).sum()) / m
    return Interval(value, max(value - below, 0.0), min(value + above, 1.0))


def mean_interval(
    values: Floats,
    clusters: Codes | None = None,
    confidence: float = 0.95,
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> Interval:
    """The mean of one value a row, by Student's t on Hall's cubic transformation, which removes the skewness.

    Hall (1992), "On the removal of skewness by transformation". With clusters the units are
    cluster sums, linearised. Where nothing varies and the values have a range, a share of fresh rows that
    Wilson's bound allows may lie at its ends.
    """
    from scipy.special import stdtrit

    value = float(values.mean())
    if clusters is not None:
        sums = np.bincount(clusters, weights=values - value)
        values = np.asarray(value + sums * (len(sums) / len(values)), dtype=np.float64)
    n = len(values)
    if n < 2:
        return Interval(value, np.nan, np.nan)
    deviation = values - value
    spread = float(np.sqrt((deviation**2).sum() / (n - 1)))
    if spread <= 1e-12 * max(1.0, abs(value)):
        share = float(wilson(0.0, n, two_sided_z(confidence))[1])
        down, up = (share * room if np.isfinite(room) else 0.0 for room in (value - low, high - value))
        return Interval(value, value - down, value + up)
    skew = float((deviation**3).mean()) / spread**3
    error, t = spread / np.sqrt(n), float(stdtrit(n - 1, 0.5 + confidence / 2))
    bounds = [value - error * _without_skew(x, skew, n) for x in (t, -t)]
    return Interval(value, max(low, min(value, bounds[0])), min(high, max(value, bounds[1])))


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
    drawn = (rng.integers(len(members), size=len(members)) for _ in range(repeats))
    return np.array([score(np.concatenate([members[g] for g in draw])) for draw in drawn])


def _recount(cells: CountCells, clusters: Codes | None, seed: int, repeats: int) -> Floats:
    """Scores of bootstrap samples of the counts, which for independent rows are multinomial."""
    rng = np.random.default_rng(seed)
    n, used = len(cells.cell), np.unique(cells.cell)
    step, scores = max(1, CELLS_AT_ONCE // cells.size), []
    for start in range(0, repeats, step):
        size = min(step, repeats - start)
        counts = np.zeros((size, cells.size), dtype=np.int64)
        if clusters is None:
            shares = np.bincount(cells.cell, minlength=cells.size)[used] / n
            counts[:, used] = rng.multinomial(n, shares, size=size)
        else:
            groups = clusters.max() + 1
            weights = rng.multinomial(groups, np.full(groups, 1 / groups), size=size)
            for r in range(size):
                counts[r] = np.bincount(cells.cell, weights=weights[r, clusters], minlength=cells.size)
        scores.append(cells.score(counts))
    return np.concatenate(scores)


def percentile_interval(value: float, scores: Floats, confidence: float, optimistic: bool = False) -> Interval:
    """Percentiles of bootstrap scores; samples in which the metric is undefined are left out.

    The best of many flatters, and the best of a resample flatters once more: the low end of such a score is
    at least as far below it as the high end is above (the reflected percentile).
    """
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(scores, [0.5 - confidence / 2, 0.5 + confidence / 2])
    if optimistic:
        low = min(low, max(2 * value - high, 0.0))
    return Interval(value, min(value, float(low)), max(value, float(high)))


def _influence(value: float, influence: Influence, clusters: Codes | None, confidence: float) -> Interval:
    variance, confidence = _variance(influence.effect, clusters), _enough(confidence, clusters)
    evidence = influence.evidence if clusters is None else min(influence.evidence, int(clusters.max()) + 1)
    if evidence < 2 or not np.isfinite(variance):
        return Interval(value, 0.0, 1.0)
    if min(value, 1 - value) < 1e-12:  # perfectly ranked: no variance to see, as with a rate of 0 or 1
        low, high = wilson(round(value), evidence, two_sided_z(confidence))
        return Interval(value, min(value, float(low)), max(value, float(high)))
    reach = np.exp(two_sided_z(confidence) * np.sqrt(variance) / (value * (1 - value)))
    return Interval(value, value / (value + (1 - value) * reach), value * reach / (value * reach + 1 - value))


def _bins(value: float, bins: CalibrationBins, clusters: Codes | None, confidence: float) -> Interval:
    count, share, square, error = bin_squares(bins, clusters)
    variance = (share**2 * (4 * np.maximum(square, 0) * error + 2 * error**2))[count > 1].sum()
    half = two_sided_z(confidence) * np.sqrt(variance)
    total = float((share * square).sum())
    return Interval(value, min(value, max(total - half, 0.0) ** 0.5), max(value, max(total + half, 0.0) ** 0.5))


def bin_squares(bins: CalibrationBins, clusters: Codes | None = None) -> tuple[Floats, Floats, Floats, Floats]:
    """Of each bin: rows, share of rows, unbiased square of the mean deviation, squared error of the mean.

    The square of a mean exceeds that of the expectation by the mean's variance, which is taken off (Bröcker
    2012; Kumar, Liang & Ma 2019, "Verified Uncertainty Calibration"). A bin of one row counts as
    zero.
    """
    count = np.bincount(bins.bin).astype(np.float64)
    mean = np.bincount(bins.bin, weights=bins.deviation) / np.maximum(count, 1)
    residual = bins.deviation - mean[bins.bin]
    error = np.bincount(bins.bin, weights=residual**2) / np.maximum(count * (count - 1), 1)
    square = np.where(count > 1, mean**2 - error, 0.0)
    if clusters is not None:
        _, pair = np.unique(clusters * len(count) + bins.bin, return_inverse=True)
        owner = np.zeros(pair.max() + 1, dtype=np.int64)
        owner[pair] = bins.bin
        squares = np.bincount(pair, weights=residual) ** 2
        error = np.bincount(owner, weights=squares, minlength=len(count)) / np.maximum(count, 1) ** 2
    return count, count / len(bins.bin), square, error


def _variance(effect: Floats, clusters: Codes | None) -> float:
    """Variance of a sum of independent effects, or of effects that are independent between clusters only."""
    if clusters is None:
        return float(effect @ effect)
    sums = np.bincount(clusters, weights=effect)
    return float(sums @ sums) * len(sums) / max(len(sums) - 1, 1)


def _enough(confidence: float, clusters: Codes | None) -> float:
    """The confidence at which the normal quantile is that of Student's t with the degrees of freedom of the
    clusters.
    """
    from scipy.special import stdtrit

    if clusters is None:
        return confidence
    t = float(stdtrit(max(int(clusters.max()), 1), 0.5 + confidence / 2))
    return 2 * NormalDist().cdf(min(t, SURE)) - 1


def _without_skew(x: float, skew: float, n: int) -> float:
    """Inverse of Hall's transformation: the quantile of a studentised mean of skewed values."""
    if abs(skew) < 1e-9:
        return x
    root = np.sqrt(n)
    return float(root * 3 / skew * (np.cbrt(1 + skew * (x / root - skew / (6 * n))) - 1))
