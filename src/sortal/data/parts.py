"""Parts under one another: one rule for columns and their types, for every format and every block of a file.

The columns are those of the first part, in its order. A file with a header (CSV, Parquet, Arrow) has to have them all
and no others. A record of JSON may lack a key, whose value is missing then, and records only among themselves may bring
new keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sortal.core.errors import DataError
from sortal.core.few_bits import as_read
from sortal.core.series import sort_of

Types = Mapping[str, pl.DataType]
"""The columns of a table and what they hold."""

Note = Callable[[str], None]
"""Hears in words what is unusual about a file."""


@dataclass(frozen=True)
class Part:
    """A file as a part of a table.

    ``types`` are known before its rows are read, which ``frames`` does, some at a time; ``notes`` and what ``frames``
    tells are in words. ``separator`` stands between the fields of a text; in ``records`` a row may lack a column.
    ``size``: bytes of memory that all of its rows need, where the file says so.
    """

    path: Path
    types: Types
    frames: Callable[[Note], Iterator[pl.DataFrame]]
    notes: tuple[str, ...] = ()
    separator: str = ""
    records: bool = False
    size: int = 0


def common_types(parts: Sequence[Part]) -> Types:
    """The columns of all parts. Raises DataError where one lacks a column, or adds one."""
    headers = [part for part in parts if not part.records]
    for part in parts if headers else ():
        _refuse_other_columns(headers[0], part)
    names = dict.fromkeys(name for part in parts for name in part.types)
    return {name: common_type(part.types[name] for part in parts if name in part.types) for name in names}


def _refuse_other_columns(first: Part, other: Part) -> None:
    extra = [name for name in other.types if name not in first.types]
    missing = [] if other.records else [name for name in first.types if name not in other.types]
    if extra or missing:
        name = (extra or missing)[0]
        has, lacks = (other, first) if extra else (first, other)
        raise DataError(
            f"the parts differ: {has.path.name} has a column {name!r} that {lacks.path.name} lacks; give files "
            "with the same columns"
        )


def common_type(types: Iterable[pl.DataType]) -> pl.DataType:
    """A type that holds the values of all these, each with the meaning it had; text where there is no other.

    >>> common_type([pl.Int64(), pl.Float64()]), common_type([pl.Boolean(), pl.Int64()]), common_type([pl.Null()])
    (Float64, String, Null)
    """
    present = {dtype for dtype in types if dtype != pl.Null}
    if len(present) <= 1:
        return next(iter(present), pl.Null())
    if any(sort_of(dtype) == "single" for dtype in present) and all(dtype.is_numeric() for dtype in present):
        return pl.Float64()
    if any(all(map(alike, present)) for alike in _ALIKE):
        tables = [pl.DataFrame(schema={"": dtype}) for dtype in present]
        try:
            common = pl.concat(tables, how="vertical_relaxed").dtypes[0]
        except pl.exceptions.SchemaError:
            return pl.String()
        # polars would take the coarser of two units, and cut off what it cannot hold.
        return pl.Datetime("us", common.time_zone) if isinstance(common, pl.Datetime) else common
    return pl.String()


_ALIKE: tuple[Callable[[pl.DataType], bool], ...] = (
    lambda dtype: dtype.is_numeric(),
    lambda dtype: dtype.is_nested(),
    lambda dtype: isinstance(dtype, pl.Date | pl.Datetime),
    lambda dtype: isinstance(dtype, pl.String | pl.Categorical | pl.Enum),
    lambda dtype: isinstance(dtype, pl.String | pl.Binary),
)
"""Types whose values mean the same in a wider type of the same sort; a yes is not a 1, nor a date a number."""


def fitted(frame: pl.DataFrame, types: Types) -> pl.DataFrame:
    """The frame with these columns, in this order and in these types; one that it lacks is missing.

    Raises DataError for bytes that are no text, where other parts have numbers.
    """
    columns = {column.name: column for column in frame.iter_columns()}
    absent = [name for name in types if name not in columns]
    columns |= {name: pl.repeat(None, frame.height, dtype=types[name], eager=True).alias(name) for name in absent}
    return pl.DataFrame([_column(columns[name], dtype) for name, dtype in types.items()])


def _column(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    if column.dtype == dtype:
        return column
    if sort_of(column.dtype) == "single":  # as it is read where all parts have as few bits
        column = pl.Series(column.name, as_read(column.to_numpy()), nan_to_null=True)
    if dtype == pl.String and column.dtype.is_nested():
        return pl.Series(column.name, [None if v is None else str(v) for v in column.to_list()], pl.String)
    try:
        return column.cast(dtype)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"column {column.name!r} is {column.dtype} in one part and cannot be {dtype} as in all: "
            f"{str(error).splitlines()[0]}; save all parts with one type"
        ) from error
