"""Rows on their way to a program, without polars: a dict, records, a dict of columns, numpy, pandas and pyarrow.

What polars does to a table (``core.frame``) is done here to lists of Python, by the same rules (``core.kinds``). That
takes a tenth of the time for a few rows, and is the only way in a process that was forked. Many rows, and tables that
are polars' own, go through polars.
"""

from __future__ import annotations

import datetime as dt
import math
import warnings
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sortal.core import misfits
from sortal.core.arrays import Floats
from sortal.core.arrow import arrow_table
from sortal.core.cells import Cells
from sortal.core.coded import take_rows
from sortal.core.costs import CostColumn, row_costs_of
from sortal.core.few_bits import as_read
from sortal.core.fork import polars_is_lost
from sortal.core.kinds import Storage, kind_of
from sortal.core.moments import RarePatternError, microseconds, nanoseconds, outside_words
from sortal.core.raw import Raw, RawTable, Sort, is_records, of_one_sort, raw_table
from sortal.core.schema import Column, Schema
from sortal.core.values import is_number, is_text

if TYPE_CHECKING:
    import polars as pl

Values = Floats | Sequence[Any]
"""Numbers with NaN, or texts or bytes with None, where a value is missing."""

MOST_ROWS = 1_000
"""Up to so many rows lists are quicker than polars."""
SOURCE = "the data"
"""What messages call rows without a name."""
_MANY = 32
"""From so many texts on, those that repeat are looked at once."""


@dataclass(frozen=True)
class Rows:
    """Rows as a program reads them: ``columns`` by name, as ``core.table.Table.columns`` gives them.

    ``ids``: (n,) which rows of ``source`` they are, counted from 0. ``absent`` names columns that they came without,
    and that are taken as missing; ``notes`` say which values cannot be read, and are missing therefore.
    """

    columns: Mapping[str, Values]
    ids: NDArray[np.int64]
    absent: tuple[str, ...] = ()
    source: str = SOURCE
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: NDArray[np.integer[Any]]) -> Rows:
        """The rows at these positions (n',), in this order."""
        columns = {name: take_rows(values, index) for name, values in self.columns.items()}
        return replace(self, columns=columns, ids=self.ids[index])

    def row_costs(self, columns: Sequence[CostColumn]) -> Floats | None:
        """(n, m) what cost columns hold; None where there are none. Raises DataError for a row that has no value."""
        return row_costs_of(self.columns, columns, self.ids, self.source)


def rows_of(data: object, schema: Schema, *, allow_missing: bool = False) -> Rows:
    """The columns of ``schema`` in any table, or in a dict of one row.

    Records and one row need not name what they do not have; ``allow_missing`` says the same of a table. Warns of images
    that cannot be read, which are missing. Raises
    DataError as ``core.frame.conform`` does, and ForkError for a table that needs polars in a process that was forked
    after polars had computed.

    >>> schema = Schema((Column("price", "number", format=","), Column("zip", "category")))
    >>> rows_of({"price": "1,5", "more": 1}, schema).columns
    {'price': array([1.5]), 'zip': [None]}
    """
    rows = read_rows(data, schema, allow_missing=allow_missing)
    for note in rows.notes:
        warn_of(note)
    return rows


def warn_of(note: str) -> None:
    """Tell Python's user of values that cannot be read."""
    warnings.warn(note, UserWarning, stacklevel=4)


def read_rows(data: object, schema: Schema, *, allow_missing: bool = False) -> Rows:
    """As ``rows_of``, which leaves it to the caller to tell of notes."""
    if is_one_row(data):
        data = [data]
    may_lack = allow_missing or is_records(data)
    table = raw_table(data) or arrow_table(data, None if polars_is_lost() else MOST_ROWS)
    if table is not None and (polars_is_lost() or table.rows <= MOST_ROWS or _is_mixed(table)):
        try:
            return _conformed(table, schema, may_lack)
        except RarePatternError:
            if polars_is_lost():
                raise
    # Imported where it is needed: polars takes longer to import than all else that scores a row.
    from sortal.core.frame import from_any, to_frame

    notes = [] if table is None else _outside(table)
    frame = from_any(data, notes.append) if table is None else to_frame(table.columns)
    rows = rows_of_frame(frame, schema, allow_missing=may_lack)
    return replace(rows, notes=(*notes, *rows.notes)) if notes else rows


def _is_mixed(table: RawTable) -> bool:
    """Whether values of several types stand in a column, which polars has not."""
    return any(raw.sort == "mixed" for raw in table.columns.values())


def _outside(table: RawTable) -> list[str]:
    """What is said of times that are missing because no calendar has them."""
    return [outside_words(name, raw.outside) for name, raw in table.columns.items() if raw.outside]


