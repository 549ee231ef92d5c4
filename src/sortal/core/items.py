"""Texts or images of rows, with what was made of each of them alone: whatever the fold, that is made once for each
row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol, TypeVar, overload

import numpy as np

from sortal.core.arrays import Ints

MOST_BYTES = 1_000_000_000
"""Of all that a memo holds; what is beyond it is made anew each time."""


class Parts(Protocol):
    """What was made of n values, a part of each: it knows its bytes, and the parts of some rows."""

    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def take(self, rows: Ints) -> Any: ...
    def above(self, below: Any) -> Any: ...


M = TypeVar("M", bound=Parts)
Make = Callable[[Sequence[Any]], M]
"""From values to what is made of each of them alone. Equal ones (hash and ==) make the same."""


@dataclass
class _Entry:
    """``place``: by row id, where its part stands in ``parts``; -1 where it has none."""

    place: Ints
    parts: Any


@dataclass
class Memo:
    """What was made of the rows of a table, by column and by what made it; rows are known by their ids.

    A copy in another process begins empty; threads of one process ask it in turn.
    """

    _entries: dict[tuple[str, Any], _Entry] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, column: str, rows: Ints, values: Sequence[Any], make: Make[M]) -> M:
        """The parts of these rows, of which those that are not there yet are made."""
        with self._lock:
            return self._of(column, rows, values, make)

    def _of(self, column: str, rows: Ints, values: Sequence[Any], make: Make[M]) -> M:
        entry = self._entries.get((column, make))
        if entry is None:
            parts = make(values)
            if self._nbytes + parts.nbytes <= MOST_BYTES:
                self._entries[column, make] = _Entry(_with_rows(np.empty(0, dtype=np.int64), rows, 0), parts)
            return parts
        missing = np.flatnonzero(_look_up(entry.place, rows) < 0)
        if len(missing):
            parts = make([values[at] for at in missing.tolist()])
            if self._nbytes + parts.nbytes > MOST_BYTES:
                return make(values)
            entry.place = _with_rows(entry.place, rows[missing], len(entry.parts))
            entry.parts = entry.parts.above(parts)
        result: M = entry.parts.take(_look_up(entry.place, rows))
        return result

    @property
    def _nbytes(self) -> int:
        return sum(entry.parts.nbytes for entry in self._entries.values())

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()


def _look_up(place: Ints, rows: Ints) -> Ints:
    in_range = rows < len(place)
    return np.where(in_range, place[np.where(in_range, rows, 0)], -1) if len(place) else np.full(len(rows), -1)


def _with_rows(place: Ints, rows: Ints, first: int) -> Ints:
    result = np.full(max(len(place), int(rows.max(initial=-1)) + 1), -1, dtype=np.int64)
    result[: len(place)] = place
    result[rows] = first + np.arange(len(rows))
    return result


@dataclass(frozen=True, eq=False)
class Items(Sequence[Any]):
    """The texts or images of a column in some rows of a table, whose ids are ``rows``."""

    column: str
    values: Sequence[Any]
    rows: Ints
    memo: Memo

    def once(self, make: Make[M]) -> M:
        """What is made of these values, once for each row whoever asks."""
        return self.memo.of(self.column, self.rows, self.values, make)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Items: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Items(self.column, self.values[index], self.rows[index], self.memo)
        return self.values[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)


def once(values: Any, make: Make[M]) -> M:
    """What is made of a sequence of values: of items once, whoever asks; of others now."""
    return values.once(make) if isinstance(values, Items) else make(values)
