"""A run in MLflow: by its own client into a store of files. ``make mlflow-trip`` does the same with a server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from sortal.artifact.model import load
from sortal.export import mlflow as sending
from sortal.version import __version__
from tests.conftest import Sortal, TrainedRun
from tests.serve import every_kind

ROOT = Path(__file__).parents[2]
MINUTES = 110
"""Seconds, after which MLflow's client would still try by itself: it waits 2, 4, 8, ... 64 of them between."""


def test_a_run_goes_there_and_its_model_comes_back(churn_run: TrainedRun, churn_csv: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", exc_type=ImportError)
    arguments = [str(churn_run.folder), f"file://{tmp_path / 'mlruns'}", str(churn_csv)]
    environment = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.run(
        [sys.executable, "-m", "tests.export.trip", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("models:/m-")


def test_a_server_that_is_not_there_is_said_at_once(churn_run: TrainedRun) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        uri = f"http://me:secret@127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "sortal.cli", "export", str(churn_run.folder), "--mlflow", uri]
        process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MINUTES)
    assert process.returncode == 2
    assert process.stderr.startswith("sortal: no tracking server of MLflow answers at http://127.0.0.1:")
    assert "secret" not in process.stderr


def test_without_the_client_one_sentence_says_what_to_install(
    churn_run: TrainedRun, sortal: Sortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = util.find_spec
    monkeypatch.setattr(sending, "find_spec", lambda name: None if name == "mlflow" else find(name))
    outcome = sortal("export", churn_run.folder, "--mlflow", "http://127.0.0.1:5000")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.strip() == "sortal: MLflow's client is an extra: pip install 'sortal[mlflow]'"


def test_what_a_model_needs_where_it_is_loaded(churn_run: TrainedRun) -> None:
    table, images = load(churn_run.model), every_kind.a_model()
    assert sending.requirements(table) == [f"sortal>={__version__}", "pandas"]
    assert sending.requirements(images) == [f"sortal[image]>={__version__}", "pandas"]


def test_what_mlflow_says_is_repeated_without_a_password() -> None:
    message = sending._refusal("no https://me:secret@host/x", "https://me:secret@host")
    assert message == "MLflow at https://host did not take the run: no https://host/x"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "say where the run goes: --mlflow URI"),
        (
            ["--mlflow", "http://x", "--alias", "champion"],
            "--alias is of a registered model; name it, too: --name NAME",
        ),
    ],
)
def test_what_is_asked_for_is_checked_first(
    words: list[str], reason: str, churn_run: TrainedRun, sortal: Sortal
) -> None:
    outcome = sortal("export", churn_run.folder, *words)
    assert (outcome.code, outcome.err.strip()) == (2, f"sortal: {reason}")
