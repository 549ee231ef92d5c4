"""The one door for tables: anything in, polars inside, canonical types.

``from_any`` takes what people hold (pandas, polars, pyarrow, numpy, dicts) and gives a raw polars frame;
``conform`` makes the columns of a schema of any raw frame, at training and at prediction alike.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.coded import Coded
from sortal.core.costs import CostColumn
from sortal.core.errors import DataError, did_you_mean
from sortal.core.schema import Column, Role, Schema
from sortal.core.values import canonical, datetime_from_text, is_text, plain, related_patterns

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

    def take(self, index: NDArray[np.integer[Any]]) -> Table:
        """The rows at these positions (n',), in this order."""
        return Table(self.schema, self.frame[index], self.rows[index])

    def columns(self, names: Sequence[str]) -> dict[str, NDArray[np.float64] | Sequence[str | None]]:
        """Plain columns for the engine.

        number, boolean (0/1) and datetime (seconds since 1970, UTC) as (n,) float64, missing is NaN;
        category and text as a sequence of str, missing is None.
        """
        return {name: _plain_column(self.frame[name]) for name in names}

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


MANY_ROWS = 1_000
"""From so many rows on, texts are handed over as codes of their levels; fewer are quicker as they are."""


def _plain_column(series: pl.Series) -> NDArray[np.float64] | Sequence[str | None]:
    if isinstance(series.dtype, pl.String):
        return _coded(series) if len(series) >= MANY_ROWS else series.to_list()
    if isinstance(series.dtype, pl.Datetime):
        series = series.dt.epoch("us").cast(pl.Float64) / 1e6
    elif series.dtype != pl.Float64:
        series = series.cast(pl.Float64)
    return series.to_numpy().astype(np.float64, copy=False)


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
) -> pl.DataFrame:
    """The columns of ``schema`` with these roles, in its order and in canonical types; others are dropped.

    ``source`` names the data in messages; ``first_row`` is the number of the first row there (batches of a
    larger file). Raises DataError for a column that is not there, and for a value that does not fit the kind
    of its column: text that is no number, an infinity, a date in another notation, a third value of a yes/no.

    >>> schema = Schema((Column("price", "number", format=","), Column("zip", "category")))
    >>> conform(pl.DataFrame({"zip": [98101.0, None], "price": ["1,5", "?"], "more": [1, 2]}), schema).rows()
    [(1.5, '98101'), (None, None)]
    """
    columns = [c for c in schema.columns if c.role in roles]
    known = dict.fromkeys(frame.columns)
    for column in columns:
        if column.name not in known:
            hint = did_you_mean(column.name, known)
            raise DataError(f"{source} has no column {column.name!r}, which the model needs; {hint}")
    frame = _clean_numbers(frame.select(c.name for c in columns), columns)
    tidied = frame.select(map(plain, columns, frame.dtypes))
    values = tidied.select(_expression(c, t, source) for c, t in zip(columns, tidied.dtypes, strict=True))
    for column in columns:
        if tidied[column.name].null_count() != values[column.name].null_count():
            moments = _other_times(column, tidied[column.name], values[column.name])
            _refuse_misfit(column, tidied[column.name], moments, source, first_row)
            values = values.with_columns(moments)
    _refuse_infinity(values, source, first_row)
    return values


