"""An address of the service, as data: what answers it, what it reads, and whether a token is needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sortal.serve.http import JSON, Request, Response
from sortal.serve.service import Service, Timing

Handler = Callable[[Service, Request, Timing], Response | Awaitable[Response]]
"""What takes no time returns a response, what waits for something is a coroutine."""


@dataclass(frozen=True)
class Route:
    """``path``: a name in braces stands for any one part of it. ``reads``: media types of a body, none where there is
    no body. ``open``: answered without a token, as it tells nothing of model or data.

    ``summary``, ``request`` and ``response`` describe it (``openapi``): a sentence, the type of its body and of its
    answer; ``writes``: the media type of the answer; ``refusals``: by status, those that no other route has.
    """

    method: str
    path: str
    handler: Handler
    open: bool = False
    summary: str = ""
    reads: tuple[str, ...] = ()
    writes: str = JSON
    request: Any = None
    response: Any = None
    refusals: tuple[tuple[str, str], ...] = ()
