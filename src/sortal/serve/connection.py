"""A connection as uvicorn has it with httptools, and what these leave open: how long a head may be, and take."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from sortal.serve.http import HttpError
from sortal.serve.limits import Limits
from sortal.serve.patience import Patience


class Connection(HttpToolsProtocol):
    """What comes before a body (the head), after it, and between its parts, is limited here, since a parser keeps it
    and no application sees it; bodies are the application's.
    """

    def __init__(self, *of_uvicorn: Any, limits: Limits, patience: Patience[Connection], **more: Any) -> None:
        super().__init__(*of_uvicorn, **more)
        self._limits, self._patience = limits, patience
        self._refusal: HttpError | None = None
        self._in_head, self._whole, self._refused = False, True, False
        self._unseen, self._seen = 0, False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._patience.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.end(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._seen = False
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._go_on(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or _malformed())
        if self._seen:
            self._unseen = 0
        else:
            self._unseen += len(data)
        if self._unseen > self._limits.head:
            self._refuse(_too_large(self._limits))
        elif self._in_head and not self._refused:
            self._patience.begin(self)

    def _go_on(self, rest: bytes) -> None:
        """Another protocol was offered, which is not spoken here: the request is read as if it had not been."""
        lines = [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name != b"upgrade"]
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (self.parser.get_method(), self.url, b"".join(lines))
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
        self._in_head, self._seen = False, True
        self._patience.end(self)
        super().on_headers_complete()
        self.headers = []  # what comes after a body is no header: the application does not see it

    def _is_offer(self) -> bool:
        return self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)

    def _head_bytes(self) -> int:
        return len(self.url) + sum([len(name) + len(value) for name, value in self.headers])

    def on_body(self, body: bytes) -> None:
        self._seen = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:  # with the offer of another protocol
            return
        self._whole = self._seen = True
        self._patience.end(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._whole:  # it was refused before it had come, and the rest is not kept
            self._patience.begin(self)

    def timeout_keep_alive_handler(self) -> None:
        """A client that does not read its answers does not get the rest of them."""
        self.transport.abort()

    def is_too_slow(self) -> None:
        """What it waits for has not come in time."""
        if self._refused:
            self.transport.abort()
        elif self.cycle is not None and not self.cycle.response_complete:
            self._patience.begin(self)  # it waits for us, with the next request
        elif self._in_head:
            within = f"It has to come within {self._limits.head_seconds:g} s"
            self._refuse(HttpError(408, "The head of the request took too long", within, code="too-slow"))
        else:
            self.transport.abort()

    def _refuse(self, refusal: HttpError) -> None:
        """Answer what is no request, or none that the application may see. What still comes is not looked at: to close
        the connection at once would take the answer away from a client that sends (TCP resets it).
        """
        if self._refused or self.transport.is_closing():
            return
        response = refusal.response()
        headers = f"content-type: {response.media_type}\r\ncontent-length: {len(response.body)}\r\nconnection: close"
        self.transport.write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[response.status], headers.encode(), response.body))
        self.transport.write_eof()
        self._refused = True
        if self.cycle is not None:  # whose body was no body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._patience.begin(self)


def connections(limits: Limits) -> type[Connection]:
    """Makes the connections of one process, as ``uvicorn.Config`` has it."""
    patience = Patience(limits.head_seconds, Connection.is_too_slow)
    return cast(type[Connection], partial(Connection, limits=limits, patience=patience))


def _malformed() -> HttpError:
    return HttpError(400, "This is no request of HTTP/1.1", code="malformed-request")


def _too_large(limits: Limits) -> HttpError:
    detail = f"At most {limits.headers} headers are read, and {limits.head:,} bytes with the address"
    return HttpError(431, "The head of the request is too large", detail, code="headers-too-large")