def _clean_numbers(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """Text that is nothing but plain numbers needs no tidying: several times faster on large files."""
    pairs = zip(columns, frame.dtypes, strict=True)
    texts = [c.name for c, t in pairs if c.kind == "number" and c.format in ("", ".") and t == pl.String]
    numbers = frame.select(pl.col(texts).cast(pl.Float64, strict=False)) if texts else pl.DataFrame()
    return frame.with_columns(n for n in numbers.iter_columns() if n.null_count() == frame[n.name].null_count())


def _expression(column: Column, dtype: pl.DataType, source: str) -> pl.Expr:
    expression = canonical(column, dtype)
    if expression is None:
        raise DataError(
            f"column {column.name!r} of {source} holds values of type {dtype}, where {_NEEDED[column.kind]} "
            "is needed; convert it, or leave the column out with --ignore"
        )
    return expression.alias(column.name)


_NEEDED = {
    "number": "a number",
    "boolean": "yes or no",
    "category": "a category",
    "datetime": "a date",
    "text": "text",
    "image": "an image",
}


def _other_times(column: Column, tidied: pl.Series, values: pl.Series) -> pl.Series:
    """Dates with another time of day than at training (none, no seconds, a zone) are still clear."""
    if column.kind != "datetime" or not is_text(tidied.dtype):
        return values
    patterns = related_patterns(column.format or "%Y-%m-%d")
    moments = pl.coalesce([datetime_from_text(pl.col(column.name), pattern) for pattern in patterns])
    return tidied.to_frame().select(moments.alias(column.name)).to_series()


def _refuse_misfit(column: Column, tidied: pl.Series, values: pl.Series, source: str, first_row: int) -> None:
    misfit = (tidied.is_not_null() & values.is_null()).arg_true()
    if len(misfit) == 0:
        return
    needed = _NEEDED[column.kind]
    if column.kind == "boolean" and column.levels:
        needed = " or ".join(repr(level) for level in column.levels)
    elif column.format and column.format != ".":
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


def _refuse_infinity(values: pl.DataFrame, source: str, first_row: int) -> None:
    largest = values.select(pl.col(pl.Float64).abs().max())
    for name, found in zip(largest.columns, largest.row(0) if largest.width else (), strict=True):
        if found is not None and found > LARGEST:
            row = int((values[name].abs() > LARGEST).arg_true()[0])
            what = "infinity" if math.isinf(values[row, name]) else f"models compute with numbers up to {LARGEST:.1e}"
            raise DataError(
                f"column {name!r} of {source} holds {values[row, name]} ({what}) in row "
                f"{row + first_row:,}; put a number there or leave it blank"
            )


def unique_names(names: Iterable[object]) -> tuple[list[str], list[str]]:
    """Names of columns that are texts, not blank and all different; and what was renamed, in words.

    Blanks around a name are cut off, a blank name becomes ``column_N`` (counted from 1) and the second ``a``
    becomes ``a_2``.

    >>> unique_names(["a", "", "a"])
    (['a', 'column_2', 'a_2'], ["column 2 has no name: 'column_2'", "column 3 is a second 'a': 'a_2'"])
    """
    wished = ["" if name is None else str(name).strip() for name in names]
    taken = set(wished)
    seen: set[str] = set()
    result: list[str] = []
    notes: list[str] = []
    for position, name in enumerate(wished, start=1):
        if name and name not in seen:
            seen.add(name)
            result.append(name)
            continue
        base = name or "column"
        number = 2 if name else position
        while f"{base}_{number}" in taken:
            number += 1
        new = f"{base}_{number}"
        taken.add(new)
        result.append(new)
        what = f"is a second {name!r}" if name else "has no name"
        notes.append(f"column {position} {what}: {new!r}")
    return result, notes


def from_any(data: object) -> pl.DataFrame:
    """A raw polars frame of whatever table a person holds.

    Takes pandas (the index is left out), polars (eager or lazy), pyarrow and whatever else narwhals knows, a
    2-d numpy array (columns x0, x1, ...), a dict of columns, a list of dicts or of rows. Columns of
    mixed types become text. Raises DataError for anything else.

    >>> from_any([{"a": 1, "b": "x"}, {"b": 2}]).rows()
    [(1, 'x'), (None, '2')]
    """
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.DataFrame):
        return _renamed([_without_objects(column) for column in data.iter_columns()])
    if isinstance(data, np.ndarray):
        return _from_numpy(data)
    if isinstance(data, str | bytes | Path):
        raise DataError(f"{str(data)[:80]!r} is a path or a text, not a table; read it first")
    if isinstance(data, Mapping):
        return _from_columns(data)
    if isinstance(data, Sequence) and data and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)
        return _from_columns({name: [row.get(name) for row in data] for name in names})
    if isinstance(data, Sequence) and data and all(isinstance(row, list | tuple) for row in data):
        if len({len(row) for row in data}) > 1:
            raise DataError("the rows of this list differ in length; give each row a value for every column")
        return _from_columns({f"x{j}": column for j, column in enumerate(zip(*data, strict=True))})
    return _from_library(data)


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
    return pl.DataFrame([_series(f"x{j}", array[:, j]) for j in range(array.shape[1])])


