"""The kind of one column, from its values alone: the rules that ``core.infer`` states."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import polars as pl

from sortal.core.columns import (
    Origin,
    all_are,
    boolean_column,
    category_column,
    category_format,
    counted,
    datetime_column,
    ignored,
    level_words,
    missing_words,
    number_column,
    parted,
    share,
)
from sortal.core.disclosure import OPEN
from sortal.core.errors import OptionError
from sortal.core.notation import are_image_names, boolean_levels, holds_codes, is_image, words
from sortal.core.schema import Column, Kind
from sortal.core.series import sort_of
from sortal.core.values import DURATION, canonical, evaluated, is_text, plain

_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
_FEW = 20
NOT_YET = {"text": "text columns are not used yet", "image": "image columns are not used yet"}
LONGEST = 10**16
"""Whole numbers from here on are codes, as they are in text: a float does not tell them apart."""


def inferred(name: str, series: pl.Series, origin: Origin, decisive: bool = False) -> Column:
    """Kind, notation and reason of a column of any type.

    ``decisive``: the order of its dates matters. Raises OptionError where they can then be read in two ways.
    """
    if series.null_count() == len(series):
        return ignored(name, "category", "all values are missing", missing=1.0)
    if isinstance(series.dtype, pl.String):
        return _clean_numbers(name, series, origin) or _of_texts(name, series, origin, decisive)
    if is_text(sort_of(series.dtype)):
        return as_category(name, series, "category", origin)
    if isinstance(series.dtype, pl.Binary):
        image = all(is_image(data) for data in series.drop_nulls().head(100))
        reason = f"images; {NOT_YET['image']}" if image else "bytes that are no image"
        return ignored(name, "image" if image else "category", reason, share(series.null_count(), len(series)))
    if sort_of(series.dtype) == "nested":
        return ignored(name, "category", f"values of type {series.dtype} are not used", 0.0)
    return of_typed(name, series, origin)


def of_typed(name: str, series: pl.Series, origin: Origin) -> Column:
    """Numbers, dates, durations and booleans that are so by their type."""
    dtype = series.dtype
    kind: Kind = "number"
    what, form = "numbers", ""
    if isinstance(dtype, pl.Boolean):
        kind, what = "boolean", "true or false"
    elif isinstance(dtype, pl.Date | pl.Datetime):
        kind, what = "datetime", "dates"
    elif isinstance(dtype, pl.Duration | pl.Time):
        what, form = "durations or times of day, in seconds", DURATION
    elif dtype.is_integer() and max(abs(int(series.min())), abs(int(series.max()))) >= LONGEST:  # type: ignore[arg-type]
        return category_column(name, parted(counted(series), origin.blanks), origin)
    column = Column(name, kind, format=form, absent=origin.missing)
    absent = _missing(column, series)
    if absent == len(series):
        return ignored(name, kind, "all values are missing", missing=1.0)
    first_days = absent - series.null_count() if kind == "datetime" else 0
    missing = {"": absent - first_days, "0001-01-01": first_days}
    doubt = f"{missing_words({'0001-01-01': first_days})[2:]} is read as no date" if first_days else ""
    reason = all_are(len(series) - absent, what) + missing_words(missing)
    return replace(column, reason=reason, missing=share(absent, len(series)), doubt=doubt)


def _missing(column: Column, series: pl.Series) -> int:
    """How many values ``plain`` calls missing. An expression of polars a column is slow for thousands of columns."""
    if series.dtype.is_float() and not column.absent:
        return int(np.isnan(series.to_numpy()).sum())
    if column.kind == "datetime" or column.absent:
        return evaluated(series, lambda values: plain(column, values, sort_of(series.dtype))).null_count()
    return series.null_count()


def _clean_numbers(name: str, series: pl.Series, origin: Origin) -> Column | None:
    """The quick way for text that is nothing but plain numbers and blanks, and can be nothing else."""
    numbers = series.cast(pl.Float64, strict=False)
    if numbers.null_count() != series.null_count() or numbers.is_nan().any() or holds_codes(series.drop_nulls()):
        return None
    if origin.missing or _may_be_thousands(series):
        return None
    blank = series.null_count()
    reason = all_are(len(series) - blank, "numbers") + missing_words({"": blank})
    missing = share(blank, len(series))
    return Column(name, "number", "feature", reason, missing, format=".", absent=origin.missing)


def _may_be_thousands(series: pl.Series) -> bool:
    """Whether every point could stand between thousands: 1.234."""
    pointed = [text for text in series.head(_FEW).to_list() if text is not None and "." in text]
    if not all(_THOUSANDS.fullmatch(text.strip()) for text in pointed):
        return False
    points = series.filter(series.str.contains(".", literal=True))
    return bool(len(points) and points.str.strip_chars().str.contains(f"^{_THOUSANDS.pattern}$").all())


def _of_texts(name: str, series: pl.Series, origin: Origin, decisive: bool) -> Column:
    counts = counted(series)
    values = parted(counts, origin.blanks_among_values)
    column = number_column(name, values, origin, codes=False)
    column = column or datetime_column(name, series, values, origin, decisive=decisive)
    if column is not None:
        return column
    texts = parted(counts, origin.blanks)
    if texts.values.is_empty():
        return ignored(name, "category", "all values are missing" + missing_words(texts.missing), missing=1.0)
    levels = boolean_levels(texts.values)
    if levels is not None:
        return boolean_column(name, texts, levels, origin)
    if are_image_names(texts.values):
        return ignored(name, "image", f"names of image files; {NOT_YET['image']}", texts.missing_share)
    distinct, length = len(texts.values) / texts.present, words(texts.values)
    if (length >= 3 and distinct >= 0.5) or (length >= 8 and distinct >= 0.1):
        reason = f"{length:.0f} words on average, {100 * distinct:.0f} % distinct; {NOT_YET['text']}"
        return ignored(name, "text", reason, texts.missing_share)
    return category_column(name, texts, origin)


def as_category(name: str, series: pl.Series, wanted: str, origin: Origin, form: str = "") -> Column:
    """Any column as a category: the target, a group, or because it was asked for."""
    column = Column(name, "category", format=form, absent=origin.missing)
    missing = {}
    if is_text(sort_of(series.dtype)):
        texts = parted(counted(series), origin.blanks)
        column, missing = replace(column, format=form or category_format(texts.values)), texts.missing
    values = parted(counted(written(column, series, wanted)), frozenset({""}))
    values = values._replace(missing=missing or values.missing)
    # A model says classes: what they are called is what it is for.
    disclosure = OPEN if wanted == "target" else origin.disclosure
    reason = level_words(values, disclosure) + missing_words(values.missing, ";")
    return replace(column, reason=reason, missing=values.missing_share)


def written(column: Column, series: pl.Series, wanted: str) -> pl.Series:
    """The canonical values of a column of any type. Raises OptionError where it cannot be what is ``wanted``."""
    tidied = evaluated(series, lambda values: plain(column, values, sort_of(series.dtype)))
    expression = canonical(column, pl.nth(0), sort_of(tidied.dtype))
    if expression is None:
        raise OptionError(f"column {column.name!r} holds values of type {series.dtype}, which cannot be a {wanted}")
    return evaluated(tidied, lambda _: expression)
