"""A log in a file of SQLite."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from sortal.core.errors import StoreError
from sortal.serve.log.rows import COLUMNS, Row, ids_as_json, label_of
from sortal.serve.log.store import (
    MOST_DELETED,
    PAGE,
    PROTOCOL,
    RECENT_LABELS,
    InsertResult,
    LabelRow,
    LogStore,
    Queries,
    refuse_newer,
)

APPLICATION = 0x736F7274
"""``sort``, by which a file of SQLite says whose it is."""
PATIENCE = 5.0
"""Seconds that one writer waits for another, which needs some milliseconds."""
PAUSE = 0.01
"""Seconds between two attempts where SQLite itself does not wait."""
PRIMARY = 0xFF
"""The part of an error code of SQLite that says what it is, without the reason."""
CACHE = 64 * 2**20
"""Bytes. Row ids come in no order: the pages of their index have to be at hand."""
MMAP_SIZE = 2**30
"""Bytes of the file that are read where the system has them: reading a million of rows with their labels takes 6.5 µs a
row in the place of 11, and memory is shared by processes.
"""
PRIVATE = 0o600
"""A log holds the data of people: nobody else may read it."""

TABLES = (
    """CREATE TABLE predictions (
        id INTEGER PRIMARY KEY, row_id TEXT NOT NULL, time REAL NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL,
        inputs TEXT NOT NULL, redacted TEXT NOT NULL, prediction TEXT NOT NULL, probabilities TEXT NOT NULL,
        decision TEXT NOT NULL, prediction_set TEXT, warnings TEXT NOT NULL, seconds REAL NOT NULL) STRICT""",
    "CREATE INDEX predictions_time ON predictions (time)",
    "CREATE INDEX predictions_row ON predictions (row_id)",
    """CREATE TABLE labels (
        id INTEGER PRIMARY KEY, row_id TEXT NOT NULL UNIQUE, label TEXT NOT NULL, time REAL NOT NULL) STRICT""",
    "CREATE INDEX labels_time ON labels (time)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {PROTOCOL}",
)
TOGETHER = (64, 8, 1)
"""Rows of one statement. The interpreter is let go of, and waited for, once a statement: a row for itself would take it
from those who answer as often as it has rows. A label alone takes half as long again.
"""


def _insertions(table: str, columns: Sequence[str]) -> dict[int, str]:
    """Statements, by how many rows they insert: the most first."""
    values = f"({', '.join('?' * len(columns))})"
    into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    return {rows: f"{into} {', '.join([values] * rows)}" for rows in TOGETHER}


ADD = _insertions("predictions", COLUMNS)
ADD_LABELS = _insertions("labels", ("row_id", "label", "time"))
ODD = """
    SELECT value, label FROM json_each(?) LEFT JOIN labels ON labels.row_id = value
    WHERE label IS NOT NULL OR NOT EXISTS (SELECT 1 FROM predictions p WHERE p.row_id = value)"""
"""Of row ids those that have a label, and those that no prediction is known of."""
WHOLE = f"{', '.join(f'p.{name}' for name in COLUMNS)}, l.label, l.time, p.id"
READ = f"""
    SELECT {WHOLE} FROM predictions p LEFT JOIN labels l ON l.row_id = p.row_id
    WHERE p.time >= ?1 AND (p.time > ?1 OR p.id > ?2) AND p.time < ?3 ORDER BY p.time, p.id LIMIT {PAGE}"""
READ_LATE = f"""
    SELECT {WHOLE} FROM predictions p LEFT JOIN labels l ON l.row_id = p.row_id
    WHERE p.id > ? AND p.time < ? ORDER BY p.id LIMIT {PAGE}"""
LABELLED_DAYS = """
    SELECT DISTINCT CAST(p.time / 86400 AS integer)
    FROM labels l JOIN predictions p ON p.row_id = l.row_id WHERE l.time >= ?"""
LABELLED = f"""
    SELECT {WHOLE} FROM (SELECT * FROM labels ORDER BY time DESC LIMIT {RECENT_LABELS}) l
    CROSS JOIN predictions p ON p.row_id = l.row_id
    WHERE p.model = ? AND p.role = 'champion' ORDER BY l.time DESC, p.time DESC LIMIT ?"""
"""SQLite keeps the order of a cross join: labels first, as predictions are found by their row."""
READ_LABELLED = f"""
    SELECT {WHOLE.replace("p.id", "l.id")} FROM (
        SELECT * FROM labels WHERE time >= ?1 AND (time > ?1 OR id > ?2) AND time < ?3 ORDER BY time, id LIMIT {PAGE}) l
    LEFT JOIN predictions p ON p.row_id = l.row_id ORDER BY l.time, l.id, p.id"""
OLD = "SELECT id, row_id FROM predictions WHERE time < ? ORDER BY time LIMIT ?"
ALONE = "NOT EXISTS (SELECT 1 FROM predictions p WHERE p.row_id = labels.row_id)"


class SqliteStore(LogStore):
    """Write-ahead log, so that readers and the writer do not wait for each other. Every transaction is on the disk when
    it ends (``synchronous = FULL``): as the writer makes few of them, that costs little, and a crash of the machine
    loses no more than one of the process.
    """

    queries = Queries(READ, READ_LATE, READ_LABELLED, LABELLED, "p.inputs")

    def __init__(self, path: str | Path, *, make: bool = True) -> None:
        self._path = Path(path).expanduser().absolute()
        if not make and not self._path.exists():
            raise StoreError(f"there is no log {str(self._path)!r}")
        self._connection, self._file = self._open()

    def add_rows(self, rows: Sequence[Row]) -> None:
        with self._writing() as connection:
            _insert(connection, ADD, rows)

    def delete_before(self, time: float, most: int = MOST_DELETED) -> int:
        with self._writing() as connection:
            old = connection.execute(OLD, (time, most)).fetchall()
            connection.executemany("DELETE FROM predictions WHERE id = ?", [(number,) for number, _ in old])
            ids = [(row_id,) for row_id in {row_id for _, row_id in old}]
            labels = connection.executemany(f"DELETE FROM labels WHERE row_id = ? AND {ALONE}", ids).rowcount
            orphans = f"SELECT row_id FROM labels WHERE time < ? AND {ALONE} LIMIT ?"
            labels += connection.execute(f"DELETE FROM labels WHERE row_id IN ({orphans})", (time, most)).rowcount
        return len(old) + labels

    def days_labelled_since(self, time: float) -> set[int]:
        with self._errors():
            return {day for (day,) in self._connection.execute(LABELLED_DAYS, (time,))}

    def close(self) -> None:
        self._connection.close()

    def _insert_labels(self, rows: Sequence[LabelRow]) -> InsertResult:
        with self._writing() as connection:
            odd = connection.execute(ODD, (ids_as_json([row_id for row_id, _, _ in rows]),)).fetchall()
            known_labels = {row_id: label_of(label) for row_id, label in odd if label is not None}
            new = [row for row in rows if row[0] not in known_labels] if known_labels else rows
            _insert(connection, ADD_LABELS, new)
        unmatched = frozenset(row_id for row_id, label in odd if label is None)
        return InsertResult(frozenset(row_id for row_id, _, _ in new), unmatched, known_labels)

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._errors():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, which other writers wait for."""
        with self._errors():
            if _identity(self._path) != self._file:  # removed or replaced: what is written to it nobody would see
                self._connection.close()
                self._connection, self._file = self._open()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _open(self) -> tuple[sqlite3.Connection, tuple[int, int] | None]:
        with self._errors():
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE))
            connection = sqlite3.connect(self._path, PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                self._prepare_in_turn(connection)
            except BaseException:
                connection.close()
                raise
            return connection, _identity(self._path)

    def _prepare_in_turn(self, connection: sqlite3.Connection) -> None:
        """SQLite does not wait for others that turn the file into one with a write-ahead log at the same moment, so we
        do.
        """
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self._prepare(connection)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                time.sleep(PAUSE)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")  # else another process may make its tables between two looks at the file
        self._check(connection)
        connection.execute("COMMIT")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError(
                f"{str(self._path)!r} is on a disk that SQLite cannot share (WAL); keep the log on a local one"
            )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA mmap_size = {MMAP_SIZE}")
        connection.execute("PRAGMA secure_delete = ON")  # what retention deletes is not left in free pages
        connection.execute(f"PRAGMA cache_size = -{CACHE // 1024}")
        connection.execute("BEGIN IMMEDIATE")
        if not self._check(connection):
            for statement in TABLES:
                connection.execute(statement)
        connection.execute("COMMIT")

    def _check(self, connection: sqlite3.Connection) -> bool:
        """Whether the tables are there. Raises StoreError for a file that is not ours."""
        whose, protocol = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        if whose == APPLICATION:
            refuse_newer(protocol, repr(str(self._path)))
            return True
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StoreError(f"{str(self._path)!r} is a database of something else; give the log a file of its own")
        return False

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the log {str(self._path)!r} cannot be used: {error}") from error
        except OSError as error:
            raise StoreError(f"the log {str(self._path)!r} cannot be used: {error.strerror}") from error


def _insert(connection: sqlite3.Connection, insertions: Mapping[int, str], rows: Sequence[tuple[object, ...]]) -> None:
    at = 0
    for together, statement in insertions.items():
        while len(rows) - at >= together:
            connection.execute(statement, tuple(chain.from_iterable(rows[at : at + together])))
            at += together


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_dev, about.st_ino
