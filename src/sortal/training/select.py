"""The choice among candidates: the best on the chosen metric, unless a simpler or faster one cannot be told apart from
it.

The score of whatever looked best is flattered by having looked best. ``selection_bias`` says by how much, for any rule
of choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.predictions import Predictions
from sortal.evaluate.metrics import Metric, per_row_log_loss
from sortal.stats.sampling import Influence, Mean, Rates, Sampling
from sortal.training.comparison import loss_of, p_value, standard_errors
from sortal.training.complexity import Complexity, simplest
from sortal.training.cv_result import Result

ScoreRows = Callable[[Predictions], float]
Describe = Callable[[Predictions], Sampling | None]
"""How a candidate's score varies with the rows, as the metric's ``sampling`` tells it."""
Selector = Callable[[Floats], int]
"""From (K,) losses to the number of the candidate that is chosen by them."""
Reason = Literal["best", "simpler", "faster"]

QUARTERS = 4
SPLITS, FEWER_SPLITS = 200, 40
CELLS_AT_ONCE = 4_000_000
IMMATERIAL = 0.02
"""A candidate that is further behind the best than this share of its score is worse, however noisy the comparison."""


@dataclass(frozen=True)
class Choice:
    """``best``: first on the metric. ``tied``: those that cannot be told apart from it; ``winner``: the simplest of all
    these.

    ``reason``: why it was chosen. ``corrected``: its estimate without the bias of having been selected; ``bias``: what
    was taken off (reported minus corrected). ``p_value`` compares it with the ``runner_up``.
    """

    metric: Metric
    winner: Result
    best: Result
    runner_up: Result | None
    tied: tuple[Result, ...]
    p_value: float | None
    corrected: float
    bias: float
    reason: Reason = "best"


def choose(
    scored: Sequence[Result],
    metric: Metric,
    score_rows: ScoreRows,
    seed: int,
    *,
    describe: Describe | None = None,
    groups: NDArray[np.generic] | None = None,
) -> Choice:
    """Choose by cross-validation. Nothing that a clock measured has a say, so that runs repeat.

    ``score_rows``: the metric of some predictions. ``describe``: what that score is made of; it makes the correction
    surer and quicker for any metric that is a mean, a share or a ranking. ``groups``: (n,) ids of the rows of the
    candidates' predictions that belong together.
    """
    losses = np.array([loss_of(s, metric) for s in scored])
    ties = _ties(scored, metric, groups)
    candidates = ties(losses)
    complexities = [s.complexity for s in scored]
    number = simplest(complexities, candidates)
    best, winner = scored[candidates[0]], scored[number]
    ranked = [scored[i] for i in np.argsort(losses, kind="stable")]
    runner_up = next((s for s in ranked if s is not winner), None)
    bias = optimism(scored, metric, score_rows, seed, describe=describe, groups=groups)
    return Choice(
        metric=metric,
        winner=winner,
        best=best,
        runner_up=runner_up,
        tied=tuple(scored[i] for i in candidates[1:]),
        p_value=None if runner_up is None else p_value(runner_up, winner, metric, groups),
        corrected=float(np.mean(winner.fold_scores[metric.name])) - bias,
        bias=bias,
        reason=_reason(complexities[number], complexities[candidates[0]]),
    )


def _reason(winner: Complexity, best: Complexity) -> Reason:
    if not winner.much_less(best):
        return "best"
    return "simpler" if winner.complexity < best.complexity else "faster"


def _ties(
    scored: Sequence[Result], metric: Metric, groups: NDArray[np.generic] | None
) -> Callable[[Floats], list[int]]:
    """From (K,) losses to the best candidate and those that cannot be told apart from it, best first.

    That is: less than one standard error behind (Breiman et al. 1984, here on paired differences), and by little. A few
    rows that a model is sure and wrong about blow up the error as much as the difference: noise excuses no large gap.
    """
    little = IMMATERIAL * np.abs([loss_of(s, metric) for s in scored])
    margin = np.minimum(standard_errors(scored, metric, groups), little)

    def ties(losses: Floats) -> list[int]:
        order = np.argsort(losses, kind="stable").tolist()
        best = order[0]
        if not np.isfinite(losses[best]):
            return [best]
        tied = losses - losses[best] <= margin[:, best]
        return [best, *(i for i in order[1:] if tied[i])]

    return ties


def optimism(
    scored: Sequence[Result],
    metric: Metric,
    score_rows: ScoreRows,
    seed: int,
    *,
    describe: Describe | None = None,
    groups: NDArray[np.generic] | None = None,
) -> float:
    """By how much the score of the chosen candidate is flattered: its score less what it will be, in the metric's unit.

    ``selection_bias`` of the very rule that chooses, ties included. A metric that does not tell what it is made of is
    scored again and again, fewer times.
    """
    if len(scored) < 2:
        return 0.0
    losses = np.array([loss_of(s, metric) for s in scored])
    ties, complexities = _ties(scored, metric, groups), [s.complexity for s in scored]

    def pick(losses: Floats) -> int:
        return simplest(complexities, ties(losses))

    if describe is None and metric.name == "log_loss":
        describe = _log_loss_rows
    described = [] if describe is None else [describe(s.predictions) for s in scored]
    descriptions = [d for d in described if isinstance(d, Mean | Rates | Influence)]
    sign = 1.0 if metric.higher_is_better else -1.0
    if len(descriptions) == len(scored) and len(shares := {_shares(d) for d in descriptions}) == 1 and 0 not in shares:
        return sign * selection_bias(
            descriptions, losses, pick, seed, higher_is_better=metric.higher_is_better, groups=groups
        )
    return sign * _rescored(scored, losses, pick, lambda p: -sign * score_rows(p), seed, groups)


def _shares(described: Mean | Rates | Influence) -> int:
    """How many shares a score is the mean of: fewer where all rows of a class, or all, are left to a person."""
    return len(described.pairs) if isinstance(described, Rates) else 1


def _log_loss_rows(predictions: Predictions) -> Mean:
    return Mean(per_row_log_loss(predictions), 0.0, np.inf)


def selection_bias(
    described: Sequence[Mean | Rates | Influence],
    losses: Floats,
    pick: Selector,
    seed: int,
    *,
    higher_is_better: bool = False,
    groups: NDArray[np.generic] | None = None,
) -> float:
    """How much worse a candidate that ``pick`` chooses is than it looked, as a loss: zero or more, but for noise.

    ``described``: what the scores of K candidates on the same n rows are made of. ``losses``: (K,) what is known of
    them, which ``pick`` chose by. ``groups``: (n,) ids of rows that stay together.

    Pick by three quarters of the rows, and score the pick on the others, again and again. What is averaged is by how
    much it falls short there of the pick of all rows: that has the same expectation, and the noise that all candidates
    share cancels. Close to bootstrap bias correction (Tsamardinos, Greasidou & Borboudakis 2018, "Bootstrapping the
    out-of-sample predictions"), whose samples are as noisy as halves of the rows would be: it makes a clear winner look
    worse than it is.

    >>> noise = np.random.default_rng(0).normal(size=(20, 100))
    >>> losses = noise.mean(axis=1)
    >>> best = lambda losses: int(np.argmin(losses))
    >>> bias = selection_bias([Mean(x, -np.inf, np.inf) for x in noise], losses, best, seed=0)
    >>> print(f"looks {losses.min():.2f}, corrected {losses.min() + bias:.2f}, is 0")
    looks -0.26, corrected -0.14, is 0
    """
    sign = -1.0 if higher_is_better else 1.0
    deviate = _deviations(described)
    winner, shortfalls = pick(losses), []
    for out in _left_out(_rows(described[0]), groups, SPLITS, seed):
        inside, outside = (losses + sign * deviation for deviation in deviate(out))
        defined = np.isfinite(inside).any(axis=1)
        inside = np.where(np.isnan(inside), np.inf, inside)
        shortfalls += [o[pick(i)] - o[winner] for i, o in zip(inside[defined], outside[defined], strict=True)]
    return _mean_of_finite(shortfalls)


def _rescored(
    scored: Sequence[Result],
    losses: Floats,
    pick: Selector,
    loss: ScoreRows,
    seed: int,
    groups: NDArray[np.generic] | None,
) -> float:
    """The same for any metric, by scoring the rows that are picked by and those that are left out."""
    predictions = [s.predictions for s in scored]
    shift = losses - np.array([loss(p) for p in predictions])
    winner, shortfalls = pick(losses), []
    for out in _left_out(len(predictions[0]), groups, FEWER_SPLITS, seed):
        for mask in out > 0:
            inside = shift + np.array([loss(p.take(~mask)) for p in predictions])
            if not np.isfinite(inside).any():
                continue
            k = pick(np.where(np.isnan(inside), np.inf, inside))
            outside = [shift[i] + loss(predictions[i].take(mask)) for i in (k, winner)] if k != winner else [0.0, 0.0]
            shortfalls.append(outside[0] - outside[1])
    return _mean_of_finite(shortfalls)


def _mean_of_finite(values: Sequence[float]) -> float:
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.mean()) if len(finite) else 0.0


def _left_out(n: int, groups: NDArray[np.generic] | None, splits: int, seed: int) -> Iterator[Floats]:
    """(b, n) masks, ones and zeros, of a quarter of the rows or of the groups: ``splits`` of them, some at once.

    Four quarters in a row are disjoint, so that every row is left out equally often.
    """
    rng = np.random.default_rng(seed)
    clusters = None if groups is None else np.unique(groups, return_inverse=True)[1]
    units = n if clusters is None else int(clusters.max()) + 1
    if units < QUARTERS:
        return
    step = max(1, CELLS_AT_ONCE // (QUARTERS * n))
    for start in range(0, splits, QUARTERS * step):
        deals = rng.permuted(np.tile(np.arange(units) % QUARTERS, (min(step, (splits - start) // QUARTERS), 1)), axis=1)
        masks = (deals[:, None, :] == np.arange(QUARTERS)[None, :, None]).reshape(-1, units).astype(np.float64)
        yield masks if clusters is None else masks[:, clusters]


def _rows(described: Mean | Rates | Influence) -> int:
    match described:
        case Mean(values=values) | Influence(effect=values):
            return len(values)
        case Rates(pairs=pairs):
            return len(pairs[0][0])


def _deviations(described: Sequence[Mean | Rates | Influence]) -> Callable[[Floats], tuple[Floats, Floats]]:
    """From (b, n) masks of rows to (b, K) deviations from the scores of all rows: of the others, and of those rows.

    Every score is a mean of m ratios of sums over rows; that of a ranking is one in the first order, by what each row
    adds.
    """
    parts = [_sums(d) for d in described]
    above, below = (np.concatenate([part[i] for part in parts], axis=1) for i in (0, 1))
    if all(np.array_equal(part[1], parts[0][1]) for part in parts[1:]):
        below = parts[0][1]
    f1 = isinstance(described[0], Rates) and described[0].f1

    def score(over: Floats, under: Floats) -> Floats:
        under = np.tile(under, (1, over.shape[1] // under.shape[1]))
        share = np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
        share = 2 * share / (1 + share) if f1 else share
        scores: Floats = share.reshape(len(over), len(described), -1).mean(axis=2)
        return scores

    over, under = above.sum(axis=0, keepdims=True), below.sum(axis=0, keepdims=True)
    whole = score(over, under)

    def deviate(masks: Floats) -> tuple[Floats, Floats]:
        out_over, out_under = masks @ above, masks @ below
        return score(over - out_over, under - out_under) - whole, score(out_over, out_under) - whole

    return deviate


def _sums(described: Mean | Rates | Influence) -> tuple[Floats, Floats]:
    """(n, m) what each row adds above, and below, each of the m fraction bars."""
    match described:
        case Mean(values=values):
            return values[:, None], np.ones((len(values), 1))
        case Influence(effect=effect):
            return len(effect) * effect[:, None], np.ones((len(effect), 1))
        case Rates(pairs=pairs):
            numerator, denominator = (np.column_stack([pair[i] for pair in pairs]).astype(np.float64) for i in (1, 0))
            return numerator, denominator
