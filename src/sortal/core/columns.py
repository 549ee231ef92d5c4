"""What is said of one column: its kind and notation, and the reason in words, from all of its values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from typing import NamedTuple

import polars as pl

from sortal.core.disclosure import OPEN, Disclosure
from sortal.core.errors import OptionError
from sortal.core.notation import (
    boolean_levels,
    date_pattern,
    number_notation,
    only_one_ascends,
    other_notation,
)
from sortal.core.schema import Column, Kind
from sortal.core.series import sort_of
from sortal.core.values import (
    BLANKS,
    DURATION,
    EXACT,
    MISSING,
    MISSING_AMONG_VALUES,
    NO_DATE,
    any_time,
    canonical,
    duration_from_text,
    evaluated,
    number_from_text,
)

MOSTLY_DISTINCT = 0.95
"""Share of distinct values from which on a category identifies rows."""
_ACCOUNTED = r"\(|\)|-$"
"""Ways to write a negative number that only accounts have."""
FEW_ROWS = 20
"""Below this number of values nothing is said to identify rows."""


@dataclass(frozen=True)
class Origin:
    """Where a table comes from: its ``name`` in messages, what stands between the fields of its lines, if it is a text, the
    texts that were told to mean "no value" (None: those that usually do), and what may be quoted of it.
    """

    name: str = "the data"
    separator: str = ""
    missing: tuple[str, ...] | None = None
    disclosure: Disclosure = OPEN

    @property
    def blanks(self) -> frozenset[str]:
        """Texts that are no value in any column."""
        return MISSING if self.missing is None else frozenset({"", *self.missing})

    @property
    def blanks_among_values(self) -> frozenset[str]:
        """Texts that are no value in a column of numbers or dates."""
        return MISSING_AMONG_VALUES if self.missing is None else self.blanks


class Texts(NamedTuple):
    """Distinct texts in order of first occurrence, how often each occurs, and those that mean missing."""

    values: pl.Series
    counts: pl.Series
    missing: dict[str, int]

    @property
    def present(self) -> int:
        return int(self.counts.sum())

    @property
    def missing_share(self) -> float:
        absent = sum(self.missing.values())
        return share(absent, absent + self.present)

    def only(self, which: pl.Series) -> Texts:
        """Some of the texts."""
        return self._replace(values=self.values.filter(which), counts=self.counts.filter(which))

    def quotable(self, disclosure: Disclosure) -> Texts:
        """The texts that a reason may quote."""
        return self.only(self.counts >= disclosure.quoted_from)

    def example(self, disclosure: Disclosure) -> str:
        """The first text that may be quoted, else the first with other digits."""
        may = self.quotable(disclosure).values
        return str(may[0]) if len(may) else other_digits(str(self.values[0]))


def other_digits(text: str) -> str:
    """How a number or duration is written, and not which.

    >>> other_digits("(48.213,77)"), other_digits("7:59")
    ('(12.345,12)', '1:23')
    """
    digits = cycle("12345")  # small ones, so that minutes stay minutes
    return re.sub(r"\d", lambda _: next(digits), text)


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def counted(series: pl.Series) -> pl.DataFrame:
    """Distinct texts without blanks around them, in order of first occurrence, and how often each occurs."""
    stripped = series.cast(pl.String).fill_null("").str.strip_chars(BLANKS).alias("text")
    return stripped.to_frame().group_by("text", maintain_order=True).len("count")


def parted(counts: pl.DataFrame, missing: frozenset[str]) -> Texts:
    """The texts that are values, and those that mean missing."""
    is_missing = counts["text"].is_in(sorted(missing))
    present, absent = counts.filter(~is_missing), counts.filter(is_missing)
    return Texts(present["text"], present["count"], dict(absent.iter_rows()))


def missing_words(missing: Mapping[str, int], mark: str = ",") -> str:
    """How missing values are written, and how often: ``, 11 blank, 163 '?'``."""
    return "".join(f"{mark} {n:,} {repr(text) if text else 'blank'}" for text, n in missing.items() if n)


def all_are(n: int, what: str) -> str:
    return f"all {n:,} values are {what}"


def ignored(name: str, kind: Kind, reason: str, missing: float) -> Column:
    return Column(name, kind, "ignore", reason, missing)


def number_column(name: str, texts: Texts, origin: Origin, codes: bool, decimal: str = "") -> Column | None:
    """Numbers or durations; None for texts that are neither."""
    notation = number_notation(texts.values, codes=codes, separator=origin.separator, decimal=decimal)
    if notation is None:
        return None
    what = "numbers" if notation != DURATION else "durations or times of day, in seconds"
    example = _number_example(texts, notation, origin.disclosure)
    reason = all_are(texts.present, what) + example + missing_words(texts.missing)
    doubt = "" if decimal else _number_doubt(name, texts, notation, origin.disclosure)
    return Column(name, "number", "feature", reason, texts.missing_share, notation, absent=origin.missing, doubt=doubt)


def _number_example(texts: Texts, notation: str, disclosure: Disclosure) -> str:
    """What a value means, where the notation is not the plain one."""
    accounted = texts.values.str.contains(_ACCOUNTED)
    if notation == ".":
        if not accounted.any():
            return ""
        marked = texts.only(accounted)
    else:
        marked = texts.only(texts.values.str.contains(rf"[{re.escape(notation[1:] or notation)}]"))
    example = (marked if len(marked.values) else texts).example(disclosure)
    return f" ({example} is {_read(example, notation)})"


def _read(text: str, notation: str) -> str:
    parse = duration_from_text if notation == DURATION else lambda value: number_from_text(value, notation)
    return f"{evaluated(pl.Series([text]), parse).item():.10g}"


def _number_doubt(name: str, texts: Texts, notation: str, disclosure: Disclosure) -> str:
    """Where the values could be other numbers, or no numbers: ``2-`` may be a grade, and ``2:10`` a score."""
    other = None if notation == DURATION else other_notation(texts.values, notation)
    if other is not None:
        both = [evaluated(texts.values, lambda text, n=n: number_from_text(text, n)) for n in (notation, other)]  # type: ignore[misc]
        example = texts.only((both[0] != both[1]).fill_null(True)).example(disclosure)
        what, otherwise = _read(example, notation), _read(example, other)
        return f"{example} is read as {what}; if it is {otherwise}, say {_asking(name, f'number:{other[0]}')}"
    odd = texts.only(texts.values.str.contains(r"^\d+:\d+$" if notation == DURATION else _ACCOUNTED))
    if odd.values.is_empty():
        return ""
    example = odd.example(disclosure)
    what = _read(example, notation) + (" seconds" if notation == DURATION else "")
    return f"{example} is read as {what}; if it is no number, say {_asking(name, 'category')}"


def _asking(name: str, kind: str) -> str:
    return f"--kind {shlex.quote(f'{name}={kind}')}"


def datetime_column(
    name: str, series: pl.Series, texts: Texts, origin: Origin, pattern: str = "", decisive: bool = False
) -> Column | None:
    """Dates, also where some are written as zeros; None for texts that are none.

    ``pattern`` is how they are written, where that is told. Which of day and month stands first is decided by all values, else by
    the order of the rows. Raises OptionError where that is not enough and it is ``decisive``.
    """
    zeros = texts.values.str.contains(NO_DATE)
    no_dates = dict(zip(texts.values.filter(zeros), texts.counts.filter(zeros), strict=True))
    texts = Texts(texts.values.filter(~zeros), texts.counts.filter(~zeros), {**texts.missing, **no_dates})
    dates = date_pattern(texts.values, pattern)
    if dates is None:
        return None
    chosen, doubt, why = dates.pattern, "", ""
    if dates.other is not None:
        stripped = series.cast(pl.String).str.strip_chars(BLANKS)
        readings = (evaluated(stripped, lambda text, p=p: any_time(p, text)) for p in (chosen, dates.other))  # type: ignore[misc]
        first = only_one_ascends(*readings)
        why = "" if first is None else ", as only so the rows are in the order of time"
        chosen, other = (dates.other, chosen) if first is False else (chosen, dates.other)
        doubt = _date_doubt(name, texts, (chosen, other), why, origin.disclosure)
        if decisive and first is None:
            raise OptionError(
                f"column {name!r} decides the order of the rows, and its dates can be read in two ways: {doubt}; "
                f"else say {_asking(name, f'datetime:{chosen}')}"
            )
    example = _date_example(texts, chosen, origin.disclosure)
    swap = "; day and month could be swapped" if doubt and not why else why
    reason = f"{all_are(texts.present, 'dates')} ({example} is {_day(example, chosen)}{swap})"
    doubts = [doubt, f"{missing_words(no_dates)[2:]} is read as no date" if no_dates else ""]
    return Column(
        name,
        "datetime",
        "feature",
        reason + missing_words(texts.missing),
        texts.missing_share,
        chosen,
        absent=origin.missing,
        doubt="; ".join(filter(None, doubts)),
    )


def _day(text: str, pattern: str) -> str:
    moment = evaluated(pl.Series([text]), lambda value: any_time(pattern, value)).item()
    return f"{moment.day} {moment:%B %Y}"


def _date_example(texts: Texts, pattern: str, disclosure: Disclosure) -> str:
    """The first date that may be quoted, else one of nobody."""
    may = texts.quotable(disclosure).values
    return str(may[0]) if len(may) else str(pl.Series([SOME_DAY]).dt.strftime(pattern)[0])


SOME_DAY = datetime(2001, 2, 3, 4, 56, tzinfo=UTC)


def _date_doubt(name: str, texts: Texts, patterns: tuple[str, str], why: str, disclosure: Disclosure) -> str:
    first, second = (evaluated(texts.values, lambda text, p=p: any_time(p, text)) for p in patterns)  # type: ignore[misc]
    example = _date_example(texts.only((first != second).fill_null(True)), patterns[0], disclosure)
    day, other = (_day(example, pattern) for pattern in patterns)
    return f"{example} is read as {day}{why}; if it is {other}, say {_asking(name, f'datetime:{patterns[1]}')}"


def boolean_column(name: str, texts: Texts, levels: tuple[str, ...], origin: Origin) -> Column:
    reason = level_words(texts, origin.disclosure) + missing_words(texts.missing, ";")
    return Column(name, "boolean", "feature", reason, texts.missing_share, levels=levels, absent=origin.missing)


def level_words(texts: Texts, disclosure: Disclosure, most: int = 6) -> str:
    n = texts.values.n_unique()
    shown = sorted(texts.quotable(disclosure).values) if n <= most else []
    rarer = f" and {n - len(shown)} rarer" if len(shown) < n else ""
    listed = f": {', '.join(map(_short, shown))}{rarer}" if shown else ""
    return f"{n:,} value{'' if n == 1 else 's'}{listed}"


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def category_column(name: str, texts: Texts, origin: Origin) -> Column:
    """A category, or an identifier where almost every value occurs once."""
    distinct = texts.values.n_unique()
    few_are_numbers = _number_words(texts, origin.disclosure)
    reason = level_words(texts, origin.disclosure) + missing_words(texts.missing, ";") + few_are_numbers
    if texts.present >= FEW_ROWS and distinct >= MOSTLY_DISTINCT * texts.present:
        found = f"{distinct:,} different values in {texts.present:,} rows: it identifies rows"
        return ignored(name, "category", found + few_are_numbers, texts.missing_share)
    form = category_format(texts.values)
    return Column(name, "category", "feature", reason, texts.missing_share, form, absent=origin.missing)


def category_format(texts: pl.Series) -> str:
    """Texts are kept as they are written where two of them would become one: ``TRUE`` and ``true``, ``1`` and ``1.0``."""
    column = Column("", "category")
    joined = evaluated(
        texts, lambda values: values if (e := canonical(column, values, sort_of(texts.dtype))) is None else e
    )
    return EXACT if joined.n_unique() < texts.n_unique() else ""


def _number_words(texts: Texts, disclosure: Disclosure) -> str:
    """Why values that look like numbers are none."""
    parsed = evaluated(texts.values, lambda text: number_from_text(text, "."))
    numbers = int(texts.counts.filter(parsed.is_not_null()).sum())
    if numbers == texts.present:
        what = "leading zeros" if texts.values.str.contains(r"^0\d").any() else "more than 16 digits"
        return f"; numbers with {what} are codes"
    if numbers == 0:
        return ""
    words = texts.only(parsed.is_null()).quotable(disclosure).values
    rest = f"{_short(words[0])!r} is not" if len(words) else "the others are not"
    return f"; {numbers:,} of {texts.present:,} are numbers, but {rest}"


def are_words(counts: pl.DataFrame) -> bool:
    """Whether labels are words, among which 'NA' may be one: not all numbers, and no pair such as yes and no."""
    texts = parted(counts, MISSING).values
    return not texts.is_empty() and boolean_levels(texts) is None and number_notation(texts, codes=True) is None
