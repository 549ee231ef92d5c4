"""The sealed test rows of a run, and the ledger of every look at them.

A run folder holds ``sealed/test.parquet`` and ``ledger.jsonl``, one line an entry, each with the hash of the
entry before it. A line that was changed, removed or moved breaks the chain, and a broken chain opens nothing.

What a chain of hashes cannot see by itself: that its last lines were cut off, or that all of it was written anew. For
this, ``Seal.head`` is kept elsewhere (in ``run.json`` and in the card of the model) and handed to ``verify`` and
``Seal.open``: a ledger that does not contain these heads is refused. Nobody is kept from reading the Parquet file by
other means: the ledger makes honest work easy to prove, it does not make cheating impossible.

A hash of the chain is of everything but the time, since equal runs give equal model files, whose cards hold such a
hash. The time is in a second hash, of the whole line.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
import polars as pl

from sortal.core.errors import DataError, OutputError
from sortal.data.sealed_rows import LEDGER, MARK, TEST
from sortal.data.whole import PRIVATE, PRIVATE_FOLDER, replacing

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_NOTHING = "0" * 64


Heads = Mapping[str, str | None]
"""Hashes of entries that are known to have been in a ledger, by who knows it; None where nothing is known."""
NO_HEADS: Heads = {}


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    ``time``: UTC, ISO 8601. ``rows``: how many were sealed or shown. ``sha256``: of the sealed file. ``previous``: hash
    of the entry before, zeros in the first. ``hash``: SHA-256 of the line while it, ``check`` and ``time`` were empty;
    ``check``: of the line while only this was empty.
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
    check: str = ""

    def chained(self) -> Entry:
        """The same entry with its hashes."""
        entry = replace(self, hash=replace(self, time="", hash="", check="").digest)
        return replace(entry, check=replace(entry, check="").digest)

    @property
    def digest(self) -> str:
        """SHA-256 of the line as it stands."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    def line(self) -> bytes:
        return msgspec.json.encode(self) + b"\n"


def verify(path: Path, heads: Heads = NO_HEADS) -> tuple[Entry, ...]:
    """The entries of the ledger file, once every line is proven to be as it was written.

    Raises DataError for a ledger that is missing, was changed in any byte, or does not contain one of ``heads``.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"the ledger {path} cannot be read ({error.strerror}); {_DISTRUST}") from error
    entries = _entries(content, path)
    hashes = {entry.hash for entry in entries}
    for witness, head in heads.items():
        if head is not None and head not in hashes:
            fault = f"the entry {head[:12]}, which {witness} knows, is gone"
            raise DataError(f"the ledger {path} was cut or replaced: {fault}; {_DISTRUST}")
    return entries


def _entries(content: bytes, path: Path) -> tuple[Entry, ...]:
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
        frame.write_parquet(buffer, metadata=MARK)
        content = buffer.getvalue()
        first = _next((), "sealed", frame.height, hashlib.sha256(content).hexdigest(), by, reason)
        try:
            seal.path.parent.mkdir(parents=True, exist_ok=True)
            seal.path.parent.chmod(PRIVATE_FOLDER)
        except OSError as error:
            raise OutputError(f"cannot seal the test rows in {folder}: {error.strerror or error}") from error
        for path, whole in ((seal.path, content), (seal.ledger, first.line())):
            with replacing(path, PRIVATE) as partial:
                partial.write_bytes(whole)
        return seal

    def guard(self) -> None:
        """Nobody but the owner opens the folder of the sealed rows, nor the file."""
        self.path.parent.chmod(PRIVATE_FOLDER)
        self.path.chmod(PRIVATE)

    @property
    def path(self) -> Path:
        """The file of the sealed rows."""
        return self.folder / TEST

    @property
    def ledger(self) -> Path:
        return self.folder / LEDGER

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

    def open(
        self, reason: str, by: str, heads: Heads = NO_HEADS, note: Callable[[], None] = lambda: None
    ) -> pl.DataFrame:
        """The sealed rows. The look is in the ledger, on disk, before the rows are returned.

        Simultaneous calls, of other processes too, wait for each other and are all recorded. ``heads``: as in
        ``verify``. ``note`` is called once the look is in the ledger, while no other can begin: to write it down
        elsewhere, too. Raises DataError when the ledger or the sealed file was altered, and OutputError when the look
        cannot be recorded; the rows then stay closed.
        """
        with self._locked() as sealed:
            content = sealed.read()
            entries = verify(self.ledger, heads)
            self._check(content, entries[0])
            self._append(_next(entries, "opened", entries[0].rows, entries[0].sha256, by, reason))
            note()
        return pl.read_parquet(io.BytesIO(content))

    def _check(self, content: bytes, first: Entry) -> None:
        digest, ledger_digest = hashlib.sha256(content).hexdigest(), first.sha256
        if digest != ledger_digest:
            hashes = f"SHA-256 {digest[:12]}, sealed as {ledger_digest[:12]}"
            raise DataError(f"the sealed file {self.path} was altered ({hashes}); {_DISTRUST}")

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
