"""A real service in a process of its own, for benchmarks and tests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds in which a service has to start or to end, on a machine that does much else."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """A service; ``err`` holds what it says on the standard error."""

    process: subprocess.Popen[str]
    port: int
    output: str
    err: Path
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, self.headers | {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def predict(self, *rows: Mapping[str, Any], ids: list[str] | None = None) -> Answer:
        body = {"rows": list(rows)} | ({"ids": ids} if ids else {})
        return self.ask("POST", "/v1/predict", json.dumps(body).encode(), content_type="application/json")

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has said so far, line by line."""
        return [json.loads(line) for line in self.err.read_text().splitlines() if line.startswith("{")]

    def wait_for(self, event: str, times: int = 1) -> dict[str, Any]:
        """The last of its events that are called so, as soon as there are so many."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            ended = self.process.poll() is not None
            events = [entry for entry in self.events if entry["event"] == event]
            if len(events) >= times:
                return events[-1]
            if ended:
                break
            time.sleep(0.02)
        raise AssertionError(f"{event!r} was not said {times} times: {self.err.read_text()}")

    @property
    def cpu_seconds(self) -> float:
        """What all of its processes have computed."""
        return group_cpu_seconds(self.process.pid)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def group_cpu_seconds(group: int) -> float:
    """What the processes of a group that are alive have computed."""
    seconds = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[2]) == group:
                seconds += (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def sortal(*arguments: object) -> list[str]:
    """The command, in this environment."""
    return [sys.executable, "-m", "sortal.cli", *map(str, arguments)]


@contextmanager
def serving(
    model: Path, *options: object, token: str | None = None, path: Path | None = None, core: int | None = None
) -> Iterator[Running]:
    """A service of a model at a free port. It is in a session of its own, so that all of it ends with the block.
    ``token``: that every request shows; ``path``: a folder that Python imports from first; ``core``: the one that it
    computes on.
    """
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(path), *filter(None, [environment.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        err = Path(folder) / "stderr"
        environment["TMPDIR"] = folder  # what a service that is killed leaves behind goes with the block
        words = sortal("serve", model, "--port", 0, *options)
        with err.open("w") as stderr:
            process = subprocess.Popen(
                words,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
                cwd=folder,
                env=environment,
                preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
            )
        try:
            running = _started(process, err)
            if token is not None:
                running.headers["Authorization"] = f"Bearer {token}"
            yield running
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)
            assert process.stdout is not None
            process.stdout.close()


def _started(process: subprocess.Popen[str], err: Path) -> Running:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("workers"):
            break
    text = "".join(lines)
    assert "http://" in text, f"the service did not start: {text}{err.read_text()}"
    running = Running(process, int(text.split("http://")[1].split()[0].rpartition(":")[2]), text, err)
    running.wait_for("ready")
    return running
