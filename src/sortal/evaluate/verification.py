"""The test against what was promised before it: figures, certificates and sets, and the rule beside deciding all rows
alike.

A figure is worse where the difference to what was promised is beyond chance, both being known from their rows alone,
and in doubt where each lies outside the other's interval, which chance may bring. Costs are paired, since all ways to
decide see the same rows; a rule that costs more there than deciding all rows alike is told so even where that may be
chance: it did not pay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core import registry
from sortal.core.arrays import Codes
from sortal.core.costs import incurred
from sortal.core.interval import Estimate
from sortal.core.plain import plain
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.core.writing import interval, level, listing, number
from sortal.evaluate.compare import apart, change, excess_cost
from sortal.evaluate.decisions import absent, decided_rows, rejected
from sortal.evaluate.metrics import Metric, label_of
from sortal.evaluate.trend import Trend, trend

Figures = Mapping[str, Estimate]
Standing = Literal["as promised", "better", "in doubt", "worse", "unknown"]

COVERAGE = "coverage of sets"
"""Named beside the metrics: how often the prediction set of a row holds its true class."""


@dataclass(frozen=True)
class Rival:
    """Deciding every row alike, on the test: its ``cost`` a row, and by how much the rule costs more (``excess``,
    paired).
    """

    name: str
    cost: float
    excess: Estimate


@dataclass(frozen=True)
class PromiseCheck:
    """A figure as it was promised and as it is on the test.

    ``metric``: its name, or "coverage of sets". ``promised``: on rows that the model never saw, or the level that was
    asked for, which has no interval. ``change``: from one to the other, null where a level was asked for. ``standing``:
    "worse" and "better" are beyond chance, "in doubt" is worse and outside both intervals, but may be chance.
    """

    metric: str
    promised: Estimate
    observed: Estimate
    change: Estimate | None
    standing: Standing


@dataclass(frozen=True)
class Verification:
    """The test against what was promised before it.

    ``absent``: classes that are true of no row, ``undecided``: those of which every row is left to a person; averages
    over classes leave them out. ``rejected``: the share of rows that is left to a person, null where none can be.
    ``trend``: of the metric of selection over the time of the test, where its rows are newer than all others.
    ``warnings``: what falls short, in sentences; ``notes``: what else a reader of the figures should know.
    """

    rows: int
    absent: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    rejected: Estimate | None = None
    rivals: tuple[Rival, ...] = ()
    promises: tuple[PromiseCheck, ...] = ()
    trend: Trend | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Level:
    """A level that was asked for: ``figure`` is to be at least that, or ``at_most``. ``refused``: it could not be
    promised.
    """

    name: str
    target: float
    figure: Estimate
    at_most: bool = False
    refused: bool = False


@dataclass(frozen=True)
class Promises:
    """What was known before the test was opened: the ``evidence`` that the decision was made on, and its figures.
    ``levels``: what was asked for, with the figures that the test has of it.
    """

    evidence: Predictions
    figures: Figures
    levels: Sequence[Level] = ()


def verify(
    task: Task,
    test: Predictions,
    decided: Codes,
    figures: Figures,
    promises: Promises,
    times: Codes | None = None,
    seed: int = 0,
) -> Verification:
    """How these rows of the test, decided so (n,), bear out what was promised. ``figures``: those of the test.

    ``times``: (n,) of its rows, where they are newer than those by which the figures were promised.
    """
    level_names = {goal.name for goal in promises.levels}
    names = [n for n in dict.fromkeys((*task.headline, task.metric)) if n in figures and n not in level_names]
    checks = [
        *(check_level(goal) for goal in promises.levels if not goal.refused),
        *(check_figure(name, promises.figures[name], figures[name]) for name in names if name in promises.figures),
    ]
    rivals = tuple(_rivals(task, promises.evidence, test, decided))
    newer = times is not None
    metric: Metric = registry.load("sortal.metrics", task.metric)
    over_time = None if times is None else trend(metric, task, test, decided, times, seed)
    no_row = absent(task, test.truth)
    undecided = tuple(name for name in absent(task, decided_rows(task, test.truth, decided)) if name not in no_row)
    return Verification(
        rows=len(test),
        absent=no_row,
        undecided=undecided,
        rejected=None if task.reject_cost is None else Estimate.of(rejected(task, decided, test.clusters)),
        rivals=rivals,
        promises=tuple(checks),
        trend=over_time,
        warnings=(*_dearer(rivals), *(_sentence(check, newer) for check in checks if check.standing == "worse")),
        notes=(
            *(_sentence(check, newer) for check in checks if check.standing == "in doubt"),
            *absences(no_row, undecided, one_row(task, test.truth)),
            *([] if over_time is None else [_over_time(over_time)]),
        ),
    )


def absences(no_row: tuple[str, ...], undecided: tuple[str, ...] = (), one_row: tuple[str, ...] = ()) -> Iterator[str]:
    r"""Which classes an average over classes leaves out: those true of no row, and those whose rows are all left to a
    person; and which say next to nothing in it.

    >>> print(*absences(("a", "b"), ("c",), ("d",)), sep="\n")
    no row is a, b: averages over classes leave them out
    all rows of c are left to a person: averages over decisions leave it out
    a single row is d: how well it is ranked is not known, which widens ROC-AUC and average precision
    """
    if no_row:
        names, them = listing([plain(name) for name in no_row]), "it" if len(no_row) == 1 else "them"
        yield f"no row is {names}: averages over classes leave {them} out"
    if undecided:
        names, them = listing([plain(name) for name in undecided]), "it" if len(undecided) == 1 else "them"
        yield f"all rows of {names} are left to a person: averages over decisions leave {them} out"
    if one_row:
        names, suffix = listing([plain(name) for name in one_row]), "" if len(one_row) == 1 else " each"
        them = "it is" if len(one_row) == 1 else "they are"
        yield (
            f"a single row{suffix} is {names}: how well {them} ranked is not known, which widens ROC-AUC and average "
            "precision"
        )


def one_row(task: Task, truth: Codes) -> tuple[str, ...]:
    """The classes that are true of a single row."""
    counts = np.bincount(truth, minlength=len(task.classes))
    return tuple(label for label, count in zip(task.classes, counts, strict=True) if count == 1)


def _rivals(task: Task, evidence: Predictions, test: Predictions, decided: Codes) -> Iterator[Rival]:
    """Deciding every row alike, where costs are what the decision is made by: of two classes always and never, of more
    classes the one that looked cheapest before the test. A capacity does not allow always."""
    if task.goal not in ("cost", "argmax") and not (task.goal == "capacity" and task.cost is not None):
        return
    if task.positive is None:
        code = int(np.argmin([_alike(task, evidence, code).mean() for code in range(len(task.classes))]))
        ways = {f"always {plain(task.classes[code])}": code}
    else:
        code, positive = task.positive_code, plain(task.positive)
        ways = {} if task.goal == "capacity" else {f"always {positive}": code}
        ways[f"never {positive}"] = 1 - code
    for name, code in ways.items():
        excess = excess_cost(task, test, decided, code)
        yield Rival(name, float(_alike(task, test, code).mean()), Estimate.of(excess))


def _alike(task: Task, rows: Predictions, code: int) -> NDArray[np.float64]:
    """(n,) costs of deciding this class in every row."""
    return incurred(task.costs(rows.row_costs), rows.truth, np.full(len(rows), code))


def _dearer(rivals: tuple[Rival, ...]) -> Iterator[str]:
    for rival in rivals:
        excess = rival.excess
        if excess.value is not None and excess.value > 0:
            chance = "" if excess.low is not None and excess.low > 0 else ", which may be chance"
            yield (
                f"the rule costs more than {rival.name} ({number(rival.cost)} a row) on the test: by "
                f"{interval(excess, 1)}{chance}"
            )


def check_figure(name: str, promised: Estimate, observed: Estimate) -> PromiseCheck:
    """A figure against the one that was promised."""
    before, after = promised.interval, observed.interval
    if before is None or after is None:
        return PromiseCheck(name, promised, observed, None, "unknown")
    measure: Metric = registry.load("sortal.metrics", name)
    difference = change(before, after)
    gain = difference.value if measure.higher_is_better else -difference.value
    beyond = difference.low > 0 or difference.high < 0
    standing: Standing = "as promised"
    if beyond:
        standing = "better" if gain > 0 else "worse"
    elif gain < 0 and apart(before, after):
        standing = "in doubt"
    return PromiseCheck(name, promised, observed, Estimate.of(difference), standing)


def check_level(goal: Level) -> PromiseCheck:
    """A figure against the level that was asked for."""
    figure = goal.figure
    ends = (figure.low, figure.value) if goal.at_most else (figure.high, figure.value)
    short = [end is not None and (end > goal.target if goal.at_most else end < goal.target) for end in ends]
    standing: Standing = "worse" if short[0] else "in doubt" if short[1] else "as promised"
    return PromiseCheck(goal.name, Estimate(goal.target), figure, None, standing)


def _over_time(trend: Trend) -> str:
    """What the test says of the future.

    >>> print(_over_time(Trend("log_loss", (), (), Estimate(0.05, 0.01, 0.09))))
    over the time of the test log-loss changes by .05 [.01 .09]: newer rows fare worse, so that later ones may again
    """
    change, measure = trend.change, registry.load("sortal.metrics", trend.metric)
    text = f"over the time of the test {label_of(trend.metric)} changes by {interval(change)}"
    if change.low is None or change.high is None or change.low <= 0 <= change.high:
        return f"{text}: no trend beyond chance"
    worse = (change.low > 0) != measure.higher_is_better
    return f"{text}: newer rows fare {'worse' if worse else 'better'}, so that later ones may again"


def _sentence(check: PromiseCheck, newer: bool = False) -> str:
    name = check.metric if check.metric == COVERAGE else label_of(check.metric)
    if check.change is None:
        promise = f"{level(check.promised.value or 0.0)} was promised"
    else:
        promise = f"{interval(check.promised)} was promised{' by older rows' if newer else ''}"
    doubt = ", which may be chance" if check.standing == "in doubt" else ""
    return f"{name} is {interval(check.observed)} on the test, {promise}{doubt}"
