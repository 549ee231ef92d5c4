"""A service as a process: how it starts, what it refuses to start with, how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench._load import request, saturated
from bench._service import sortal as command
from sortal.serve.log.address import open_store
from tests.conftest import Outcome, Sortal
from tests.serve.process import PATIENCE, ROW, Running, a_model, serving

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "churn.sortal"
    a_model().save(path)
    return path


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Running]:
    """One service for all tests that only ask."""
    with serving(model, "--log", "none") as running:
        yield running


def test_a_service_says_what_it_serves_and_answers(server: Running, model: Path) -> None:
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    assert f"churn {sha256[:12]}: 'Churn' is one of No, Yes" in server.output
    assert "test: roc_auc .84 [.82 .86]" in server.output
    assert "no token: only this machine is answered" in server.output
    answer = server.predict(ROW)
    assert answer.status == 200
    assert answer.json["model"] == sha256
    assert answer.json["predictions"][0]["decision"] == "Yes"


def test_every_row_that_was_answered_is_in_the_log(model: Path, tmp_path: Path) -> None:
    with serving(model, *log_options(tmp_path), "--redact", "Contract") as running:
        answers = [running.predict(ROW, ROW, ids=[f"{at}-a", f"{at}-b"]) for at in range(20)]
        assert running.stop() == 0
        assert running.wait_for("stopped")["unlogged"] == 0
    assert {answer.status for answer in answers} == {200}
    rows = open_store(f"sqlite:///{tmp_path}/served.db").read()
    inputs = {row.prediction.row_id: dict(row.prediction.inputs) for row in rows}
    assert inputs == {f"{at}-{row}": {"tenure": 3, "MonthlyCharges": 70.5} for at in range(20) for row in "ab"}


def test_no_row_that_was_answered_is_lost_when_it_is_ended_under_load(model: Path, tmp_path: Path) -> None:
    answered_ids: list[str] = []

    def collect_ids(status: int, body: bytes) -> None:
        assert status == 200
        answered_ids.extend(prediction["id"] for prediction in json.loads(body)["predictions"])

    with serving(model, *log_options(tmp_path), "--shadow", model) as running:
        ending = threading.Timer(0.5, running.stop)
        ending.start()
        saturated(
            running.port, [request("/v1/predict", json.dumps({"rows": [ROW] * 3}).encode())], 1.5, handler=collect_ids
        )
        ending.join()
        assert running.process.returncode == 0
        assert running.wait_for("stopped") | {"unanswered": 0, "unlogged": 0} == running.wait_for("stopped")
    records = [row.prediction for row in open_store(f"sqlite:///{tmp_path}/served.db").read()]
    assert len(answered_ids) > 30
    for role in ("champion", "shadow"):
        assert set(answered_ids) <= {record.row_id for record in records if record.role == role}


PARTIAL_REQUEST = (
    b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
)
"""A request whose body has not come whole."""


def test_a_second_signal_ends_it_at_once(model: Path) -> None:
    with serving(model, "--log", "none") as running, socket.create_connection(("127.0.0.1", running.port)) as slow:
        slow.sendall(PARTIAL_REQUEST)
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert running.process.poll() is None  # it waits for what has begun
        assert running.stop() == 1


def test_workers_end_with_a_parent_that_was_killed(model: Path) -> None:
    with serving(model, "--log", "none") as running:
        worker = running.wait_for("ready")["process"]
        running.stop(signal.SIGKILL)
        until = time.monotonic() + PATIENCE
        while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert not Path(f"/proc/{worker}").exists()
        assert running.events[-1]["event"] == "stopped"


def test_every_request_is_a_line_without_data_or_token(model: Path, tmp_path: Path) -> None:
    with serving(model, "--log", "none", "--token-file", a_token(tmp_path, TOKEN + "\n"), token=TOKEN) as running:
        running.predict(ROW, ROW)
        running.ask("POST", "/v1/predict", b"{", content_type="application/json")
        running.ask("GET", "/nowhere?secret=1")
        lines = [event for event in running.events if event["event"] == "request"]
        requests = [(line["method"], line["route"], line["status"], line["rows"]) for line in lines]
        assert requests == [("POST", "/v1/predict", 200, 2), ("POST", "/v1/predict", 400, 0), ("GET", "(none)", 404, 0)]
        assert all(0 < line["ms"] < 60_000 for line in lines)
        text = running.err.read_text()
        assert not any(word in text for word in (TOKEN, "Month-to-month", "nowhere", "secret"))
        assert ("every user can read" in text) == bool((tmp_path / "token").stat().st_mode & 0o004)


def test_a_worker_that_is_killed_is_started_anew_and_no_request_waits_for_it(model: Path) -> None:
    with serving(model, "--log", "none", "--workers", 2) as running:
        running.wait_for("ready", times=2)
        worker = running.events[0]["process"]
        os.kill(worker, signal.SIGKILL)
        assert running.wait_for("a worker has ended; another one takes its place")["worker"] == worker
        assert {running.predict(ROW).status for _ in range(5)} == {200}
        assert running.wait_for("ready", times=3)["process"] != worker
        assert running.stop() == 0
        assert len([event for event in running.events if event["event"] == "stopped"]) == 2


def test_a_service_of_which_no_worker_can_start_ends(model: Path, tmp_path: Path) -> None:
    code = "import sys\nif '--multiprocessing-fork' in sys.orig_argv: sys.modules['uvicorn'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    words = command("serve", model, "--port", 0, "--log", "none", "--workers", 2)
    process = subprocess.run(
        words, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "PYTHONPATH": path}
    )
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.count("a worker could not be started") == 2


@pytest.mark.clock
def test_no_answer_waits_for_the_client_to_acknowledge_its_beginning(server: Running) -> None:
    load = saturated(server.port, [request("/v1/predict", json.dumps({"row": ROW}).encode())], 0.5, connections=1)
    assert load.quantile(0.5) < 0.02  # else a system waits for 0.04


def test_workers_share_connections(model: Path) -> None:
    """Whichever is awake takes one: with many at a time sooner or later both are, also where one starts late."""
    with serving(model, "--log", "none", "--workers", 2) as running, ExitStack() as stack:
        running.wait_for("ready", times=2)
        n_by_process: Counter[int] = Counter()
        n_connections = 0
        while len(n_by_process) < 2 and n_connections < 800:
            connections = [
                stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE))
                for _ in range(16)
            ]
            for connection in connections:
                connection.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert all(connection.recv(100).startswith(b"HTTP/1.1 200") for connection in connections)
            n_connections += len(connections)
            n_by_process = Counter(event["process"] for event in running.events if event["event"] == "request")
        assert sum(n_by_process.values()) == n_connections
        assert len(n_by_process) == 2


def test_a_service_answers_as_soon_as_it_says_so(model: Path) -> None:
    process = subprocess.Popen(
        [*command("serve", model, "--port", 0, "--log", "none")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    port = int(line.split("http://127.0.0.1:")[1].split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_service_in_peace(model: Path, number: int) -> None:
    with serving(model, "--log", "none", "--workers", 2) as running:
        running.wait_for("ready", times=2)
        assert running.predict(ROW).status == 200
        if number == signal.SIGINT:  # Ctrl-C is of the main process and of the workers
            os.killpg(running.process.pid, number)
            assert running.process.wait(PATIENCE) == 0
        else:
            assert running.stop(number) == 0
        assert [event["unanswered"] for event in running.events if event["event"] == "stopped"] == [0, 0]
        assert "Traceback" not in running.err.read_text()


def assert_refused(outcome: Outcome, message: str) -> None:
    assert outcome.code == 2
    assert outcome.out == ""
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def log_options(folder: Path) -> list[str]:
    return ["--log", f"sqlite:///{folder}/served.db"]


OptionsFor = Callable[[Path, Path], list[Any]]


def a_token(folder: Path, content: str) -> Path:
    file = folder / "token"
    file.write_text(content)
    return file


@pytest.mark.parametrize(
    ("options_for", "message"),
    [
        (lambda model, folder: [folder / "no.sortal"], "no.sortal' cannot be read: no such file"),
        (lambda model, folder: [a_token(folder, "nothing of ours")], "token is no sortal model"),
        (lambda model, folder: [model, "--host", "0.0.0.0"], "give --token-file FILE, or leave --host out"),
        (lambda model, folder: [model, "--host", "no.such.host.invalid"], "is no address of this machine"),
        (lambda model, folder: [model, "--token-file", folder / "none"], "cannot be read: No such file"),
        (lambda model, folder: [model, "--token-file", a_token(folder, "short\n")], "at least 16"),
        (lambda model, folder: [model, "--token-file", a_token(folder, f"{TOKEN}\nand more")], "one line"),
        (lambda model, folder: [model, "--retention", "long"], "write for example 90d"),
        (lambda model, folder: [model, "--log-level", "loud"], "is none of debug, info"),
        (lambda model, folder: [model, "--log", "none", "--shadow", model], "what a shadow says is only in the log"),
        (lambda model, folder: [model, "--log", "none", "--retention", "90d"], "are of a log"),
        (
            lambda model, folder: [model, *log_options(folder), "--shadow", folder / "no.sortal"],
            "no.sortal' cannot be read",
        ),
        (lambda model, folder: [model, *log_options(folder), "--redact", "tenur"], "did you mean 'tenure'?"),
        (lambda model, folder: [model, *log_options(folder), "--export", folder / "no"], "make it first"),
        (lambda model, folder: [model, "--log", "mysql://host"], "sqlite:///"),
        (lambda model, folder: [model, "--log", f"sqlite:///{folder}/no/served.db"], "served.db"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    sortal: Sortal, model: Path, tmp_path: Path, options_for: OptionsFor, message: str
) -> None:
    assert_refused(sortal("serve", *options_for(model, tmp_path)), message)


def test_a_port_that_is_taken_is_refused_also_where_it_could_be_shared(
    sortal: Sortal, server: Running, model: Path
) -> None:
    assert_refused(sortal("serve", model, "--port", server.port), "choose another --port")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert_refused(sortal("serve", model, "--port", other.getsockname()[1]), "choose another --port")
