"""The slices of scored rows are those of the same rows of the table."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.core.disclosure import Disclosure
from sortal.core.predictions import Predictions
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.evaluate import slices as by_hand
from sortal.record.slices import describe_slices

TASK = Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", (), ())
BY = Schema((Column("region", "category"), Column("age", "number")))
P = np.where(np.arange(100) < 40, 0.3, 0.9)
ROWS = Predictions(TASK.classes, 5 + np.arange(100), np.ones(100, dtype=np.int64), np.column_stack([1 - P, P]), "test")
RAW = pl.DataFrame({"age": np.arange(100) % 3, "note": ["x"] * 100, "region": ["north"] * 40 + ["south"] * 60})


def test_by_hand() -> None:
    decided = (P >= 0.5).astype(np.int64)
    slices = describe_slices(TASK, ROWS, decided, RAW, BY, ["age"], Disclosure(5), seed=0)
    assert slices is not None
    assert (slices.rows, slices.columns, slices.part) == (100, 2, "test")
    north = next(s for s in slices.slices if s.condition == "= north")
    assert (north.rows, north.figure.value, north.worse) == (40, pytest.approx(-np.log(0.3)), True)
    assert [s.asked for s in slices.slices if s.column == "age"] == [True] * 3
    assert not any(s.asked for s in slices.slices if s.column == "region")
    assert describe_slices(TASK, ROWS, decided, RAW, Schema(()), [], Disclosure(5), seed=0) is None


def test_where_some_rows_are_drawn_the_table_and_the_decisions_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 30 rows of two columns, drawn by the seed; what was decided of them costs what it costs."""
    monkeypatch.setattr(by_hand, "CELLS", 60)
    monkeypatch.setattr(by_hand, "LEAST_ROWS", 1)
    costly = Task(*("y", TASK.classes, (0.5, 0.5), "yes", "log_loss", (), (), "cost", ((0.0, 1.0), (8.0, 0.0))))
    decided = (P >= 0.5).astype(np.int64)
    north_counts = []
    for seed in (1, 2):
        slices = describe_slices(costly, ROWS, decided, RAW, BY, ["region"], Disclosure(1), seed)
        assert slices is not None
        assert slices.rows == 30
        figures = {s.condition: s.figure.value for s in slices.slices if s.column == "region"}
        assert figures == {"= north": 8.0, "= south": 0.0}
        north_counts.append(sum(s.rows for s in slices.slices if s.condition == "= north"))
        assert north_counts[-1] == np.count_nonzero(by_hand.some_rows(100, 2, seed) < 40)
    assert north_counts[0] != north_counts[1]


def test_no_level_of_fewer_rows_than_may_be_shown_is_named() -> None:
    decided = (P >= 0.5).astype(np.int64)
    for smallest_count, conditions in ((5, {"= north", "= south"}), (50, {"= south", "others"})):
        slices = describe_slices(TASK, ROWS, decided, RAW, BY, ["region"], Disclosure(smallest_count), seed=0)
        assert slices is not None
        assert {s.condition for s in slices.slices if s.column == "region"} <= conditions
        assert any(s.condition == "= south" for s in slices.slices)
