"""A span of OpenTelemetry for every request, with the time of its stages; the extra ``telemetry``.

Traces are sent where the usual variables of the environment say so (``OTEL_EXPORTER_OTLP_ENDPOINT`` and its like), and
nothing is imported where they do not. A span belongs to the trace that the client names (``traceparent``, W3C). It
holds no data, and no address that is not a route.
"""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sortal.core.errors import OptionError
from sortal.serve.logs import RequestEvent
from sortal.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
INSTALL_HINT = "traces need an extra: pip install 'sortal[telemetry]'"
_CONTEXT = (b"traceparent", b"tracestate")


def is_asked_for() -> bool:
    """Whether the environment says where traces go."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(os.environ.get(name) for name in ENDPOINTS)


def check_installed() -> None:
    """Raises OptionError where traces are asked for and cannot be made."""
    if is_asked_for() and find_spec("opentelemetry") is None:
        raise OptionError(f"{' or '.join(ENDPOINTS)} is set, and {INSTALL_HINT}; or unset it")


def spans_of_environment() -> Spans:
    """Spans that go where the environment says, in batches, from a thread of their own."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    attributes = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "sortal"), "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(attributes))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider)


class Spans:
    """Hears of every request, and makes a span of it after it was answered, so that none of this delays an answer."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("sortal.serve", __version__)
        self._extract = TraceContextTextMapPropagator().extract

    def __call__(self, event: RequestEvent) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        end = time.time_ns()
        carrier = {name.decode(): value.decode("latin-1") for name, value in event.scope["headers"] if name in _CONTEXT}
        span = self._tracer.start_span(
            f"{event.method} {event.path}",
            context=self._extract(carrier) if carrier else None,
            kind=SpanKind.SERVER,
            start_time=end - round(1e9 * event.seconds),
            attributes={
                "http.request.method": event.method,
                "http.route": event.path,
                "http.response.status_code": event.status,
                "sortal.rows": event.rows,
                **{f"sortal.{stage}_ms": 1e3 * seconds for stage, seconds in event.stages.items()},
            },
        )
        if event.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()
