"""``GET /v1/live``: what the page shows of a service that runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec

from sortal.core.errors import SortalError
from sortal.serve.deployment import ServedModel
from sortal.serve.log.records import Label
from sortal.serve.log.store import LogStore
from sortal.serve.traffic import Tail, Traffic, describe
from sortal.serve.truth import judge_log

SPANS = {300: 60, 3600: 60}
"""Seconds that are shown, each in so many points: five minutes and an hour."""
FRESH, FRESH_TRUTH = 2.0, 10.0
"""Seconds for which counts, and figures of labels, are not made again."""
SHARE = 20
"""Nor for so many times as long as making them took: a page that is looked at costs a twentieth of a core."""

LOGGER = logging.getLogger("sortal.serve")

State = Callable[[], Mapping[str, object]]
"""What the writer of a log says of itself now."""


class Live:
    """What is going on, made anew in a thread of its own when somebody asks, and not too often.

    ``open_store``: opens the log to read from, None where there is none; then ``add`` has to be told of each request.
    """

    def __init__(self, open_store: Callable[[], LogStore] | None = None, state: State = dict) -> None:
        self._open_store, self._state = open_store, state
        self._traffic = Traffic()
        self._tail = Tail(self._traffic)
        self._start_time = time.time()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._job: Future[None] | None = None
        self._page_json: bytes | None = None
        self._due = self._truth_due = 0.0
        self._store: LogStore | None = None
        self._truth: tuple[str, dict[str, Any]] | None = None
        self._trouble = ""

    def add(self, seconds: float, decisions: Sequence[Label], warnings: Sequence[Sequence[str]]) -> None:
        """A request was answered. Where there is a log it is counted from there."""
        if self._open_store is None:
            self._traffic.add(time.time(), seconds, decisions, warnings)

    async def now(self, served: ServedModel) -> bytes:
        """The last state that was made, as JSON; the next one is being made where this is old."""
        if self._job is None or (self._job.done() and time.monotonic() >= self._due):
            self._job = self._thread.submit(self._make, served)
        if self._page_json is None:
            await asyncio.wrap_future(self._job)
        assert self._page_json is not None
        return self._page_json

    def close(self) -> None:
        """Wait for what is being made, and let go of the log."""
        if self._store is not None:
            self._thread.submit(self._store.close)  # the thread that opened it has to close it
        self._thread.shutdown()

    def _make(self, served: ServedModel) -> None:
        start = time.monotonic()
        try:
            self._count()
            self._page_json = self._encode(served)
            now = time.monotonic()
            self._due = now + max(FRESH, SHARE * (now - start))
            if start >= self._truth_due or self._truth is None or self._truth[0] != served.sha256:
                self._judge(served)
                self._page_json = self._encode(served)
        except Exception:  # whoever looks at the page sees that there is trouble; what it is stands in the log
            LOGGER.exception("a bug of sortal, in what the page shows")
            self._trouble = "figures could not be made; the log of the service says why"
            self._page_json = self._encode(served)
            self._due = time.monotonic() + FRESH_TRUTH

    def _count(self) -> None:
        if self._open_store is None:
            return
        try:
            if self._store is None:
                self._store = self._open_store()
            self._tail.refresh(partial(self._store.read, inputs=False), time.time())
            self._trouble = ""
        except SortalError as error:
            self._trouble = str(error)

    def _judge(self, served: ServedModel) -> None:
        if self._store is None:
            return
        start = time.monotonic()
        self._truth = served.sha256, judge_log(served, self._store)
        now = time.monotonic()
        self._truth_due = now + max(FRESH_TRUTH, SHARE * (now - start))

    def _encode(self, served: ServedModel) -> bytes:
        now = time.time()
        classes = list(map(str, served.model.classes_.tolist()))
        truth = self._truth[1] if self._truth is not None and self._truth[0] == served.sha256 else None
        spans = [describe(*self._traffic.over(now, span, points), now, span, classes) for span, points in SPANS.items()]
        state = {
            "time": now,
            "model": served.sha256,
            "since": self._start_time if self._open_store is None else self._tail.since(now),
            "log": {"kept": self._open_store is not None, "trouble": self._trouble, **self._state()},
            "spans": spans,
            "labelled": truth,
        }
        return msgspec.json.encode(state)
