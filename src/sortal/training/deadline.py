"""A deadline that is a deadline: the clock starts with the process and covers everything up to its end."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SKLEARN_SECONDS = 1.8
"""Importing scikit-learn, with the parts of SciPy and pandas that it imports, on the machine of docs/benchmarks.md."""


@dataclass(frozen=True)
class Deadline:
    """``budget`` seconds from ``started`` (a ``time.monotonic`` value); ``worked``: the seconds that this process had
    computed by then (``time.process_time``).
    """

    started: float
    budget: float
    worked: float = 0.0

    @classmethod
    def since(cls, started: float, budget: float) -> Deadline:
        """From a moment in the past. What the process has computed beyond the time since then, it had computed
        before.
        """
        return cls(started, budget, max(0.0, time.process_time() - (time.monotonic() - started)))

    @property
    def spent(self) -> float:
        return time.monotonic() - self.started

    @property
    def rest(self) -> float:
        return self.budget - self.spent

    @property
    def busyness(self) -> float:
        """How much longer things have taken so far than they would have alone on the machine, if they did nothing but
        compute.
        """
        return max(1.0, self.spent / max(time.process_time() - self.worked, 1e-3))

    @property
    def importing(self) -> float:
        """Seconds until scikit-learn is imported, which all but the simplest work needs; 0 where it is already."""
        # Whatever of it comes first brings nearly all of it along, as LightGBM does, which needs none of its models.
        return 0.0 if "sklearn.base" in sys.modules else SKLEARN_SECONDS * self.busyness


class Busyness:
    """How much longer the same work takes now than when this was made, for other processes come and go.

    Measured by some milliseconds of work, averaged over the last few looks: one alone may fall between two turns of the
    others.
    """

    WORK, LOOKS, EVERY = 400_000, 3, 0.3

    def __init__(self) -> None:
        self._looks = [self._look() for _ in range(self.LOOKS)]
        self._first = sum(self._looks) / self.LOOKS
        self._last = time.monotonic()

    def now(self) -> float:
        """1 where the machine is as it was, 2 where work takes twice as long; not below 1."""
        if time.monotonic() - self._last > self.EVERY:
            self._looks = [*self._looks[1:], self._look()]
            self._last = time.monotonic()
        return max(1.0, sum(self._looks) / self.LOOKS / self._first)

    def _look(self) -> float:
        start = time.perf_counter()
        sum(range(self.WORK))
        return time.perf_counter() - start


def process_start() -> float:
    """When this process was started, on the ``time.monotonic`` clock; now, where the system does not tell.

    The imports before the first line of ours are part of the wall clock that a person sees.
    """
    stat = Path("/proc/self/stat")
    if not stat.exists():
        return time.monotonic()
    # Field 22, counted behind the command name, which may hold spaces (proc(5)): ticks since boot.
    ticks = int(stat.read_text().rsplit(")", 1)[1].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age
