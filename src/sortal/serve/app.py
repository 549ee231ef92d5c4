"""The ASGI application: a request is read within limits, shown to its route, and answered or refused."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from sortal.serve.http import HttpError, Request, Response
from sortal.serve.limits import Limits
from sortal.serve.routes import ROUTES, Route
from sortal.serve.service import Service, Timing

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOGGER = logging.getLogger("sortal.serve")


class App:
    """ASGI 3, for any server."""

    def __init__(self, service: Service, routes: Sequence[Route] = ROUTES) -> None:
        self.service = service
        self._routes = {(route.method, route.path): route for route in routes}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await _send(send, await self._respond(scope, receive))

    async def _respond(self, scope: Message, receive: Receive) -> Response:
        try:
            return await self._answer(scope, receive)
        except HttpError as refusal:
            return refusal.response()
        except Exception:  # the last door: the client learns nothing of our insides, the log all
            LOGGER.exception("a bug of sortal, in %s %s", scope["method"], scope["path"])
            return HttpError(500, "A fault of the service; its log says more").response()

    async def _answer(self, scope: Message, receive: Receive) -> Response:
        route = self._route(scope["method"], scope["path"])
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not route.open:
            _authorize(headers, self.service.token)
        body = await _read(receive, headers, self.service.limits)
        timing = Timing()
        response = route.handler(self.service, Request(route.method, scope["path"], headers, {}, body), timing)
        timed = ("server-timing", timing.header())
        return Response(response.status, response.body, response.media_type, (*response.headers, timed))

    def _route(self, method: str, path: str) -> Route:
        route = self._routes.get((method, path))
        if route is not None:
            return route
        allowed = sorted(known for known, at in self._routes if at == path)
        if allowed:
            raise HttpError(405, "This address has other methods", ", ".join(allowed))
        raise HttpError(404, "There is nothing at this address")


def _authorize(headers: dict[str, str], token: str | None) -> None:
    if token is None:
        return
    shown = headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(shown.encode(), token.encode()):
        raise HttpError(401, "A token is needed", "Send it as: Authorization: Bearer TOKEN")


async def _read(receive: Receive, headers: dict[str, str], limits: Limits) -> bytes:
    """The whole body. Raises HttpError where it is too large or too slow."""
    if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > limits.body:
        raise HttpError(413, "The body is too large", f"At most {limits.body:,} bytes are read")
    try:
        async with asyncio.timeout(limits.seconds):
            return await _chunks(receive, limits)
    except TimeoutError:
        raise HttpError(408, "The body took too long", f"It has to come within {limits.seconds:g} s") from None


async def _chunks(receive: Receive, limits: Limits) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limits.body:
            raise HttpError(413, "The body is too large", f"At most {limits.body:,} bytes are read")
        if not message.get("more_body", False):
            return bytes(body)


async def _send(send: Send, response: Response) -> None:
    headers = [
        (b"content-type", response.media_type.encode("latin-1")),
        (b"content-length", str(len(response.body)).encode()),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
