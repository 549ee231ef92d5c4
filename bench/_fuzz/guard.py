"""Limits on one case, and a watch over what it does to the process."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

SECONDS = 6.0
"""Of the processor, all threads together; a case on a small table takes a tenth of one."""
MEMORY = 300 * 2**20
"""Bytes that a case may take beyond what the process had. No file here holds 2 MB."""
ADDRESSES = 3 * 2**30
"""Bytes of address space beyond those of a process that has done a few cases: a huge request fails instead of ending
the machine."""
FORBIDDEN = (
    *("pickle.", "marshal.", "exec", "compile", "socket.", "subprocess.", "ctypes.", "import"),
    *(
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "os.spawn",
        "os.remove",
        "os.rename",
        "os.mkdir",
        "os.link",
        "os.symlink",
    ),
    *("shutil.", "code.__new__", "function.__new__", "cpython.run_"),
)


FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where files come and go fastest; else where temporary files usually are."""


class Timeout(BaseException):
    """A case took longer than it may. No clause of what is tested catches it."""


class Watch:
    """What the process did, while it was looked at, that reading a file never needs. One for a process: hooks stay."""

    def __init__(self) -> None:
        self._looking = False
        self._events: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._looking:
            return
        if event == "open":
            path, mode, flags = (*arguments, None, None)[:3]
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
                self._events.append(f"open for writing {Path(str(path)).name}")
        elif event.startswith(FORBIDDEN) and not _is_harmless(event, arguments):
            self._events.append(f"{event} {str(arguments[0])[:60]!r}" if arguments else event)

    @contextlib.contextmanager
    def looking(self) -> Iterator[list[str]]:
        """What happens in this block."""
        self._events, self._looking = [], True
        try:
            yield self._events
        finally:
            self._looking = False


def _is_harmless(event: str, arguments: tuple[object, ...]) -> bool:
    """What is imported already, and the encodings of Python, which are modules."""
    if event == "import":
        return str(arguments[0]) in sys.modules or str(arguments[0]).startswith("encodings.")
    return event in ("exec", "marshal.loads") and "encodings" in str(arguments)


def limit_addresses() -> None:
    """From here on the process gets so much more and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 2**20
    most = pages * resource.getpagesize() + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


@contextlib.contextmanager
def timed(seconds: float = SECONDS) -> Iterator[None]:
    """Raises Timeout in this block after so many seconds of the processor."""

    def ring(*_: object) -> None:
        raise Timeout

    former = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)


class Peak:
    """The most memory that a block of code held beyond what there was before it; 0 where the system does not say."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self._before = _resident()

    def growth(self) -> int:
        return _resident() - self._before


def _resident() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


class Screen(io.TextIOWrapper):
    """A stream of text that is kept, and that refuses what a terminal would."""

    def __init__(self, number: int) -> None:
        self.content = io.BytesIO()
        self._number = number
        super().__init__(self.content, encoding="utf-8", write_through=True)

    def fileno(self) -> int:
        return self._number

    def text(self) -> str:
        return self.content.getvalue().decode(errors="replace")


@contextlib.contextmanager
def noise() -> Iterator[list[str]]:
    """What libraries write to the standard error behind Python's back, and warnings."""
    messages: list[str] = []
    with tempfile.TemporaryFile(dir=FOLDER) as file, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield messages
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            messages += [
                f"{w.category.__name__}: {str(w.message)[:150]}" for w in warned if w.category is not UserWarning
            ]
            file.seek(0)
            messages += file.read(2_000).decode(errors="replace").splitlines()[:3]
