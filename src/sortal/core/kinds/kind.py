"""What a kind of column is: all that the rest of the package asks of one. A new kind is one subclass, in one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sortal.core.cells import E
from sortal.core.columns import RawColumn, all_are, ignored, missing_words, share
from sortal.core.errors import OptionError
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.core.values import BLANKS, MISSING, evaluated, is_text, plain

if TYPE_CHECKING:
    import polars as pl

Storage = Literal["number", "boolean", "moment", "text", "bytes"]
"""What canonical values are, in ``core.raw``'s terms. As polars has them, in JSON, and for the engine:

    number    Float64 (never NaN, never infinite)   a number                           float64
    boolean   Boolean                               true or false                      float64, 0 and 1
    moment    Datetime("us"), in UTC                whole microseconds since 1970      float64, seconds since 1970
    text      String                                a text                             texts
    bytes     Binary                                -                                  -

A missing value is null; NaN among floats of the engine.
"""


class Kind(ABC):
    """What the values of a column mean: how they are recognised, read, shown and compared.

    ``name`` is what a person asks for (``--kind column=name``), ``noun`` what a message says is needed. ``storage`` is
    what canonical values are. ``encoding`` names the preparer (``sortal.preparers``) that makes numbers of them: the
    kind's own, or that of another kind of the same storage; empty where no model can use such a column yet. ``missing``
    are the texts that usually say that there is no value. Of a ``strict`` kind a value that does not fit is refused
    where rows come in; else it is missing. Values of an ``ongoing`` kind go on as time does, so that later ones are no
    surprise.

    A kind states its rules once, about an expression of polars or about the values themselves (``core.cells``).
    """

    name: str
    noun: str
    storage: Storage
    encoding: str = ""
    missing: frozenset[str] = MISSING
    strict: bool = True
    ongoing: bool = False

    def infer(self, raw: RawColumn) -> Column | None:
        """The column, with the reason in words, where all of its values say that it is of this kind; else None.

        Only built-in kinds are inferred: what a column is must not depend on what is installed. Others are asked for.
        """
        return None

    def as_asked(self, raw: RawColumn, form: str = "") -> Column | None:
        """The column as one of this kind because a person says so; None where no text of it is a value.

        Raises OptionError that names a value which is not of this kind.
        """
        column = Column(raw.name, self.name, format=form, absent=raw.origin.missing)
        tidied = evaluated(raw.series, lambda values: self.plain(column, values, raw.sort))
        if is_text(raw.sort) and tidied.null_count() == len(tidied):
            return None
        values = self.canonical_series(column, tidied, raw.sort)
        if values is None:
            raise OptionError(
                f"column {raw.name!r} holds values of type {raw.series.dtype}: no {self.name}; choose another kind"
            )
        misfits = (tidied.is_not_null() & values.is_null()).arg_true()
        if len(misfits):
            raise self.refusal(raw, int(misfits[0]))
        return replace(column, missing=share(tidied.null_count(), len(tidied)))

    def may_be_asked(self, form: str) -> bool:
        """Whether a person may name this format after the kind (``--kind column=name:format``)."""
        return False

    def is_format(self, form: str) -> bool:
        """Whether a column of this kind, as a model file has it, may be written so."""
        return True

    @property
    def not_yet(self) -> str:
        """Why no model uses such a column; empty where one can."""
        return "" if self.encoding else f"{self.name} columns are not used yet"

    def missing_texts(self, column: Column) -> frozenset[str]:
        """The texts that say that there is no value in this column."""
        return self.missing if column.absent is None else _markers(column.absent)

    def plain(self, column: Column, values: E, sort: Sort) -> E:
        """The values with one notation of missing: see ``values.plain``."""
        return plain(values, sort, self.missing_texts(column))

    @abstractmethod
    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        """The canonical values of ``plain`` ones of this sort, null where a value does not fit.

        None where values of this sort can never be of this kind.
        """

    def located(self, values: pl.Series, folder: str) -> pl.Series:
        """Plain texts of which some name files, with the folder where these lie."""
        return values

    def faults(self, values: list[Any]) -> list[str]:
        """Why each of these plain values is missing, of which a person has to know; empty where nobody has."""
        return []

    def lenient(self, column: Column, texts: E) -> E | None:
        """A second reading of plain texts, of which ``canonical`` cannot read all; None where there is none."""
        return None

    def takes_plain_numbers(self, column: Column) -> bool:
        """Whether texts that are nothing but plain numbers can be read at once, where no value is any other text: much
        faster.
        """
        return False

    def takes_numbers(self, column: Column) -> bool:
        """Whether numbers are canonical as they are."""
        return False

    def noun_of(self, column: Column) -> str:
        """What a message says this column needs."""
        return self.noun

    def example(self, column: Column) -> str:
        """A value in the column's own notation; empty where that is the usual one."""
        return ""

    @property
    def numeric(self) -> bool:
        """Whether its values have an order, and levels are not what it has."""
        return self.storage in ("number", "boolean", "moment")

    @property
    def categorical(self) -> bool:
        """Whether its values are levels, which come again; not so free text, images and the like, of which each is its
        own.
        """
        return self.storage == "text" and self.encoding not in ("", "text")

    def format_value(self, value: float) -> str:
        """A value, as the engine has it, as a person writes it."""
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"

    def canonical_series(self, column: Column, values: pl.Series, sort: Sort) -> pl.Series | None:
        """``canonical`` of a series."""
        import polars as pl

        expression = self.canonical(column, pl.nth(0), sort)
        return None if expression is None else evaluated(values, lambda _: expression)

    def refusal(self, raw: RawColumn, row: int) -> OptionError:
        """Why the column cannot be of this kind: the value in this row."""
        value = raw.series[row].strip(BLANKS) if is_text(raw.sort) else raw.series[row]
        return OptionError(
            f"column {raw.name!r} cannot be of kind {self.name}: row {row + 1:,} holds {value!r}; correct such values "
            "or choose another kind"
        )

    def typed(self, raw: RawColumn, what: str, form: str = "") -> Column:
        """A column that is of this kind by the type of its values."""
        column = Column(raw.name, self.name, format=form, absent=raw.origin.missing)
        rows, absent = len(raw.series), self._absent(column, raw)
        if absent == rows:
            return ignored(raw.name, self.name, "all values are missing", missing=1.0)
        first_days = absent - raw.series.null_count() if self.storage == "moment" else 0
        missing = {"": absent - first_days, "0001-01-01": first_days}
        doubt = f"{missing_words({'0001-01-01': first_days})[2:]} is read as no date" if first_days else ""
        reason = all_are(rows - absent, what) + missing_words(missing)
        return replace(column, reason=reason, missing=share(absent, rows), doubt=doubt)

    def _absent(self, column: Column, raw: RawColumn) -> int:
        """How many values ``plain`` calls missing. An expression of polars a column is slow for thousands of
        columns.
        """
        if raw.series.dtype.is_float() and not column.absent:
            return int(np.isnan(raw.series.to_numpy()).sum())
        if self.storage == "moment" or column.absent:
            return evaluated(raw.series, lambda values: self.plain(column, values, raw.sort)).null_count()
        return raw.series.null_count()


@lru_cache(maxsize=256)
def _markers(absent: tuple[str, ...]) -> frozenset[str]:
    return frozenset({"", *absent})