def rows_of_frame(
    frame: pl.DataFrame,
    schema: Schema,
    *,
    source: str = SOURCE,
    first_row: int = 1,
    allow_missing: bool = False,
    folder: str = "",
) -> Rows:
    """The columns of ``schema`` in a raw frame; arguments and errors are those of ``core.frame.conform``."""
    from sortal.core.frame import conform
    from sortal.core.table import Table

    ids = np.arange(first_row - 1, first_row - 1 + frame.height)
    notes: list[str] = []
    canonical_frame = conform(
        frame,
        schema,
        source=source,
        first_row=first_row,
        allow_missing=allow_missing,
        folder=folder,
        note=notes.append,
    )
    columns = Table(schema, canonical_frame, ids).columns(canonical_frame.columns)
    return Rows(columns, ids, misfits.absent(frame.columns, schema.columns), source, tuple(notes))


def canonical_rows(rows: Sequence[Mapping[str, Any]], schema: Schema) -> Rows:
    """Rows whose values are canonical already, a datetime as microseconds since 1970, bytes in base64; what is not
    there is missing.

    Raises TypeError for a value of another type, ValueError for a text that is no base64.
    """
    columns: dict[str, Values] = {}
    for column in schema.columns:
        values = [row.get(column.name) for row in rows]
        if any(
            value is not None and type(value) not in _CANONICAL.get(kind_of(column.kind).storage, ())
            for value in values
        ):
            raise TypeError(f"column {column.name!r} is of kind {column.kind}, and holds something else")
        if kind_of(column.kind).storage == "bytes":
            values = [None if value is None else b64decode(value, validate=True) for value in values]
        columns[column.name] = _of_programs(column, values)
    return Rows(columns, np.arange(len(rows)))


_CANONICAL: dict[Storage, tuple[type, ...]] = {
    "number": (float, int),
    "boolean": (bool,),
    "moment": (int,),
    "text": (str,),
    "bytes": (str,),
}


def is_one_row(rows: object) -> bool:
    """A dict of single values, as opposed to one of columns."""
    if not isinstance(rows, Mapping):
        return False
    return not any(hasattr(value, "__len__") and not isinstance(value, str | bytes) for value in rows.values())


@dataclass(slots=True)
class _Passage:
    """(n,) values of a column on their way: as they came and then tidied, and canonical, as ``core.cells`` has them.

    ``values`` is None where values of this sort can never be of the column's kind.
    """

    column: Column
    sort: Sort
    tidied: Sequence[Any]
    values: Sequence[Any] | Floats | None = None


def _conformed(table: RawTable, schema: Schema, allow_missing: bool) -> Rows:
    """As ``core.frame.conform``, in its order, so that of several faults the same is named."""
    columns = [column for column in schema.columns if column.role != "ignore"]
    without = misfits.lacking(table.columns, columns, SOURCE, allow_missing)
    nothing = Raw("null", [None] * table.rows)
    by_sort = [[_passage(c, raw) for raw in of_one_sort(table.columns.get(c.name, nothing))] for c in columns]
    _apply_rules([*chain.from_iterable(by_sort)], table.rows)
    passages = [of_column[0] if len(of_column) == 1 else _together(of_column) for of_column in by_sort]
    pairs = [(passage, passage.values) for passage in passages if passage.values is not None]
    if len(pairs) < len(passages):
        other = next(passage for passage in passages if passage.values is None)
        raise misfits.other_type(other.column, other.sort, SOURCE)
    notes = _outside(table)
    notes += [_misfits(passage.column, passage.tidied, values, SOURCE) for passage, values in pairs]
    canonical = {passage.column.name: _of_programs(passage.column, values) for passage, values in pairs}
    refuse_infinity({c.name: canonical[c.name] for c in columns if kind_of(c.kind).storage == "number"}, SOURCE)
    return Rows(canonical, np.arange(table.rows), without, SOURCE, tuple(filter(None, notes)))


def _passage(column: Column, raw: Raw) -> _Passage:
    kind = kind_of(column.kind)
    if isinstance(raw.values, np.ndarray) and is_number(raw.sort) and kind.takes_numbers(column):
        numbers = as_read(raw.values) if raw.sort == "single" else raw.values.astype(np.float64)
        return _Passage(column, raw.sort, (), numbers)
    values = cells_of(raw)
    if raw.sort == "text" and kind.takes_plain_numbers(column):
        cells = Cells(values).cast(float, strict=False).fill_nan(None).values
        if _missing(cells) == _missing(values):
            return _Passage(column, "number", cells)
    return _Passage(column, raw.sort, values)


