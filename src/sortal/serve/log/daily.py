"""One Parquet file a day, kept up with the labels that come later.

It is made in a process of its own, at low priority: reading a day and writing it takes memory and time that those who
answer requests are not to miss. Of several workers one does it, which holds a lock on a file in the folder.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import msgspec

from sortal.core.errors import OptionError, OutputError, SortalError
from sortal.data.whole import PRIVATE
from sortal.serve.log.address import open_store
from sortal.serve.log.days import DAY, SETTLE_SECONDS, day_file, day_of
from sortal.serve.log.records import Role

if sys.platform != "win32":
    import fcntl

LOGGER = logging.getLogger("sortal.serve.log")
EVERY = 3_600.0
"""Seconds between two looks whether a day is over."""
MARK = ".exported"
"""The file in the folder whose time of change says when labels were looked for the last time."""
PLACES: dict[Role, str] = {"shadow": "shadow", "champion": "."}
"""Whose predictions are written where: those of a shadow are of the same rows. The champion's come last, as a day that
has their file is done.
"""
LATE = 3_600.0
"""Seconds that a label may have been on its way into the log."""
COMMAND = [sys.executable, "-m", "sortal.serve.log.daily"]
POLITE = 10
"""Added to the niceness of the process."""


class Job(msgspec.Struct, frozen=True):
    """What the process is told, on its standard input: an address may hold a password."""

    log: str
    folder: str
    target: str


def check_export(log: str | None, folder: Path) -> None:
    """Whether there can be an export. Raises OptionError and OutputError where not."""
    if log is None:
        raise OptionError("--export writes the log of each day, and there is none: leave out --log none")
    if find_spec("polars") is None:
        raise OptionError("--export writes Parquet, which needs polars: pip install polars")
    if not folder.is_dir():
        raise OutputError(f"there is no folder {str(folder)!r} for the export of the log; make it first")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"no permission to write in {str(folder)!r}, where the log is to be exported to")


class DailyExport:
    """A thread that looks every hour whether there is a day to export, until it is stopped."""

    def __init__(self, log: str, folder: Path, target: str) -> None:
        self._job = Job(log, str(folder), target)
        self._end_event = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="sortal-export", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """An export that runs is given up; nothing is half-written."""
        self._end_event.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(5.0)

    def _work(self) -> None:
        while not self._end_event.is_set():
            self._export()
            self._end_event.wait(EVERY)

    def _export(self) -> None:
        self._process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        _, error_output = self._process.communicate(msgspec.json.encode(self._job))
        if self._process.returncode and not self._end_event.is_set():
            lines = error_output.decode(errors="replace").strip().splitlines() or ["it was killed"]
            LOGGER.error("the log could not be exported: %s", lines[-1])


def export_days(log: str, folder: Path, target: str, now: float) -> list[Path]:
    """Write the days that are over and have no file yet, and those whose rows got labels since the last time.

    Returns the files that are new or changed; none where another process is at it. Raises SortalError where a file
    cannot be written or the log cannot be read; days before that one have their files.
    """
    from sortal.serve.log.export import export

    with _alone(folder) as last_look, closing(open_store(log, make=False)) as store:
        oldest = next(store.read(), None)
        if last_look is None or oldest is None:
            return []
        # Once a day, as a day of many rows takes minutes.
        refresh = day_of(last_look) < day_of(now)
        labelled_days = store.days_labelled_since(last_look - LATE) if refresh else set()
        files = []
        for day in range(day_of(oldest.prediction.time), day_of(now - SETTLE_SECONDS)):
            if day_file(folder, day).exists() and day not in labelled_days:
                continue
            for role, place in PLACES.items():
                file = day_file(folder / place, day)
                if export(store, file, day * DAY, (day + 1) * DAY, role=role, target=target):
                    files.append(file)
        if refresh:
            os.utime(folder / MARK, (now, now))
        return files


@contextmanager
def _alone(folder: Path) -> Iterator[float | None]:
    """When labels were looked for the last time, 0 for never; None where another process is at it."""
    mark = folder / MARK
    last_look = mark.stat().st_mtime if mark.exists() else 0.0
    descriptor = os.open(mark, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if last_look == 0.0:
            os.utime(mark, (0, 0))
        yield last_look
    except BlockingIOError:
        yield None
    finally:
        os.close(descriptor)


def main() -> None:
    """The process: what it is told comes on the standard input."""
    os.nice(POLITE)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    try:
        export_days(job.log, Path(job.folder), job.target, time.time())
    except (SortalError, KeyboardInterrupt) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
