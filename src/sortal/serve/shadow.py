"""A model that is asked beside the one that answers: what it would have said is in the log, under the ids of the same
rows.

Nobody waits for it. Rows are put into a queue after they were answered; a thread scores those of several requests at
once, which takes a small part of the time that they would take one by one. When the queue is full, rows are dropped and
counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from sortal.core.errors import ArtifactError, SortalError, StoreError
from sortal.serve.deployment import Deployment, ServedModel, identity, read_model
from sortal.serve.http import HttpError
from sortal.serve.limits import Limits
from sortal.serve.metrics import Metrics
from sortal.serve.service import Batch, Log, Timing, records_of, score

LOGGER = logging.getLogger("sortal.serve")
MOST_WAITING = 20_000
"""Rows in the queue; a table of 100 columns takes some 200 MB then."""
TOGETHER = 250
"""Rows that are scored at once: the thread that answers waits for it no longer than some milliseconds."""
PAUSE = 0.02
"""Seconds between two looks into the queue, in which rows of several requests gather."""
QUIET = 10.0
"""Seconds between two warnings of the same."""


class Shadow:
    """Asks ``deployment.shadow``, whose file is ``path``. ``offer`` is of the thread that answers, ``look`` of the one
    that watches files; the rest is its own.
    """

    def __init__(
        self, deployment: Deployment, path: Path, log: Log, metrics: Metrics, limits: Limits, verify: Path | None = None
    ) -> None:
        self._deployment, self._path, self._verify = deployment, path, verify
        self._log, self._metrics, self._limits = log, metrics, limits
        self._queue: deque[Batch] = deque()
        self._rows = 0
        self._lock = threading.Lock()
        self._has_work = threading.Event()
        self._ending = False
        self._file_identity = identity(path)
        self._last_warning = 0.0
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Score what waits, for so long at most; the rest is dropped and counted."""
        self._ending = True
        self._has_work.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._count("dropped", self._rows)

    def offer(self, batch: Batch) -> None:
        """Take rows that were answered, if there is room."""
        count = len(batch.rows)
        if self._rows + count > MOST_WAITING:
            self._count("dropped", count)
            return
        with self._lock:
            self._queue.append(batch)
            self._rows += count
        self._has_work.set()

    def look(self) -> None:
        """Take another file that was put in the place of the shadow's."""
        current = identity(self._path)
        if current == self._file_identity or current is None:
            return
        self._file_identity = current
        try:
            model = read_model(self._path, self._verify)
        except ArtifactError as error:
            LOGGER.warning("the new shadow is not used; the former goes on", extra={"fields": {"why": str(error)}})
            return
        model.warm_up()
        self._deployment.shadow = model
        LOGGER.info("shadow swapped", extra={"fields": {"model": model.sha256}})

    def _work(self) -> None:
        while self._has_work.wait() and not (self._ending and not self._queue):
            self._has_work.clear()
            while batches := self._take():
                self._ask(batches)
                if not self._ending:
                    time.sleep(PAUSE)
            if self._ending:
                return

    def _take(self) -> list[Batch]:
        """Batches of together so many rows, or a larger one alone; with a capacity each batch is a decision."""
        shadow = self._deployment.shadow
        alone = shadow is not None and shadow.model.decision.capacity is not None
        batches: list[Batch] = []
        with self._lock:
            rows = 0
            while self._queue and (not batches or (not alone and rows + len(self._queue[0].rows) <= TOGETHER)):
                batches.append(self._queue.popleft())
                rows += len(batches[-1].rows)
            self._rows -= rows
        return batches

    def _ask(self, batches: Sequence[Batch]) -> None:
        shadow = self._deployment.shadow
        if shadow is None:
            return
        try:
            self._score(shadow, _together(batches))
        except StoreError as error:
            self._count("dropped", sum(len(batch.rows) for batch in batches), str(error))
        except (HttpError, SortalError) as error:  # of one row, which is not known: the others are scored again
            if len(batches) > 1:
                for batch in batches:
                    self._ask([batch])
            else:
                self._count("refused", len(batches[0].rows), str(error))
        except Exception:  # a bug of ours ends no thread
            self._count("refused", sum(len(batch.rows) for batch in batches))
            LOGGER.exception("a bug of sortal, in the shadow")

    def _score(self, shadow: ServedModel, batch: Batch) -> None:
        timing = Timing()
        scored = score(shadow, batch, self._limits, timing)
        self._log.put(records_of(scored, timing.total, role="shadow"))
        self._metrics.shadow["scored"] += len(batch.rows)

    def _count(self, what: str, rows: int, why: str = "") -> None:
        """Rows that the shadow did not score, said at most every so often."""
        if not rows:
            return
        self._metrics.shadow[what] += rows
        now = time.monotonic()
        if now - self._last_warning > QUIET:
            self._last_warning = now
            fields = {"what": what, "rows_so_far": self._metrics.shadow[what], **({"why": why} if why else {})}
            LOGGER.warning("the shadow did not score all rows", extra={"fields": fields})


def _together(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    rows = list(chain.from_iterable(batch.rows for batch in batches))
    return Batch(rows, list(chain.from_iterable(batch.ids for batch in batches)))
