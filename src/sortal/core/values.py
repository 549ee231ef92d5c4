"""How the values of any column are tidied, whatever their kind: the same at training and at prediction, for a table and
for a row.

The rules of each kind stand in its own file (``core.kinds``). A rule is about an expression of polars, which
``core.frame.conform`` applies to tables, or about the values themselves (``core.cells``), of which ``core.door`` makes
use for a few rows: the same lines say what either is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from sortal.core.cells import E, computed, where
from sortal.core.few_bits import as_read
from sortal.core.raw import Sort

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

DATES: tuple[Sort, ...] = ("date", "moment", "zoned")
"""Days and moments."""


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
    """An expression of the values of a series. Polars would take a name such as ``*`` for a pattern, so none is
    used.
    """
    import polars as pl

    return series.to_frame().select(expression(pl.nth(0)).alias(series.name)).to_series()


def plain(values: E, sort: Sort, missing: frozenset[str]) -> E:
    """The values with one notation of missing: tidied text, floats without NaN, dates without the year 1, others as
    they are.

    A number of 32 bits or 16 is the number that a person reads there: .1 and not .10000000149.
    """
    if is_text(sort):
        return tidy(values.cast(str), missing)
    if sort == "single":
        values = computed(values, as_read)
    if sort == "number":
        values = values.cast(float).fill_nan(None)
    if is_number(sort):
        absent = _numbers(missing)
        return where(values.cast(float).is_in(absent).not_(), values) if absent else values
    if sort in DATES:
        return where(values.dt.year() != 1, values)
    return values


@lru_cache(maxsize=256)
def _numbers(missing: frozenset[str]) -> tuple[float, ...]:
    """Those of the texts that are numbers."""
    return tuple(float(text) for text in missing if re.fullmatch(r"[+-]?\d+(\.\d*)?", text))
