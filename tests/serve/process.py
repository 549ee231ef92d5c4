"""A real service in a process of its own (``serving``), and a small model for it."""

from __future__ import annotations

import numpy as np

from bench._service import PATIENCE, Answer, Running, serving
from sortal.artifact.model import Model
from sortal.core.interval import Estimate
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program

__all__ = ["PATIENCE", "ROW", "Answer", "Running", "a_model", "serving"]

ROW = {"tenure": 3, "MonthlyCharges": 70.5, "Contract": "Month-to-month"}
CONTRACTS = ("Month-to-month", "One year", "Two year")


def a_model(intercept: float = -1.0, columns: tuple[str, ...] = ("tenure", "MonthlyCharges")) -> Model:
    """Which customers leave: a logistic regression of two numbers and a category."""
    table = np.vstack([np.eye(3), np.zeros(3), np.full(3, 1 / 3)])
    programs = (
        *(Program("number", {"column": name}) for name in columns),
        Program("lookup", {"column": "Contract", "categories": list(CONTRACTS)}, {"table": table}),
    )
    fill = Program(
        "fill",
        {},
        {"value": np.array([30.0] * len(columns) + [0.0] * 3), "indicator": np.array([], dtype=np.int32)},
    )
    coef = np.array([[*([-0.03, 0.01][: len(columns)]), 0.8, -0.4, -1.2]])
    linear = Program("linear", {"link": "sigmoid"}, {"coef": coef, "intercept": np.array([intercept])})
    profile = {name: ColumnProfile(name, "number", 900, 0, 70, ends=(0.0, 120.0)) for name in columns}
    profile["Contract"] = ColumnProfile("Contract", "category", 900, 0, 3, levels=CONTRACTS, counts=(500, 200, 200))
    return Model(
        schema=Schema(
            (
                *(Column(name, "number") for name in columns),
                Column("Contract", "category"),
                Column("Churn", "category", "target"),
            )
        ),
        task=Task("Churn", ("No", "Yes"), (0.75, 0.25), "Yes", "log_loss", ("roc_auc",), ("because",)),
        decision=Decision("threshold", ("No", "Yes"), "Yes", threshold=0.2),
        program=Program("chain", steps=(Program("table", steps=programs), fill, linear)),
        metrics={"test": {"roc_auc": Estimate(0.84, 0.82, 0.86)}},
        profile=profile,
    )
