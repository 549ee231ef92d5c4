"""Categories: any value as a text; where almost every one occurs once, the column identifies rows and is ignored."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sortal.core.cells import Cells, E, utc, where
from sortal.core.columns import (
    RawColumn,
    Texts,
    ignored,
    level_words,
    missing_words,
    parted,
    share,
    shortened,
    text_counts,
)
from sortal.core.disclosure import OPEN, Disclosure
from sortal.core.errors import OptionError
from sortal.core.kinds.kind import Kind
from sortal.core.kinds.number import number_from_text
from sortal.core.moments import DAY
from sortal.core.raw import Sort
from sortal.core.schema import Column, Role
from sortal.core.values import DATES, evaluated, is_text

if TYPE_CHECKING:
    import polars as pl

EXACT = "exact"
"""The format of a category whose texts are kept as they are written: see ``canonical``."""

MOSTLY_DISTINCT = 0.95
"""Share of distinct values from which on a category identifies rows."""

FEW_ROWS = 20
"""Below this number of values nothing is said to identify rows."""


class Category(Kind):
    """1, 1.0 and ``"1.0"`` are ``"1"``, true and ``"True"`` are ``"true"``, unless the format is ``EXACT``: texts stay
    as written, but for the form of letters with accents, which a target alone keeps.
    """

    name = "category"
    noun = "a category"
    storage = "text"
    encoding = "category"

    def infer(self, raw: RawColumn) -> Column:
        """Never refused: what is no other kind is a category."""
        if raw.sort == "levels":
            return as_category(raw, "category")
        if raw.sort == "bytes":
            missing = share(raw.series.null_count(), len(raw.series))
            return ignored(raw.name, "category", "bytes that are no image", missing)
        if raw.sort in UNREADABLE:
            return ignored(raw.name, "category", f"values of type {raw.series.dtype} are not used", 0.0)
        if raw.texts.values.is_empty():
            reason = "all values are missing" + missing_words(raw.texts.missing)
            return ignored(raw.name, "category", reason, missing=1.0)
        return _column(raw)

    def as_asked(self, raw: RawColumn, form: str = "") -> Column:
        return as_category(raw, "category")

    def plain(self, column: Column, values: E, sort: Sort) -> E:
        tidied = super().plain(column, values, sort)
        return tidied if column.format == EXACT else without_absent(column, tidied, sort)

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        if sort in UNREADABLE:
            return None
        exact = column.format == EXACT
        text = text_of(values, sort, exact)
        return text if exact and column.role == "target" else one_form(text)


UNREADABLE: tuple[Sort, ...] = ("null", "nested", "bytes", "duration")
"""Values that no text says."""


def without_absent(column: Column, tidied: E, sort: Sort) -> E:
    """Values without other forms of the texts that say that there is no value: 9.0 where 9 does."""
    if not column.absent or not is_text(sort):
        return tidied
    return where(text_of(tidied, sort).is_in(_forms_of(column.absent)).not_(), tidied)


@lru_cache(maxsize=256)
def _forms_of(absent: tuple[str, ...]) -> frozenset[str]:
    return frozenset(text_of(Cells(absent), "text").values)


def one_form(text: E) -> E:
    """A letter with an accent is one character, as in the names of columns, whichever of Unicode's forms a file has."""
    return text.str.normalize("NFC")


def text_of(values: E, sort: Sort, exact: bool = False) -> E:
    """Any value as a text. ``exact``: as it is written."""
    if sort in ("number", "single"):
        signed = values.cast(str)
        # Not by adding 0.0, which polars leaves out in a column of several values.
        text = where(signed == "-0.0", "0.0", signed)
        whole = (values == values.round()) & (values.abs() < 2**63)
        return text if exact else where(whole, values.cast(int, strict=False).cast(str), text)
    if sort in DATES:
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


def _column(raw: RawColumn) -> Column:
    """A category, or an identifier where almost every value occurs once."""
    texts, disclosure = raw.texts, raw.origin.disclosure
    distinct = texts.values.n_unique()
    few_are_numbers = _number_words(texts, disclosure)
    reason = level_words(texts, disclosure) + missing_words(texts.missing, ";") + few_are_numbers
    if texts.present >= FEW_ROWS and distinct >= MOSTLY_DISTINCT * texts.present:
        identifies = f"{distinct:,} different values in {texts.present:,} rows: it identifies rows"
        return ignored(raw.name, "category", identifies + few_are_numbers, texts.missing_share)
    format_ = category_format(texts.values)
    return Column(raw.name, "category", "feature", reason, texts.missing_share, format_, absent=raw.origin.missing)


def category_format(texts: pl.Series) -> str:
    """Texts are kept as they are written where two of them would become one: ``TRUE`` and ``true``, ``1`` and
    ``1.0``.
    """
    letters = evaluated(texts, one_form)
    return EXACT if evaluated(letters, lambda values: text_of(values, "text")).n_unique() < letters.n_unique() else ""


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
    rest = f"{shortened(words[0])!r} is not" if len(words) else "the others are not"
    return f"; {numbers:,} of {texts.present:,} are numbers, but {rest}"


def as_category(raw: RawColumn, purpose: str, form: str = "") -> Column:
    """Any column as a category: the target, a group, or because it was asked for."""
    role: Role = "target" if purpose == "target" else "feature"
    column = Column(raw.name, "category", role, format=form, absent=raw.origin.missing)
    missing = {}
    if is_text(raw.sort):
        column, missing = replace(column, format=form or category_format(raw.texts.values)), raw.texts.missing
    values = parted(text_counts(canonical_texts(column, raw, purpose)), frozenset({""}))
    values = values._replace(missing=missing or values.missing)
    # A model says classes: what they are called is what it is for.
    disclosure = OPEN if purpose == "target" else raw.origin.disclosure
    reason = level_words(values, disclosure) + missing_words(values.missing, ";")
    return replace(column, reason=reason, missing=values.missing_share)


def canonical_texts(column: Column, raw: RawColumn, purpose: str) -> pl.Series:
    """The canonical values of a column of any type. Raises OptionError where it cannot be what ``purpose`` says."""
    tidied = evaluated(raw.series, lambda values: kind.plain(column, values, raw.sort))
    values = kind.canonical_series(column, tidied, raw.sort)
    if values is None:
        raise OptionError(f"column {raw.name!r} holds values of type {raw.series.dtype}, which cannot be a {purpose}")
    return values


kind = Category()
