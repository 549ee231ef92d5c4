"""A client of HTTP at a constant rate, or as fast as answers come, in one thread over a few connections.

At a constant rate every request has a time at which it is due, whatever became of those before, and its latency counts
from then: a server that stops for a second is charged for all requests that were due in it. The client spins between
requests, and so needs a core of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

Handler = Callable[[int, bytes], None]
"""Is shown the status and the body of every answer."""


@dataclass
class Load:
    """What came of it. ``latencies``: seconds, of every request that was answered. ``failed``: connections that broke
    under a request; ``unanswered``: requests that still waited when the client gave up. ``busy``: the share of the time
    that the client computed, where it does not spin.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    busy: float = 0.0

    @property
    def answered(self) -> int:
        return sum(self.statuses.values())

    @property
    def bad(self) -> int:
        """Requests that were refused, or whose connection broke."""
        return self.failed + self.answered - self.statuses[200]

    @property
    def rate(self) -> float:
        """Answers by 200, a second."""
        return self.statuses[200] / self.seconds

    def __add__(self, other: Load) -> Load:
        """Both, one after the other."""
        return Load(
            statuses=self.statuses + other.statuses,
            latencies=[*self.latencies, *other.latencies],
            failed=self.failed + other.failed,
            unanswered=self.unanswered + other.unanswered,
            seconds=self.seconds + other.seconds,
        )

    def quantile(self, share: float) -> float:
        """Seconds that this share of the requests took at most; infinite where none was answered."""
        if not self.latencies:
            return float("inf")
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def request(path: str, body: bytes, headers: Sequence[str] = (), method: str = "POST") -> bytes:
    """The bytes of a request."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def constant(
    port: int,
    requests: Sequence[bytes],
    rate: float,
    seconds: float,
    connections: int = 16,
    handler: Handler | None = None,
) -> Load:
    """So many requests a second, in turn those of ``requests``."""
    return _run(_Client(port, requests, handler), lambda client: _constant(client, rate, seconds), connections)


def saturated(
    port: int, requests: Sequence[bytes], seconds: float, connections: int = 8, handler: Handler | None = None
) -> Load:
    """The next request on a connection as soon as the answer to the former came."""
    return _run(_Client(port, requests, handler), lambda client: _saturated(client, seconds), connections)


@dataclass
class _Client:
    port: int
    requests: Sequence[bytes]
    handler: Handler | None
    load: Load = field(default_factory=Load)
    n_sent: int = 0
    connections: list[_Connection] = field(default_factory=list)
    idle: list[_Connection] = field(default_factory=list)
    due: deque[float] = field(default_factory=deque)
    closed_loop: bool = False

    async def connect(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.port)

    async def close(self) -> None:
        for connection in self.connections:
            connection.close()
        await asyncio.sleep(0.01)  # in which they are closed

    def next_request(self) -> bytes:
        self.n_sent += 1
        return self.requests[self.n_sent % len(self.requests)]


def _run(client: _Client, loaded: Callable[[_Client], Awaitable[Load]], connections: int) -> Load:
    async def run() -> Load:
        await client.connect(connections)
        try:
            return await loaded(client)
        finally:
            await client.close()

    return asyncio.run(run())


async def _constant(client: _Client, rate: float, seconds: float) -> Load:
    start = time.perf_counter()
    count = int(rate * seconds)
    for number in range(count):
        due = start + number / rate
        while time.perf_counter() < due:
            await asyncio.sleep(0)
        if client.idle:
            client.idle.pop().send(due)
        else:
            client.due.append(due)
        if number % 8 == 0:  # a server that is far behind is still listened to
            await asyncio.sleep(0)
    until = time.perf_counter() + 10
    while client.load.answered + client.load.failed < count and time.perf_counter() < until:
        await asyncio.sleep(0.001)
    client.load.unanswered = count - client.load.answered - client.load.failed
    client.load.seconds = max(seconds, time.perf_counter() - start - 0.001)
    return client.load


async def _saturated(client: _Client, seconds: float) -> Load:
    client.closed_loop = True
    start, computed = time.perf_counter(), time.process_time()
    for connection in list(client.idle):
        connection.send(time.perf_counter())
    await asyncio.sleep(seconds)
    client.load.seconds = time.perf_counter() - start
    client.load.busy = (time.process_time() - computed) / client.load.seconds
    client.closed_loop = False
    return client.load


class _Connection(asyncio.Protocol):
    def __init__(self, client: _Client) -> None:
        self._client = client
        self._buffer = bytearray()
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._client.connections.append(self)
        self._client.idle.append(self)

    def close(self) -> None:
        self._due = None
        self._transport.abort()

    def send(self, due: float) -> None:
        self._due = due
        self._transport.write(self._client.next_request())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _content_length(bytes(self._buffer[:head]))
        if len(self._buffer) < head + 4 + length or self._due is None:
            return
        load, due = self._client.load, self._due
        load.latencies.append(time.perf_counter() - due)
        status = int(self._buffer[9:12])
        load.statuses[status] += 1
        if self._client.handler is not None:
            self._client.handler(status, bytes(self._buffer[head + 4 : head + 4 + length]))
        self._buffer.clear()
        self._due = None
        if self._client.closed_loop:
            self.send(time.perf_counter())
        elif self._client.due:
            self.send(self._client.due.popleft())
        else:
            self._client.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        """A server that stops closes idle connections; only under a request that is a failure."""
        if self._due is not None and not self._client.closed_loop:
            self._client.load.failed += 1
        if self in self._client.idle:
            self._client.idle.remove(self)


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
