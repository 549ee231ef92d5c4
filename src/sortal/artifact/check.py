"""Whether the parts of a model fit each other, value by value: what reads a loaded model later has nothing to doubt.

JSON knows no NaN and no infinity, and the decoders have seen to the types. Here are the ranges, the columns that must
exist, and the lengths that must agree. What does not fit is a ValueError of one sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sortal.artifact.card import Card
from sortal.artifact.store import Contents, Golden
from sortal.core.errors import ArtifactError
from sortal.core.kinds import Storage, is_kind, kind_of
from sortal.core.measures import kinds_of
from sortal.core.profile import ColumnProfile
from sortal.core.reliability import Reliability
from sortal.core.schema import Schema
from sortal.core.task import Capacity, Task
from sortal.decide.certificate import Certificate
from sortal.decide.policy import Decision

MOST_COUNT = 2**53
"""Of rows: whole numbers beyond it are no float64."""
LARGEST = float(np.finfo(np.float32).max)
"""Of the numbers in a table; larger ones are refused where rows are read."""
MOST_FIGURE = 1e100
"""Of costs and figures: their products and squares are numbers still."""
LEAST_WIDTH = 1e-300
"""Of an interval: half of it has a logarithm."""
MOST_GOLDEN = 32
"""Rows that prove a model file; they are scored at each load."""
LATEST = 9.3e12
"""Seconds that 64-bit microseconds reach, either way of 1970."""
DEEPEST_CARD = 32
"""Levels of the JSON of a card, which has six."""
MOST_CARD = 500_000
"""Values of one level of a card: 5,000 columns have ten each."""


def check(contents: Contents) -> None:
    """Raises ValueError where the parts do not fit each other, or hold what no training writes."""
    _check_schema(contents.schema)
    _check_task(contents.task, contents.schema)
    _check_decision(contents.decision, contents.task)
    _check_sets(contents)
    _check_metrics(contents)
    kinds = {column.name: column.kind for column in contents.schema.features}
    for name, column in contents.profile.items():
        _check_profile(name, column, kinds)
    of_classes = dict.fromkeys(contents.task.classes, "number")
    for name, scores in contents.scores.items():
        _check_profile(name, scores, of_classes)
    _check_reliability(contents.reliability, contents.task)
    _check_card(contents.card)
    _check_golden(contents.golden, contents)


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _shares(values: Iterable[float | None]) -> bool:
    return _within([value for value in values if value is not None], 0, 1)


def _counts(values: Iterable[int | None], most: int = MOST_COUNT) -> bool:
    return _within([value for value in values if value is not None], 0, most)


def _within(values: Sequence[float], least: float, most: float) -> bool:
    """A file of 5,000 columns holds a million numbers, so no loop of Python goes over them."""
    return not values or (least <= min(values) and max(values) <= most)


def _ascends(values: Sequence[float]) -> bool:
    return sorted(values) == [*values]


def _check_schema(schema: Schema) -> None:
    _need(len(set(schema.names)) == len(schema.names), "two columns have the same name")
    _need(len(schema.role("target")) <= 1, "two columns are the target")
    for column in schema.columns:
        where = f"column {column.name[:40]!r}"
        _need(0 <= column.missing <= 1, f"{where} has a share of missing values beyond 0..1")
        if not is_kind(column.kind):
            raise ArtifactError(
                f"{where} is of kind {column.kind[:40]!r}, which is not installed here; install the package that it "
                "comes from"
            )
        _need(
            kind_of(column.kind).is_format(column.format),
            f"{where} is written in no notation that there is: {column.format[:40]!r}",
        )


def _check_task(task: Task, schema: Schema) -> None:
    k = len(task.classes)
    _need(k >= 2 and len(set(task.classes)) == k, "its classes are fewer than two, or not all different")
    _need(len(task.prevalence) == k and _shares(task.prevalence), f"it has no {k} shares of its classes")
    _need(abs(sum(task.prevalence) - 1) < 1e-6, "the shares of its classes do not sum to one")
    _need((task.positive in task.classes) if k == 2 else task.positive is None, "its positive class is no class of two")
    _need(len({task.label(code) for code in range(k)}) == k, f"its labels are not all different as {task.label_type}")
    costs = [value for row in task.cost or () for value in row] + (
        [] if task.reject_cost is None else [task.reject_cost]
    )
    _need(task.cost is None or [len(row) for row in task.cost] == [k] * k, f"its costs are not {k} x {k}")
    _need(all(abs(value) <= MOST_FIGURE for value in costs), "its costs leave the range of numbers")
    storage = {column.name: (kind_of(column.kind).storage, column.role) for column in schema.columns}
    for cell in task.cost_columns:
        _need(max(cell.truth, cell.decided) < k and min(cell.truth, cell.decided) >= 0, "a cost is of no class")
        is_numeric = storage.get(cell.column) in (("number", "cost"), ("number", "feature"))
        _need(is_numeric, f"its costs stand in {cell.column[:40]!r}, which is no column of numbers")
    _need(not task.cost_columns or task.cost is not None, "costs stand in columns, and there are no costs")
    _need(1e-6 <= task.beta <= 1e6, "beta is not between 1e-6 and 1e6")
    _need(task.coverage is None or 0 < task.coverage < 1, "the coverage of its sets is no share")
    if task.promise is not None:
        rates = (task.promise.precision, task.promise.recall, task.promise.fpr)
        _need(_shares(rates) and 0 < task.promise.confidence < 1, "what it promises is no share")
    _need(task.capacity is None or _is_capacity(task.capacity), "its capacity is no share or count")


def _is_capacity(capacity: Capacity) -> bool:
    return 0 <= capacity.share <= 1 and _counts([capacity.count])


def _check_decision(rule: Decision, task: Task) -> None:
    _need(rule.classes == task.classes, "its decision is over other classes than its task")
    _need(rule.positive in (None, task.positive), "its decision has another positive class than its task")
    of_rule = (rule.cost_columns, rule.reject_cost)
    _need(of_rule == (task.cost_columns, task.reject_cost), "its decision has other costs than its task")
    costs = [value for row in rule.cost or () for value in row]
    _need(all(abs(value) <= MOST_FIGURE for value in costs), "the costs of its decision leave the range of numbers")
    _need(rule.capacity is None or _is_capacity(rule.capacity), "its capacity is no share or count")
    by_threshold = rule.kind in ("threshold", "capacity")
    _need(by_threshold == (rule.threshold is not None), "a threshold belongs to a decision by threshold alone")
    if rule.certificate is not None:
        _check_certificate(rule.certificate, rule)


def _check_certificate(certificate: Certificate, rule: Decision) -> None:
    _need(
        certificate.positive == rule.positive and certificate.threshold == rule.threshold,
        "it certifies another decision",
    )
    _need(
        _counts([certificate.positives, certificate.selected], certificate.rows) and _counts([certificate.rows]),
        "it certifies no rows",
    )
    _need(0 < certificate.confidence < 1 and 0 <= certificate.prevalence <= 1, "its certificate has shares beyond 0..1")
    measures = [bound.measure for bound in certificate.bounds]
    _need(len(set(measures)) == len(measures) > 0, "its certificate bounds nothing, or something twice")
    shares = [share for bound in certificate.bounds for share in (bound.asked, bound.certified, bound.observed)]
    _need(_shares(shares), "its certificate has shares beyond 0..1")
    if (outlook := certificate.outlook) is not None:
        _need(
            _shares([outlook.chance, outlook.reaches]) and _counts([outlook.rows]),
            "its certificate has shares beyond 0..1",
        )


def _check_sets(contents: Contents) -> None:
    sets, k = contents.sets, len(contents.task.classes)
    if sets is not None:
        _need(len(sets.threshold) == k, "its prediction sets are of other classes than its task")
        _need(_counts(sets.rows) and 0 <= sets.mean_size <= k, "its prediction sets were fitted on no rows")


def _check_metrics(contents: Contents) -> None:
    for part, figures in contents.metrics.items():
        for name, figure in figures.items():
            value, low, high = figure.value, figure.low, figure.high
            numbers = [part for part in (value, low, high) if part is not None]
            _need(all(abs(part) <= MOST_FIGURE for part in numbers), f"{name[:40]!r} on {part[:40]!r} is out of range")
            is_ordered = low is None or high is None or low == high or high - low >= LEAST_WIDTH
            _need(is_ordered, f"the interval of {name[:40]!r} on {part[:40]!r} ends before it begins")


def _check_reliability(reliability: Mapping[str, Reliability], task: Task) -> None:
    if reliability:
        expected = task.classes[1:] if task.binary else task.classes
        _need(tuple(reliability) == expected, "the reliability is of other classes than the task")
    for name, curve in reliability.items():
        bins = len(curve.edges) + 1
        fits = (
            [len(curve.rows), len(curve.said), len(curve.came)] == [bins] * 3
            and _ascends(curve.edges)
            and _within(curve.edges, 0, 1)
            and _counts(curve.rows)
            and min(curve.rows) > 0
            and all(
                0 <= predicted <= rows and 0 <= observed <= rows
                for rows, predicted, observed in zip(curve.rows, curve.said, curve.came, strict=True)
            )
            and 0 <= curve.wander <= 1
        )
        _need(fits, f"the reliability of {name[:40]!r} does not fit together")


def _check_profile(name: str, column: ColumnProfile, kinds: Mapping[str, str]) -> None:
    if column.measures:
        _check_measures(name, column)
    if name != column.name or kinds.get(name) != column.kind:
        fault = "is of no feature"
    else:
        fault = _counts_fault(column) or (_numbers_fault(column) if column.numeric else _levels_fault(column))
    _need(not fault, f"the profile of {name[:40]!r} {fault}")


def _counts_fault(column: ColumnProfile) -> str:
    if not _counts([column.rows]) or not _counts([column.missing, column.distinct], column.rows):
        return "counts no rows"
    parts = [*column.counts, *column.reached, column.barely, column.others, column.beyond]
    return "" if _counts(parts, column.n_values) else "counts more values than there are"


def _numbers_fault(column: ColumnProfile) -> str:
    most = LATEST if kind_of(column.kind).storage == "moment" else LARGEST
    alike = len(column.quantiles) == len(column.reached) and len(column.ends) in (0, 2)
    if not alike or column.levels or column.counts:
        return "has no quantiles"
    if not (_ascends(column.quantiles) and _ascends(column.reached)):
        return "has quantiles that do not ascend"
    if not _ascends(column.ends):
        return "has ends that do not ascend"
    return "" if _within((*column.quantiles, *column.ends), -most, most) else "is out of range"


def _levels_fault(column: ColumnProfile) -> str:
    names = len(column.levels) == len(column.counts) == len(set(column.levels))
    if not names or column.quantiles or column.reached or column.ends:
        return "has no levels"
    if not _ascends(column.counts[::-1]):
        return "has levels that are not ordered by their counts"
    if not _is_half(column):
        return "counts other rows in half of them than in all"
    in_rows = max(column.counts, default=0) if column.measures else sum(column.counts)
    return "" if in_rows + column.others <= column.n_values else "counts more values than there are"


def _is_half(column: ColumnProfile) -> bool:
    return (
        len(column.half_counts) == len(column.half_levels) == len(set(column.half_levels))
        and _counts([*column.half_counts, column.half_missing], column.rows // 2)
        and sum(column.half_counts) + column.half_missing <= column.rows // 2
        and column.half_missing <= column.missing
    )


def _check_measures(name: str, column: ColumnProfile) -> None:
    measured, kinds = [profile.measure for profile in column.measures], kinds_of(column.kind)
    _need(measured == list(kinds), f"the profile of {name[:40]!r} measures something else than its kind does")
    for profile in column.measures:
        _need(not profile.measures and profile.rows <= column.rows, f"the profile of {name[:40]!r} measures other rows")
        _check_profile(name, profile, {name: kinds[profile.measure]})


def _check_card(card: Card | None) -> None:
    if card is None:
        return
    in_range = 0 <= card.seed < 2**63 and _counts([card.data.rows, card.data.columns, card.ledger.opens])
    _need(in_range, "its card has a seed or a number of rows beyond any")
    level: list[object] = [dict(card.details)]
    for _ in range(DEEPEST_CARD):
        level = [value for outer in level for value in _inside(outer)]
        _need(len(level) <= MOST_CARD, f"its card has more than {MOST_CARD:,} values side by side")
    _need(not level, f"its card is nested deeper than {DEEPEST_CARD} levels")


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_golden(golden: Golden, contents: Contents) -> None:
    k, rows = len(contents.task.classes), len(golden.rows)
    _need(0 < rows <= MOST_GOLDEN, f"it has {rows:,} golden rows, where 1 to {MOST_GOLDEN} prove a model")
    _need([len(row) for row in golden.probability] == [k] * rows, f"its golden rows have no {k} probabilities each")
    _need(all(_shares(row) for row in golden.probability), "its golden rows have probabilities beyond 0..1")
    storage = {column.name: kind_of(column.kind).storage for column in contents.schema.features}
    for name in dict.fromkeys(name for row in golden.rows for name in row):
        values = [value for row in golden.rows if (value := row.get(name)) is not None]
        if not _are_stored(values, storage.get(name)):
            raise ValueError(f"a golden row has no value for {name[:40]!r}")


def _are_stored(values: Sequence[Any], storage: Storage | None) -> bool:
    """Whether JSON holds canonical values so."""
    if storage not in _STORED:
        return not values
    types, most = _STORED[storage]
    return types.issuperset(map(type, values)) and (most is None or _within(values, -most, most))


_STORED: dict[Storage | None, tuple[frozenset[type], float | None]] = {
    "boolean": (frozenset({bool}), None),
    "text": (frozenset({str}), None),
    "bytes": (frozenset({str}), None),
    "moment": (frozenset({int}), 2**63 - 1),
    "number": (frozenset({int, float}), LARGEST),
}
