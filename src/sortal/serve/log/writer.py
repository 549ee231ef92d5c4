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

import msgspec

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
PAUSE = 0.25
"""Seconds that the first row waits for others. What is lost when the process is killed is this and one transaction.
Where it is a tenth, a row of 2,000 a second takes the thread of the writer 7 µs in the place of 5.
"""
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


class _Rows(msgspec.Struct, frozen=True):
    """Of one request, each of which makes one: a dataclass would take ten times as long."""

    rows: list[Row]
    bytes: int
    arrival: float


@dataclass(frozen=True)
class _Labels:
    records: Sequence[LabelRecord]
    bytes: int
    arrival: float
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
        self._lock = threading.RLock()
        self._change = threading.Condition(self._lock)
        self._rows: deque[_Rows] = deque()
        self._labels: deque[_Labels] = deque()
        self._in_hand: float | None = None
        self._bytes = self._n_taken = self._flush_target = 0
        self._n_written = self._n_refused = self._n_failures = self._n_labelled = self._n_deleted = 0
        self._end: float | None = None
        self._ending, self._is_failing = threading.Event(), False
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
        rows = list(map(row_of, records))
        total = sum(map(size, rows))
        with self._lock:
            self._make_room(total, len(rows))
            self._rows.append(_Rows(rows, total, time.monotonic()))
            self._n_taken += len(rows)
            if len(self._rows) == 1:
                self._change.notify_all()

    def labels(self, records: Sequence[LabelRecord]) -> Future[LabelReceipt]:
        """Take labels; the receipt comes when they are stored. Predictions that were taken before are stored first.

        In the place of a receipt comes a StoreError where that took too long: they can be sent again. Raises StoreError
        and DataError as ``put`` does.
        """
        with_ids = zip(stored_ids([record.row_id for record in records]), records, strict=True)
        total = sum(LABEL_BYTES + len(row_id) + len(stored_label(record.label)) for row_id, record in with_ids)
        batch = _Labels(records, total, time.monotonic(), Future())
        with self._change:
            self._make_room(total, 0)
            self._labels.append(batch)
            self._change.notify_all()
        return batch.receipt

    def flush(self, timeout: float = CLOSING) -> None:
        """Wait until the predictions that were taken are stored. Raises StoreError where that takes longer."""
        with self._change:
            target = self._flush_target = self._n_taken
            self._change.notify_all()
            if not self._change.wait_for(lambda: self._n_written >= target, timeout):
                raise StoreError(f"{target - self._n_written:,} rows still wait for the log")

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
        return self._n_taken - self._n_written

    def counts(self) -> WriterCounts:
        """For who watches the service."""
        with self._change:
            oldest = self._in_hand or (self._rows[0].arrival if self._rows else None)
            return WriterCounts(
                queued=self._n_taken - self._n_written,
                queued_bytes=self._bytes,
                waiting_seconds=0.0 if oldest is None else time.monotonic() - oldest,
                written=self._n_written,
                refused=self._n_refused,
                failures=self._n_failures,
                labelled=self._n_labelled,
                deleted=self._n_deleted,
            )

    def _make_room(self, more: int, rows: int) -> None:
        if self._end is not None:
            raise StoreError("the log is being closed, as the service ends")
        if self._bytes + more > self._bound:
            self._n_refused += rows
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
        if self._ending.is_set() or self._labels or self._flush_target > self._n_written:
            return 0.0
        look = float("inf") if self._retention is None else self._look
        return min(look, self._rows[0].arrival + PAUSE) if self._rows else look

    def _persist_rows(self) -> bool:
        """Store what came, however often that has to be tried; False where the process ends before that."""
        with self._change:
            batches = _take_first(self._rows, lambda batch: len(batch.rows))
            self._in_hand = batches[0].arrival if batches else None
        rows = [row for batch in batches for row in batch.rows]
        wait = FIRST_RETRY
        while rows and (error := self._try(lambda: self._store.add_rows(rows))) is not None:
            self._give_labels_back(error)
            if self._end is not None and time.monotonic() + FIRST_RETRY > self._end:
                return False
            if self._ending.wait(wait):
                time.sleep(FIRST_RETRY)
            wait = min(2 * wait, LAST_RETRY)
        with self._change:
            self._n_written += len(rows)
            self._bytes -= sum(batch.bytes for batch in batches)
            self._in_hand = None
            self._change.notify_all()
        return True

    def _persist_labels(self) -> None:
        """Store labels that came before what still waits: a label is to meet its prediction."""
        with self._change:
            first = self._rows[0].arrival if self._rows else float("inf")
            batches = _take_first(self._labels, lambda batch: len(batch.records), lambda batch: batch.arrival <= first)
        if not batches:
            return
        receipts: list[LabelReceipt] = []
        error = self._try(lambda: receipts.extend(self._store.add_label_groups([batch.records for batch in batches])))
        if error is not None:
            with self._change:
                self._labels.extendleft(reversed(batches))
            self._give_labels_back(error)
            self._ending.wait(FIRST_RETRY)
            return
        with self._change:
            self._bytes -= sum(batch.bytes for batch in batches)
            self._n_labelled += sum(receipt.new for receipt in receipts)
        for batch, receipt in zip(batches, receipts, strict=True):
            if batch.receipt.set_running_or_notify_cancel():
                batch.receipt.set_result(receipt)

    def _give_labels_back(self, error: StoreError) -> None:
        """Who sent them waits for an answer."""
        with self._change:
            late = float("inf") if self._ending.is_set() else time.monotonic() - LABEL_PATIENCE
            # They came in this order: the late ones are at the front.
            late_batches = _take_first(self._labels, lambda batch: 0, lambda batch: batch.arrival < late)
            self._bytes -= sum(batch.bytes for batch in late_batches)
        for batch in late_batches:
            if batch.receipt.set_running_or_notify_cancel():
                batch.receipt.set_exception(error)

    def _forget(self, retention: float) -> None:
        """Delete some of what is too old, and rest four times as long: rows that come go first."""
        start = time.monotonic()
        counts: list[int] = []
        error = self._try(lambda: counts.append(self._delete_before(self._clock.now() - retention)))
        now = time.monotonic()
        more = error is None and counts[0] > 0
        with self._change:
            self._n_deleted += sum(counts)
        self._look = now + (4 * (now - start) if more else RETENTION_EVERY)

    def _delete_before(self, old: float) -> int:
        if self._export is not None:
            oldest = next(self._store.read(0.0, old), None)
            old = min(old, exported_until(oldest.prediction.time, self._export)) if oldest else old
        return self._store.delete_before(old)

    def _try(self, work: Callable[[], object]) -> StoreError | None:
        """The error of a call of the store, which is tried again, whatever it was: a row that was taken stays."""
        try:
            work()
        except StoreError as store_error:
            error = store_error
        except Exception as bug:  # a row that was taken is not lost to a mistake of ours either
            LOGGER.exception("a bug of sortal, in the log")
            error = StoreError(f"the log failed: {type(bug).__name__}")
        else:
            if self._is_failing:
                LOGGER.warning("the log is stored again")
            self._is_failing = False
            return None
        if not self._is_failing:
            LOGGER.warning("%s; what comes waits", error)
        self._is_failing = True
        with self._change:
            self._n_failures += 1
        return error

    def _finish(self) -> None:
        rows_left = self._n_taken - self._n_written
        if rows_left:
            LOGGER.error("%d rows could not be stored before the end", rows_left)
        self._give_labels_back(StoreError("the service ends, and its log is away"))
        self._try(self._store.close)


class _SteadyClock:
    """Seconds since 1970. A clock of the system that is set forward must not make all rows old at once."""

    def __init__(self) -> None:
        self._wall, self._start = time.time(), time.monotonic()

    def now(self) -> float:
        return min(time.time(), self._wall + time.monotonic() - self._start)


def _take_first(queue: deque[T], count: Callable[[T], int], may: Callable[[T], bool] = lambda item: True) -> list[T]:
    """The first of them, as many as one transaction has."""
    items: list[T] = []
    total = 0
    while queue and total < BATCH and may(queue[0]):
        items.append(queue.popleft())
        total += count(items[-1])
    return items
