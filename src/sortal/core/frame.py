"""The one door for tables: anything in, polars inside, canonical types.

``from_any`` takes what people hold (pandas, polars, pyarrow, numpy, dicts) and gives a raw polars frame; ``conform``
makes the columns of a schema of any raw frame, at training and at prediction alike. ``core.door`` does without polars
what the two do, for few rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl

from sortal.core import misfits
from sortal.core.arrow import in_utc
from sortal.core.errors import DataError
from sortal.core.few_bits import as_read
from sortal.core.fork import need_polars
from sortal.core.kinds import kind_of
from sortal.core.misfits import LARGEST
from sortal.core.names import unique_names
from sortal.core.raw import Raw, check_columns, is_pandas, of_pandas, of_polars, of_values, raw_table
from sortal.core.schema import Column, Role, Schema
from sortal.core.series import TYPES, Times, sort_of, to_series
from sortal.core.table import FEW_COLUMNS, FEW_ROWS
from sortal.core.values import evaluated, is_number, is_text

ROLES: tuple[Role, ...] = ("feature", "target", "time", "group", "split", "weight", "cost")


def conform(
    frame: pl.DataFrame,
    schema: Schema,
    roles: Sequence[Role] = ROLES,
    source: str = "the data",
    first_row: int = 1,
    allow_missing: bool = False,
    folder: str = "",
    note: Callable[[str], None] = lambda text: None,
) -> pl.DataFrame:
    """The columns of ``schema`` with these roles, in its order and in canonical types; others are dropped.

    ``source`` names the data in messages; ``first_row`` is the number of the first row there (batches of a larger
    file). ``allow_missing``: a feature that is not there has no values (records name only what they have). ``folder``:
    where the files lie that values name. ``note`` hears of values that are missing because they cannot be read. Raises
    DataError for another column that is not there, and for a value that does not fit the kind of its column: text that
    is no number, an infinity, a date in another notation. What is neither yes nor no is missing, as an unseen category
    is like no other.

    >>> schema = Schema((Column("price", "number", format=","), Column("zip", "category")))
    >>> conform(pl.DataFrame({"zip": [98101.0, None], "price": ["1,5", "?"], "more": [1, 2]}), schema).rows()
    [(1.5, '98101'), (None, None)]
    """
    columns = [c for c in schema.columns if c.role in roles]
    without = misfits.lacking(frame.columns, columns, source, allow_missing)
    if without:
        frame = frame.with_columns(pl.Series(name, [None] * frame.height, pl.Null) for name in without)
    frame = frame[[column.name for column in columns]]
    # Polars takes names such as "*" for patterns, so columns are called by their number until they have their values.
    frame.columns = [str(i) for i in range(len(columns))]
    frame = _clean_numbers(with_few_bits_read(frame), columns)
    numbers = {
        s.name: is_number(sort_of(s.dtype)) and kind_of(c.kind).takes_numbers(c)
        for c, s in zip(columns, frame.iter_columns(), strict=True)
    }
    ready = _floats(frame[[name for name, is_one in numbers.items() if is_one]])
    others = [(c, name) for c, (name, is_one) in zip(columns, numbers.items(), strict=True) if not is_one]
    canonical = [*ready, *_by_rules(frame, others, source, first_row, folder, note)]
    at = {series.name: series for series in canonical}
    values = pl.DataFrame([at[name] for name in numbers])
    _refuse_infinities(columns, values, source, first_row)
    values.columns = [column.name for column in columns]
    return values


def conform_column(frame: pl.DataFrame, column: Column, source: str = "the data", first_row: int = 1) -> pl.Series:
    """(n,) the canonical values of one column, without its name, which polars may take for a pattern."""
    return conform(frame, Schema((column,)), (column.role,), source, first_row).to_series().alias("")


def _by_rules(
    frame: pl.DataFrame,
    columns: Sequence[tuple[Column, str]],
    source: str,
    first_row: int,
    folder: str,
    note: Callable[[str], None],
) -> Iterator[pl.Series]:
    """The canonical values of columns that are called so, by the rules of their kinds."""
    if not columns:
        return
    frame = frame[[name for _, name in columns]]
    tidied = frame.select(
        kind_of(c.kind).plain(c, pl.col(s.name), sort_of(s.dtype)).alias(s.name)
        for (c, _), s in zip(columns, frame.iter_columns(), strict=True)
    )
    tidied = tidied.with_columns(
        kind_of(c.kind).located(tidied[name].cast(pl.String), folder).alias(name)
        for c, name in columns
        if folder and kind_of(c.kind).storage == "bytes" and is_text(sort_of(tidied.schema[name]))
    )
    tidied = tidied.with_columns(s.cast(pl.Null) for s in tidied.iter_columns() if s.null_count() == len(s))
    values = tidied.select(_expression(c, s, source) for (c, _), s in zip(columns, tidied.iter_columns(), strict=True))
    for (column, _), before, after in zip(columns, tidied.iter_columns(), values.iter_columns(), strict=True):
        if kind_of(column.kind).strict and before.null_count() != after.null_count():
            after = _leniently(column, before, after)
            _refuse_misfit(column, before, after, source, first_row)
        elif kind_of(column.kind).storage == "bytes" and before.null_count() != after.null_count():
            note(unreadable(column, before, after, first_row))
        yield after


def unreadable(column: Column, tidied: pl.Series, values: pl.Series, first_row: int = 1, quotes: bool = True) -> str:
    """What is said of values that are missing because they cannot be read."""
    rows = (tidied.is_not_null() & values.is_null()).arg_true()
    return misfits.unreadable(column, tidied[rows].to_list(), (rows + first_row).to_list(), quotes=quotes)


def with_few_bits_read(frame: pl.DataFrame) -> pl.DataFrame:
    """With the columns of 32 bits or 16 as a person reads them. Not by an expression of polars, which is slow for
    thousands of columns; numpy lets threads work side by side.
    """
    dtypes = {name: dtype for name, dtype in frame.schema.items() if sort_of(dtype) == "single"}
    singles = list(dtypes)
    if not singles:
        return frame
    if frame.height <= FEW_ROWS and len({*dtypes.values()}) == 1:
        values = as_read(frame[singles].to_numpy(order="fortran").ravel(order="F"))
        numbers = _slices(pl.Series(values), len(singles))
    else:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            numbers = list(map(pl.Series, threads.map(as_read, (frame[name].to_numpy() for name in singles))))
    by_name = dict(zip(singles, numbers, strict=True))
    return pl.DataFrame([by_name.get(s.name, s).alias(s.name) for s in frame.iter_columns()])


def _floats(frame: pl.DataFrame) -> list[pl.Series]:
    """Columns of numbers as floats, NaN missing. Few rows of many columns are one array for a moment: an expression a
    column is slow for thousands of columns.
    """
    if frame.width <= FEW_COLUMNS or frame.height > FEW_ROWS or not {*frame.dtypes} <= {pl.Float64, pl.Int64}:
        return list(frame.select(pl.all().cast(pl.Float64).fill_nan(None)).iter_columns())
    values = frame.to_numpy(order="fortran").astype(np.float64, copy=False).ravel(order="F")
    columns = _slices(pl.Series(values, nan_to_null=True), frame.width)
    return [column.alias(name) for name, column in zip(frame.columns, columns, strict=True)]


def _slices(values: pl.Series, columns: int) -> list[pl.Series]:
    """So many columns of which one after another stands in ``values``, whose memory they share."""
    rows = len(values) // columns
    return [values.slice(i * rows, rows) for i in range(columns)]


def absent(frame: pl.DataFrame, columns: Sequence[Column]) -> tuple[str, ...]:
    """The names of those columns that a raw frame does not have."""
    return misfits.absent(frame.columns, columns)


def _clean_numbers(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    pairs = zip(columns, frame.iter_columns(), strict=True)
    texts = [s.name for c, s in pairs if sort_of(s.dtype) == "text" and kind_of(c.kind).takes_plain_numbers(c)]
    # A text such as -NAN is left to the rules, so that it is the same beside any others.
    numbers = frame.select(pl.col(texts).cast(pl.Float64, strict=False).fill_nan(None)) if texts else pl.DataFrame()
    return frame.with_columns(n for n in numbers.iter_columns() if n.null_count() == frame[n.name].null_count())


def _expression(column: Column, series: pl.Series, source: str) -> pl.Expr:
    if isinstance(series.dtype, pl.Null):
        return pl.col(series.name).cast(TYPES[kind_of(column.kind).storage])
    expression = kind_of(column.kind).canonical(column, pl.col(series.name), sort_of(series.dtype))
    if expression is None:
        raise misfits.other_type(column, sort_of(series.dtype), source)
    return expression.alias(series.name)


def _leniently(column: Column, tidied: pl.Series, values: pl.Series) -> pl.Series:
    """Texts that their kind's own notation does not fit, in its second reading."""
    second = kind_of(column.kind).lenient(column, pl.nth(0)) if is_text(sort_of(tidied.dtype)) else None
    return values if second is None else evaluated(tidied, lambda _: second)


