"""A coroutine that mostly waits for nothing is run where it is called: a task costs a turn of the loop."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any


def run_at_once(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run it until it waits, and what is left as a task; None where nothing is left. Until then it has no task: what
    asks for the one that runs (``asyncio.timeout``) does not work. (Tasks of Python 3.12 can do this themselves.)
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return loop.create_task(_rest(coroutine, waits_for))


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """It is asked by its task, as it would have been from the beginning."""
    while True:
        try:
            go_on = partial(coroutine.send, (yield waits_for))
        except BaseException as error:  # noqa: BLE001 - it failed, or is cancelled: who waits has to know
            go_on = partial(coroutine.throw, error)
        try:
            waits_for = go_on()
        except StopIteration:
            return
