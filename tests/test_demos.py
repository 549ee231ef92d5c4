"""``make demo-texts`` and ``make demo-images`` run every command that a person needs, on the examples."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from sortal.data.read import read

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("name", "rows", "classes"), [("demo-texts", 500, 2), ("demo-images", 200, 10)])
def test_the_trip_of_an_example(name: str, rows: int, classes: int, tmp_path: Path) -> None:
    """The recipe of the Makefile, with a stand-in for the folder of commands and a budget that trains a baseline."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "sortal"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sortal.cli "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    words = ["make", name, "BIN=bin", "READY=Makefile", "-o", "Makefile", "BUDGET=3s"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = tmp_path.glob(f"runs/{name}-*/run")
    assert f"{rows} labelled rows scored" in done.stdout
    (file,) = run.glob("predicted.*")
    predicted = read(file).frame
    assert len(predicted) == rows
    assert sum(column.startswith("probability_") for column in predicted.columns) == classes
    assert (run / "report.html").stat().st_size > 10_000


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
    described = (folder / "README.md").read_text("utf-8")
    assert all(f"`{file.name}`" in described for file in folder.iterdir() if file.suffix in (".csv", ".zip"))
