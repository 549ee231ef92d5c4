"""Requests that may wait only so long: one look at all of them now and then, in the place of a timer for each."""

from __future__ import annotations

import asyncio

LOOKS = 10
"""In the time that a request may wait: it waits longer by a tenth at most."""


class Patience:
    """Cancels tasks that wait for more than so many ``seconds``, between ``begin`` and ``end``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[object], float] = {}
        self._over: set[asyncio.Task[object]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> asyncio.Task[object]:
        """The task that runs waits from now on."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._due[task] = loop.time() + self._seconds
        if self._loop is not loop:
            self._loop = loop
            self._look_later(loop)
        return task

    def end(self, task: asyncio.Task[object]) -> None:
        """It waits no more."""
        self._due.pop(task, None)
        self._over.discard(task)

    def is_over(self, task: asyncio.Task[object]) -> bool:
        """Whether it was cancelled here, and by nobody else; then it may go on."""
        return task in self._over and task.uncancel() == 0

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self._seconds / LOOKS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task in [task for task, due in self._due.items() if due <= now]:
            del self._due[task]
            self._over.add(task)
            task.cancel()
        if self._due:
            self._look_later(loop)
        else:
            self._loop = None
