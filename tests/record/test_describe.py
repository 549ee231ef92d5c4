"""What is known before anything is trained, by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.core.schema import Column, Schema
from sortal.core.sheets import RowOptions
from sortal.data.ledger import Seal
from sortal.data.split import Parts
from sortal.record.describe import describe_columns, describe_data, describe_ledger, describe_split
from sortal.record.parts import Ledger

SCHEMA = Schema((Column("age", "number"), Column("y", "boolean", "target", levels=("no", "yes"))))


def problem() -> Any:
    codes = np.array([2, 0, 1, 0, 2, 2, 0, 0])
    task = SimpleNamespace(classes=("a", "b", "c", "d"))
    table = type("Rows", (), {"schema": SCHEMA, "__len__": lambda self: len(codes)})()
    return SimpleNamespace(name="x.csv", table=table, digest="9f", notes=("a note",), codes=codes, task=task)


def test_the_data_are_described_by_their_rows_and_columns() -> None:
    data = describe_data(problem())
    assert (data.name, data.rows, data.columns, data.sha256, data.notes) == ("x.csv", 8, 2, "9f", ("a note",))


def test_privately_the_texts_of_yes_and_no_stay_out() -> None:
    assert describe_columns(SCHEMA, RowOptions()) == SCHEMA.columns
    age, y = describe_columns(SCHEMA, RowOptions(private=True))
    assert age == SCHEMA["age"]
    assert (y.name, y.kind, y.role, y.levels) == ("y", "boolean", "target", ())


@pytest.mark.parametrize(
    ("options", "column", "forward"),
    [
        ({}, None, False),
        ({"group": "g"}, "g", False),
        ({"time": "t"}, "t", True),
        ({"time": "t", "group": "g"}, "t", True),
    ],
)
def test_parts_have_the_shares_of_all_classes(options: dict[str, str], column: str | None, forward: bool) -> None:
    parts = Parts(np.array([0, 1, 3, 4]), np.array([2]), np.array([5, 6, 7]), "stratified", ("rare",), 0, True)
    split = describe_split(problem(), parts, RowOptions(**options))
    assert (split.train, split.valid, split.test) == (4, 1, 3)
    assert split.prevalence == {
        "train": (0.5, 0.0, 0.5, 0.0),
        "valid": (0.0, 1.0, 0.0, 0.0),
        "test": pytest.approx((2 / 3, 0.0, 1 / 3, 0.0)),
    }
    assert (split.method, split.column, split.forward, split.notes) == ("stratified", column, forward, ("rare",))
    assert (split.folds, split.outer) == (0, 0)
    assert split.classes.tolist() == [4, 1, 3, 0]


def test_parts_that_are_not_stratified_say_nothing_of_all_rows() -> None:
    parts = Parts(np.array([0, 1, 3, 4]), np.array([2]), np.array([5, 6, 7]), "stratified by hand")
    assert describe_split(problem(), parts, RowOptions()).classes is None


def test_a_part_without_rows_has_no_shares() -> None:
    none = np.zeros(0, dtype=np.int64)
    split = describe_split(problem(), Parts(np.arange(8), none, none, "none", outer=5), RowOptions())
    assert split.prevalence == {"train": (0.5, 0.125, 0.375, 0.0)}
    assert (split.train, split.valid, split.test, split.outer) == (8, 0, 0, 5)


def test_the_ledger_tells_of_looks_and_of_nothing_else(tmp_path: Path) -> None:
    seal = Seal.close(tmp_path, pl.DataFrame({"x": [1, 2, 3]}), by="a test")
    closed = describe_ledger(seal)
    assert (closed.opens, closed.blind, closed.entries) == (0, True, ())
    for reason in ("the first look", "another one"):
        seal.open(reason, by="a test")
    ledger = describe_ledger(seal)
    assert (ledger.opens, ledger.blind) == (2, False)
    assert [(look.reason, look.rows) for look in ledger.entries] == [("the first look", 3), ("another one", 3)]
    assert (ledger.head, ledger.entries[-1].digest) == (seal.head, seal.head)
    assert len({closed.head, *(look.digest for look in ledger.entries)}) == 3
    assert ledger.sealed == closed.sealed == seal.entries[0].sha256
    assert [look.at for look in ledger.entries] == [entry.time for entry in seal.entries[1:]]
    assert describe_ledger(None) == Ledger(opens=0, blind=True)
