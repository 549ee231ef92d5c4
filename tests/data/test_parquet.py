"""What a Parquet file declares of the memory that it needs, and what it cannot declare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sortal.data import parquet
from sortal.data.declared import DamagedError, declared
from tests.data.compact import compact

INT64, FIXED_LENGTH = 2, 7
SPARE = 1 << 16
LEAF = {1: INT64, 4: b"a"}

Page = tuple[Mapping[int, Any], int]
"""The header of a page and how many bytes of it follow."""


def page(values: int, size: int, compressed_size: int | None = None, field: int = 5) -> Page:
    """Of values (``field`` 5, or 8 as newer files have them), or of words (7)."""
    compressed_size = size if compressed_size is None else compressed_size
    return {1: {5: 0, 7: 2, 8: 3}[field], 2: size, 3: compressed_size, field: {1: values}}, compressed_size


def file(
    *groups: Sequence[Sequence[Page]],
    values: int = 3,
    codec: int = 0,
    leaf: Mapping[int, Any] = LEAF,
    column: Mapping[int, Any] = {},
    footer: Mapping[int, Any] = {},
) -> bytes:
    """A file of row groups of columns of pages; ``column`` and ``footer`` say otherwise what their metadata say."""
    content, row_groups = parquet.MAGIC, []
    for columns in groups:
        chunks = []
        for pages in columns:
            chunk = b"".join(compact(header) + bytes(size) for header, size in pages)
            chunks.append({3: {4: codec, 5: values, 7: len(chunk), 9: len(content), **column}})
            content += chunk
        row_groups.append({1: chunks, 3: values})
    width = max(map(len, groups), default=0)
    schema = [{4: b"root", 5: width} if width else {4: b"root", 5: 1}, *[leaf] * width]
    about = compact({2: schema, 3: values * len(groups), 4: row_groups, **footer})
    return content + about + len(about).to_bytes(4, "little") + parquet.MAGIC


def memory(content: bytes) -> list[int]:
    return list(parquet.walk(content))  # type: ignore[arg-type]


def error_of(content: bytes) -> str:
    with pytest.raises(DamagedError) as excinfo:
        memory(content)
    return str(excinfo.value)


@pytest.mark.parametrize(
    ("pages", "size"),
    [
        ([page(3, 24)], 24),
        ([page(3, 100)], 100),
        ([page(3, 30, field=8)], 30),
        ([page(1, 50), page(2, 60)], 110),
        ([page(2, 16, field=7), page(3, 5)], 24),  # words of two numbers, and three places in five bytes
        ([page(2, 16, field=7), page(3, 9)], 25),
        ([page(3, 2)], 24),  # much of little: three numbers of eight bytes
    ],
)
def test_a_column_needs_what_its_pages_have_or_its_values_where_that_is_more(pages: list[Page], size: int) -> None:
    assert memory(file([pages])) == [size]


def test_each_row_group_is_a_piece_of_all_its_columns() -> None:
    first, second = [page(3, 40)], [page(3, 1)]
    assert memory(file([first, second], [second, second], [second, first])) == [64, 48, 64]
    assert memory(file()) == []


@pytest.mark.parametrize(
    ("kind", "width"), [(0, 1), (1, 4), (2, 8), (3, 12), (4, 4), (5, 8), (6, 16), (FIXED_LENGTH, 0), (9, 0)]
)
def test_the_width_of_a_value_is_that_of_its_type(kind: int, width: int) -> None:
    assert memory(file([[page(1000, 1)]], values=1000, leaf={1: kind, 4: b"a"})) == [max(1000 * width, 1)]


def test_a_value_of_fixed_length_says_its_own() -> None:
    assert memory(file([[page(1000, 1)]], values=1000, leaf={1: FIXED_LENGTH, 2: 5, 4: b"a"})) == [5_000]


@pytest.mark.parametrize(
    ("codec", "times"),
    [
        (0, 1),
        (1, 22),
        (2, 1_033),
        (3, math.inf),
        (4, math.inf),
        (5, 256),
        (6, 1 << 15),
        (7, 256),
        (8, math.inf),
        (60, math.inf),
    ],
)
def test_a_page_becomes_no_larger_than_its_compression_can_make_it(codec: int, times: float) -> None:
    if times == math.inf:
        assert memory(file([[page(3, 1 << 50, 10)]], codec=codec)) == [1 << 50]
    else:
        most = 10 * int(times) + SPARE
        assert memory(file([[page(3, most, 10)]], codec=codec)) == [most]
        assert (
            error_of(file([[page(3, most + 1, 10)]], codec=codec)) == f"a buffer of 10 bytes cannot hold {most + 1:,}"
        )


def test_pages_begin_where_the_words_do() -> None:
    plain = file([[page(2, 16, field=7), page(3, 5)]])
    words = len(compact(page(2, 16, field=7)[0])) + 16
    assert memory(plain) == [24]
    # The values alone begin behind the words, whose place stands in a field of its own.
    file_with_offset = file([[page(2, 116, field=7), page(3, 5)]], column={9: 4 + words + 100, 11: 4})
    assert memory(file_with_offset) == [121]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (file([[page(2, 16, field=7), page(4, 5)]]), "the pages of a column have more values than it"),
        (file([[page(17, 16, field=7), page(3, 5)]]), "a page of words is shorter than their number"),
        (file([[page(3, 24)]], footer={3: 4}), "its row groups have not as many rows as the file"),
        (file([[page(3, 24)]], footer={2: [LEAF]}), None),
        (file([[page(3, 24)]], footer={2: [LEAF, LEAF]}), "a row group has 1 columns, the schema 2"),
        (file([[page(3, 24)]], footer={2: [{4: b"a", 5: 2}, LEAF]}), None),
        (file([[page(3, 24)]], footer={2: 5}), "its metadata is not that of a Parquet file"),
        (file([[page(3, 24)]], footer={3: {}}), "a number in its metadata is {}"),
        (file([[page(3, 24)]], footer={4: [{1: [{3: 4}], 3: 3}]}), "its metadata is not that of a Parquet file"),
        (file([[page(3, 24)]], column={5: -1}), "a number in its metadata is -1"),
        (file([[page(3, 24)]], column={5: b"x"}), "a number in its metadata is None"),
        (b"PAR1" + file([[page(3, 24)]])[4:-4] + b"PARE", "it is encrypted"),
        (b"PAR1" + file([[page(3, 24)]])[4:-4] + b"PAR2", "it does not end as a Parquet file does"),
        (b"PAR1" + b"\0\0\0" + b"PAR1", "it does not end as a Parquet file does"),
    ],
)
def test_what_cannot_be_is_said(content: bytes, message: str | None) -> None:
    if message is None:
        assert memory(content) == [24]
    else:
        assert error_of(content) == message


def test_words_as_many_as_bytes_are_just_enough() -> None:
    assert memory(file([[page(16, 16, field=7), page(3, 5)]])) == [24]


def test_nothing_lies_beyond_the_footer() -> None:
    content = file([[page(3, 24)]])
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    size = footer - 4
    assert memory(file([[page(3, 24)]], column={7: size})) == [24]
    assert "a column is said to lie at 4 to" in error_of(file([[page(3, 24)]], column={7: size + 1}))
    # A page whose bytes are said to go on into the footer.
    header, _ = page(3, 25)
    assert "a page is said to lie at" in error_of(file([[(header, 24)]]))


@pytest.mark.parametrize(
    ("footer_start", "message"),
    [
        (4, None),
        (3, "the footer is said to lie at 4 to 3, of"),
        (0, "4 to 0, of"),
        (-1, "the footer is said to lie at -1"),
    ],
)
def test_the_footer_lies_behind_the_magic_bytes(footer_start: int, message: str | None) -> None:
    content = b"PAR1" + compact({2: [{4: b"root", 5: 1}], 3: 0, 4: []})
    content += (len(content) - footer_start).to_bytes(4, "little") + b"PAR1"
    if message is None:
        assert memory(content) == []
    else:
        assert message in error_of(content)


def test_a_file_of_an_ordinary_writer(tmp_path: Path) -> None:
    table = pl.DataFrame({"i": range(1_000), "s": ["word"] * 1_000})
    table.write_parquet(tmp_path / "t.parquet", row_group_size=400, compression="uncompressed")
    size = declared(tmp_path / "t.parquet", parquet.walk)
    assert 1_000 * 24 <= size.total <= 1_000 * 24 * 1.2  # numbers of 8 bytes, and views of texts of 16
    assert 400 * 24 <= size.largest <= 400 * 24 * 1.2
