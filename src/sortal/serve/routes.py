"""Every address of the service, as data: what answers it, and whether a token is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sortal.serve import v1
from sortal.serve.http import Request, Response
from sortal.serve.service import Service, Timing

Handler = Callable[[Service, Request, Timing], Response]


@dataclass(frozen=True)
class Route:
    """``open``: answered without a token, as it tells nothing of model or data."""

    method: str
    path: str
    handler: Handler
    open: bool = False


def live(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v2/health/live``"""
    return Response.json({"live": True})


ROUTES = (
    Route("POST", "/v1/predict", v1.predict),
    Route("GET", "/v2/health/live", live, open=True),
)
