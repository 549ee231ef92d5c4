"""Fresh labelled rows against what a model promised, as plain data.

Fresh rows are judged by what was really promised: first what was certified and how often sets hold the true class, then
the figures by their intervals, by the rules of ``evaluate.verification``; whatever lies outside the promised interval,
and not to its good, is at least **in doubt**. A promise is about rows like those of training: on others nothing is as
promised, at best it is **with reservation**.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.artifact.model import Model
from sortal.core import registry
from sortal.core.arrays import Codes
from sortal.core.disclosure import SMALLEST_COUNT, Disclosure
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.profile import Columns
from sortal.core.schema import Column
from sortal.core.shift import Shift, Watch
from sortal.core.slicing import with_strongest
from sortal.core.writing import percent
from sortal.decide.certificate import Certificate
from sortal.decide.threshold import constants
from sortal.evaluate.compare import excess_cost
from sortal.evaluate.decisions import absent, decided_rows, rejected
from sortal.evaluate.figures import figures, share
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric
from sortal.evaluate.slices import COLUMNS, Slices
from sortal.evaluate.verification import Level, Rival, Standing, absences, check_figure, check_level, one_row
from sortal.record.parts import Ledger
from sortal.record.slices import describe_slices
from sortal.record.wording import count

Verdict = Standing | Literal["with reservation"]
GRAVEST: tuple[Verdict, ...] = ("worse", "in doubt")
"""These are said first, in this order."""


@dataclass(frozen=True)
class Comparison:
    """One metric, then and now."""

    metric: str
    promised: Estimate | None
    observed: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Promise:
    """A level that was promised: a ``precision`` or ``recall`` or ``coverage`` of at least ``level``, an ``fpr`` of at
    most that.

    ``label``: the class that a coverage is about, where it is promised class by class. ``asked`` is more than ``level``
    where the promise was refused and less was certified.
    """

    measure: Literal["precision", "recall", "fpr", "coverage"]
    level: float
    observed: Estimate
    verdict: Verdict
    asked: float
    label: str | None = None


@dataclass(frozen=True)
class Against:
    """What the decision costs a row of these beside deciding every row alike (``rivals``, the cheapest first); without
    costs every error costs one (``measure``).

    The verdict is ``worse`` where the rule costs more than the cheapest of them beyond chance, ``in doubt`` where that
    may be chance; ``unknown`` where the rule was made for something else than few errors, and no costs say what that is
    worth.
    """

    measure: Literal["cost", "errors"]
    cost: Estimate
    rivals: tuple[Rival, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Fresh:
    """Labelled rows as they came in: ``name`` of the data, and how many rows had no label, or one ``of_no_class`` of
    the model.

    ``columns``: those that the model reads, as ``Table.columns`` gives them; ``absent``: those of them that the data
    does not have. ``notes``: what was unusual about the files. ``raw``: the labelled rows as they were read.
    ``trained_on``: they are the data that the model was made from.
    """

    name: str
    predictions: Predictions
    unlabelled: int = 0
    columns: Columns = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    raw: pl.DataFrame = field(default_factory=pl.DataFrame)
    trained_on: bool = False
    of_no_class: int = 0


@dataclass(frozen=True)
class Evaluation:
    """``promised_on``: the part that the promise was measured on. ``comparisons``: the gravest first. ``shifts``: where
    the rows are not like those of training. ``classes_absent``: those that no row has. ``unlabelled`` and
    ``of_no_class``: rows that were left out, as they have no label, or one that the model never says. ``rejected``: the
    share that is left to a person; figures of decisions are of the others. Null where no row can be. ``slices``: where
    the model does worse. ``notes``: what was unusual about the files, and what else has to be known. ``ledger``: of the
    run, where its sealed rows were looked at. ``trained_on``: the rows are those that the model was made from, and say
    nothing of fresh ones.
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
    rejected: Estimate | None = None
    slices: Slices | None = None
    notes: tuple[str, ...] = ()
    ledger: Ledger | None = None
    trained_on: bool = False
    of_no_class: int = 0

    @property
    def worse(self) -> tuple[str, ...]:
        """The metrics and promises that fell short of what was promised."""
        levels = [p.measure for p in self.promises if p.verdict == "worse"]
        return tuple(dict.fromkeys([*levels, *(c.metric for c in self.comparisons if c.verdict == "worse")]))

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def judge(
    file: str, model: Model, fresh: Fresh, ledger: Ledger | None = None, requested: Sequence[Column] = ()
) -> Evaluation:
    """Hold fresh labelled rows against everything that the model promised. ``requested``: columns by which figures are
    shown whatever they say.
    """
    part = next((part for part in ("test", "nested", *model.metrics) if part in model.metrics), "nothing")
    promised, predictions = model.metrics.get(part, {}), fresh.predictions
    decided = model.decision.decide(predictions)
    now = figures(model.task, predictions, decided, model.card.seed if model.card else 0)
    watch = Watch(model.profiled(without=fresh.absent))
    watch.add(fresh.columns)
    shifts = watch.shifts()
    reserved = bool(shifts or fresh.absent or fresh.trained_on or fresh.of_no_class)
    compared = [compare(name, promised.get(name), figure, reserved) for name, figure in now.items()]
    pledges = [*_certified(model.decision.certificate, now, reserved), *_covered(model, fresh, reserved)]
    task = model.task
    no_row = absent(task, predictions.truth)
    undecided = tuple(n for n in absent(task, decided_rows(task, predictions.truth, decided)) if n not in no_row)
    return Evaluation(
        model=file,
        data=fresh.name,
        rows=len(predictions),
        promised_on=part,
        comparisons=tuple(sorted(compared, key=_gravity)),
        promises=tuple(sorted(pledges, key=_gravity)),
        against=_against(model, predictions, decided),
        shifts=shifts,
        columns_absent=fresh.absent,
        classes_absent=no_row,
        unlabelled=fresh.unlabelled,
        rejected=None if task.reject_cost is None else Estimate.of(rejected(task, decided, predictions.clusters)),
        slices=_slices(model, fresh, decided, requested),
        notes=(
            *fresh.notes,
            *_notes(model, predictions),
            *absences(no_row, undecided, one_row(task, predictions.truth)),
        ),
        ledger=ledger,
        trained_on=fresh.trained_on,
        of_no_class=fresh.of_no_class,
    )


