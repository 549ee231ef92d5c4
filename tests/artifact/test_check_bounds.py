"""Both sides of every bound that a model file is held to, one value at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from sortal.artifact import check as check_module
from sortal.artifact.check import DEEPEST_CARD, LARGEST, LATEST, MOST_COUNT, MOST_GOLDEN, check
from sortal.artifact.model import Model
from sortal.artifact.store import Contents, Golden
from sortal.core.costs import CostColumn
from sortal.core.interval import Estimate
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column, Schema
from sortal.core.task import Capacity, Promise, Task
from sortal.decide.certificate import Bound, Certificate, Outlook
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets

COST, COLUMNS = ((0.0, 1.0), (5.0, 0.0)), (CostColumn(1, 0, "amount"),)
BOUNDS = (Bound("precision", 0.8, 0.8, 0.9, True), Bound("recall", 0.8, 0.5, 0.6, False))
CERTIFICATE = Certificate("yes", 0.6, 0.95, 1310, 300, 210, BOUNDS, 0.22, outlook=Outlook(4200, 0.8, 0.7))
HALF = ((0.5, 0.5),)


@pytest.fixture(scope="module")
def contents(model: Model) -> Contents:
    """All that a file can hold, and sound."""
    return replace(
        model,
        schema=Schema((*model.schema.columns, Column("amount", "number", "cost"))),
        task=replace(model.task, cost=COST, cost_columns=COLUMNS, coverage=0.9, promise=Promise(0.8, 0.8, 0.1)),
        decision=Decision(
            "threshold", ("no", "yes"), "yes", threshold=0.6, cost=COST, cost_columns=COLUMNS, certificate=CERTIFICATE
        ),
        sets=Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2),
        golden=Golden(({"age": 30.0, "city": "Ulm", "since": 10**15, "member": True}, {}), HALF * 2),
    )


def alter(value: Any, new: Any, *keys: Any) -> Any:
    """The same with something else at the place where these names, keys and positions lead."""
    if not keys:
        return new
    first, *rest = keys
    if isinstance(value, Mapping):
        return {**value, first: alter(value[first], new, *rest)}
    if isinstance(value, tuple):
        return (*value[:first], alter(value[first], new, *rest), *value[first + 1 :])
    return replace(value, **{first: alter(getattr(value, first), new, *rest)})


def refusal(fault: str | None) -> AbstractContextManager[Any]:
    return nullcontext() if fault is None else pytest.raises(ValueError, match=fault)


BETWEEN = {0.0: True, 1.0: True, None: True, -0.01: False, 1.01: False}
"""A share, with the ends."""
WITHIN = {0.001: True, 0.999: True, 0.0: False, 1.0: False}
"""A share, without them."""
COUNTS = {0: True, MOST_COUNT: True, -1: False, MOST_COUNT + 1: False}
FIGURES = {1e100: True, -1e100: True, 1.1e100: False, -1.1e100: False}
SHARES_OF_CLASSES = {(1.0, 0.0): True, (0.75, 0.25 + 9e-7): True, (0.75, 0.25 - 9e-7): True}

PROMISED = "^what it promises is no share$"
OTHER = "^its certificate has shares beyond 0..1$"
OUT, EMPTY = "^'log_loss' on 'cv' is out of range$", "^the interval of 'log_loss' on 'cv' ends before it begins$"
TABLES: list[tuple[tuple[Any, ...], dict[Any, bool], str]] = [
    (
        ("schema", "columns", 0, "missing"),
        {share: fits for share, fits in BETWEEN.items() if share is not None},
        "^column 'age' has a share of missing values beyond 0..1$",
    ),
    (
        ("task", "prevalence"),
        {**SHARES_OF_CLASSES, (0.75, 0.25 + 2e-6): False, (0.75, 0.25 - 2e-6): False},
        "^the shares of its classes do not sum to one$",
    ),
    (("task", "prevalence"), {(0.5, 0.25, 0.25): False, (1.5, -0.5): False}, "^it has no 2 shares of its classes$"),
    (
        ("task", "cost"),
        {
            ((0.0, 1.0), (1.0, 0.0), (1.0, 1.0)): False,
            ((0.0, 1.0, 1.0), (1.0, 0.0)): False,
            ((0.0, 1.0), (1.0,)): False,
        },
        "^its costs are not 2 x 2$",
    ),
    (("task", "cost", 0, 1), FIGURES, "^its costs leave the range of numbers$"),
    (("decision", "cost", 1, 0), FIGURES, "^the costs of its decision leave the range of numbers$"),
    (
        ("task", "beta"),
        {1e-6: True, 1e6: True, 0.9e-6: False, 1.1e6: False},
        "^beta is not between 1e-6 and 1e6$",
    ),
    (("task", "coverage"), {**WITHIN, None: True}, "^the coverage of its sets is no share$"),
    (("task", "promise", "precision"), BETWEEN, PROMISED),
    (("task", "promise", "recall"), BETWEEN, PROMISED),
    (("task", "promise", "fpr"), BETWEEN, PROMISED),
    (("task", "promise", "confidence"), WITHIN, PROMISED),
    (
        ("task", "capacity"),
        {
            None: True,
            Capacity(0.0): True,
            Capacity(1.0): True,
            Capacity(0.5, 0): True,
            Capacity(0.5, MOST_COUNT): True,
            Capacity(-0.01): False,
            Capacity(1.01): False,
            Capacity(0.5, -1): False,
            Capacity(0.5, MOST_COUNT + 1): False,
        },
        "^its capacity is no share or count$",
    ),
    (
        ("decision", "certificate", "positives"),
        {0: True, 1310: True, -1: False, 1311: False},
        "^it certifies no rows$",
    ),
    (("decision", "certificate", "selected"), {0: True, 1310: True, -1: False, 1311: False}, "^it certifies no rows$"),
    (("decision", "certificate", "rows"), {MOST_COUNT: True, MOST_COUNT + 1: False, 299: False}, "certifies no rows$"),
    (("decision", "certificate", "positive"), {"no": False}, "^it certifies another decision$"),
    (("decision", "certificate", "threshold"), {0.61: False}, "^it certifies another decision$"),
    (("decision", "certificate", "confidence"), WITHIN, OTHER),
    (("decision", "certificate", "prevalence"), {s: fits for s, fits in BETWEEN.items() if s is not None}, OTHER),
    *((("decision", "certificate", "bounds", 1, name), BETWEEN, OTHER) for name in ("asked", "certified", "observed")),
    (
        ("decision", "certificate", "bounds"),
        {BOUNDS[:1]: True, BOUNDS[::-1]: True, (): False, BOUNDS[:1] * 2: False},
        "^its certificate bounds nothing, or something twice$",
    ),
    (("decision", "certificate", "outlook", "chance"), BETWEEN, OTHER),
    (("decision", "certificate", "outlook", "reaches"), BETWEEN, OTHER),
    (("decision", "certificate", "outlook", "rows"), {**COUNTS, None: True}, OTHER),
    (("decision", "certificate", "outlook"), {None: True}, ""),
    (("sets",), {None: True}, ""),
    (("sets", "rows", 1), COUNTS, "^its prediction sets were fitted on no rows$"),
    (
        ("sets", "mean_size"),
        {0.0: True, 2.0: True, -0.01: False, 2.01: False},
        "^its prediction sets were fitted on no rows$",
    ),
    (("metrics", "cv", "log_loss"), {Estimate(v): fits for v, fits in FIGURES.items()}, OUT),
    (("metrics", "cv", "log_loss"), {Estimate(0.4, low=v): fits for v, fits in FIGURES.items()}, OUT),
    (("metrics", "cv", "log_loss"), {Estimate(0.4, high=v): fits for v, fits in FIGURES.items()}, OUT),
    (
        ("metrics", "cv", "log_loss"),
        {
            Estimate(None): True,
            Estimate(0.0, 0.0, 0.0): True,
            Estimate(0.5, 0.5, 0.5): True,
            Estimate(0.0, 0.0, 1e-300): True,
            Estimate(0.0, 0.0, 0.9e-300): False,
            Estimate(0.0, 0.1, 0.0): False,
        },
        EMPTY,
    ),
    (("card",), {None: True}, ""),
    (
        ("card", "seed"),
        {0: True, 2**63 - 1: True, -1: False, 2**63: False},
        "^its card has a seed or a number of rows beyond any$",
    ),
    (("card", "data", "rows"), COUNTS, "^its card has a seed or a number of rows beyond any$"),
    (("card", "data", "columns"), COUNTS, "^its card has a seed or a number of rows beyond any$"),
    (("card", "ledger", "opens"), COUNTS, "^its card has a seed or a number of rows beyond any$"),
    (("golden", "probability", 1), {(0.0, 1.0): True, (1.0, 0.0): True}, ""),
    (
        ("golden", "probability", 1),
        {(-0.01, 1.01): False, (1.01, 0.0): False},
        "^its golden rows have probabilities beyond 0..1$",
    ),
    (
        ("golden", "probability"),
        {HALF: False, HALF * 3: False, ((0.5, 0.5), (1.0,)): False, ((0.5, 0.25, 0.25), (0.5, 0.5)): False},
        "^its golden rows have no 2 probabilities each$",
    ),
]
CASES = [(keys, value, None if fits else fault) for keys, table, fault in TABLES for value, fits in table.items()]


def test_what_is_altered_here_is_sound(contents: Contents) -> None:
    check(contents)


@pytest.mark.parametrize(("keys", "value", "fault"), CASES, ids=range(len(CASES)))
def test_both_sides_of_a_bound(contents: Contents, keys: tuple[Any, ...], value: Any, fault: str | None) -> None:
    copy = alter(contents, value, *keys)
    with refusal(fault):
        check(copy)


@pytest.mark.parametrize(
    ("column", "value", "fits"),
    [
        ("age", 1, True),
        ("age", LARGEST, True),
        ("age", -LARGEST, True),
        ("age", 3.5e38, False),
        ("age", -3.5e38, False),
        ("age", True, False),
        ("age", "1", False),
        ("city", "", True),
        ("city", 1, False),
        ("note", "a b", True),
        ("note", False, False),
        ("member", False, True),
        ("member", 0, False),
        ("since", 2**63 - 1, True),
        ("since", 1 - 2**63, True),
        ("since", 2**63, False),
        ("since", -(2**63), False),
        ("since", 1.0, False),
        ("y", "yes", False),  # the target is no feature
        ("amount", 1.0, False),
        ("age", None, True),
        ("y", None, True),
    ],
)
@pytest.mark.parametrize("row", [0, 1])
def test_golden_rows_hold_what_json_can_hold_of_a_kind(
    contents: Contents, row: int, column: str, value: Any, fits: bool
) -> None:
    rows: tuple[dict[str, Any], ...] = ({}, {})
    with refusal(None if fits else f"^a golden row has no value for '{column}'$"):
        check(replace(contents, golden=Golden(alter(rows, {column: value}, row), HALF * 2)))


@pytest.mark.parametrize(("rows", "fits"), [(0, False), (1, True), (MOST_GOLDEN, True), (MOST_GOLDEN + 1, False)])
def test_so_many_rows_prove_a_model(contents: Contents, rows: int, fits: bool) -> None:
    with refusal(None if fits else f"^it has {rows} golden rows, where 1 to 32 prove a model$"):
        check(replace(contents, golden=Golden(({},) * rows, HALF * rows)))


@pytest.mark.parametrize(
    ("truth", "decided", "fits"),
    [(1, 0, True), (0, 1, True), (2, 0, False), (0, 2, False), (-1, 0, False), (0, -1, False)],
)
def test_a_cost_is_of_two_classes(model: Model, truth: int, decided: int, fits: bool) -> None:
    task = replace(model.task, cost=COST, cost_columns=(CostColumn(1, 0, "age"), CostColumn(truth, decided, "age")))
    with refusal(None if fits else "^a cost is of no class$"):
        check_module._check_task(task, model.schema)


@pytest.mark.parametrize(
    ("kind", "role", "fits"),
    [
        ("number", "cost", True),
        ("number", "feature", True),
        ("number", "weight", False),
        ("number", "ignore", False),
        ("category", "cost", False),
        ("boolean", "feature", False),
    ],
)
def test_costs_stand_in_a_column_of_numbers(model: Model, kind: str, role: Any, fits: bool) -> None:
    schema = Schema((*model.schema.columns, Column("amount", kind, role)))
    with refusal(None if fits else "^its costs stand in 'amount', which is no column of numbers$"):
        check_module._check_task(replace(model.task, cost=COST, cost_columns=COLUMNS), schema)


@pytest.mark.parametrize(
    ("cost", "fits"), [(None, True), (0.0, True), (1e100, True), (1.1e100, False), (-1.1e100, False)]
)
@pytest.mark.parametrize("matrix", [None, COST])
def test_a_reject_has_a_cost_too(model: Model, matrix: Any, cost: float | None, fits: bool) -> None:
    with refusal(None if fits else "^its costs leave the range of numbers$"):
        check_module._check_task(replace(model.task, cost=matrix, reject_cost=cost), model.schema)


THREE = Task("y", ("a", "b", "c"), (0.5, 0.25, 0.25), None, "log_loss", (), ())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"positive": "a"}, "^its positive class is no class of two$"),
        ({"classes": ("a", "b", "a")}, "^its classes are fewer than two, or not all different$"),
        ({"cost": COST}, "^its costs are not 3 x 3$"),
        ({"cost": ((0.0, 1.0, 1.0),) * 3}, None),
        ({"cost": ((0.0, 1.0, 1.0),) * 3, "cost_columns": (CostColumn(2, 2, "age"),)}, None),
        ({"cost": ((0.0, 1.0, 1.0),) * 3, "cost_columns": (CostColumn(3, 0, "age"),)}, "^a cost is of no class$"),
        ({"classes": ("1", "1.0", "2"), "label_type": "str"}, None),
        ({"classes": ("1", "1.0", "2"), "label_type": "float"}, "^its labels are not all different as float$"),
        ({"classes": ("1", "01", "2"), "label_type": "int"}, "^its labels are not all different as int$"),
        ({"prevalence": (0.5, 0.5)}, "^it has no 3 shares of its classes$"),
    ],
)
def test_a_task_of_three_classes(model: Model, changes: dict[str, Any], fault: str | None) -> None:
    with refusal(fault):
        check_module._check_task(replace(THREE, **changes), model.schema)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"kind": "cost", "threshold": None, "certificate": None}, None),
        ({"kind": "cost", "threshold": None, "certificate": None, "positive": None}, None),
        ({"kind": "cost", "threshold": None, "certificate": None, "positive": "no"}, "another positive class than"),
        ({"kind": "cost", "certificate": None}, "^a threshold belongs to a decision by threshold alone$"),
        ({"kind": "argmax", "certificate": None}, "^a threshold belongs to a decision by threshold alone$"),
        ({"kind": "argmax", "threshold": None, "certificate": None}, None),
        ({"kind": "capacity", "capacity": Capacity(0.1)}, None),
        ({"kind": "capacity", "capacity": Capacity(1.1)}, "^its capacity is no share or count$"),
        ({"cost_columns": ()}, "^its decision has other costs than its task$"),
        ({"reject_cost": 0.5}, "^its decision has other costs than its task$"),
        ({"classes": ("yes", "no")}, "^its decision is over other classes than its task$"),
    ],
)
def test_a_decision_fits_its_task(contents: Contents, changes: dict[str, Any], fault: str | None) -> None:
    with refusal(fault):
        check(replace(contents, decision=replace(contents.decision, **changes)))


@pytest.mark.parametrize(("thresholds", "fits"), [((0.3, 0.3), True), ((0.3,), False), ((0.3, 0.3, 0.3), False)])
def test_sets_are_of_the_classes_of_the_task(contents: Contents, thresholds: tuple[float, ...], fits: bool) -> None:
    sets = Sets("lac", 0.9, (60,) * len(thresholds), thresholds, 1.0)
    with refusal(None if fits else "^its prediction sets are of other classes than its task$"):
        check(replace(contents, sets=sets))


def nest(levels: int) -> Any:
    return [nest(levels - 1)] if levels else 1


def test_a_card_is_so_deep_and_so_wide_and_no_more(contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    for levels, fits in ((DEEPEST_CARD - 2, True), (DEEPEST_CARD - 1, False)):
        for details_value in ({"a": nest(levels)}, {"b": 1, "a": nest(levels), "c": []}):
            with refusal(None if fits else f"^its card is nested deeper than {DEEPEST_CARD} levels$"):
                check(alter(contents, details_value, "card", "details"))
    monkeypatch.setattr(check_module, "MOST_CARD", 4)
    for details, fits in (
        ({"a": [1, 2, 3, 4]}, True),
        ({"a": [1, 2, 3, 4, 5]}, False),
        ({"a": [1, 2], "b": {"x": 3, "y": 4}}, True),
        ({"a": [1, 2, 3], "b": {"x": 3, "y": 4}}, False),
        (dict.fromkeys("abcd", 1), True),
        (dict.fromkeys("abcde", 1), False),
    ):
        with refusal(None if fits else "^its card has more than 4 values side by side$"):
            check(alter(contents, details, "card", "details"))


MOMENT = ColumnProfile("x", "datetime", 90, 9, 60, quantiles=(0.0, 1.0), reached=(2, 81), ends=(0.0, 1.0))
NUMBER = replace(MOMENT, kind="number")


@pytest.mark.parametrize(
    ("profile", "most"), [(MOMENT, LATEST), (NUMBER, LARGEST), (replace(NUMBER, kind="boolean"), LARGEST)]
)
@pytest.mark.parametrize("field", ["quantiles", "ends"])
def test_numbers_of_a_profile_are_in_the_range_of_their_kind(profile: ColumnProfile, most: float, field: str) -> None:
    for ends, fits in (
        ((-most, most), True),
        ((-1.01 * most, 0.0), False),
        ((0.0, 1.01 * most), False),
    ):
        with refusal(None if fits else "^the profile of 'x' is out of range$"):
            check_module._check_profile("x", replace(profile, **{field: ends}), {"x": profile.kind})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"rows": MOST_COUNT}, None),
        ({"rows": MOST_COUNT + 1}, "counts no rows"),
        ({"missing": 0, "distinct": 90}, None),
        ({"missing": -1}, "counts no rows"),
        ({"distinct": -1}, "counts no rows"),
        ({"distinct": 91}, "counts no rows"),
        ({"beyond": 81}, None),
        ({"beyond": 82}, "counts more values than there are"),
        ({"beyond": -1}, "counts more values than there are"),
        ({"barely": 81}, None),
        ({"barely": -1}, "counts more values than there are"),
        ({"others": 82}, "counts more values than there are"),
        ({"reached": (-1, 81)}, "counts more values than there are"),
        ({"counts": (1,)}, "has no quantiles"),
        ({"quantiles": (0.0,)}, "has no quantiles"),
        ({"ends": (0.0, 0.5, 1.0)}, "has no quantiles"),
        ({"quantiles": (1.0, 1.0), "reached": (81, 81), "ends": (1.0, 1.0)}, None),
    ],
)
def test_a_profile_counts_values_that_there_are(changes: dict[str, Any], fault: str | None) -> None:
    with refusal(None if fault is None else f"^the profile of 'x' {fault}$"):
        check_module._check_profile("x", replace(NUMBER, **changes), {"x": "number"})
