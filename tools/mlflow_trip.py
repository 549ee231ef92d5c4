"""A run to a real tracking server of MLflow and back: trains on the example, starts the server, and sends it the run.

python tools/mlflow_trip.py MLFLOW    # MLFLOW: its command, in an environment of its own
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import sortal
from tests.export.trip import trip

EXAMPLE = Path(__file__).parents[1] / "examples" / "churn.csv"
PATIENCE = 120.0
"""Seconds in which the server has to start: the first time it makes the tables of its database."""


@contextmanager
def tracking_server(command: Path, folder: Path) -> Iterator[str]:
    """Its address; runs in a database of SQLite, files in a folder, both of which go away with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        *(str(command.absolute()), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "files")),
    ]
    log = folder / "server.log"
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with log.open("wb") as out:
        server = subprocess.Popen(words, cwd=folder, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        uri = f"http://127.0.0.1:{port}"
        _wait(f"{uri}/health", server, log)
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _wait(page: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(page, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    sys.exit(f"the server of MLflow did not start:\n{log.read_text()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mlflow", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        run = Path(home, "churn")
        sortal.train(EXAMPLE, target="Churn", cost="fp=1,fn=8", models=["lightgbm"], budget="10s", out=run)
        with tracking_server(args.mlflow, Path(home)) as uri:
            print("logged, registered, loaded again, and the same to the bit:", trip(run, uri, EXAMPLE))


if __name__ == "__main__":
    main()
