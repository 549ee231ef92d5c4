"""What a Parquet file declares: its footer, and the header of each page (github.com/apache/parquet-format)."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

from sortal.data.declared_size import DamagedError, Piece, inflated, within
from sortal.data.thrift import Reader, Struct

MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_CODECS = ("none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4")
_WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8, 6: 16}
"""Bytes of a value in memory, by its physical type: boolean, int32, int64, int96, float, double, text. One of fixed
length says its own."""


_NO_PARQUET = "its metadata is not that of a Parquet file"


def walk(content: mmap.mmap) -> Iterator[Piece]:
    """The memory of each row group. Raises DamagedError for what cannot be."""
    end = len(content)
    if end < 12 or content[end - 4 :] != MAGIC:
        raise DamagedError(
            "it is encrypted" if content[end - 4 :] == _ENCRYPTED else "it does not end as a Parquet file does"
        )
    footer = end - 8 - int.from_bytes(content[end - 8 : end - 4], "little")
    within(footer, 0, end - 8, "the footer")
    within(len(MAGIC), footer - len(MAGIC), end, "the footer")
    file = Reader(content, footer, end - 8).struct()
    leaves = [element for element in _list(file, 2) if not element.get(5)]
    groups = _list(file, 4)
    if sum(_number(group, 3) for group in groups) != _number(file, 3):
        raise DamagedError("its row groups have not as many rows as the file")
    for group in groups:
        columns = _list(group, 1)
        if len(columns) != len(leaves):
            raise DamagedError(f"a row group has {len(columns):,} columns, the schema {len(leaves):,}")
        yield sum(
            _chunk(content, footer, _struct(column, 3), leaf) for column, leaf in zip(columns, leaves, strict=True)
        )


def _chunk(content: mmap.mmap, footer: int, column: Struct, leaf: Struct) -> int:
    """The memory of a column in a row group: of its pages as they are unpacked, or of its values where these are
    more.
    """
    values, values_left = _number(column, 5), _number(column, 5)
    codec = _number(column, 4)
    method = _CODECS[codec] if codec < len(_CODECS) else ""
    at = _number(column, 11) or _number(column, 9)
    within(at, _number(column, 7), footer, "a column")
    unpacked = 0
    while values_left > 0:
        reader = Reader(content, at, footer)
        page = reader.struct()
        packed = _number(page, 3)
        within(reader.at, packed, footer, "a page")
        at = reader.at + packed
        unpacked += (size := inflated(_number(page, 2), packed, method))
        if _number(_struct(page, 7), 1) > size:
            raise DamagedError("a page of words is shorter than their number")
        values_left -= _number(_struct(page, 5) or _struct(page, 8), 1)
    if values_left < 0:
        raise DamagedError("the pages of a column have more values than it")
    width = _WIDTHS.get(_number(leaf, 1), _number(leaf, 2))
    return max(unpacked, values * width)


def _number(struct: Struct, field: int) -> int:
    """A count, a size or an offset; 0 where it is not there. Raises DamagedError where it is below 0, or none."""
    value: Any = struct.get(field, 0)
    if not isinstance(value, int) or value < 0:
        raise DamagedError(f"a number in its metadata is {value!r}")
    return value


def _struct(struct: Struct, field: int) -> Struct:
    """A struct within; empty where it is not there."""
    value: Any = struct.get(field, {})
    if not isinstance(value, dict):
        raise DamagedError(_NO_PARQUET)
    return value


def _list(struct: Struct, field: int) -> list[Struct]:
    value: Any = struct.get(field, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise DamagedError(_NO_PARQUET)
    return value
