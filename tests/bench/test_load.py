"""The client that loads a service: what it counts, against a server whose every pause is known."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from bench._load import Load, constant, request, saturated


class _Echo(asyncio.Protocol):
    """Answers every request, the first one late; breaks the connection where a body says so."""

    late = 0.0
    transports: ClassVar[list[asyncio.Transport]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _Echo.transports.append(transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"break"):
            self._transport.abort()
            return
        late, _Echo.late = _Echo.late, 0.0
        if late:
            threading.Event().wait(late)  # the whole server stands still
        status = b"503 Busy" if data.endswith(b"busy") else b"200 OK"
        self._transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\ndone")


@contextmanager
def echo_server(late: float = 0.0) -> Iterator[int]:
    """The port of a server."""
    _Echo.late = late
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(_Echo, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    for transport in _Echo.transports:
        transport.abort()
    _Echo.transports.clear()
    loop.run_until_complete(server.wait_closed())
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()


def test_all_requests_of_a_rate_are_sent_and_counted() -> None:
    bodies: list[bytes] = []
    with echo_server() as port:
        load = constant(port, [request("/", b"x")], 200, 0.5, handler=lambda status, body: bodies.append(body))
    assert load.statuses == {200: 100}
    assert load.bad == 0
    assert bodies == [b"done"] * 100


def test_a_server_that_stands_still_is_charged_for_all_that_was_due() -> None:
    with echo_server(late=0.3) as port:
        load = constant(port, [request("/", b"x")], 100, 0.5, connections=2)
    late = sum(latency > 0.1 for latency in load.latencies)
    assert load.statuses == {200: 50}
    assert 15 <= late <= 45  # of the 30 requests that were due in the pause, the first 20 waited that long
    assert load.quantile(1.0) >= 0.28


@pytest.mark.parametrize(("body", "n_bad", "n_answered"), [(b"busy", 20, 20), (b"break", 20, 0)])
def test_what_fails_is_counted(body: bytes, n_bad: int, n_answered: int) -> None:
    with echo_server() as port:
        load = constant(port, [request("/", body)], 100, 0.2, connections=20)
    assert (load.bad, load.answered) == (n_bad, n_answered)


def test_at_saturation_a_connection_never_waits() -> None:
    with echo_server() as port:
        load = saturated(port, [request("/", b"x")], 0.3, connections=2)
    assert load.statuses[200] == load.answered > 20
    assert load.quantile(0.5) <= load.quantile(0.99)


def test_loads_add_up() -> None:
    one = Load(latencies=[0.1], failed=1, seconds=1.0)
    one.statuses[200] = 1
    total = one + one
    assert (total.answered, total.failed, total.seconds, total.rate) == (2, 2, 2.0, 1.0)
    assert Load().quantile(0.5) == float("inf")
