from __future__ import annotations

import numpy as np
import pytest

from sortal.artifact.card import Card, Data, Item
from sortal.artifact.model import Model
from sortal.core.interval import Estimate
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program

SCHEMA = Schema(
    (
        Column("age", "number", missing=0.1),
        Column("city", "category"),
        Column("member", "boolean", levels=("no", "yes")),
        Column("since", "datetime", format="%Y-%m-%d"),
        Column("note", "text"),
        Column("y", "category", "target"),
    )
)
TASK = Task("y", ("no", "yes"), (0.75, 0.25), "yes", "log_loss", ("roc_auc",), ("because",))


def a_program() -> Program:
    """Four columns, side by side, filled, then a logistic regression and a tree."""
    readers = (
        Program("number", {"column": "age"}),
        Program(
            "lookup",
            {"column": "city", "categories": ["Bonn", "Ulm"]},
            {"table": np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.5, 0.5]])},
        ),
        Program("number", {"column": "member"}),
        Program("datetime", {"column": "since", "parts": ["year", "month"]}),
    )
    fill = Program(
        "fill", {}, {"value": np.array([40.0, 0, 0, 0, 2000, 6]), "indicator": np.array([0], dtype=np.int32)}
    )
    coef = np.array([[0.1, 1.0, -1.0, 0.5, -0.001, 0.02, 0.3]])
    linear = Program("linear", {"link": "sigmoid"}, {"coef": coef, "intercept": np.array([-2.0])})
    return Program("chain", steps=(Program("table", steps=readers), fill, linear))


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(
        schema=SCHEMA,
        task=TASK,
        decision=Decision("threshold", ("no", "yes"), "yes", threshold=0.2),
        program=a_program(),
        metrics={"cv": {"log_loss": Estimate(0.41, 0.39, 0.43)}},
        profile={
            "age": ColumnProfile(
                "age", "number", 90, 9, 60, quantiles=(18.0, 40.0, 90.0), reached=(2, 41, 81), ends=(18.0, 90.0)
            ),
            "city": ColumnProfile("city", "category", 90, 0, 2, levels=("Bonn", "Ulm"), counts=(60, 30)),
        },
        card=Card(
            seed=0,
            data=Data("churn.csv", 1000, 7, "ab" * 32),
            chosen="logistic",
            checklist=(Item("baselines beaten", "holds", "by .1"),),
            details={"why": [1, None, {"ä": "ö"}]},
        ),
    )
