"""A log in PostgreSQL, through psycopg 3. The tables lie in the schema that the connection's ``search_path`` names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from sortal.core.errors import OptionError, StoreError
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

try:
    import psycopg
    from psycopg.rows import tuple_row
except ImportError:
    raise OptionError("a log in PostgreSQL needs psycopg: pip install 'sortal[postgres]'") from None

CONNECTION: Mapping[str, Any] = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "application_name": "sortal"}
"""Seconds until a server that does not answer counts as gone, and milliseconds when it was connected; the address may
say otherwise.
"""
PREPARING = 0x736F7274616C
"""Of the lock (a number of our own, ``sortal``) under which the tables are made."""
TABLES = f"""
    CREATE TABLE sortal_predictions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row_id text COLLATE "C" NOT NULL,
        time double precision NOT NULL, model text NOT NULL, role text NOT NULL, inputs json NOT NULL,
        redacted json NOT NULL, prediction json NOT NULL, probabilities json NOT NULL, decision json NOT NULL,
        prediction_set json, warnings json NOT NULL, seconds double precision NOT NULL);
    CREATE INDEX sortal_predictions_time ON sortal_predictions (time, id);
    CREATE INDEX sortal_predictions_row ON sortal_predictions (row_id);
    CREATE TABLE sortal_labels (
        id bigint GENERATED ALWAYS AS IDENTITY, row_id text COLLATE "C" PRIMARY KEY, label json NOT NULL,
        time double precision NOT NULL);
    CREATE INDEX sortal_labels_time ON sortal_labels (time, id);
    CREATE TABLE sortal_protocol (protocol integer NOT NULL);
    INSERT INTO sortal_protocol VALUES ({PROTOCOL})"""
OURS = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND starts_with(tablename, 'sortal_')"
ADD = f"COPY sortal_predictions ({', '.join(COLUMNS)}) FROM STDIN"
ADD_LABELS = """
    WITH new AS (
        INSERT INTO sortal_labels (row_id, label, time)
        SELECT row_id, label::json, time FROM json_to_recordset(%s) AS given (row_id text, label text, time float8)
        ON CONFLICT DO NOTHING RETURNING row_id)
    SELECT row_id, NOT EXISTS (SELECT 1 FROM sortal_predictions p WHERE p.row_id = new.row_id) FROM new"""
LABELS_OF_ROWS = """
    SELECT row_id, label::text FROM json_array_elements_text(%s) AS given (wanted)
    JOIN sortal_labels ON row_id = wanted"""
TEXTS = {"inputs", "redacted", "prediction", "probabilities", "decision", "prediction_set", "warnings"}
WHOLE = f"{', '.join(f'p.{name}' + '::text' * (name in TEXTS) for name in COLUMNS)}, l.label::text, l.time, p.id"
READ = f"""
    WITH page AS MATERIALIZED (
        SELECT * FROM sortal_predictions WHERE (time, id) > (%s, %s) AND time < %s ORDER BY time, id LIMIT {PAGE})
    SELECT {WHOLE}
    FROM page p LEFT JOIN sortal_labels l ON l.row_id = p.row_id ORDER BY p.time, p.id"""
READ_LATE = f"""
    WITH page AS MATERIALIZED (
        SELECT * FROM sortal_predictions WHERE id > %s AND time < %s ORDER BY id LIMIT {PAGE})
    SELECT {WHOLE}
    FROM page p LEFT JOIN sortal_labels l ON l.row_id = p.row_id ORDER BY p.id"""
LABELLED_DAYS = """
    SELECT DISTINCT CAST(floor(p.time / 86400) AS integer)
    FROM sortal_labels l JOIN sortal_predictions p ON p.row_id = l.row_id WHERE l.time >= %s"""
LABELLED = f"""
    WITH l AS MATERIALIZED (SELECT * FROM sortal_labels ORDER BY time DESC LIMIT {RECENT_LABELS})
    SELECT {WHOLE} FROM l JOIN sortal_predictions p ON p.row_id = l.row_id
    WHERE p.model = %s AND p.role = 'champion' ORDER BY l.time DESC, p.time DESC LIMIT %s"""
READ_LABELLED = f"""
    WITH l AS MATERIALIZED (
        SELECT * FROM sortal_labels WHERE (time, id) > (%s, %s) AND time < %s ORDER BY time, id LIMIT {PAGE})
    SELECT {WHOLE.replace("p.id", "l.id")} FROM l LEFT JOIN sortal_predictions p ON p.row_id = l.row_id
    ORDER BY l.time, l.id, p.id"""
DELETE = """
    DELETE FROM sortal_predictions WHERE id IN (
        SELECT id FROM sortal_predictions WHERE time < %s ORDER BY time, id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING row_id"""
ALONE = "NOT EXISTS (SELECT 1 FROM sortal_predictions p WHERE p.row_id = l.row_id)"
FORGET = f"DELETE FROM sortal_labels l WHERE row_id = ANY(%s) AND {ALONE}"
LOST = f"""
    DELETE FROM sortal_labels WHERE row_id IN (
        SELECT row_id FROM sortal_labels l WHERE time < %s AND {ALONE} LIMIT %s FOR UPDATE SKIP LOCKED)"""

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Doubt:
    """A transaction whose end was not heard of, as the connection broke: the rows, and its number on the server."""

    rows: Sequence[Row]
    transaction: str


class PostgresStore(LogStore):
    """One connection, made again where it broke."""

    queries = Queries(READ, READ_LATE, READ_LABELLED, LABELLED, "p.inputs::text")

    def __init__(self, url: str, *, make: bool = True) -> None:
        self._url, self._place = url, place_of(url)
        self._connection: Connection | None = None
        self._doubt: Doubt | None = None
        try:
            with self._errors():
                self._prepare(make)
        except BaseException:
            self.close()
            raise

    def add_rows(self, rows: Sequence[Row]) -> None:
        with self._errors():
            if self._doubt is not None and self._doubt.rows is rows and self._is_committed(self._doubt):
                self._doubt = None
                return
            connection = self._connect()
            with connection.transaction(), connection.cursor() as cursor:
                number = cursor.execute("SELECT pg_current_xact_id()::text").fetchone()
                with cursor.copy(ADD) as copy:
                    for row in rows:
                        copy.write_row(row)
                self._doubt = Doubt(rows, number[0]) if number else None
            self._doubt = None

    def delete_before(self, time: float, most: int = MOST_DELETED) -> int:
        with self._errors():
            connection = self._connect()
            with connection.transaction():
                old = [row_id for (row_id,) in connection.execute(DELETE, (time, most))]
                labels = connection.execute(FORGET, (sorted(set(old)),)).rowcount
                labels += connection.execute(LOST, (time, most)).rowcount
        return len(old) + labels

    def days_labelled_since(self, time: float) -> set[int]:
        with self._errors():
            return {day for (day,) in self._connect().execute(LABELLED_DAYS, (time,))}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _insert_labels(self, rows: Sequence[LabelRow]) -> InsertResult:
        with self._errors():
            connection = self._connect()
            with connection.transaction():
                # Two workers with the same labels wait for each other here; as both come in order, neither for ever.
                payload = msgspec.json.encode([{"row_id": row[0], "label": row[1], "time": row[2]} for row in rows])
                new: dict[str, bool] = dict(connection.execute(ADD_LABELS, (payload.decode(),)).fetchall())
                others = [row_id for row_id, _, _ in rows if row_id not in new]
                known_labels = connection.execute(LABELS_OF_ROWS, (ids_as_json(others),)).fetchall() if others else []
                if len(known_labels) < len(others):
                    raise StoreError(f"labels of the log {self._place} were deleted meanwhile; send them again")
        unmatched = frozenset(row_id for row_id, is_alone in new.items() if is_alone)
        return InsertResult(frozenset(new), unmatched, {row_id: label_of(label) for row_id, label in known_labels})

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._errors():
            return self._connect().execute(query.encode(), values).fetchall()

    def _is_committed(self, doubt: Doubt) -> bool:
        """Whether a transaction was committed. Raises StoreError while the server itself does not know."""
        status = self._connect().execute("SELECT pg_xact_status(%s::xid8)", (doubt.transaction,)).fetchone()
        if status == ("in progress",):
            raise StoreError(f"the log {self._place} still works on what was sent before")
        return status == ("committed",)

    def _connect(self) -> Connection:
        if self._connection is None or self._connection.closed:
            options = {
                name: value for name, value in CONNECTION.items() if name not in parse_qs(urlsplit(self._url).query)
            }
            self._connection = psycopg.connect(self._url, autocommit=True, row_factory=tuple_row, **options)
        return self._connection

    def _prepare(self, make: bool) -> None:
        connection = self._connect()
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (PREPARING,))
            there = [name for (name,) in connection.execute(OURS)]
            if "sortal_protocol" in there:
                protocol_row = connection.execute("SELECT protocol FROM sortal_protocol").fetchone()
                refuse_newer(protocol_row[0] if protocol_row else PROTOCOL, self._place)
            elif there:
                raise StoreError(f"{self._place} has a table {there[0]!r} of something else; use another database")
            elif make:
                connection.execute(TABLES)
            else:
                raise StoreError(f"there is no log in {self._place}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise StoreError(f"the log {self._place} cannot be used: {self._message(error)}") from None

    def _message(self, error: psycopg.Error) -> str:
        """What the server says, without a password and without details, which quote data. What libpq says of an address
        may quote any part of it.
        """
        if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
            return "its address cannot be read"
        text = " ".join((error.diag.message_primary or str(error)).split())
        for secret in secrets_of(self._url):
            text = text.replace(secret, "***")
        return text


def place_of(url: str) -> str:
    """Where a log is, without user, password and options.

    >>> place_of("postgresql://me:secret@db.example.org:5433/served?password=secret")
    'postgresql://db.example.org:5433/served'
    >>> place_of("postgresql://me:half/of it")
    'postgresql://...'
    """
    address = url.partition("?")[0].partition("://")[2].rpartition("@")[2]
    return f"postgresql://{address}" if _ADDRESS.fullmatch(address) else "postgresql://..."


_ADDRESS = re.compile(r"([\w.-]*|\[[\da-f:]*\])(:\d+)?(/[\w-]*)?", re.IGNORECASE)
"""A host, a port and a database; anything else may be a part of a password that was not quoted."""


def secrets_of(url: str) -> set[str]:
    """Every notation of a password in an address."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    raw = {user.partition(":")[2], *(value for value in parse_qs(parts.query).get("password", []))}
    return {notation for text in raw for notation in (text, unquote(text)) if notation}
