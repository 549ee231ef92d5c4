"""Every address of the service."""

from __future__ import annotations

from sortal.serve import about, admin, explain, page, v1, v2
from sortal.serve.http import BYTES, JSON, MULTIPART, Request, Response
from sortal.serve.metrics import MEDIA_TYPE
from sortal.serve.openapi import document
from sortal.serve.route import Handler, Route
from sortal.serve.service import Service, Timing
from sortal.serve.swap import Swapped


def metrics(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /metrics``"""
    others = () if service.shared is None else service.shared.others()
    return Response(200, service.metrics.text(*service.metric_inputs(), others).encode(), MEDIA_TYPE)


async def description(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /openapi.json``"""
    champion, limits, token = service.deployment.champion, service.limits, service.token is not None
    # Of a table of thousands of columns it takes long.
    content = await service.workers.run(lambda: document(champion, ROUTES, limits, token), float("inf"))
    return Response.json(content)


def _of_model(
    method: str, end: str, handler: Handler, summary: str, response: type, request: type | None = None
) -> tuple[Route, Route]:
    """An address of the Open Inference Protocol, without and with the version of the model."""
    reads = () if request is None else (JSON,)
    start = "/v2/models/{name}"
    return (
        Route(method, start + end, handler, False, summary, reads, JSON, request, response),
        Route(method, f"{start}/versions/{{version}}{end}", handler, False, summary, reads, JSON, request, response),
    )


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
        refusals=(("409", "The service keeps no log"),),
    ),
    Route(
        "POST",
        "/v1/explain",
        explain.explain,
        summary="What each field of a row adds to what the model says",
        reads=(JSON,),
        request=explain.ExplainRequest,
        response=explain.ExplainResponse,
    ),
    Route("GET", "/v1/model", about.about, summary="What the model is, reads and promises", response=about.AboutModel),
    Route("GET", "/v2", v2.server, summary="What answers", response=v2.ServerAbout),
    Route("GET", "/v2/health/live", v2.live, open=True, summary="Whether the process answers", response=v2.Live),
    Route("GET", "/v2/health/ready", v2.ready, open=True, summary="Whether rows are answered", response=v2.Ready),
    *_of_model("GET", "", v2.model, "What the model reads and says", v2.ModelAbout),
    *_of_model("GET", "/ready", v2.model_ready, "Whether the model answers", v2.ModelReady),
    *_of_model("POST", "/infer", v2.infer, "What the model says of columns of rows", v2.InferResponse, v2.InferRequest),
    Route("GET", "/openapi.json", description, summary="This description"),
    Route(
        "POST",
        "/v1/admin/model",
        admin.replace,
        summary="Another model in the place of the one that answers; the body is its file",
        reads=(BYTES,),
        response=Swapped,
    ),
    Route("POST", "/v1/admin/rollback", admin.roll_back, summary="The former model again", response=Swapped),
    Route("GET", "/metrics", metrics, summary="Counts and latencies for Prometheus", writes=MEDIA_TYPE),
    Route("GET", "/v1/live", page.live, summary="Counts of the last hour, and what labels say, as the page shows them"),
    *(
        Route("GET", path, page.file, open=True, summary="The page", writes=answer.media_type)
        for path, answer in page.FILES.items()
    ),
)
