"""Every route is behind the token and within the limits; what goes wrong is a refusal that tells nothing."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sortal.artifact.model import Model
from sortal.serve.app import App
from sortal.serve.http import Request, Response
from sortal.serve.limits import Limits
from sortal.serve.route import Route
from sortal.serve.routes import ROUTES
from sortal.serve.service import Service, Timing

TOKEN = "a-token-of-this-test"
BEARER = {"authorization": f"Bearer {TOKEN}"}
OPEN = {"/", "/v2/health/live", "/v2/health/ready"}
OPEN_FILES = re.compile(r"/page/[a-z]+\.(css|js|svg)")
"""What is open is listed here once more, so that nothing becomes so in passing."""
every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
with_body = pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.reads], ids=lambda route: f"{route.method} {route.path}"
)


@pytest.fixture
def send(model: Model, deployment: Any, call: Any) -> Any:
    """``send(route, body, headers, limits=..., pause=...)`` to a service with a token."""

    def send_request(
        route: Route, body: Any = b"{}", headers: Mapping[str, str] = BEARER, limits: Limits | None = None, **how: Any
    ) -> Any:
        app = App(Service(deployment(model), limits or Limits(), token=TOKEN))
        media = {"content-type": route.reads[0]} if route.reads else {}
        return call(app, route.method, re.sub(r"\{\w+\}", "churn", route.path), body, {**media, **headers}, **how)

    return send_request


def code(answer: Any) -> str:
    return answer.json["type"].rpartition(":")[2]


@every_route
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": TOKEN},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer \xe4"},
        {"cookie": f"token={TOKEN}"},
    ],
)
def test_a_route_needs_the_token_or_is_known_to_be_open(send: Any, route: Route, headers: Mapping[str, str]) -> None:
    answer = send(route, headers=headers)
    if route.path in OPEN or OPEN_FILES.fullmatch(route.path):
        assert route.open
        assert answer.status in (200, 503)
    else:
        assert (answer.status, code(answer)) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


@every_route
def test_every_answer_has_its_timing(send: Any, route: Route) -> None:
    for headers in ({}, BEARER):
        assert re.search(r"total;dur=\d", send(route, headers=headers).headers["server-timing"])


@with_body
def test_a_body_that_says_that_it_is_too_large_is_not_read(send: Any, route: Route) -> None:
    answer = send(route, [b"x"] * 9, {**BEARER, "content-length": str(17 * 2**20)}, pause=0.2)
    assert (answer.status, code(answer)) == (413, "too-large")
    assert float(answer.headers["server-timing"].rpartition("=")[2]) < 200


@with_body
def test_a_body_that_becomes_too_large_is_not_read_to_its_end(send: Any, route: Route) -> None:
    answer = send(route, [b" " * 60] * 9, limits=Limits(body=100))
    assert (answer.status, code(answer)) == (413, "too-large")


@with_body
def test_bodies_that_are_too_large_together_are_refused_for_now(send: Any, route: Route) -> None:
    answer = send(route, b" " * 60, limits=Limits(bodies=50))
    assert (answer.status, code(answer)) == (503, "busy")
    assert answer.headers["retry-after"] == "1"


@with_body
def test_a_slow_body_is_cut_off(send: Any, route: Route) -> None:
    answer = send(route, [b" "] * 50, limits=Limits(seconds=0.05), pause=0.02)
    assert (answer.status, code(answer)) == (408, "too-slow")


@with_body
@pytest.mark.parametrize("media", ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonx"])
def test_a_body_of_another_type_is_refused(send: Any, route: Route, media: str) -> None:
    answer = send(route, headers={**BEARER, "content-type": media})
    assert (answer.status, code(answer)) == (415, "media-type")


@with_body
def test_a_compressed_body_is_refused(send: Any, route: Route) -> None:
    answer = send(route, headers={**BEARER, "content-encoding": "gzip"})
    assert (answer.status, code(answer)) == (415, "content-encoding")


@every_route
def test_what_a_route_does_not_read_is_no_fault_of_the_service(send: Any, route: Route) -> None:
    for body in (b"", b"null", b"[]", b"{}", b"\xff\xfe", b"0" * 1000):
        assert send(route, body).status < 500, body


@every_route
def test_other_methods_are_named(send: Any, route: Route) -> None:
    answer = send(replace(route, method="PATCH"))
    assert (answer.status, code(answer)) == (405, "method-not-allowed")
    assert route.method in answer.headers["allow"]


def test_charsets_and_schemes_are_read_in_any_case(send: Any) -> None:
    route = next(route for route in ROUTES if route.path == "/v1/predict")
    headers = {"content-type": "Application/JSON; charset=utf-8", "authorization": f"bearer {TOKEN}"}
    assert send(route, b'{"row": {"age": 1}}', headers).status == 200


@pytest.mark.parametrize("path", ["/nothing", "/v1/predict/", "//", "/v1/../v1/predict", "/v2/models/a/b/c", ""])
def test_there_is_nothing_elsewhere(ask: Any, path: str) -> None:
    answer = ask("GET", path)
    assert (answer.status, code(answer)) == (404, "not-found")


def test_a_head_is_a_get_without_its_body(ask: Any) -> None:
    answer = ask("HEAD", "/v2/health/live")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_of_a_bug_the_client_learns_nothing(model: Model, deployment: Any, call: Any, caplog: Any) -> None:
    def failing_handler(service: Service, request: Request, timing: Timing) -> Response:
        raise RuntimeError("a secret")

    app = App(Service(deployment(model)), [Route("GET", "/broken", failing_handler)])
    answer = call(app, "GET", "/broken")
    assert (answer.status, code(answer)) == (500, "fault")
    assert b"secret" not in answer.body
    assert "a secret" in caplog.text


def test_who_hangs_up_within_a_body_is_not_answered(model: Model, deployment: Any, log: Any) -> None:
    app = App(Service(deployment(model), log=log))
    first = [{"type": "http.request", "body": b'{"row": {"age": 1}}', "more_body": True}]
    messages: list[Any] = []

    async def receive() -> Any:
        return first.pop() if first else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/predict",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(app(scope, receive, send))
    assert (messages, log.records, app._bodies) == ([], [], 0)


def test_memory_of_bodies_is_given_back(model: Model, deployment: Any, call: Any) -> None:
    app = App(Service(deployment(model), Limits(bodies=200)))
    for _ in range(9):
        assert (
            call(app, "POST", "/v1/predict", json.dumps({"row": {"age": 1, "note": "x" * 100}}).encode()).status == 200
        )
        assert call(app, "POST", "/v1/predict", b"x" * 150).status == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000", "origin": "http://[::1]:8000"}, 200),
        ({"host": "127.0.0.1", "origin": "http://localhost:3000"}, 200),
        ({"host": "evil.example:8000"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "[::1"}, 403),
        ({"host": "10.0.0.7"}, 403),
        ({"host": "localhost", "origin": "https://evil.example"}, 403),
        ({"host": "localhost", "origin": "null"}, 403),
    ],
)
def test_without_a_token_pages_of_others_reach_nothing(ask: Any, headers: Mapping[str, str], status: int) -> None:
    answer = ask("POST", "/v1/predict", {"row": {"age": 1}}, headers)
    assert answer.status == status
    assert status == 200 or code(answer) == "foreign-host"
    assert ask("GET", "/v2/health/live", headers=headers).status == 200


def test_with_a_token_any_host_will_do(send: Any) -> None:
    route = next(route for route in ROUTES if route.path == "/v1/predict")
    headers = {**BEARER, "host": "model.example", "origin": "https://page.example"}
    assert send(route, b'{"row": {"age": 1}}', headers).status == 200
