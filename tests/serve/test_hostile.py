"""Bodies that are sent to do harm, to a real service: each is refused within a second, and memory stays flat."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serve.process import ROW, Running, a_model, serving

JSON = {"content_type": "application/json"}
MEBIBYTE = 2**20
DEEP = 200_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    path = tmp_path_factory.mktemp("served") / "churn.sortal"
    a_model().save(path)
    with serving(path, "--log", "none") as running:
        running.predict(ROW)
        yield running


def row(value: bytes) -> bytes:
    return b'{"row": {"tenure": ' + value + b"}}"


def form(times: int) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="tenure"\r\n\r\n1\r\n'
    return part * times + b"--x--"


BODIES = {
    "nothing": b"",
    "no JSON": b"tenure=3",
    "cut off": row(b"3")[:-2],
    "NaN": row(b"NaN"),
    "infinity": row(b"-Infinity"),
    "too large a number": row(b"1e999"),
    "a number beyond 32 bits": row(b"1e300"),
    "a number of a million digits": row(b"9" * 1_000_000),
    "no UTF-8": row(b'"\xff\xfe"'),
    "half a character": row(b'"\\ud800"'),
    "a control character": row(b'"\x00"'),
    "deep arrays": row(b"[" * DEEP + b"]" * DEEP),
    "deep objects": row(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "deep and cut off": row(b"[" * 8 * MEBIBYTE),
    "a name twice": b'{"row": {"tenure": 1, "tenure": 2}}',
    "a million names": b'{"row": {' + b",".join(b'"a%d": 1' % at for at in range(500_000)) + b"}}",
    "a long name": b'{"row": {"' + b"a" * 8 * MEBIBYTE + b'": 1}}',
    "a long text": row(b'"' + b"1" * 13 * MEBIBYTE + b'"'),
    "blanks": b" " * 15 * MEBIBYTE,
    "too many rows": b'{"rows": [' + b",".join([b'{"tenure": 1}'] * 100_000) + b"]}",
    "wrong rows": b'{"rows": [' + b",".join([b'{"tenure": "x"}'] * 9_999) + b"]}",
    "empty rows": b'{"rows": [' + b",".join([b"{}"] * 9_999) + b"]}",
    "an array": b"[1, 2]",
    "null": b"null",
}


def peak(server: Running) -> float:
    """Mebibytes that the processes of a service took at most, so far."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    status = [Path(f"/proc/{pid}/status").read_text() for pid in (server.process.pid, *children)]
    return max(int(re.findall(r"VmHWM:\s+(\d+)", text)[0]) for text in status) / 1024


@pytest.mark.clock
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as Linux tells it")
def test_each_is_refused_within_a_second_and_memory_stays_flat(server: Running) -> None:
    before = peak(server)
    for name, body in BODIES.items():
        start = time.monotonic()
        answer = server.ask("POST", "/v1/predict", body, **JSON)
        assert 400 <= answer.status < 500, name
        assert time.monotonic() - start < 1, name
        assert len(answer.body) < 20_000, name
        assert "type" in json.loads(answer.body), name
    assert server.predict(ROW).status == 200
    assert peak(server) - before < 250


@pytest.mark.clock
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (gzip.compress(b" " * 50 * MEBIBYTE), {**JSON, "content_encoding": "gzip"}, 415),
        (b"<row/>", {"content_type": "text/xml"}, 415),
        (form(200_000), {"content_type": "multipart/form-data; boundary=x"}, 400),
        (form(1), {"content_type": "multipart/form-data; boundary=" + "y" * 5_000}, 400),
        (form(1)[:-5] + b"--x" + b"\r\nA: b" * 100_000, {"content_type": "multipart/form-data; boundary=x"}, 400),
        (b"\r\n--x" * 1_000_000, {"content_type": "multipart/form-data; boundary=x"}, 400),
    ],
    ids=["a bomb", "another type", "a field 200,000 times", "a long boundary", "a long header", "boundaries"],
)
def test_other_bodies_are_refused(server: Running, body: bytes, headers: dict[str, str], status: int) -> None:
    start = time.monotonic()
    assert server.ask("POST", "/v1/predict", body, **headers).status == status
    assert time.monotonic() - start < 1


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999999\r\n\r\n"
        )
        assert b" 413 " in connection.recv(4096).partition(b"\r\n")[0]


def test_a_slow_body_is_cut_off_while_others_are_answered(server: Running) -> None:
    def slow() -> tuple[bytes, float]:
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(
                b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
            )
            connection.settimeout(1.0)
            while time.monotonic() - start < 20:
                connection.sendall(b" ")
                try:
                    return connection.recv(4096), time.monotonic() - start
                except TimeoutError:
                    continue
        return b"", 0.0

    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(slow) for _ in range(4)]
        for _ in range(20):
            assert server.predict(ROW).status == 200
        for future in waiting:
            answer, seconds = future.result()
            assert b" 408 " in answer.partition(b"\r\n")[0]
            assert 9 < seconds < 12


def test_a_connection_goes_on_after_a_refusal(server: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    statuses = []
    for body in (b"{", json.dumps({"row": ROW}).encode(), b"[]", json.dumps({"row": ROW}).encode()):
        connection.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [400, 200, 422, 200]
