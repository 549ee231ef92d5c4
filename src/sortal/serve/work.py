"""Work that takes long: a few threads, a short queue, and a refusal instead of a long one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from sortal.serve.http import busy

T = TypeVar("T")
R = TypeVar("R")

LONG = 0.005
"""Seconds. What takes less is done at once: to hand it to a thread and back costs a tenth of a millisecond, and all
others wait no longer for it than they would for the thread to let go of the interpreter."""

LARGE = 2**17
"""Bytes of a body from which on reading it takes longer than that."""


class Workers:
    """Runs functions in threads, at most ``threads`` at once and ``waiting`` more in line."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._places = BoundedSemaphore(threads + waiting)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sortal-work")

    async def run(self, function: Callable[[], T], seconds: float) -> T:
        """What a function returns that is expected to take so many seconds. Raises HttpError where too many wait."""
        if seconds < LONG:
            return function()
        if not self._places.acquire(blocking=False):
            raise busy("More requests that take long are waiting than there is room for")
        future = self._pool.submit(function)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    async def read(self, body: bytes, read: Callable[[], T]) -> T:
        """What is read from a body: in a thread where it is large."""
        return await self.run(read, float("inf") if len(body) > LARGE else 0.0)

    async def answer(
        self, body: bytes, read: Callable[[], T], seconds: Callable[[T], float], answer: Callable[[T], R]
    ) -> R:
        """What is answered to what is read from a body, which is expected to take so many ``seconds``."""
        if len(body) > LARGE:
            return await self.run(lambda: answer(read()), float("inf"))
        content = read()
        return await self.run(lambda: answer(content), seconds(content))
