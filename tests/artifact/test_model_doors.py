"""Every question that a model answers: what was asked reaches the answer, alone and in a batch, for every decision."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sortal.artifact import model as model_module
from sortal.artifact.model import Model, check_parity
from sortal.core.costs import CostColumn
from sortal.core.door import rows_of
from sortal.core.errors import DataError, OptionError, ParityError
from sortal.core.interval import Estimate
from sortal.core.profile import ColumnProfile
from sortal.core.reliability import Reliability
from sortal.core.row import row_of
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.core.task import Capacity, Task
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.engine import Program

ROWS = [
    {"age": 31, "city": "Bonn", "member": "yes", "since": "2020-02-29", "amount": 1.0},
    {"age": None, "city": "Rome", "member": None, "since": None, "amount": 50.0},
    {"age": 95, "city": "Ulm", "member": "no", "since": "1999-12-31", "amount": 0.01},
    {"age": 24, "city": "Ulm", "member": "no", "since": "2021-01-01", "amount": 3.0},
]
SETS = Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2)
COST, BY_ROW = ((0.0, 1.0), (4.0, 0.0)), (CostColumn(1, 0, "amount"),)
NAMES = ("no", "yes")


@pytest.fixture(scope="module")
def cost_model(model: Model) -> Model:
    """With a column that no program reads, and that may hold costs."""
    return replace(model, schema=Schema((Column("amount", "number", "cost"), *model.schema.columns)))


RULES = [
    Decision("argmax", NAMES),
    Decision("argmax", NAMES, "yes"),
    Decision("threshold", NAMES, "yes", threshold=0.8),
    Decision("threshold", NAMES, "no", threshold=0.2),
    Decision("threshold", NAMES, "no", threshold=0.0),
    Decision("cost", NAMES, cost=COST),
    Decision("cost", NAMES, cost=COST, cost_columns=BY_ROW),
    Decision("cost", NAMES, cost=COST, cost_columns=BY_ROW, reject_cost=0.3),
    Decision("cost", NAMES, cost=COST, reject_cost=0.0),
    Decision("capacity", NAMES, "yes", threshold=0.5, capacity=Capacity(0.5, 1)),
    Decision("capacity", NAMES, "no", threshold=0.5, capacity=Capacity(0.5, 1), cost=COST, cost_columns=BY_ROW),
    Decision("capacity", NAMES, "yes", threshold=0.5, capacity=Capacity(0.5)),
]


@pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
@pytest.mark.parametrize("sets", [None, SETS])
def test_a_row_alone_gets_what_a_batch_of_it_gets(cost_model: Model, rule: Decision, sets: Sets | None) -> None:
    model = replace(cost_model, decision=rule, sets=sets)
    for row in ROWS:
        rows = rows_of(row, model.needs)
        batch = model.answer_rows(rows, warnings=True)
        answer = model.answer_row(row_of(rows.columns, model.needs.names))
        assert answer.probabilities == batch.probabilities[0].tolist()
        assert (answer.label, answer.decision) == (batch.labels[0], batch.decisions[0])
        assert answer.set == (None if batch.sets is None else batch.sets[0].tolist())
        assert batch.warnings is not None
        assert answer.warnings == batch.warnings[0]


def test_each_decision_is_that_of_its_rule(cost_model: Model) -> None:
    rows = rows_of(ROWS, replace(cost_model, decision=RULES[7]).needs)
    p, amount = cost_model.predict_proba(ROWS), np.array([row["amount"] for row in ROWS])
    for rule, yes in (
        (RULES[0], p[:, 1] > 0.5),
        (RULES[2], p[:, 1] >= 0.8),
        (RULES[3], p[:, 0] < 0.2),
        (RULES[4], np.zeros(4, dtype=bool)),
        (RULES[5], 4 * p[:, 1] > p[:, 0]),
        (RULES[6], amount * p[:, 1] > p[:, 0]),
    ):
        assert (
            replace(cost_model, decision=rule).answer_rows(rows).decisions.tolist()
            == np.where(yes, "yes", "no").tolist()
        )
    costs = np.column_stack([amount * p[:, 1], p[:, 0], np.full(4, 0.3)])
    expected = np.array(["no", "yes", "reject"])[costs.argmin(axis=1)]
    assert set(expected) == {"no", "yes", "reject"}
    assert replace(cost_model, decision=RULES[7]).decide(ROWS).tolist() == expected.tolist()


def test_a_decision_that_was_taken_on_a_larger_batch_stands(cost_model: Model) -> None:
    rows = rows_of(ROWS, cost_model.needs)
    for codes in ([0, 1, 0, 1], [1, 1, 1, 0]):
        answers = cost_model.answer_rows(rows, decided=np.array(codes))
        assert answers.decisions.tolist() == [NAMES[code] for code in codes]
        assert_array_equal(answers.labels, cost_model.predict(ROWS))
    answers = replace(cost_model, sets=SETS).answer_rows(rows)
    assert answers.sets is not None
    assert_array_equal(answers.sets, SETS.apply(cost_model.predict_proba(ROWS)))
    assert cost_model.answer_rows(rows).sets is None
    assert cost_model.answer_rows(rows).warnings is None


WITHOUT = {"age": [31.0, 60.0] * 60, "member": ["yes", "no"] * 60, "since": ["2020-02-29", "2021-02-28"] * 60}
EMPTY: dict[str, list[Any]] = WITHOUT | {"city": [None] * 120}
METHODS: list[Callable[..., Any]] = [
    Model.predict_proba,
    Model.predict,
    Model.decide,
    Model.predict_set,
    lambda model, rows, **options: model.answer(rows, **options).probabilities,
    lambda model, rows, **options: model.answer(rows, **options).decisions,
]


@pytest.mark.parametrize("ask", METHODS, ids=range(len(METHODS)))
def test_a_column_may_be_missing_for_whoever_allows_it(model: Model, ask: Callable[..., Any]) -> None:
    model = replace(model, sets=SETS)
    with pytest.raises(DataError, match="no column 'city'"):
        ask(model, WITHOUT)
    assert_array_equal(ask(model, WITHOUT, allow_missing=True), ask(model, EMPTY))


def test_nothing_is_odd_about_a_column_that_may_be_missing(model: Model) -> None:
    for ask in (
        model.compare,
        model.odd_values,
        lambda rows, **options: model.answer(rows, warnings=True, **options).warnings,
    ):
        with pytest.raises(DataError, match="no column 'city'"):
            ask(WITHOUT)
    assert {(shift.column, shift.what) for shift in model.compare(EMPTY)} >= {("city", "missing")}
    assert "city" not in {shift.column for shift in model.compare(WITHOUT, allow_missing=True)}
    missing = ["'city': is missing, and never was in training"]
    assert model.odd_values(EMPTY)[0] == missing
    assert model.odd_values(WITHOUT, allow_missing=True) == [[]] * 120
    assert model.answer(EMPTY, warnings=True).warnings == [missing] * 120
    assert model.answer(WITHOUT, warnings=True, allow_missing=True).warnings == [[]] * 120


def test_what_a_model_reads_and_needs_is_in_the_order_of_its_columns(cost_model: Model) -> None:
    assert cost_model.reads.names == cost_model.needs.names == ("age", "city", "member", "since")
    costs = replace(cost_model, decision=RULES[6])
    assert costs.reads.names == cost_model.reads.names
    assert costs.needs.names == ("amount", *cost_model.reads.names)
    assert [*cost_model.profiled()] == ["age", "city"]
    assert [*cost_model.profiled(without=("age", "since"))] == ["city"]
    model = replace(
        cost_model, profile={**cost_model.profile, "note": replace(cost_model.profile["city"], name="note")}
    )
    assert [*model.profiled()] == ["age", "city"]  # no program reads notes


@pytest.mark.parametrize(
    ("capacity", "rows", "note"),
    [
        (None, 3, ""),
        (Capacity(0.1), 0, ""),
        (Capacity(0.1), 10, ""),
        (Capacity(0.1), 9, "10 % of 9 rows is no row at all"),
        (Capacity(0.1), 1, "10 % of 1 row is no row at all"),
        (Capacity(1.0), 1, ""),
        (Capacity(0.0001), 9_999, "< 0.1 % of 9,999 rows is no row at all"),
        (Capacity(0.0, 5), 1, ""),
    ],
)
def test_a_batch_of_which_none_is_taken_is_told(
    cost_model: Model, capacity: Capacity | None, rows: int, note: str
) -> None:
    rule = cost_model.decision if capacity is None else Decision("capacity", NAMES, "yes", 0.5, capacity=capacity)
    message = replace(cost_model, decision=rule).capacity_note(rows)
    assert message.startswith(note)
    assert bool(message) == bool(note)


def test_what_was_measured_at_other_shares_is_left_out(model: Model) -> None:
    scores = {"yes": ColumnProfile("yes", "number", 9, 0, 3, quantiles=(0.1, 0.9), reached=(1, 9))}
    reliability = {"yes": Reliability((), (9,), (4.0,), (4,))}
    usual = replace(model, decision=Decision("argmax", NAMES), scores=scores, reliability=reliability)
    other = usual.at_prevalence({"yes": 0.5})
    assert (other.scores, other.reliability, other.metrics, other.card) == ({}, {}, {}, None)
    assert (other.schema, other.profile, other.decision) == (usual.schema, usual.profile, usual.decision)
    assert other.task == replace(usual.task, prevalence=(0.5, 0.5))
    for rule in (RULES[5], RULES[9], replace(RULES[2], cost=COST)):
        assert replace(model, decision=rule).at_prevalence({"no": 0.5}).task.prevalence == (0.5, 0.5)
    with pytest.raises(OptionError, match=r"^the threshold was fitted"):
        replace(model, decision=RULES[2], sets=SETS).at_prevalence({"yes": 0.5})
    for rule in (RULES[0], RULES[5]):
        with pytest.raises(OptionError, match=r"^the sets were fitted"):
            replace(model, decision=rule, sets=SETS).at_prevalence({"yes": 0.5})


def test_a_model_says_of_itself_what_it_is(model: Model) -> None:
    estimate = Estimate(0.41, 0.39, 0.43)
    figures = {"log_loss": estimate, "brier": Estimate(0.2), "roc_auc": Estimate(0.9, 0.8, 0.95), "ece": estimate}
    scored_model = replace(model, metrics={"cv": figures, "test": {"ece": estimate}})
    assert repr(scored_model).splitlines() == [
        "sortal model: 'y' is one of 'no', 'yes'",
        "  reads        5 columns: 1 number, 1 category, 1 boolean, 1 datetime, 1 text",
        "  decides      p >= 0.2 of 'yes'",
        "  cv           roc_auc .90 [.80 .95], log_loss .41 [.39 .43], brier unknown",
        "  test         ece .41 [.39 .43]",
    ]
    classes = tuple(f"c{k}" for k in range(10))
    task = Task("y", classes, (0.1,) * 10, None, "log_loss", (), ())
    wide_model = replace(scored_model, task=task, decision=Decision("argmax", classes), metrics={})
    assert repr(wide_model).splitlines() == [
        "sortal model: 'y' is one of 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7' and 2 more",
        "  reads        5 columns: 1 number, 1 category, 1 boolean, 1 datetime, 1 text",
        "  decides      argmax",
    ]


def test_a_copy_of_a_model_that_was_used_is_whole(cost_model: Model) -> None:
    cost_model.answer(ROWS, warnings=True)
    copy = pickle.loads(pickle.dumps(cost_model))  # noqa: S301 - made a moment ago
    assert not {"_run", "_labels", "reads"} & set(vars(copy))
    assert_array_equal(copy.predict_proba(ROWS), cost_model.predict_proba(ROWS))
    for part in ("schema", "task", "decision", "sets", "metrics", "profile", "card", "golden", "version", "embedded"):
        assert getattr(copy, part) == getattr(cost_model, part)


def test_the_labels_that_are_given_out_are_nobodys_to_change(model: Model) -> None:
    classes = model.classes_
    classes[0] = "x"
    assert model.classes_.tolist() == ["no", "yes"]
    assert set(model.predict(ROWS).tolist()) <= {"no", "yes"}


T = 2.0**-20


@pytest.fixture(scope="module")
def constant_model(model: Model) -> Model:
    """Says a half of everything."""
    reader = Program("table", steps=(Program("number", {"column": "age"}),))
    constant = Program("constant", {}, {"probability": np.array([0.5, 0.5])})
    return replace(model, program=Program("chain", steps=(reader, constant)))


@pytest.mark.parametrize(
    ("off", "tolerance", "fault"),
    [
        (T, T, None),
        (T, 0.99 * T, r"differ by up to 9\.5e-07 \(allowed: 9e-07\) and 0 of 1 labels change"),
        (-T / 2, T, None),  # a tie within the tolerance
        (-0.51 * T, T, r"differ by up to 4\.9e-07 \(allowed: 1e-06\) and 1 of 1 labels change"),
        (0.0, 0.0, None),
        (np.nan, 1.0, "differ by up to nan"),
    ],
)
def test_a_saved_model_is_as_near_as_was_asked_and_no_further(
    constant_model: Model, off: float, tolerance: float, fault: str | None
) -> None:
    one = _Alone()
    expected = np.array([[0.5 + off, 0.5 - off]])
    if fault is None:
        parity = check_parity(constant_model, one, expected, tolerance)
        assert (parity.rows, parity.max_difference, parity.label_flips) == (1, abs(off), 0)
    else:
        with pytest.raises(ParityError, match=fault):
            check_parity(constant_model, one, expected, tolerance)


class _Alone(Table):
    """A table of one row, or of none, with a number."""

    def __init__(self, rows: int = 1) -> None:
        object.__setattr__(self, "rows", np.arange(rows))

    def columns(self, names: Any = None) -> Any:
        assert tuple(names) == ("age",)
        return {"age": np.ones(len(self.rows))}

    def __len__(self) -> int:
        return len(self.rows)


def test_a_saved_model_of_no_rows_and_of_other_classes(constant_model: Model) -> None:
    parity = check_parity(constant_model, _Alone(0), np.zeros((0, 2)), 0.0)
    assert (parity.rows, parity.max_difference, parity.label_flips) == (0, 0.0, 0)
    for shape in ((1, 3), (2, 2)):
        with pytest.raises(ParityError, match=r"^the saved model gives \(1, 2\) probabilities, the trained one \("):
            check_parity(constant_model, _Alone(1), np.full(shape, 0.5), 1.0)


TAKES = {
    "number": {"number", "boolean"},
    "lookup": {"category", "text"},
    "tfidf": {"category", "text"},
    "tokens": {"category", "text"},
    "datetime": {"datetime"},
    "pixels": {"image"},
    "raster": {"image"},
}


@pytest.mark.parametrize("op", TAKES)
@pytest.mark.parametrize("kind", ["number", "boolean", "category", "text", "datetime", "image", None])
def test_an_op_reads_columns_of_its_storage(model: Model, op: str, kind: str | None) -> None:
    schema = Schema((*model.schema.columns, *([] if kind is None else [Column("x", kind)])))
    reads = Program(op, {"column": "x"})
    wide_model = replace(
        model, schema=schema, program=Program("table", steps=(Program("number", {"column": "age"}), reads))
    )
    if kind in TAKES[op]:
        model_module._check_columns(wide_model)
    else:
        with pytest.raises(ValueError, match=f"^op '{op}' reads column 'x', whose kind is {kind}$"):
            model_module._check_columns(wide_model)
