"""Every address of the service, as data: what answers it, what it reads, and whether a token is needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sortal.serve import page, v1
from sortal.serve.http import JSON, MULTIPART, Request, Response
from sortal.serve.metrics import MEDIA_TYPE
from sortal.serve.service import Service, Timing

Handler = Callable[[Service, Request, Timing], Response | Awaitable[Response]]
"""What takes no time returns a response, what waits for something is a coroutine."""


@dataclass(frozen=True)
class Route:
    """``path``: a name in braces stands for any one part of it. ``reads``: media types of a body, none where there is
    no body. ``open``: answered without a token, as it tells nothing of model or data.

    ``summary``, ``request`` and ``response`` describe it (``openapi``): a sentence, the type of its body and of its
    answer; ``writes``: the media type of the answer.
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


def live(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v2/health/live``"""
    return Response.json({"live": True})


def metrics(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /metrics``"""
    served = service.deployment.champion
    named = {"name": served.name, "sha256": served.sha256, "version": served.model.version}
    return Response(200, service.metrics.text(model=named).encode(), MEDIA_TYPE)


ROUTES = (
    Route(
        "POST",
        "/v1/predict",
        v1.predict,
        summary="What the model says of one row or of many",
        reads=(JSON, MULTIPART),
        request=v1.PredictRequest,
        response=v1.PredictResponse,
    ),
    Route(
        "POST",
        "/v1/labels",
        v1.labels,
        summary="What turned out to be true of rows, by their ids",
        reads=(JSON,),
        request=v1.LabelsRequest,
        response=v1.LabelsResponse,
    ),
    Route("GET", "/v2/health/live", live, open=True, summary="Whether the process answers"),
    Route("GET", "/metrics", metrics, summary="Counts and latencies for Prometheus", writes=MEDIA_TYPE),
    Route("GET", "/v1/live", page.live, summary="Counts of the last hour, and what labels say, as the page shows them"),
    *(
        Route("GET", path, page.file, open=True, summary="The page", writes=each.media_type)
        for path, each in page.FILES.items()
    ),
)
