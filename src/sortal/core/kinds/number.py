"""Numbers, and durations as seconds: every value is one, in one notation that is decided from the whole column."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from sortal.core.cells import Cells, E, computed, first_of, where
from sortal.core.columns import SAMPLE, RawColumn, Texts, all_are, all_read, asking, ignored, missing_words, share
from sortal.core.disclosure import Disclosure
from sortal.core.kinds.kind import Kind
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.core.values import MISSING_AMONG_VALUES, evaluated, is_number, is_text

if TYPE_CHECKING:
    import polars as pl

SIGNS = "$€£¥₹%"
"""Units that may stand at every number of a column."""

DURATION = "duration"
"""The format of a number column whose values are durations, or times of day: seconds."""

_DURATIONS = "a duration or a time such as 1:30:00, PT90M or 0 days 01:30:00"

NUMBER_NOTATIONS = (".", ".,", ",", ",.", ". ", ", ", ".'", ",'")
"""Decimal mark and thousands mark, in the order in which they are tried."""

_CODE = r"^(0[0-9]+|[+-]?[0-9]{17,})$"
_NUMBER = r"(?is)[^a-df-z\d]*+\d[^a-df-z]*+|.*inf(inity)?"
"""What every number fits, in any notation: digits and no letter beside that of an exponent. In one pass, however long a
text is."""

_ACCOUNTED = r"\(|\)|-$"
"""Ways to write a negative number that only accounts have."""

_THOUSANDS = r"[+-]?[1-9]\d{0,2}(\.\d{3})+"
_FEW = 20

LONGEST = 10**16
"""Whole numbers from here on are codes, as they are in text: a float does not tell them apart."""


class Number(Kind):
    """A decimal mark, thousands, a currency or a per cent sign and the minus of accounts are read; codes are no
    numbers.
    """

    name = "number"
    noun = "a number"
    storage = "number"
    encoding = "number"
    missing = MISSING_AMONG_VALUES

    def infer(self, raw: RawColumn) -> Column | None:
        if raw.sort == "text":
            return _clean_numbers(raw) or _column(raw, codes=False)
        if raw.sort in ("duration", "time"):
            return self.typed(raw, "durations or times of day, in seconds", DURATION)
        return self.typed(raw, "numbers") if is_number(raw.sort) and not _too_long(raw) else None

    def as_asked(self, raw: RawColumn, form: str = "") -> Column | None:
        if not is_text(raw.sort):
            return super().as_asked(raw, DURATION if raw.sort in ("duration", "time") else form)
        if raw.among_values.values.is_empty():
            return None
        column = _column(raw, codes=True, decimal=form)
        if column is None:
            raise self.refusal(raw, raw.row_of(_first_misfit(raw.among_values.values)))
        return column

    def may_be_asked(self, form: str) -> bool:
        return form in (".", ",")

    def is_format(self, form: str) -> bool:
        return form == DURATION or re.fullmatch(r"([.,].{0,2})?", form) is not None

    def plain(self, column: Column, values: E, sort: Sort) -> E:
        """Also without numbers that say that there is no value, however they are written: -999.0 where -999 does."""
        tidied = super().plain(column, values, sort)
        absent = _numbers_of(column.absent or (), column.format)
        if not absent or not (is_number(sort) or is_text(sort)):
            return tidied
        numbers = number_from_text(tidied, column.format) if is_text(sort) else tidied.cast(float)
        return where(numbers.is_in(absent).not_().fill_null(True), tidied)

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        if column.format == DURATION:
            return _duration(values, sort)
        if is_number(sort) or sort == "boolean":
            return values.cast(float)
        return number_from_text(values, column.format) if is_text(sort) else None

    def takes_plain_numbers(self, column: Column) -> bool:
        return column.format in ("", ".") and not column.absent

    def takes_numbers(self, column: Column) -> bool:
        return column.format != DURATION and not column.absent

    def noun_of(self, column: Column) -> str:
        return _DURATIONS if column.format == DURATION else self.noun

    def example(self, column: Column) -> str:
        marks = column.format
        if marks in ("", ".", DURATION):
            return ""
        return f"1{marks[1]}234{marks[0]}5{marks[2:]}" if len(marks) > 1 else f"1{marks[0]}5"


@lru_cache(maxsize=256)
def _numbers_of(absent: tuple[str, ...], notation: str) -> frozenset[float]:
    """Those of these texts that are numbers, in the notation of a column or in the plain one."""
    if notation == DURATION:
        return frozenset()
    texts = Cells(absent)
    ways = first_of([number_from_text(texts, notation), number_from_text(texts, ".")])
    return frozenset(number for number in ways.values if number is not None)


def _duration(values: E, sort: Sort) -> E | None:
    """Seconds. Bare numbers are refused: whether they are seconds, minutes or milliseconds, nobody says."""
    if sort == "duration":
        return seconds(values.dt.total_microseconds(), 1e6)
    if sort == "time":
        return seconds(values.cast(int), 1e9)
    return duration_from_text(values) if is_text(sort) else None


def seconds(ticks: E, per_second: float) -> E:
    """Polars multiplies a column by the reciprocal and divides a lone value: one row would differ from the same row of
    many.
    """
    return computed(ticks.cast(float), lambda numbers: numbers / per_second)


_CLOCK = r"^([+-]?)()([0-9]+):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]*)?))?$"
_DAYS = r"^()([+-]?[0-9]+) days?(?:,? \+?([0-9]+):([0-5][0-9]):([0-5][0-9](?:\.[0-9]*)?))?$"
_PART = r"-?[0-9]+(?:\.[0-9]*)?"
_ISO = rf"^([+-]?)P(?:(-?[0-9]+)D)?(?:T(?:({_PART})H)?(?:({_PART})M)?(?:({_PART})S)?)?$"
"""Digits of other scripts would be no numbers, and so nothing; without ``T``, ``M`` is a month."""


def duration_from_text(text: E) -> E:
    """Seconds from tidied text; null where it is no duration.

    ``1:30:00``, ``1:30``, ``2 days 01:30:00`` (pandas), ``-1 day, 23:00:00`` (Python), ``5 days`` and ``PT90M`` (ISO
    8601).
    """
    ways = []
    for pattern in (_CLOCK, _DAYS, _ISO):
        parts = text.str.extract_groups(pattern).struct
        days, hours, minutes, whole = (
            parts[i].cast(float, strict=False).fill_null(0.0) * unit
            for i, unit in enumerate((86_400.0, 3_600.0, 60.0, 1.0), start=1)
        )
        total = seconds(((days + hours + minutes + whole) * 1e6).round(), 1e6)
        fits = text.str.contains(pattern) & text.str.contains("[0-9]")
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
    return digits.str.replace(r"^\(([^()+-]*)\)$", "-${1}").str.replace(r"^([^+\d-]*\d[^+-]*)-$", "-${1}")


def _without_thousands(digits: E, decimal: str, thousands: str) -> E:
    if thousands == " ":
        digits = digits.str.replace_all(r"[\u00a0\u2009\u202f]", " ")
    if thousands == "'":
        digits = digits.str.replace_all("’", "'", literal=True)
    mark = re.escape(thousands)
    grouped = rf"^[+-]?[1-9]\d{{0,2}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}(?:{re.escape(decimal)}\d*)?$"
    bare = where(digits.str.contains(grouped), digits.str.replace_all(thousands, "", literal=True))
    return where(digits.str.contains(thousands, literal=True), bare, digits)


def _too_long(raw: RawColumn) -> bool:
    """Whole numbers that are codes."""
    ends = (raw.series.min(), raw.series.max()) if raw.sort == "whole" else (0, 0)
    return max(abs(int(end)) for end in ends) >= LONGEST  # type: ignore[arg-type]


def _clean_numbers(raw: RawColumn) -> Column | None:
    """The quick way for text that is nothing but plain numbers and blanks, and can be nothing else."""
    series, absent = raw.series, raw.origin.missing
    numbers = series.cast(float, strict=False)
    if numbers.null_count() != series.null_count() or numbers.is_nan().any() or holds_codes(series.drop_nulls()):
        return None
    if absent or _may_be_thousands(series):
        return None
    blank = series.null_count()
    reason = all_are(len(series) - blank, "numbers") + missing_words({"": blank})
    return Column(raw.name, "number", "feature", reason, share(blank, len(series)), format=".", absent=absent)


def _may_be_thousands(series: pl.Series) -> bool:
    """Whether every point could stand between thousands: 1.234."""
    candidates = [text for text in series.head(_FEW).to_list() if text is not None and "." in text]
    if not all(re.fullmatch(_THOUSANDS, text.strip()) for text in candidates):
        return False
    points = series.filter(series.str.contains(".", literal=True))
    return bool(len(points) and points.str.strip_chars().str.contains(f"^{_THOUSANDS}$").all())


def number_notation(texts: pl.Series, codes: bool = False, separator: str = "", decimal: str = "") -> str | None:
    """The notation (``number_from_text``) in which all of these tidied, distinct texts are numbers.

    ``separator`` is what stands between the fields of the file: beside ``;`` a comma is a decimal mark. ``decimal``:
    the decimal mark, where it is told. None where there is no such notation, and for codes (leading zeros, more than 16
    digits) unless they are asked for.

    >>> import polars as pl
    >>> number_notation(pl.Series(["1,234", "12"])), number_notation(pl.Series(["1,234", "0,5"]))
    ('.,', ',')
    >>> number_notation(pl.Series(["1,234", "12"]), separator=";"), number_notation(pl.Series(["1:30:00", "2:15:00"]))
    (',', 'duration')
    """
    if texts.is_empty() or not all(map(re.compile(_NUMBER).fullmatch, texts.head(SAMPLE))):
        return DURATION if not texts.is_empty() and not decimal and are_durations(texts) else None
    if not codes and holds_codes(texts):
        return None
    sign = next((sign for sign in SIGNS if sign in texts[0]), "")
    for notation in NUMBER_NOTATIONS:
        if not notation.startswith(decimal) or not _are_numbers(texts, notation + sign):
            continue
        if decimal or notation != ".," or not _comma_is_decimal(texts, separator):
            return notation + sign
    return DURATION if not decimal and are_durations(texts) else None


def other_notation(texts: pl.Series, notation: str) -> str | None:
    """Another notation with the other decimal mark, in which the same texts are other numbers; None where there is
    none.

    >>> import polars as pl
    >>> other_notation(pl.Series(["1,234", "2,345"]), ".,"), other_notation(pl.Series(["1.5", "2.345"]), ".")
    (',', None)
    """
    sign = notation[len(notation.rstrip(SIGNS)) :]
    for other in NUMBER_NOTATIONS:
        if other[0] != notation[0] and _are_numbers(texts, other + sign):
            here = evaluated(texts, lambda text: number_from_text(text, notation))
            there = evaluated(texts, lambda text, other=other: number_from_text(text, other + sign))  # type: ignore[misc]
            return None if here.equals(there) else other + sign
    return None


def _are_numbers(texts: pl.Series, notation: str) -> bool:
    return all_read(texts, lambda text: number_from_text(text, notation))


def are_durations(texts: pl.Series) -> bool:
    """Whether all of these tidied texts are durations or times of day."""
    return all_read(texts, duration_from_text)


def holds_codes(texts: pl.Series) -> bool:
    """Whether digits stand here that are no quantity: with leading zeros, or too many for a float."""
    return bool(texts.str.contains(_CODE).any())


def _comma_is_decimal(texts: pl.Series, separator: str) -> bool:
    """Every comma could stand between thousands. Without proof, an ungrouped 1234 says that none does, and so does a
    file whose fields are separated by ``;``: it is written so where the comma is the decimal mark.
    """
    proof = texts.str.contains(r",\d{3}[,.]").any()
    return bool(not proof and (separator == ";" or texts.str.contains(r"^[+-]?\d{4,}").any()))


def _first_misfit(texts: pl.Series) -> str:
    """The first text that is no number in any notation; the very first where each is one alone."""
    parsed = evaluated(
        texts, lambda text: first_of([number_from_text(text, notation) for notation in NUMBER_NOTATIONS])
    )
    return str(texts.filter(parsed.is_null())[0] if parsed.null_count() else texts[0])


def _column(raw: RawColumn, codes: bool, decimal: str = "") -> Column | None:
    """Numbers or durations; None for texts that are neither."""
    name, texts, origin = raw.name, raw.among_values, raw.origin
    notation = number_notation(texts.values, codes=codes, separator=origin.separator, decimal=decimal)
    if notation is None:
        return None
    texts = _without_absent(texts, Column(name, "number", format=notation, absent=origin.missing))
    if not texts.present:
        return ignored(name, "number", "all values are missing" + missing_words(texts.missing), missing=1.0)
    what = "numbers" if notation != DURATION else "durations or times of day, in seconds"
    example = _example(texts, notation, origin.disclosure)
    reason = all_are(texts.present, what) + example + missing_words(texts.missing)
    doubt = "" if decimal else _doubt(name, texts, notation, origin.disclosure)
    return Column(name, "number", "feature", reason, texts.missing_share, notation, absent=origin.missing, doubt=doubt)


def _without_absent(texts: Texts, column: Column) -> Texts:
    """Also without other ways to write the numbers that say that there is no value."""
    if not column.absent:
        return texts
    absent = evaluated(texts.values, lambda values: kind.plain(column, values, "text")).is_null()
    others = dict(zip(texts.values.filter(absent), texts.counts.filter(absent), strict=True))
    return texts.only(~absent)._replace(missing={**texts.missing, **others})


def _example(texts: Texts, notation: str, disclosure: Disclosure) -> str:
    """What a value means, where the notation is not the plain one."""
    is_account = texts.values.str.contains(_ACCOUNTED)
    if notation == ".":
        if not is_account.any():
            return ""
        matches = texts.only(is_account)
    else:
        matches = texts.only(texts.values.str.contains(rf"[{re.escape(notation[1:] or notation)}]"))
    example = (matches if len(matches.values) else texts).example(disclosure)
    return f" ({example} is {_read(example, notation)})"


def _read(text: str, notation: str) -> str:
    one = Cells([text])
    return f"{(duration_from_text(one) if notation == DURATION else number_from_text(one, notation)).values[0]:.10g}"


def _doubt(name: str, texts: Texts, notation: str, disclosure: Disclosure) -> str:
    """Where the values could be other numbers, or no numbers: ``2-`` may be a grade, and ``2:10`` a score."""
    other = None if notation == DURATION else other_notation(texts.values, notation)
    if other is not None:
        both = [evaluated(texts.values, lambda text, n=n: number_from_text(text, n)) for n in (notation, other)]  # type: ignore[misc]
        example = texts.only((both[0] != both[1]).fill_null(True)).example(disclosure)
        what, otherwise = _read(example, notation), _read(example, other)
        return f"{example} is read as {what}; if it is {otherwise}, say {asking(name, f'number:{other[0]}')}"
    odd = texts.only(texts.values.str.contains(r"^\d+:\d+$" if notation == DURATION else _ACCOUNTED))
    if odd.values.is_empty():
        return ""
    example = odd.example(disclosure)
    what = _read(example, notation) + (" seconds" if notation == DURATION else "")
    return f"{example} is read as {what}; if it is no number, say {asking(name, 'category')}"


kind = Number()
