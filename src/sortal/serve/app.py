"""The ASGI application: a request is read within limits, shown to its route, and answered or refused."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from inspect import isawaitable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sortal.core.errors import SortalError
from sortal.engine.once import keep_newest
from sortal.serve.http import HttpError, Request, Response, busy
from sortal.serve.limits import Limits
from sortal.serve.logs import RequestEvent
from sortal.serve.patience import PatienceWithTasks
from sortal.serve.route import Route
from sortal.serve.routes import ROUTES
from sortal.serve.service import Service, Timing

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOGGER = logging.getLogger("sortal.serve")

MOST_QUERY_FIELDS = 32
CACHE_BYTES = 2**24
"""Bytes of what networks made of texts and images: several thousand of them. Members of a model share it, and whoever
asks again.
"""
LONGEST_LENGTH = 18
"""Digits of a length that is a number at all."""
NO_ROUTE = "(none)"
"""What metrics call an address at which there is nothing, whatever it was."""


class ClientGoneError(Exception):
    """Who asked has hung up."""


class App:
    """ASGI 3, for any server."""

    def __init__(self, service: Service, routes: Sequence[Route] = ROUTES) -> None:
        self.service = service
        self._routes = Routes(routes)
        self._bodies = 0
        self._patience = PatienceWithTasks(service.limits.seconds)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            try:
                response, timing = await self._respond(scope, receive)
                await _send(send, response, timing, bodiless=scope["method"] == "HEAD")
            except ClientGoneError:
                LOGGER.debug("a client hung up")

    async def _respond(self, scope: Message, receive: Receive) -> tuple[Response, Timing]:
        timing = Timing()
        path = NO_ROUTE
        try:
            route, parameters = self._routes.find(scope["method"], scope["path"])
            path = route.path
            response = await self._answer(route, parameters, scope, receive, timing)
        except HttpError as refusal:
            response = refusal.response(protocol=scope["path"].startswith("/v2"))
        except ClientGoneError:
            raise
        except Exception as error:  # the last door: the client learns nothing of our insides, the log all
            ours = "" if isinstance(error, SortalError) else "a bug of sortal, in "
            LOGGER.exception("%s%s %s", ours, scope["method"], path)
            response = HttpError(500, "A fault of the service; its log says more", code="fault").response()
        method, status, total = scope["method"], response.status, timing.total
        self.service.metrics.add_request(method, path, status, total, timing.seconds)
        if self.service.observers:
            event = RequestEvent(method, path, status, total, timing.seconds, timing.rows, scope)
            for observe in self.service.observers:
                observe(event)
        return response, timing

    async def _answer(
        self, route: Route, parameters: Mapping[str, str], scope: Message, receive: Receive, timing: Timing
    ) -> Response:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not route.open:
            _authorize(headers, self.service.token)
        if not route.reads:
            return await self._handle(route, parameters, scope, headers, b"", timing)
        _check_media(headers, route)
        body = bytearray()
        try:
            await self._read(receive, headers, body)
            return await self._handle(route, parameters, scope, headers, bytes(body), timing)
        finally:
            self._bodies -= len(body)

    async def _read(self, receive: Receive, headers: Mapping[str, str], body: bytearray) -> None:
        """Fill the body. Raises HttpError where it is too large or too slow, and where the bodies of all requests
        together would take too much memory.
        """
        limits = self.service.limits
        content_length = headers.get("content-length", "")
        if content_length.isdecimal() and (len(content_length) > LONGEST_LENGTH or int(content_length) > limits.body):
            raise _too_large(limits)
        task = self._patience.begin()
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = message.get("body", b"")
                body += chunk
                self._bodies += len(chunk)
                if len(body) > limits.body:
                    raise _too_large(limits)
                if self._bodies > limits.bodies:
                    raise busy("Bodies of other requests fill the memory that there is for them")
                more = message.get("more_body", False)
        except asyncio.CancelledError:
            if not self._patience.is_over(task):
                raise
            detail = f"It has to come within {limits.seconds:g} s"
            raise HttpError(408, "The body took too long", detail, code="too-slow") from None
        finally:
            self._patience.end(task)

    async def _handle(
        self,
        route: Route,
        parameters: Mapping[str, str],
        scope: Message,
        headers: Mapping[str, str],
        body: bytes,
        timing: Timing,
    ) -> Response:
        query = _query(scope.get("query_string", b""))
        timing.restart()
        request = Request(scope["method"], scope["path"], headers, query, body, parameters)
        response = route.handler(self.service, request, timing)
        return await response if isawaitable(response) else response

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.warm_up()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    def warm_up(self) -> None:
        """Make before the first request what is made once."""
        keep_newest(CACHE_BYTES)
        self.service.deployment.champion.warm_up()


class Routes:
    """Finds the route of a request."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact = {(route.method, route.path): route for route in routes if "{" not in route.path}
        self._patterns = [(route.path.split("/"), route) for route in routes if "{" in route.path]

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route, and what stands for the names in its path. Raises HttpError."""
        route_method = "GET" if method == "HEAD" else method
        route = self._exact.get((route_method, path))
        if route is not None:
            return route, {}
        matches = self._all(path)
        if not matches:
            raise HttpError(404, "There is nothing at this address", code="not-found")
        for route, parameters in matches:
            if route.method == route_method:
                return route, parameters
        methods = ", ".join(sorted({route.method for route, _ in matches}))
        raise HttpError(
            405, "This address has other methods", methods, code="method-not-allowed", headers=(("allow", methods),)
        )

    def _all(self, path: str) -> list[tuple[Route, Mapping[str, str]]]:
        parts = path.split("/")
        matches: list[tuple[Route, Mapping[str, str]]] = [
            (route, {}) for (_, route_path), route in self._exact.items() if route_path == path
        ]
        for pattern, route in self._patterns:
            if len(pattern) == len(parts) and all(p == q or p[:1] == "{" for p, q in zip(pattern, parts, strict=True)):
                names = zip(pattern, parts, strict=True)
                matches.append((route, {p[1:-1]: unquote(q) for p, q in names if p[:1] == "{"}))
        return matches


def _query(text: bytes) -> dict[str, str]:
    if not text:
        return {}
    try:
        return dict(parse_qsl(text.decode("ascii"), max_num_fields=MOST_QUERY_FIELDS))
    except ValueError:
        raise HttpError(400, "The query cannot be read", code="malformed-query") from None


def _authorize(headers: Mapping[str, str], token: str | None) -> None:
    if token is None:
        _check_local(headers)
        return
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    # Compared in any case, in a time that does not tell how much of it is right.
    fits = hmac.compare_digest(credentials.strip().encode(), token.encode())
    if not (fits and scheme.lower() == "bearer"):
        detail = "Send it as: Authorization: Bearer TOKEN"
        raise HttpError(
            401, "A token is needed", detail, code="unauthorized", headers=(("www-authenticate", "Bearer"),)
        )


def _check_local(headers: Mapping[str, str]) -> None:
    """Raises HttpError for a request that a page of somebody else makes the browser of this machine send: it says the
    name of that page, or comes by it, where a name was made to lead here ("DNS rebinding"). Without a token nothing
    else would tell them apart.
    """
    origin = headers.get("origin")
    if not _is_local(headers.get("host", "localhost")) or (origin and not _is_local(origin.partition("://")[2])):
        detail = "Without a token only this machine is answered, by its own name; start the service with --token-file"
        raise HttpError(403, "This address is not known here", detail, code="foreign-host")


@lru_cache(maxsize=64)
def _is_local(host: str) -> bool:
    """Whether a host, with its port or without, is this machine.

    >>> [_is_local(host) for host in ("localhost:8000", "127.0.0.1", "[::1]:80", "evil.example", "")]
    [True, True, True, False, False]
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_media(headers: Mapping[str, str], route: Route) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in route.reads:
        detail = f"Send it as: Content-Type: {' or '.join(route.reads)}"
        raise HttpError(415, "The body is of another type", detail, code="media-type")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        # What is small when it is compressed may be endless when it is not.
        raise HttpError(415, "The body is compressed", "Send it as it is", code="content-encoding")


def _too_large(limits: Limits) -> HttpError:
    return HttpError(413, "The body is too large", f"At most {limits.body:,} bytes are read", code="too-large")


_USUAL = {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}
"""Headers of every answer that does not say otherwise."""


async def _send(send: Send, response: Response, timing: Timing, *, bodiless: bool) -> None:
    header_fields = {
        b"content-type": response.media_type.encode("latin-1"),
        b"content-length": b"%d" % len(response.body),
        **_USUAL,
        b"server-timing": timing.header().encode("latin-1"),
    }
    if response.headers:
        header_fields |= {name.encode("latin-1"): value.encode("latin-1") for name, value in response.headers}
    headers = list(header_fields.items())
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodiless else response.body})
