"""Requests, responses and refusals, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

JSON, PROBLEM, TEXT = "application/json", "application/problem+json", "text/plain"
MULTIPART, BYTES = "multipart/form-data", "application/octet-stream"

Headers = tuple[tuple[str, str], ...]


class Request(msgspec.Struct, frozen=True):
    """A request whose body has come whole. ``headers`` and ``path`` as ASGI has them; names in lower case. ``query``:
    the last value of each name. ``parameters``: what stands in the path where the route has a name in braces.
    """

    method: str
    path: str
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: bytes = b""
    parameters: Mapping[str, str] = {}

    @property
    def media_type(self) -> str:
        """What the body is, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Response(msgspec.Struct, frozen=True):
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: Headers = ()

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Response:
        """Any value that msgspec writes."""
        return cls(status, msgspec.json.encode(value))


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field of one row; rows are counted from 0, as in the JSON array, and None where it is
    about no row. ``code``: what kind of fault it is, which stays the same when its words change.
    """

    row: int | None
    field: str
    detail: str
    code: str = ""


class HttpError(Exception):
    """A refusal, sent as problem details (RFC 9457). Nothing in it quotes data or paths.

    ``code``: what kind of refusal it is, which stays the same when its words change; the last part of its ``type``.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: tuple[FieldError, ...] = (),
        *,
        code: str = "",
        headers: Headers = (),
    ) -> None:
        super().__init__(detail or title)
        self.status, self.title, self.detail, self.errors = status, title, detail, errors
        self.code, self.headers = code, headers

    def response(self, *, protocol: bool = False) -> Response:
        """As it is sent. ``protocol``: with ``error``, where clients of the Open Inference Protocol look."""
        message = ": ".join(filter(None, (self.title, self.detail)))
        body = Problem(
            type=f"urn:sortal:problem:{self.code}" if self.code else "about:blank",
            title=self.title,
            status=self.status,
            detail=self.detail,
            errors=self.errors,
            error=message if protocol else "",
        )
        return Response(self.status, msgspec.json.encode(body), PROBLEM, self.headers)


class Problem(msgspec.Struct, omit_defaults=True):
    """Problem details (RFC 9457). ``errors``: field by field. ``error``: all in one, of ``/v2`` alone."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    error: str = ""


def busy(detail: str) -> HttpError:
    """There is more to do than can be done now; a second later there may not."""
    return HttpError(503, "The service is busy", detail, code="busy", headers=(("retry-after", "1"),))
