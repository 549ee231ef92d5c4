"""Texts: values of several words, mostly distinct, of which a model reads the words and characters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sortal.core.cells import E
from sortal.core.columns import RawColumn, missing_words
from sortal.core.kinds.category import UNREADABLE, one_form, text_of
from sortal.core.kinds.kind import Kind
from sortal.core.raw import Sort
from sortal.core.schema import Column

if TYPE_CHECKING:
    import polars as pl

UNSPACED = "unspaced"
"""The format of texts in which blanks do not part words: see ``is_unspaced``."""
_SCRIPTS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
"""Of languages that are written without blanks between words."""
LOOKED_AT = 1_000
"""Of the texts, how many tell how long they are and how they are written."""


class Text(Kind):
    """Several words on average, mostly distinct; or whatever a person says is text."""

    name = "text"
    noun = "text"
    storage = "text"
    encoding = "text"

    def infer(self, raw: RawColumn) -> Column | None:
        if raw.sort != "text" or raw.texts.values.is_empty():
            return None
        distinct, length = len(raw.texts.values) / raw.texts.present, words(raw.texts.values)
        if not ((length >= 3 and distinct >= 0.5) or (length >= 8 and distinct >= 0.1)):
            return None
        reason = f"{length:.0f} words on average, {100 * distinct:.0f} % distinct" + missing_words(raw.texts.missing)
        column = Column(raw.name, "text", "feature", reason, raw.texts.missing_share, absent=raw.origin.missing)
        return _as_written(column, raw.texts.values)

    def as_asked(self, raw: RawColumn, form: str = "") -> Column | None:
        column = super().as_asked(raw, form)
        return column if column is None else _as_written(column, raw.texts.values)

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        return None if sort in UNREADABLE else one_form(text_of(values, sort, exact=True))

    def is_format(self, form: str) -> bool:
        return form in ("", UNSPACED)


def _as_written(column: Column, texts: pl.Series) -> Column:
    if not is_unspaced(texts):
        return column
    how = "written without blanks between words: short sequences of characters stand for words"
    return replace(column, format=UNSPACED, reason="; ".join(filter(None, [column.reason, how])))


def _sample(texts: pl.Series) -> pl.Series:
    return texts.gather_every(max(1, len(texts) // LOOKED_AT)).head(2 * LOOKED_AT)


def words(texts: pl.Series) -> float:
    """Words per text on average; two characters of Chinese or Japanese count as one."""
    few = _sample(texts)
    n_words = few.str.count_matches(r"\S+")
    n_characters = few.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}]") // 2
    mean = (n_words + n_characters).mean()
    return float(mean) if isinstance(mean, int | float) else 0.0


def is_unspaced(texts: pl.Series) -> bool:
    """Whether most letters are of scripts that put no blanks between words.

    >>> import polars as pl
    >>> is_unspaced(pl.Series(["房间很大", "OK"])), is_unspaced(pl.Series(["a large room", "大"]))
    (True, False)
    """
    few = _sample(texts.cast(str))
    letters, unspaced = (int(few.str.count_matches(pattern).sum()) for pattern in (r"\p{L}", _SCRIPTS))
    return unspaced > letters / 2


kind = Text()