def _refuse_misfit(column: Column, tidied: pl.Series, values: pl.Series, source: str, first_row: int) -> None:
    wrong = (tidied.is_not_null() & values.is_null()).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise misfits.misfit(column, tidied[row], row + first_row, len(wrong) - 1, source)


def _refuse_infinities(columns: Sequence[Column], values: pl.DataFrame, source: str, first_row: int) -> None:
    """``values``: of the columns, called by their number."""
    if not any(isinstance(dtype, pl.Float64) for dtype in values.dtypes):
        return
    largest = values.select(pl.col(pl.Float64).abs().max())
    for name, most in zip(largest.columns, largest.row(0), strict=True):
        if most is not None and most > LARGEST:
            row = int((values[name].abs() > LARGEST).arg_true()[0])
            raise misfits.too_large(columns[int(name)].name, values[name][row], row + first_row, source)


def from_any(data: object, note: Callable[[str], None] = lambda text: None) -> pl.DataFrame:
    """A raw polars frame of whatever table a person holds.

    Takes pandas (the index is left out), polars (eager or lazy), pyarrow and whatever else narwhals knows, a 2-d numpy
    array (columns x0, x1, ...), a dict of columns, a list of dicts or of rows. Columns of mixed types become text.
    ``note`` hears of times that are none. Raises DataError for anything else, ForkError in a process that was forked
    after polars had computed.

    >>> from_any([{"a": 1, "b": "x"}, {"b": 2}]).rows()
    [(1, 'x'), (None, '2')]
    """
    need_polars("a table of polars, or what becomes one,")
    frame = _from_any(data)
    times = Times()
    frame = times.checked(frame)
    for text in times.notes():
        note(text)
    return frame


