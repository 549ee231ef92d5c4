"""Frame the problem: from the target column, and what was asked, to a Task with its reasons in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from sortal.core import registry
from sortal.core.cost_notation import EXAMPLE, parse_cost, parse_cost_columns
from sortal.core.errors import OptionError, TaskError, did_you_mean
from sortal.core.labels import code_of, encode, in_order, label_type_of, number
from sortal.core.option_values import parse_capacity
from sortal.core.sheets import GoalOptions
from sortal.core.task import Goal, LabelType, Promise, Task
from sortal.core.writing import level, percent
from sortal.core.writing import number as figure

__all__ = ["encode", "frame_task", "label_type_of"]

SELECTION: Final = "log_loss"
MANY_NUMBERS: Final = 20
FEW_ROWS: Final = 10
NEARLY_ALL: Final = 0.9

Counts = Mapping[str, int]


def frame_task(labels: pl.Series, goal: GoalOptions, label_type: LabelType = "str", weight: str | None = None) -> Task:
    """The task that a target column and the caller's wishes amount to.

    ``labels``: canonical text (polars String), missing is null. ``goal``: what was asked. The positive class is the
    rarer one unless told; candidates are selected by log-loss, a proper scoring rule (Gneiting & Raftery 2007), unless
    told. The headline figures follow the situation: balanced, imbalanced, costs. ``label_type``: see ``label_type_of``;
    ``weight``: the column of weights, where there is one.

    Raises TaskError where the target cannot be learned (one class, no values, nearly all distinct, a
    quantity, a class with one row: see ``lone_classes``) or lacks the positive class or the classes of the costs;
    OptionError for a metric that is not registered or does not fit, and for goals that contradict each other.

    >>> task = frame_task(pl.Series(["no"] * 9 + ["yes"] * 3), GoalOptions("churned", cost="fp=1,fn=8"))
    >>> task.classes, task.positive, task.metric, task.headline[0]
    (('no', 'yes'), 'yes', 'log_loss', 'expected_cost')
    """
    counts = _count(labels)
    _check_target(goal.target, labels, counts)
    rows = sum(counts.values())
    positive, why = _positive(goal.positive, goal.target, counts)
    task = Task(
        target=goal.target,
        classes=tuple(counts),
        prevalence=tuple(count / rows for count in counts.values()),
        positive=positive,
        metric=SELECTION if goal.metric == "auto" else goal.metric,
        headline=(),
        reasons=(),
        label_type=label_type,
        coverage=goal.sets,
    )
    task = _aimed(_with_costs(task, goal), goal, rows)
    if goal.metric != "auto":
        _check_metric(task)
    reasons = (
        why,
        _situation(task),
        _selection(task, explicit=goal.metric != "auto"),
        _aim(task),
        "" if weight is None else f"a row counts by {weight!r} in every fit, and once in every figure",
    )
    return replace(task, headline=_headline(task), reasons=tuple(reason for reason in reasons if reason))


def _with_costs(task: Task, goal: GoalOptions) -> Task:
    columns = parse_cost_columns(goal.cost_column, task.classes, task.positive)
    task = replace(task, cost_columns=columns, reject_cost=goal.reject_cost)
    if goal.cost is not None or columns:
        texts = {} if goal.cost is None else goal.cost
        return replace(task, goal="cost", cost=parse_cost(texts, task.classes, task.positive, columns))
    if goal.reject_cost is not None:
        errors = (1.0 - np.eye(len(task.classes))).tolist()
        return replace(task, goal="cost", cost=tuple(map(tuple, errors)))
    return task


def _aimed(task: Task, goal: GoalOptions, rows: int) -> Task:
    """With what the decision is made for, where that is more than least cost."""
    levels = (goal.precision, goal.recall, goal.fpr)
    goals: dict[str, Goal] = {}
    if goal.f1 or goal.f_beta is not None:
        goals["the largest F1"] = "f1"
    if any(share is not None for share in levels):
        goals["a promise (precision, recall, fpr)"] = "promise"
    if goal.capacity is not None:
        goals["a capacity"] = "capacity"
    if not goals:
        return task
    name, aim = next(iter(goals.items()))
    rival = [*goals][1:] or (["the cost of a reject"] if task.reject_cost is not None else [])
    if aim == "f1" and (goal.cost is not None or goal.cost_column):
        rival = ["the costs"]
    if rival:
        raise OptionError(f"{rival[0]} and {name} are two different goals; give one of them")
    if task.positive is None:
        raise OptionError(f"{name} needs two classes; the target {task.target!r} has {len(task.classes)}")
    return replace(
        task,
        goal=aim,
        beta=goal.beta,
        promise=Promise(*levels, goal.confidence) if aim == "promise" else None,
        capacity=None if goal.capacity is None else parse_capacity(goal.capacity, rows),
    )


def _count(labels: pl.Series) -> Counts:
    """Rows of each class, in the natural order of the classes."""
    value_counts = labels.drop_nulls().value_counts()
    counts = dict(zip(value_counts[:, 0].to_list(), value_counts[:, 1].to_list(), strict=True))
    return {name: counts[name] for name in in_order(counts)}


def _check_target(target: str, labels: pl.Series, counts: Counts) -> None:
    rows = sum(counts.values())
    if not rows:
        raise TaskError(f"the target {target!r} has no values: all {len(labels):,} rows are missing")
    if len(counts) == 1:
        only = next(iter(counts))
        raise TaskError(
            f"the target {target!r} has one class only ({only!r} in {rows:,} rows): there is nothing to tell apart"
        )
    _check_names(target, counts)
    if lone := _lone(counts):
        raise TaskError(
            f"class {lone[0]!r} of the target {target!r} has one row, which cannot be both learned and tested; "
            "give more rows of it"
        )


def _check_names(target: str, counts: Counts) -> None:
    """Values that are no names of classes: quantities, and those of which nearly every row has its own."""
    rows = sum(counts.values())
    _check_quantity(target, counts)
    if len(counts) > NEARLY_ALL * rows:
        raise TaskError(
            f"the target {target!r} has {len(counts):,} distinct values in {rows:,} rows: "
            "it looks like an id or a free text, not a class; name another column"
        )


def lone_classes(target: str, labels: pl.Series) -> list[str]:
    """The classes of one row, where there are two others: they cannot be both learned and tested, the others can.

    Raises TaskError as ``frame_task`` does, for a target that names no classes or leaves fewer than two.

    >>> lone_classes("pet", pl.Series(["dog"] * 5 + ["cat"] * 3 + ["emu"]))
    ['emu']
    """
    counts = _count(labels)
    lone = _lone(counts)
    if len(counts) - len(lone) < 2:
        _check_target(target, labels, counts)
    _check_names(target, counts)
    return lone


def _lone(counts: Counts) -> list[str]:
    return [name for name, count in counts.items() if count == 1]


def _check_quantity(target: str, counts: Counts) -> None:
    """Many distinct numbers, with fractions or with few rows each, are measured and not named."""
    values = [number(name) for name in counts]
    numbers = [value for value in values if value is not None]
    rows = sum(counts.values())
    if len(numbers) < len(values) or len(numbers) <= MANY_NUMBERS:
        return
    if all(value.is_integer() for value in numbers) and rows >= FEW_ROWS * len(numbers):
        return
    quartiles = np.quantile(np.repeat(numbers, list(counts.values())), [0.25, 0.5, 0.75])
    cuts = ", ".join(f"{quartile:.4g}" for quartile in quartiles)
    raise TaskError(
        f"the target {target!r} looks continuous: {len(numbers):,} distinct numbers in {rows:,} rows; "
        f"make classes of it first, for example bins cut at its quartiles {cuts}"
    )


def _positive(positive: object, target: str, counts: Counts) -> tuple[str | None, str]:
    """The positive class and why it is."""
    names = list(counts)
    if positive is not None:
        code = code_of(positive, names)
        if code is None:
            hint = did_you_mean(str(positive), names)
            raise TaskError(f"the positive class {str(positive)!r} is no class of the target {target!r}; {hint}")
        if len(names) != 2:
            raise TaskError(f"a positive class needs two classes; the target {target!r} has {len(names)}")
        return names[code], f"the positive class is {names[code]!r}, as told"
    if len(names) != 2:
        return None, ""
    first, second = names
    if counts[first] == counts[second]:
        return second, f"the positive class is {second!r}, the later in order, as both have as many rows"
    rarer = min(names, key=counts.__getitem__)
    share = counts[rarer] / sum(counts.values())
    return rarer, f"the positive class is {rarer!r}, the rarer one ({percent(share)} of the rows)"


def _check_metric(task: Task) -> None:
    metric = registry.load("sortal.metrics", task.metric)
    if metric.binary_only and not task.binary:
        k = len(task.classes)
        raise OptionError(f"the metric {task.metric!r} is for two classes; the target {task.target!r} has {k}")
    if task.metric == "expected_cost" and task.cost is None:
        raise OptionError(f"the metric 'expected_cost' needs costs, {EXAMPLE}")


def _headline(task: Task) -> tuple[str, ...]:
    """What is reported first, by situation."""
    if not task.imbalanced:
        names = ["accuracy", "balanced_accuracy", "roc_auc"]
    elif task.binary:
        names = ["average_precision", "recall_at_precision", "roc_auc"]
    else:
        names = ["balanced_accuracy", "average_precision", "roc_auc"]
    first = ["expected_cost"] if task.cost else []
    if task.goal == "f1":
        first = ["f1"] if task.beta == 1 else ["fbeta", "f1"]
    if task.goal in ("promise", "capacity"):
        first = [*_promised_metrics(task), "precision", "recall", *first]
    return tuple(dict.fromkeys([*first, *names, task.metric]))


def _promised_metrics(task: Task) -> list[str]:
    promise = task.promise
    return [
        name for name in ("precision", "recall", "fpr") if promise is not None and getattr(promise, name) is not None
    ]


def _situation(task: Task) -> str:
    share, rarest = min(zip(task.prevalence, task.classes, strict=True))
    if not task.imbalanced:
        return f"no class is rare ({rarest!r} has {percent(share)}): accuracy means something"
    most, commonest = max(zip(task.prevalence, task.classes, strict=True))
    return (
        f"the classes are imbalanced ({rarest!r} has {percent(share)} of the rows): accuracy says little, "
        f"as always saying {commonest!r} has {figure(most)}"
    )


def _label(metric: str) -> str:
    return str(registry.load("sortal.metrics", metric).label)


def _selection(task: Task, explicit: bool) -> str:
    if explicit:
        return f"candidates are selected by {_label(task.metric)}, as told"
    return (
        f"candidates are selected by {_label(task.metric)}: a proper scoring rule, which rewards honest probabilities"
    )


def _aim(task: Task) -> str:
    """What the decision is made for, in words."""
    if task.goal == "f1":
        weight = "" if task.beta == 1 else f", where recall weighs {level(task.beta)} times as much as precision"
        return f"the threshold is the one with the largest F{level(task.beta)} of {task.positive!r}{weight}"
    if task.promise is not None:
        templates = {"precision": "precision >= {}", "recall": "recall >= {}", "fpr": "false positive rate <= {}"}
        statement = " and ".join(
            templates[name].format(level(getattr(task.promise, name))) for name in _promised_metrics(task)
        )
        proof = f"certified at {percent(task.promise.confidence)} confidence on rows that the model never saw"
        return f"{statement} of {task.positive!r} is promised: {proof}, or refused"
    if task.capacity is not None:
        most = (
            f"{task.capacity.count:,} rows at once"
            if task.capacity.count
            else f"{percent(task.capacity.share)} of the rows"
        )
        which = "where it spares the largest cost" if task.cost else "where it is most probable"
        return f"{task.positive!r} is decided for {most}, {which}"
    if task.cost is None:
        return "no costs were given: every error counts the same, so the most probable class is decided"
    lowest = "the decision with the lowest expected cost is taken"
    if task.reject_cost is not None:
        lowest += f"; leaving a row to a person costs {level(task.reject_cost)}"
    if task.cost_columns:
        return f"{lowest}, with costs from {', '.join(repr(c.column) for c in task.cost_columns)} in each row"
    if task.positive is None:
        return lowest
    code = task.positive_code
    missed, false_alarm = (task.cost[t][1 - t] - task.cost[t][t] for t in (code, 1 - code))
    if max(missed, false_alarm) <= 0:
        return f"{lowest}; being wrong costs no more than being right: are the two classes the right way round?"
    if min(missed, false_alarm) <= 0:
        return f"{lowest}; one of the two errors costs no more than being right, so the same decision is always right"
    return f"{lowest}; a missed {task.positive!r} costs as much as {level(missed / false_alarm, 3)} false alarms"
