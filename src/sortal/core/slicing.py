"""Which columns rows are sliced by, to see how a model does on each slice, and what these columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from sortal.core.arrays import Ints
from sortal.core.errors import OptionError, did_you_mean
from sortal.core.frame import conform
from sortal.core.infer import infer
from sortal.core.kinds import kind_of
from sortal.core.schema import Column, Schema
from sortal.core.table import Table


def sliceable(column: Column) -> bool:
    """Whether rows have values of it in common: not those of free text and images. The classes have figures of their
    own.
    """
    kind = kind_of(column.kind)
    return column.role != "target" and (kind.numeric or kind.categorical)


def asked_columns(frame: pl.DataFrame, schema: Schema, names: Sequence[str], source: str) -> tuple[Column, ...]:
    """The columns that somebody wants to see slices of, whatever they are for; one that ``schema`` does not have is
    inferred from the raw ``frame``.

    Raises OptionError where one is not there, is the target, or has values that do not come again; DataError for a
    value that does not fit its kind.
    """
    columns: list[Column] = []
    for name in names:
        if name not in frame.columns:
            raise OptionError(f"no column {name!r} in {source} to slice by; {did_you_mean(name, frame.columns)}")
        column = schema[name] if name in schema else infer(frame[[name]], None).columns[0]
        if column.role == "target":
            raise OptionError(f"column {name!r} is the target, and every class has figures anyway; leave --slice out")
        if not sliceable(column):
            raise OptionError(f"column {name!r} is of kind {column.kind}: no value comes again; leave --slice out")
        columns.append(column)
    if columns:
        conform(frame, _as_features(columns), ("feature",), source)
    return tuple(columns)


def with_strongest(columns: Sequence[Column], schema: Schema, ranked: Sequence[str], most: int) -> Schema:
    """These ``columns``, and the features that a model leans on most, in the order of ``ranked``; of the
    latter at most so many.

    >>> a, note, b = Column("a", "number"), Column("note", "text"), Column("b", "number")
    >>> with_strongest([], Schema((a, note, b)), ["b", "note", "a"], most=2).names
    ('b', 'a')
    """
    names = {column.name for column in columns}
    features = [schema[name] for name in ranked if name in schema and name not in names]
    strongest = [column for column in features if column.role == "feature" and sliceable(column)]
    return _as_features([*columns, *strongest[:most]])


def table_of(raw: pl.DataFrame, by: Schema, rows: Ints) -> Table:
    """Raw rows, with their ids (n,), in the columns that they are sliced by."""
    return Table(by, conform(raw, by, ("feature",)), rows)


def _as_features(columns: Sequence[Column]) -> Schema:
    return Schema(tuple(replace(column, role="feature") for column in columns))
