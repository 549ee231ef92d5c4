"""The seconds of one fit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CANCELLED: ContextVar[threading.Event | None] = ContextVar("cancelled", default=None)


@contextmanager
def cancelled_by(event: threading.Event) -> Iterator[None]:
    """The clocks that are made in this block, in this thread, have nothing left once the event is set: no signal
    reaches a fit in another thread than the first.
    """
    token = _CANCELLED.set(event)
    try:
        yield
    finally:
        _CANCELLED.reset(token)


class Clock:
    """Says how many of the seconds of one fit are spent and left."""

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self._seconds = seconds
        self._cancelled = _CANCELLED.get()

    @property
    def spent(self) -> float:
        return time.monotonic() - self._start

    @property
    def seconds_left(self) -> float:
        if self._cancelled is not None and self._cancelled.is_set():
            return 0.0
        return self._seconds - self.spent
