"""A run in MLflow: by its own client into a store of files. ``make mlflow-trip`` does the same with a server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from importlib import util
from pathlib import Path

import pytest

from sortal.export import mlflow as sending
from tests.conftest import Sortal, Trained

ROOT = Path(__file__).parents[2]


def test_a_run_goes_there_and_its_model_comes_back(trained: Trained, churn_csv: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", exc_type=ImportError)
    told = [str(trained.folder), f"file://{tmp_path / 'mlruns'}", str(churn_csv)]
    environment = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.export.trip", *told],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("models:/m-")


def test_a_server_that_is_not_there_is_said_at_once(trained: Trained) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "sortal.cli", "export", str(trained.folder), "--mlflow", uri]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("sortal: no tracking server of MLflow answers at http://127.0.0.1:")
    assert "secret" not in done.stderr
    assert time.monotonic() - started < 60


def test_without_the_client_one_sentence_says_what_to_install(
    trained: Trained, sortal: Sortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = util.find_spec
    monkeypatch.setattr(sending, "find_spec", lambda name: None if name == "mlflow" else find(name))
    said = sortal("export", trained.folder, "--mlflow", "http://127.0.0.1:5000")
    assert (said.code, said.out) == (2, "")
    assert said.err.strip() == "sortal: MLflow's client is an extra: pip install 'sortal[mlflow]'"


def test_what_mlflow_says_is_repeated_without_a_password() -> None:
    said = sending._refusal("no https://me:secret@host/x", "https://me:secret@host")
    assert said == "MLflow at https://host did not take the run: no https://host/x"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "say where the run goes: --mlflow URI"),
        (
            ["--mlflow", "http://x", "--alias", "champion"],
            "--alias is of a registered model; name it, too: --name NAME",
        ),
    ],
)
def test_what_is_asked_for_is_checked_first(words: list[str], why: str, trained: Trained, sortal: Sortal) -> None:
    said = sortal("export", trained.folder, *words)
    assert (said.code, said.err.strip()) == (2, f"sortal: {why}")
