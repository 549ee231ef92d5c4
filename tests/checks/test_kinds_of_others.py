"""A column of somebody else's kind is examined like a built-in one that is stored and encoded alike."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.checks import identifier, mixtures, preprocessed, target_copy
from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Finding
from sortal.checks.measures.nearest import points
from sortal.core.cells import E
from sortal.core.kinds import BUILT_IN, Kind
from sortal.core.raw import Sort
from sortal.core.schema import Column, Schema
from sortal.core.table import Table

ROWS = 400


class Own(Kind):
    """Values as they are."""

    noun = "a value"

    def __init__(self, name: str, storage: str, encoding: str) -> None:
        self.name, self.storage, self.encoding = name, storage, encoding  # type: ignore[assignment]

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        return values


@pytest.fixture(autouse=True)
def own_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Own("colour", "text", "category"), Own("price", "number", "number")):
        monkeypatch.setitem(BUILT_IN, kind.name, kind)


def finding(check: Check, column: str, kind: str, values: pl.Series) -> Finding:
    """The one finding about this column beside two honest ones."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=ROWS), "y": rng.normal(size=ROWS), column: values})
    schema = Schema((Column("x", "number"), Column("y", "number"), Column(column, kind)))
    context = AuditContext(Table(schema, frame, np.arange(ROWS)), codes(), ["no", "yes"], raw=frame)
    findings = check.find(context)
    assert isinstance(findings, list)
    [only] = findings
    assert only.column == column
    return only


def codes() -> np.ndarray:
    return np.random.default_rng(1).integers(2, size=ROWS)


def test_a_copy_of_the_target() -> None:
    copy = pl.Series([f"#{'af'[code]}{n % 3}" for n, code in enumerate(codes())])
    assert "each value of paint belongs to one class" in finding(target_copy.check, "paint", "colour", copy).message


def test_a_name_of_the_rows() -> None:
    assert finding(identifier.check, "paint", "colour", pl.Series([f"#{n:06x}" for n in range(ROWS)])).code == "A303"


def test_two_spellings() -> None:
    assert finding(mixtures.check, "paint", "colour", pl.Series(["red", "Red", "blue", "green"] * 100)).code == "A305"


def test_values_that_were_standardised() -> None:
    price = np.random.default_rng(2).lognormal(size=ROWS)
    assert finding(preprocessed.check, "paid", "price", pl.Series((price - price.mean()) / price.std())).code == "A106"


def test_distances_between_rows() -> None:
    schema = Schema((Column("paint", "colour"), Column("paid", "price")))
    table = Table(schema, pl.DataFrame({"paint": ["a", "b"], "paid": [1.0, 2.0]}), np.arange(2))
    near = points(table, np.arange(2))
    assert (near.numbers.shape, near.levels.shape) == ((2, 1), (2, 1))
