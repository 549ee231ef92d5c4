"""Whether polars can compute in this process: its threads do not go along when a process forks, and whoever waits for
them waits for ever.

``fork`` is how ``multiprocessing`` and ``concurrent.futures`` start processes on Linux up to Python 3.13, and how web
servers preload an application. A model scores there all the same, without polars (``core.door``).
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from sortal.core.errors import ForkError

_TASKS = Path("/proc/self/task")
_WORKER = re.compile(r"polars-\d")
_threads_missing = _at_risk = False


def polars_is_lost() -> bool:
    """Whether this process was forked from one in which the threads of polars ran."""
    return _threads_missing


def need_polars(what: str) -> None:
    """Raises ForkError where polars is needed for ``what`` and cannot compute in this process."""
    if _threads_missing:
        raise ForkError(
            f"{what} cannot be used in a process that was forked after polars had computed in its parent, whose "
            "threads it has not; "
            'start processes by "spawn" or "forkserver", or give the model dicts, numpy, pandas or pyarrow'
        )


def _runs() -> bool:
    """Whether polars has started its threads; where the system does not say so, whether it is imported."""
    if "polars" not in sys.modules:
        return False
    try:
        return any(_WORKER.match(task.joinpath("comm").read_text()) for task in _TASKS.iterdir())
    except OSError:
        return True


def _before() -> None:
    global _at_risk
    _at_risk = _threads_missing or _runs()


def _in_child() -> None:
    global _threads_missing
    _threads_missing = _at_risk


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_in_child)
