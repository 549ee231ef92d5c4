"""Files of text as blocks of UTF-8: which encoding, which line, and where a file ends too early."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sortal.core.errors import DataError
from sortal.data import blocks
from sortal.data.blocks import encoding_of, open_binary, raw_blocks, utf8_blocks
from sortal.data.read import read


@pytest.mark.parametrize("is_quoted", [False, True])
def test_a_file_that_ends_within_a_character_is_refused(tmp_path, is_quoted):
    path = tmp_path / "a.csv"
    mark = '"' if is_quoted else ""
    path.write_bytes(f"a,b\n1,{mark}Köln{mark}\n2,{mark}Größ".encode() + b"\xc3")
    with pytest.raises(DataError, match="cut off in the middle of a character, in line 3"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_so_is_one_with_a_mark(tmp_path, encoding):
    path = tmp_path / "a.csv"
    text = "a,b\n1,Köln\n2,Größe"
    path.write_bytes(text.encode(encoding)[:-1] if encoding == "utf-16" else codecs.BOM_UTF8 + text.encode() + b"\xc3")
    with pytest.raises(DataError, match="cut off in the middle of a character, in line 3"):
        read(path)


def test_one_letter_of_an_older_encoding_at_the_end_is_read_in_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,x\n2,caf\xe9")
    source = read(path)
    assert source.frame.rows() == [("1", "x"), ("2", "café")]
    assert source.notes == ("not UTF-8 (see line 3): read as Windows-1252",)


def file_of(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    return path


CP1252, LATIN = "read as Windows-1252", "read as Latin-1"


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("content", "encoding", "note"),
    [
        (b"a,b\n1,2\n", "utf-8", ""),
        ("a,b\n1,ß€😀\n".encode(), "utf-8", ""),
        (codecs.BOM_UTF8 + b"a,b\n", "utf-8-sig", ""),
        (codecs.BOM_UTF16_LE + "a,b\n".encode("utf-16-le"), "utf-16", "encoded in UTF-16"),
        (codecs.BOM_UTF16_BE + "a,b\n".encode("utf-16-be"), "utf-16", "encoded in UTF-16"),
        (b"a,b\n1,\xe9\n", "cp1252", f"not UTF-8 (see line 2): {CP1252}"),
        (b"\xe9,b\n1,\xe9\n", "cp1252", f"not UTF-8 (see line 1): {CP1252}"),
        ("ß\nß\n".encode() + b"\xe9\n\x80\n", "cp1252", f"not UTF-8 (see line 3): {CP1252}"),
        (b"a\n\n\nb\xe9", "cp1252", f"not UTF-8 (see line 4): {CP1252}"),
        *(
            (b"a\n\xe9" + bytes([byte]) + b"\n", "latin-1", f"not UTF-8 (see line 2): {LATIN}")
            for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
        ),
        (b"\xe9\n\n\n\x81\n", "latin-1", f"not UTF-8 (see line 1): {LATIN}"),
        *(
            (b"a\n\xe9" + bytes([byte]) + b"\n", "cp1252", f"not UTF-8 (see line 2): {CP1252}")
            for byte in (0x80, 0x8E, 0x91, 0x9C, 0x9E)
        ),
    ],
)
def test_the_encoding_is_told_by_the_whole_file_and_the_line_by_its_number(
    content: bytes, encoding: str, note: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content.startswith(tuple(blocks._BOMS)):
        size = max(size, 3)  # a mark is never cut: blocks are larger by far
    monkeypatch.setattr(blocks, "raw_blocks", partial(raw_blocks, size=size))
    assert encoding_of(file_of(tmp_path, content)) == (encoding, note)


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize(("content", "line"), [(b"\0", 1), (b"a\n\n\xe9\0", 3), (b"a\n\xe9b\n\n1,\0\n\0\n", 4)])
def test_the_line_of_a_nul_byte_is_named(
    content: bytes, line: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "raw_blocks", partial(raw_blocks, size=size))
    with pytest.raises(DataError, match=rf"a binary file \(a NUL byte in line {line}\)"):
        encoding_of(file_of(tmp_path, content))


def test_a_cut_character_is_an_old_letter_only_where_no_other_is_wide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "raw_blocks", partial(raw_blocks, size=4))
    assert encoding_of(file_of(tmp_path, b"a\nb\nc\n\xe2\x82"))[1] == f"not UTF-8 (see line 4): {CP1252}"
    with pytest.raises(DataError, match=r"^t\.csv is cut off in the middle of a character, in line 4; get the whole"):
        encoding_of(file_of(tmp_path, "ä\nb\nc\n".encode() + b"\xe2\x82"))


@pytest.mark.parametrize("size", [1, 2, 5, 1 << 20])
@pytest.mark.parametrize(
    ("content", "encoding", "text"),
    [
        ("a\nß\n".encode(), "utf-8", "a\nß\n"),
        (codecs.BOM_UTF8 + "a\nß\n".encode(), "utf-8-sig", "a\nß\n"),
        ("a\nß€\n".encode("utf-16"), "utf-16", "a\nß€\n"),
        (b"a\n\x80\n", "cp1252", "a\n€\n"),
        (b"a\r\xe9\r", "latin-1", "a\né\n"),
        ("a\rß\r".encode(), "utf-8", "a\nß\n"),
        (b"a\r\nb\rc\n", "utf-8", "a\r\nb\rc\n"),
    ],
)
def test_all_text_is_utf8_in_lines(content: bytes, encoding: str, text: str, size: int, tmp_path: Path) -> None:
    pieces = list(utf8_blocks(file_of(tmp_path, content), encoding, size))
    assert b"".join(pieces).decode() == text
    assert max(map(len, pieces)) <= 3 * size


@pytest.mark.parametrize("size", [1, 4, 7, 1 << 20])
@pytest.mark.parametrize(("content", "line"), [(b"1234567\nab\n", 1), (b"ab\n\n1234567\nab\n", 3), (b"ab\n1234567", 2)])
def test_the_longest_line_is_counted_in_bytes_and_over_blocks(
    content: bytes, line: int, size: int, tmp_path: Path
) -> None:
    path = file_of(tmp_path, content)
    assert b"".join(utf8_blocks(path, "utf-8", size, longest=7)) == content
    if size == 1:  # a line that begins and ends within a block is no burden
        with pytest.raises(DataError, match=rf"^t\.csv, line {line} has more than 6 bytes, which no row"):
            list(utf8_blocks(path, "utf-8", size, longest=6))


def test_what_is_not_in_its_encoding_is_said(tmp_path: Path) -> None:
    path = file_of(tmp_path, codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"\x00\xdcxx")
    with pytest.raises(DataError, match=r"^t\.csv is not in utf-16 throughout: illegal"):
        list(utf8_blocks(path, "utf-16"))
    with pytest.raises(DataError, match=r"^t\.csv is cut off in the middle of a character, in line 3"):
        list(utf8_blocks(file_of(tmp_path, "a\nb\nc".encode("utf-16")[:-1]), "utf-16", 4))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_is_packed_says_its_size(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    compressed = pack(b"a,b\n1,2\n" * 10)
    with open_binary(file_of(tmp_path, compressed)) as (file, size):
        assert (file.read(), size) == (b"a,b\n1,2\n" * 10, len(compressed))
    with open_binary(file_of(tmp_path, b"a,b\n")) as (file, size):
        assert (file.read(), size) == (b"a,b\n", math.inf)


@pytest.mark.parametrize("size", [1_000, 1 << 20])
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_it_unpacks_to_so_many_times_its_size_or_so_many_bytes(
    pack: Callable[[bytes], bytes], size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"x" * 10_000
    path = file_of(tmp_path, pack(text))
    packed_size = path.stat().st_size
    for times, free, is_refused in ((1, 10_000, False), (1, 9_999, True), (10_000, 0, False), (9_999, 0, True)):
        monkeypatch.setattr(blocks, "MOST_TIMES", times / packed_size if free == 0 else times)
        if is_refused:
            with pytest.raises(DataError, match=r"^t\.csv unpacks to more than .* its size \(10,000 bytes so far\)"):
                list(raw_blocks(path, size, free))
        else:
            assert b"".join(raw_blocks(path, size, free)) == text


def test_blocks_have_the_size_that_was_asked_for(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"0123456789")
    assert list(raw_blocks(path, 4)) == [b"0123", b"4567", b"89"]
    assert list(raw_blocks(path)) == [b"0123456789"]
    assert list(raw_blocks(file_of(tmp_path, b""))) == []
