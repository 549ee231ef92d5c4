"""A connection as uvicorn has it with httptools, and what these leave open: how long a head may be, and take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from sortal.serve.app import Message, Receive, Send
from sortal.serve.at_once import run_at_once
from sortal.serve.http import HttpError
from sortal.serve.limits import Limits
from sortal.serve.patience import Patience

Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Connection(HttpToolsProtocol):
    """What comes before a body (the head), after it, and between its parts, is limited here, since a parser keeps it
    and no application sees it; bodies are the application's.
    """

    def __init__(
        self, *of_uvicorn: Any, limits: Limits, head: Patience[Connection], idle: Patience[Connection], **more: Any
    ) -> None:
        super().__init__(*of_uvicorn, **more)
        self._limits, self._head, self._idle = limits, head, idle
        self._in_head, self._whole = False, True
        """Whether a head has begun, and whether all of the last request has come."""
        self._pending_bytes, self._made_progress = 0, False
        """Bytes of which the parser has made nothing yet, and whether it made something of the last ones."""
        self._refusal: HttpError | None = None
        self._is_refused = False
        self._is_reading = False
        self._next: tuple[RequestResponseCycle, Any] | None = None
        """Whether the parser is at work, and the request that is to be answered when it has done all."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.end(self)
        self._idle.end(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._made_progress, self._is_reading = False, True
        self._idle.end(self)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._go_on(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or _malformed_request())
        self._pending_bytes = 0 if self._made_progress else self._pending_bytes + len(data)
        if self._pending_bytes > self._limits.head:
            self._refuse(_too_large(self._limits))
        while self._next is not None:
            self._answer(*self._next)
        self._is_reading = False
        self._wait()

    def _wait(self) -> None:
        """The client is expected to send something, unless it waits for an answer, or for its body to be read."""
        if self.cycle is None or self.cycle.response_complete:
            (self._idle if self._whole else self._head).begin(self)

    def _go_on(self, rest: bytes) -> None:
        """Another protocol was offered, which is not spoken here: the request is read as if it had not been."""
        lines = [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name != b"upgrade"]
        first = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        head = b"%b\r\n%b\r\n" % (first, b"".join(lines))
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._whole = True, False

    def on_headers_complete(self) -> None:
        if len(self.headers) > self._limits.headers or self._head_bytes() > self._limits.head:
            self._refusal = _too_large(self._limits)
            raise ValueError  # the parser stops, and asks for an answer below
        if self._is_offer():
            return
        self._in_head, self._made_progress = False, True
        self._head.end(self)
        super().on_headers_complete()
        self.headers = []  # what comes after a body is no header: the application does not see it

    def _is_offer(self) -> bool:
        return self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)

    def _head_bytes(self) -> int:
        return len(self.url) + sum([len(name) + len(value) for name, value in self.headers])

    def on_body(self, body: bytes) -> None:
        self._made_progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:  # with the offer of another protocol
            return
        self._whole = self._made_progress = True
        self._head.end(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._is_reading:
            self._wait()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._is_reading:
            self._next = (cycle, app)
        else:  # it waited for the answer to the one before
            super()._start_asgi_task(cycle, partial(_in_one_piece, app, cycle))

    def _answer(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._next = None
        whole = partial(_in_one_piece, app, cycle)
        if cycle.more_body:
            super()._start_asgi_task(cycle, whole)
            return
        task = run_at_once(self.loop, cycle.run_asgi(whole))
        if task is not None:
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def is_too_slow(self) -> None:
        """A head has not come in time; or the rest of a request that was refused, which nobody keeps."""
        if self._in_head and not self._is_refused:
            within = f"It has to come within {self._limits.head_seconds:g} s"
            self._refuse(HttpError(408, "The head of the request took too long", within, code="too-slow"))
        else:
            self.is_idle()

    def is_idle(self) -> None:
        """Nothing comes any more; what the client has not read until now it does not get."""
        self.transport.abort()

    def _refuse(self, refusal: HttpError) -> None:
        """Answer what is no request, or none that the application may see. What still comes is not looked at: to close
        the connection at once would take the answer away from a client that sends (TCP resets it).
        """
        if self._is_refused or self.transport.is_closing():
            return
        response = refusal.response()
        headers = f"content-type: {response.media_type}\r\ncontent-length: {len(response.body)}\r\nconnection: close"
        self.transport.write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[response.status], headers.encode(), response.body))
        self.transport.write_eof()
        self._is_refused = True
        if self.cycle is not None:  # whose body was no body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._head.begin(self)


def connections(limits: Limits) -> type[Connection]:
    """Makes the connections of one process, as ``uvicorn.Config`` has it."""
    head = Patience(limits.head_seconds, Connection.is_too_slow)
    idle = Patience(limits.idle_seconds, Connection.is_idle)
    return cast(type[Connection], partial(Connection, limits=limits, head=head, idle=idle))


async def _in_one_piece(
    app: Application, cycle: RequestResponseCycle, scope: Message, receive: Receive, send: Send
) -> None:
    """Ask the application, whose answers are a head, with their length, and one body: both are written at once."""
    begin: Message | None = None

    async def write(message: Message) -> None:
        nonlocal begin
        if message["type"] == "http.response.start":
            begin = message
            return
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if begin is None or cycle.disconnected:
            return
        lines = [b"%b: %b\r\n" % line for line in (*cycle.default_headers, *begin["headers"])]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        cycle.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[begin["status"]], b"".join(lines), message["body"]))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    await app(scope, receive, write)


def _malformed_request() -> HttpError:
    return HttpError(400, "This is no request of HTTP/1.1", code="malformed-request")


def _too_large(limits: Limits) -> HttpError:
    detail = f"At most {limits.headers} headers are read, and {limits.head:,} bytes with the address"
    return HttpError(431, "The head of the request is too large", detail, code="headers-too-large")
