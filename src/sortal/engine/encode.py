"""Ops that turn columns into numbers: ``number``, ``lookup``, ``datetime``, ``fill``, ``scale``, ``pick``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.coded import Coded
from sortal.core.row import Row
from sortal.engine.limits import CALL, LARGEST, Cost
from sortal.engine.program import Columns, Program
from sortal.engine.step import One, Run, Step, fail, floats, indices, or_missing, text, texts

_SMALL = 10_000
"""Numbers of a table that are also kept as Python's: some hundred kilobytes."""
_LATEST = 9.3e12
"""Seconds that 64-bit microseconds can reach, either way of 1970."""


def number(program: Program) -> Step:
    """A column as it is."""
    name = text(program, "column")
    values = _reader(name)

    def one(row: Row) -> list[float]:
        value = column_of(row, name)
        return [value if type(value) is float else values({name: [value]}).item()]

    return Step("number", lambda columns: values(columns)[:, None], 1, Cost(5 * CALL, 2, 16), named=True, one=one)


def _reader(name: str) -> Callable[[Columns], Floats]:
    def read(columns: Columns) -> Floats:
        return np.asarray(column_of(columns, name), dtype=np.float64)

    return read


def column_of(columns: Columns | Row, name: str) -> Any:
    """The values of a column, or that of a row. Raises ValueError where there is none of this name."""
    try:
        return columns[name]
    except KeyError:
        raise ValueError(f"the program needs column {name!r}, which is not there") from None


def lookup(program: Program) -> Step:
    """A row of ``table`` for each category; its last two rows stand for missing and for unseen values."""
    name, categories = text(program, "column"), texts(program, "categories")
    table = or_missing(program, "table", (len(categories) + 2, None))
    code_by_category: dict[str | None, int] = {category: code for code, category in enumerate(categories)}
    code_by_category[None] = len(categories)
    codes = _WithUnseen(code_by_category)

    def run(columns: Columns) -> Floats:
        values = column_of(columns, name)
        if type(values) is Coded:  # isinstance asks an abstract class, which takes as long as a row
            rows = np.fromiter(map(codes.__getitem__, values.levels), dtype=np.intp, count=len(values.levels))
            return np.asarray(table[rows[values.codes]])
        return table[np.fromiter(map(codes.__getitem__, values), dtype=np.intp, count=len(values))]

    lists: list[list[float]] = table.tolist() if table.size <= _SMALL else []

    def one(row: Row) -> list[float]:
        code = codes[column_of(row, name)]
        of_value: list[float] = lists[code] if lists else table[code].tolist()
        return of_value

    width = table.shape[1]
    # A dict is asked for every value: a tenth of a microsecond.
    cost = Cost(10 * CALL, 100 + 2 * width, 16 + 8 * width)
    return Step("lookup", run, width, cost, named=True, fills=not np.isnan(table).any(), one=one)


class _WithUnseen(dict[str | None, int]):
    """Codes of the known values; everything else has the code after the last."""

    def __missing__(self, value: str | None) -> int:
        return len(self)


def datetime(program: Program) -> Step:
    """Parts of a point in time (proleptic Gregorian calendar, UTC); all parts of a missing value are NaN.

    year; month 1-12; day 1-31; weekday 0-6 from Monday, as Python counts; hour 0-23; minute 0-59;
    day_of_year 1-366; total_seconds since 1970, with their fraction.
    """
    values, parts = _reader(text(program, "column")), texts(program, "parts")
    for part in parts:
        if part not in _PARTS:
            raise fail("datetime", f"part {part!r} is not one of {', '.join(_PARTS)}")
    compute = [_PARTS[part] for part in parts]

    def run(columns: Columns) -> Floats:
        time = values(columns)
        in_range = np.abs(time) < _LATEST  # False for NaN
        clock = _clock(np.where(in_range, time, 0.0))
        out = np.empty((len(time), len(compute)))
        for column, part in enumerate(compute):
            out[:, column] = part(clock)
        out[~in_range] = np.nan
        return out

    cost = Cost(40 * CALL, 200 + 20 * len(parts), 120 + 24 * len(parts))
    return Step("datetime", run, len(parts), cost, named=True)


