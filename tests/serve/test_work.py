"""What takes long waits in a short line, and nothing else waits for it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest

from sortal.artifact.model import Model
from sortal.core.door import rows_of
from sortal.serve.app import App
from sortal.serve.http import HttpError
from sortal.serve.pace import DECODING, Pace, measure
from sortal.serve.service import Batch, Service, Timing, answer
from sortal.serve.work import LONG, Workers
from tests.serve.process import a_model


def test_what_is_quick_is_done_at_once_and_what_is_long_in_a_thread() -> None:
    async def thread_names() -> tuple[str, str]:
        workers = Workers(1, 0)
        name = partial(lambda: threading.current_thread().name)
        return await workers.run(name, LONG / 2), await workers.run(name, 2 * LONG)

    quick, long = asyncio.run(thread_names())
    assert quick == threading.current_thread().name
    assert long.startswith("sortal-work")


def test_beyond_the_line_there_is_a_refusal_and_places_are_given_back() -> None:
    async def all_answers() -> list[Any]:
        workers, gate = Workers(2, 1), threading.Event()
        waiting = [asyncio.create_task(workers.run(gate.wait, 1.0)) for _ in range(5)]
        await asyncio.sleep(0.05)
        gate.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        return [*answers, await workers.run(lambda: "again", 1.0)]

    *answers, last_answer = asyncio.run(all_answers())
    refusals = [result for result in answers if isinstance(result, HttpError)]
    assert [refusal.status for refusal in refusals] == [503, 503]
    assert answers.count(True) == 3
    assert last_answer == "again"


def test_a_place_is_given_back_where_work_fails_or_nobody_waits_for_it() -> None:
    async def failing() -> str:
        workers, gate = Workers(1, 0), threading.Event()
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 // 0, 1.0)
        cancelled_task = asyncio.create_task(workers.run(gate.wait, 1.0))
        await asyncio.sleep(0.01)
        cancelled_task.cancel()
        with pytest.raises(HttpError):  # what runs still has its place
            await workers.run(lambda: "too early", 1.0)
        gate.set()
        await asyncio.sleep(0.05)
        return await workers.run(lambda: "done", 1.0)

    assert asyncio.run(failing()) == "done"


def test_the_pace_is_that_of_the_model_and_of_decoding_its_images(model: Model) -> None:
    numbers = a_model()
    pace = measure(numbers)
    begin = time.perf_counter()
    numbers.score_rows(rows_of({"tenure": np.arange(200.0)}, numbers.reads, allow_missing=True))
    elapsed = time.perf_counter() - begin
    assert 0 < pace.row < 0.01
    assert elapsed / 20 < pace.of(200) < 20 * elapsed + 0.1
    assert measure(model).row > DECODING
    assert Pace(1.0, 2.0).of(3) == 7.0


@pytest.mark.clock
def test_health_is_answered_while_large_requests_are_worked_on(model: Model, deployment: Any) -> None:
    service = Service(deployment(model))
    app = App(service)
    body = json.dumps({"rows": [{"age": at, "city": f"city {at}"} for at in range(5_000)]}).encode()

    async def ask(method: str, path: str, content: bytes) -> tuple[int, float]:
        begin, messages = time.perf_counter(), []

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        headers = [(b"content-type", b"application/json")]
        await app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
        return messages[0]["status"], time.perf_counter() - begin

    async def both() -> tuple[list[tuple[int, float]], list[float]]:
        large = [asyncio.create_task(ask("POST", "/v1/predict", body)) for _ in range(4)]
        live: list[float] = []
        while not all(task.done() for task in large):
            live.append((await ask("GET", "/v2/health/live", b""))[1])
            await asyncio.sleep(0.001)
        return [task.result() for task in large], live

    large, live = asyncio.run(both())
    assert [status for status, _ in large] == [200] * 4
    assert max(seconds for _, seconds in large) > 0.05
    assert len(live) > 5
    assert float(np.median(live)) < 0.02
    assert max(live) < 0.25


def test_many_threads_get_what_one_gets(model: Model, deployment: Any) -> None:
    service = Service(deployment(model))
    rows = [
        {"age": at, "city": f"city {at % 7}", "note": "good " * (at % 5), "since": "2020-01-02"} for at in range(40)
    ]

    def probabilities_of(row: dict[str, Any]) -> Any:
        return answer(service, Batch([row], ["a"]), Timing()).probabilities

    expected = [probabilities_of(row) for row in rows]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(probabilities_of, rows * 5)) == expected * 5