def _slices(model: Model, fresh: Fresh, decided: Codes, requested: Sequence[Column]) -> Slices | None:
    """By the columns that the model reads, those that it leans on most first, and by those that were asked for."""
    card = model.card
    ranked = () if card is None else card.by_importance
    there = [name for name in dict.fromkeys([*ranked, *model.reads.names]) if name in fresh.raw.columns]
    by = with_strongest(requested, model.reads, there, COLUMNS)
    names = [column.name for column in requested]
    seed = 0 if card is None else card.seed
    return describe_slices(
        model.task, fresh.predictions, decided, fresh.raw, by, names, Disclosure(SMALLEST_COUNT), seed
    )


def _notes(model: Model, predictions: Predictions) -> tuple[str, ...]:
    """A number of rows is another share of another batch, and its figures are others then."""
    capacity, rows = model.decision.capacity, len(predictions)
    if capacity is None or capacity.count is None or predictions.part != "fresh":
        return ()
    share, promised = percent(capacity.of(rows) / rows), percent(capacity.share)
    return (
        f"the capacity of {count(capacity.count)} is {share} of these rows; the promise was measured at {promised}",
    )


def _gravity(item: Comparison | Promise) -> int:
    """The rest stays in its order."""
    return GRAVEST.index(item.verdict) if item.verdict in GRAVEST else len(GRAVEST)


def compare(name: str, promised: Estimate | None, observed: Estimate, reserved: bool = False) -> Comparison:
    """Judge one metric by its two intervals. ``reserved``: the rows are not like those of training."""
    if promised is None:
        return Comparison(name, None, observed, "unknown")
    standing = check_figure(name, promised, observed).standing
    if standing == "as promised" and _falls_outside(name, promised, observed):
        standing = "in doubt"
    return Comparison(name, promised, observed, _with_reserve(standing, reserved))


def _falls_outside(name: str, promised: Estimate, observed: Estimate) -> bool:
    """On the worse side; both are known."""
    metric: Metric = registry.load("sortal.metrics", name)
    value, low, high = (float(end or 0.0) for end in (observed.value, promised.low, promised.high))
    return value < low if metric.higher_is_better else value > high


def _with_reserve(standing: Verdict, reserved: bool) -> Verdict:
    return "with reservation" if reserved and standing == "as promised" else standing


def _certified(certificate: Certificate | None, now: Mapping[str, Estimate], reserved: bool) -> Iterator[Promise]:
    """The levels that are certified, also where more was asked; one that says nothing is no promise."""
    for bound in certificate.bounds if certificate is not None else ():
        at_most = bound.measure == "fpr"
        if bound.measure in now and bound.certified != (1.0 if at_most else 0.0):
            observed = now[bound.measure]
            standing = check_level(Level(bound.measure, bound.certified, observed, at_most)).standing
            yield Promise(bound.measure, bound.certified, observed, _with_reserve(standing, reserved), bound.asked)


def _covered(model: Model, fresh: Fresh, reserved: bool) -> Iterator[Promise]:
    """How often sets hold the true class: of all rows, or within each class where that was promised."""
    sets, predictions = model.sets, fresh.predictions
    if sets is None:
        return
    rows = np.arange(len(predictions))
    hit = sets.apply(predictions.probability)[rows, predictions.truth]
    parts: dict[str | None, NDArray[np.bool_]] = {None: np.ones(len(hit), dtype=np.bool_)}
    if sets.method == "lac by class":
        parts = {name: predictions.truth == code for code, name in enumerate(predictions.classes)}
    for label, part in parts.items():
        if part.any():
            observed = share(part, part & hit, predictions.clusters)
            standing = check_level(Level("coverage", sets.coverage, observed)).standing
            yield Promise("coverage", sets.coverage, observed, _with_reserve(standing, reserved), sets.coverage, label)


def _against(model: Model, predictions: Predictions, decided: Codes) -> Against:
    task = model.task
    rivals = []
    for code, alike in enumerate(constants(task, predictions)):
        excess = excess_cost(task, predictions, decided, code)
        rivals.append(Rival(alike.name, alike.expected_cost, Estimate.of(excess)))
    rivals.sort(key=lambda rival: rival.cost)
    for_few_errors = task.cost is not None or task.goal == "argmax"
    cost: Metric = registry.load("sortal.metrics", "expected_cost")
    return Against(
        measure="errors" if task.cost is None else "cost",
        cost=Estimate.of(interval(cost, task, predictions, decided)),
        rivals=tuple(rivals),
        verdict=_worth(rivals[0].excess) if for_few_errors else "unknown",
    )


def _worth(excess: Estimate) -> Verdict:
    """Whether the rule is worth more than deciding every row alike."""
    if excess.value is None or excess.low is None or excess.high is None:
        return "unknown"
    if excess.value > 0:
        return "worse" if excess.low > 0 else "in doubt"
    return "better" if excess.high < 0 else "as promised"
