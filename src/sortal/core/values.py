"""How the values of one column become canonical: the same at training and at prediction, for a table and for a row.

The rules stand here once: which texts mean "missing", how text is read as a number, a date or a yes/no, and
how any value is written as a category. ``core.infer`` asks which rule fits a column. A rule is about an expression of polars, which
``core.frame.conform`` applies to tables, or about the values themselves (``core.cells``), of which ``core.door`` makes use for a few
rows: the same lines say what either is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.cells import E, computed, first_of, meaning, utc, where
from sortal.core.moments import DAY
from sortal.core.raw import Sort
from sortal.core.schema import Column

if TYPE_CHECKING:
    import polars as pl

MISSING = frozenset(
    {"", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "NAN", "-nan", "-NaN", "NaT"}
    | {"null", "NULL", "Null", "(null)", "#NULL!", r"\N"}
)
"""Texts that are no value in any column. Not "None": it is often a level (no alley, no garage)."""

MISSING_AMONG_VALUES = MISSING | {
    *("na", "n.a.", "None", "none", "NONE", "-", "--", ".", "..", "missing", "#VALUE!", "#DIV/0!", "#REF!")
}
"""Texts that are no value in a column whose other values are all numbers, or all dates."""

BLANKS = " \t\r\n\v\f\u00a0\u2009\u200b\u202f\u3000\ufeff"
"""What is cut off around a text; also blanks that cannot be seen."""

YES_NO = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"))
"""Pairs of texts that mean false and true, in lower case."""

SIGNS = "$€£¥₹%"
"""Units that may stand at every number of a column."""

DATE_PARTS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"),
    *("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%Y", "%d.%m.%y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y"),
    *("%d-%b-%y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
    *("%a, %d %b %Y", "%Y%m%d"),
)
"""Ways to write a day. Where a whole column can be read in several ways, the first of them is taken."""

TIME_PARTS = (
    *("", " %H:%M:%S%.f", " %H:%M", " %I:%M:%S %p", " %I:%M %p"),
    *(" %H:%M:%S%.f%z", " %H:%M:%S%.f %z", " %H:%M%z"),
)
"""Ways to write the time of day after it."""


DURATION = "duration"
"""The format of a number column whose values are durations, or times of day: seconds."""

EXACT = "exact"
"""The format of a category whose texts are kept as they are written: see ``canonical``."""

NO_DATE = (
    r"^(?:0000[-/.]00?[-/.]00?|00?[-/.]00?[-/.](?:00|0000)|0001[-/.]01[-/.]01|0?1[/.]0?1[/.]0001)"
    r"(?:[T ]00:00(?::00(?:\.0+)?)?)?Z?$"
)
"""What databases write where there is no date: a date of zeros, and the first day that they know."""


@lru_cache(maxsize=256)
def missing_texts(column: Column) -> frozenset[str]:
    """The texts that say that there is no value in this column."""
    if column.absent is not None:
        return frozenset({"", *column.absent})
    return MISSING_AMONG_VALUES if column.kind in ("number", "datetime") else MISSING


def tidy(text: E, missing: frozenset[str] = MISSING) -> E:
    """Text without blanks around it; null where it says that there is no value."""
    stripped = text.str.strip_chars(BLANKS)
    return where(stripped.is_in(missing).not_(), stripped)


def is_text(sort: Sort) -> bool:
    """Strings, and what stands for strings."""
    return sort in ("text", "levels")


def is_number(sort: Sort) -> bool:
    return sort in ("number", "single", "whole")


def evaluated(series: pl.Series, expression: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """An expression of the values of a series. Polars would take a name such as ``*`` for a pattern, so none is used."""
    import polars as pl

    return series.to_frame().select(expression(pl.nth(0)).alias(series.name)).to_series()


def plain(column: Column, values: E, sort: Sort) -> E:
    """The values with one notation of missing: tidied text, floats without NaN, dates without the year 1, others as they are.

    A number of 32 bits is the number that a person reads there: .1 and not .10000000149.
    """
    if is_text(sort):
        text = tidy(values.cast(str), missing_texts(column))
        return where(text.str.contains(NO_DATE).not_(), text) if column.kind == "datetime" else text
    if sort == "single":
        values = computed(values, as_read)
    if sort == "number":
        values = values.cast(float).fill_nan(None)
    if is_number(sort) and column.absent:
        absent = [float(text) for text in column.absent if re.fullmatch(r"[+-]?\d+(\.\d*)?", text)]
        return where(values.cast(float).is_in(absent).not_(), values)
    if sort in ("date", "moment", "zoned"):
        return where(values.dt.year() != 1, values)
    return values


def as_read(numbers: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(n,) numbers of 32 bits as the numbers that a person reads there: those with the fewest digits, at most nine.

    >>> as_read(np.array([0.1, 16777216, -2.5e-7], dtype=np.float32)).tolist()
    [0.1, 16777216.0, -2.5e-07]
    """
    read = numbers.astype(np.float64)
    for start in range(0, len(read), _CHUNK):
        some = read[start : start + _CHUNK]
        left = np.flatnonzero((np.abs(some) > 1e-12) & (np.abs(some) < 1e12) & (some != np.rint(some)))
        exact, single = some[left], numbers[start : start + _CHUNK][left].astype(np.float32)
        places = np.floor(np.log10(np.abs(exact))).astype(np.int64)
        alike = np.arange(len(left))
        # Where fewer digits say the same number, so do more: each round looks at those of the one before alone.
        for digits in (9, 8, 7, 6):
            scale = _POWERS[digits - 1 - places[alike] + len(_POWERS) // 2]
            rounded = np.rint(exact[alike] * scale) / scale
            same = rounded.astype(np.float32) == single[alike]
            alike = alike[same]
            some[left[alike]] = rounded[same]
    return read


_CHUNK = 1 << 14
"""So many numbers fit into the cache of a core."""
_POWERS = 10.0 ** np.arange(-22, 23)
"""Powers of ten that are exact, to 10^22, beside those that are not needed."""


def needs_no_tidying(column: Column, sort: Sort) -> bool:
    """Whether text that is nothing but plain numbers can be read at once, where no value is any other text: that is much faster."""
    return column.kind == "number" and column.format in ("", ".") and sort == "text" and not column.absent


def canonical(column: Column, values: E, sort: Sort) -> E | None:
    """The canonical values of ``plain`` ones of this sort; null where a value does not fit.

    None where values of this sort can never be of the column's kind. A category is text, whatever it was: 1, 1.0 and
    ``"1.0"`` are ``"1"``, true and ``"True"`` are ``"true"``, unless its format is ``EXACT``: then texts stay as they are written.
    """
    if sort in ("null", "nested"):
        return None
    if column.kind == "number":
        return _duration(values, sort) if column.format == DURATION else _number(values, sort, column.format)
    if column.kind == "boolean":
        return _boolean(values, sort, column.levels)
    if column.kind == "datetime":
        return _datetime(values, sort, column.format)
    if column.kind == "image" and sort == "bytes":
        return values
    if sort in ("bytes", "duration"):
        return None
    exact = column.kind != "category" or column.format == EXACT
    text = _category(values, sort, exact)
    return text if column.kind == "category" and exact else _one_form(text)


def _one_form(text: E) -> E:
    """A letter with an accent is one character, as in the names of columns, whichever of Unicode's forms a file has."""
    return text.str.normalize("NFC")


def _number(values: E, sort: Sort, notation: str) -> E | None:
    if is_number(sort) or sort == "boolean":
        return values.cast(float)
    return number_from_text(values, notation) if is_text(sort) else None


def _duration(values: E, sort: Sort) -> E | None:
    """Seconds. Bare numbers are refused: whether they are seconds, minutes or milliseconds, nobody says."""
    if sort == "duration":
        return seconds(values.dt.total_microseconds(), 1e6)
    if sort == "time":
        return seconds(values.cast(int), 1e9)
    return duration_from_text(values) if is_text(sort) else None


def seconds(ticks: E, per_second: float) -> E:
    """Polars multiplies a column by the reciprocal and divides a lone value: one row would differ from the same row of many."""
    return computed(ticks.cast(float), lambda numbers: numbers / per_second)


_CLOCK = r"^([+-]?)()(\d+):([0-5]\d)(?::([0-5]\d(?:\.\d*)?))?$"
_DAYS = r"^()([+-]?\d+) days?(?:,? \+?(\d+):([0-5]\d):([0-5]\d(?:\.\d*)?))?$"
_ISO = r"^([+-]?)P(?:(-?\d+)D)?T?(?:(-?\d+(?:\.\d*)?)H)?(?:(-?\d+(?:\.\d*)?)M)?(?:(-?\d+(?:\.\d*)?)S)?$"


def duration_from_text(text: E) -> E:
    """Seconds from tidied text; null where it is no duration.

    ``1:30:00``, ``1:30``, ``2 days 01:30:00`` (pandas), ``-1 day, 23:00:00`` (Python), ``5 days`` and ``PT90M`` (ISO 8601).
    """
    ways = []
    for pattern in (_CLOCK, _DAYS, _ISO):
        parts = text.str.extract_groups(pattern).struct
        days, hours, minutes, whole = (
            parts[i].cast(float, strict=False).fill_null(0.0) * unit
            for i, unit in enumerate((86_400.0, 3_600.0, 60.0, 1.0), start=1)
        )
        total = seconds(((days + hours + minutes + whole) * 1e6).round(), 1e6)
        fits = text.str.contains(pattern) & text.str.contains(r"\d")
        ways.append(where(fits, where(parts[0] == "-", -total, total)))
    return first_of(ways)


def number_from_text(text: E, notation: str) -> E:
    """Numbers from tidied text; null where it is none.

    ``notation`` is the decimal mark, then the thousands mark if there is one, then the sign ("%", "$") that
    every value carries if there is one: ``"."``, ``",."``, ``".,$"``; empty means ``"."``. Thousands must be
    grouped properly, so that ``1.5`` is never taken for 15. Accounts write ``(12.50)`` and ``12.50-`` for -12.50.
    """
    marks = notation.rstrip(SIGNS) or "."
    sign = notation[len(notation.rstrip(SIGNS)) :]
    digits = _minus_first(text.str.replace("−", "-", literal=True))
    if sign:
        at_an_end = rf"^[+-]?\s*{re.escape(sign)}[^{re.escape(sign)}]*$|^[^{re.escape(sign)}]*{re.escape(sign)}$"
        bare = digits.str.replace(sign, "", literal=True).str.strip_chars()
        digits = where(digits.str.contains(at_an_end), _minus_first(bare.str.replace(r"^([+-])\s+", "${1}")))
    if len(marks) > 1:
        digits = _without_thousands(digits, decimal=marks[0], thousands=marks[1])
    if marks[0] == ",":
        digits = where(digits.str.contains(".", literal=True).not_(), digits.str.replace(",", ".", literal=True))
    return digits.cast(float, strict=False).fill_nan(None)


def _minus_first(digits: E) -> E:
    return digits.str.replace(r"^\(([^()+-]*)\)$", "-${1}").str.replace(r"^([^+-]*\d[^+-]*)-$", "-${1}")


def _without_thousands(digits: E, decimal: str, thousands: str) -> E:
    if thousands == " ":
        digits = digits.str.replace_all(r"[\u00a0\u2009\u202f]", " ")
    if thousands == "'":
        digits = digits.str.replace_all("’", "'", literal=True)
    mark = re.escape(thousands)
    grouped = rf"^[+-]?[1-9]\d{{0,2}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}(?:{re.escape(decimal)}\d*)?$"
    bare = where(digits.str.contains(grouped), digits.str.replace_all(thousands, "", literal=True))
    return where(digits.str.contains(thousands, literal=True), bare, digits)


@lru_cache(maxsize=256)
def boolean_words(levels: tuple[str, ...]) -> dict[str, bool]:
    """What the texts of a boolean column mean, in lower case.

    Its own ``levels`` come first. True and false always have a meaning, 0 and 1 where the levels are no other numbers, and all
    words for yes and no where the levels are such words, or where there are none.

    >>> boolean_words(("1", "2")), boolean_words(("m", "f"))["f"], boolean_words(("No", "Yes"))["0"]
    ({'false': False, 'true': True, '1': False, '2': True}, True, False)
    """
    lowered = tuple(level.lower() for level in levels)
    words = {"false": False, "true": True}
    if not any(re.match(r"[+-]?\d", level) for level in lowered):
        words |= {"0": False, "1": True}
    if not levels or lowered in YES_NO:
        words |= {text: bool(code) for pair in YES_NO for code, text in enumerate(pair)}
    return words | {level: bool(code) for code, level in enumerate(lowered)}


def _boolean(values: E, sort: Sort, levels: tuple[str, ...]) -> E | None:
    if sort == "boolean":
        return values
    if not (is_number(sort) or is_text(sort)):
        return None
    texts = _category(values, sort, exact=False)
    return meaning(texts.str.to_lowercase(), boolean_words(levels))


def _datetime(values: E, sort: Sort, pattern: str) -> E | None:
    if sort in ("date", "moment", "zoned"):
        return utc(values, sort)
    if sort == "whole" and pattern:
        return datetime_from_text(values.cast(str), pattern)
    return datetime_from_text(values, pattern or "%Y-%m-%d") if is_text(sort) else None


def datetime_from_text(text: E, pattern: str) -> E:
    """Moments in UTC from tidied text; null where the pattern does not fit. No zone counts as UTC.

    ``T`` between day and time is read as a blank, the zones ``Z`` and ``+01`` as ``+00:00`` and ``+01:00``.
    """
    spaced = text.str.replace(r"^(\d{4}\D\d\d\D\d\d)T", "${1} ") if pattern.startswith("%Y") else text
    if "%z" in pattern:
        spaced = spaced.str.replace(r" ?(?:Z|UTC|GMT)$", "+00:00").str.replace(r"(:\d\d[\d.]*[+-]\d\d)$", "${1}:00")
        return sane(utc(spaced.str.to_datetime(pattern, time_unit="us", strict=False), "zoned"))
    return sane(spaced.str.to_datetime(pattern, time_unit="us", strict=False))


def sane(moments: E) -> E:
    """Null before the year 1000: there a short year was read as a long one."""
    return where(moments.dt.year() >= 1000, moments)


def related_patterns(pattern: str) -> Iterator[str]:
    """The pattern, then the same way to write a day with other ways to write the time."""
    yield pattern
    day = next((d for d in sorted(DATE_PARTS, key=len, reverse=True) if pattern.startswith(d)), None)
    if day is not None:
        yield from (day + time for time in TIME_PARTS if day + time != pattern)


def any_time(pattern: str, text: E) -> E:
    """Moments from text in a pattern, or in one that writes the day like it and the time of day otherwise."""
    return first_of([datetime_from_text(text, related) for related in related_patterns(pattern)])


def _category(values: E, sort: Sort, exact: bool = False) -> E:
    if sort in ("number", "single"):
        signed = values.cast(str)
        # Not by adding 0.0, which polars leaves out in a column of several values.
        text = where(signed == "-0.0", "0.0", signed)
        whole = (values == values.round()) & (values.abs() < 2**63)
        return text if exact else where(whole, values.cast(int, strict=False).cast(str), text)
    if sort in ("date", "moment", "zoned"):
        moments = utc(values, sort)
        day, moment = moments.dt.to_string("%Y-%m-%d"), moments.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
        return where(moments.dt.epoch("us") % DAY == 0, day, moment)
    if sort == "time":
        return values.dt.to_string("%H:%M:%S%.f")
    if exact or not is_text(sort):
        return values.cast(str)
    stripped = where(values.str.contains(r"^-?\d+\.0$"), values.str.strip_suffix(".0"), values)
    true = where(values.is_in(("True", "TRUE")), "true", stripped)
    return where(values.is_in(("False", "FALSE")), "false", true)