def _apply_rules(passages: Sequence[_Passage], rows: int) -> None:
    """Columns that one rule is about are read as one: of a single row, that takes as long as one of them."""
    alike: dict[tuple[object, ...], list[_Passage]] = {}
    for passage in passages:
        if passage.values is None:
            column = passage.column
            rule = (passage.sort, column.kind, column.role, column.format, column.levels, column.absent)
            alike.setdefault(rule, []).append(passage)
    for group in alike.values():
        tidied, values = _of_distinct(
            group[0].column, list(chain.from_iterable(passage.tidied for passage in group)), group[0].sort
        )
        for at, passage in enumerate(group):
            of_column = slice(at * rows, (at + 1) * rows)
            passage.tidied = tidied[of_column]
            if values is not None:
                passage.values = values[of_column]
            elif _missing(passage.tidied) == rows:
                passage.values = passage.tidied


def _together(passages: Sequence[_Passage]) -> _Passage:
    """The values of a mixed column, of which each type has gone its own way."""
    other = next((passage for passage in passages if passage.values is None), None)
    if other is not None:
        return other
    tidied, values = (
        [next((value for value in row if value is not None), None) for row in zip(*ways, strict=True)]
        for ways in ([passage.tidied for passage in passages], [passage.values or () for passage in passages])
    )
    return replace(passages[0], tidied=tidied, values=values)


def _of_distinct(column: Column, values: Sequence[Any], sort: Sort) -> tuple[Sequence[Any], Sequence[Any] | None]:
    """As ``_by_rule``; of many texts, those that repeat are looked at once."""
    if not is_text(sort) or len(values) < _MANY:
        return _by_rule(column, values, sort)
    codes: dict[Any, int] = {}
    places = [codes.setdefault(value, len(codes)) for value in values]
    tidied, sorts = _by_rule(column, list(codes), sort)
    return [tidied[at] for at in places], None if sorts is None else [sorts[at] for at in places]


def _by_rule(column: Column, values: Sequence[Any], sort: Sort) -> tuple[Sequence[Any], Sequence[Any] | None]:
    """The values tidied and canonical, of a column or of several like it; None where their sort is of another kind."""
    kind = kind_of(column.kind)
    tidied = kind.plain(column, Cells(values), sort)
    if _missing(tidied.values) == len(values):
        return tidied.values, tidied.values
    canonical = kind.canonical(column, tidied, sort)
    if canonical is None:
        return tidied.values, None
    if is_text(sort) and _missing(canonical.values) != _missing(tidied.values):
        canonical = kind.lenient(column, tidied) or canonical
    return tidied.values, canonical.values


def _missing(values: Sequence[Any]) -> int:
    return sum(value is None for value in values)


def cells_of(raw: Raw) -> list[Any]:
    """Values as ``core.cells`` has them."""
    if isinstance(raw.values, np.ndarray):
        ticks = raw.values.dtype.kind in "mM"
        values: list[Any] = (raw.values.astype(np.int64) if ticks else raw.values).tolist()
        return [None if value == _NAT else value for value in values] if ticks else values
    of_one = _OF_SORT.get(raw.sort)
    return raw.values if of_one is None else [None if v is None else of_one(v) for v in raw.values]


_NAT = int(np.iinfo(np.int64).min)
"""How numpy has a moment or duration that is missing."""
_OF_SORT: dict[Sort, Callable[[Any], int]] = {
    "moment": microseconds,
    "duration": lambda duration: duration // dt.timedelta(microseconds=1),
    "time": nanoseconds,
}


def _misfits(column: Column, tidied: Sequence[Any], values: Sequence[Any] | Floats, source: str) -> str:
    """What is said of values that cannot be read. Raises DataError for one that may not be missing."""
    kind = kind_of(column.kind)
    if not kind.strict and kind.storage != "bytes":
        return ""
    wrong = [
        row
        for row, (before, after) in enumerate(zip(tidied, values, strict=False))
        if after is None and before is not None
    ]
    if wrong and kind.strict:
        raise misfits.misfit(column, tidied[wrong[0]], wrong[0] + 1, len(wrong) - 1, source)
    return misfits.unreadable(column, [tidied[row] for row in wrong], [row + 1 for row in wrong])


def _of_programs(column: Column, values: Sequence[Any] | Floats) -> Values:
    kind = kind_of(column.kind)
    if not kind.numeric:
        return list(values)
    if isinstance(values, np.ndarray):
        return values
    numbers = np.array([math.nan if v is None else v for v in values], dtype=np.float64)
    return numbers / 1e6 if kind.storage == "moment" else numbers


def refuse_infinity(numbers: Mapping[str, Any], source: str) -> None:
    """Raises DataError for a number beyond what models compute with."""
    if not numbers or not (np.abs(np.concatenate([*numbers.values()])) > misfits.LARGEST).any():
        return
    for name, values in numbers.items():
        beyond = np.flatnonzero(np.abs(values) > misfits.LARGEST)
        if len(beyond):
            row = int(beyond[0])
            raise misfits.too_large(name, float(values[row]), row + 1, source)