TimeOfDay = Mapping[str, NDArray[Any]]


def _clock(seconds: Floats) -> TimeOfDay:
    """Seconds since 1970 as days, months and years since 1970, their first days, and seconds of the day."""
    days = np.floor(seconds / 86400.0)
    day = days.astype("datetime64[D]")
    month, year = day.astype("datetime64[M]"), day.astype("datetime64[Y]")
    return {"seconds": seconds, "of_day": seconds - days * 86400.0, "day": day, "month": month, "year": year}


def _days(clock: TimeOfDay, since: str) -> NDArray[np.int64]:
    """Whole days since the first day of the month or year."""
    days: NDArray[np.int64] = (clock["day"] - clock[since].astype("datetime64[D]")).astype(np.int64)
    return days


_PARTS: dict[str, Callable[[TimeOfDay], NDArray[Any]]] = {
    "year": lambda c: c["year"].astype(np.int64) + 1970,
    "month": lambda c: c["month"].astype(np.int64) % 12 + 1,
    "day": lambda c: _days(c, "month") + 1,
    "weekday": lambda c: (c["day"].astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday
    "hour": lambda c: c["of_day"] // 3600,
    "minute": lambda c: c["of_day"] // 60 % 60,
    "day_of_year": lambda c: _days(c, "year") + 1,
    "total_seconds": lambda c: c["seconds"],
}


def fill(program: Program) -> Step:
    """NaN becomes ``value`` (a NaN leaves it); 0/1 columns say where the columns ``indicator`` were NaN."""
    value = or_missing(program, "value", (None,))
    indicator = indices(program, "indicator", len(value))

    def run(x: Floats) -> Floats:
        missing = np.isnan(x)
        filled = np.where(missing, value, x)
        return np.hstack([filled, missing[:, indicator]]) if len(indicator) else filled

    values, marked = value.tolist(), indicator.tolist()

    def one(x: list[float]) -> list[float]:
        filled = [cell if cell == cell else instead for cell, instead in zip(x, values, strict=True)]
        return filled + [float(x[at] != x[at]) for at in marked] if marked else filled

    d, outputs = len(value), len(value) + len(indicator)
    cost = Cost(6 * CALL, 4 * outputs, 9 * d + 9 * outputs)
    return Step("fill", run, outputs, cost, inputs=d, fills=not np.isnan(value).any(), one=one)


def scale(program: Program) -> Step:
    """(x - mean) / scale; what is beyond 1e100 then is 1e100."""
    mean = floats(program, "mean", (None,))
    spread = floats(program, "scale", (len(mean),))
    if (spread == 0).any():
        raise fail("scale", "array 'scale' holds a zero")

    def run(x: Floats) -> Floats:
        scaled: Floats = x - mean
        with np.errstate(over="ignore"):
            scaled /= spread
        np.minimum(scaled, LARGEST, out=scaled)
        return np.maximum(scaled, -LARGEST, out=scaled)

    means, spreads = mean.tolist(), spread.tolist()

    def one(x: list[float]) -> list[float]:
        return [
            scaled if -LARGEST <= (scaled := (cell - middle) / width) <= LARGEST else _cut(scaled)
            for cell, middle, width in zip(x, means, spreads, strict=True)
        ]

    d = len(mean)
    return Step("scale", run, d, Cost(6 * CALL, 4 * d, 8 * d), inputs=d, one=one)


def _cut(number: float) -> float:
    return LARGEST if number > LARGEST else -LARGEST if number < -LARGEST else number


def pick(program: Program) -> Step:
    """The columns ``index``, in that order."""
    index = indices(program, "index", None)
    run: Run = lambda x: x[:, index]  # noqa: E731
    k, places = len(index), index.tolist()
    one: One = lambda x: [x[at] for at in places]  # noqa: E731
    return Step("pick", run, k, Cost(3 * CALL, 2 * k, 8 * k), least=int(index.max(initial=-1)) + 1, one=one)
