"""Scores of a ranking: ROC-AUC, average precision and recall at a precision, for one class against the rest.

``positive``: (n,) mask; ``score``: (n,), higher where the class is more probable. Rows with equal scores
are never told apart. ``order``: the rows by descending score, where that is known already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats, Mask
from sortal.core.thresholds import descending, threshold_counts
from sortal.stats.sampling import BestCut, Influence, Spread

Order = NDArray[np.int64] | None

PRECISION = 0.9
"""The precision that ``recall_at_precision`` asks for."""
CUTS = 1000
ROUNDING = 1e-12
"""Effects of a row that are no larger are none."""
UNRECOGNISED = 1 / 3
"""Placement of a row that is ranked as if at random, from 0 to 1: its distances from 1 count by their size, as in
``sampling.Mean.within``, so that it is 1 less 1/3 by 1/2."""


def roc_auc(positive: Mask, score: Floats, order: Order = None) -> float:
    """P(score of a positive > that of a negative) + half of P(equal); NaN without either.

    >>> roc_auc(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    hits, negatives = np.count_nonzero(positive), np.count_nonzero(~positive)
    if not hits or not negatives:
        return float("nan")
    _, tp, fp = threshold_counts(positive, score, order)
    height = (tp + np.concatenate([[0.0], tp[:-1]])) / 2
    return float(np.diff(fp, prepend=0.0) @ height / (hits * negatives))


def placements(positive: Mask, score: Floats, order: Order = None) -> Floats:
    """(n,) the share of the other class that each row is ranked rightly against, less the mean of its own class.

    DeLong, DeLong & Clarke-Pearson (1988), by sorting, as in Sun & Xu (2014); ties count half. All NaN without two
    classes.

    >>> placements(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8])).tolist()
    [0.25, -0.25, -0.25, 0.25]
    """
    order = np.argsort(score) if order is None else order[::-1]
    ordered, hit = score[order], positive[order]
    block = np.cumsum(np.diff(ordered, prepend=ordered[:1]) != 0)
    centred = np.full(len(score), np.nan)
    hits, misses = (np.bincount(block, weights=mask) for mask in (hit, ~hit))
    for mask, other, sign in ((hit, misses, 1.0), (~hit, hits, -1.0)):
        if mask.any() and other.any():
            placement = sign * (np.cumsum(other) - other / 2)[block[mask]] / other.sum()
            centred[order[mask]] = placement - placement.mean()
    return centred


def roc_auc_effect(positive: Mask, score: Floats, order: Order = None) -> Floats:
    """Effects whose squares sum to DeLong's variance; NaN for a class of one row, and all NaN without two classes."""
    effect = placements(positive, score, order)
    for mask in (positive, ~positive):
        k = np.count_nonzero(mask)
        effect[mask] = effect[mask] / np.sqrt(k * (k - 1)) if k > 1 else np.nan
    return effect


def average_precision(positive: Mask, score: Floats, order: Order = None) -> float:
    """Sum over thresholds of precision times the gain in recall; NaN without positives.

    >>> round(average_precision(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8])), 4)
    0.8333
    """
    if not positive.any():
        return float("nan")
    _, tp, fp = threshold_counts(positive, score, order)
    return float(np.diff(tp, prepend=0.0) @ (tp / (tp + fp)) / tp[-1])


def average_precision_by_others(positive: Mask, score: Floats, order: Order = None) -> float:
    """The average precision that fresh rows are expected to have: each positive is judged by the other rows alone.

    Average precision counts each positive among the rows of its own threshold, and so is too high for what is to come:
    by a few hundredths where a class has twenty rows. The shares of the other positives and of the negatives above a
    threshold are right on average, and with the share of the class they give the precision there. A positive that
    ranks above all other rows is judged at the next threshold. A single one cannot be judged so, and counts itself.

    >>> round(average_precision_by_others(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8])), 4)
    0.3333
    """
    hits = np.count_nonzero(positive)
    if hits < 2:
        return average_precision(positive, score, order)
    _, tp, fp = threshold_counts(positive, score, order)
    others = np.maximum(tp - 1, 0) * hits / (hits - 1)
    precision = np.divide(others, others + fp, out=np.zeros(len(tp)), where=others + fp > 0)
    if tp[0] + fp[0] == 1:
        precision[0] = precision[1]
    return float(np.diff(tp, prepend=0.0) @ precision / hits)


def average_precision_effect(positive: Mask, score: Floats, order: Order = None) -> Floats:
    """Effects whose squares sum to the jackknife variance: average precision without each row, all at once.

    Leaving out a row takes one from the counts at its own and all lower thresholds, so that suffix sums
    suffice.
    """
    n, hits = len(positive), np.count_nonzero(positive)
    if hits < 2:
        return np.full(n, np.nan)
    order = descending(score) if order is None else order
    _, tp, fp = threshold_counts(positive, score, order)
    gain, rows = np.diff(tp, prepend=0.0), tp + fp
    fewer = np.maximum(rows - 1, 1)
    above = np.concatenate([[0.0], np.cumsum(gain * tp / rows)[:-1]])
    without_negative = (above + _suffix(gain * tp / fewer)) / hits
    below = _suffix(gain * (tp - 1) / fewer) - gain * (tp - 1) / fewer
    without_positive = (above + (gain - 1) * (tp - 1) / fewer + below) / (hits - 1)
    at = np.empty(n, dtype=np.int64)
    at[order] = np.repeat(np.arange(len(rows)), np.diff(rows, prepend=0).astype(np.int64))
    left_out = np.where(positive, without_positive[at], without_negative[at])
    effect: Floats = (left_out.mean() - left_out) * np.sqrt((n - 1) / n)
    return effect


def influence(
    rankings: Sequence[tuple[Mask, Floats, Order]],
    expected_figure: Callable[[Mask, Floats, Order], float],
    effect: Callable[[Mask, Floats, Order], Floats],
    unrecognised: Callable[[Mask], float],
) -> Influence:
    """How the mean of a figure of ``rankings`` (positive, score, order) varies, from the ``effect`` of each row on it.

    ``expected_figure``: the figure of fresh rows, as far as it differs from that of a sample on average.
    ``unrecognised``: what a row adds to the figure that is ranked as if at random. Where a class has one row its
    effects are not known, and zero.
    """
    total, expected = np.zeros((2, len(rankings[0][0])))
    figures = []
    for positive, score, order in rankings:
        value, adds = expected_figure(positive, score, order), effect(positive, score, order)
        adds = adds if np.isfinite(adds).all() else np.zeros(len(adds))
        total += adds / len(rankings)
        spreads, between = [], np.zeros(len(adds))
        for rows in (positive, ~positive):
            effects = adds[rows]
            expected[rows] += effects @ effects / max(len(effects), 1)
            between[rows] = effects.sum() / max(len(effects), 1)
            spreads.append(Spread.around(value, effects, unrecognised(positive)))
        if np.abs(between).max() > ROUNDING:
            spreads.append(Spread.around(value, between, value))
        figures.append((value, spreads))
    return Influence(total, expected, figures)


def recall_at_precision(positive: Mask, score: Floats, precision: float = PRECISION) -> float:
    """The largest recall of a threshold with at least this precision: 0 without one, NaN without positives.

    It is the best point of one curve and therefore optimistic: a description of the ranking, not a promise.
    """
    if not positive.any():
        return float("nan")
    _, tp, fp = threshold_counts(positive, score)
    return float(np.max(tp, initial=0.0, where=tp >= precision * (tp + fp) - 1e-9) / tp[-1])


def best_cut(positive: Mask, score: Floats, precision: float = PRECISION) -> BestCut:
    """What the same depends on: rows by the cuts between which they lie, of which there are 1,000 at most.

    Only cuts right before and right after a positive matter, so with up to 500 positives nothing is lost.
    """
    thresholds, tp, _ = threshold_counts(positive, score)
    rises = np.diff(tp, prepend=0.0) > 0
    ends = np.flatnonzero(rises | np.append(rises[1:], True))
    if len(ends) > CUTS:
        ends = ends[np.linspace(0, len(ends) - 1, CUTS).astype(np.int64)]
    return BestCut(positive, np.searchsorted(-thresholds[ends], -score), precision)


def _suffix(values: Floats) -> Floats:
    return np.cumsum(values[::-1])[::-1]
