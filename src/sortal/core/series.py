"""One column of whatever values a person or a library holds, as polars has it: one type where they share one, else text."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl


def of_values(name: str, values: Any) -> pl.Series:
    """A column of any values.

    Whatever stands for a missing value (None, NaN, NaT, pd.NA) is null; times with a zone are in UTC.

    >>> of_values("c", [1, None, "x"]).to_list(), of_values("c", [dt.timedelta(hours=1), None]).dtype
    (['1', None, 'x'], Duration(time_unit='us'))
    """
    from narwhals.dependencies import is_pandas_series

    if isinstance(values, pl.Series):
        return of_values(name, values.to_list()) if isinstance(values.dtype, pl.Object) else values.alias(name)
    if is_pandas_series(values):
        return of_pandas(values).alias(name)
    if isinstance(values, np.ndarray) and values.dtype == np.float16:
        values = values.astype(str).astype(
            np.float64
        )  # what a person reads there, as ``values.plain`` does with 32 bits
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and values.dtype.itemsize <= 8:
        return pl.Series(name, np.ascontiguousarray(values))
    if isinstance(values, np.ndarray) and values.dtype.kind in "Mm":
        return pl.Series(name, _microseconds(values))
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
    return pl.Series(name, [None if value is None else str(value) for value in items], dtype=pl.String)


def in_calendar(column: pl.Series) -> pl.Series:
    """The column without moments that no calendar has: outside the years 1 to 9999 they are missing.

    Databases write such a day, the last that they know, where there is none, and polars panics when it has to show it. So are a
    time of day of more than a day, and a duration that has no number of microseconds.

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


def _microseconds(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Times of numpy in the unit that polars knows; missing where one has no such number, which numpy would wrap around."""
    kind, coarse = values.dtype.kind, "Y" if values.dtype.kind == "M" else "D"
    found = values.astype(f"{kind}8[us]")
    wrapped = found.astype(f"{kind}8[{coarse}]") != values.astype(f"{kind}8[{coarse}]")
    found[wrapped] = np.array("NaT", dtype=found.dtype)
    return found


def of_pandas(series: Any) -> pl.Series:
    """A column of pandas, of any of its types. A category of texts is one; a category of numbers or booleans is its values."""
    dtype = str(series.dtype)
    if dtype == "category":
        return _of_categories(series)
    if dtype.startswith("Sparse"):
        return of_pandas(series.sparse.to_dense())
    if dtype.startswith("datetime64["):
        zoned = getattr(series.dt, "tz", None) is not None
        return of_values("", (series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series).to_numpy())
    if dtype in _NUMPY_TYPES or dtype.startswith("timedelta64["):
        return of_values("", series.to_numpy())
    return of_values("", series.to_numpy(dtype=object, na_value=None))


_NUMPY_TYPES = {
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
}


def _of_categories(series: Any) -> pl.Series:
    categories = of_pandas(series.cat.categories.to_series())
    codes = pl.Series(series.cat.codes.to_numpy().astype(np.int64))
    values = categories.gather(codes.set(codes < 0, None))
    return values.cast(pl.Categorical) if isinstance(values.dtype, pl.String) else values


def _python(value: Any) -> Any:
    if isinstance(value, np.datetime64 | np.timedelta64):
        kind = "M" if isinstance(value, np.datetime64) else "m"
        return value.astype(f"{kind}8[us]").item()
    if isinstance(value, np.float16 | np.float32):
        return float(str(value))
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    return value.to_pytimedelta() if hasattr(value, "to_pytimedelta") else value


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating | Decimal) and math.isnan(value)


def _utc(value: dt.date | None) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
    return None if value is None else dt.datetime(value.year, value.month, value.day)