def _from_columns(columns: Mapping[Any, Any]) -> pl.DataFrame:
    for name, values in columns.items():
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise DataError(f"{name!r} of this dict is {_shown(values)}, not a column; give a list of values")
    lengths = {str(name): len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        few, many = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise DataError(f"column {few!r} has {lengths[few]:,} values, but {many!r} has {lengths[many]:,}")
    return _renamed([_series(str(name), values) for name, values in columns.items()], list(columns))


def _from_library(data: object) -> pl.DataFrame:
    """pandas column by column, so that mixed columns work and pyarrow is not needed; others by narwhals."""
    import narwhals as nw

    table: Any = data
    if nw.dependencies.is_pandas_like_dataframe(table):
        columns = [_from_pandas(table.iloc[:, j]) for j in range(table.shape[1])]
        return _renamed(columns, ["_".join(map(str, c)) if isinstance(c, tuple) else c for c in table.columns])
    if nw.dependencies.is_pyarrow_table(table):
        return from_any(pl.DataFrame(table.rename_columns(unique_names(table.column_names)[0])))
    native = nw.from_native(table, pass_through=True)
    if isinstance(native, nw.LazyFrame):
        native = native.collect("polars")
    if isinstance(native, nw.DataFrame):
        return from_any(native.to_polars())
    kind = type(data).__name__
    if hasattr(data, "toarray"):
        raise DataError(f"a sparse {kind} is not a table that sortal reads; give .toarray() of it")
    advice = "give .to_frame() of it" if hasattr(data, "to_frame") else "give a pandas, polars or pyarrow table"
    raise DataError(f"an object of type {kind} is not a table; {advice}, a 2-d array or a dict of columns")


def _from_pandas(series: Any) -> pl.Series:
    dtype = str(series.dtype)
    if dtype == "category":
        categories = [None if value is None else str(value) for value in _series("", list(series.cat.categories))]
        codes = series.cat.codes.to_numpy()
        return pl.Series([None if code < 0 else categories[code] for code in codes], dtype=pl.Categorical)
    if dtype.startswith("datetime64["):
        zoned = getattr(series.dt, "tz", None) is not None
        naive = series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series
        return pl.Series(naive.astype("datetime64[us]").to_numpy())
    if dtype in _NUMPY_TYPES:
        return pl.Series(series.to_numpy())
    return _series("", series.to_numpy(dtype=object, na_value=None))


_NUMPY_TYPES = {
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float32",
    "float64",
}


def _renamed(columns: list[pl.Series], names: Iterable[object] | None = None) -> pl.DataFrame:
    unique, _ = unique_names(names if names is not None else [column.name for column in columns])
    return pl.DataFrame([column.alias(name) for name, column in zip(unique, columns, strict=True)])


def _without_objects(column: pl.Series) -> pl.Series:
    return _series(column.name, column.to_list()) if isinstance(column.dtype, pl.Object) else column


def _series(name: str, values: Any) -> pl.Series:
    """A column of any values: one type where they share one, text where they do not."""
    if isinstance(values, pl.Series):
        return _without_objects(values.alias(name))
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and values.dtype.itemsize <= 8:
        return pl.Series(name, np.ascontiguousarray(values))
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return pl.Series(name, values.astype("datetime64[us]"))
    items = list(values)
    types = set(map(type, items)) - {type(None)}
    if not (types <= {str, int, bool} or types <= {int, float}):  # the usual ones need no look at every value
        items = [None if _is_missing(value) else _python(value) for value in items]
        types = set(map(type, items)) - {type(None)}
    if types == {int} and max(map(abs, filter(None, items)), default=0) >= 2**127:
        types = {object}  # too long for a number: a code, as in a CSV file
    if types <= {int, float, Decimal}:
        return pl.Series(name, items, dtype=pl.Float64 if types - {int} else None, strict=False)
    if types <= {dt.date, dt.datetime}:
        return pl.Series(name, [_utc(value) for value in items], dtype=pl.Datetime("us"))
    if len(types) == 1 and types <= {str, bool, bytes, dt.time, dt.timedelta, list, dict}:
        return pl.Series(name, items, strict=False)
    return pl.Series(name, [None if value is None else _text(value) for value in items], dtype=pl.String)


def _python(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    return value


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and math.isnan(value)


def _utc(value: dt.date | None) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
    return None if value is None else dt.datetime(value.year, value.month, value.day)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
