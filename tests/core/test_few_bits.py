"""A number of few bits is what its text says, whatever holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sortal.core.door import rows_of, rows_of_frame
from sortal.core.few_bits import as_read, one_as_read
from sortal.core.frame import from_any
from sortal.core.schema import Column, Schema

SCHEMA = Schema((Column("c", "number"), Column("d", "category")))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@settings(max_examples=100)
@example([0.1, 10008.0, 65504.0])
@given(st.lists(st.floats(width=16, allow_infinity=False), min_size=1, max_size=9))
def test_a_number_of_few_bits_is_what_its_text_says(dtype: Any, values: list[float]) -> None:
    _assert_one_meaning(np.array(values, dtype=dtype))


@settings(max_examples=200)
@example([123456789.0, 4285714399232.0, 1e-13])
@given(st.lists(st.floats(-(2.0**127), 2.0**127, width=32), min_size=1, max_size=9))
def test_a_number_of_32_bits_is_what_its_text_says(values: list[float]) -> None:
    _assert_one_meaning(np.array(values, dtype=np.float32))


def _assert_one_meaning(numbers: np.ndarray[Any, Any]) -> None:
    read_values = as_read(numbers)
    for number, read_as in zip(numbers, read_values, strict=True):
        exact = np.isnan(number) or number == np.rint(number) or not 1e-12 < abs(float(number)) < 1e12
        np.testing.assert_equal(read_as, float(number) if exact else float(str(number)))
        np.testing.assert_equal(one_as_read(number), read_as)
    arrow = pa.table({"c": numbers, "d": numbers})
    tables: list[Any] = [arrow, {"c": numbers, "d": numbers}, {"c": list(numbers), "d": list(numbers)}]
    ways = [rows_of(way, SCHEMA) for way in (*tables, pl.DataFrame(arrow))]
    ways += [rows_of_frame(from_any(way), SCHEMA) for way in tables]
    for rows in ways:
        np.testing.assert_array_equal(rows.columns["c"], read_values)
        assert list(rows.columns["d"]) == list(ways[0].columns["d"])
