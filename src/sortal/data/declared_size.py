"""What a Parquet or Arrow file says of itself, held against its length before polars believes it.

A damaged or made-up file can name offsets beyond its end, or ask for terabytes; a library that allocates first and
reads later ends the whole process then. ``data.parquet`` and ``data.arrow`` walk through what is declared; nothing of
it is decoded here.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sortal.core.errors import DataError
from sortal.core.files import open_regular
from sortal.data.limits import FREELY_DECODED, INFLATION, MOST_TIMES_DECODED, SPARE, memory_left

Piece = int
"""Bytes of memory that the values of a row group or of a record batch need."""


class DamagedError(Exception):
    """What is declared cannot be: the message says what."""


@dataclass(frozen=True)
class Declared:
    """Bytes of memory: of all values, and of the ``largest`` piece that is read at once."""

    total: int
    largest: int


def declared(path: Path, walk: Callable[[mmap.mmap], Iterable[Piece]]) -> Declared:
    """What a file declares. Raises DataError where that cannot be true, or is more than this machine can hold at
    once.
    """
    try:
        with open_regular(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            size = len(content)
            pieces = list(walk(content))
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror or error}") from error
    except (DamagedError, IndexError, ValueError, struct.error) as error:
        raise DataError(f"{path.name} is damaged or cut off: {error}") from error
    sizes = Declared(sum(pieces), max(pieces, default=0))
    if sizes.total > max(FREELY_DECODED, MOST_TIMES_DECODED * size):
        raise DataError(
            f"{path.name} has {size:,} bytes and says that they are {sizes.total:,} when they are unpacked, which no "
            "table does"
        )
    refuse_beyond_memory(path.name, sizes.largest)
    return sizes


def refuse_beyond_memory(name: str, size: int) -> None:
    """Raises DataError where so many bytes do not fit into the memory that is left."""
    if size > memory_left():
        raise DataError(
            f"{name} needs {size:,} bytes of memory, and {memory_left():,} are left here; give fewer rows or columns"
        )


def inflated(size: int, packed: int, method: str) -> int:
    """The size of a buffer when it is unpacked, as declared. Raises DamagedError where it cannot be that of ``packed``
    bytes.
    """
    most = INFLATION.get(method)
    if size < 0 or (most is not None and size > most * packed + SPARE):
        raise DamagedError(f"a buffer of {packed:,} bytes cannot hold {size:,}")
    return size


def within(start: int, length: int, end: int, what: str) -> None:
    """Raises DamagedError where a range does not lie in the bytes up to ``end``."""
    if start < 0 or length < 0 or start + length > end:
        raise DamagedError(f"{what} is said to lie at {start:,} to {start + length:,}, of {end:,} bytes")
