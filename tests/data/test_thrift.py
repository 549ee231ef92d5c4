"""The compact protocol, byte by byte (github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md)."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

from sortal.data.declared import DamagedError
from sortal.data.thrift import Reader


def read(text: bytes, at: int = 0, end: int | None = None) -> dict[int, Any]:
    return Reader(text, at, len(text) if end is None else end).struct()  # type: ignore[arg-type]


def error_of(text: bytes, at: int = 0, end: int | None = None) -> str:
    with pytest.raises(DamagedError) as excinfo:
        read(text, at, end)
    return str(excinfo.value)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("00", {}),
        ("14 02 00", {1: 1}),
        ("15 02 00", {1: 1}),
        ("16 02 00", {1: 1}),
        ("35 01 16 04 26 06 00", {3: -1, 4: 2, 6: 3}),  # each number is that of the field before and so many more
        ("05 50 02 15 04 00", {40: 1, 41: 2}),  # the number of a field in full, in zigzag
        ("11 12 00", {1: True, 2: False}),
        ("13 7f 15 02 00", {1: 127, 2: 1}),  # a byte
        ("17 01 02 03 04 05 06 07 08 15 02 00", {1: None, 2: 1}),  # a double
        ("18 03 61 62 63 15 02 00", {1: None, 2: 1}),  # a text
        ("1c 15 02 00 15 04 00", {1: {1: 1}, 2: 2}),
        ("19 35 02 04 05 15 02 00", {1: [1, 2, -3], 2: 1}),
        ("1a 24 02 04 15 02 00", {1: [1, 2], 2: 1}),  # a set
        ("19 f5 02 02 04 15 02 00", {1: [1, 2], 2: 1}),  # the number of entries for itself
        ("19 05 15 02 00", {1: [], 2: 1}),
        ("19 31 01 02 01 15 02 00", {1: [1, 2, 1], 2: 1}),  # yes and no in a list are a byte each
        ("19 22 01 02 15 02 00", {1: [1, 2], 2: 1}),
        ("19 23 07 09 15 02 00", {1: [7, 9], 2: 1}),
        ("19 28 01 61 02 62 63 15 02 00", {1: [None, None], 2: 1}),
        ("19 2c 15 02 00 25 04 00 15 02 00", {1: [{1: 1}, {2: 2}], 2: 1}),
        ("19 29 15 02 25 04 06 15 02 00", {1: [[1], [2, 3]], 2: 1}),
        ("1b 00 15 02 00", {1: None, 2: 1}),  # a map of nothing has no kinds
        ("1b 02 58 02 01 61 04 02 62 63 15 02 00", {1: None, 2: 1}),  # numbers and texts
        ("1b 01 85 01 61 02 15 02 00", {1: None, 2: 1}),  # the other way round
        ("29 1b 01 55 02 04 15 02 00", {2: [None], 3: 1}),
    ],
)
def test_values_of_every_kind(text: str, fields: dict[int, Any]) -> None:
    content = bytes.fromhex(text)
    assert read(content) == fields
    assert read(b"\xff\xff" + content + b"\xff", 2, 2 + len(content)) == fields
    reader = Reader(b"\xff" + content + b"\xff", 1, len(content) + 2)  # type: ignore[arg-type]
    assert (reader.struct(), reader.at) == (fields, 1 + len(content))


@pytest.mark.parametrize(
    ("hex_digits", "number"),
    [
        ("00", 0),
        ("01", -1),
        ("02", 1),
        ("7e", 63),
        ("7f", -64),
        ("8001", 64),
        ("8101", -65),
        ("ac02", 150),
        ("808001", 8192),
        ("fe" + "ff" * 8 + "01", 2**63 - 1),
        ("ff" * 9 + "01", -(2**63)),
    ],
)
def test_numbers_of_any_length(hex_digits: str, number: int) -> None:
    assert read(bytes.fromhex(f"16 {hex_digits} 00")) == {1: number}
    assert read(bytes.fromhex(f"19 16 {hex_digits} 00")) == {1: [number]}


LIST, MAP = b"\x19\x2c", b"\x1b\x01\x5c\x02"
"""A list of two structs, of which the first is empty; a map of one, from 1 to a struct."""


def nested(depth: int, way: bytes) -> bytes:
    return reduce(lambda text, _: way + text + b"\0", range(depth), b"\0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\x16", "its metadata goes on beyond its end"),
        (b"\x16\x80", "its metadata goes on beyond its end"),
        (b"\x16\x02", "its metadata goes on beyond its end"),
        (b"", "its metadata goes on beyond its end"),
        (b"\x16" + b"\x80" * 10 + b"\0\0", "a number in its metadata has no end"),
        (b"\x18\x04abc", "a text in its metadata is longer than that"),
        (b"\x18\x03abc", "its metadata goes on beyond its end"),
        (b"\x17" + bytes(7), "a text in its metadata is longer than that"),
        (b"\x19\x45\x02\x02\x02", "a list in its metadata has 4 entries, more than there is room for"),
        (b"\x19\x35\x02\x02\x02", "its metadata goes on beyond its end"),
        (b"\x19\xf5\xe8\x07", "a list in its metadata has 1,000 entries, more than there is room for"),
        (b"\x1b\x04\x55\x02\x02\x02", "a map in its metadata has 4 entries, more than there is room for"),
        (b"\x1b\x03\x55\x02\x02\x02", "its metadata goes on beyond its end"),
        (b"\x1d\0\0", "its metadata has a value of type 13, which there is not"),
        (b"\x10\0\0", "its metadata has a value of type 0, which there is not"),
        (b"\x19\x1f\0\0", "its metadata has a value of type 15, which there is not"),
    ],
)
def test_what_cannot_be_is_said(text: bytes, message: str) -> None:
    assert error_of(text) == message
    assert error_of(b"\xff" + text + b"\xff\xff", 1, 1 + len(text)) == message  # what lies behind is not read


@pytest.mark.parametrize(
    ("way", "most"), [(b"\x1c", 24), (b"\x19\x1c", 12), (b"\x1b\x01\x5c\x02", 12), (b"\x1b\x01\xc5", 12)]
)
def test_a_stack_of_structs_has_an_end(way: bytes, most: int) -> None:
    """Lists and maps count as steps of their own."""
    suffix = b"\x02" if way.endswith(b"\xc5") else b""
    for depth in (most, most + 1):
        text = reduce(lambda inner, _: way + inner + suffix + b"\0", range(depth), b"\0")
        if depth == most:
            assert len(read(text)) == 1
        else:
            assert error_of(text) == "its metadata is too deep"


def test_a_stack_of_lists_counts_each() -> None:
    for lists, deep in ((23, False), (24, True)):
        text = b"\x19" + b"\x19" * (lists - 1) + b"\x1c\0\0"
        assert (error_of(text) if deep else read(text)) == (
            "its metadata is too deep" if deep else {1: _in_lists(lists)}
        )


def _in_lists(lists: int) -> Any:
    return reduce(lambda inner, _: [inner], range(lists), {})
