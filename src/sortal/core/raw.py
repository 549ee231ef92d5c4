"""Tables as people hold them, column by column and without polars: of each column its values, and the one sort that
they share."""

from __future__ import annotations

import datetime as dt
import math
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.errors import DataError
from sortal.core.few_bits import as_read, one_as_read
from sortal.core.images import is_image
from sortal.core.moments import FIRST, LAST
from sortal.core.names import unique_names

Sort = Literal[
    "text",
    "levels",
    "number",
    "single",
    "whole",
    "boolean",
    "moment",
    "zoned",
    "date",
    "duration",
    "time",
    "bytes",
    "nested",
    "null",
    "mixed",
]
"""What the values of a column are by their type, whatever they mean. ``levels`` are texts that are declared a category,
``single`` numbers of 32 bits, and in polars of 16; ``zoned`` moments and ``date`` occur in polars alone: from elsewhere
both come as moments in UTC. ``mixed`` are values of several types, and occurs in Python alone."""


@dataclass(frozen=True, slots=True)
class Raw:
    """(n,) values of one sort as Python's, or as an array of numpy; None, NaN and NaT are missing. Moments are in
    UTC. ``outside``: how many times are missing because no calendar has them.
    """

    sort: Sort
    values: list[Any] | NDArray[Any]
    outside: int = field(default=0, repr=False)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class RawTable:
    """Columns of equal length, by their names in the one form of names."""

    columns: Mapping[str, Raw]
    rows: int


def of_values(values: Any) -> Raw:
    """A column of any values but those of polars: of one sort where they share one, else mixed.

    Whatever stands for a missing value (None, NaN, NaT, pd.NA) is missing; times with a zone are in UTC.

    >>> of_values([1, None, "x"]), of_values([dt.timedelta(hours=1), None]).sort
    (Raw(sort='mixed', values=[1, None, 'x']), 'duration')
    """
    if is_pandas(values, "Series"):
        return of_pandas(values)
    if isinstance(values, np.ndarray) and values.dtype == np.float16:
        values = as_read(values)  # now, as there is no sort of them; of 32 bits ``values.plain`` does it
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and values.dtype.itemsize <= 8:
        return Raw(_sort_of_array(values), np.ascontiguousarray(values))
    if isinstance(values, np.ndarray) and values.dtype.kind in "Mm":
        times = _microseconds(values)
        outside = int(np.isnat(times).sum() - np.isnat(values).sum())
        return Raw("moment" if values.dtype.kind == "M" else "duration", times, outside)
    items, outside = list(values), 0
    types = set(map(type, items)) - {type(None)}
    if not (types <= {str, int, bool} or types <= {int, float}):  # the usual ones need no look at every value
        present = [not _is_missing(value) for value in items]
        items = [_python(value) if is_there else None for value, is_there in zip(items, present, strict=True)]
        types = set(map(type, items)) - {type(None)}
        outside = sum(present) - sum(item is not None for item in items)
    if types == {int} and max(map(abs, filter(None, items)), default=0) >= 2**127:
        types = {object}  # too long for a number: a code, as in a CSV file
    if not types:
        return Raw("null", items, outside)
    if types == {int}:
        return Raw("whole", items)
    if types <= {int, float, Decimal} and not (int in types and _any_too_long(items)):
        return Raw("number", items)
    if len(types) > 1:
        return Raw("mixed", [None if _is_missing(item) else item for item in items], outside)
    sort = _SORTS.get(next(iter(types)))
    return in_texts(items) if sort is None else Raw(sort, items, outside)


def _any_too_long(items: Sequence[Any]) -> bool:
    """Whether a whole number is here that a float does not hold: as one it would be another."""
    return any(type(item) is int and abs(item) > 2**53 for item in items)


def of_one_sort(raw: Raw) -> list[Raw]:
    """A column as it is, or a mixed one as a column for each type of its values, where those of others are missing: a
    value means the same whatever stands beside it.
    """
    if raw.sort != "mixed":
        return [raw]
    types = dict.fromkeys(type(value) for value in raw.values if value is not None)
    return [of_values([value if type(value) is type_ else None for value in raw.values]) for type_ in types]


