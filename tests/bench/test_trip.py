from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from bench import trip
from bench._outcome import Goal, Outcome
from sortal.artifact.card import Data
from sortal.artifact.model import Parity
from sortal.core.interval import Estimate
from sortal.core.task import Task
from sortal.decide.calibrate import CalibrationResult
from sortal.record.parts import Artifact, Baseline, Decision, Ledger, Row, Selection, Split, Timing
from sortal.record.run import RunRecord

ROOT = Path(__file__).parents[2]


def row(name: str, mean: float, **options: object) -> Row:
    defaults = {"std": 0.01, "score": Estimate(mean, mean - 0.02, mean + 0.02), "fit_seconds": 1.0}
    defaults["program_microseconds"] = 5.0
    return Row(name=name, family=name, metric="log_loss", mean=mean, **defaults, **options)  # type: ignore[arg-type]


RECORD = RunRecord(
    sortal_version="0",
    seed=0,
    data=Data("made-up.csv", 1000, 3),
    task=Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", ("roc_auc",), ()),
    split=Split("stratified", 850, 0, 150),
    baselines=(
        Baseline("majority", "majority", "log_loss", 0.69, Estimate(0.29, 0.25, 0.33)),
        Baseline("logistic", "logistic", "log_loss", 0.45, Estimate(0.05, 0.02, 0.08)),
    ),
    leaderboard=(row("forest", 0.40, selected=True), row("logistic", 0.45, baseline=True)),
    selection=Selection("forest", "log_loss"),
    calibration=CalibrationResult("none"),
    decision=Decision("argmax"),
    test={"log_loss": Estimate(0.42, 0.38, 0.46), "roc_auc": Estimate(0.9, 0.88, 0.92)},
    timing=Timing(60.0, 55.0),
    ledger=Ledger(1),
    artifact=Artifact("model.sortal", 1_000_000, "00", Parity(100, 1e-16, 0)),
)


def goals(record: RunRecord | None, wall: float = 50.0) -> list[bool]:
    result = trip.outcome([trip.Trial("made-up", wall, 60.0, record, "why")], 60.0, [])
    assert result.holds == all(g.holds for g in result.goals)
    return [g.holds for g in result.goals]


def with_margin(low: float, high: float) -> RunRecord:
    return replace(RECORD, baselines=(replace(RECORD.baselines[1], margin=Estimate((low + high) / 2, low, high)),))


def test_a_good_run_holds_every_goal() -> None:
    assert all(goals(RECORD))


@pytest.mark.parametrize(
    ("record", "wall", "short"),
    [
        (None, 50.0, 0),
        (RECORD, 63.1, 1),
        (with_margin(-0.04, -0.01), 50.0, 2),
        (replace(RECORD, test={"log_loss": Estimate(0.52, 0.48, 0.56)}), 50.0, 2),
        (replace(RECORD, ledger=Ledger(2)), 50.0, 3),
        (replace(RECORD, artifact=replace(RECORD.artifact, parity=Parity(100, 1e-3, 1))), 50.0, 4),  # type: ignore[type-var]
    ],
)
def test_each_goal_can_fall_short(record: RunRecord | None, wall: float, short: int) -> None:
    assert [i for i, holds in enumerate(goals(record, wall)) if not holds] == [short]


def test_a_difference_within_its_interval_is_no_defeat() -> None:
    assert all(goals(with_margin(-0.04, 0.001)))


def test_the_best_baseline_is_the_one_that_is_beaten_by_least() -> None:
    assert trip.best_baseline(RECORD).name == "logistic"
    itself = replace(RECORD, baselines=(*RECORD.baselines, Baseline("tree", "tree", "log_loss", 0.4)))
    assert trip.best_baseline(itself).name == "tree"


def test_an_outcome_prints_its_table_and_a_line_for_each_goal() -> None:
    text = str(Outcome("title", ["a", "bb"], [["1", "2"]], [Goal("fast", "3 s", True), Goal("small", "9 MB", False)]))
    assert "a  bb\n1  2\n" in text
    assert text.splitlines()[-2:] == ["GOAL: fast, 3 s: holds", "GOAL: small, 9 MB: falls short"]


def test_tables_without_a_target_or_a_usable_column_are_left_out_with_a_reason(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0] * 20, "y": ["a", "b", "a", "b"] * 20})
    frame.write_parquet(tmp_path / "good.parquet", metadata={"target": "y"})
    frame.write_parquet(tmp_path / "no_target.parquet")
    frame.select("y").write_parquet(tmp_path / "no_column.parquet", metadata={"target": "y"})
    cases = {case.file.stem: case for case in trip.folder_cases(tmp_path)}
    assert cases["good"].unusable == ""
    assert cases["good"].target == "y"
    assert "target" in cases["no_target"].unusable
    assert cases["no_column"].unusable


def test_an_unknown_benchmark_is_refused_with_the_names_there_are() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "bench", "trap"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert process.returncode == 2
    assert "trip" in process.stderr
