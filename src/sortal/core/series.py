"""Columns of any values as series of polars, and what the types of polars are in ``core.raw``'s terms."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from sortal.core.kinds import Kind, Storage
from sortal.core.raw import Raw, Sort

TYPES: dict[Storage, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "moment": pl.Datetime("us"),
    "text": pl.String(),
    "bytes": pl.Binary(),
}
"""Of canonical values."""


def of_programs(values: Any, kind: Kind) -> pl.Series:
    """Canonical values, of those that programs read (``core.table.Table.columns``)."""
    if not kind.numeric:
        return pl.Series(list(values), dtype=TYPES[kind.storage])
    numbers = pl.Series(np.asarray(values, dtype=np.float64), nan_to_null=True)
    if kind.storage == "moment":
        numbers = (numbers * 1e6).round().cast(pl.Int64)
    return numbers.cast(TYPES[kind.storage])


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
    sort = _SORTS.get(type(dtype))
    if sort is not None:
        return sort
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return "levels"
    if isinstance(dtype, pl.Datetime):
        return "zoned" if dtype.time_zone else "moment"
    if dtype.is_numeric():
        return "whole" if dtype.is_integer() else "number"
    return "nested"


_SORTS: dict[type[pl.DataType], Sort] = {
    pl.Float64: "number",
    pl.Float32: "single",
    pl.Int64: "whole",
    pl.String: "text",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Duration: "duration",
    pl.Time: "time",
    pl.Binary: "bytes",
    pl.Null: "null",
}


def in_calendar(column: pl.Series) -> pl.Series:
    """The column without moments that no calendar has: outside the years 1 to 9999 they are missing.

    Databases write such a day, the last that they know, where there is none, and polars panics when it has to show it.
    So are a time of day of more than a day, and a duration that has no number of microseconds.

    >>> in_calendar(pl.Series([2**31 - 1, 0]).cast(pl.Int32).cast(pl.Date)).to_list()
    [None, datetime.date(1970, 1, 1)]
    """
    limits = _limits(column.dtype)
    if limits is None:
        return column
    ticks = column.to_physical()
    least, most = ticks.min(), ticks.max()
    if least is None or (limits[0] <= least and most <= limits[1]):  # type: ignore[operator]
        return column
    outside = ticks.is_between(*limits).not_().fill_null(False)
    return ticks.set(outside, None).cast(column.dtype)


_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""1 January of the year 1 and 31 December 9999, counted from 1970."""


def _limits(dtype: pl.DataType) -> tuple[int, int] | None:
    """The first and the last value of a column of times, as polars has them, that mean something; None where all do."""
    if isinstance(dtype, pl.Date):
        return _FIRST_DAY, _LAST_DAY
    if isinstance(dtype, pl.Datetime) and dtype.time_unit != "ns":
        day = 86_400 * _PER_SECOND[dtype.time_unit]
        return _FIRST_DAY * day, (_LAST_DAY + 1) * day - 1
    if isinstance(dtype, pl.Duration) and dtype.time_unit == "ms":
        return -(2**63 // 1000) + 1, 2**63 // 1000
    if isinstance(dtype, pl.Time):
        return 0, 86_400 * 10**9 - 1
    return None


class Times:
    """Takes times that are none out of frames, and counts them: see ``in_calendar``."""

    def __init__(self) -> None:
        self._missing: dict[str, int] = {}

    def checked(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with such times missing."""
        columns = [in_calendar(column) if column.dtype.is_temporal() else column for column in frame.iter_columns()]
        missing = {
            after.name: after.null_count() - before.null_count()
            for before, after in zip(frame.iter_columns(), columns, strict=True)
            if after is not before and after.null_count() > before.null_count()
        }
        for name, count in missing.items():
            self._missing[name] = self._missing.get(name, 0) + count
        return pl.DataFrame(columns) if missing else frame

    def notes(self) -> list[str]:
        """What to say of them."""
        return [
            f"{name}: {count:,} times outside the years 1 to 9999 are read as missing"
            for name, count in self._missing.items()
        ]
