"""What waits for nothing has run when the call returns; what waits goes on as a task does."""

from __future__ import annotations

import asyncio

import pytest

from sortal.serve.at_once import run_at_once


async def steps(events: list[str], *waits: float) -> None:
    for seconds in waits:
        events.append("waits")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
    events.append("ended")


def test_it_runs_until_it_waits() -> None:
    async def both() -> None:
        loop, events, other = asyncio.get_running_loop(), list[str](), list[str]()
        assert run_at_once(loop, steps(events)) is None
        assert events == ["ended"]
        task = run_at_once(loop, steps(other, 0.0, 0.01, 0.0))
        assert other == ["waits"]
        assert task is not None
        await task
        assert other == ["waits", "waits", "waits", "ended"]

    asyncio.run(both())


def test_it_is_cancelled_where_it_waits_and_can_go_on() -> None:
    async def cancelled() -> None:
        events: list[str] = []
        task = run_at_once(asyncio.get_running_loop(), steps(events, 5.0))
        assert task is not None
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert events == ["waits", "cancelled"]

    asyncio.run(cancelled())


def test_what_fails_fails_where_it_is() -> None:
    async def failing(future: asyncio.Future[None] | None) -> None:
        if future is not None:
            await future
        raise ValueError("ours")

    async def both() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(ValueError, match="ours"):
            run_at_once(loop, failing(None))
        future: asyncio.Future[None] = loop.create_future()
        task = run_at_once(loop, failing(future))
        assert task is not None
        future.set_exception(KeyError("theirs"))
        with pytest.raises(KeyError, match="theirs"):
            await task

    asyncio.run(both())
