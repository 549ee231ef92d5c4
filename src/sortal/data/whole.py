"""Files and folders that appear whole or not at all: the one place where results get their names.

What is unfinished lies beside its final place in a folder of its own, ``.NAME.partial-RANDOM``, which is new (``mkdir``
follows no link and takes over no folder), which nobody else may enter (0700), and which this process holds a lock on.
So nothing can be planted there; only what was made here is removed; and a folder that nobody holds a lock on was left
by a run that was killed: the system gives locks back when a process ends, however it ends. Such folders are named by
``abandoned``, never removed unasked.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sortal.core.errors import OutputError
from sortal.data import sealed_rows

if sys.platform != "win32":
    import fcntl

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
"""Permissions of what only its owner may read."""
MOST_NAME = 200
"""Bytes of a name that its partial one repeats; file systems allow 255 for all of it."""
MOST_TOLD = 5
"""Unfinished results that are named; whoever has more of them looks into the folder."""
_PARTIAL = re.compile(r"\..*\.partial-[0-9a-f]{16}")


@contextmanager
def replacing(path: str | Path, mode: int | None = None, sparing: Sequence[str | Path] = ()) -> Iterator[Path]:
    """A path to write a file to, which takes the name ``path`` when the block ends without an error.

    After any error, Ctrl-C included, it is removed and ``path`` is as it was. Nobody else can read it before it is
    finished; then it has the permissions ``mode``: where None, those of the file that it replaces, else the usual ones.
    ``sparing``: files that are being read, which must not be replaced. Raises OutputError for these, for sealed rows
    and ledgers, for what is no ordinary file, and for errors of the operating system (no space, no permission, no
    folder).
    """
    path = _resolved(path)
    with _failures_named(path):
        _refuse_to_replace(path, sparing)
        with claimed(path.parent, path.name) as aside:
            usual = aside.usual_mode & 0o666
            if mode is None:
                mode = stat.S_IMODE(path.stat().st_mode) & 0o777 if path.exists() else usual
            partial = aside.path / path.name
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), PRIVATE))
            yield partial
            _finish(partial, mode)
            partial.replace(path)


@contextmanager
def new_folder(path: str | Path, mode: int | None = None) -> Iterator[Path]:
    """A folder beside ``path`` to fill; it takes the name ``path`` when the block ends without an error.

    After any error, Ctrl-C included, it is removed. Folders above are made if needed. Nobody else can enter it before
    it is finished; then it has the permissions ``mode``, the usual ones where None. Raises OutputError where ``path``
    exists, and for errors of the operating system.
    """
    path = _resolved(path)
    if path.exists():
        raise OutputError(f"{str(path)!r} exists already; choose another name or remove it")
    with _failures_named(path), _folders_above(path), claimed(path.parent, path.name) as aside:
        yield aside.path
        aside.path.chmod(aside.usual_mode if mode is None else mode)
        aside.path.rename(path)


def is_taken(path: Path) -> bool:
    """Whether there is a file or folder of this name, or an unfinished one that is to have it."""
    if path.exists():
        return True
    return path.parent.is_dir() and any(name.startswith(_stem(path.name)) for name in os.listdir(path.parent))


@dataclass
class Claim:
    """A new folder that only this process works in, until it is let go."""

    path: Path
    usual_mode: int
    _lock: int | None
    _file_id: tuple[int, int]
    _process: int = field(default_factory=os.getpid)

    @classmethod
    def make(cls, folder: Path, name: str) -> Claim:
        """A folder for what will be called ``name`` in ``folder``."""
        path = folder / (_stem(name) + secrets.token_hex(8))
        path.mkdir(PRIVATE_FOLDER)
        # The lock is there before anything is in it: an empty folder is nobody's.
        lock = _locked(path, wait=True)
        return cls(path, _usual_mode(path), lock, _identity(path))

    def remove(self) -> None:
        """Remove the folder, if it is still the one that was made here and has not got its final name."""
        if self._process != os.getpid():  # a copy of the process, by fork: the folder is not its own
            return
        with suppress(OSError):
            if _identity(self.path) == self._file_id:
                shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[Claim]:
    """A new folder that is removed when the block ends, unless it was renamed."""
    claim = Claim.make(folder, name)
    try:
        yield claim
    finally:
        claim.remove()


def temporary_folder() -> Claim:
    """A folder among the temporary files of the system."""
    return Claim.make(temporary_files(), "sortal")


def temporary_files() -> Path:
    return Path(tempfile.gettempdir())


def abandoned(folder: Path) -> list[str]:
    """A sentence for each unfinished result of ours that a killed process left in ``folder``.

    A living process holds a lock on its own. Where the system cannot tell (Windows, some network disks), nothing is
    named.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if _PARTIAL.fullmatch(entry.name))
    except OSError:
        return []
    paths = [path for path in (folder / name for name in names) if _is_abandoned(path)]
    more = [f"and {len(paths) - MOST_TOLD:,} more in {str(folder)!r}"] if len(paths) > MOST_TOLD else []
    sentences = [
        f"{str(path)!r} was left unfinished by a process that was killed (nobody holds its lock any more): "
        "it can be removed, and may hold rows of the data"
        for path in paths[:MOST_TOLD]
    ]
    return sentences + more


