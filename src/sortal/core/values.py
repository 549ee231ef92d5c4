"""How the values of one column become canonical: polars expressions, the same at training and at prediction.

The rules stand here once: which texts mean "missing", how text is read as a number, a date or a yes/no, and
how any value is written as a category. ``core.kinds`` asks which rule fits a column, ``core.frame.conform``
applies it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from sortal.core.schema import Column

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


def tidy(text: pl.Expr, missing: frozenset[str] = MISSING) -> pl.Expr:
    """Text without blanks around it; null where it says that there is no value."""
    stripped = text.str.strip_chars(BLANKS)
    return pl.when(stripped.is_in(sorted(missing)).not_()).then(stripped)


def is_text(dtype: pl.DataType) -> bool:
    """Strings, and what stands for strings."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def is_nested(dtype: pl.DataType) -> bool:
    """Values that are tables or lists themselves."""
    return dtype.is_nested() or isinstance(dtype, pl.Object)


def plain(column: Column, dtype: pl.DataType) -> pl.Expr:
    """The column with one notation of missing: tidied text, floats without NaN, other types as they are."""
    values = pl.col(column.name)
    if is_text(dtype):
        parsed = column.kind in ("number", "datetime")
        return tidy(values.cast(pl.String), MISSING_AMONG_VALUES if parsed else MISSING)
    if dtype.is_float() or dtype.is_decimal():
        return values.cast(pl.Float64).fill_nan(None)
    return values


def canonical(column: Column, dtype: pl.DataType) -> pl.Expr | None:
    """The canonical values of a ``plain`` column of this type; null where a value does not fit.

    None where values of this type can never be of the column's kind.
    """
    values = pl.col(column.name)
    if isinstance(dtype, pl.Null):
        return values.cast(_TYPES[column.kind])
    if is_nested(dtype):
        return None
    if column.kind == "number":
        return _number(values, dtype, column.format)
    if column.kind == "boolean":
        return _boolean(values, dtype, column.levels)
    if column.kind == "datetime":
        return _datetime(values, dtype, column.format)
    if column.kind == "image" and isinstance(dtype, pl.Binary):
        return values
    if isinstance(dtype, pl.Binary):
        return None
    return _category(values, dtype) if column.kind == "category" else values.cast(pl.String)


_TYPES: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "category": pl.String(),
    "datetime": pl.Datetime("us"),
    "text": pl.String(),
    "image": pl.Binary(),
}


def _number(values: pl.Expr, dtype: pl.DataType, notation: str) -> pl.Expr | None:
    if dtype.is_numeric() or isinstance(dtype, pl.Boolean):
        return values.cast(pl.Float64)
    if isinstance(dtype, pl.Duration):
        return values.dt.total_microseconds() / 1e6
    if isinstance(dtype, pl.Time):
        return values.cast(pl.Int64) / 1e9
    return number_from_text(values, notation) if is_text(dtype) else None


def number_from_text(text: pl.Expr, notation: str) -> pl.Expr:
    """Numbers from tidied text; null where it is none.

    ``notation`` is the decimal mark, then the thousands mark if there is one, then the sign ("%", "$") that
    every value carries if there is one: ``"."``, ``",."``, ``".,$"``; empty means ``"."``. Thousands must be
    grouped properly, so that ``1.5`` is never taken for 15.
    """
    marks = notation.rstrip(SIGNS) or "."
    sign = notation[len(notation.rstrip(SIGNS)) :]
    digits = text.str.replace("−", "-", literal=True)
    if sign:
        at_an_end = rf"^[+-]?\s*{re.escape(sign)}[^{re.escape(sign)}]*$|^[^{re.escape(sign)}]*{re.escape(sign)}$"
        bare = digits.str.replace(sign, "", literal=True).str.strip_chars()
        digits = pl.when(digits.str.contains(at_an_end)).then(bare.str.replace(r"^([+-])\s+", "${1}"))
    if len(marks) > 1:
        digits = _without_thousands(digits, decimal=marks[0], thousands=marks[1])
    if marks[0] == ",":
        digits = pl.when(digits.str.contains(".", literal=True).not_()).then(digits.str.replace(",", ".", literal=True))
    return digits.cast(pl.Float64, strict=False).fill_nan(None)


