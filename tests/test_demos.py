"""``make demo-texts``, ``demo-images`` and ``serve-demo`` run every command that a person needs, on the examples."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from sortal.data.read import read
from sortal.serve.log.address import open_store

ROOT = Path(__file__).parents[1]


def make(name: str, folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """The recipe of the Makefile, with stand-ins for the folder of commands."""
    shutil.copy(ROOT / "Makefile", folder)
    for part in ("examples", "tools"):
        shutil.copytree(ROOT / part, folder / part)
    (folder / "bin").mkdir()
    for command, words in (("sortal", "-m sortal.cli "), ("python", "")):
        file = folder / "bin" / command
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
        file.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    words = ["make", name, "BIN=bin", "READY=Makefile", "-o", "Makefile", *settings]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "rows", "classes"), [("demo-texts", 500, 2), ("demo-images", 200, 10)])
def test_the_trip_of_an_example(name: str, rows: int, classes: int, tmp_path: Path) -> None:
    """With a budget that trains a baseline."""
    process = make(name, tmp_path, "BUDGET=3s")
    assert process.returncode == 0, process.stderr
    (run,) = tmp_path.glob(f"runs/{name}-*/run")
    assert f"{rows} labelled rows scored" in process.stdout
    (file,) = run.glob("predicted.*")
    predictions = read(file).frame
    assert len(predictions) == rows
    assert sum(column.startswith("probability_") for column in predictions.columns) == classes
    assert (run / "report.html").stat().st_size > 10_000


def test_a_service_is_trained_started_asked_told_the_truth_and_stopped(tmp_path: Path) -> None:
    process = make("serve-demo", tmp_path, "BUDGET=3s", "SECONDS=2")
    assert process.returncode == 0, process.stderr + process.stdout
    assert re.search(r"^look at   http://127\.0\.0\.1:\d+/", process.stdout, re.M)
    n_sent, n_labelled = map(int, re.findall(r"^sent      (\d+) rows and (\d+) labels", process.stdout, re.M)[0])
    assert n_sent > 5
    assert n_labelled > 0
    (folder,) = (tmp_path / "runs").iterdir()
    store = open_store(f"sqlite:///{folder / 'served.db'}")
    records = list(store.read())
    store.close()
    assert len(records) == n_sent
    assert sum(record.label is not None for record in records) == n_labelled
    assert '"event":"stopped"' in (folder / "serve.log").read_text("utf-8").splitlines()[-1]


def test_the_examples_are_small_and_new_rows_are_new() -> None:
    folder = ROOT / "examples"
    for old, new, column in (("messages.csv", "messages-new.csv", "text"), ("digits.zip", "digits-new.zip", "image")):
        first, second = read(folder / old).frame, read(folder / new).frame
        assert first.columns == second.columns
        assert not set(first[column]) & set(second[column])
        assert set(first["label"]) == set(second["label"])
    assert sum(file.stat().st_size for file in folder.glob("digits*.zip")) < 500_000
    assert sum(file.stat().st_size for file in folder.glob("messages*.csv")) < 300_000
    assert isinstance(first, pl.DataFrame)
    text = (folder / "README.md").read_text("utf-8")
    assert all(f"`{file.name}`" in text for file in folder.iterdir() if file.suffix in (".csv", ".zip"))
