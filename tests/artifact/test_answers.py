"""Every way to ask a model gets the same answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from sortal.core.costs import CostColumn
from sortal.core.errors import DataError
from sortal.core.schema import Column, Schema
from sortal.core.task import Capacity
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets

ROWS = [
    {"age": 31, "city": "Bonn", "member": "yes", "since": "2020-02-29"},
    {"city": "Rome"},
    {"age": 95, "city": "Ulm", "member": "no", "since": "1999-12-31"},
]


def test_an_answer_holds_what_each_question_gets(model):
    model = replace(model, sets=Sets("lac", 0.9, (60, 39), (0.3, 0.3), 1.2))
    answers = model.answer(ROWS, warnings=True)
    assert len(answers) == 3
    assert_array_equal(answers.probabilities, model.predict_proba(ROWS))
    assert_array_equal(answers.labels, model.predict(ROWS))
    assert_array_equal(answers.decisions, model.decide(ROWS))
    assert_array_equal(answers.sets, model.predict_set(ROWS))
    assert answers.warnings == model.odd_values(ROWS)
    assert model.answer(ROWS).warnings is None
    assert_array_equal(model.answer(pl.DataFrame(ROWS)).probabilities, answers.probabilities)


def test_a_decision_needs_its_costs_and_a_probability_does_not(model):
    fee = Column("fee", "number", "cost")
    rule = Decision("cost", ("no", "yes"), "yes", cost=((0, 1), (1, 0)), cost_columns=(CostColumn(1, 0, "fee"),))
    model = replace(model, schema=Schema((*model.schema.columns, fee)), decision=rule)
    assert model.predict_proba(ROWS).shape == (3, 2)
    assert model.answer([{**row, "fee": 1e9} for row in ROWS]).decisions.tolist() == ["yes"] * 3
    for ask in (model.answer, model.decide):
        with pytest.raises(DataError, match="no column 'fee'"):
            ask(ROWS)


def test_a_capacity_of_no_row_is_said_by_every_way_to_decide(model):
    rule = Decision("capacity", ("no", "yes"), "yes", threshold=0.5, capacity=Capacity(0.1))
    model = replace(model, decision=rule)
    for ask in (model.answer, model.decide):
        with pytest.warns(UserWarning, match="10 % of 3 rows is no row at all") as warnings:
            ask(ROWS)
        assert warnings[0].filename == __file__


def test_labels_are_of_their_type_and_a_reject_makes_them_text(model):
    task = replace(model.task, classes=("0", "1"), label_type="int", positive="1")
    rule = Decision("cost", ("0", "1"), "1", cost=((0, 1), (1, 0)))
    answers = replace(model, task=task, decision=rule).answer(ROWS)
    assert answers.labels.dtype == answers.decisions.dtype == np.int64
    rejections = replace(model, task=task, decision=replace(rule, reject_cost=0.0)).answer(ROWS)
    assert (rejections.labels.dtype, rejections.decisions.tolist()) == (np.int64, ["reject"] * 3)
