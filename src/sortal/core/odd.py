"""What is odd about a single row: what training never saw.

What each column is compared with is prepared once, and all numbers of some rows are compared at once, so that a row of
twenty columns takes as long as one of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from sortal.core.measures import FIRST
from sortal.core.profile import ColumnProfile, Columns, comparable, compared
from sortal.core.raw import short_repr
from sortal.core.row import Row, columns_of
from sortal.core.shift import named_column


class OddValues:
    """Says of rows what is odd about them: values never seen, numbers beyond the ends, or missing where none was.

    >>> age = ColumnProfile("age", "number", rows=2, missing=0, distinct=2, ends=(18.0, 60.0))
    >>> OddValues({"age": age}).of({"age": np.array([40.0, 200.0, np.nan])}, 3)
    [[], ["'age': 200 is above 60, about the largest in training"], ["'age': is missing, and never was in training"]]
    """

    def __init__(self, reference: Mapping[str, ColumnProfile]) -> None:
        self._reference = reference
        # A column without a value in training has nothing to compare with.
        self._columns = {name: column for name, column in compared(reference).items() if column.n_values}
        self._usual = {
            name: frozenset((*column.levels, *(() if _is_asked_for(column) else (None,))))
            for name, column in self._columns.items()
            if not column.numeric
        }
        self._numeric = {name: column for name, column in self._columns.items() if column.numeric}
        # (m, 2) between what values are usual, and (m, 1) whether none may be missing.
        self._limits = np.array([column.limits for column in self._numeric.values()]).reshape(-1, 2)
        # Of a row alone arrays would take longer than all comparisons.
        self._measured = any(column.measures for column in reference.values())
        self._of_each = [
            (name, self._usual.get(name), *(column.limits if column.numeric else (0.0, 0.0)), _is_asked_for(column))
            for name, column in self._columns.items()
        ]
        self._complete = np.array([[_is_asked_for(column)] for column in self._numeric.values()], dtype=np.bool_)

    def of(self, columns: Columns, rows: int, without: Collection[str] = ()) -> list[list[str]]:
        """What is odd about each of these rows, column by column, but for columns that they came ``without``."""
        reference = {n: c for n, c in self._reference.items() if n not in without} if without else self._reference
        columns = comparable(reference, columns)
        oddities = [*self._levels(columns), *self._numbers(columns)]
        sentences: list[list[str]] = [[] for _ in range(rows)]
        if oddities:
            place = {name: at for at, name in enumerate(self._columns)}
            for row, _, text in sorted(oddities, key=lambda item: place[item[1]]):
                sentences[row].append(text)
        return sentences

    def of_row(self, row: Row) -> list[str]:
        """What is odd about a row that has all columns.

        >>> age = ColumnProfile("age", "number", rows=2, missing=0, distinct=2, ends=(18.0, 60.0))
        >>> OddValues({"age": age}).of_row({"age": 200.0})
        ["'age': 200 is above 60, about the largest in training"]
        """
        if self._measured:
            return self.of(columns_of(row), 1)[0]
        sentences = []
        for name, usual, low, high, complete in self._of_each:
            value = row[name]
            if usual is not None:
                if value not in usual:
                    sentences.append(_odd_level(self._columns[name], value))
            elif value < low or value > high or (complete and value != value):
                sentences.append(_odd_number(self._columns[name], value))
        return sentences

    def _levels(self, columns: Columns) -> Iterator[tuple[int, str, str]]:
        for name, usual in self._usual.items():
            if name not in columns:
                continue
            for row, value in enumerate(columns[name]):
                if value not in usual:
                    yield row, name, _odd_level(self._columns[name], value)

    def _numbers(self, columns: Columns) -> Iterator[tuple[int, str, str]]:
        names = [name for name in self._numeric if name in columns]
        if not names:
            return
        values = np.array([columns[name] for name in names])
        limits, complete = self._limits, self._complete
        if len(names) < len(limits):
            mask = np.isin([*self._numeric], names)
            limits, complete = limits[mask], complete[mask]
        odd = (values < limits[:, :1]) | (values > limits[:, 1:]) | (complete & np.isnan(values))
        if odd.any():
            for at, row in np.argwhere(odd).tolist():
                yield row, names[at], _odd_number(self._numeric[names[at]], float(values[at, row]))


def _is_asked_for(column: ColumnProfile) -> bool:
    """Whether it is odd that a value is missing."""
    return not column.missing and column.measure in ("", *FIRST)


def _odd_level(column: ColumnProfile, value: object) -> str:
    if value is None:
        return f"{short_repr(column.name)}: is missing, and never was in training"
    how = "is rare or was never seen" if column.others else "was never seen"
    return f"{named_column(column)}: {short_repr(str(value))} {how} in training"


def _odd_number(column: ColumnProfile, value: float) -> str:
    if np.isnan(value):
        return f"{short_repr(column.name)}: is missing, and never was in training"
    below = value < column.limits[0]
    side, end, which = ("below", column.ends[0], "smallest") if below else ("above", column.ends[-1], "largest")
    return (
        f"{named_column(column)}: {column.format_value(value)} is {side} {column.format_value(end)}, about the {which} "
        "in training"
    )
