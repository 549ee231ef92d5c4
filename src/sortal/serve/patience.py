"""Who may wait only so long: one look at all of them now and then, in the place of a timer for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

LOOKS = 10
"""In the time that one may wait: it waits longer by a tenth at most."""

T = TypeVar("T", bound=Hashable)


class Patience(Generic[T]):
    """Calls ``over`` for who waits for more than so many ``seconds``, between ``begin`` and ``end``."""

    def __init__(self, seconds: float, over: Callable[[T], None]) -> None:
        self._seconds, self._over = seconds, over
        self._due: dict[T, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, waiter: T) -> None:
        """It waits from now on, or has done so since it began."""
        loop = asyncio.get_running_loop()
        self._due.setdefault(waiter, loop.time() + self._seconds)
        if self._loop is not loop:
            self._loop = loop
            self._look_later(loop)

    def end(self, waiter: T) -> None:
        """It waits no more."""
        self._due.pop(waiter, None)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self._seconds / LOOKS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for waiter in [waiter for waiter, due in self._due.items() if due <= now]:
            del self._due[waiter]
            self._over(waiter)
        if self._due:
            self._look_later(loop)
        else:
            self._loop = None


Task = asyncio.Task[object]


class PatienceWithTasks:
    """Cancels tasks that wait for too long."""

    def __init__(self, seconds: float) -> None:
        self._patience: Patience[Task] = Patience(seconds, self._cancel)
        self._cancelled_tasks: set[Task] = set()

    def begin(self) -> Task | None:
        """The task that runs waits from now on; None where none runs, and so nothing waits (``run_at_once``)."""
        task = asyncio.current_task()
        if task is not None:
            self._patience.begin(task)
        return task

    def end(self, task: Task | None) -> None:
        """It waits no more."""
        if task is not None:
            self._patience.end(task)
            self._cancelled_tasks.discard(task)

    def is_over(self, task: Task | None) -> bool:
        """Whether it was cancelled here, and by nobody else; then it may go on."""
        return task is not None and task in self._cancelled_tasks and task.uncancel() == 0

    def _cancel(self, task: Task) -> None:
        self._cancelled_tasks.add(task)
        task.cancel()
