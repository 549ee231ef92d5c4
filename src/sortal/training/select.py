"""The choice among candidates: the best on the chosen metric, unless a simpler one cannot be told apart from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.evaluate.compare import corrected_t, difference
from sortal.evaluate.metrics import Metric, per_row_log_loss
from sortal.training.crossval import Scored

ScoreRows = Callable[[Predictions], float]
BOOTSTRAPS = 200
FEWER_BOOTSTRAPS = 40
IMMATERIAL = 0.02
"""A candidate that is further behind the best than this share of its score is worse, however noisy the comparison."""


@dataclass(frozen=True)
class Choice:
    """``best``: first on the metric. ``tied``: those that cannot be told apart from it; ``chosen``: the simplest.

    ``corrected``: the chosen one's estimate without the flattery of having been picked; ``bias``: what was taken off (reported
    minus corrected). ``p_value`` compares the chosen one with the runner-up.
    """

    metric: Metric
    chosen: Scored
    best: Scored
    runner_up: Scored | None
    tied: tuple[Scored, ...]
    p_value: float | None
    corrected: float
    bias: float


def choose(scored: Sequence[Scored], metric: Metric, score_rows: ScoreRows, seed: int) -> Choice:
    """Choose by cross-validation. Nothing that a clock measured has a say, so that runs repeat."""
    ranked = sorted(scored, key=lambda s: _loss(s, metric))
    best = ranked[0]
    tied = tuple(s for s in ranked[1:] if _tied(s, best, metric))
    simplest = min((best, *tied), key=lambda s: s.candidate.family.complexity)
    chosen = simplest if simplest.candidate.family.complexity < best.candidate.family.complexity else best
    runner_up = next((s for s in ranked if s is not chosen), None)
    bias = optimism(scored, metric, score_rows, seed)
    return Choice(
        metric=metric,
        chosen=chosen,
        best=best,
        runner_up=runner_up,
        tied=tied,
        p_value=None if runner_up is None else _p_value(gap(runner_up, chosen, metric)),
        corrected=float(np.mean(chosen.fold_scores[metric.name])) - bias,
        bias=bias,
    )


def _loss(scored: Scored, metric: Metric) -> float:
    mean = float(np.mean(scored.fold_scores[metric.name]))
    return np.inf if np.isnan(mean) else (-mean if metric.higher_is_better else mean)


def gap(worse: Scored, better: Scored, metric: Metric) -> Interval:
    """By how much one candidate is worse than another, in the metric's unit; positive where it is.

    For the log-loss from paired rows; for other metrics from paired folds, by the corrected resampled t.
    """
    if metric.name == "log_loss":
        return difference(per_row_log_loss(worse.predictions), per_row_log_loss(better.predictions))
    a, b = worse.fold_scores[metric.name], better.fold_scores[metric.name]
    a, b = (b, a) if metric.higher_is_better else (a, b)
    return corrected_t(a.tolist(), b.tolist(), worse.train_share)[0]


def _standard_error(interval: Interval) -> float:
    return (interval.high - interval.low) / (2 * NormalDist().inv_cdf(0.975))


def _tied(candidate: Scored, best: Scored, metric: Metric) -> bool:
    """Less than one standard error behind (Breiman et al. 1984, here on paired differences), and by little.

    A few rows that a model is sure and wrong about blow up the error as much as the difference: noise excuses no large gap.
    """
    behind = gap(candidate, best, metric)
    return behind.value < min(_standard_error(behind), IMMATERIAL * abs(float(np.mean(best.fold_scores[metric.name]))))


def _p_value(behind: Interval) -> float | None:
    error = _standard_error(behind)
    return 2 * (1 - NormalDist().cdf(abs(behind.value) / error)) if error > 0 else None


def optimism(scored: Sequence[Scored], metric: Metric, score_rows: ScoreRows, seed: int) -> float:
    """How much the best of these candidates is flattered: its score less that of a pick on rows it was not picked on.

    Bootstrap bias correction of cross-validation: pick on the rows drawn, score the pick on the rows not drawn, again and again
    (Tsamardinos, Greasidou & Borboudakis 2018, "Bootstrapping the out-of-sample predictions").
    """
    if len(scored) < 2:
        return 0.0
    rng = np.random.default_rng(seed)
    return (_additive if metric.name == "log_loss" else _general)(scored, metric, score_rows, rng)


def _additive(scored: Sequence[Scored], metric: Metric, score_rows: ScoreRows, rng: np.random.Generator) -> float:
    """For a mean over rows: every bootstrap is a product of counts and losses."""
    losses = np.column_stack([per_row_log_loss(s.predictions) for s in scored])
    picked = []
    for _ in range(BOOTSTRAPS):
        counts = np.bincount(rng.integers(len(losses), size=len(losses)), minlength=len(losses))
        out = counts == 0
        if not out.any():
            continue
        picked.append((out @ losses / out.sum())[np.argmin(counts @ losses)])
    return float(losses.mean(axis=0).min() - np.mean(picked)) if picked else 0.0


def _general(scored: Sequence[Scored], metric: Metric, score_rows: ScoreRows, rng: np.random.Generator) -> float:
    sign = -1.0 if metric.higher_is_better else 1.0
    n, picked = len(scored[0].predictions), []
    for _ in range(FEWER_BOOTSTRAPS):
        index = rng.integers(n, size=n)
        out = np.setdiff1d(np.arange(n), index)
        drawn = sign * np.array([score_rows(_take(s.predictions, index)) for s in scored])
        if not np.isnan(drawn).all():
            picked.append(score_rows(_take(scored[int(np.nanargmin(drawn))].predictions, out)))
    full = sign * np.array([score_rows(s.predictions) for s in scored])
    if not np.isfinite(picked).any() or np.isnan(full).all():
        return 0.0
    return float(sign * np.nanmin(full) - np.nanmean(picked))


def _take(predictions: Predictions, index: NDArray[np.int64]) -> Predictions:
    return Predictions(
        predictions.classes,
        predictions.rows[index],
        predictions.truth[index],
        predictions.probability[index],
        predictions.part,
    )
