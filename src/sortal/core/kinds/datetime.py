"""Dates and moments: every value is one, in one notation that is decided from the whole column."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sortal.core.cells import E, first_of, utc, where
from sortal.core.columns import SAMPLE, RawColumn, Texts, all_are, all_read, asking, missing_words
from sortal.core.disclosure import Disclosure
from sortal.core.errors import OptionError
from sortal.core.kinds.category import text_of
from sortal.core.kinds.kind import Kind
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.core.values import BLANKS, DATES, MISSING_AMONG_VALUES, evaluated, is_number, is_text

if TYPE_CHECKING:
    import polars as pl

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

NO_DATE = (
    r"^(?:0000[-/.]00?[-/.]00?|00?[-/.]00?[-/.](?:00|0000)|0001[-/.]01[-/.]01|0?1[/.]0?1[/.]0001)"
    r"(?:[T ]00:00(?::00(?:\.0+)?)?)?Z?$"
)
"""What databases write where there is no date: a date of zeros, and the first day that they know."""

_FEW_TIMES = 6
_SOME_DAY = dt.datetime(2001, 2, 3, 4, 56, tzinfo=dt.UTC)


class Datetime(Kind):
    """Day or month first is decided by all values; where both fit, rows in the order of time decide."""

    name = "datetime"
    noun = "a date"
    storage = "moment"
    encoding = "datetime"
    missing = MISSING_AMONG_VALUES
    ongoing = True

    def infer(self, raw: RawColumn) -> Column | None:
        if raw.sort == "text":
            return _column(raw)
        return self.typed(raw, "dates") if raw.sort in DATES else None

    def as_asked(self, raw: RawColumn, form: str = "") -> Column | None:
        import polars as pl

        if not is_text(raw.sort):
            return super().as_asked(raw, form or ("%Y%m%d" if is_number(raw.sort) else ""))
        if raw.among_values.values.is_empty():
            return None
        try:
            column = _column(raw, form)
        except pl.exceptions.PolarsError as error:
            why = str(error).splitlines()[0]
            raise OptionError(f"{form!r} is no way to write a date (asked for column {raw.name!r}): {why}") from error
        if column is None:
            raise self.refusal(raw, raw.row_of(_first_misfit(raw.among_values.values)))
        return column

    def may_be_asked(self, form: str) -> bool:
        return "%" in form

    def is_format(self, form: str) -> bool:
        return is_pattern(form)

    def plain(self, column: Column, values: E, sort: Sort) -> E:
        """Also without what databases write where there is no date."""
        text = super().plain(column, values, sort)
        return where(text.str.contains(NO_DATE).not_(), text) if is_text(sort) else text

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        pattern = column.format
        if sort in DATES:
            return utc(values, sort)
        if is_number(sort) and pattern:  # pandas makes 20200131.0 of 20200131 beside a missing value
            return datetime_from_text(text_of(values, sort), pattern)
        return datetime_from_text(values, pattern or "%Y-%m-%d") if is_text(sort) else None

    def lenient(self, column: Column, texts: E) -> E | None:
        """Dates with another time of day than at training (none, no seconds, a zone) are still clear."""
        return any_time(column.format or "%Y-%m-%d", texts)

    def example(self, column: Column) -> str:
        pattern = column.format.replace("%.f", "")
        return dt.datetime(2018, 7, 31, 14, 30, tzinfo=dt.UTC).strftime(pattern).strip()

    def format_value(self, value: float) -> str:
        return str(np.datetime64(round(value), "s")).removesuffix("T00:00:00").replace("T", " ")


def datetime_from_text(text: E, pattern: str) -> E:
    """Moments in UTC from tidied text; null where the pattern does not fit. No zone counts as UTC.

    ``T`` between day and time is read as a blank, the zones ``Z`` and ``+01`` as ``+00:00`` and ``+01:00``.
    """
    spaced = text.str.replace(r"^(\d{4}\D\d\d\D\d\d)T", "${1} ") if pattern.startswith("%Y") else text
    if "%y" in pattern or "%D" in pattern:  # polars takes whatever stands after the one digit of a year for another
        spaced = where(spaced.str.contains(_short_year(pattern)), spaced)
    if "%z" in pattern:
        spaced = spaced.str.replace(r" ?(?:Z|UTC|GMT)$", "+00:00").str.replace(r"(:\d\d[\d.]*[+-]\d\d)$", "${1}:00")
        return plausible_dates(utc(spaced.str.to_datetime(pattern, time_unit="us", strict=False), "zoned"))
    return plausible_dates(spaced.str.to_datetime(pattern, time_unit="us", strict=False))


@cache
def _short_year(pattern: str) -> str:
    """A regular expression by which a year of one or two digits is nothing else; what is no number may be anything."""
    year, number, anything = r"\s*[+-]?\d{1,2}", r"\s*[+-]?\d+", ".*"
    pieces = re.split(r"(%[-_0]?(?:[A-Za-z%]|\.?[369]?f))", pattern.replace("%D", "%m/%d/%y"))
    regex = re.escape(pieces[0])
    for directive, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        letter = directive[-1]
        regex += year if letter == "y" else number if letter in "YCmdeHkIlMSj" else anything
        regex += re.escape(literal)
    # Of numbers without a break the year has two digits.
    return f"^{regex}$".replace(year + number, r"\d\d" + number)


def plausible_dates(moments: E) -> E:
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
    return first_of([datetime_from_text(text, variant) for variant in related_patterns(pattern)])


def is_pattern(pattern: str) -> bool:
    """Whether dates can be written so: the directives of strftime, and a time of day that is whole.

    >>> is_pattern("%d/%m/%Y"), is_pattern("%Y-%m-%d %H:%M:%S%.f"), is_pattern("%Y %H"), is_pattern("%I:%M %p")
    (True, True, False, True)
    """
    if len(pattern) > 80 or re.fullmatch(r"(?:%[-_0]?(?:[A-Za-z%]|\.?[369]?f)|[^%])*", pattern) is None:
        return False
    parts = set(re.findall(r"%[-_0]?([A-Za-z]|\.?[369]?f)", pattern.replace("%%", "")))
    if parts & {"T", "R", "X", "c", "r", "s"}:
        return True
    hour, twelfth = bool(parts & {"H", "k", "I", "l"}), bool(parts & {"I", "l"})
    return hour == ("M" in parts) and hour >= ("S" in parts) and twelfth == bool(parts & {"p", "P"})


class Dates(NamedTuple):
    """The ``pattern`` of dates; and the ``other`` one, with day and month the other way round, where that gives other
    dates.
    """

    pattern: str
    other: str | None


def date_pattern(texts: pl.Series, pattern: str = "") -> Dates | None:
    """The pattern in which these tidied, distinct texts are dates: the one that is told, or the first that fits.

    Times of day may differ in precision. None where there is no such pattern.

    >>> import polars as pl
    >>> date_pattern(pl.Series(["31-Jul-18"])), date_pattern(pl.Series(["01/02/2020 02:30"]))
    (Dates(pattern='%d-%b-%y', other=None), Dates(pattern='%m/%d/%Y %H:%M', other='%d/%m/%Y %H:%M'))
    """
    few = texts.head(SAMPLE)
    if few.is_empty():
        return None
    if pattern:
        return Dates(_most_common(few, pattern), None) if _are_dates(texts, pattern) else None
    if not few.str.contains(r"^[\p{L}\d ,./:+\-]{6,40}$").all():
        return None
    if not few.str.contains(r"\d\D*\d\D*\d").all():
        return None
    for day in DATE_PARTS:
        if _are_dates(few.head(1), day) and _are_dates(few, day):
            common = _most_common(few, day)
            if all_read(texts, lambda text, c=common: datetime_from_text(text, c)) or _are_dates(texts, day):  # type: ignore[misc]
                return Dates(common, _swapped(texts, day, common))
    return None


def _are_dates(texts: pl.Series, day: str) -> bool:
    return all_read(texts, lambda text: any_time(day, text))


def _most_common(texts: pl.Series, day: str) -> str:
    patterns = list(related_patterns(day))
    return min(patterns, key=lambda pattern: evaluated(texts, lambda t: datetime_from_text(t, pattern)).null_count())


def _swapped(texts: pl.Series, day: str, pattern: str) -> str | None:
    """The pattern with day and month the other way round, where all dates have another meaning so."""
    other = day.translate(str.maketrans("dm", "md"))
    if other == day or other not in DATE_PARTS or not _are_dates(texts, other):
        return None
    as_read, other_way = (evaluated(texts, lambda text, d=d: any_time(d, text)) for d in (day, other))  # type: ignore[misc]
    return None if as_read.equals(other_way) else other + pattern.removeprefix(day)


def only_one_ascends(moments: pl.Series, others: pl.Series) -> bool | None:
    """Whether the rows stand in the order of the first of two readings (True), or of the second (False); None if both
    or neither.

    The newest may come first. The order of fewer than six different times may be chance: of six, 2 orders in 720 do.
    """
    if min(moments.n_unique(), others.n_unique()) < _FEW_TIMES:
        return None
    first, second = (
        series.is_sorted() or series.is_sorted(descending=True)
        for series in (moments.drop_nulls(), others.drop_nulls())
    )
    return None if first == second else first


def _first_misfit(texts: pl.Series) -> str:
    """The first text that is no date in any notation; the very first where each is one alone."""
    parsed = evaluated(texts, lambda text: first_of([any_time(day, text) for day in DATE_PARTS]))
    return str(texts.filter(parsed.is_null())[0] if parsed.null_count() else texts[0])


def _column(raw: RawColumn, pattern: str = "") -> Column | None:
    """Dates, also where some are written as zeros; None for texts that are none.

    ``pattern`` is how they are written, where that is told. Which of day and month stands first is decided by all
    values, else by the order of the rows. Raises OptionError where that is not enough and it is decisive.
    """
    name, texts, origin = raw.name, raw.among_values, raw.origin
    zeros = texts.values.str.contains(NO_DATE)
    no_dates = dict(zip(texts.values.filter(zeros), texts.counts.filter(zeros), strict=True))
    texts = Texts(texts.values.filter(~zeros), texts.counts.filter(~zeros), {**texts.missing, **no_dates})
    dates = date_pattern(texts.values, pattern)
    if dates is None:
        return None
    selected, doubt, why = dates.pattern, "", ""
    if dates.other is not None:
        stripped = raw.series.cast(str).str.strip_chars(BLANKS)
        readings = (evaluated(stripped, lambda text, p=p: any_time(p, text)) for p in (selected, dates.other))  # type: ignore[misc]
        first = only_one_ascends(*readings)
        why = "" if first is None else ", as only so the rows are in the order of time"
        selected, other = (dates.other, selected) if first is False else (selected, dates.other)
        doubt = _date_doubt(name, texts, (selected, other), why, origin.disclosure)
        if raw.decisive and first is None:
            raise OptionError(
                f"column {name!r} decides the order of the rows, and its dates can be read in two ways: {doubt}; "
                f"else say {asking(name, f'datetime:{selected}')}"
            )
    example = _date_example(texts, selected, origin.disclosure)
    swap = "; day and month could be swapped" if doubt and not why else why
    reason = f"{all_are(texts.present, 'dates')} ({example} is {_day(example, selected)}{swap})"
    doubts = [doubt, f"{missing_words(no_dates)[2:]} is read as no date" if no_dates else ""]
    return Column(
        name,
        "datetime",
        "feature",
        reason + missing_words(texts.missing),
        texts.missing_share,
        selected,
        absent=origin.missing,
        doubt="; ".join(filter(None, doubts)),
    )


def _day(text: str, pattern: str) -> str:
    import polars as pl

    moment = evaluated(pl.Series([text]), lambda value: any_time(pattern, value)).item()
    return f"{moment.day} {moment:%B %Y}"


def _date_example(texts: Texts, pattern: str, disclosure: Disclosure) -> str:
    """The first date that may be quoted, else one of nobody."""
    import polars as pl

    may = texts.quotable(disclosure).values
    return str(may[0]) if len(may) else str(pl.Series([_SOME_DAY]).dt.strftime(pattern)[0])


def _date_doubt(name: str, texts: Texts, patterns: tuple[str, str], why: str, disclosure: Disclosure) -> str:
    first, second = (evaluated(texts.values, lambda text, p=p: any_time(p, text)) for p in patterns)  # type: ignore[misc]
    example = _date_example(texts.only((first != second).fill_null(True)), patterns[0], disclosure)
    day, other = (_day(example, pattern) for pattern in patterns)
    return f"{example} is read as {day}{why}; if it is {other}, say {asking(name, f'datetime:{patterns[1]}')}"


kind = Datetime()
