"""Who waits for too long is cancelled, once, and nobody else is."""

from __future__ import annotations

import asyncio

import pytest

from sortal.serve.patience import LOOKS, PatienceWithTasks

pytestmark = pytest.mark.clock


async def waited(patience: PatienceWithTasks, seconds: float) -> str:
    task = patience.begin()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if not patience.is_over(task):
            raise
        return "over"
    finally:
        patience.end(task)
    await asyncio.sleep(0)  # a task that was let go on can wait again
    return "came"


def test_who_waits_too_long_is_cancelled_and_the_others_are_not() -> None:
    async def all_of_them() -> list[str]:
        patience = PatienceWithTasks(0.1)
        return await asyncio.gather(*(waited(patience, seconds) for seconds in (0.0, 0.02, 5.0, 0.01, 5.0)))

    assert asyncio.run(all_of_them()) == ["came", "came", "over", "came", "over"]


def test_it_ends_about_when_it_should_also_long_after_the_last_one_waited() -> None:
    async def two_waits() -> list[float]:
        patience, durations = PatienceWithTasks(0.1), []
        loop = asyncio.get_running_loop()
        for _ in range(2):
            start = loop.time()
            assert await waited(patience, 5.0) == "over"
            durations.append(loop.time() - start)
            await asyncio.sleep(0.15)
        return durations

    assert all(0.1 <= seconds < 0.1 * (1 + 1 / LOOKS) + 1.0 for seconds in asyncio.run(two_waits()))


def test_the_same_one_goes_on_in_another_loop() -> None:
    patience = PatienceWithTasks(0.05)
    assert [asyncio.run(waited(patience, seconds)) for seconds in (0.0, 5.0)] == ["came", "over"]


def test_who_is_cancelled_by_somebody_else_stays_cancelled() -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(waited(PatienceWithTasks(5.0), 5.0))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
