"""How the texts of a column are written, judged by all its values: numbers, dates, yes and no, words."""

from __future__ import annotations

import re
from typing import NamedTuple

import polars as pl

from sortal.core.values import (
    DATE_PARTS,
    DURATION,
    SIGNS,
    YES_NO,
    any_time,
    datetime_from_text,
    duration_from_text,
    evaluated,
    number_from_text,
    related_patterns,
)

NUMBER_NOTATIONS = (".", ".,", ",", ",.", ". ", ", ", ".'", ",'")
"""Decimal mark and thousands mark, in the order in which they are tried."""

IMAGE_NAME = r"(?i)\.(png|jpe?g|gif|webp|bmp|tiff?)$"
IMAGE_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")

_CODE = r"^(0\d+|\d{17,})$"
_NUMBER = re.compile(r"[^a-df-z\d]*+\d[^a-df-z]*+|.*inf(inity)?", re.IGNORECASE | re.DOTALL)
"""What every number fits, in any notation: digits and no letter beside that of an exponent. In one pass, however long a text is."""
_SAMPLE = 100
_FEW_TIMES = 6


def number_notation(texts: pl.Series, codes: bool = False, separator: str = "", decimal: str = "") -> str | None:
    """The notation (``values.number_from_text``) in which all of these tidied, distinct texts are numbers.

    ``separator`` is what stands between the fields of the file: beside ``;`` a comma is a decimal mark. ``decimal``: the
    decimal mark, where it is told. None where there is no such notation, and for codes (leading zeros, more than 16 digits)
    unless they are asked for.

    >>> number_notation(pl.Series(["1,234", "12"])), number_notation(pl.Series(["1,234", "0,5"]))
    ('.,', ',')
    >>> number_notation(pl.Series(["1,234", "12"]), separator=";"), number_notation(pl.Series(["1:30:00", "2:15:00"]))
    (',', 'duration')
    """
    if texts.is_empty() or not all(map(_NUMBER.fullmatch, texts.head(_SAMPLE))):
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
    """Another notation with the other decimal mark, in which the same texts are other numbers; None where there is none.

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
    return _all_parse(texts, number_from_text(pl.nth(0), notation))


def are_durations(texts: pl.Series) -> bool:
    """Whether all of these tidied texts are durations or times of day."""
    return _all_parse(texts, duration_from_text(pl.nth(0)))


def holds_codes(texts: pl.Series) -> bool:
    """Whether digits stand here that are no quantity: with leading zeros, or too many for a float."""
    return bool(texts.str.contains(_CODE).any())


def _comma_is_decimal(texts: pl.Series, separator: str) -> bool:
    """Every comma could stand between thousands. Without proof, an ungrouped 1234 says that none does, and so does a file whose
    fields are separated by ``;``: it is written so where the comma is the decimal mark.
    """
    proof = texts.str.contains(r",\d{3}[,.]").any()
    return bool(not proof and (separator == ";" or texts.str.contains(r"^[+-]?\d{4,}").any()))


def _all_parse(texts: pl.Series, parse: pl.Expr) -> bool:
    """First on a few texts, since most notations fail there."""
    parts = (texts.head(_SAMPLE), texts) if len(texts) > _SAMPLE else (texts,)
    return all(evaluated(part, lambda _: parse).null_count() == 0 for part in parts)


class Dates(NamedTuple):
    """The ``pattern`` of dates; and the ``other`` one, with day and month the other way round, where that gives other dates."""

    pattern: str
    other: str | None


def date_pattern(texts: pl.Series, pattern: str = "") -> Dates | None:
    """The pattern in which these tidied, distinct texts are dates: the one that is told, or the first that fits.

    Times of day may differ in precision. None where there is no such pattern.

    >>> date_pattern(pl.Series(["31-Jul-18"])), date_pattern(pl.Series(["01/02/2020 02:30"]))
    (Dates(pattern='%d-%b-%y', other=None), Dates(pattern='%m/%d/%Y %H:%M', other='%d/%m/%Y %H:%M'))
    """
    few = texts.head(_SAMPLE)
    if few.is_empty():
        return None
    if pattern:
        return Dates(_most_common(few, pattern), None) if _all_parse(texts, any_time(pattern, pl.nth(0))) else None
    if not few.str.contains(r"^[\p{L}\d ,./:+\-]{6,40}$").all():
        return None
    if not few.str.contains(r"\d\D*\d\D*\d").all():
        return None
    for day in DATE_PARTS:
        if _all_parse(few.head(1), any_time(day, pl.nth(0))) and _all_parse(few, any_time(day, pl.nth(0))):
            common = _most_common(few, day)
            if _all_parse(texts, datetime_from_text(pl.nth(0), common)) or _all_parse(texts, any_time(day, pl.nth(0))):
                return Dates(common, _swapped(texts, day, common))
    return None


def _most_common(texts: pl.Series, day: str) -> str:
    patterns = list(related_patterns(day))
    return min(patterns, key=lambda pattern: evaluated(texts, lambda t: datetime_from_text(t, pattern)).null_count())


def _swapped(texts: pl.Series, day: str, pattern: str) -> str | None:
    """The pattern with day and month the other way round, where all dates have another meaning so."""
    other = day.translate(str.maketrans("dm", "md"))
    if other == day or other not in DATE_PARTS or not _all_parse(texts, any_time(other, pl.nth(0))):
        return None
    as_read, swapped = (evaluated(texts, lambda text, d=d: any_time(d, text)) for d in (day, other))  # type: ignore[misc]
    return None if as_read.equals(swapped) else other + pattern.removeprefix(day)


def only_one_ascends(moments: pl.Series, others: pl.Series) -> bool | None:
    """Whether the rows stand in the order of the first of two readings (True), or of the second (False); None if both or neither.

    The newest may come first. The order of fewer than six different times may be chance: of six, 2 orders in 720 do.
    """
    if min(moments.n_unique(), others.n_unique()) < _FEW_TIMES:
        return None
    first, second = (
        known.is_sorted() or known.is_sorted(descending=True) for known in (moments.drop_nulls(), others.drop_nulls())
    )
    return None if first == second else first


def first_misfit(texts: pl.Series, kind: str) -> str:
    """The first text that is no number (or date) in any notation; the very first where each is one alone."""
    if kind == "number":
        ways = [number_from_text(pl.nth(0), notation) for notation in NUMBER_NOTATIONS]
    elif kind == "datetime":
        ways = [any_time(day, pl.nth(0)) for day in DATE_PARTS]
    else:
        return str(texts[min(2, len(texts) - 1)])
    parsed = evaluated(texts, lambda _: pl.coalesce(ways))
    return str(texts.filter(parsed.is_null())[0] if parsed.null_count() else texts[0])


def boolean_levels(texts: pl.Series) -> tuple[str, str] | None:
    """The texts of false and true, as first written, where these are a pair like No and Yes; else None.

    >>> boolean_levels(pl.Series(["Yes", "No", "NO"])), boolean_levels(pl.Series(["m", "f"]))
    (('No', 'Yes'), None)
    """
    if not 2 <= len(texts) <= 8:
        return None
    lowered = texts.str.to_lowercase().to_list()
    for false, true in YES_NO:
        if set(lowered) == {false, true}:
            return str(texts[lowered.index(false)]), str(texts[lowered.index(true)])
    return None


def words(texts: pl.Series) -> float:
    """Words per text on average; two characters of Chinese or Japanese count as one."""
    few = texts.gather_every(max(1, len(texts) // 1000))
    spaced = few.str.count_matches(r"\S+")
    unspaced = few.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}]") // 2
    mean = (spaced + unspaced).mean()
    return float(mean) if isinstance(mean, int | float) else 0.0


def are_image_names(texts: pl.Series) -> bool:
    """Whether all texts end like the name of an image file."""
    return bool(texts.str.contains(IMAGE_NAME).all())


def is_image(data: bytes) -> bool:
    """Whether bytes begin like a PNG, JPEG, GIF, WEBP, BMP or TIFF file.

    >>> is_image(b"\\x89PNG...."), is_image(b"PK....")
    (True, False)
    """
    if data.startswith(b"RIFF"):
        return data[8:12] == b"WEBP"
    return data.startswith(IMAGE_STARTS)
