"""From costs or a goal to a decision, on predictions for rows that the model has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.predictions import Predictions
from sortal.core.sweep import sweep
from sortal.core.task import Task
from sortal.decide.policy import Decision

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Alternative:
    """A way to decide and its mean cost a row; ``threshold`` is None where it has none."""

    name: str
    threshold: float | None
    expected_cost: float


@dataclass(frozen=True)
class Curve:
    """What deciding positive from each threshold on does to these rows: (m,) arrays, from low to high."""

    threshold: Floats
    expected_cost: Floats
    precision: Floats
    recall: Floats
    f1: Floats


def decide(task: Task, predictions: Predictions) -> Decision:
    """The decision that the task asks for; ``predictions`` should be out-of-fold.

    Costs of two classes: the threshold that follows from them alone, which needs no tuning where
    probabilities are calibrated (Elkan 2001). Costs of more classes: the argmin of expected cost. F1: the
    threshold with the largest F1 on ``predictions``. Otherwise: the most probable class.
    """
    if task.cost is not None:
        threshold = bayes_threshold(task)
        kind: Literal["cost", "threshold"] = "cost" if threshold is None else "threshold"
        return Decision(kind, task.classes, task.positive, threshold, task.cost)
    if task.goal == "f1":
        return Decision("threshold", task.classes, task.positive, f1_threshold(task, predictions))
    return Decision("argmax", task.classes, task.positive)


def bayes_threshold(task: Task) -> float | None:
    """The probability of the positive class from which on deciding it costs no more (Elkan 2001, eq. 2).

    None where there is none: more than two classes, or costs by which being right costs more than being
    wrong.

    >>> costs = ((0.0, 1.0), (4.0, 0.0))
    >>> task = Task("y", ("no", "yes"), (0.9, 0.1), "yes", "log_loss", (), (), "cost", costs)
    >>> bayes_threshold(task)
    0.2
    """
    if task.positive is None:
        return None
    cost, code = task.cost_matrix(), task.positive_code
    false_alarm = cost[1 - code, code] - cost[1 - code, 1 - code]
    missed = cost[code, 1 - code] - cost[code, code]
    if min(false_alarm, missed) < 0 or false_alarm + missed == 0:
        return None
    return float(false_alarm / (false_alarm + missed))


def f1_threshold(task: Task, predictions: Predictions) -> float:
    """The threshold with the largest F1 on these rows.

    It lies midway between the scores that it separates; of equally good ones the one with the widest gap is
    taken, so that small changes of the scores change nothing.
    """
    score, tp, fp = _sweep(task, predictions)
    return _between(score, 2 * tp / (tp + fp + tp[-1]))


def cost_threshold(task: Task, predictions: Predictions) -> float:
    """The threshold with the lowest cost on these rows, which is what tuning finds.

    Above 1 where never deciding positive is cheapest.
    """
    score, tp, fp = _sweep(task, predictions)
    costs = _costs(task, tp, fp)
    never = task.cost_matrix()[predictions.truth, 1 - task.positive_code].mean()
    return _between(score, -costs) if costs.min() < never else float(np.nextafter(1.0, 2.0))


def curve(task: Task, predictions: Predictions, points: int = 500) -> Curve:
    """Cost, precision, recall and F1 at up to ``points`` thresholds, spread evenly over values and over rows.

    Binary tasks only. Without costs every error costs one.
    """
    score, tp, fp = _sweep(task, predictions)
    by_rank = np.linspace(0, len(score) - 1, points // 2).round().astype(np.int64)
    by_value = np.searchsorted(-score, -np.linspace(score[0], score[-1], points - points // 2))
    at = np.unique(np.concatenate([by_rank, np.minimum(by_value, len(score) - 1)]))[::-1]
    hits, score, costs, tp, fp = tp[-1], score[at], _costs(task, tp, fp)[at], tp[at], fp[at]
    recall = tp / hits if hits else np.full(len(at), np.nan)
    return Curve(score, costs, tp / (tp + fp), recall, 2 * tp / (tp + fp + hits))


def alternatives(task: Task, predictions: Predictions, decision: Decision) -> tuple[Alternative, ...]:
    """What the decision costs a row, beside the simple ways to decide (of two classes, also the tuned one).

    Without costs every error costs one.
    """
    costs, truth = task.cost_matrix(), predictions.truth
    constant = costs[truth].mean(axis=0)
    likeliest = Decision("argmax", task.classes)

    def mean(rule: Decision) -> float:
        return float(costs[truth, rule.apply(predictions.probability)].mean())

    chosen = Alternative("chosen", decision.threshold, mean(decision))
    if task.positive is None:
        cheapest = int(constant.argmin())
        always = Alternative(f"always {task.classes[cheapest]}", None, float(constant[cheapest]))
        return always, Alternative("most probable", None, mean(likeliest)), chosen
    code, tuned = task.positive_code, cost_threshold(task, predictions)
    rule = Decision("threshold", task.classes, task.positive, tuned)
    return (
        Alternative(f"always {task.positive}", 0.0, float(constant[code])),
        Alternative(f"never {task.positive}", None, float(constant[1 - code])),
        Alternative("at 0.5", 0.5, mean(likeliest)),
        Alternative("tuned", tuned, mean(rule)),
        chosen,
    )


def _sweep(task: Task, predictions: Predictions) -> tuple[Floats, Floats, Floats]:
    code = task.positive_code
    return sweep(predictions.truth == code, predictions.probability[:, code])


def _costs(task: Task, tp: Floats, fp: Floats) -> Floats:
    """Mean cost a row at each step of a sweep."""
    cost, code = task.cost_matrix(), task.positive_code
    fn, tn = tp[-1] - tp, fp[-1] - fp
    of_positives = cost[code, code] * tp + cost[code, 1 - code] * fn
    of_negatives = cost[1 - code, code] * fp + cost[1 - code, 1 - code] * tn
    mean: Floats = (of_positives + of_negatives) / (tp[-1] + fp[-1])
    return mean


def _between(score: Floats, gain: Floats) -> float:
    """The middle of the widest gap between neighbouring scores at which the gain is largest."""
    gap = score - np.append(score[1:], 0.0)
    best = np.flatnonzero(gain >= gain.max() - 1e-12)
    at = best[gap[best].argmax()]
    below, middle = score[at] - gap[at], score[at] - gap[at] / 2
    return float(middle if middle > below else score[at])
