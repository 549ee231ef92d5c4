"""Rows of a log in JSON, read by a second process while this one counts what was read before.

Four fifths of a look at a log are reading, and nearly all of that holds Python's interpreter.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from types import TracebackType

from sortal.core.door import Rows
from sortal.core.json_rows import JsonRows
from sortal.core.schema import Schema
from sortal.serve.log.rows import redacted_of

FEW = 100_000
"""Rows that take about as long as a process takes to begin, twice: more are worth one."""
AHEAD = 2
"""Blocks of rows that wait for whoever counts them: with one, each would wait for the other now and then."""


class ReadAhead:
    """Reads some columns of rows in JSON, from ``FEW`` rows on in a process of its own."""

    def __init__(self, columns: Schema, few: int = FEW) -> None:
        self._columns, self._few = columns, few
        self._rows = 0
        self._pool: ProcessPoolExecutor | None = None

    @property
    def blocks(self) -> int:
        """How many blocks may wait, so that both processes have something to do."""
        return 0 if self._pool is None else AHEAD

    def read(self, texts: Sequence[str], redacted: str) -> Future[Rows]:
        """Rows without the columns that are ``redacted`` (in JSON), now or soon."""
        self._rows += len(texts)
        if self._pool is None and self._rows > self._few:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, spawn, initializer=_begin)
        if self._pool is not None:
            return self._pool.submit(_read, self._columns, texts, redacted)
        now: Future[Rows] = Future()
        now.set_result(_read(self._columns, texts, redacted))
        return now

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Ctrl-C reaches all processes of a terminal, and is for the first of them to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read(columns: Schema, texts: Sequence[str], redacted: str) -> Rows:
    return _reader(columns, redacted).read(texts)


@cache
def _reader(columns: Schema, redacted: str) -> JsonRows:
    """What it has seen it remembers."""
    hidden = redacted_of(redacted)
    return JsonRows(Schema(tuple(each for each in columns.columns if each.name not in hidden)))
