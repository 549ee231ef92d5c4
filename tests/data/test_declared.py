"""What a file declares is held against its length and the memory."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sortal.core.errors import DataError
from sortal.data import declared as module
from sortal.data.declared import DamagedError, Declared, declared, inflated, refuse_beyond_memory, within

SPARE = 1 << 16


@pytest.mark.parametrize(
    ("method", "times"), [("none", 1), ("snappy", 22), ("lz4", 256), ("gzip", 1_033), ("zstd", 32_768)]
)
def test_no_buffer_becomes_larger_than_its_method_can_make_it(method: str, times: int) -> None:
    most = 1_000 * times + SPARE
    assert inflated(most, 1_000, method) == most
    assert inflated(0, 1_000, method) == 0
    with pytest.raises(DamagedError, match=f"^a buffer of 1,000 bytes cannot hold {most + 1:,}$"):
        inflated(most + 1, 1_000, method)
    with pytest.raises(DamagedError, match=r"^a buffer of 1,000 bytes cannot hold -1$"):
        inflated(-1, 1_000, method)


@pytest.mark.parametrize("method", ["brotli", "lzo", ""])
def test_of_other_methods_no_limit_is_known(method: str) -> None:
    assert inflated(1 << 60, 1, method) == 1 << 60
    with pytest.raises(DamagedError, match="cannot hold -1"):
        inflated(-1, 1, method)


@pytest.mark.parametrize(
    ("start", "length", "fits"),
    [
        *((0, 0, True), (0, 5, True), (5, 0, True), (3, 2, True)),
        *((0, 6, False), (3, 3, False), (6, 0, False), (-1, 2, False), (2, -1, False)),
    ],
)
def test_a_range_lies_within_or_is_refused(start: int, length: int, fits: bool) -> None:
    if fits:
        within(start, length, 5, "a page")
    else:
        message = f"^a page is said to lie at {start} to {start + length}, of 5 bytes$"
        with pytest.raises(DamagedError, match=message):
            within(start, length, 5, "a page")


def walk(*pieces: int) -> Callable[[object], Iterator[int]]:
    return lambda content: iter(pieces)


@pytest.fixture
def three_bytes(tmp_path: Path) -> Path:
    path = tmp_path / "t.bin"
    path.write_bytes(b"abc")
    return path


def test_pieces_are_added_up_and_the_largest_is_told(three_bytes: Path) -> None:
    assert declared(three_bytes, walk(5, 9, 2)) == Declared(16, 9)
    assert declared(three_bytes, walk()) == Declared(0, 0)
    contents: list[bytes] = []
    declared(three_bytes, lambda content: contents.append(content[:]) or [])
    assert contents == [b"abc"]


@pytest.mark.parametrize(("freely", "most"), [(0, 3_000), (2_999, 3_000), (3_001, 3_001), (1 << 20, 1 << 20)])
def test_a_file_declares_a_thousand_times_its_size_or_what_is_free(
    freely: int, most: int, three_bytes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FREELY_DECODED", freely)
    assert declared(three_bytes, walk(most - 1, 1)).total == most
    message = rf"^t\.bin has 3 bytes and says that they are {most + 1:,} when they are unpacked"
    with pytest.raises(DataError, match=message):
        declared(three_bytes, walk(most, 1))


def test_the_largest_piece_fits_into_the_memory_and_all_need_not(
    three_bytes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "memory_left", lambda: 1_000)
    assert declared(three_bytes, walk(1_000, 1_000)) == Declared(2_000, 1_000)
    message = r"^t\.bin needs 1,001 bytes of memory, and 1,000 are left here; give fewer rows or columns$"
    with pytest.raises(DataError, match=message):
        declared(three_bytes, walk(7, 1_001))
    refuse_beyond_memory("t.csv", 1_000)
    with pytest.raises(DataError, match=r"^t\.csv needs 1,001 bytes"):
        refuse_beyond_memory("t.csv", 1_001)


@pytest.mark.parametrize("error", [DamagedError("x"), IndexError("x"), ValueError("x"), struct.error("x")])
def test_what_goes_wrong_on_the_walk_is_damage(error: Exception, three_bytes: Path) -> None:
    def failing_walk(content: object) -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(DataError, match=r"^t\.bin is damaged or cut off: x$"):
        declared(three_bytes, failing_walk)


def test_what_cannot_be_opened_or_is_empty_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.bin cannot be opened: No such file or directory$"):
        declared(tmp_path / "gone.bin", walk(1))
    (tmp_path / "empty.bin").touch()
    with pytest.raises(DataError, match=r"^empty\.bin is damaged or cut off"):
        declared(tmp_path / "empty.bin", walk(1))
