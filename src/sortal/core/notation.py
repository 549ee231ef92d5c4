"""How the texts of a column are written, judged by all its values: numbers, dates, yes and no, words."""

from __future__ import annotations

import re

import polars as pl

from sortal.core.values import (
    DATE_PARTS,
    SIGNS,
    YES_NO,
    datetime_from_text,
    number_from_text,
    related_patterns,
)

NUMBER_NOTATIONS = (".", ".,", ",", ",.", ". ", ", ", ".'", ",'")
"""Decimal mark and thousands mark, in the order in which they are tried."""

IMAGE_NAME = r"(?i)\.(png|jpe?g|gif|webp|bmp|tiff?)$"
IMAGE_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")

_CODE = r"^(0\d+|\d{17,})$"
_NUMBER = re.compile(r"[^a-df-z]*\d[^a-df-z]*|.*inf(inity)?", re.IGNORECASE | re.DOTALL)
"""What every number fits, in any notation: digits and no letter beside that of an exponent."""
_SAMPLE = 100


def number_notation(texts: pl.Series, codes: bool = False) -> str | None:
    """The notation (``values.number_from_text``) in which all of these tidied, distinct texts are numbers.

    None where there is none, and for codes (leading zeros, more than 16 digits) unless they are asked for.

    >>> number_notation(pl.Series(["1,234", "12"])), number_notation(pl.Series(["1,234", "0,5"]))
    ('.,', ',')
    """
    if texts.is_empty() or not all(map(_NUMBER.fullmatch, texts.head(_SAMPLE))):
        return None
    if not codes and holds_codes(texts):
        return None
    sign = next((sign for sign in SIGNS if sign in texts[0]), "")
    for notation in NUMBER_NOTATIONS:
        parse = number_from_text(pl.col("text"), notation + sign)
        if _all_parse(texts, parse) and not (notation == ".," and _comma_is_decimal(texts)):
            return notation + sign
    return None


def holds_codes(texts: pl.Series) -> bool:
    """Whether digits stand here that are no quantity: with leading zeros, or too many for a float."""
    return bool(texts.str.contains(_CODE).any())


def _comma_is_decimal(texts: pl.Series) -> bool:
    """Every comma could stand between thousands: an ungrouped 1234, without proof, says that none does."""
    proof = texts.str.contains(r",\d{3}[,.]").any()
    return bool(not proof and texts.str.contains(r"^[+-]?\d{4,}").any())


def _all_parse(texts: pl.Series, parse: pl.Expr) -> bool:
    """First on a few texts, since most notations fail there."""
    parts = (texts.head(_SAMPLE), texts) if len(texts) > _SAMPLE else (texts,)
    return all(part.to_frame("text").select(parse).to_series().null_count() == 0 for part in parts)


def date_pattern(texts: pl.Series) -> tuple[str, bool] | None:
    """The pattern in which these tidied, distinct texts are dates; whether day and month could be swapped.

    Times of day may differ in precision. None where there is no such pattern.

    >>> date_pattern(pl.Series(["31-Jul-18"])), date_pattern(pl.Series(["2020-01-02 02:30"]))
    (('%d-%b-%y', False), ('%Y-%m-%d %H:%M', False))
    """
    few = texts.head(_SAMPLE)
    if few.is_empty() or not few.str.contains(r"^[\p{L}\d ,./:+\-]{6,40}$").all():
        return None
    if not few.str.contains(r"\d\D*\d\D*\d").all():
        return None
    for day in DATE_PARTS:
        if _all_parse(few.head(1), _any_time(day)) and _all_parse(few, _any_time(day)):
            pattern = _most_common(few, day)
            if _all_parse(texts, datetime_from_text(pl.col("text"), pattern)) or _all_parse(texts, _any_time(day)):
                return pattern, _swappable(texts, day)
    return None


def _any_time(day: str) -> pl.Expr:
    return pl.coalesce([datetime_from_text(pl.col("text"), pattern) for pattern in related_patterns(day)])


def _most_common(texts: pl.Series, day: str) -> str:
    patterns = list(related_patterns(day))
    parsed = texts.to_frame("text").select(datetime_from_text(pl.col("text"), p).alias(p) for p in patterns)
    return min(patterns, key=lambda pattern: parsed[pattern].null_count())


def _swappable(texts: pl.Series, day: str) -> bool:
    """Whether all dates have another meaning, too, with day and month the other way round."""
    other = day.translate(str.maketrans("dm", "md"))
    if other == day or other not in DATE_PARTS or not _all_parse(texts, _any_time(other)):
        return False
    both = texts.to_frame("text").select(as_read=_any_time(day), swapped=_any_time(other))
    return not both["as_read"].equals(both["swapped"])


def first_misfit(texts: pl.Series, kind: str) -> str:
    """The first text that is no number (or date) in any notation; the very first where each is one alone."""
    if kind == "number":
        ways = [number_from_text(pl.col("text"), notation) for notation in NUMBER_NOTATIONS]
        parsed = texts.to_frame("text").select(pl.coalesce(ways)).to_series()
    elif kind == "datetime":
        parsed = texts.to_frame("text").select(pl.coalesce([_any_time(day) for day in DATE_PARTS])).to_series()
    else:
        return str(texts[min(2, len(texts) - 1)])
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