def in_texts(values: Sequence[Any] | NDArray[Any]) -> Raw:
    """Values of several types as texts, for whoever needs one sort of them."""
    return Raw("text", [None if value is None else _in_text(value) for value in values])


def _in_text(value: object) -> str:
    """As a category has it; images among texts keep what they are."""
    if isinstance(value, bytes) and is_image(value):
        return b64encode(value).decode()
    if isinstance(value, dt.datetime) and value.time() == dt.time.min:
        return str(value.date())
    return str(value)


_SORTS: dict[type, Sort] = {
    str: "text",
    bool: "boolean",
    bytes: "bytes",
    dt.datetime: "moment",
    dt.time: "time",
    dt.timedelta: "duration",
    list: "nested",
    dict: "nested",
}


def _sort_of_array(values: NDArray[Any]) -> Sort:
    if values.dtype.kind == "f":
        return "single" if values.dtype.itemsize == 4 else "number"
    return "boolean" if values.dtype.kind == "b" else "whole"


def _microseconds(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Times of numpy in the unit that polars knows; missing where one has no such number, which numpy would wrap
    around, and where no calendar has it.
    """
    kind, coarse = values.dtype.kind, "Y" if values.dtype.kind == "M" else "D"
    moments = values.astype(f"{kind}8[us]")
    no_time = moments.astype(f"{kind}8[{coarse}]") != values.astype(f"{kind}8[{coarse}]")
    if kind == "M":
        no_time |= (moments.view(np.int64) < FIRST) | (moments.view(np.int64) > LAST)
    if kind == "m":  # numpy takes the one below, and polars that nearer to zero
        moments[(moments < np.timedelta64(0)) & (moments.astype(values.dtype) < values)] += np.timedelta64(1, "us")
    moments[no_time] = np.array("NaT", dtype=moments.dtype)
    return moments


def of_pandas(series: Any) -> Raw:
    """A column of pandas, of any of its types. A category of texts is one; a category of numbers or booleans is its
    values.
    """
    dtype = str(series.dtype)
    if dtype == "category":
        return _of_categories(series)
    if dtype.startswith("Sparse"):
        return of_pandas(series.sparse.to_dense())
    if dtype.startswith("datetime64["):
        zoned = getattr(series.dt, "tz", None) is not None
        return of_values((series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series).to_numpy())
    if dtype in _NUMPY_TYPES or dtype.startswith("timedelta64["):
        return of_values(series.to_numpy())
    return of_values(series.to_numpy(dtype=object, na_value=None))


_NUMPY_TYPES = {
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
}


def _of_categories(series: Any) -> Raw:
    categories, codes = of_pandas(series.cat.categories.to_series()), series.cat.codes.to_numpy()
    if categories.sort == "mixed":
        categories = in_texts(categories.values)
    levels = categories.values
    # The code of a missing value is -1, so that it is looked up at the end.
    if isinstance(levels, np.ndarray) and levels.dtype.kind in "fmM":
        absent = np.array("nan" if levels.dtype.kind == "f" else "NaT").astype(levels.dtype)
        return Raw(categories.sort, np.append(levels, absent)[codes])
    if isinstance(levels, np.ndarray):
        levels = levels.tolist()
    values = list(map([*levels, None].__getitem__, codes.tolist()))
    return Raw("levels" if categories.sort == "text" else categories.sort, values)


def _python(value: Any) -> Any:
    """A value as Python has it, moments in UTC; None for a time that no calendar has."""
    if isinstance(value, np.datetime64 | np.timedelta64):
        return _microseconds(np.array([value])).item()
    if isinstance(value, np.float16 | np.float32):
        return one_as_read(value)
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "to_timedelta64"):
        return _python(value.to_timedelta64())
    return _utc(value) if isinstance(value, dt.date) else value


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float | np.floating) and math.isnan(value)


def _utc(value: Any) -> dt.datetime | None:
    """A day, or a moment, also of pandas, without a zone; None beyond the calendar."""
    try:
        moment = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
        if not isinstance(moment, dt.datetime):
            return dt.datetime(moment.year, moment.month, moment.day)
        return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (OverflowError, ValueError):
        return None


def is_records(data: object) -> bool:
    """Whether these are rows that name their values: a list of dicts."""
    return isinstance(data, Sequence) and bool(data) and all(isinstance(row, Mapping) for row in data)


def is_pandas(data: object, what: str) -> bool:
    """Whether this is a ``DataFrame`` or a ``Series`` of pandas; pandas is not imported for it."""
    kind = getattr(sys.modules.get("pandas"), what, None)
    return kind is not None and isinstance(data, kind)


def of_polars(data: object) -> bool:
    """Whether this is an object of polars, or a dict that holds one."""
    if isinstance(data, Mapping):
        return any(of_polars(values) for values in data.values() if not isinstance(values, Mapping))
    return type(data).__module__.partition(".")[0] == "polars"


def raw_table(data: object) -> RawTable | None:
    """A table that needs no polars: pandas (the index is left out), a 2-d numpy array (columns x0, x1, ...), a dict of
    columns, a list of dicts or of rows. None for anything else. Raises DataError for what is one of them and still no
    table.

    >>> raw_table([{"a": 1, "b": "x"}, {"b": 2}]).columns["b"]
    Raw(sort='mixed', values=['x', 2])
    """
    if isinstance(data, np.ndarray):
        return _of_array(data)
    if isinstance(data, str | bytes | Path):
        raise DataError(f"{str(data)[:80]!r} is a path or a text, not a table; read it first")
    if isinstance(data, Mapping):
        return None if of_polars(data) else _of_columns(data)
    if is_records(data):
        records: Any = data
        names = dict.fromkeys(name for row in records for name in row)
        return _of_columns({name: [row.get(name) for row in records] for name in names})
    if isinstance(data, Sequence) and data and all(isinstance(row, list | tuple) for row in data):
        if len({len(row) for row in data}) > 1:
            raise DataError("the rows of this list differ in length; give each row a value for every column")
        return _of_columns({f"x{j}": column for j, column in enumerate(zip(*data, strict=True))})
    if is_pandas(data, "DataFrame"):
        frame: Any = data
        return _raw_table(list(frame.columns), [of_pandas(column) for _, column in frame.items()], len(frame))
    return None


def _of_array(array: NDArray[Any]) -> RawTable:
    if array.dtype.names:
        return _of_columns({name: array[name] for name in array.dtype.names})
    if array.ndim != 2:
        raise DataError(
            f"a table has two dimensions, this array has {array.ndim}. Reshape your data either using "
            "array.reshape(-1, 1) if it has a single feature or array.reshape(1, -1) if it is a single row"
        )
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: give real and imaginary part as two columns")
    return RawTable({f"x{j}": of_values(array[:, j]) for j in range(array.shape[1])}, len(array))


def check_columns(columns: Mapping[Any, Any]) -> None:
    """Raises DataError where the values of this dict are no columns of equal length."""
    for name, values in columns.items():
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise DataError(f"{name!r} of this dict is {short_repr(values)}, not a column; give a list of values")
    lengths = {str(name): len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        few, many = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise DataError(f"column {few!r} has {lengths[few]:,} values, but {many!r} has {lengths[many]:,}")


def _of_columns(columns: Mapping[Any, Any]) -> RawTable:
    check_columns(columns)
    raws = [of_values(values) for values in columns.values()]
    return _raw_table(list(columns), raws, len(raws[0]) if raws else 0)


def _raw_table(names: Sequence[object], columns: Sequence[Raw], rows: int) -> RawTable:
    return RawTable(dict(zip(unique_names(names)[0], columns, strict=True)), rows)


def short_repr(value: object, most: int = 40) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 4] + "...'"
