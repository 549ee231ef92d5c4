"""Metadata as Thrift and flatbuffers write them, made by hand: what a file declares can be any number."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

Fields = Mapping[int, Any]


def varint(number: int) -> bytes:
    text = bytearray()
    while number > 127:
        text.append(number & 127 | 128)
        number >>= 7
    return bytes([*text, number])


def zigzag(number: int) -> bytes:
    return varint(2 * number if number >= 0 else -2 * number - 1)


def compact(fields: Fields) -> bytes:
    """A struct of Thrift: of whole numbers, texts, structs and lists of structs."""
    text, before = b"", 0
    for number, value in sorted(fields.items()):
        kind, encoded = _value(value)
        text += bytes([(number - before) << 4 | kind]) + encoded
        before = number
    return text + b"\0"


def _value(value: Any) -> tuple[int, bytes]:
    if isinstance(value, int):
        return 6, zigzag(value)
    if isinstance(value, bytes):
        return 8, varint(len(value)) + value
    if isinstance(value, Mapping):
        return 12, compact(value)
    return 9, bytes([15 << 4 | 12]) + varint(len(value)) + b"".join(map(compact, value))


def flat(fields: Fields) -> bytes:
    """A flatbuffer, from the offset of its root on.

    A field is a number with its form, ``("<q", 5)``, a table within, or a list of structs, ``("<qq", [(0, 8)])``.
    """
    table, at = _table(fields)
    return struct.pack("<i", 4 + at) + table


def _table(fields: Fields) -> tuple[bytes, int]:
    """A table with what it points to behind it, and where in these bytes it begins."""
    slots = [_slot(fields.get(number)) for number in range(max(fields, default=-1) + 1)]
    inline = [4, *(0 if slot is None else 8 for slot in slots)]
    places = [sum(inline[: k + 1]) if slot is not None else 0 for k, slot in enumerate(slots)]
    names = struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), sum(inline), *places)
    text, children = struct.pack("<i", len(names)), b""
    for place, slot in zip(places, slots, strict=True):
        if isinstance(slot, tuple):
            child, start = slot
            offset = sum(inline) + len(children) + start - place
            text, children = text + struct.pack("<ii", offset, 0), children + child
        elif slot is not None:
            text += slot.ljust(8, b"\0")
    return names + text + children, len(names)


def _slot(value: Any) -> bytes | tuple[bytes, int] | None:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return _table(value)
    form, content = value
    if isinstance(content, Sequence):
        return struct.pack("<i", len(content)) + b"".join(struct.pack(form, *one) for one in content), 0
    return struct.pack(form, content)
