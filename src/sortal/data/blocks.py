"""A text file as blocks of UTF-8, whatever its encoding and compression; never all of it in memory."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from sortal.core.errors import DataError
from sortal.core.files import open_regular
from sortal.data.limits import FREELY_UNPACKED, LONGEST_LINE, MOST_TIMES, MOST_TO_UNPACK

BLOCK = 1 << 24
"""Bytes read at a time."""

_START = 1 << 10
"""Bytes that show how a file is packed, and for xz how much memory it asks for."""

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@contextmanager
def open_binary(path: Path) -> Iterator[tuple[IO[bytes], float]]:
    """The bytes of a file, unpacked if it is gzip, bzip2 or xz; and its size, which is infinite where nothing is
    unpacked.

    Raises DataError if it cannot be opened.
    """
    try:
        file = open_regular(path)
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror or error}") from error
    with file:
        start = file.read(_START)
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if start.startswith(b"\x1f\x8b"):
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file)), size
        elif start.startswith(b"BZh"):
            yield bz2.BZ2File(file), size
        elif start.startswith(b"\xfd7zXZ\x00"):
            _check_memory_of_xz(path, start)
            with lzma.LZMAFile(file) as unpacked:
                yield unpacked, size
        elif start.startswith(b"\x28\xb5\x2f\xfd"):
            raise DataError(
                f"{path.name} is compressed with zstd, which is read only inside Parquet and Arrow; unpack it"
            )
        else:
            yield file, math.inf


def _check_memory_of_xz(path: Path, start: bytes) -> None:
    try:
        lzma.LZMADecompressor(memlimit=MOST_TO_UNPACK).decompress(start, max_length=1)
    except lzma.LZMAError as error:
        raise DataError(f"{path.name} is damaged and cannot be unpacked: {error}") from error


def raw_blocks(path: Path, size: int = BLOCK, free: int = FREELY_UNPACKED) -> Iterator[bytes]:
    """The decompressed bytes of a file.

    Raises DataError where the file ends too early or is damaged, and where it unpacks to more than ``free`` bytes that
    are ``MOST_TIMES`` its size.
    """
    with open_binary(path) as (file, packed):
        most, total = max(free, MOST_TIMES * packed), 0
        while True:
            try:
                block = file.read(size)
            except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise DataError(f"{path.name} is damaged and cannot be unpacked: {error}") from error
            total += len(block)
            if total > most:
                raise DataError(
                    f"{path.name} unpacks to more than {MOST_TIMES} times its size ({total:,} bytes so far), which "
                    "no table does; "
                    "if it is one, unpack it first"
                )
            if not block:
                return
            yield block


def encoding_of(path: Path) -> tuple[str, str]:
    """The encoding of a text file, and a note where it is not UTF-8.

    A byte-order mark decides; else all of the file is tried as UTF-8, and is Windows-1252 (or Latin-1, where a byte is
    not in use there) if that fails. Raises DataError for a file with NUL bytes, which is no text, and for one that ends
    in the middle of a character.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, odd, windows, wide = 1, 0, True, False  # odd: the first line that is not in UTF-8
    for number, block in enumerate(raw_blocks(path)):
        if number == 0:
            bom = next((bom for bom in _BOMS if block.startswith(bom)), None)
            if bom == codecs.BOM_UTF8:
                return _BOMS[bom], ""
            if bom is not None:
                return _BOMS[bom], "encoded in UTF-16"
        if b"\0" in block:
            line = lines + block.count(b"\n", 0, block.index(b"\0"))
            raise DataError(f"{path.name} is a binary file (a NUL byte in line {line:,}), not a table in text form")
        if not odd:
            try:
                wide = not decoder.decode(block).isascii() or wide
            except UnicodeDecodeError as error:
                odd = lines + error.object.count(b"\n", 0, error.start)
        lines += block.count(b"\n")
        windows = windows and not any(byte in block for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"))
    if not odd and decoder.getstate()[0]:
        if wide:
            raise DataError(
                f"{path.name} is cut off in the middle of a character, in line {lines:,}; get the whole file"
            )
        odd = lines
    if not odd:
        return "utf-8", ""
    encoding, name = ("cp1252", "Windows-1252") if windows else ("latin-1", "Latin-1")
    return encoding, f"not UTF-8 (see line {odd:,}): read as {name}"


def utf8_blocks(path: Path, encoding: str, size: int = BLOCK, longest: float = LONGEST_LINE) -> Iterator[bytes]:
    """The text of a file in UTF-8 without a byte-order mark, lines ended by a newline.

    Raises DataError where the bytes are not in this encoding, and for a line of more than ``longest`` bytes.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    old_mac = _ends_lines_by_return(path, encoding)
    lines, length = 1, 0
    for block in raw_blocks(path, size):
        if encoding == "utf-8":
            text = block
        else:
            try:
                text = decoder.decode(block).encode()
            except UnicodeDecodeError as error:
                raise DataError(f"{path.name} is not in {encoding} throughout: {error.reason}") from error
        if old_mac:
            text = text.replace(b"\r", b"\n")
        end = text.find(b"\n")
        length += len(text) if end < 0 else end
        if length > longest:
            raise DataError(
                f"{path.name}, line {lines:,} has more than {longest:,} bytes, which no row of a table has; give "
                "each row a line"
            )
        if end >= 0:
            lines += text.count(b"\n")
            length = len(text) - text.rfind(b"\n") - 1
        yield text
    if decoder.getstate()[0]:
        raise DataError(f"{path.name} is cut off in the middle of a character, in line {lines:,}; get the whole file")


def _ends_lines_by_return(path: Path, encoding: str) -> bool:
    """Whether lines end as they did on an old Macintosh."""
    head = codecs.getincrementaldecoder(encoding)("replace").decode(next(raw_blocks(path), b""))
    return "\r" in head and "\n" not in head
