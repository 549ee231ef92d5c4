"""Tables of pyarrow as ``core.raw`` has them; pyarrow is not imported for it, and polars not needed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from sortal.core.moments import DAY, FIRST, LAST
from sortal.core.names import unique_names
from sortal.core.raw import Raw, RawTable, Sort, of_values


def arrow_table(data: object, most: int | None) -> RawTable | None:
    """A table of pyarrow with at most so many rows; None for anything else."""
    pyarrow = sys.modules.get("pyarrow")
    table: Any = data
    if pyarrow is None or not isinstance(data, pyarrow.Table) or (most is not None and table.num_rows > most):
        return None
    columns = [_of_arrow(column) for column in table.columns]
    return RawTable(dict(zip(unique_names(table.column_names)[0], columns, strict=True)), table.num_rows)


def in_utc(table: Any) -> Any:
    """A table of pyarrow with moments in UTC: of other zones, such as +05:45, polars knows those alone that have a
    name.
    """
    pyarrow = sys.modules["pyarrow"]
    for at, field in enumerate(table.schema):
        if pyarrow.types.is_timestamp(field.type) and field.type.tz not in (None, "UTC"):
            moments = table.column(at).cast(pyarrow.timestamp(field.type.unit, "UTC"))
            table = table.set_column(at, field.name, moments)
    return table


def _of_arrow(column: Any) -> Raw:
    """By the type of the column, as polars understands it."""
    types, dtype = sys.modules["pyarrow"].types, column.type
    if types.is_dictionary(dtype):
        values = _of_arrow(column.cast(dtype.value_type))
        return Raw("levels", values.values) if values.sort == "text" else values
    if types.is_floating(dtype):
        numbers = column.to_numpy()
        return Raw("single", numbers) if dtype.bit_width == 32 else of_values(numbers)
    if types.is_timestamp(dtype) or types.is_date(dtype) or types.is_duration(dtype):
        return _of_ticks(column, dtype)
    if types.is_time(dtype):
        per_tick = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}[dtype.unit]
        ticks = column.cast("int64" if dtype.bit_width == 64 else "int32").to_pylist()
        whole = [None if tick is None else tick * per_tick for tick in ticks]
        return Raw("time", [time if time is not None and 0 <= time < 1_000 * DAY else None for time in whole])
    return Raw(_sort_of(types, dtype), column.to_pylist())


def _sort_of(types: Any, dtype: Any) -> Sort:
    if types.is_boolean(dtype):
        return "boolean"
    if types.is_integer(dtype):
        return "whole"
    if types.is_decimal(dtype):
        return "number"
    if types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype):
        return "text"
    if types.is_null(dtype):
        return "null"
    return "nested" if types.is_nested(dtype) else "bytes"


def _of_ticks(column: Any, dtype: Any) -> Raw:
    """Days, or seconds and their parts, as microseconds: of a moment the one before, of a duration the one nearer to
    zero.
    """
    types = sys.modules["pyarrow"].types
    unit = "day" if types.is_date32(dtype) else "ms" if types.is_date64(dtype) else dtype.unit
    ticks = column.cast("int32" if unit == "day" else "int64").to_pylist()
    many = {"day": DAY, "s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}[unit]
    few = 1_000 if unit == "ns" else 1
    if types.is_duration(dtype):
        kind, (first, last) = "m", (-LONGEST, LONGEST)
        whole = [None if t is None else (abs(t) // few * many) * (1 if t >= 0 else -1) for t in ticks]
    else:
        kind, (first, last) = "M", (FIRST, LAST)
        whole = [None if t is None else t * many // few for t in ticks]
    inside = [t if t is not None and first <= t <= last else None for t in whole]
    array = np.array([np.iinfo(np.int64).min if t is None else t for t in inside], dtype=np.int64)
    outside = inside.count(None) - whole.count(None)
    return Raw("duration" if kind == "m" else "moment", array.view(f"{kind}8[us]"), outside)


LONGEST = 2**63 - 1
"""Microseconds of a duration."""
