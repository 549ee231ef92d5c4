from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.relations import same_rows
from sortal.core.schema import Column, Schema
from sortal.core.table import Table

LAWS = settings(max_examples=60)
SCHEMA = Schema((Column("x", "number"), Column("who", "category", "group"), Column("when", "number", "time")))


@given(st.lists(st.tuples(st.sampled_from([0.0, -0.0, 1.5, None]), st.sampled_from(["a", "", None])), max_size=30))
@LAWS
def test_same_rows_are_the_same_values(rows: list[tuple[float | None, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"row": pl.Float64, "b": pl.String}, orient="row")
    first: dict[object, int] = {}
    assert same_rows(frame).tolist() == [first.setdefault(row, len(first)) for row in rows]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None]), st.integers(0, 5)), min_size=1, max_size=20
    ),
    st.data(),
)
@LAWS
def test_what_ties_rows_is_the_same_computed_before_and_after_some_are_taken(
    rows: list[tuple[int, str | None, int]], data: st.DataObject
) -> None:
    schema = {"x": pl.Float64, "who": pl.String, "when": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    index = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), unique=True, min_size=1)))
    whole, other = (Table(SCHEMA, frame, np.arange(len(rows))) for _ in range(2))
    before, after = (whole.groups, whole.copies, whole.times), other.take(index)
    assert all(ids is not None for ids in before)
    part = whole.take(index)
    for name in ("groups", "copies", "times"):
        assert getattr(part, name).tolist() == getattr(after, name).tolist()
