"""The sealed test rows of a run, and the ledger of every look at them.

A run folder holds ``sealed/test.parquet`` and ``ledger.jsonl``, one line an entry, each with the hash of the
entry before it. A line that was changed, removed or moved breaks the chain, and a broken chain opens nothing.

What a chain of hashes cannot see by itself: that its last lines were cut off, or that all of it was written
anew. For this, ``Seal.head`` is kept elsewhere (``run.json``) and handed to ``verify`` and ``Seal.open``: a
ledger that does not contain the head is refused. Nobody is kept from reading the Parquet file by other means:
the ledger makes honest work easy to prove, it does not make cheating impossible.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
import polars as pl

from sortal.core.errors import DataError, OutputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = "ledger.jsonl"
SEALED = Path("sealed", "test.parquet")
_NOTHING = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    ``time``: UTC, ISO 8601. ``rows``: how many were sealed or shown. ``sha256``: of the sealed file.
    ``previous``: hash of the entry before, zeros in the first. ``hash``: SHA-256 of the line while it was
    empty.
    """

    index: int
    time: str
    event: Literal["sealed", "opened"]
    rows: int
    sha256: str
    by: str
    reason: str
    previous: str
    hash: str = ""

    def chained(self) -> Entry:
        """The same entry with its hash."""
        return replace(self, hash=hashlib.sha256(msgspec.json.encode(replace(self, hash=""))).hexdigest())

    def line(self) -> bytes:
        return msgspec.json.encode(self) + b"\n"


