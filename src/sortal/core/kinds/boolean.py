"""Yes and no: two values that form a pair, or any two that a person says are one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from sortal.core.cells import E, meaning
from sortal.core.columns import Origin, RawColumn, Texts, level_words, missing_words, parted, text_counts
from sortal.core.kinds import category
from sortal.core.kinds.kind import Kind
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.core.values import is_number, is_text

if TYPE_CHECKING:
    import polars as pl

YES_NO = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"))
"""Pairs of texts that mean false and true, in lower case."""


class Boolean(Kind):
    """What is neither yes nor no is missing, as an unseen category is like no other."""

    name = "boolean"
    noun = "yes or no"
    storage = "boolean"
    encoding = "number"
    strict = False

    def infer(self, raw: RawColumn) -> Column | None:
        if raw.sort == "boolean":
            return self.typed(raw, "true or false")
        levels = boolean_levels(raw.texts.values) if raw.sort == "text" else None
        return None if levels is None else _column(raw.name, raw.texts, levels, raw.origin)

    def as_asked(self, raw: RawColumn, form: str = "") -> Column | None:
        """Two values of any type, the same levels from text and from numbers: a pair like no and yes, else the first in
        order is false.
        """
        if raw.sort == "boolean":
            return self.typed(raw, "true or false")
        values = category.canonical_texts(Column(raw.name, "category", absent=raw.origin.missing), raw, "boolean")
        texts = parted(text_counts(values), frozenset({""}))
        if is_text(raw.sort):
            texts = texts._replace(missing=raw.texts.missing)
        if texts.values.is_empty():
            return None
        levels = boolean_levels(texts.values) or _pair(texts.values)
        if levels is None:
            first_two = texts.values.str.to_lowercase().unique(maintain_order=True).head(2)
            third = (values.is_not_null() & ~values.str.to_lowercase().is_in(first_two.to_list())).arg_true()
            raise self.refusal(raw, int((third if len(third) else values.is_not_null().arg_true())[0]))
        return _column(raw.name, texts, levels, raw.origin)

    def plain(self, column: Column, values: E, sort: Sort) -> E:
        return category.without_absent(column, super().plain(column, values, sort), sort)

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        if sort == "boolean":
            return values
        if not (is_number(sort) or is_text(sort)):
            return None
        return meaning(category.text_of(values, sort).str.to_lowercase(), boolean_words(column.levels))

    def format_value(self, value: float) -> str:
        return "true" if value else "false"


@lru_cache(maxsize=256)
def boolean_words(levels: tuple[str, ...]) -> dict[str, bool]:
    """What the texts of a boolean column mean, in lower case.

    Its own ``levels`` come first. True and false always have a meaning, 0 and 1 where the levels are no other numbers,
    and all words for yes and no where the levels are such words, or where there are none.

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


def boolean_levels(texts: pl.Series) -> tuple[str, str] | None:
    """The texts of false and true, as first written, where these are a pair like No and Yes; else None.

    >>> import polars as pl
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


def _pair(texts: pl.Series) -> tuple[str, str] | None:
    """Two texts in their order, as first written; one alone is enough where it is 0 or 1."""
    from sortal.core.labels import in_order

    first_written = {text.lower(): text for text in reversed(texts.to_list())}
    if len(first_written) == 1 and first_written.keys() <= {"0", "1"}:
        return "0", "1"
    if len(first_written) != 2:
        return None
    false, true = in_order(first_written.values())
    return false, true


def _column(name: str, texts: Texts, levels: tuple[str, ...], origin: Origin) -> Column:
    reason = level_words(texts, origin.disclosure) + missing_words(texts.missing, ";")
    return Column(name, "boolean", "feature", reason, texts.missing_share, levels=levels, absent=origin.missing)


kind = Boolean()
