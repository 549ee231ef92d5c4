"""What ``sortal evaluate`` and ``sortal audit`` find, as plain data.

Fresh rows are judged by what was really promised: first what was certified and how often sets hold the true class, then the
figures by their intervals. A figure is **worse** where the intervals do not meet, **perhaps worse** where it lies outside the
promised interval and its own still meets it. A promise is about rows like those of training: on others nothing is as promised,
at best it is **with reservation**.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from sortal.artifact.model import Model
from sortal.core import registry
from sortal.core.costs import incurred
from sortal.core.predictions import Predictions
from sortal.core.profile import Columns
from sortal.core.schema import Column
from sortal.core.shift import Shift, Watch
from sortal.core.task import Task
from sortal.decide.certificate import Certificate
from sortal.decide.threshold import constants
from sortal.evaluate.intervals import Rates, mean_interval, rates_interval
from sortal.evaluate.metrics import Metric
from sortal.report.assemble import figures
from sortal.report.notation import count, percent
from sortal.report.record import Data, Estimate, Finding, Ledger, Split, Unchecked

Verdict = Literal["worse", "perhaps worse", "unknown", "with reservation", "as promised", "no worse", "better"]
GRAVEST: tuple[Verdict, ...] = ("worse", "perhaps worse")
"""These are said first, in this order."""


@dataclass(frozen=True)
class Comparison:
    """One metric, then and now."""

    metric: str
    promised: Estimate | None
    found: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Promise:
    """A level that was promised: a ``precision`` or ``recall`` or ``coverage`` of at least ``level``, an ``fpr`` of at most that.

    ``label``: the class that a coverage is about, where it is promised class by class. ``asked`` is more than ``level`` where the promise
    was refused and less was certified.
    """

    measure: Literal["precision", "recall", "fpr", "coverage"]
    level: float
    found: Estimate
    verdict: Verdict
    asked: float
    label: str | None = None


@dataclass(frozen=True)
class Against:
    """What the decision costs a row beside deciding the same everywhere, on these rows; without costs every error costs one.

    ``constants``: by name. ``saved``: what the rule spares a row against the ``cheapest`` of them, with the interval of this paired
    difference. The verdict is ``worse`` where that is below zero with its interval, ``perhaps worse`` where the interval holds zero;
    ``unknown`` where the rule was made for something else than few errors, and no costs say what that is worth.
    """

    measure: Literal["cost", "errors"]
    cost: Estimate
    constants: Mapping[str, float]
    cheapest: str
    saved: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Fresh:
    """Labelled rows as they came in: ``name`` of the data, ``groups`` of rows that vary together, and how many rows had no label.

    ``columns``: those that the model reads, as ``Table.columns`` gives them; ``absent``: those of them that the data does not have.
    ``notes``: what was unusual about the files.
    """

    name: str
    predictions: Predictions
    groups: NDArray[np.int64] | None = None
    unlabelled: int = 0
    columns: Columns = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """``promised_on``: the part that the promise was measured on. ``comparisons``: the gravest first. ``shifts``: where the
    rows are not like those of training. ``classes_absent``: those that no row has. ``unlabelled``: rows that were left out.
    ``notes``: what was unusual about the files, and what else has to be known. ``ledger``: of the run, where its sealed rows
    were looked at.
    """

    model: str
    data: str
    rows: int
    promised_on: str
    comparisons: tuple[Comparison, ...]
    promises: tuple[Promise, ...] = ()
    against: Against | None = None
    shifts: tuple[Shift, ...] = ()
    columns_absent: tuple[str, ...] = ()
    classes_absent: tuple[str, ...] = ()
    unlabelled: int = 0
    notes: tuple[str, ...] = ()
    ledger: Ledger | None = None

    @property
    def worse(self) -> tuple[str, ...]:
        """The metrics and promises that fell short of what was promised."""
        kept = [p.measure for p in self.promises if p.verdict == "worse"]
        return tuple(dict.fromkeys([*kept, *(c.metric for c in self.comparisons if c.verdict == "worse")]))

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


@dataclass(frozen=True)
class AuditReport:
    """What ``sortal audit`` says of the rows that training would see; the others stay unseen, but for what parts have in common."""

    data: Data
    columns: tuple[Column, ...]
    task: Task
    split: Split
    findings: tuple[Finding, ...]
    skipped: tuple[Unchecked, ...] = ()

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def judge(file: str, model: Model, fresh: Fresh, ledger: Ledger | None = None) -> Evaluation:
    """Hold fresh labelled rows against everything that the model promised."""
    part = "test" if "test" in model.metrics else next(iter(model.metrics))
    promised, predictions = model.metrics[part], fresh.predictions
    now = figures(model.task, predictions, model.decision, model.card.get("seed", 0), fresh.groups)
    watch = Watch(model.profiled(without=fresh.absent))
    watch.add(fresh.columns)
    shifts = watch.shifts()
    reserved = bool(shifts or fresh.absent)
    compared = [compare(name, promised.get(name), figure, reserved) for name, figure in now.items()]
    pledges = [*_certified(model.decision.certificate, now, reserved), *_covered(model, fresh, reserved)]
    support = np.bincount(predictions.truth, minlength=len(predictions.classes))
    return Evaluation(
        model=file,
        data=fresh.name,
        rows=len(predictions),
        promised_on=part,
        comparisons=tuple(sorted(compared, key=_gravity)),
        promises=tuple(sorted(pledges, key=_gravity)),
        against=_against(model, predictions, fresh.groups),
        shifts=shifts,
        columns_absent=fresh.absent,
        classes_absent=tuple(name for name, rows in zip(predictions.classes, support, strict=True) if not rows),
        unlabelled=fresh.unlabelled,
        notes=(*fresh.notes, *_notes(model, predictions)),
        ledger=ledger,
    )


def _notes(model: Model, predictions: Predictions) -> tuple[str, ...]:
    """A number of rows is another share of another batch, and its figures are others then."""
    capacity, rows = model.decision.capacity, len(predictions)
    if capacity is None or capacity.count is None or predictions.part != "fresh":
        return ()
    taken, promised = percent(capacity.of(rows) / rows), percent(capacity.share)
    return (
        f"the capacity of {count(capacity.count)} is {taken} of these rows; the promise was measured at {promised}",
    )


def _gravity(judged: Comparison | Promise) -> int:
    """The rest stays in its order."""
    return GRAVEST.index(judged.verdict) if judged.verdict in GRAVEST else len(GRAVEST)


def compare(
    name: str, promised: Mapping[str, float | None] | None, found: Estimate, reserved: bool = False
) -> Comparison:
    """Judge one metric by its two intervals; conservative, as both may be off. ``reserved``: the rows are not like those of training."""
    before = None if promised is None else Estimate(promised["value"], promised["low"], promised["high"])
    verdict = _verdict(name, before, found)
    return Comparison(name, before, found, "with reservation" if reserved and verdict == "as promised" else verdict)


def _verdict(name: str, before: Estimate | None, found: Estimate) -> Verdict:
    if before is None or any(not _known(figure) for figure in (before, found)):
        return "unknown"
    metric: Metric = registry.load("sortal.metrics", name)
    sign = 1.0 if metric.higher_is_better else -1.0
    low, high = sorted([sign * float(before.low or 0), sign * float(before.high or 0)])
    now_low, now_high = sorted([sign * float(found.low or 0), sign * float(found.high or 0)])
    value = sign * float(found.value or 0)
    if now_high < low:
        return "worse"
    if now_low > high:
        return "better"
    return "perhaps worse" if value < low else "no worse" if value > high else "as promised"


def _known(figure: Estimate) -> bool:
    return all(part is not None and part == part for part in (figure.value, figure.low, figure.high))


def _certified(certificate: Certificate | None, now: Mapping[str, Estimate], reserved: bool) -> Iterator[Promise]:
    for bound in certificate.bounds if certificate is not None else ():
        found = now.get(bound.measure, Estimate(None))
        verdict = _kept(bound.certified, found, reserved, at_most=bound.measure == "fpr")
        yield Promise(bound.measure, bound.certified, found, verdict, bound.asked)


def _covered(model: Model, fresh: Fresh, reserved: bool) -> Iterator[Promise]:
    """How often sets hold the true class: of all rows, or within each class where that was promised."""
    sets, predictions = model.sets, fresh.predictions
    if sets is None:
        return
    rows = np.arange(len(predictions))
    held = sets.apply(predictions.probability)[rows, predictions.truth]
    clusters = None if fresh.groups is None else np.unique(fresh.groups, return_inverse=True)[1].astype(np.int64)
    parts: dict[str | None, NDArray[np.bool_]] = {None: np.ones(len(held), dtype=np.bool_)}
    if sets.method == "lac by class":
        parts = {name: predictions.truth == code for code, name in enumerate(predictions.classes)}
    for label, part in parts.items():
        if part.any():
            found = Estimate.of(rates_interval(Rates([(part, part & held)]), clusters))
            yield Promise("coverage", sets.coverage, found, _kept(sets.coverage, found, reserved), sets.coverage, label)


def _kept(level: float, found: Estimate, reserved: bool, at_most: bool = False) -> Verdict:
    """A level is missed for certain only where the whole interval misses it."""
    if not _known(found):
        return "unknown"
    sign = -1.0 if at_most else 1.0
    value, ends = sign * float(found.value or 0), [sign * float(found.low or 0), sign * float(found.high or 0)]
    if value >= sign * level:
        return "with reservation" if reserved else "as promised"
    return "worse" if max(ends) < sign * level else "perhaps worse"


def _against(model: Model, predictions: Predictions, groups: NDArray[np.int64] | None) -> Against:
    task, decided = model.task, model.decision.decide(predictions)
    costs, truth = task.costs(predictions.amounts), predictions.truth
    clusters = None if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64)
    spent = incurred(costs, truth, decided)
    same = constants(task, predictions)
    code = min(range(len(same)), key=lambda k: same[k].expected_cost)
    low, high = float(costs.min()), float(costs.max())
    spared = incurred(costs, truth, np.full(len(truth), code)) - spent
    saved = Estimate.of(mean_interval(spared, clusters, low=low - high, high=high - low))
    return Against(
        measure="errors" if task.cost is None else "cost",
        cost=Estimate.of(mean_interval(spent, clusters, low=low, high=high)),
        constants={each.name: each.expected_cost for each in same},
        cheapest=same[code].name,
        saved=saved,
        verdict=_saving(saved) if task.cost is not None or task.goal == "argmax" else "unknown",
    )


def _saving(saved: Estimate) -> Verdict:
    """Whether the rule is worth more than deciding the same everywhere."""
    if saved.value is None or saved.low is None or saved.high is None:
        return "unknown"
    if saved.high < 0:
        return "worse"
    return "better" if saved.low > 0 else "perhaps worse" if saved.value < 0 else "no worse"
