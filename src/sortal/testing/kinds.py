"""What every kind of column must do (entry-point group ``sortal.kinds``)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import numpy as np
import polars as pl

from sortal.core import registry
from sortal.core.cells import Cells
from sortal.core.columns import Origin, RawColumn
from sortal.core.door import cells_of
from sortal.core.errors import OptionError
from sortal.core.kinds.kind import Kind, Storage
from sortal.core.raw import Sort, of_values
from sortal.core.schema import Column
from sortal.core.series import TYPES, to_series
from sortal.core.values import evaluated
from sortal.prepare.view import Labels, Preparer, View
from sortal.testing.requirement import Requirement, require, require_plain

ODD: tuple[Sequence[Any], ...] = (
    ["", " ", "?", "NA", "x", "x y z", "0", "-1.5", "True", "2020-01-31", "\u00e9", "e\u0301", None],
    [0, 1, -3, None],
    [0.5, 1.0, float("nan")],
    [True, False, None],
    [dt.datetime(2020, 1, 31, 10), None],
    [dt.timedelta(hours=1), None],
    [dt.time(10, 30), None],
    [b"\x89PNG", None],
    [[1], None],
    [None, None],
)
"""Columns of every sort that may come in."""


@dataclass(frozen=True)
class Subject:
    """A kind, and some texts that are of it."""

    kind: Kind
    texts: tuple[str, ...]

    @property
    def column(self) -> Column:
        """What the kind says of its texts where a person asks for it."""
        column = self.kind.as_asked(_raw_column(self.texts))
        if column is None:
            raise AssertionError("as_asked says that there is no value among the texts of the kind")
        return column


def check_kind(kind: Kind, texts: Sequence[str]) -> Iterator[Requirement]:
    """The requirements on a kind, to be run one by one; ``texts`` are at least two different values of it, as a file
    has them.

    >>> from sortal.core import registry
    >>> for requirement in check_kind(registry.load("sortal.kinds", "number"), ["1,5", "2"]):
    ...     requirement()
    """
    for check in CHECKS:
        yield Requirement(f"{kind.name}-{check.__name__}", partial(check, Subject(kind, tuple(texts))))


def describes_itself(subject: Subject) -> None:
    """One word for a name, a noun for messages, a way to store values, and a preparer that there is."""
    kind = subject.kind
    require(kind.name.isidentifier(), f"the name {kind.name!r} is no plain word")
    require(kind.noun.strip(), "the noun is empty")
    require(kind.storage in get_args(Storage), f"canonical values cannot be stored as {kind.storage!r}")
    encodings = tuple(dict.fromkeys(name.partition(".")[0] for name in registry.names("sortal.preparers")))
    require(
        kind.encoding in ("", *encodings), f"no preparer {kind.encoding!r} encodes it; there are {', '.join(encodings)}"
    )


def takes_its_texts(subject: Subject) -> None:
    """Where a person asks for it, a column of its texts is of this kind, and each text is a value."""
    column = subject.column
    require(column.kind == subject.kind.name, f"the column is of kind {column.kind!r}")
    require(subject.kind.is_format(column.format), f"its own format {column.format!r} is none")
    values, _ = _both(subject.kind, column, subject.texts)
    require(values is not None and None not in values, f"of the texts it makes {values}")


def infers_itself_or_nothing(subject: Subject) -> None:
    """What it recognises by itself is of this kind, or nothing."""
    for values in (subject.texts, *ODD):
        raw = _raw_column(values)
        column = subject.kind.infer(raw) if raw.series.null_count() < len(raw.series) else None
        require(
            column is None or column.kind == subject.kind.name, f"it infers a column of kind {column and column.kind}"
        )


def reads_rows_as_it_reads_tables(subject: Subject) -> None:
    """One meaning for polars and for the values themselves, of any sort, alone and together."""
    column = subject.column
    for values in (subject.texts, *ODD):
        by_polars, by_cells = _both(subject.kind, column, values)
        require(repr(by_polars) == repr(by_cells), f"of {values} a table has {by_polars}, and a row {by_cells}")
        for at, value in enumerate(values):
            alone = _both(subject.kind, column, [value])[1] if value is not None else None
            same = alone is None or by_cells is None or repr(alone) == repr([by_cells[at]])
            require(same, f"{value!r} alone is {alone}, and among others {by_cells and by_cells[at]!r}")


def stores_values_as_it_says(subject: Subject) -> None:
    """Canonical values have the type of its storage; no number is NaN."""
    column = subject.column
    for values in (subject.texts, *ODD):
        series = _canonical(subject.kind, column, values)
        if series is not None and subject.kind.storage != "bytes":
            dtype = TYPES[subject.kind.storage]
            require(series.dtype == dtype, f"of {values} it makes {series.dtype}, not {dtype}")
            require(series.dtype != pl.Float64 or not series.is_nan().any(), f"of {values} it makes NaN")


def knows_what_is_missing(subject: Subject) -> None:
    """A blank and what else says that there is no value are none; so are the texts that a person names."""
    kind, column = subject.kind, subject.column
    for text in ("", " ", *kind.missing_texts(column)):
        values, _ = _both(kind, column, [text, subject.texts[0]])
        require(values is not None and values[0] is None and values[1] is not None, f"{text!r} is read as {values}")
    named = Column(column.name, kind.name, format=column.format, levels=column.levels, absent=(subject.texts[0],))
    values, _ = _both(kind, named, subject.texts)
    require(values is not None and values[0] is None, f"{subject.texts[0]!r} is no value here, and is read as {values}")


def refuses_in_a_sentence(subject: Subject) -> None:
    """Whatever is asked to be of this kind is a column of it, or is refused with a value or a type that is none."""
    for values in ODD:
        raw = _raw_column(values)
        if raw.series.null_count() == len(raw.series):
            continue
        try:
            column = subject.kind.as_asked(raw)
        except OptionError as error:
            require("\n" not in str(error) and "'c'" in str(error), f"it refuses {values} with {str(error)!r}")
        else:
            require(column is None or column.kind == subject.kind.name, f"{values} become {column and column.kind}")


def says_what_it_needs(subject: Subject) -> None:
    """One line for what is needed, for an example of it, and for a value."""
    kind, column = subject.kind, subject.column
    values = [kind.format_value(value) for value in (0.0, 1.0) if kind.numeric]
    lines = [kind.noun_of(column), kind.example(column), *values]
    require(all(isinstance(line, str) and "\n" not in line for line in lines), f"it says {lines}")
    require(kind.noun_of(column), "it does not say what is needed")


def can_be_prepared(subject: Subject) -> None:
    """Its preparer makes a plain program of its canonical values."""
    kind, column = subject.kind, subject.column
    if not kind.encoding:
        return
    view = View("raw", "codes")
    preparer: Preparer = registry.load("sortal.preparers", view.preparer(kind.encoding))
    values = _canonical(kind, column, subject.texts * 10)
    if values is None:
        raise AssertionError("it has no canonical values of its own texts")
    labels = Labels(np.arange(len(values)) % 2, n_classes=2)
    require_plain(preparer.fit(column, values, labels, view, 0).program)


CHECKS = (
    describes_itself,
    takes_its_texts,
    infers_itself_or_nothing,
    reads_rows_as_it_reads_tables,
    stores_values_as_it_says,
    knows_what_is_missing,
    refuses_in_a_sentence,
    says_what_it_needs,
    can_be_prepared,
)


def _series(values: Sequence[Any]) -> tuple[pl.Series, Sort]:
    raw = of_values(list(values))
    return to_series("", raw), raw.sort


def _raw_column(values: Sequence[Any]) -> RawColumn:
    series, sort = _series(values)
    return RawColumn("c", series, sort, Origin())


def _canonical(kind: Kind, column: Column, values: Sequence[Any]) -> pl.Series | None:
    """What polars makes of values."""
    series, sort = _series(values)
    return kind.canonical_series(column, evaluated(series, lambda value: kind.plain(column, value, sort)), sort)


def _both(kind: Kind, column: Column, values: Sequence[Any]) -> tuple[list[Any] | None, list[Any] | None]:
    """Canonical values as polars makes them, and as they are made without it; None where the kind has none of this
    sort.
    """
    series, raw = _canonical(kind, column, values), of_values(list(values))
    cells = kind.canonical(column, kind.plain(column, Cells(cells_of(raw)), raw.sort), raw.sort)
    if series is not None and series.dtype.is_temporal():
        series = series.dt.epoch("us")
    return None if series is None else series.to_list(), None if cells is None else list(cells.values)
