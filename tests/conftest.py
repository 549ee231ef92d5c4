"""What the tests of the whole trip share: a command line without a process, real rows, and one trained run."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, settings

from sortal import timetable, workflow
from sortal.cli import MANY_OBJECTS, main
from sortal.training import develop

EXAMPLE = Path(__file__).parent.parent / "examples" / "churn.csv"
COLUMNS = [
    *("customerID", "gender", "SeniorCitizen", "Partner", "tenure", "InternetService", "Contract"),
    *("PaymentMethod", "MonthlyCharges", "TotalCharges", "Churn"),
]
"""Half of the example's columns, of every kind among them: a run on them takes little more than half of the time."""
UNHURRIED = "1h"
"""A budget counts from the start of the process, which here is that of all tests."""

settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("random"), derandomize=True)
settings.load_profile("same")
"""A change is judged by the same examples every time, and no law by the clock; ``make laws`` looks at others."""


@dataclass(frozen=True)
class Outcome:
    """What a person sees of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end: a search for garbage among them takes long and finds nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(MANY_OBJECTS)


Sortal = Callable[..., Outcome]


@pytest.fixture
def sortal(capfd: pytest.CaptureFixture[str]) -> Sortal:
    """``sortal("show", model)`` runs the command in this process."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code: object = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        streams = capfd.readouterr()
        assert isinstance(code, int)
        return Outcome(code, streams.out, streams.err)

    return run


@contextmanager
def _hurried() -> Iterator[None]:
    """Runs end as those of short budgets do, without what is guessed in the audit and without figures, which take half
    of the time of a run on a small table; and rows are dealt into folds once.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(develop, "REPEATS", 1)
        patch.setattr(workflow, "may_guess", lambda deadline, closing: False)
        patch.setattr(
            timetable, "plan_closing", lambda size, seconds_left, busyness: timetable.Closing(0.0, figures=False)
        )
        yield


@pytest.fixture
def hurried() -> Iterator[None]:
    """For a test that looks at neither guesses nor figures."""
    with _hurried():
        yield


@pytest.fixture(scope="module")
def all_hurried() -> Iterator[None]:
    """For a module none of whose tests looks at them."""
    with _hurried():
        yield


@pytest.fixture(scope="module")
def all_dealt_once() -> Iterator[None]:
    """For a module of runs on few rows, which would be dealt into folds three times, that does not look at scores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(develop, "REPEATS", 1)
        yield


@pytest.fixture(scope="session")
def churn() -> pl.DataFrame:
    """1,200 rows of the example data, all of them text, as they stand in the file."""
    return pl.read_csv(EXAMPLE, columns=COLUMNS, infer_schema=False).sample(1_200, seed=1)


@pytest.fixture(scope="session")
def churn_csv(churn: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "churn.csv"
    churn.write_csv(path)
    return path


@dataclass(frozen=True)
class TrainedRun:
    """A run folder, and what ``train --json`` printed of it."""

    folder: Path
    output: str

    @property
    def model(self) -> Path:
        return self.folder / "model.sortal"

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.folder / "run.json").read_bytes())
        return record


@pytest.fixture(scope="session")
def churn_run(churn_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A run on ``churn_csv``, by a process of its own: whatever a module changes in this one while it asks for the run,
    it is everybody's. Tests that change its folder work on a copy.
    """
    folder = tmp_path_factory.mktemp("runs") / "churn"
    options = ["--target", "Churn", "--cost", "fp=1,fn=8", "--models", "lightgbm", "--budget", UNHURRIED]
    command = [sys.executable, "-m", "sortal.cli", "train", str(churn_csv), *options, "--out", str(folder), "--json"]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return TrainedRun(folder, process.stdout)
