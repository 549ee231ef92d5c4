"""How much a file may ask for, so that none can hang or fill the machine that reads it. Each has its sentence where it
is met.

They are far above what a table of rows to learn from has, and stop what only a damaged file or an attack asks for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sortal.core.errors import DataError

LONGEST_LINE = 1 << 24
"""Bytes of a line, and characters of a row over several lines: 20,000 columns of 800 bytes each. A longer one has a
quote that is never closed, or is no line of a table."""

MOST_COLUMNS = 100_000
"""Columns, or keys of records: five times the genes of a human being. Chosen."""

MOST_EMPTY = 100
MOST_CELLS = 1 << 26
"""Records that name fewer than one in ``MOST_EMPTY`` of all keys are a table of next to nothing, and are refused where
it has more than ``MOST_CELLS`` cells (half a gigabyte). Chosen."""

DEEPEST = 64
"""Brackets within brackets in JSON. A table has three; Python's reader gives up at a thousand. Chosen."""

MOST_TIMES = 100
FREELY_UNPACKED = 1 << 26
"""A packed text may unpack to ``FREELY_UNPACKED`` bytes (64 MB), or to ``MOST_TIMES`` its size where that is more.
Tables shrink three- to twentyfold; a gigabyte of one letter a thousandfold in gzip, a millionfold in bzip2."""

MOST_TO_UNPACK = 1 << 28
"""Bytes of memory that unpacking xz may take: ``xz -9`` needs 65 MB, its header can ask for 4 GB."""

INFLATION = {"none": 1, "snappy": 22, "lz4": 256, "gzip": 1_033, "zstd": 1 << 15}
"""How many times its size a buffer can become when it is unpacked, by the format of each method: a copy of 64 bytes
takes 3 in snappy, a byte of a match in lz4 says 255, deflate writes 258 bytes in two bits, and a block of zstd repeats
a byte 2^17 times in 4. For brotli no such limit is known."""

FREELY_DECODED = 1 << 30
MOST_TIMES_DECODED = 1_000
"""A Parquet or Arrow file may declare values of ``FREELY_DECODED`` bytes (1 GB), or of ``MOST_TIMES_DECODED`` its size
where that is more: run lengths make much of little in honest tables, too. Chosen."""

SPARE = 1 << 16
"""Bytes beyond ``INFLATION`` that are never worth a refusal."""


MOST_PIPED = 0.5
"""The share of the free space of the folder for temporary files that the standard input may take. Chosen."""


def memory_left() -> int:
    """Bytes that this process may still take: those of the machine, or what is left of its own limit where that is
    less.
    """
    if sys.platform == "win32":
        return 1 << 40
    import resource

    page = os.sysconf("SC_PAGE_SIZE")
    machine = os.sysconf("SC_PHYS_PAGES") * page
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return machine
    process = Path("/proc/self/statm")
    bytes_in_use = int(process.read_text().split()[0]) * page if process.exists() else 0
    return min(machine, limit - bytes_in_use)


def too_many_columns(name: str, columns: int) -> DataError:
    """What to say of a table of more than ``MOST_COLUMNS``."""
    return DataError(
        f"{name} has {columns:,} columns, and {MOST_COLUMNS:,} is the most that sortal reads; leave some out"
    )
