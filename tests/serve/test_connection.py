"""Heads of requests that are too large, too slow or none; and that a connection is what HTTP says, however it comes."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.serve.connection import connections
from sortal.serve.limits import Limits
from tests.serve.in_process import listening

LIMITS = Limits(head=4_096, headers=20, head_seconds=0.4, idle_seconds=1.0)
LATEST = 5.0
GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
END = b"GET /end HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says what it was sent; to /early it does not wait for the body."""
    body, more = b"", scope["path"] != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    reply = {"path": scope["path"], "body": body.decode(), "headers": len(scope["headers"])}
    content = json.dumps(reply).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(
        echo,
        port=0,
        loop="asyncio",
        http=connections(LIMITS),
        ws="none",
        lifespan="off",
        log_level="critical",
    )
    with listening(config) as port:
        yield port


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=LATEST)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def rest(connection: socket.socket) -> bytes:
    """What comes until the end."""
    data = b""
    try:
        while part := connection.recv(65_536):
            data += part
    except ConnectionResetError:  # it was closed while more was on the way
        pass
    return data


def answers(data: bytes) -> list[tuple[int, Any]]:
    """Statuses and bodies."""
    pairs = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
        length = int(headers[b"content-length"])
        pairs.append((int(lines[0].split()[1]), json.loads(data[:length])))
        data = data[length:]
    return pairs


def responses(port: int, parts: Sequence[bytes], pause: float = 0.0) -> list[tuple[int, Any]]:
    """What is answered to parts of requests until the server closes the connection, as it is asked to at the end."""
    with connect(port) as connection:
        try:
            for part in [*parts, END]:
                connection.sendall(part)
                time.sleep(pause)
        except OSError:  # it was closed before
            pass
        return [answer for answer in answers(rest(connection)) if answer[1].get("path") != "/end"]


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["type"].rpartition(":")[2]


BEGIN = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
ENDLESS = {
    "a header": [BEGIN + b"X: ", *[b"x" * 1_000] * 6],
    "headers": [BEGIN, *[b"X: y\r\n" * 50] * 60],
    "an address": [b"GET /", *[b"x" * 1_000] * 6],
    "blanks": [b"\r\n" * 500] * 6,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_head_without_end_is_cut_off(port: int, name: str) -> None:
    assert [code(answer) for answer in responses(port, ENDLESS[name], pause=0.01)] == [(431, "headers-too-large")]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (BEGIN + b"X: y\r\n" * 19 + b"\r\n", 200),
        (BEGIN + b"X: y\r\n" * 20 + b"\r\n", 431),
        (BEGIN + b"X: " + b"x" * 4_000 + b"\r\n\r\n", 200),
        (BEGIN + b"X: " + b"x" * 4_096 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 4_096 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_a_head_that_comes_at_once_has_the_same_limits(port: int, head: bytes, status: int) -> None:
    assert [answer[0] for answer in responses(port, [head])] == [status]


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nA B: c\r\n\r\n"]
)
def test_what_is_no_request_is_refused(port: int, garbage: bytes) -> None:
    assert [code(answer) for answer in responses(port, [garbage])] == [(400, "malformed-request")]


def test_a_body_that_is_none_ends_its_request(port: int) -> None:
    bad_chunk = CHUNKED.replace(b"\r\n3\r\n", b"\r\nzzz\r\n")
    assert [code(answer) for answer in responses(port, [bad_chunk[:100], bad_chunk[100:]], 0.05)] == [
        (400, "malformed-request")
    ]


def until_closed(port: int, parts: Sequence[bytes], pause: float) -> tuple[list[tuple[int, Any]], float]:
    """What is answered to a client that sends its parts slowly, and after how long."""
    start = time.monotonic()
    with connect(port) as connection:
        connection.settimeout(pause)
        data = b""
        for part in parts:
            try:
                connection.sendall(part)
                if not (more := connection.recv(65_536)):
                    break
                data += more
            except TimeoutError:
                continue
            except OSError:
                break
        connection.settimeout(LATEST)
        data += rest(connection)
    return answers(data), time.monotonic() - start


@pytest.mark.clock
def test_a_slow_head_is_cut_off(port: int) -> None:
    slow, seconds = until_closed(port, [BEGIN, *[b"X: y\r\n"] * 60], 0.05)
    assert [code(answer) for answer in slow] == [(408, "too-slow")]
    assert 0.4 <= seconds < 2.0


@pytest.mark.clock
def test_the_second_head_of_a_connection_is_cut_off_too(port: int) -> None:
    slow, seconds = until_closed(port, [GET + BEGIN, *[b"X: y\r\n"] * 60], 0.05)
    assert [answer[0] for answer in slow] == [200, 408]
    assert 0.4 <= seconds < 2.0


@pytest.mark.clock
def test_a_connection_on_which_nothing_is_asked_is_closed(port: int) -> None:
    assert until_closed(port, [b""], 0.01)[0] == []
    idle, seconds = until_closed(port, [GET], 0.2)
    assert [answer[0] for answer in idle] == [200]
    assert 1.0 <= seconds < 3.0


@pytest.mark.clock
def test_what_comes_after_a_refusal_is_not_read_for_ever(port: int) -> None:
    """An answer that does not wait for the body; the body then takes too long."""
    head = b"POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    early, seconds = until_closed(port, [head, *[b"x"] * 60], 0.05)
    assert [answer[0] for answer in early] == [200]
    assert 0.4 <= seconds < 2.0
    assert [answer[0] for answer in responses(port, [head + b"x" * 100_000 + GET])] == [200, 200]


def test_what_comes_after_a_body_is_no_header_and_has_an_end(port: int) -> None:
    with_trailer = CHUNKED[:-2] + b"Authorization: Bearer x\r\n\r\n"
    assert responses(port, [with_trailer]) == responses(port, [CHUNKED])
    assert [code(answer) for answer in responses(port, [CHUNKED[:-2], *[b"X: y\r\n" * 50] * 60], pause=0.01)] == [
        (431, "headers-too-large")
    ]


def test_the_offer_of_another_protocol_is_not_taken(port: int) -> None:
    """Java's client makes it with every first request."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    offers = [request.replace(b"Host", offer + b"Host") for request in (GET, POST, CHUNKED)]
    assert [answer[1]["body"] for answer in responses(port, offers)] == ["", "hello", "hello"]
    assert [answer[1]["body"] for answer in responses(port, [b"".join(offers)])] == ["", "hello", "hello"]
    tunnel = b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n" + offer + b"\r\n"
    assert [code(answer) for answer in responses(port, [tunnel])] == [(400, "malformed-request")]


REQUESTS = [(GET, ("/a", "")), (POST, ("/b", "hello")), (CHUNKED, ("/c", "hello"))]


@settings(max_examples=30)
@given(requests=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4), data=st.data())
def test_requests_are_answered_in_their_order_however_they_are_cut(port: int, requests: Any, data: Any) -> None:
    whole = b"".join(request for request, _ in requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    parts = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    replies = responses(port, parts)
    assert [(status, content["path"], content["body"]) for status, content in replies] == [
        (200, *content) for _, content in requests
    ]


@pytest.mark.clock
def test_a_connection_ends_after_a_refusal_whose_rest_has_come(port: int) -> None:
    whole = b"POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
    early, seconds = until_closed(port, [whole, b"0123456789"], 0.1)
    assert [answer[0] for answer in early] == [200]
    assert 1.0 <= seconds < 3.0