def _from_any(data: object) -> pl.DataFrame:
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.DataFrame):
        return _frame(data.columns, list(data.iter_columns()))
    if isinstance(data, Mapping) and of_polars(data):
        check_columns(data)
        return _frame(list(data), list(data.values()))
    table = raw_table(data)
    return _from_library(data) if table is None else to_frame(table.columns)


def to_frame(columns: Mapping[str, Raw]) -> pl.DataFrame:
    """Raw columns as a frame."""
    return pl.DataFrame([to_series(name, raw) for name, raw in columns.items()])


def declared_kinds(data: object) -> dict[str, str]:
    """Columns that a table in memory says are categories, though their values are numbers, dates or booleans
    (pandas).
    """
    table: Any = data
    if not is_pandas(table, "DataFrame"):
        return {}
    pairs = zip(from_any(table.head(0)).columns, table.dtypes, strict=True)
    return {name: "category" for name, dtype in pairs if str(dtype) == "category"}


def _from_library(data: object) -> pl.DataFrame:
    """By narwhals; what is like pandas column by column, so that mixed columns work and pyarrow is not needed."""
    import narwhals as nw

    table: Any = data
    if nw.dependencies.is_pandas_like_dataframe(table):
        return _frame(list(table.columns), [of_pandas(table.iloc[:, j]) for j in range(table.shape[1])])
    if nw.dependencies.is_pyarrow_table(table):
        return _from_any(pl.DataFrame(in_utc(table.rename_columns(unique_names(table.column_names)[0]))))
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


def _frame(names: Sequence[object], columns: Sequence[Any]) -> pl.DataFrame:
    """A frame of columns of any values, those of polars among them."""
    return pl.DataFrame([_series(name, column) for name, column in zip(unique_names(names)[0], columns, strict=True)])


def _series(name: str, values: Any) -> pl.Series:
    if isinstance(values, pl.Series) and not isinstance(values.dtype, pl.Object):
        return values.alias(name)
    if isinstance(values, Raw):
        return to_series(name, values)
    return to_series(name, of_values(values.to_list() if isinstance(values, pl.Series) else values))
