"""A deadline that is a deadline: the clock starts with the process and covers everything up to its end."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Deadline:
    """``budget`` seconds from ``started`` (a ``time.monotonic`` value)."""

    started: float
    budget: float

    @property
    def spent(self) -> float:
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        return self.budget - self.spent


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
