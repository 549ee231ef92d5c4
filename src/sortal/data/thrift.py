"""The compact protocol of Apache Thrift, in which Parquet writes its metadata: numbers, lists and structs; texts are
skipped."""

from __future__ import annotations

import mmap
from typing import Any

from sortal.data.declared_size import DamagedError

Struct = dict[int, Any]
"""The values of a struct by the numbers of its fields; a text is None."""

_WHOLE = frozenset({4, 5, 6})
"""Types of whole numbers of 16, 32 and 64 bits."""
_DEEPEST = 24
"""Structs within structs; Parquet's own have 8."""


class Reader:
    """Reads what stands from ``at`` on, and never beyond ``end``. Raises DamagedError for what is no such data."""

    def __init__(self, content: mmap.mmap, at: int, end: int) -> None:
        self._content, self._end = content, end
        self.at = at

    def struct(self, depth: int = 0) -> Struct:
        """A struct, up to the byte that ends it."""
        if depth > _DEEPEST:
            raise DamagedError("its metadata is too deep")
        fields: Struct = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._signed()
            if kind in _WHOLE:
                fields[number] = self._signed()
            else:
                fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _WHOLE:
            return self._signed()
        if kind == 8:
            return self._skip(self._unsigned())
        if kind == 12:
            return self.struct(depth + 1)
        if kind in (9, 10):
            return self._list(depth)
        if kind == 11:
            return self._map(depth)
        if kind in (1, 2, 3):
            return self._byte()
        if kind == 7:
            return self._skip(8)
        raise DamagedError(f"its metadata has a value of type {kind}, which there is not")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = self._unsigned() if head >> 4 == 15 else head >> 4
        if count > self._end - self.at:  # each takes a byte at least
            raise DamagedError(f"a list in its metadata has {count:,} entries, more than there is room for")
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _map(self, depth: int) -> None:
        count = self._unsigned()
        if not count:
            return
        kinds = self._byte()
        if count > self._end - self.at:
            raise DamagedError(f"a map in its metadata has {count:,} entries, more than there is room for")
        for _ in range(count):
            self._value(kinds >> 4, depth + 1)
            self._value(kinds & 15, depth + 1)

    def _byte(self) -> int:
        at = self.at
        if at >= self._end:
            raise DamagedError("its metadata goes on beyond its end")
        self.at = at + 1
        return self._content[at]

    def _skip(self, count: int) -> None:
        if count > self._end - self.at:
            raise DamagedError("a text in its metadata is longer than that")
        self.at += count

    def _unsigned(self) -> int:
        value = shift = 0
        # Most numbers have one byte, and a file of thousands of columns has hundreds of thousands of them.
        if self.at < self._end and (byte := self._content[self.at]) < 128:
            self.at += 1
            return byte
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise DamagedError("a number in its metadata has no end")
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
