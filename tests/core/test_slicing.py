"""Columns that rows are sliced by: those asked for, and those that a model leans on."""

from __future__ import annotations

import polars as pl
import pytest

from sortal.core.errors import DataError, OptionError
from sortal.core.schema import Column, Schema
from sortal.core.slicing import asked_columns, table_of, with_strongest

FRAME = pl.DataFrame({"age": ["31", "x"], "sex": ["f", "m"], "note": ["a b", "c d"], "y": ["no", "yes"]})
SCHEMA = Schema(
    (
        Column("age", "number", "ignore"),
        Column("note", "text", "ignore"),
        Column("y", "category", "target"),
        Column("when", "datetime"),
        Column("pay", "number"),
    )
)


def test_a_column_that_the_schema_does_not_have_is_inferred():
    [column] = asked_columns(FRAME, SCHEMA, ["sex"], "new.csv")
    assert (column.name, column.kind) == ("sex", "category")
    assert asked_columns(FRAME, SCHEMA, [], "new.csv") == ()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("sexe", OptionError, "no column 'sexe' in new.csv to slice by; did you mean 'sex'"),
        ("y", OptionError, "'y' is the target, and every class has figures anyway"),
        ("note", OptionError, "'note' is of kind text: no value comes again"),
        ("age", DataError, "row 2"),
    ],
)
def test_what_cannot_be_sliced_by_is_refused(name, error, message):
    with pytest.raises(error, match=message):
        asked_columns(FRAME, SCHEMA, [name], "new.csv")


def test_what_was_asked_for_comes_first_once_and_beyond_the_most():
    columns = [SCHEMA["age"], SCHEMA["pay"]]
    slices = with_strongest(columns, SCHEMA, ["y", "pay", "note", "when", "gone"], most=1)
    assert slices.names == ("age", "pay", "when")
    assert {column.role for column in slices.columns} == {"feature"}
    assert with_strongest([], SCHEMA, ["when", "pay"], most=1).names == ("when",)


def test_raw_rows_have_their_values():
    slices = with_strongest([SCHEMA["age"]], SCHEMA, [], most=5)
    table = table_of(FRAME[:1], slices, SCHEMA_ROWS)
    assert table["age"].to_list() == [31.0]


SCHEMA_ROWS = pl.Series([7]).to_numpy()