def _without_thousands(digits: pl.Expr, decimal: str, thousands: str) -> pl.Expr:
    if thousands == " ":
        digits = digits.str.replace_all(r"[\u00a0\u2009\u202f]", " ")
    if thousands == "'":
        digits = digits.str.replace_all("’", "'", literal=True)
    mark = re.escape(thousands)
    grouped = rf"^[+-]?[1-9]\d{{0,2}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}(?:{re.escape(decimal)}\d*)?$"
    return (
        pl.when(digits.str.contains(thousands, literal=True).not_())
        .then(digits)
        .when(digits.str.contains(grouped))
        .then(digits.str.replace_all(thousands, "", literal=True))
    )


def _boolean(values: pl.Expr, dtype: pl.DataType, levels: tuple[str, ...]) -> pl.Expr | None:
    if isinstance(dtype, pl.Boolean):
        return values
    if dtype.is_numeric():
        number = values.cast(pl.Float64)
        return pl.when(number.is_in([0.0, 1.0])).then(number == 1.0)
    if not is_text(dtype):
        return None
    known = {"false": False, "true": True, "0": False, "1": True}
    if levels:
        known |= {level.lower(): bool(code) for code, level in enumerate(levels)}
    else:
        known |= {text: bool(code) for pair in YES_NO for code, text in enumerate(pair)}
    return values.str.to_lowercase().replace_strict(known, default=None, return_dtype=pl.Boolean)


def _datetime(values: pl.Expr, dtype: pl.DataType, pattern: str) -> pl.Expr | None:
    if isinstance(dtype, pl.Datetime):
        naive = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else values
        return naive.cast(pl.Datetime("us"))
    if isinstance(dtype, pl.Date):
        return values.cast(pl.Datetime("us"))
    if dtype.is_integer() and pattern:
        return datetime_from_text(values.cast(pl.String), pattern)
    return datetime_from_text(values, pattern or "%Y-%m-%d") if is_text(dtype) else None


def datetime_from_text(text: pl.Expr, pattern: str) -> pl.Expr:
    """Moments in UTC from tidied text; null where the pattern does not fit. No zone counts as UTC.

    ``T`` between day and time is read as a blank, the zones ``Z`` and ``+01`` as ``+00:00`` and ``+01:00``.
    """
    spaced = text.str.replace(r"^(\d{4}\D\d\d\D\d\d)T", "${1} ") if pattern.startswith("%Y") else text
    if "%z" in pattern:
        spaced = spaced.str.replace(r" ?(?:Z|UTC|GMT)$", "+00:00").str.replace(r"(:\d\d[\d.]*[+-]\d\d)$", "${1}:00")
        zoned = spaced.str.to_datetime(pattern, time_unit="us", strict=False)
        return sane(zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None))
    return sane(spaced.str.to_datetime(pattern, time_unit="us", strict=False))


def sane(moments: pl.Expr) -> pl.Expr:
    """Null before the year 1000: there a short year was read as a long one."""
    return pl.when(moments.dt.year() >= 1000).then(moments)


def related_patterns(pattern: str) -> Iterator[str]:
    """The pattern, then the same way to write a day with other ways to write the time."""
    yield pattern
    day = next((d for d in sorted(DATE_PARTS, key=len, reverse=True) if pattern.startswith(d)), None)
    if day is not None:
        yield from (day + time for time in TIME_PARTS if day + time != pattern)


def _category(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_float():
        whole = (values == values.round()) & (values.abs() < 2**63)
        return (
            pl.when(whole).then(values.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(values.cast(pl.String))
        )
    if not is_text(dtype):
        return values.cast(pl.String)
    whole = values.str.contains(r"^-?\d+\.0$")
    return (
        pl.when(whole)
        .then(values.str.strip_suffix(".0"))
        .when(values.is_in(["True", "TRUE"]))
        .then(pl.lit("true"))
        .when(values.is_in(["False", "FALSE"]))
        .then(pl.lit("false"))
        .otherwise(values)
    )


def as_category(value: object) -> str | None:
    """One value, written as ``conform`` writes the values of a category; None where it is missing.

    >>> [as_category(v) for v in (98101, 98101.0, "98101", True, " b ", "?")]
    ['98101', '98101', '98101', 'true', 'b', None]
    """
    if value is None:
        return None
    series = pl.Series("value", [value if isinstance(value, str | bool | int | float) else str(value)])
    column = Column("value", "category")
    tidied = series.to_frame().select(plain(column, series.dtype))
    written = tidied.select(_category(pl.col("value"), series.dtype)).item()
    return None if written is None else str(written)
