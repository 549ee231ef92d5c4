"""A column as it comes, the texts in it, and what is said of them in words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

from sortal.core.disclosure import OPEN, Disclosure
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.core.values import BLANKS, MISSING, MISSING_AMONG_VALUES, evaluated

if TYPE_CHECKING:
    import polars as pl

SAMPLE = 100
"""So many texts are looked at first, since most notations fail there."""


@dataclass(frozen=True)
class Origin:
    """Where a table comes from: its ``name`` in messages, what stands between the fields of its lines, if it is a text,
    the texts that were told to mean "no value" (None: those that usually do), what may be quoted of it, and the
    ``folder`` in which the files lie that it names.
    """

    name: str = "the data"
    separator: str = ""
    missing: tuple[str, ...] | None = None
    disclosure: Disclosure = OPEN
    folder: str = ""

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


@dataclass(frozen=True)
class RawColumn:
    """A column whose kind is to be said: its values of one sort, and what they are as texts.

    ``series`` has no name of its own: polars takes one such as ``^p.*$`` for a pattern. ``decisive``: the order of its
    dates matters.
    """

    name: str
    series: pl.Series
    sort: Sort
    origin: Origin
    decisive: bool = False

    @cached_property
    def texts(self) -> Texts:
        """Beside those that are no value in any column."""
        return parted(self._counts, self.origin.blanks)

    @cached_property
    def among_values(self) -> Texts:
        """Beside those that are no value in a column of numbers or dates."""
        return parted(self._counts, self.origin.blanks_among_values)

    @cached_property
    def _counts(self) -> pl.DataFrame:
        return text_counts(self.series)

    def row_of(self, text: str) -> int:
        """The first row that holds this text, blanks around it aside."""
        return int((self.series.cast(str).str.strip_chars(BLANKS) == text).arg_true()[0])


def other_digits(text: str) -> str:
    """How a number or duration is written, and not which.

    >>> other_digits("(48.213,77)"), other_digits("7:59")
    ('(12.345,12)', '1:23')
    """
    digits = cycle("12345")  # small ones, so that minutes stay minutes
    return re.sub(r"\d", lambda _: next(digits), text)


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def text_counts(series: pl.Series) -> pl.DataFrame:
    """Distinct texts without blanks around them, in order of first occurrence, and how often each occurs."""
    stripped = series.cast(str).fill_null("").str.strip_chars(BLANKS).alias("text")
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


def ignored(name: str, kind: str, reason: str, missing: float) -> Column:
    return Column(name, kind, "ignore", reason, missing)


def asking(name: str, kind: str) -> str:
    return f"--kind {shlex.quote(f'{name}={kind}')}"


def level_words(texts: Texts, disclosure: Disclosure, most: int = 6) -> str:
    n = texts.values.n_unique()
    levels = sorted(texts.quotable(disclosure).values) if n <= most else []
    rarer = f" and {n - len(levels)} rarer" if len(levels) < n else ""
    text = f": {', '.join(map(shortened, levels))}{rarer}" if levels else ""
    return f"{n:,} value{'' if n == 1 else 's'}{text}"


def shortened(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def all_read(texts: pl.Series, rule: Callable[[pl.Expr], pl.Expr]) -> bool:
    """Whether a rule makes a value of each of these texts."""
    parts = (texts.head(SAMPLE), texts) if len(texts) > SAMPLE else (texts,)
    return all(evaluated(part, rule).null_count() == 0 for part in parts)
