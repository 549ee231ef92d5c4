"""The one door for tables: anything in, polars inside, canonical types.

``from_any`` takes what people hold (pandas, polars, pyarrow, numpy, dicts) and gives a raw polars frame;
``conform`` makes the columns of a schema of any raw frame, at training and at prediction alike.
"""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.coded import Coded
from sortal.core.costs import CostColumn
from sortal.core.errors import DataError, did_you_mean
from sortal.core.schema import Column, Kind, Role, Schema, column_name
from sortal.core.series import in_calendar, of_pandas, of_values
from sortal.core.values import DURATION, EXACT, any_time, as_read, canonical, evaluated, is_text, plain

ROLES: tuple[Role, ...] = ("feature", "target", "time", "group", "split", "weight", "cost")


@dataclass(frozen=True)
class Table:
    """Rows in canonical types.

    ``schema`` describes the columns, ``frame`` holds them (the types are listed in ``core.schema``) and
    ``rows`` (n,) are the ids of the rows in the source they came from.
    """

    schema: Schema
    frame: pl.DataFrame
    rows: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.rows.shape != (self.frame.height,):
            raise ValueError(f"{self.frame.height} rows, but row ids of shape {self.rows.shape}")

    def __len__(self) -> int:
        return self.frame.height

    def __getitem__(self, name: str) -> pl.Series:
        """(n,) the values of a column, without a name: polars takes one such as ``^p.*$`` for a pattern."""
        return self.frame[name].alias("")

    def take(self, index: NDArray[np.integer[Any]]) -> Table:
        """The rows at these positions (n',), in this order."""
        return Table(self.schema, self.frame[index], self.rows[index])

    def columns(self, names: Sequence[str]) -> dict[str, NDArray[np.float64] | Sequence[str | None]]:
        """Plain columns for the engine.

        number, boolean (0/1) and datetime (seconds since 1970, UTC) as (n,) float64, missing is NaN;
        category and text as a sequence of str, missing is None.
        """
        return {name: _plain_column(self[name]) for name in names}

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """(n,) how much each row counts in a fit; None where all count the same."""
        column = self.schema.only("weight")
        return None if column is None else self.frame[column.name].to_numpy().astype(np.float64, copy=False)

    def amounts(self, columns: Sequence[CostColumn], source: str = "the data") -> NDArray[np.float64] | None:
        """(n, m) what cost columns hold; None where there are none. Raises DataError for a row that has no value."""
        if not columns:
            return None
        plain = self.columns([cell.column for cell in columns])
        found = np.column_stack([np.asarray(plain[cell.column], dtype=np.float64) for cell in columns])
        missing = np.argwhere(np.isnan(found))
        if len(missing):
            row, at = missing[0]
            raise DataError(
                f"column {columns[at].column!r} of {source} has no value in row {self.rows[row] + 1:,}, and a decision by "
                "cost needs one in every row; fill it in, or leave such rows out"
            )
        return found


MANY_VALUES = 1_000_000
"""From so many on (a tenth of a second), starting threads is worth it."""
MANY_ROWS = 1_000
"""From so many rows on, texts are handed over as codes of their levels; fewer are quicker as they are."""


def _plain_column(series: pl.Series) -> NDArray[np.float64] | Sequence[str | None]:
    if isinstance(series.dtype, pl.String):
        return _coded(series) if len(series) >= MANY_ROWS else series.to_list()
    if isinstance(series.dtype, pl.Datetime):
        # Divided by numpy: polars multiplies by the reciprocal, but not in a column of one row.
        return series.dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    return series.cast(pl.Float64).to_numpy().astype(np.float64, copy=False)


def _coded(series: pl.Series) -> Sequence[str | None]:
    """As codes, unless most texts differ."""
    levels = series.drop_nulls().unique(maintain_order=True)
    if len(levels) > len(series) / 2:
        return series.to_list()
    codes = series.cast(pl.Enum(levels)).to_physical().fill_null(len(levels))
    return Coded((*levels.to_list(), None), codes.to_numpy())


