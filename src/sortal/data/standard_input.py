"""``-`` in place of a file: what comes in by the standard input, kept in a file while it is read."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from sortal.core.errors import DataError, OptionError
from sortal.data.blocks import BLOCK
from sortal.data.limits import MOST_PIPED
from sortal.data.whole import claimed, temporary_files

NAME = "standard input"
"""What messages call it."""


@contextmanager
def spooled(data: Sequence[str]) -> Iterator[list[str]]:
    """The paths with the standard input where one of them is ``-``. It is read more than once, so it goes to a file of
    its own, which is removed when the block ends. Raises OptionError where it is asked for twice, DataError where it
    may have no end.
    """
    if "-" not in data:
        yield list(data)
        return
    if data.count("-") > 1:
        raise OptionError("the standard input (-) can be read only once; give it once")
    with claimed(temporary_files(), "sortal") as aside:
        path = aside.path / NAME
        most = int(MOST_PIPED * shutil.disk_usage(aside.path).free)
        with path.open("wb") as file:
            for block in iter(partial(sys.stdin.buffer.read, BLOCK), b""):
                if file.write(block) == file.tell():
                    _refuse_zeros(block)
                if file.tell() > most:
                    raise DataError(
                        f"the {NAME} is longer than {most:,} bytes, half of the room left in {aside.path}; give a file"
                    )
        yield [str(path) if name == "-" else name for name in data]


def _refuse_zeros(first: bytes) -> None:
    """Raises DataError for a device that gives nothing but zeros, for ever."""
    if first and not first.strip(b"\0"):
        raise DataError(f"the {NAME} begins with nothing but NUL bytes, as no table does; pipe a table in")
