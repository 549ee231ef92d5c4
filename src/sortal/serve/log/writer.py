"""The one writer of a process: takes records at once, and brings them to the store in batches, in its own thread."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sortal.core.errors import StoreError
from sortal.serve.log.address import open_store
from sortal.serve.log.days import exported_until
from sortal.serve.log.records import LabelReceipt, LabelRecord, PredictionRecord, redact
from sortal.serve.log.rows import Row, row_of, size, stored_ids, stored_label
from sortal.serve.log.store import LogStore

T = TypeVar("T")
LOGGER = logging.getLogger("sortal.serve.log")

BOUND = 64 * 2**20
"""Bytes of records that wait: some 60,000 rows of a table, which are 30 s of 2,000 a second."""
PAUSE = 0.1
"""Seconds that the first row waits for others. What is lost when the process is killed is this and one transaction."""
BATCH = 2_000
"""Rows of a transaction, some tens of milliseconds."""
FIRST_RETRY, LAST_RETRY = 0.05, 2.0
"""Seconds to wait where the store cannot be reached: twice as long each time."""
LABEL_PATIENCE = 5.0
"""Seconds after which labels that cannot be stored are given back; who sent them can send them again."""
LABEL_BYTES = 200
"""Bytes of a label beside its text, about."""
RETENTION_EVERY = 60.0
"""Seconds between two looks for rows that are too old."""
CLOSING = 10.0
"""Seconds that the end of a process waits for the store; service managers kill after some 30."""


@dataclass(frozen=True)
class WriterCounts:
    """``queued``: predictions that wait, of ``queued_bytes`` with labels; ``waiting_seconds``: how long the oldest has.
    ``written``: predictions stored so far; ``refused``: those that there was no room for; ``failures``: attempts of the
    store that failed, each of which is repeated. ``labelled``: labels stored. ``deleted``: predictions and labels that
    were too old.
    """

    queued: int
    queued_bytes: int
    waiting_seconds: float
    written: int
    refused: int
    failures: int
    labelled: int
    deleted: int


@dataclass(frozen=True)
class _Rows:
    rows: list[Row]
    bytes: int
    came: float


@dataclass(frozen=True)
class _Labels:
    records: Sequence[LabelRecord]
    bytes: int
    came: float
    receipt: Future[LabelReceipt]


class LogWriter:
    """Records of any thread, to one store.

    ``redact``: inputs that are not stored. ``retention``: seconds after which predictions are deleted, with their
    labels; where there is an ``export``, only those of days that have their file in this folder. ``bound``: bytes that
    may wait. A process that forks makes its writer afterwards. Raises StoreError where the store cannot be opened.
    """

    def __init__(
        self,
        store: LogStore | str,
        *,
        redact: Collection[str] = (),
        retention: float | None = None,
        export: Path | None = None,
        bound: int = BOUND,
    ) -> None:
        self._store = open_store(store) if isinstance(store, str) else store
        self._redact, self._bound = frozenset(redact), bound
        self._retention, self._export = retention, export
        self._change = threading.Condition()
        self._rows: deque[_Rows] = deque()
        self._labels: deque[_Labels] = deque()
        self._in_hand: float | None = None
        self._bytes = self._taken = self._wanted = 0
        self._written = self._refused = self._failures = self._labelled = self._deleted = 0
        self._end: float | None = None
        self._ending, self._failing = threading.Event(), False
        self._look = time.monotonic()
        self._clock = _SteadyClock()
        self._thread = threading.Thread(target=self._work, name="sortal-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, records: Sequence[PredictionRecord]) -> None:
        """Take predictions, all or none; returns within microseconds a row.

        Raises StoreError where there is no room, as the store has been away for long, and DataError for a record that
        no store could hold.
        """
        if self._redact:
            records = [redact(record, self._redact) for record in records]
        rows = [row_of(record) for record in records]
        total = sum(map(size, rows))
        with self._change:
            self._make_room(total, len(rows))
            self._rows.append(_Rows(rows, total, time.monotonic()))
            self._taken += len(rows)
            if len(self._rows) == 1:
                self._change.notify_all()

    def labels(self, records: Sequence[LabelRecord]) -> Future[LabelReceipt]:
        """Take labels; the receipt comes when they are stored. Predictions that were taken before are stored first.

        In the place of a receipt comes a StoreError where that took too long: they can be sent again. Raises StoreError
        and DataError as ``put`` does.
        """
        stored = zip(stored_ids([each.row_id for each in records]), records, strict=True)
        total = sum(LABEL_BYTES + len(row_id) + len(stored_label(each.label)) for row_id, each in stored)
        waiting = _Labels(records, total, time.monotonic(), Future())
        with self._change:
            self._make_room(total, 0)
            self._labels.append(waiting)
            self._change.notify_all()
        return waiting.receipt

    def flush(self, timeout: float = CLOSING) -> None:
        """Wait until the predictions that were taken are stored. Raises StoreError where that takes longer."""
        with self._change:
            wanted = self._wanted = self._taken
            self._change.notify_all()
            if not self._change.wait_for(lambda: self._written >= wanted, timeout):
                raise StoreError(f"{wanted - self._written:,} rows still wait for the log")

    def close(self, timeout: float = CLOSING) -> int:
        """Take no more, store what was taken, and let go of the store. Returns how many rows could not be stored in
        that time, which the log of the service tells, too.
        """
        atexit.unregister(self.close)
        with self._change:
            if self._end is None:
                self._end = time.monotonic() + timeout
            self._ending.set()
            self._change.notify_all()
        # The store may hang in the system; whoever ends the process is not to wait for it.
        self._thread.join(timeout + 1.0)
        return self._taken - self._written

    def counts(self) -> WriterCounts:
        """For who watches the service."""
        with self._change:
            oldest = self._in_hand or (self._rows[0].came if self._rows else None)
            return WriterCounts(
                queued=self._taken - self._written,
                queued_bytes=self._bytes,
                waiting_seconds=0.0 if oldest is None else time.monotonic() - oldest,
                written=self._written,
                refused=self._refused,
                failures=self._failures,
                labelled=self._labelled,
                deleted=self._deleted,
            )

    def _make_room(self, more: int, rows: int) -> None:
        if self._end is not None:
            raise StoreError("the log is being closed, as the service ends")
        if self._bytes + more > self._bound:
            self._refused += rows
            raise StoreError("the log has no room: its store is away, or slower than what comes; try again later")
        self._bytes += more

    # What follows runs in the thread of the writer.

    def _work(self) -> None:
        while self._wait():
            if not self._persist_rows():
                break
            self._persist_labels()
            if self._retention is not None and time.monotonic() >= self._look:
                self._forget(self._retention)
        self._finish()

    def _wait(self) -> bool:
        """Until something is due: rows a moment after the first of them came, labels at once. False at the end."""
        with self._change:
            while (wait := self._due() - time.monotonic()) > 0:
                self._change.wait(None if wait == float("inf") else wait)
            return bool(self._rows or self._labels or not self._ending.is_set())

    def _due(self) -> float:
        if self._ending.is_set() or self._labels or self._wanted > self._written:
            return 0.0
        look = float("inf") if self._retention is None else self._look
        return min(look, self._rows[0].came + PAUSE) if self._rows else look

    def _persist_rows(self) -> bool:
        """Store what came, however often that has to be tried; False where the process ends before that."""
        with self._change:
            taken = _some(self._rows, lambda each: len(each.rows))
            self._in_hand = taken[0].came if taken else None
        rows = [row for each in taken for row in each.rows]
        wait = FIRST_RETRY
        while rows and (error := self._try(lambda: self._store.add_rows(rows))) is not None:
            self._give_labels_back(error)
            if self._end is not None and time.monotonic() + FIRST_RETRY > self._end:
                return False
            if self._ending.wait(wait):
                time.sleep(FIRST_RETRY)
            wait = min(2 * wait, LAST_RETRY)
        with self._change:
            self._written += len(rows)
            self._bytes -= sum(each.bytes for each in taken)
            self._in_hand = None
            self._change.notify_all()
        return True

    def _persist_labels(self) -> None:
        """Store labels that came before what still waits: a label is to meet its prediction."""
        with self._change:
            first = self._rows[0].came if self._rows else float("inf")
            taken = _some(self._labels, lambda each: len(each.records), lambda each: each.came <= first)
        if not taken:
            return
        receipts: list[LabelReceipt] = []
        error = self._try(lambda: receipts.extend(self._store.add_label_groups([each.records for each in taken])))
        if error is not None:
            with self._change:
                self._labels.extendleft(reversed(taken))
            self._give_labels_back(error)
            self._ending.wait(FIRST_RETRY)
            return
        with self._change:
            self._bytes -= sum(each.bytes for each in taken)
            self._labelled += sum(receipt.new for receipt in receipts)
        for each, receipt in zip(taken, receipts, strict=True):
            if each.receipt.set_running_or_notify_cancel():
                each.receipt.set_result(receipt)

    def _give_labels_back(self, error: StoreError) -> None:
        """Who sent them waits for an answer."""
        with self._change:
            late = float("inf") if self._ending.is_set() else time.monotonic() - LABEL_PATIENCE
            # They came in this order: the late ones are at the front.
            back = _some(self._labels, lambda each: 0, lambda each: each.came < late)
            self._bytes -= sum(each.bytes for each in back)
        for each in back:
            if each.receipt.set_running_or_notify_cancel():
                each.receipt.set_exception(error)

    def _forget(self, retention: float) -> None:
        """Delete some of what is too old, and rest four times as long: rows that come go first."""
        began = time.monotonic()
        deleted: list[int] = []
        error = self._try(lambda: deleted.append(self._delete_before(self._clock.now() - retention)))
        now = time.monotonic()
        more = error is None and deleted[0] > 0
        with self._change:
            self._deleted += sum(deleted)
        self._look = now + (4 * (now - began) if more else RETENTION_EVERY)

    def _delete_before(self, old: float) -> int:
        if self._export is not None:
            oldest = next(self._store.read(0.0, old), None)
            old = min(old, exported_until(oldest.prediction.time, self._export)) if oldest else old
        return self._store.delete_before(old)

    def _try(self, work: Callable[[], object]) -> StoreError | None:
        """The error of a call of the store, which is tried again, whatever it was: a row that was taken stays."""
        try:
            work()
        except StoreError as caught:
            error = caught
        except Exception as bug:  # a row that was taken is not lost to a mistake of ours either
            LOGGER.exception("a bug of sortal, in the log")
            error = StoreError(f"the log failed: {type(bug).__name__}")
        else:
            if self._failing:
                LOGGER.warning("the log is stored again")
            self._failing = False
            return None
        if not self._failing:
            LOGGER.warning("%s; what comes waits", error)
        self._failing = True
        with self._change:
            self._failures += 1
        return error

    def _finish(self) -> None:
        lost = self._taken - self._written
        if lost:
            LOGGER.error("%d rows could not be stored before the end", lost)
        self._give_labels_back(StoreError("the service ends, and its log is away"))
        self._try(self._store.close)


class _SteadyClock:
    """Seconds since 1970. A clock of the system that is set forward must not make all rows old at once."""

    def __init__(self) -> None:
        self._wall, self._began = time.time(), time.monotonic()

    def now(self) -> float:
        return min(time.time(), self._wall + time.monotonic() - self._began)


def _some(waiting: deque[T], count: Callable[[T], int], may: Callable[[T], bool] = lambda each: True) -> list[T]:
    """The first of them, as many as one transaction has."""
    taken: list[T] = []
    total = 0
    while waiting and total < BATCH and may(waiting[0]):
        taken.append(waiting.popleft())
        total += count(taken[-1])
    return taken
