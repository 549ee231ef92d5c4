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
        return pl.Series(name, values.astype(f"{values.dtype.kind}8[us]"))
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
