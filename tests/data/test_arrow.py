"""What an Arrow file or stream declares of the memory that it needs, and what it cannot declare."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest

from sortal.data import arrow
from sortal.data.declared import DamagedError
from tests.data.compact import Fields, flat

SCHEMA, WORDS, ROWS = 1, 2, 3
SPARE = 1 << 16
GO_ON, END = b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\0\0\0\0"

Pairs = Sequence[tuple[int, int]]


def batch(buffers: Pairs, nodes: Pairs = (), rows: int = 0, codec: int | None = None) -> Fields:
    fields: dict[int, Any] = {0: ("<q", rows), 1: ("<qq", list(nodes)), 2: ("<qq", list(buffers))}
    return fields if codec is None else fields | {3: {0: ("<b", codec)}}


def message(about: Fields | None, body: bytes | int = 0, kind: int = ROWS, mark: bytes = GO_ON) -> bytes:
    content = bytes(body) if isinstance(body, int) else body
    fields: dict[int, Any] = {1: ("<B", kind), 3: ("<q", len(content))}
    if about is not None:
        fields[2] = {1: about} if kind == WORDS else about
    head = flat(fields)
    return mark + struct.pack("<i", len(head)) + head + content


def stream(content: bytes) -> list[int]:
    return list(arrow.walk_stream(content))  # type: ignore[arg-type]


def file(*messages: bytes, words: int = 0, change: int = 0) -> bytes:
    """A file of these messages, of which the first ``words`` are said to be words; ``change``: of each place."""
    content, blocks = b"ARROW1\0\0", []
    for one in messages:
        head = one.index(b"\0body") if b"\0body" in one else len(one)
        blocks.append((len(content) + change, head, 0, len(one) - head))
        content += one
    about = flat({2: ("<qiiq", blocks[:words]), 3: ("<qiiq", blocks[words:])})
    return content + about + struct.pack("<i", len(about)) + b"ARROW1"


def of_file(content: bytes) -> list[int]:
    return list(arrow.walk_file(content))  # type: ignore[arg-type]


def error_of(content: bytes, walk: Any = stream) -> str:
    with pytest.raises(DamagedError) as excinfo:
        walk(content)
    return str(excinfo.value)


def test_a_stream_is_its_batches_up_to_its_end() -> None:
    first, second = message(batch([(0, 5), (8, 3)]), 16), message(batch([(0, 40)]), 40)
    assert stream(first + second) == [8, 40]
    assert stream(first + second + END) == [8, 40]
    assert stream(first + END + second) == [8]
    assert stream(message(None, kind=SCHEMA) + first) == [0, 8]
    assert stream(b"") == []


def test_streams_of_old_have_no_mark() -> None:
    first = message(batch([(0, 5)]), 8, mark=b"")
    assert stream(first + first + bytes(4) + first) == [5, 5]


def test_words_are_counted_and_what_has_no_body_is_not() -> None:
    assert stream(message(batch([(0, 24)]), 24, kind=WORDS)) == [24]
    for kind in (0, SCHEMA, 4):
        assert stream(message(batch([(0, 24)]), 24, kind=kind)) == [0]
    assert stream(message(None, 24)) == [0]
    assert stream(message({}, 24)) == [0]


@pytest.mark.parametrize(
    ("buffer", "fits"),
    [
        ((0, 24), True),
        ((0, 25), False),
        ((8, 16), True),
        ((8, 17), False),
        ((24, 0), True),
        ((25, 0), False),
        ((-1, 8), False),
        ((8, -1), False),
        ((1 << 62, 1 << 62), False),
        ((0, (1 << 63) - 1), False),
    ],
)
def test_a_buffer_lies_in_its_batch(buffer: tuple[int, int], fits: bool) -> None:
    content = message(batch([(0, 1), buffer]), 24)
    if fits:
        assert stream(content) == [1 + buffer[1]]
    else:
        assert error_of(content) == "a buffer is said to lie outside its batch"


@pytest.mark.parametrize(
    ("nodes", "rows", "most"),
    [
        ([(8 * 24 + SPARE, 0)], 0, None),
        ([(8 * 24 + SPARE + 1, 0)], 0, 8 * 24 + SPARE + 1),
        ([(1, 0), (8 * 24 + SPARE + 1, 0)], 5, 8 * 24 + SPARE + 1),
        ([], 8 * 24 + SPARE, None),
        ([], 8 * 24 + SPARE + 1, 8 * 24 + SPARE + 1),
        ([(5, 5)], 5, None),
        ([(5, 6)], 5, 5),
        ([(5, -1)], 5, 5),
        ([(5, 5), (3, 4)], 5, 5),
    ],
)
def test_a_batch_holds_a_value_in_a_bit_at_least(nodes: Pairs, rows: int, most: int | None) -> None:
    content = message(batch([(0, 24)], nodes, rows), 24)
    if most is None:
        assert stream(content) == [24]
    else:
        assert error_of(content) == f"a batch of 24 bytes cannot hold {most:,} values"


def compressed_buffer(length: int, size: int = 16) -> bytes:
    return struct.pack("<q", length).ljust(size, b"\0")


@pytest.mark.parametrize(("codec", "times"), [(0, 256), (1, 1 << 15)])
def test_a_packed_buffer_becomes_no_larger_than_its_compression_can_make_it(codec: int, times: int) -> None:
    most = 16 * times + SPARE
    at = [(0, 16), (16, 16)]
    assert stream(message(batch(at, codec=codec), compressed_buffer(1_000) + compressed_buffer(most))) == [1_000 + most]
    content = message(batch(at, codec=codec), compressed_buffer(1_000) + compressed_buffer(most + 1))
    assert error_of(content) == f"a buffer of 16 bytes cannot hold {most + 1:,}"
    for length in (-2, -(1 << 63)):
        assert "a buffer of 16 bytes cannot hold -" in error_of(
            message(batch(at, codec=codec), compressed_buffer(9) + compressed_buffer(length))
        )


def test_buffers_that_are_not_packed_and_empty_ones() -> None:
    at = [(0, 8), (8, 16), (24, 7), (24, 0)]
    content = compressed_buffer(500, 8) + compressed_buffer(-1) + b"\xff" * 8
    assert stream(message(batch(at, codec=0), content)) == [500 + 16]
    assert stream(message(batch([(8, 16)], codec=2), bytes(8) + compressed_buffer(1 << 50))) == [
        1 << 50
    ]  # nobody knows it
    assert stream(message(batch([(8, 16)], codec=-1), bytes(8) + compressed_buffer(1 << 50))) == [1 << 50]


def test_a_file_is_the_batches_of_its_footer() -> None:
    record_batches = [message(batch([(0, size)]), size) for size in (16, 24, 32)]
    words = message(batch([(0, 8)]), 8, kind=WORDS)
    assert of_file(file(words, *record_batches, words=1)) == [8, 16, 24, 32]
    assert of_file(file(*record_batches)) == [16, 24, 32]
    assert of_file(file()) == []
    assert of_file(file(record_batches[0], END, record_batches[1])) == [16, 24]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (file()[:-1] + b"2", "it does not end as an Arrow file does"),
        (bytes(11) + b"ARROW1", "it does not end as an Arrow file does"),
        (bytes(8) + struct.pack("<i", 1) + b"ARROW1", "the footer is said to lie at"),
        (bytes(8) + struct.pack("<i", -1) + b"ARROW1", "is said to lie at 9"),
    ],
)
def test_the_end_of_a_file_is_that_of_one(content: bytes, message: str) -> None:
    assert message in error_of(content, of_file)


def result_with_place(at: int, head: int, body: int) -> str:
    """What is said of a file whose footer names this place for its one batch of 24 bytes."""
    one = message(batch([(0, 24)]), 24)
    content = b"ARROW1\0\0" + one
    about = flat({3: ("<qiiq", [(at, head, 0, body)])})
    try:
        return str(of_file(content + about + struct.pack("<i", len(about)) + b"ARROW1"))
    except DamagedError as error:
        return str(error)


def test_batches_lie_before_the_footer() -> None:
    head = len(message(batch([(0, 24)]), 0))
    start = 8 + head + 24
    assert result_with_place(8, head, 24) == "[24]"
    assert result_with_place(8, head, 25) == f"a batch is said to lie at {8 + head} to {start + 1}, of {start} bytes"
    assert result_with_place(8, start - 8, 0) == "[24]"
    assert result_with_place(8, start - 7, 0) == f"a batch is said to lie at 8 to {start + 1}, of {start} bytes"
    assert "a batch is said to lie at -1 to" in result_with_place(-1, head, 24)
    assert "a batch is said to lie at" in result_with_place(8, head, -1)


def test_a_message_and_its_body_lie_in_what_there_is() -> None:
    whole = message(batch([(0, 24)]), 24)
    assert stream(whole) == [24]
    assert "a batch is said to lie at" in error_of(whole[:-1])
    assert "a message is said to lie at" in error_of(whole[: len(whole) - 25])
    assert "a part of its metadata is said to lie at" in error_of(GO_ON + b"\1\0\0")


def test_no_offset_leads_out_of_a_message() -> None:
    whole = message(batch([(0, 24)], [(3, 0)], 3), 24)
    root = 8 + struct.unpack_from("<i", whole, 8)[0]
    end = struct.unpack_from("<i", whole, 4)[0] + 8
    for place, value in [(8, 1_000), (8, -1_000), (root, 1_000), (root, -1_000)]:
        content = whole[:place] + struct.pack("<i", value) + whole[place + 4 :]
        assert f"of {end} bytes" in error_of(content)
    # The list of buffers is one longer than it is, and one longer than the message.
    (count,) = (k for k in range(8, end) if whole[k : k + 20] == struct.pack("<iqq", 1, 0, 24))
    for more in (2, 1_000):
        assert "a part of its metadata is said to lie at" in error_of(
            whole[:count] + struct.pack("<i", more) + whole[count + 4 :]
        )
