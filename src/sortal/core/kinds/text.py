"""Texts of several words, mostly distinct: recognised, and not used yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortal.core.cells import E
from sortal.core.columns import RawColumn, ignored
from sortal.core.kinds.category import UNREADABLE, one_form, text_of
from sortal.core.kinds.kind import Kind
from sortal.core.raw import Sort
from sortal.core.schema import Column

if TYPE_CHECKING:
    import polars as pl


class Text(Kind):
    """Several words on average, mostly distinct."""

    name = "text"
    noun = "text"
    storage = "text"

    def infer(self, raw: RawColumn) -> Column | None:
        if raw.sort != "text" or raw.texts.values.is_empty():
            return None
        distinct, length = len(raw.texts.values) / raw.texts.present, words(raw.texts.values)
        if not ((length >= 3 and distinct >= 0.5) or (length >= 8 and distinct >= 0.1)):
            return None
        reason = f"{length:.0f} words on average, {100 * distinct:.0f} % distinct; {self.not_yet}"
        return ignored(raw.name, "text", reason, raw.texts.missing_share)

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        return None if sort in UNREADABLE else one_form(text_of(values, sort, exact=True))


def words(texts: pl.Series) -> float:
    """Words per text on average; two characters of Chinese or Japanese count as one."""
    few = texts.gather_every(max(1, len(texts) // 1000))
    spaced = few.str.count_matches(r"\S+")
    unspaced = few.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}]") // 2
    mean = (spaced + unspaced).mean()
    return float(mean) if isinstance(mean, int | float) else 0.0


kind = Text()