def conform(
    frame: pl.DataFrame,
    schema: Schema,
    roles: Sequence[Role] = ROLES,
    source: str = "the data",
    first_row: int = 1,
    allow_missing: bool = False,
) -> pl.DataFrame:
    """The columns of ``schema`` with these roles, in its order and in canonical types; others are dropped.

    ``source`` names the data in messages; ``first_row`` is the number of the first row there (batches of a
    larger file). ``allow_missing``: a feature that is not there has no values (records name only what they have). Raises DataError
    for another column that is not there, and for a value that does not fit the kind of its column: text that is no number, an
    infinity, a date in another notation. What is neither yes nor no is missing, as an unseen category is like no other.

    >>> schema = Schema((Column("price", "number", format=","), Column("zip", "category")))
    >>> conform(pl.DataFrame({"zip": [98101.0, None], "price": ["1,5", "?"], "more": [1, 2]}), schema).rows()
    [(1.5, '98101'), (None, None)]
    """
    columns = [c for c in schema.columns if c.role in roles]
    frame = _present(frame, columns, source, allow_missing)
    # Polars takes names such as "*" for patterns, so columns are called by their number until they have their values.
    frame.columns = [str(i) for i in range(len(columns))]
    frame = _clean_numbers(frame.with_columns(_as_read(frame)), columns)
    tidied = frame.select(
        plain(c, pl.col(s.name), s.dtype).alias(s.name) for c, s in zip(columns, frame.iter_columns(), strict=True)
    )
    tidied = tidied.with_columns(s.cast(pl.Null) for s in tidied.iter_columns() if s.null_count() == len(s))
    values = tidied.select(_expression(c, s, source) for c, s in zip(columns, tidied.iter_columns(), strict=True))
    for column, before, after in zip(columns, tidied.iter_columns(), values.iter_columns(), strict=True):
        if column.kind != "boolean" and before.null_count() != after.null_count():
            moments = _other_times(column, before, after)
            _refuse_misfit(column, before, moments, source, first_row)
            values = values.with_columns(moments)
    for column, series in zip(columns, values.iter_columns(), strict=True):
        _refuse_infinity(column.name, series, source, first_row)
    values.columns = [column.name for column in columns]
    return values


def _as_read(frame: pl.DataFrame) -> list[pl.Series]:
    """The columns of 32 bits. Not by an expression of polars, which is slow for thousands of columns; numpy lets threads work side by side."""
    singles = [series for series in frame.iter_columns() if series.dtype == pl.Float32]
    if frame.height * len(singles) < MANY_VALUES:
        return [pl.Series(series.name, as_read(series.to_numpy())) for series in singles]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        numbers = threads.map(as_read, (series.to_numpy() for series in singles))
        return [pl.Series(series.name, values) for series, values in zip(singles, numbers, strict=True)]


def absent(frame: pl.DataFrame, columns: Sequence[Column]) -> tuple[str, ...]:
    """The names of those columns that a raw frame does not have."""
    known = set(frame.columns)
    return tuple(column.name for column in columns if column.name not in known)


def _present(frame: pl.DataFrame, columns: Sequence[Column], source: str, allow_missing: bool) -> pl.DataFrame:
    """The columns that are needed, in their order.

    Only a feature is ever taken for missing, and not where another is there under nearly its name, or where no column is.
    """
    lacking = absent(frame, columns)
    near = {name.casefold() for name in frame.columns}
    may_lack = {c.name for c in columns if c.role == "feature" and c.name.casefold() not in near}
    all_of_them = len(lacking) == len(columns)
    refused = [name for name in lacking if not allow_missing or all_of_them or name not in may_lack]
    if refused:
        nor = " (nor any other)" if all_of_them and len(columns) > 1 else ""
        hint = did_you_mean(refused[0], dict.fromkeys(frame.columns))
        way = (
            "; --allow-missing takes it as missing"
            if refused[0] in may_lack and not (allow_missing or all_of_them)
            else ""
        )
        raise DataError(f"{source} has no column {refused[0]!r}{nor}, which the model needs; {hint}{way}")
    if lacking:
        frame = frame.with_columns(pl.Series(name, [None] * frame.height, pl.Null) for name in lacking)
    return frame[[column.name for column in columns]]


