"""The one door to polars for what a stranger wrote: whatever goes wrong behind it is a PolarsError, and quiet.

A library in Rust that meets what it did not expect panics: it writes to the standard error, and raises what is no ``Exception``, so
that no clause would catch it.
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
    _held.begin()
    failed = False
    try:
        yield
    except pl.exceptions.PanicException as panic:
        failed = True
        raise pl.exceptions.ComputeError(str(panic) or "polars gave up") from None
    except pl.exceptions.PolarsError:
        failed = True  # what panics in a thread of polars arrives as an error
        raise
    finally:
        _held.end(failed)


class _Held:
    """The standard error of the process, kept back while some thread is in such a block. What is no panic's is written at its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._failed = False
        self._screen: int | None = None
        self._text: int | None = None

    def begin(self) -> None:
        with self._lock:
            self._blocks += 1
            if self._blocks > 1:
                return
            self._failed = False
            with suppress(OSError):  # closed, or no room: then panics are printed
                self._text = _nameless_file()
                self._screen = os.dup(_STDERR)
                os.dup2(self._text, _STDERR)

    def end(self, failed: bool) -> None:
        with self._lock:
            self._blocks -= 1
            self._failed |= failed
            if self._blocks:
                return
            if self._screen is not None and self._text is not None:
                os.dup2(self._screen, _STDERR)
                os.close(self._screen)
                self._release(self._text)
            elif self._text is not None:
                os.close(self._text)
            self._screen = self._text = None

    def _release(self, number: int) -> None:
        with os.fdopen(number, "rb") as file:
            file.seek(0)
            text = file.read()
        if self._failed:
            text = text.partition(_PANIC)[0]
        if text:
            os.write(_STDERR, text)


_STDERR = 2
_PANIC = b"\nthread '"


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stderr")
    number, path = tempfile.mkstemp()
    os.unlink(path)
    return number


_held = _Held()
