"""What is said of a threshold that was chosen on labelled rows: on these very rows it looks better than it is.

So rows are decided by a threshold that they had no say in, and by resampling it is told how sure the threshold itself
is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.core.thresholds import descending
from sortal.decide.calibrate import stratified_assign
from sortal.decide.policy import Decision
from sortal.decide.threshold import f_threshold

FOLDS, SAMPLES = 5, 200


def decide_apart(task: Task, predictions: Predictions, rule: Decision, seed: int) -> Codes:
    """(n,) codes of these rows, by the rule; where it was chosen on them, each fifth of the rows (of the groups) by a
    threshold that was chosen on the others.
    """
    if task.goal != "f1":
        return rule.decide(predictions)
    return by_threshold_of_others(task, predictions, lambda others: f_threshold(task, others), seed)


def by_threshold_of_others(
    task: Task, predictions: Predictions, choose: Callable[[Predictions], float], seed: int
) -> Codes:
    """(n,) codes, each fifth of the rows decided by the threshold that ``choose`` finds on the others."""
    decided = np.full(len(predictions), 1 - task.positive_code)
    fold = stratified_assign(predictions.truth, predictions.clusters, FOLDS, np.random.default_rng(seed))
    for number in np.unique(fold):
        rows = fold == number
        if rows.all():
            return Decision("argmax", task.classes, task.positive).decide(predictions)
        rule = Decision("threshold", task.classes, task.positive, choose(predictions.take(~rows)))
        decided[rows] = rule.decide(predictions.take(rows))
    return decided


def threshold_interval(task: Task, predictions: Predictions, rule: Decision, seed: int) -> Interval | None:
    """The threshold of a rule that was chosen on these rows, with where other rows would have put it in 95 % of
    bootstrap samples; None where no row had a say in it.
    """
    if rule.threshold is None or task.goal not in ("f1", "capacity"):
        return None
    priority = rule.priority(predictions.probability, predictions.row_costs)
    order = descending(priority)
    ranked, positive = priority[order], predictions.truth[order] == task.positive_code
    clusters = None if predictions.clusters is None else predictions.clusters[order]
    # A rule for some rows takes up to the last of equal ones.
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    rng = np.random.default_rng(seed)

    def place(count: Floats) -> int:
        selected = np.cumsum(count)[ends]
        if task.goal == "capacity" and rule.capacity is not None:
            return int(np.searchsorted(selected, rule.capacity.share * count.sum()))
        hits, weight = np.cumsum(count * positive)[ends], task.beta**2
        return int(np.argmax((1 + weight) * hits / np.maximum(selected + weight * hits[-1], 1)))

    def resampled() -> Floats:
        units = len(ranked) if clusters is None else int(clusters.max()) + 1
        count = np.bincount(rng.integers(units, size=units), minlength=units).astype(np.float64)
        return count if clusters is None else count[clusters]

    at = np.array([place(resampled()) for _ in range(SAMPLES)])
    values = ranked[ends]
    if task.goal == "f1":
        values = (values + np.append(values[1:], 0.0)) / 2
    low, high = np.quantile(values[np.minimum(at, len(values) - 1)], [0.025, 0.975])
    return Interval(rule.threshold, min(rule.threshold, float(low)), max(rule.threshold, float(high)))