def _clean_numbers(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """Text that is nothing but plain numbers needs no tidying: several times faster on large files."""
    pairs = zip(columns, frame.iter_columns(), strict=True)
    texts = [
        s.name
        for c, s in pairs
        if c.kind == "number" and c.format in ("", ".") and s.dtype == pl.String and not c.absent
    ]
    numbers = frame.select(pl.col(texts).cast(pl.Float64, strict=False)) if texts else pl.DataFrame()
    return frame.with_columns(n for n in numbers.iter_columns() if n.null_count() == frame[n.name].null_count())


def _expression(column: Column, series: pl.Series, source: str) -> pl.Expr:
    expression = canonical(column, pl.col(series.name), series.dtype)
    if expression is None:
        raise DataError(
            f"column {column.name!r} of {source} holds values of type {series.dtype}, where {_needed(column)} "
            "is needed; convert it, or leave the column out with --ignore"
        )
    return expression.alias(series.name)


_NEEDED = {
    "number": "a number",
    "boolean": "yes or no",
    "category": "a category",
    "datetime": "a date",
    "text": "text",
    "image": "an image",
}


def _needed(column: Column) -> str:
    if column.format == DURATION:
        return "a duration or a time such as 1:30:00, PT90M or 0 days 01:30:00"
    return _NEEDED[column.kind]


def _other_times(column: Column, tidied: pl.Series, values: pl.Series) -> pl.Series:
    """Dates with another time of day than at training (none, no seconds, a zone) are still clear."""
    if column.kind != "datetime" or not is_text(tidied.dtype):
        return values
    return evaluated(tidied, lambda text: any_time(column.format or "%Y-%m-%d", text))


def _refuse_misfit(column: Column, tidied: pl.Series, values: pl.Series, source: str, first_row: int) -> None:
    misfit = (tidied.is_not_null() & values.is_null()).arg_true()
    if len(misfit) == 0:
        return
    needed = _needed(column)
    if column.format not in ("", ".", DURATION, EXACT):
        needed += f" written like {_example(column)}"
    more = f" (and {len(misfit) - 1:,} more)" if len(misfit) > 1 else ""
    raise DataError(
        f"column {column.name!r} of {source} holds {_shown(tidied[int(misfit[0])])} in row "
        f"{int(misfit[0]) + first_row:,}{more}, where {needed} is needed; correct it or leave it blank"
    )


def _example(column: Column) -> str:
    if column.kind == "datetime":
        return dt.datetime(2018, 7, 31, 14, 30, tzinfo=dt.UTC).strftime(column.format.replace("%.f", "")).strip()
    marks = column.format
    return f"1{marks[1]}234{marks[0]}5{marks[2:]}" if len(marks) > 1 else f"1{marks[0]}5"


def _shown(value: object, most: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= most else text[: most - 4] + "...'"


LARGEST = float(np.finfo(np.float32).max)
"""Several libraries compute in float32; a number beyond it would become an infinity there."""


def _refuse_infinity(name: str, values: pl.Series, source: str, first_row: int) -> None:
    if values.dtype != pl.Float64:
        return
    ends: list[Any] = [end for end in (values.min(), values.max()) if end is not None]
    if max(map(abs, ends), default=0.0) > LARGEST:
        row = int((values.abs() > LARGEST).arg_true()[0])
        what = "infinity" if math.isinf(values[row]) else f"models compute with numbers up to {LARGEST:.1e}"
        raise DataError(
            f"column {name!r} of {source} holds {values[row]} ({what}) in row "
            f"{row + first_row:,}; put a number there or leave it blank"
        )


def unique_names(names: Iterable[object]) -> tuple[list[str], list[str]]:
    """Names of columns that are texts, not blank and all different; and what was renamed, in words.

    Names take the form of ``column_name``, a blank one becomes ``column_N`` (counted from 1) and the second ``a``
    becomes ``a_2``.

    >>> unique_names(["a", "", "a"])
    (['a', 'column_2', 'a_2'], ["column 2 has no name: 'column_2'", "column 3 is a second 'a': 'a_2'"])
    """
    wished = [column_name(name) for name in names]
    taken = set(wished)
    seen: set[str] = set()
    free: dict[str, int] = {}  # all numbers below are taken: without it, 20,000 equal names would take minutes
    result: list[str] = []
    notes: list[str] = []
    for position, name in enumerate(wished, start=1):
        if name and name not in seen:
            seen.add(name)
            result.append(name)
            continue
        base = name or "column"
        number = max(2 if name else position, free.get(base, 0))
        while f"{base}_{number}" in taken:
            number += 1
        new = f"{base}_{number}"
        free[base] = number + 1
        taken.add(new)
        result.append(new)
        what = f"is a second {name!r}" if name else "has no name"
        notes.append(f"column {position} {what}: {new!r}")
    return result, notes


def from_any(data: object, note: Callable[[str], None] = lambda text: None) -> pl.DataFrame:
    """A raw polars frame of whatever table a person holds.

    Takes pandas (the index is left out), polars (eager or lazy), pyarrow and whatever else narwhals knows, a
    2-d numpy array (columns x0, x1, ...), a dict of columns, a list of dicts or of rows. Columns of
    mixed types become text. ``note`` hears of times that are none. Raises DataError for anything else.

    >>> from_any([{"a": 1, "b": "x"}, {"b": 2}]).rows()
    [(1, 'x'), (None, '2')]
    """
    frame = _from_any(data)
    times = Times()
    frame = times.checked(frame)
    for text in times.notes():
        note(text)
    return frame


class Times:
    """Takes times that are none out of frames, and counts them: see ``series.in_calendar``."""

    def __init__(self) -> None:
        self._lost: dict[str, int] = {}

    def checked(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with such times missing."""
        columns = [in_calendar(column) if column.dtype.is_temporal() else column for column in frame.iter_columns()]
        lost = {
            after.name: after.null_count() - before.null_count()
            for before, after in zip(frame.iter_columns(), columns, strict=True)
            if after is not before and after.null_count() > before.null_count()
        }
        for name, count in lost.items():
            self._lost[name] = self._lost.get(name, 0) + count
        return pl.DataFrame(columns) if lost else frame

    def notes(self) -> list[str]:
        """What to say of them."""
        return [
            f"{name}: {count:,} times outside the years 1 to 9999 are read as missing"
            for name, count in self._lost.items()
        ]


def _from_any(data: object) -> pl.DataFrame:
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.DataFrame):
        return _renamed([of_values(column.name, column) for column in data.iter_columns()])
    if isinstance(data, np.ndarray):
        return _from_numpy(data)
    if isinstance(data, str | bytes | Path):
        raise DataError(f"{str(data)[:80]!r} is a path or a text, not a table; read it first")
    if isinstance(data, Mapping):
        return _from_columns(data)
    if is_records(data):
        records: Any = data
        names = dict.fromkeys(name for row in records for name in row)
        return _from_columns({name: [row.get(name) for row in records] for name in names})
    if isinstance(data, Sequence) and data and all(isinstance(row, list | tuple) for row in data):
        if len({len(row) for row in data}) > 1:
            raise DataError("the rows of this list differ in length; give each row a value for every column")
        return _from_columns({f"x{j}": column for j, column in enumerate(zip(*data, strict=True))})
    return _from_library(data)


def declared_kinds(data: object) -> dict[str, Kind]:
    """Columns that a table in memory says are categories, though their values are numbers, dates or booleans (pandas)."""
    import narwhals as nw

    table: Any = data
    if not nw.dependencies.is_pandas_dataframe(table):
        return {}
    pairs = zip(from_any(table.head(0)).columns, table.dtypes, strict=True)
    return {name: "category" for name, dtype in pairs if str(dtype) == "category"}


def is_records(data: object) -> bool:
    """Whether these are rows that name their values: a list of dicts."""
    return isinstance(data, Sequence) and bool(data) and all(isinstance(row, Mapping) for row in data)


def _from_numpy(array: NDArray[Any]) -> pl.DataFrame:
    if array.dtype.names:
        return _from_columns({name: array[name] for name in array.dtype.names})
    if array.ndim != 2:
        raise DataError(
            f"a table has two dimensions, this array has {array.ndim}. Reshape your data either using "
            "array.reshape(-1, 1) if it has a single feature or array.reshape(1, -1) if it is a single row"
        )
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: give real and imaginary part as two columns")
    return pl.DataFrame([of_values(f"x{j}", array[:, j]) for j in range(array.shape[1])])


def _from_columns(columns: Mapping[Any, Any]) -> pl.DataFrame:
    for name, values in columns.items():
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise DataError(f"{name!r} of this dict is {_shown(values)}, not a column; give a list of values")
    lengths = {str(name): len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        few, many = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise DataError(f"column {few!r} has {lengths[few]:,} values, but {many!r} has {lengths[many]:,}")
    return _renamed([of_values(str(name), values) for name, values in columns.items()], list(columns))


def _from_library(data: object) -> pl.DataFrame:
    """pandas column by column, so that mixed columns work and pyarrow is not needed; others by narwhals."""
    import narwhals as nw

    table: Any = data
    if nw.dependencies.is_pandas_like_dataframe(table):
        columns = [of_pandas(table.iloc[:, j]) for j in range(table.shape[1])]
        return _renamed(columns, list(table.columns))
    if nw.dependencies.is_pyarrow_table(table):
        return _from_any(pl.DataFrame(table.rename_columns(unique_names(table.column_names)[0])))
    native = nw.from_native(table, pass_through=True)
    if isinstance(native, nw.LazyFrame):
        native = native.collect("polars")
    if isinstance(native, nw.DataFrame):
        return _from_any(native.to_polars())
    kind = type(data).__name__
    if hasattr(data, "toarray"):
        raise DataError(f"a sparse {kind} is not a table that sortal reads; give .toarray() of it")
    advice = "give .to_frame() of it" if hasattr(data, "to_frame") else "give a pandas, polars or pyarrow table"
    raise DataError(f"an object of type {kind} is not a table; {advice}, a 2-d array or a dict of columns")


def _renamed(columns: list[pl.Series], names: Iterable[object] | None = None) -> pl.DataFrame:
    unique, _ = unique_names(names if names is not None else [column.name for column in columns])
    return pl.DataFrame([column.alias(name) for name, column in zip(unique, columns, strict=True)])