def unfinished(path: Path) -> list[Path]:
    """What killed processes left of the result that was to be called ``path``, the oldest first."""
    path = _resolved(path)
    if not path.parent.is_dir():
        return []
    results = [
        other for other in path.parent.iterdir() if other.name.startswith(_stem(path.name)) and _is_abandoned(other)
    ]
    return sorted(results, key=lambda other: other.stat().st_mtime)


def _is_abandoned(path: Path) -> bool:
    """An empty folder may be about to be locked, and holds nothing."""
    try:
        about = path.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or not os.listdir(path):
            return False
        lock = _locked(path, wait=False)
    except (OSError, AttributeError):
        return False
    if lock is None:
        return False
    os.close(lock)
    return True


def _locked(path: Path, wait: bool) -> int | None:
    """A file descriptor that holds the lock of this folder; None where it is taken, or cannot be had here."""
    if sys.platform == "win32":
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _usual_mode(folder: Path) -> int:
    """Of a folder that is made in this one. It follows from the mask of the process and what is set here: the system is
    asked.
    """
    probe = folder / "probe"
    probe.mkdir()
    try:
        return stat.S_IMODE(probe.stat().st_mode)
    finally:
        probe.rmdir()


def _stem(name: str) -> str:
    """What the names of unfinished results of this name begin with."""
    return f".{name.encode()[:MOST_NAME].decode(errors='ignore')}.partial-"


def _identity(path: Path) -> tuple[int, int]:
    about = path.lstat()
    return about.st_dev, about.st_ino


def _refuse_to_replace(path: Path, sparing: Sequence[str | Path]) -> None:
    if path.is_dir():
        raise OutputError(f"{str(path)!r} is a folder; give the name of a file")
    if sealed_rows.is_kept(path):
        raise OutputError(f"{str(path)!r} belongs to the sealed test of a run; give the name of another file")
    if not path.exists():
        return
    if not path.is_file():
        raise OutputError(f"{str(path)!r} is no ordinary file; give the name of a file")
    if any(other.exists() and other.samefile(path) for other in map(Path, sparing)):
        raise OutputError(f"{str(path)!r} is being read, and would be replaced; give the name of another file")


def _resolved(path: str | Path) -> Path:
    """What a link points to, so that the link stays one."""
    path = Path(path).expanduser()
    return path.resolve() if path.is_symlink() else path.absolute()


@contextmanager
def _folders_above(path: Path) -> Iterator[None]:
    """Makes the folders that ``path`` is to lie in; after an error those made here are removed, if nothing else came
    into them.
    """
    folders: list[Path] = []
    try:
        for folder in reversed([parent for parent in path.parents if not parent.exists()]):
            with suppress(FileExistsError):
                folder.mkdir()
                folders.append(folder)
        yield
    except BaseException:
        for folder in reversed(folders):
            with suppress(OSError):
                folder.rmdir()
        raise


def _finish(path: Path, mode: int) -> None:
    """Some file systems find out only now that they are full."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.chmod(mode)


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    """Errors of the operating system about ``path``, finished or not, as a sentence; others pass."""
    try:
        yield
    except Exception as error:
        code = _code(error)
        if code is None or not _is_about(path, error, code):
            raise
        reason = _REASONS.get(code, os.strerror(code)).format(folder=path.parent)
        raise OutputError(f"{reason}: {path.name!r} could not be written; nothing was changed") from error


def _is_about(path: Path, error: Exception, code: int) -> bool:
    about = getattr(error, "filename", None)
    if about is None:
        return code in _REASONS
    inside = Path(about).relative_to(path.parent).parts[:1] if Path(about).is_relative_to(path.parent) else ()
    return path.is_relative_to(about) or any(map(_PARTIAL.fullmatch, inside))


_REASONS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "the disk is full"),
    errno.EFBIG: "the file would be larger than is allowed here",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "no permission to write in '{folder}'"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "there is no folder '{folder}'"),
}


def _code(error: Exception) -> int | None:
    """The number of the system's error; polars has it only in the text of its own errors, some of which are no
    OSError.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if not isinstance(error, OSError) and not type(error).__module__.startswith("polars"):
        return None
    if "transport error" in str(error):  # the end of a Parquet file does not fit: polars keeps the number to itself
        return errno.ENOSPC
    match = re.search(r"\(os error (\d+)\)", str(error))
    return int(match[1]) if match else None
