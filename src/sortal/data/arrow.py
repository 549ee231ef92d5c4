"""What an Arrow file or stream declares: its footer and messages, which are flatbuffers
(arrow.apache.org/docs/format/Columnar.html)."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.data.declared_size import DamagedError, Piece, inflated, within
from sortal.data.limits import SPARE

MAGIC = b"ARROW1"
_GO_ON = b"\xff\xff\xff\xff"
_DICTIONARY, _ROWS = 2, 3
"""The kinds of messages that have a body."""
_CODECS = ("lz4", "zstd")

_BLOCK = np.dtype([("at", "<i8"), ("head", "<i4"), ("", "<i4"), ("body", "<i8")])
_PAIR = np.dtype([("first", "<i8"), ("second", "<i8")])
"""A buffer (where it is, its length) or a node (values, how many of them are missing)."""


def walk_file(content: mmap.mmap) -> Iterator[Piece]:
    """The memory of each batch that the footer names. Raises DamagedError for what cannot be."""
    end = len(content)
    if end < 18 or content[end - 6 :] != MAGIC:
        raise DamagedError("it does not end as an Arrow file does")
    length = int.from_bytes(content[end - 10 : end - 6], "little", signed=True)
    start = end - 10 - length
    within(8, start - 8, end, "the footer")
    footer = _root(content, start, end - 10)
    for field in (2, 3):
        for block in footer.structs(field, _BLOCK):
            at, head, body = int(block["at"]), int(block["head"]), int(block["body"])
            within(at, head, start, "a batch")
            within(at + head, body, start, "a batch")
            message = _message(content, at, start)
            if message is not None:
                yield message.memory(content)


def walk_stream(content: mmap.mmap) -> Iterator[Piece]:
    """The memory of each batch, up to the mark that ends the stream. Raises DamagedError for what cannot be."""
    at, end = 0, len(content)
    while at < end:
        message = _message(content, at, end)
        if message is None:
            return
        yield message.memory(content)
        at = message.body + message.length


@dataclass(frozen=True)
class _Table:
    """A table of a flatbuffer: its fields by number. No offset leads beyond ``end``."""

    content: mmap.mmap
    at: int
    end: int

    def _field(self, number: int) -> int:
        """Where a field is, or 0 where it is not there."""
        names = self.at - _i32(self.content, self.at, self.end)
        within(names, 4, self.end, "a part of its metadata")
        (size,) = struct.unpack_from("<H", self.content, names)
        within(names, size, self.end, "a part of its metadata")
        entry = 4 + 2 * number
        offset = struct.unpack_from("<H", self.content, names + entry)[0] if entry + 2 <= size else 0
        return self.at + offset if offset else 0

    def number(self, number: int, form: str) -> int:
        """A number; 0 where it is not there."""
        at = self._field(number)
        if not at:
            return 0
        within(at, struct.calcsize(form), self.end, "a part of its metadata")
        return int(struct.unpack_from(form, self.content, at)[0])

    def table(self, number: int) -> _Table | None:
        """A table within; None where it is not there."""
        at = self._field(number)
        return _Table(self.content, at + _i32(self.content, at, self.end), self.end) if at else None

    def structs(self, number: int, dtype: np.dtype[np.void]) -> NDArray[np.void]:
        """A list of structs; empty where it is not there."""
        at = self._field(number)
        if not at:
            return np.empty(0, dtype)
        start = at + _i32(self.content, at, self.end)
        count = _i32(self.content, start, self.end)
        within(start + 4, count * dtype.itemsize, self.end, "a part of its metadata")
        return np.frombuffer(self.content[start + 4 : start + 4 + count * dtype.itemsize], dtype)


@dataclass(frozen=True)
class _Message:
    """A message and where its body is."""

    table: _Table
    body: int
    length: int

    def memory(self, content: mmap.mmap) -> int:
        """Bytes that the buffers have when they are unpacked."""
        kind, batch = self.table.number(1, "<B"), self.table.table(2)
        if kind == _DICTIONARY and batch is not None:
            batch = batch.table(1)
        if kind not in (_DICTIONARY, _ROWS) or batch is None:
            return 0
        buffers, nodes = batch.structs(2, _PAIR), batch.structs(1, _PAIR)
        starts, sizes = buffers["first"], buffers["second"]
        # Compared one by one: a sum of two made-up offsets could be too large for a number of 64 bits.
        wrong = (
            (starts < 0)
            | (sizes < 0)
            | (starts > self.length)
            | (sizes > self.length - np.minimum(starts, self.length))
        )
        if wrong.any():
            raise DamagedError("a buffer is said to lie outside its batch")
        packing = batch.table(3)
        total = int(sizes.sum()) if packing is None else self._inflated(content, buffers, packing)
        lengths, missing = nodes["first"], nodes["second"]
        most = max(int(lengths.max(initial=0)), batch.number(0, "<q"))
        if (missing < 0).any() or (missing > lengths).any() or most > 8 * total + SPARE:
            raise DamagedError(f"a batch of {total:,} bytes cannot hold {most:,} values")
        return total

    def _inflated(self, content: mmap.mmap, buffers: NDArray[np.void], packing: _Table) -> int:
        codec = packing.number(0, "<b")
        method = _CODECS[codec] if codec in (0, 1) else ""
        total = 0
        for start, size in buffers.tolist():
            if size >= 8:
                (length,) = struct.unpack_from("<q", content, self.body + start)
                total += size if length == -1 else inflated(length, size, method)
        return total


def _message(content: mmap.mmap, at: int, end: int) -> _Message | None:
    """The message that begins here; None for the mark that ends a stream."""
    if content[at : at + 4] == _GO_ON:
        at += 4
    length = _i32(content, at, end)
    if length == 0:
        return None
    within(at + 4, length, end, "a message")
    table = _root(content, at + 4, at + 4 + length)
    body, size = at + 4 + length, table.number(3, "<q")
    within(body, size, end, "a batch")
    return _Message(table, body, size)


def _root(content: mmap.mmap, at: int, end: int) -> _Table:
    return _Table(content, at + _i32(content, at, end), end)


def _i32(content: mmap.mmap, at: int, end: int) -> int:
    within(at, 4, end, "a part of its metadata")
    return int(struct.unpack_from("<i", content, at)[0])
