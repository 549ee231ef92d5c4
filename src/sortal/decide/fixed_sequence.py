"""Where a search for a threshold starts and which way it goes, and how many rows it would need.

A sequence cannot harm a guarantee: it is laid down before the labels that are the evidence are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sortal.core.arrays import Floats, Ints, Mask
from sortal.decide.certificate import Outlook, about
from sortal.decide.exact import Constraint, Counts, RankedScores, at_least, between, fewest_trials
from sortal.stats.proportions import two_sided_z, wilson

FIRST, STEP = 5, 1.03
"""Rows selected by the first start that is considered, and how many times as many each next one selects."""
FINE_STEP = 0.2
"""Rows between neighbouring thresholds of a sequence, times the square root of those selected: a part of their
noise."""
DRAWS, SEED = 200, 0
NEARLY, HOPELESS = 0.99, 0.01
"""Starts with so much of the best expected recall are as good; with less expected recall than this, none is."""
LEAST_SELECTED = 10
"""Rows that a threshold has to have selected so far; what fewer of them show is no ground to ask for more."""
PROMISING = 32
"""Thresholds that an outlook looks at: neighbours promise nearly the same."""
CHANCE, MOST_ROWS = 0.8, 10_000_000
"""What a number of rows has to do with, and beyond which there is none."""


@dataclass(frozen=True)
class _ScoreBins:
    """Learned rows between neighbouring candidate thresholds, from high to low: (J,) arrays.

    ``log_odds``: mean of the scores. ``rows``, ``hits``: rows, and positives among them. The last bin ends with the
    lowest score.
    """

    thresholds: Floats
    log_odds: Floats
    rows: Floats
    hits: Floats

    @classmethod
    def of(cls, tuning: RankedScores) -> _ScoreBins:
        score, n = tuning.score[::-1], len(tuning)
        thresholds, ends = _cuts(tuning.score, _growing(n))
        starts = np.append(0, ends[:-1])
        clipped = np.clip(score, 1e-12, 1 - 1e-12)
        rows = np.diff(ends, prepend=0).astype(np.float64)
        hits = np.add.reduceat(tuning.positive[::-1].astype(np.float64), starts)
        return cls(thresholds, np.add.reduceat(np.log(clipped / (1 - clipped)), starts) / rows, rows, hits)

    @property
    def share(self) -> Floats:
        share: Floats = self.rows / self.rows.sum()
        return share


def _growing(rows: int) -> Floats:
    """Numbers of selected rows, each some per cent more than the one before, up to all."""
    steps = np.arange(np.log(max(rows / FIRST, 1)) / np.log(STEP) + 1)
    return np.unique(np.append(np.minimum(np.floor(FIRST * STEP**steps), rows), rows))


def _finely(first: float, last: int) -> Floats:
    """Numbers of selected rows, each a small part of its noise more than the one before."""
    steps = np.arange(2 * (np.sqrt(last) - np.sqrt(first)) / FINE_STEP + 1)
    numbers: Floats = (np.sqrt(first) + FINE_STEP / 2 * steps) ** 2
    return numbers


def _cuts(score: Floats, ranks: Floats) -> tuple[Floats, Ints]:
    """Thresholds from high to low that select so many of the rows, or all that tie with these; and how many."""
    n = len(score)
    values = np.unique(score[n - np.clip(ranks, 1, n).astype(np.int64)])[::-1]
    first = np.searchsorted(score, values)
    below = np.where(first > 0, score[first - 1], 0.0)
    return np.array([between(low, high) for low, high in zip(below, values, strict=True)]), n - first


def planned_sequence(
    constraints: list[Constraint], tuning: RankedScores, certification_scores: Floats, alpha: float
) -> Floats:
    """The candidate thresholds in the order of their tests; of the certification rows only the scores are known.

    Precision alone goes by ranks of the certification scores: each test takes the fewest rows with which so many wrong
    ones pass, for with more of them the same number would prove less than was asked. With other measures the thresholds
    are those of tuning rows.
    """
    if not len(tuning):
        return np.array([0.5])
    rows = len(certification_scores)
    if [constraint.measure for constraint in constraints] == ["precision"]:
        ranks = _frugal_ranks(constraints[0], rows, alpha)
        start = _best_start(constraints, tuning, ranks, alpha, ranked=True)
        return _cuts(certification_scores, ranks[start:])[0]
    ranks = _growing(rows)
    first = ranks[_best_start(constraints, tuning, ranks, alpha, ranked=False)] * len(tuning) / rows
    return _cuts(tuning.score, _finely(first, len(tuning)) + 1e-6)[0]


def _frugal_ranks(constraint: Constraint, rows: int, alpha: float) -> Floats:
    """The fewest rows with which 0, 1, 2, ... wrong ones pass, and all; before them, fewer, of which some may be
    refused best.

    Not every number of wrong ones where neighbours are far closer than noise.
    """
    wrong = np.unique(np.floor((1 - constraint.rate) * _finely(0, rows)))
    fewest = fewest_trials(wrong, constraint.rate, alpha)
    few = _growing(rows)
    return np.unique(np.concatenate([few[few < fewest[0]], fewest[fewest < rows], [rows]]))


def _best_start(
    constraints: list[Constraint], tuning: RankedScores, ranks: Floats, alpha: float, *, ranked: bool
) -> int:
    """Which test promises most as the first, by simulated certification rows under what is known of the scores.

    The tests select the highest ``ranks`` of all ``ranks[-1]`` certification rows, exactly if ``ranked`` and on average
    if not.
    """
    bins, rows = _ScoreBins.of(tuning), ranks[-1]
    rng = np.random.default_rng(SEED)
    rate = _drawn_rates(bins, rng)
    share, hits_above = (np.insert(np.cumsum(x, axis=-1), 0, 0, axis=-1) for x in (bins.share, bins.share * rate))
    recall = np.array([np.interp(ranks / rows, share, curve) for curve in hits_above])
    more = np.diff(ranks, prepend=0)
    draws = np.broadcast_to(more, recall.shape) if ranked else rng.poisson(more, size=recall.shape)
    right = np.clip(np.diff(recall, axis=1, prepend=0) * rows / more, 0, 1)
    hits = np.cumsum(rng.binomial(draws.astype(np.int64), right), axis=1).astype(np.float64)
    selected = np.cumsum(draws, axis=1).astype(np.float64)
    positives = hits[:, -1:]
    counts = Counts(selected, hits, positives, selected[:, -1:] - positives)
    outcomes = [(*constraint.outcome(counts), constraint.rate) for constraint in constraints]
    passes = np.logical_and.reduce([at_least(k, m, r) <= alpha for k, m, r in outcomes])
    worth = _worth(passes, recall / np.maximum(recall[:, -1:], 1e-300))
    # among starts that are as good, and where all are hopeless, the one where most can be certified
    good = (worth >= NEARLY * worth.max()) | (worth.max() < HOPELESS)
    surplus = np.minimum.reduce([_lower_limit(k, m, alpha) - r for k, m, r in outcomes]).mean(axis=0)
    return int(np.where(good, surplus, -np.inf).argmax())


def _worth(passes: Mask, recall: Floats) -> Floats:
    """(J,) the mean recall at the last threshold of an unbroken run of passes from each start; (draws, J) given."""
    reached = np.zeros_like(recall)
    end = np.zeros(len(recall))
    for j in range(recall.shape[1] - 1, -1, -1):
        end = np.where(passes[:, j], np.maximum(end, recall[:, j]), 0.0)
        reached[:, j] = end
    worth: Floats = reached.mean(axis=0)
    return worth


def _lower_limit(successes: Floats, trials: Floats, alpha: float) -> Floats:
    """Wilson's, one-sided: close to Clopper-Pearson's and fast."""
    from scipy.special import ndtri

    trials = np.maximum(trials, 1)
    return wilson(successes / trials, trials, -float(ndtri(alpha)))[0]


def _critical(trials: Floats, rate: ArrayLike, alpha: float) -> Floats:
    """The least number of successes that passes, before rounding; by the Cornish-Fisher expansion, good to a row or
    so.
    """
    from scipy.special import ndtri

    z, r = -float(ndtri(alpha)), np.asarray(rate)
    least: Floats = trials * r + z * np.sqrt(trials * r * (1 - r)) + (z * z - 1) * (1 - 2 * r) / 6 + 0.5
    return least


def _drawn_rates(bins: _ScoreBins, rng: np.random.Generator) -> Floats:
    """(DRAWS, J) shares of positives in the bins, drawn from what is known of them.

    Half of the draws follow a logistic curve of the scores, fitted to the bins; half follow each bin by itself,
    with the weight of one row for the curve. The one stands against noise, the other against a wrong curve.
    """
    fit, covariance = _logistic(bins)
    curves = rng.multivariate_normal(fit, covariance, size=DRAWS // 2)
    smooth = _sigmoid(curves[:, :1] + curves[:, 1:] * bins.log_odds)
    prior = np.clip(_sigmoid(fit[0] + fit[1] * bins.log_odds), 1e-3, 1 - 1e-3)
    size = (DRAWS - len(smooth), len(bins.rows))
    rough = rng.beta(bins.hits + prior, bins.rows - bins.hits + 1 - prior, size=size)
    return np.concatenate([smooth, rough])


def _logistic(bins: _ScoreBins) -> tuple[Floats, Floats]:
    """Intercept and slope of log-odds on log-odds by Newton's method, with their covariance.

    A normal prior around 0 and 1 (precisions .01 and 1) stands in where there is nothing to learn.
    """
    x = np.column_stack([np.ones_like(bins.log_odds), bins.log_odds])
    centre, precision = np.array([0.0, 1.0]), np.diag([0.01, 1.0])
    fit, curvature = centre.copy(), precision

    def loss(at: Floats) -> float:
        away = at - centre
        return float(bins.rows @ np.logaddexp(0, x @ at) - bins.hits @ (x @ at) + away @ precision @ away / 2)

    for _ in range(100):
        p = _sigmoid(x @ fit)
        curvature = (x * (bins.rows * p * (1 - p))[:, None]).T @ x + precision
        step = np.linalg.solve(curvature, x.T @ (bins.hits - bins.rows * p) - precision @ (fit - centre))
        # Where the scores say nothing, a whole step goes too far, and the next one back.
        while loss(fit + step) > loss(fit) and np.abs(step).max() >= 1e-8:
            step = step / 2
        fit = fit + step
        if np.abs(step).max() < 1e-8:
            break
    return fit, np.linalg.inv(curvature)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def outlook(
    constraints: list[Constraint], learner: RankedScores, tested: RankedScores, rows: int, alpha: float
) -> Outlook:
    """About how many labelled rows, at least ``rows``, would pass the tests with a chance of four in five.

    The chance is over the rows and over what is known of the scores (an assurance: O'Hagan, Stevens & Campbell 2005).
    The threshold is the one that ``learner`` promises most of, and what it keeps is known from all rows, of which the
    ``tested`` ones had no say in that: the most promising one of all rows would be flattered. The prevalence stays what
    it is.
    """
    bins, rng = _ScoreBins.of(learner), np.random.default_rng(SEED)
    rate = _drawn_rates(bins, rng)
    candidates = np.flatnonzero(np.cumsum(bins.rows) >= min(LEAST_SELECTED, len(learner)))
    candidates = candidates[:: len(candidates) // PROMISING + 1]
    hits = np.cumsum(bins.share * rate, axis=1)
    learner_counts = Counts(np.cumsum(bins.share)[candidates], hits[:, candidates], hits[:, -1:], _rest(hits[:, -1:]))
    all_shares = _drawn_shares(
        _sum(learner.counts(bins.thresholds[candidates]), tested.counts(bins.thresholds[candidates])), rng
    )

    def chance(n: int) -> float:
        at = int(_power(constraints, learner_counts, n, alpha).mean(axis=0).argmax())
        return float(_power(constraints, Counts(*(x[..., [at]] for x in all_shares)), n, alpha).mean())

    if (hopes := chance(MOST_ROWS)) < CHANCE:
        return Outlook(None, hopes, _reaches(constraints, bins))
    most = rows
    while chance(most) < CHANCE and most < MOST_ROWS:
        most *= 2
    least = rows if most == rows else most // 2
    while most - least > max(most // 50, 1):
        middle = (least + most) // 2
        least, most = (least, middle) if chance(middle) >= CHANCE else (middle, most)
    most = about(most)
    return Outlook(most, chance(most), _reaches(constraints, bins))


def _sum(a: Counts, b: Counts) -> Counts:
    return Counts(a.selected + b.selected, a.hits + b.hits, a.positives + b.positives, a.negatives + b.negatives)


def _drawn_shares(counts: Counts, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats]:
    """(DRAWS, J) shares of all rows, as in ``Counts``, drawn from what these counts say of them, with the weight of one
    row for the prevalence.
    """
    rows = counts.positives + counts.negatives
    prior = (counts.positives + 0.5) / (rows + 1)
    below, missed = rows - counts.selected, counts.positives - counts.hits
    size = (DRAWS, len(counts.selected))
    hits = rng.beta(counts.hits + prior, counts.selected - counts.hits + 1 - prior, size) * counts.selected / rows
    rest = rng.beta(missed + prior, below - missed + 1 - prior, size) * below / rows
    return np.broadcast_to(counts.selected / rows, size), hits, hits + rest, _rest(hits + rest)


def _rest(share: Floats) -> Floats:
    """Of one, without the rounding that leaves less than nothing."""
    return np.maximum(1 - share, 0.0)


def _power(constraints: list[Constraint], shares: Counts, n: int, alpha: float) -> Floats:
    """(DRAWS, J) how probably ``n`` rows with these shares pass all tests."""
    of_n = Counts(
        *(np.floor(n * share) for share in (shares.selected, shares.hits, shares.positives, shares.negatives))
    )
    power = []
    for constraint in constraints:
        successes, share = constraint.outcome(shares)
        _, trials = constraint.outcome(of_n)
        true = np.clip(successes / np.maximum(share, 1e-300), 0, 1)
        power.append(at_least(np.ceil(_critical(trials, constraint.rate, alpha)), trials, true))
    passes: Floats = np.broadcast_to(np.minimum.reduce(np.broadcast_arrays(*power)), shares.hits.shape)
    return passes


def _reaches(constraints: list[Constraint], bins: _ScoreBins) -> float | None:
    """The best precision of any threshold that these rows show beyond chance (Wilson); None where more is asked."""
    if [constraint.measure for constraint in constraints] != ["precision"]:
        return None
    selected = np.cumsum(bins.rows)
    return float(wilson(np.cumsum(bins.hits) / selected, selected, two_sided_z(0.95))[0].max())
