"""A run that was killed is picked up: what its folds gave is not computed again, and the result repeats like any
other."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.training.fold import FoldJob

pytestmark = pytest.mark.usefixtures("all_hurried")

OPTIONS = {"models": "svm", "budget": "1h", "seed": 3}
KILLED_RUN = """
import os, signal, sys
import polars as pl, sortal

class Killer:
    n_maps = 0
    def map(self, fit, data, jobs):
        self.n_maps += 1
        if self.n_maps == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return [fit(data, job) for job in jobs]
    def at_once(self, data, candidate):
        return 1

sortal.train(pl.read_parquet(sys.argv[1]), "y", out=sys.argv[2], models="svm", budget="1h", seed=3, executor=Killer())
"""


class CountingExecutor:
    """Which candidates have folds fitted, on all of their rows."""

    def __init__(self) -> None:
        self.candidates: list[str] = []

    def map(self, fit, data, jobs: Sequence[FoldJob]):
        if jobs[0].rows is None:
            self.candidates.append(jobs[0].candidate.name)
        return [fit(data, job) for job in jobs]

    def at_once(self, data, candidate) -> int:
        return 1


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1_200, 2))
    y = np.where(x[:, 0] + rng.normal(size=1_200) > 0, "yes", "no")
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).write_parquet(path)
    return path


def test_a_killed_run_is_picked_up(rows: Path, tmp_path: Path) -> None:
    frame, out = pl.read_parquet(rows), tmp_path / "run"
    process = subprocess.run([sys.executable, "-c", KILLED_RUN, str(rows), str(out)], check=False)
    assert process.returncode == -9
    with pytest.raises(sortal.InputError, match="of other data or other options"):
        sortal.train(frame[:1_100], "y", out=out, resume=True, **OPTIONS)
    executor = CountingExecutor()
    resumed_run = sortal.train(frame, "y", out=out, resume=True, executor=executor, **OPTIONS)
    candidates = [row.name for row in resumed_run.record.leaderboard if row.family != "ensemble"]
    assert len(candidates) == len(executor.candidates) + 2
    assert not {"majority", "logistic"} & set(executor.candidates)
    assert not (out / "folds").exists()
    repeat = sortal.train(frame, recipe=out / "recipe.toml", out=tmp_path / "again")
    assert digest(tmp_path / "again") == digest(out)
    assert {row.name: row.mean for row in repeat.record.leaderboard} == {
        row.name: row.mean for row in resumed_run.record.leaderboard
    }
    full_run = sortal.train(frame, "y", out=tmp_path / "whole", **OPTIONS)
    assert digest(tmp_path / "whole") == digest(out)
    assert full_run.record.checklist == resumed_run.record.checklist


def test_where_there_is_nothing_to_resume_a_sentence_says_so(rows: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(rows)
    with pytest.raises(sortal.InputError, match="say which run to resume"):
        sortal.train(frame, "y", resume=True, **OPTIONS)
    with pytest.raises(sortal.InputError, match="no unfinished run of"):
        sortal.train(frame, "y", out=tmp_path / "run", resume=True, **OPTIONS)
    with pytest.raises(sortal.InputError, match="a private run keeps no results"):
        sortal.train(frame, "y", out=tmp_path / "run", resume=True, private=True, **OPTIONS)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.sortal").read_bytes()).hexdigest()
