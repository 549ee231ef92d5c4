"""A small model that reads a column of every kind."""

from __future__ import annotations

import numpy as np

from sortal.artifact.model import Model
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program
from sortal.engine.ngrams import Ngrams

WORDS = ("good", "bad", "late")


def a_program() -> Program:
    """Two logistic regressions: of a number, a category, a boolean, a date and an image, and of the words of a text."""
    table = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.5, 0.5]])
    columns = (
        Program("number", {"column": "age"}),
        Program("lookup", {"column": "city", "categories": ["Bonn", "Ulm"]}, {"table": table}),
        Program("number", {"column": "member"}),
        Program("datetime", {"column": "since", "parts": ["year", "month"]}),
        Program("pixels", {"column": "photo", "side": 1, "read": "grey"}),
    )
    values, age = np.array([40.0, 0, 0, 0, 2000, 6, 0.5]), np.array([0], dtype=np.int32)
    coef = np.array([[0.1, 1.0, -1.0, 0.5, -0.001, 0.02, 1.5, 0.3]])
    fields = Program(
        "chain",
        steps=(
            Program("table", steps=columns),
            Program("fill", {}, {"value": values, "indicator": age}),
            Program("linear", {"link": "sigmoid"}, {"coef": coef, "intercept": np.array([-2.0])}),
        ),
    )
    hashes = np.sort(Ngrams("word", 1, 1)([" ".join(WORDS)]).index).astype(np.uint64)
    options = {"column": "note", "kind": "word", "least": 1, "most": 1, "rows": 10}
    words = Program(
        "chain",
        steps=(
            Program("tfidf", options, {"hash": hashes, "documents": np.array([3, 4, 5], dtype=np.uint32)}),
            Program("linear", {"link": "sigmoid"}, {"coef": np.array([[1.0, -2, 0.5]]), "intercept": np.zeros(1)}),
        ),
    )
    return Program("average", {}, {"weight": np.array([0.75, 0.25])}, (fields, words))


def a_model() -> Model:
    """Columns of all kinds, and some that are not read."""
    schema = Schema(
        (
            Column("age", "number", missing=0.1),
            Column("city", "category"),
            Column("member", "boolean", levels=("no", "yes")),
            Column("since", "datetime", format="%Y-%m-%d"),
            Column("note", "text"),
            Column("photo", "image"),
            Column("unread", "number"),
            Column("id", "category", "ignore"),
            Column("y", "category", "target"),
        )
    )
    age = ColumnProfile(
        "age", "number", 90, 9, 60, quantiles=(18.0, 40.0, 90.0), reached=(2, 41, 81), ends=(18.0, 90.0)
    )
    city = ColumnProfile("city", "category", 90, 0, 2, levels=("Bonn", "Ulm"), counts=(60, 30))
    return Model(
        schema=schema,
        task=Task("y", ("no", "yes"), (0.75, 0.25), "yes", "log_loss", ("roc_auc",), ("because",)),
        decision=Decision("threshold", ("no", "yes"), "yes", threshold=0.2),
        program=a_program(),
        profile={"age": age, "city": city},
    )
