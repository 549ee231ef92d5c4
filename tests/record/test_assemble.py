"""What the record takes from the rooms of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from sortal.core.predictions import Predictions
from sortal.data.ledger import Seal
from sortal.record.describe import describe_ledger
from sortal.record.tables import predictions_table


def test_the_ledger_tells_of_looks_and_of_nothing_else(tmp_path: Path) -> None:
    seal = Seal.close(tmp_path, pl.DataFrame({"x": [1, 2, 3]}), by="a test")
    closed = describe_ledger(seal)
    assert (closed.opens, closed.blind, closed.entries) == (0, True, ())
    for reason in ("the first look", "another one"):
        seal.open(reason, by="a test")
    told = describe_ledger(seal)
    assert (told.opens, told.blind) == (2, False)
    assert [look.reason for look in told.entries] == ["the first look", "another one"]
    assert told.head != closed.head
    assert describe_ledger(None).entries == ()


def test_rows_are_counted_from_one() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    table = predictions_table(Predictions(("no", "yes"), np.array([0, 7]), np.array([0, 1]), p, "test"))
    assert table["row"].to_list() == [1, 8]
    assert table.columns == ["row", "truth", "p no", "p yes"]
