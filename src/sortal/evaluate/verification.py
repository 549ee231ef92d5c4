"""The test against what was promised before it: figures, certificates and sets, and the rule beside deciding all rows alike.

A figure is worse where the difference to what was promised is beyond chance, both being known from their rows alone, and in doubt
where each lies outside the other's interval, which chance may bring. Costs are paired, since all ways to decide see the same
rows; a rule that costs more there than deciding all rows alike is told so even where that may be chance: it did not pay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.core import registry
from sortal.core.costs import incurred
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.certificate import Certificate
from sortal.evaluate.compare import apart, change, difference
from sortal.evaluate.metrics import Metric, absent, decided_rows, rejected
from sortal.report.notation import interval, level, listing, number, plain
from sortal.report.notation import metric as title
from sortal.report.record import Estimate, Kept, Rival, Sets, Standing, Trial

Codes = NDArray[np.int64]
Figures = Mapping[str, Estimate]


@dataclass(frozen=True)
class Promises:
    """What was known before the test was opened: the ``evidence`` that the decision was made on, its figures, and a certificate."""

    evidence: Predictions
    figures: Figures
    certificate: Certificate | None = None


def trial(
    task: Task,
    test: Predictions,
    decided: Codes,
    found: Figures,
    promises: Promises,
    sets: Sets | None = None,
) -> Trial:
    """How these rows of the test, decided so (n,), bear out what was promised. ``found``: their figures."""
    proven = {bound.measure for bound in promises.certificate.bounds} if promises.certificate else set()
    names = [name for name in dict.fromkeys((*task.headline, task.metric)) if name in found and name not in proven]
    held = [
        *_proven(promises.certificate, found),
        *([at_least("coverage of sets", sets.asked, sets.coverage)] if sets is not None else []),
        *(kept(name, promises.figures[name], found[name]) for name in names if name in promises.figures),
    ]
    rivals = tuple(_rivals(task, promises.evidence, test, decided))
    lost = absent(task, test.truth)
    left = tuple(name for name in absent(task, decided_rows(task, test.truth, decided)) if name not in lost)
    return Trial(
        rows=len(test),
        absent=lost,
        undecided=left,
        rejected=None if task.reject_cost is None else Estimate.of(rejected(task, decided, test.clusters)),
        rivals=rivals,
        promises=tuple(held),
        warnings=(*_dearer(rivals), *(_said(k) for k in held if k.standing == "worse")),
        notes=(*(_said(k) for k in held if k.standing == "in doubt"), *absences(lost, left)),
    )


def absences(lost: tuple[str, ...], left: tuple[str, ...] = ()) -> Iterator[str]:
    """Which classes an average over classes leaves out: those true of no row, and those whose rows are all left to a person.

    >>> list(absences(("a", "b"), ("c",)))
    ['no row is a, b: averages over classes leave them out', 'all rows of c are left to a person: averages over decisions leave it out']
    """
    if lost:
        names, them = listing([plain(name) for name in lost]), "it" if len(lost) == 1 else "them"
        yield f"no row is {names}: averages over classes leave {them} out"
    if left:
        names, them = listing([plain(name) for name in left]), "it" if len(left) == 1 else "them"
        yield f"all rows of {names} are left to a person: averages over decisions leave {them} out"


def _rivals(task: Task, evidence: Predictions, test: Predictions, decided: Codes) -> Iterator[Rival]:
    """Deciding every row alike, where costs are what the decision is made by: of two classes always and never, of more classes the
    one that looked cheapest before the test. A capacity does not allow always."""
    if task.goal not in ("cost", "argmax") and not (task.goal == "capacity" and task.cost is not None):
        return
    if task.positive is None:
        code = int(np.argmin([_alike(task, evidence, code).mean() for code in range(len(task.classes))]))
        ways = {f"always {plain(task.classes[code])}": code}
    else:
        code, said = task.positive_code, plain(task.positive)
        ways = {} if task.goal == "capacity" else {f"always {said}": code}
        ways[f"never {said}"] = 1 - code
    spent = incurred(task.costs(test.amounts), test.truth, decided)
    for name, code in ways.items():
        alike = _alike(task, test, code)
        yield Rival(name, float(alike.mean()), Estimate.of(difference(spent, alike, groups=test.groups)))


def _alike(task: Task, rows: Predictions, code: int) -> NDArray[np.float64]:
    """(n,) costs of deciding this class in every row."""
    return incurred(task.costs(rows.amounts), rows.truth, np.full(len(rows), code))


def _dearer(rivals: tuple[Rival, ...]) -> Iterator[str]:
    for rival in rivals:
        excess = rival.excess
        if excess.value is not None and excess.value > 0:
            chance = "" if excess.low is not None and excess.low > 0 else ", which may be chance"
            yield f"the rule costs more than {rival.name} ({number(rival.cost)} a row) on the test: by {interval(excess, 1)}{chance}"


def kept(name: str, promised: Estimate, found: Estimate) -> Kept:
    """A figure against the one that was promised."""
    before, after = _whole(promised), _whole(found)
    if before is None or after is None:
        return Kept(name, promised, found, None, "unknown")
    measure: Metric = registry.load("sortal.metrics", name)
    moved = change(before, after)
    gain = moved.value if measure.higher_is_better else -moved.value
    beyond = moved.low > 0 or moved.high < 0
    standing: Standing = "as promised"
    if beyond:
        standing = "better" if gain > 0 else "worse"
    elif gain < 0 and apart(before, after):
        standing = "in doubt"
    return Kept(name, promised, found, Estimate.of(moved), standing)


def _whole(figure: Estimate) -> Interval | None:
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return Interval(figure.value, figure.low, figure.high)


def _proven(certificate: Certificate | None, found: Figures) -> Iterator[Kept]:
    """Levels that were certified; those that were refused are no promises."""
    for bound in certificate.bounds if certificate is not None and certificate.holds else ():
        if bound.measure in found:
            yield at_least(bound.measure, bound.asked, found[bound.measure], most=bound.measure == "fpr")


def at_least(name: str, asked: float, found: Estimate, most: bool = False) -> Kept:
    """``asked`` is the least figure, or the ``most``, that was promised."""
    ends = (found.low, found.value) if most else (found.high, found.value)
    short = [end is not None and (end > asked if most else end < asked) for end in ends]
    standing: Standing = "worse" if short[0] else "in doubt" if short[1] else "as promised"
    return Kept(name, Estimate(asked), found, None, standing)


def _said(kept: Kept) -> str:
    name = kept.metric if kept.metric == "coverage of sets" else title(kept.metric)
    if kept.change is None:
        promised = f"{level(kept.promised.value or 0.0)} was promised"
    else:
        promised = f"{interval(kept.promised)} was promised"
    doubt = ", which may be chance" if kept.standing == "in doubt" else ""
    return f"{name} is {interval(kept.found)} on the test, {promised}{doubt}"
