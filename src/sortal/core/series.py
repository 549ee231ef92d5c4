"""Columns of any values as series of polars, and what the types of polars are in ``core.raw``'s terms."""

from __future__ import annotations

import numpy as np
import polars as pl

from sortal.core.raw import Raw, Sort
from sortal.core.schema import Kind

TYPES: dict[Kind, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "category": pl.String(),
    "datetime": pl.Datetime("us"),
    "text": pl.String(),
    "image": pl.Binary(),
}
"""Of canonical values."""

_OF_SORT: dict[Sort, pl.DataType] = {
    "number": pl.Float64(),
    "moment": pl.Datetime("us"),
    "text": pl.String(),
    "levels": pl.String(),
}


def to_series(name: str, raw: Raw) -> pl.Series:
    """A column as polars has it.

    >>> to_series("c", Raw("whole", [1, None])).to_list()
    [1, None]
    """
    if isinstance(raw.values, np.ndarray):
        return pl.Series(name, raw.values)
    series = pl.Series(name, raw.values, dtype=_OF_SORT.get(raw.sort), strict=False)
    return series.cast(pl.Categorical) if raw.sort == "levels" else series


def sort_of(dtype: pl.DataType) -> Sort:
    """What the values of a column are by their type.

    >>> sort_of(pl.Int8()), sort_of(pl.Datetime("ns", "UTC")), sort_of(pl.Decimal(9, 2)), sort_of(pl.List(pl.Int8()))
    ('whole', 'zoned', 'number', 'nested')
    """
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return "levels"
    if isinstance(dtype, pl.Datetime):
        return "zoned" if dtype.time_zone else "moment"
    if dtype.is_numeric():
        return "whole" if dtype.is_integer() else "single" if dtype == pl.Float32 else "number"
    return _SORTS.get(type(dtype), "nested")


_SORTS: dict[type[pl.DataType], Sort] = {
    pl.String: "text",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Duration: "duration",
    pl.Time: "time",
    pl.Binary: "bytes",
    pl.Null: "null",
}
