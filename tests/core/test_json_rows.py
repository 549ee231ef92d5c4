"""Rows in JSON, many at once: each means what it means alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.coded import Coded
from sortal.core.door import Values, read_rows
from sortal.core.errors import DataError
from sortal.core.json_rows import MOST_OTHERS, JsonRows
from sortal.core.schema import Column, Schema

SCHEMA = Schema(
    (
        Column("plain", "number", format="."),
        Column("price", "number", format=",."),
        Column("größe", "category"),
        Column("exact", "category", format="exact"),
        Column("member", "boolean", levels=("no", "yes")),
        Column("day", "datetime", format="%Y-%m-%d"),
        Column("note", "text"),
    )
)
values: dict[str, st.SearchStrategy[Any]] = {
    "plain": st.sampled_from([None, 1, 1.0, 2**60, -3.5, True, "4.5", "?"]),
    "price": st.sampled_from([None, 5.5, "5,5", "1.234,5", 7, "7"]),
    "größe": st.sampled_from([None, 1, 1.0, True, "1", "true", "TRUE", "gro\u0308\u00df", "größ", 98101]),
    "exact": st.sampled_from([None, 1, "1.0", "TRUE", 2.5, False]),
    "member": st.sampled_from([None, True, False, "yes", "no", "maybe"]),
    "day": st.sampled_from([None, "2026-11-29", "2026-11-29 12:00", ""]),
    "note": st.sampled_from([None, "to be", "or not", "?", 3]),
    "gro\u0308ße": st.sampled_from(["1", 2]),
    "more": st.sampled_from([None, [1], {"a": 2}, "x"]),
}
rows = st.lists(st.fixed_dictionaries({}, optional=values), min_size=1, max_size=12)


def plain_values(values: Values) -> list[Any]:
    return [None if isinstance(value, float) and np.isnan(value) else value for value in list(values)]


def single_row(row: dict[str, Any]) -> dict[str, Any]:
    """What a row means to the door; columns that are not named are missing."""
    columns = read_rows([{"plain": None, **row}], SCHEMA, allow_missing=True).columns
    return {name: plain_values(column)[0] for name, column in columns.items()}


@given(st.lists(rows, min_size=1, max_size=3))
@settings(max_examples=50)
def test_a_row_among_many_means_what_it_means_alone(blocks: list[list[dict[str, Any]]]) -> None:
    reader = JsonRows(SCHEMA)
    for block in blocks:
        valid_rows = [row for row in block if not {"größe", "gro\u0308ße"} <= row.keys()]
        columns = reader.read([json.dumps(row) for row in valid_rows * 3]).columns
        for name in SCHEMA.names:
            assert plain_values(columns[name]) == [single_row(row)[name] for row in valid_rows] * 3


def test_of_many_values_that_are_alike_each_is_looked_at_once() -> None:
    reader = JsonRows(SCHEMA)
    table = reader.read(['{"größe": "a", "note": "to be"}', '{"größe": "b", "note": "or not"}'] * 50)
    assert isinstance(table.columns["größe"], Coded)
    assert table.columns["größe"].levels == ("a", "b")
    assert len(table) == 100


def test_a_number_beyond_what_models_compute_with_is_refused() -> None:
    with pytest.raises(DataError, match=r"'plain' of the log holds 1e\+300"):
        JsonRows(SCHEMA).read(['{"plain": 1e300}'])


def test_fields_beside_the_columns_may_be_many() -> None:
    reader = JsonRows(SCHEMA)
    many = json.dumps({f"f{at}": at for at in range(MOST_OTHERS + 1)} | {"plain": 2})
    assert reader.read([many, '{"plain": 3, "more": 1}']).columns["plain"].tolist() == [2.0, 3.0]
