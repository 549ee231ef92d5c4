"""``-`` in place of a file: what comes in by the standard input, kept in a file while it is read."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sortal.core.errors import OptionError
from sortal.data.whole import claimed, temporary_files

NAME = "standard input"
"""What messages call it."""


@contextmanager
def spooled(data: Sequence[str]) -> Iterator[list[str]]:
    """The paths with the standard input where one of them is ``-``. It is read more than once, so it goes to a file of its own,
    which is removed when the block ends. Raises OptionError where it is asked for twice.
    """
    if "-" not in data:
        yield list(data)
        return
    if data.count("-") > 1:
        raise OptionError("the standard input (-) can be read only once; give it once")
    with claimed(temporary_files(), "sortal") as aside:
        path = aside.path / NAME
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield [str(path) if given == "-" else given for given in data]
