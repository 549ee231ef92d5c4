"""Requests, responses and refusals, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

JSON, PROBLEM, HTML, TEXT = "application/json", "application/problem+json", "text/html; charset=utf-8", "text/plain"


@dataclass(frozen=True)
class Request:
    """A request whose body has come whole. ``headers`` and ``path`` as ASGI has them; names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Response:
        """Any value that msgspec writes."""
        return cls(status, msgspec.json.encode(value))


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of one row; rows are counted from 0, as in the JSON array."""

    row: int
    field: str
    detail: str


class HttpError(Exception):
    """A refusal, sent as problem details (RFC 9457). Nothing in it quotes data or paths."""

    def __init__(self, status: int, title: str, detail: str = "", errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail or title)
        self.status, self.title, self.detail, self.errors = status, title, detail, errors

    def response(self) -> Response:
        """As it is sent."""
        body: dict[str, Any] = {"type": "about:blank", "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = self.errors
        return Response(self.status, msgspec.json.encode(body), PROBLEM)
