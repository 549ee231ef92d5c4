"""Messages of Protocol Buffers, in which ONNX files are written (https://protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
"""How a field is laid out."""
Value = int | float | memoryview
Field = tuple[int, Value]
"""Its number, and what stands in it."""


def _varint(number: int) -> bytes:
    """A number of variable length: seven bits a byte, the lowest first; negative ones as 64 bits."""
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def integer(tag: int, value: int) -> bytes:
    """A field with a whole number."""
    return _varint(tag << 3 | _VARINT) + _varint(value)


def fraction(tag: int, value: float) -> bytes:
    """A field with a number of 32 bits."""
    return _varint(tag << 3 | _FLOAT) + struct.pack("<f", value)


def head(tag: int, length: int) -> bytes:
    """What stands before a message of so many bytes."""
    return _varint(tag << 3 | _BYTES) + _varint(length)


def message(tag: int, content: bytes) -> bytes:
    """A field with a message in it."""
    return head(tag, len(content)) + content


def text(tag: int, value: str) -> bytes:
    """A field with a text."""
    return message(tag, value.encode())


def _read_number(content: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value & (2**64 - 1), at
        if shift > 63:
            raise ValueError("is no ONNX file (a number without end)")


def fields_of(content: memoryview) -> Iterator[Field]:
    """The fields of a message, in their order."""
    at = 0
    while at < len(content):
        key, at = _read_number(content, at)
        tag, layout = key >> 3, key & 7
        value: Value
        if layout == _VARINT:
            value, at = _read_number(content, at)
        elif layout == _BYTES:
            length, at = _read_number(content, at)
            if length > len(content) - at:
                raise ValueError("is no ONNX file (it is cut off)")
            value, at = content[at : at + length], at + length
        elif layout == _FLOAT:
            (value,), at = struct.unpack_from("<f", content, at), at + 4
        elif layout == _DOUBLE:
            (value,), at = struct.unpack_from("<d", content, at), at + 8
        else:
            raise ValueError("is no ONNX file (a field of an unknown layout)")
        yield tag, value


def fields_by_name(
    what: str, fields: Iterable[Field], names: Mapping[int, str], ignored: Iterable[int] = ()
) -> dict[str, list[Value]]:
    """Fields by name. Raises ValueError for those that are neither in ``names`` nor to be ignored."""
    values_of: dict[str, list[Value]] = {name: [] for name in names.values()}
    ignored_tags = set(ignored)
    for tag, value in fields:
        if tag in names:
            values_of[names[tag]].append(value)
        elif tag not in ignored_tags:
            raise ValueError(f"its {what} has a field {tag}, which the engine does not run")
    return values_of


def single(what: str, values: list[Value]) -> Value:
    """The one value of a field. Raises ValueError where it has none, or several."""
    if len(values) != 1:
        raise ValueError(f"it has {len(values)} times {what}, where one is needed")
    return values[0]


def bytes_of(what: str, values: list[Value]) -> memoryview:
    """The one value of a field, which is of bytes."""
    value = single(what, values)
    if not isinstance(value, memoryview):
        raise ValueError(f"is no ONNX file ({what} is a number)")
    return value


def text_of(what: str, values: list[Value]) -> str:
    """The one value of a field, which is a text."""
    return bytes(bytes_of(what, values)).decode()


def texts_of(values: list[Value]) -> tuple[str, ...]:
    """All values of a field of names."""
    return tuple(text_of("a name", [value]) for value in values)


def whole_of(what: str, values: list[Value]) -> int:
    """The one value of a field, which is a whole number."""
    value = single(what, values)
    if not isinstance(value, int):
        raise ValueError(f"is no ONNX file ({what} is no whole number)")
    return _signed(value)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def wholes_of(values: list[Value]) -> tuple[int, ...]:
    """Repeated whole numbers, one a field or packed together."""
    out: list[int] = []
    for value in values:
        if isinstance(value, memoryview):
            at = 0
            while at < len(value):
                number, at = _read_number(value, at)
                out.append(_signed(number))
        elif isinstance(value, int):
            out.append(_signed(value))
        else:
            raise ValueError("is no ONNX file (a fraction where a whole number is needed)")
    return tuple(out)