def verify(path: Path, head: str | None = None) -> tuple[Entry, ...]:
    """The entries of the ledger file, once every line is proven to be as it was written.

    ``head`` is the hash of an entry that is known to have been there. Raises DataError for a ledger that is
    missing, was changed in any byte, or does not contain ``head``.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"the ledger {path} cannot be read ({error.strerror}); {_DISTRUST}") from error
    return _entries(content, path, head)


def _entries(content: bytes, path: Path, head: str | None) -> tuple[Entry, ...]:
    *lines, rest = content.split(b"\n")
    if rest or not lines:
        raise DataError(f"the last line of the ledger {path} is incomplete; {_DISTRUST}")
    entries: list[Entry] = []
    previous = _NOTHING
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        event = "opened" if entries else "sealed"
        if entry is None or (entry.index, entry.event, entry.previous) != (number - 1, event, previous):
            raise DataError(f"line {number} of the ledger {path} was changed, removed or moved; {_DISTRUST}")
        entries.append(entry)
        previous = entry.hash
    if head is not None and head not in {entry.hash for entry in entries}:
        raise DataError(f"the ledger {path} was cut or replaced: the entry {head[:12]} is gone; {_DISTRUST}")
    return tuple(entries)


_DISTRUST = "the sealed rows stay closed, since looks at them can no longer be told: train again"


def _entry(line: bytes) -> Entry | None:
    """The entry of an untouched line: it is written the one way that we write it, and its hash is right."""
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return entry if entry.chained().line() == line + b"\n" else None


@dataclass(frozen=True)
class Seal:
    """The sealed rows of the run in ``folder``. Paths are relative to it, so a run may be renamed or moved.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     seal = Seal.close(Path(folder), pl.DataFrame({"x": [1, 2]}), by="doc")
    ...     rows = seal.open("final evaluation", by="doc")
    ...     seal.opens, seal.blind, rows.height
    (1, True, 2)
    """

    folder: Path

    @classmethod
    def close(cls, folder: Path, frame: pl.DataFrame, by: str, reason: str = "split before training") -> Seal:
        """Writes ``frame`` as the sealed rows of the run in ``folder`` and begins its ledger.

        Raises OutputError when something is sealed there already, or when it cannot be written.
        """
        seal = cls(folder)
        if seal.path.exists() or seal.ledger.exists():
            raise OutputError(f"{folder} has sealed rows already; give another folder with --out")
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        content = buffer.getvalue()
        first = _next((), "sealed", frame.height, hashlib.sha256(content).hexdigest(), by, reason)
        try:
            seal.path.parent.mkdir(0o700, parents=True, exist_ok=True)
            _write_aside(seal.path, content)
            seal.guard()
            _write_aside(seal.ledger, first.line())
        except OSError as error:
            raise OutputError(f"cannot seal the test rows in {folder}: {error.strerror or error}") from error
        return seal

    def guard(self) -> None:
        """Nobody but the owner opens the folder of the sealed rows, nor the file."""
        self.path.parent.chmod(0o700)
        self.path.chmod(0o600)

    @property
    def path(self) -> Path:
        """The file of the sealed rows."""
        return self.folder / SEALED

    @property
    def ledger(self) -> Path:
        return self.folder / NAME

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The ledger, verified. Raises DataError where it was altered."""
        return verify(self.ledger)

    @property
    def head(self) -> str:
        """Hash of the newest entry, to be kept outside the ledger."""
        return self.entries[-1].hash

    @property
    def opens(self) -> int:
        """How often the sealed rows were looked at."""
        return len(self.entries) - 1

    @property
    def blind(self) -> bool:
        """There was at most one look, so that no choice can have followed from an earlier one."""
        return self.opens <= 1

    def open(self, reason: str, by: str, head: str | None = None) -> pl.DataFrame:
        """The sealed rows. The look is in the ledger, on disk, before the rows are returned.

        Simultaneous calls, of other processes too, wait for each other and are all recorded. ``head``: as in
        ``verify``. Raises DataError when the ledger or the sealed file was altered, and OutputError when the
        look cannot be recorded; the rows then stay closed.
        """
        with self._locked() as sealed:
            content = sealed.read()
            entries = verify(self.ledger, head)
            found, recorded = hashlib.sha256(content).hexdigest(), entries[0].sha256
            if found != recorded:
                hashes = f"SHA-256 {found[:12]}, sealed as {recorded[:12]}"
                raise DataError(f"the sealed file {self.path} was altered ({hashes}); {_DISTRUST}")
            self._append(_next(entries, "opened", entries[0].rows, recorded, by, reason))
        return pl.read_parquet(io.BytesIO(content))

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        """The sealed file, with the right to write the ledger: one holder at a time."""
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise DataError(f"the sealed file {self.path} cannot be read ({error.strerror}); {_DISTRUST}") from error
        with file:
            _lock(file)
            yield file

    def _append(self, entry: Entry) -> None:
        """One line more, on disk when this returns; where that fails, the ledger is as before."""
        try:
            with self.ledger.open("r+b", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                try:
                    _write_all(file, entry.line())
                except OSError:
                    file.truncate(size)
                    raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(
                f"cannot record the look in {self.ledger} ({reason}), so the sealed rows stay closed"
            ) from error


def is_sealed(path: Path, beside: Path | None = None) -> Seal | None:
    """The seal that this data file belongs to, None for any other file.

    It lies in the ``sealed`` folder of a run, or it is a copy of what the run in ``beside`` (the folder of a
    model) has sealed. A copy in another format is not recognised.
    """
    path = path.resolve()
    home = Seal(path.parent.parent)
    if path.parent.name == SEALED.parent.name and home.ledger.is_file():
        return home
    if beside is None or not path.is_file() or not Seal(beside).ledger.is_file():
        return None
    with path.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == Seal(beside).entries[0].sha256
    return Seal(beside) if same else None


def _next(
    entries: tuple[Entry, ...],
    event: Literal["sealed", "opened"],
    rows: int,
    sha256: str,
    by: str,
    reason: str,
) -> Entry:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    previous = entries[-1].hash if entries else _NOTHING
    return Entry(len(entries), now, event, rows, sha256, by, reason, previous).chained()


def _write_all(file: io.RawIOBase | io.FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) or 0 :]
    os.fsync(file.fileno())


def _write_aside(path: Path, content: bytes) -> None:
    """The whole file or none of it."""
    aside = path.with_name(path.name + ".part")
    try:
        with aside.open("wb", buffering=0) as file:
            _write_all(file, content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _lock(file: BinaryIO) -> None:
    """Waits for the one lock on this file; closing the file gives it back."""
    if sys.platform == "win32":
        file.seek(2**30)
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                break
            except OSError:  # ten seconds have passed: wait on
                continue
        file.seek(0)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
