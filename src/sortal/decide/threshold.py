"""From costs or a goal to a decision, on predictions for rows that the model has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.costs import incurred
from sortal.core.predictions import Predictions
from sortal.core.task import Capacity, Task
from sortal.core.thresholds import threshold_counts
from sortal.decide.policy import Decision


@dataclass(frozen=True)
class Alternative:
    """A way to decide and its mean cost a row; ``threshold`` is None where it has none."""

    name: str
    threshold: float | None
    expected_cost: float


@dataclass(frozen=True)
class Curve:
    """What deciding positive from each threshold on does to these rows: (m,) arrays, from low to high.

    The figures of a threshold are those of all thresholds down to the next lower one: steps, not a line. The first are
    those of always deciding positive, the last, above every probability, those of never.
    """

    threshold: Floats
    expected_cost: Floats
    precision: Floats
    recall: Floats
    fbeta: Floats


def decide(task: Task, predictions: Predictions) -> Decision:
    """The decision that the task asks for; ``predictions`` should be out-of-fold.

    F-beta: the threshold with the largest F-beta on ``predictions``. Capacity: as many as it says of every batch. Costs
    of two classes: the threshold that follows from them alone, which needs no tuning where probabilities are calibrated
    (Elkan 2001). Costs of more classes, in the rows, or with a reject: the argmin of expected cost. Otherwise: the most
    probable class. What a promise needs is found by ``certify``.
    """
    if task.goal == "f1":
        return Decision("threshold", task.classes, task.positive, f_threshold(task, predictions))
    if task.capacity is not None:
        return _within_capacity(task, task.capacity, predictions)
    if task.cost is not None:
        threshold = bayes_threshold(task)
        kind: Literal["cost", "threshold"] = "cost" if threshold is None else "threshold"
        return Decision(kind, task.classes, task.positive, threshold, task.cost, task.cost_columns, task.reject_cost)
    return Decision("argmax", task.classes, task.positive)


def _within_capacity(task: Task, capacity: Capacity, predictions: Predictions) -> Decision:
    rule = Decision(
        kind="capacity",
        classes=task.classes,
        positive=task.positive,
        threshold=0.0,
        cost=task.cost,
        cost_columns=task.cost_columns,
        capacity=capacity,
    )
    priority = rule.priority(predictions.probability, predictions.row_costs)
    selected = priority[rule.decide(predictions) == task.positive_code]
    # Where nothing is taken, it would begin above everything.
    begins = selected.min() if len(selected) else np.nextafter(priority.max(initial=0.0), np.inf)
    return replace(rule, threshold=float(begins))


def bayes_threshold(task: Task) -> float | None:
    """The probability of the positive class from which on deciding it costs no more (Elkan 2001, eq. 2).

    None where there is none: more than two classes, costs in the rows, a reject, or costs by which being right costs
    more than being wrong.

    >>> costs = ((0.0, 1.0), (4.0, 0.0))
    >>> task = Task("y", ("no", "yes"), (0.9, 0.1), "yes", "log_loss", (), (), "cost", costs)
    >>> bayes_threshold(task)
    0.2
    """
    if task.positive is None or task.cost_columns or task.reject_cost is not None:
        return None
    cost, code = task.costs(), task.positive_code
    false_alarm = cost[1 - code, code] - cost[1 - code, 1 - code]
    missed = cost[code, 1 - code] - cost[code, code]
    if min(false_alarm, missed) < 0 or false_alarm + missed == 0:
        return None
    return float(false_alarm / (false_alarm + missed))


def f_threshold(task: Task, predictions: Predictions) -> float:
    """The threshold with the largest F-beta on these rows (van Rijsbergen 1979), with the task's ``beta``.

    It lies midway between the scores that it separates; of equally good ones the one with the widest gap is
    taken, so that small changes of the scores change nothing.
    """
    score, tp, fp = _sweep(task, predictions)
    weight = task.beta**2
    return _between(score, (1 + weight) * tp / (tp + fp + weight * tp[-1]))


def cost_threshold(task: Task, predictions: Predictions) -> float:
    """The threshold with the lowest cost on these rows, which is what tuning finds.

    Above 1 where never deciding positive is cheapest.
    """
    score, _, _ = _sweep(task, predictions)
    costs = _costs(task, predictions)
    never = _constant(task, predictions)[1 - task.positive_code]
    return _between(score, -costs) if costs.min() < never else float(np.nextafter(1.0, 2.0))


def curve(task: Task, predictions: Predictions, points: int = 500, keep: Sequence[float] = ()) -> Curve:
    """Cost, precision, recall and F-beta at up to ``points`` thresholds, spread evenly over values and over rows.

    Binary tasks only. Without costs every error costs one. ``keep``: thresholds at which the steps are exact, whatever
    is thinned out.
    """
    score, tp, fp = _sweep(task, predictions)
    by_rank = np.linspace(0, len(score) - 1, points // 2).round().astype(np.int64)
    by_value = np.searchsorted(-score, -np.linspace(score[0], score[-1], points - points // 2))
    exact = np.searchsorted(-score, -np.array([x for x in keep if x <= score[0]]), side="right") - 1
    at = np.unique(np.concatenate([by_rank, np.minimum(by_value, len(score) - 1), exact]))[::-1]
    hits, score, costs, tp, fp = tp[-1], score[at], _costs(task, predictions)[at], tp[at], fp[at]
    recall = tp / hits if hits else np.full(len(at), np.nan)
    never, weight = _constant(task, predictions)[1 - task.positive_code], task.beta**2
    return Curve(
        threshold=np.append(score, np.nextafter(score[-1], np.inf)),
        expected_cost=np.append(costs, never),
        precision=np.append(tp / (tp + fp), np.nan),
        recall=np.append(recall, 0.0 if hits else np.nan),
        fbeta=np.append((1 + weight) * tp / (tp + fp + weight * hits), 0.0 if hits else np.nan),
    )


def constants(task: Task, predictions: Predictions) -> tuple[Alternative, ...]:
    """What deciding the same everywhere costs a row of these, by class; of two classes it is always or never the
    positive one.
    """
    worth = _constant(task, predictions)
    names = [f"always {name}" for name in task.classes]
    if task.positive is not None:
        names[1 - task.positive_code] = f"never {task.positive}"
    return tuple(Alternative(name, None, float(worth[code])) for code, name in enumerate(names))


def alternatives(task: Task, predictions: Predictions, decision: Decision) -> tuple[Alternative, ...]:
    """What the decision costs a row, beside the simple ways to decide (of two classes, also the tuned one).

    Without costs every error costs one.
    """
    costs, constant = task.costs(predictions.row_costs), constants(task, predictions)
    likeliest = Decision("argmax", task.classes)

    def mean(rule: Decision) -> float:
        decided = rule.decide(predictions)
        return float(incurred(costs, predictions.truth, decided).mean())

    actual = Alternative("chosen", decision.threshold, mean(decision))
    if task.positive is None:
        cheapest = min(constant, key=lambda alternative: alternative.expected_cost)
        return cheapest, Alternative("most probable", None, mean(likeliest)), actual
    code, tuned = task.positive_code, cost_threshold(task, predictions)
    rule = Decision("threshold", task.classes, task.positive, tuned)
    return (
        replace(constant[code], threshold=0.0),
        constant[1 - code],
        Alternative("at .5", 0.5, mean(Decision("threshold", task.classes, task.positive, 0.5))),
        Alternative("tuned", tuned, mean(rule)),
        actual,
    )


def _sweep(task: Task, predictions: Predictions) -> tuple[Floats, Floats, Floats]:
    code = task.positive_code
    return threshold_counts(predictions.truth == code, predictions.probability[:, code])


def _constant(task: Task, predictions: Predictions) -> Floats:
    """(D,) mean cost a row of deciding the same everywhere."""
    costs, truth = task.costs(predictions.row_costs), predictions.truth
    rows = costs[truth] if costs.ndim == 2 else costs[np.arange(len(truth)), truth]
    return np.asarray(rows.mean(axis=0))


def _costs(task: Task, predictions: Predictions) -> Floats:
    """Mean cost a row at each threshold: what never deciding positive costs, and what each row more changes."""
    costs, truth, code = task.costs(predictions.row_costs), predictions.truth, task.positive_code
    no, yes = (incurred(costs, truth, np.full(len(truth), d)) for d in (1 - code, code))
    score = predictions.probability[:, code]
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    return np.asarray((no.sum() + np.cumsum((yes - no)[order])[ends]) / len(truth))


def _between(score: Floats, gain: Floats) -> float:
    """The middle of the widest gap between neighbouring scores at which the gain is largest."""
    gap = score - np.append(score[1:], 0.0)
    best = np.flatnonzero(gain >= gain.max() - 1e-12)
    at = best[gap[best].argmax()]
    below, middle = score[at] - gap[at], score[at] - gap[at] / 2
    return float(middle if middle > below else score[at])
