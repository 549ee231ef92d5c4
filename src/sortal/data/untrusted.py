"""The one door to polars for what a stranger wrote: whatever goes wrong behind it is a PolarsError, and quiet.

A library in Rust that meets what it did not expect panics: it writes to the standard error, and raises what is no
``Exception``, so that no clause would catch it.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import polars as pl


@contextmanager
def untrusted() -> Iterator[None]:
    """A block that reads what is in a file. A panic of polars in it becomes a ComputeError, and is not printed."""
    with quiet():
        try:
            yield
        except pl.exceptions.PanicException as panic:
            raise pl.exceptions.ComputeError(str(panic) or "polars gave up") from None


@contextmanager
def quiet() -> Iterator[None]:
    """A block in which threads of polars may read ahead: what they print of a panic is not shown."""
    _stderr.begin()
    try:
        yield
    finally:
        _stderr.end()


class _WithheldOutput:
    """The standard error of the process, kept back while some thread is in such a block, and written at its end up to a
    panic.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._screen: int | None = None

    def begin(self) -> None:
        with self._lock:
            self._blocks += 1
            if self._blocks == 1:
                with suppress(OSError):  # it is closed, or there is no room: then panics are printed
                    self._screen = self._swap()

    def end(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks and self._screen is not None:
                text = os.dup(_STDERR)
                os.dup2(self._screen, _STDERR)
                os.close(self._screen)
                self._screen = None
                _release(text)

    @staticmethod
    def _swap() -> int:
        """The screen, in whose place a file without a name stands now."""
        screen = os.dup(_STDERR)
        try:
            text = _nameless_file()
            os.dup2(text, _STDERR)
            os.close(text)
        except OSError:
            os.close(screen)
            raise
        return screen


def _release(number: int) -> None:
    with os.fdopen(number, "rb") as file:
        file.seek(0)
        text = file.read().partition(_PANIC)[0]
    while text:
        text = text[os.write(_STDERR, text) :]


_STDERR = 2
_PANIC = b"\nthread '"


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stderr")
    number, path = tempfile.mkstemp()
    os.unlink(path)
    return number


_stderr = _WithheldOutput()
