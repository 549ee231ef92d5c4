"""Spans of requests, and that nothing of OpenTelemetry is there where nobody asks for it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sortal.core.errors import OptionError
from sortal.serve import telemetry
from sortal.serve.app import App
from sortal.serve.deployment import Deployment, ServedModel
from sortal.serve.service import Service
from sortal.serve.telemetry import Spans
from tests.serve.process import ROW, a_model, serving

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def app(exporter: InMemorySpanExporter) -> App:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    deployment = Deployment(ServedModel("churn", "ab" * 32, a_model()))
    return App(Service(deployment, observers=(Spans(provider),)))


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def test_a_request_is_a_span_with_its_stages(app: App, call: Any, exporter: InMemorySpanExporter) -> None:
    answer = call(app, "POST", "/v1/predict", json.dumps({"rows": [ROW, ROW]}).encode())
    assert answer.status == 200
    span = only(exporter)
    assert (span.name, span.kind, span.parent) == ("POST /v1/predict", SpanKind.SERVER, None)
    attributes = dict(span.attributes or {})
    stages = {name: attributes.pop(f"sortal.{name}_ms") for name in ("decode", "validate", "score", "log")}
    assert attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/predict",
        "http.response.status_code": 200,
        "sortal.rows": 2,
    }
    assert span.start_time is not None
    assert span.end_time is not None
    whole = (span.end_time - span.start_time) / 1e6
    assert all(isinstance(ms, float) and 0 < ms < whole for ms in stages.values())


def test_a_span_belongs_to_the_trace_of_the_client(app: App, call: Any, exporter: InMemorySpanExporter) -> None:
    call(app, "GET", "/v2/health/live", headers={"traceparent": PARENT, "tracestate": "vendor=1"})
    span = only(exporter)
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}-{span.parent.span_id:016x}" == PARENT[3:-3]
    assert span.context.trace_state.get("vendor") == "1"


@pytest.mark.parametrize("parent", ["nonsense", "00-0-0-01", PARENT + PARENT])
def test_a_context_that_is_none_begins_a_new_trace(
    app: App, call: Any, exporter: InMemorySpanExporter, parent: str
) -> None:
    assert call(app, "GET", "/v2/health/live", headers={"traceparent": parent}).status == 200
    assert only(exporter).parent is None


def test_a_refusal_is_a_span_and_quotes_nothing(app: App, call: Any, exporter: InMemorySpanExporter) -> None:
    assert call(app, "GET", "/secret?token=1").status == 404
    span = only(exporter)
    assert span.name == "GET (none)"
    assert span.status.status_code is StatusCode.UNSET
    assert "secret" not in span.to_json()


def test_nothing_is_imported_where_nobody_asks() -> None:
    code = "import sys, sortal.serve.server; print(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_traces_that_are_asked_for_and_cannot_be_made_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    telemetry.check_installed()
    monkeypatch.setattr(telemetry, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"pip install 'sortal\[telemetry\]'"):
        telemetry.check_installed()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry.check_installed()


@pytest.fixture
def collector() -> Iterator[tuple[str, list[str]]]:
    """A collector of traces: its address, and the paths that were sent to it."""
    paths: list[str] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_sends_its_spans_before_it_ends(
    collector: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, paths = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    a_model().save(tmp_path / "churn.sortal")
    with serving(tmp_path / "churn.sortal", "--log", "none") as running:
        assert running.predict(ROW).status == 200
        assert running.stop() == 0
    assert "/v1/traces" in paths
