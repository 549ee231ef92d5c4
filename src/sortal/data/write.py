"""From tables to files, whole or not at all: results are written aside and renamed.

``replacing`` does so for one file of any kind, ``new_folder`` for a folder, ``writer`` for a table (which can also
go to the screen).
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import polars as pl

from sortal.core.errors import OptionError, OutputError, did_you_mean

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".arrow")

_HELD = 1 << 24
"""Characters for the standard output that are held in memory until all is there; more go to a file."""


class Writer(Protocol):
    """Takes the rows of a table, some at a time. All frames have the same columns; those of the first say the order."""

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows."""


@contextmanager
def writer(path: str | Path | None) -> Iterator[Writer]:
    """Write a table to a file of the format that its ending names, replacing the file if it is there.

    Without a path, write CSV to the standard output. All of it appears when the block ends, nothing if anything goes
    wrong, and a file stays as it was. Memory holds one frame at a time. Raises OptionError for another ending,
    OutputError where the file or a column cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writer(Path(folder) / "scored.csv") as out:
    ...         out.write(pl.DataFrame({"row": [1], "label": ["yes"]}))
    ...         out.write(pl.DataFrame({"row": [2], "label": ["no"]}))
    ...     print((Path(folder) / "scored.csv").read_text().split())
    ['row,label', '1,yes', '2,no']
    """
    if path is None:
        with tempfile.SpooledTemporaryFile(_HELD, "w+", encoding="utf-8", newline="") as held:
            yield _TextWriter(held.write, ".csv")
            held.seek(0)
            shutil.copyfileobj(held, sys.stdout)
        return
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"{path.name!r} names no format that can be written; {did_you_mean(suffix, SUFFIXES)}")
    with replacing(path) as temporary:
        if suffix in (".parquet", ".arrow"):
            yield from _write_parts(temporary, suffix)
        else:
            with temporary.open("wb") as file:
                yield _TextWriter(lambda text: file.write(text.encode()), suffix)


class _TextWriter:
    def __init__(self, write: Callable[[str], object], suffix: str) -> None:
        self._write = write
        self._suffix = suffix
        self._names: list[str] = []

    def write(self, frame: pl.DataFrame) -> None:
        header, self._names = not self._names, self._names or frame.columns
        frame = pl.DataFrame(list(map(frame.get_column, self._names)))
        for name, dtype in frame.schema.items():
            if _unwritable(dtype, self._suffix):
                what = f"column {name!r} of type {dtype} cannot be written as {self._suffix}"
                raise OutputError(f"{what}; write .parquet instead")
        if self._suffix == ".jsonl":
            self._write(frame.write_ndjson())
        else:
            self._write(frame.write_csv(separator="\t" if self._suffix == ".tsv" else ",", include_header=header))


def _unwritable(dtype: pl.DataType, suffix: str) -> bool:
    if isinstance(dtype, pl.Binary | pl.Object):
        return True
    return suffix != ".jsonl" and (dtype.is_nested() or isinstance(dtype, pl.Duration))


def _write_parts(temporary: Path, suffix: str) -> Iterator[Writer]:
    """These formats end with an index of all rows: frames are kept in files of their own, joined at last."""
    parts = _Parts(temporary)
    try:
        yield parts
        frames = [pl.scan_ipc(part, glob=False) for part in parts.paths] or [pl.LazyFrame()]
        joined = pl.concat(frames, how="diagonal_relaxed")
        if suffix == ".parquet":
            joined.sink_parquet(temporary, compression="zstd", maintain_order=True)
        else:
            joined.sink_ipc(temporary, compression="zstd", maintain_order=True)
    finally:
        for part in parts.paths:
            part.unlink(missing_ok=True)


class _Parts:
    def __init__(self, temporary: Path) -> None:
        self._temporary = temporary
        self.paths: list[Path] = []

    def write(self, frame: pl.DataFrame) -> None:
        part = self._temporary.with_name(f"{self._temporary.name}-{len(self.paths)}")
        self.paths.append(part)
        frame.write_ipc(part, compression="lz4")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the name ``path`` when the block ends without an error.

    After any error, Ctrl-C included, it is removed and ``path`` is as it was. An error of the operating
    system (no space, no permission, no folder) becomes an OutputError.
    """
    path = _resolved(path)
    temporary = path.with_name(f".{path.name}.partial-{os.getpid()}")
    with _failures_named(path, temporary):
        if path.is_dir():
            raise OutputError(f"{str(path)!r} is a folder; give the name of a file")
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder beside ``path`` to fill; it takes the name ``path`` when the block ends without an error.

    After any error, Ctrl-C included, it is removed. Folders above are made if needed. Raises OutputError
    where ``path`` exists, and for errors of the operating system.
    """
    path = _resolved(path)
    if path.exists():
        raise OutputError(f"{str(path)!r} exists already; choose another name or remove it")
    temporary = path.with_name(f".{path.name}.partial-{os.getpid()}")
    above = [parent for parent in path.parents if not parent.exists()]
    with _failures_named(path, temporary):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            for parent in above:
                _remove_if_empty(parent)
            raise


def _resolved(path: str | Path) -> Path:
    """What a link points to, so that the link stays one."""
    path = Path(path).expanduser()
    return path.resolve() if path.is_symlink() else path.absolute()


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _flush(path: Path) -> None:
    """Some file systems find out only now that they are full."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _failures_named(path: Path, temporary: Path) -> Iterator[None]:
    """Errors of the operating system about ``path`` or ``temporary``, as a sentence; others pass."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        code = _code(error)
        about = getattr(error, "filename", None)
        ours = code in _REASONS
        if about is not None:
            ours = path.is_relative_to(about) or str(about).startswith(str(temporary))
        if code is None or not ours:
            raise
        reason = _REASONS.get(code, os.strerror(code)).format(folder=path.parent)
        raise OutputError(f"{reason}: {path.name!r} could not be written; nothing was changed") from error


_REASONS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "the disk is full"),
    errno.EFBIG: "the file would be larger than is allowed here",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "no permission to write in '{folder}'"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "there is no folder '{folder}'"),
}


def _code(error: Exception) -> int | None:
    """The number of the system's error; polars has it only in the text."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if "transport error" in str(error):  # the end of a Parquet file does not fit: polars keeps the number to itself
        return errno.ENOSPC
    told = re.search(r"\(os error (\d+)\)", str(error))
    return int(told[1]) if told else None
