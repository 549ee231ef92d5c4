"""The seconds of one fit."""

from __future__ import annotations

import time


class Clock:
    """Says how many of the seconds of one fit are spent and left."""

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self._seconds = seconds

    @property
    def spent(self) -> float:
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        return self._seconds - self.spent
