"""Many rows that stand as JSON, as a log has them, read a column at a time.

Numbers go from JSON into arrays. Of all other columns each distinct value is looked at once, by the rules of the door
(``core.door``), and values of one type apart from those of another, so that each means what it means in a row alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.coded import Coded, numbered
from sortal.core.door import Rows, Values, read_rows, refuse_infinity
from sortal.core.kinds import kind_of
from sortal.core.schema import Column, Schema, by_column, column_name

MOST_OTHERS = 1_000
"""Names of fields beside the columns that are kept in mind; a block with more of them is read field by field."""

MOST_KNOWN = 10_000
"""Values of a column whose meaning is kept in mind."""


class JsonRows:
    """Reads the columns of a schema.

    >>> reader = JsonRows(Schema((Column("price", "number", format=","), Column("zip", "category"))))
    >>> rows = reader.read(['{"price": 1.5, "more": 1}', '{"zip": 98101, "price": "2,5"}'])
    >>> rows.columns["price"].tolist(), list(rows.columns["zip"])
    ([1.5, 2.5], [None, '98101'])
    """

    def __init__(self, schema: Schema) -> None:
        self._columns = {column.name: column for column in schema.columns if column.role != "ignore"}
        self._others: frozenset[str] = frozenset()
        self._meanings: dict[tuple[str, type], dict[Any, Any]] = {}

    def read(self, texts: Sequence[str]) -> Rows:
        """The columns of these rows, each of which is an object of JSON; a value that is not there is missing.

        Raises DataError for a value that ``read_rows`` refuses, too.
        """
        whole = f"[{','.join(texts)}]"
        records = self._records(whole)
        if records is None:
            rows = [by_column(row) for row in msgspec.json.decode(whole, type=list[dict[str, Any]])]
            columns = {n: self._of_values(c, [row.get(n) for row in rows]) for n, c in self._columns.items()}
        else:
            # The fields of the columns come first.
            values = list(zip(*map(msgspec.structs.astuple, records), strict=True)) or [()] * len(self._columns)
            columns = {
                name: _floats(its) if _is_of_numbers(column) else self._of_values(column, its)
                for (name, column), its in zip(self._columns.items(), values, strict=False)
            }
            refuse_infinity(
                {name: its for name, its in columns.items() if _is_of_numbers(self._columns[name])}, "the log"
            )
        return Rows(columns, np.arange(len(texts)), source="the log")

    def _records(self, whole: str) -> list[msgspec.Struct] | None:
        """A record for each row; None where not all numbers are numbers in JSON, or a column has another form of its
        name, so that the rows have to be looked at value by value.
        """
        for _ in range(2):
            try:
                return self._decoder.decode(whole)
            except msgspec.ValidationError:
                rows = msgspec.json.decode(whole, type=list[dict[str, msgspec.Raw]])
                others = self._others.union(*rows) - self._columns.keys()
                other_forms = self._columns.keys() & set(map(column_name, others))
                if others == self._others or len(others) > MOST_OTHERS or other_forms:
                    break
                self._others = others
                del self._decoder
        return None

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[list[msgspec.Struct]]:
        """Of fields that are no columns nothing is made; a name that it does not know is an error, as it may be that of
        a column in another form.
        """
        names = [*self._columns, *sorted(self._others)]
        types: list[Any] = [float | None if _is_of_numbers(column) else Any for column in self._columns.values()]
        types += [msgspec.Raw | None] * len(self._others)
        fields = [(f"c{at}", type_, None) for at, type_ in enumerate(types)]
        field_names = {f"c{at}": name for at, name in enumerate(names)}
        record = msgspec.defstruct("Record", fields, rename=field_names, forbid_unknown_fields=True, gc=False)
        return msgspec.json.Decoder(list[record])  # type: ignore[valid-type]

    def _of_values(self, column: Column, values: Sequence[Any]) -> Values:
        """What values of JSON mean in a column."""
        try:
            codes, distinct = numbered(values)
        except TypeError:  # lists or objects
            return _read(column, values)
        if set(map(type, distinct)) <= {str, type(None)}:
            return self._of_one_type(column, values, codes, distinct)
        # 1, 1.0 and true are equal, and mean different things.
        types = set(map(type, values)) - {type(None)}
        parts = [[value if type(value) is type_ else None for value in values] for type_ in types]
        results = [
            self._of_one_type(column, part, *numbered(part), type_) for part, type_ in zip(parts, types, strict=True)
        ]
        if kind_of(column.kind).numeric:
            return np.asarray(np.fmax.reduce([np.asarray(part) for part in results]))
        return [next((value for value in row if value is not None), None) for row in zip(*results, strict=True)]

    def _of_one_type(
        self, column: Column, values: Sequence[Any], codes: Codes, distinct: Sequence[Any], type_: type = str
    ) -> Values:
        """Each of few distinct values is looked at once."""
        if len(distinct) > len(values) / 2:
            return _read(column, values)
        meanings = self._meanings.setdefault((column.name, type_), {})
        if len(meanings) > MOST_KNOWN:
            meanings.clear()
        new = [value for value in distinct if value not in meanings]
        meanings.update(zip(new, _read(column, new), strict=True))
        levels = [meanings[value] for value in distinct]
        return np.array(levels)[codes] if kind_of(column.kind).numeric else Coded(tuple(levels), codes)


def read_alone(rows: Sequence[Mapping[str, Any]], schema: Schema) -> Rows:
    """Rows of values of JSON, each of which means what it means alone. Raises DataError as ``JsonRows`` does.

    >>> read_alone([{"price": 1.234}, {"price": "2,5"}], Schema((Column("price", "number", format=",."),))).columns
    {'price': array([1.234, 2.5  ])}
    """
    return JsonRows(schema).read([msgspec.json.encode(row).decode() for row in rows])


def _floats(values: Sequence[float | None]) -> Floats:
    """(n,) with NaN; where none is missing, numpy need not look what they are."""
    try:
        return np.fromiter(values, np.float64, len(values))
    except TypeError:
        return np.array(values, dtype=np.float64)


def _is_of_numbers(column: Column) -> bool:
    return kind_of(column.kind).takes_numbers(column)


def _read(column: Column, values: Sequence[Any]) -> Values:
    return read_rows({column.name: list(values)}, Schema((column,)), allow_missing=True).columns[column.name]
