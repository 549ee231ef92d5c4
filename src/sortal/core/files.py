"""Files that a person names: only what is a file is opened, as a pipe or a device may never end."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """The bytes of a file. Raises OSError where it cannot be opened, and for a folder, a pipe, a socket or a device, at
    once.
    """
    # Without O_NONBLOCK, a pipe would be waited for until somebody writes to it.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if stat.S_ISREG(os.fstat(number).st_mode):
        return os.fdopen(number, "rb")
    os.close(number)
    raise OSError(errno.EINVAL, "it is no file that can be read twice", str(path))


def sha256_of(path: Path) -> str:
    """Of the bytes of a file. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
