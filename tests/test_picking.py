"""Another candidate of a run as a model, without training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.core.errors import DataError, OptionError
from sortal.decide.calibrate import choose
from sortal.evaluation import evaluate
from sortal.picking import pick
from sortal.record import candidate_predictions
from sortal.run import Run


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x, z, person = rng.normal(size=500), rng.normal(size=500), np.arange(500) // 2
    y = np.where(rng.random(500) < 1 / (1 + np.exp(-2 * x - z * x)), "yes", "no")
    return pl.DataFrame({"x": x, "z": z, "who": person, "pain": rng.uniform(1, 9, size=500), "y": y})


@pytest.fixture(scope="module")
def run(rows: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("picking") / "run"
    options = {"group": "who", "cost": "fp=2", "cost_column": {"fn": "pain"}, "positive": "yes"}
    return sortal.train(rows, "y", models=["kernel_svm"], budget=600, out=out, **options)


def other(run: Run) -> str:
    return next(row.name for row in run.record.leaderboard if row.file is not None)


def test_the_front_is_kept_but_for_what_says_the_same_of_all_rows(run: Run) -> None:
    points = [row for row in run.record.leaderboard if row.front]
    assert [row.mean for row in points] == sorted(row.mean for row in points)
    times = [row.program_microseconds for row in points]
    assert times == sorted(times, reverse=True)
    for row in run.record.leaderboard:
        is_expected = row.front and not row.selected and row.name != "majority"
        assert (row.file is not None) == is_expected
        assert row.file is None or (run.folder / row.file).exists()
    assert "front" not in str(run.model.card.details["leaderboard"])


def test_a_picked_model_is_calibrated_and_decides_like_the_chosen_one(
    run: Run, rows: pl.DataFrame, tmp_path: Path
) -> None:
    name, ledger = other(run), (run.folder / "ledger.jsonl").read_bytes()
    model = run.pick(name, tmp_path / "m.sortal")
    assert (run.folder / "ledger.jsonl").read_bytes() == ledger
    file = run.folder / next(row.file for row in run.record.leaderboard if row.name == name)
    raw, fold = candidate_predictions.read(file.with_suffix(".parquet"), model.task.classes)
    calibration = choose(raw, fold=fold, seed=run.record.seed, most=100_000)
    base = sortal.load(file)
    ops = [step.op for step in model.program.steps]
    assert len(ops) - len(base.program.steps) == (calibration.program is not None)
    assert (model.decision.kind, model.decision.cost_columns) == (
        run.model.decision.kind,
        run.model.decision.cost_columns,
    )
    assert model.card.chosen == name
    assert model.card.ledger.head == run.model.card.ledger.head
    loss = model.metrics["out-of-fold"]["log_loss"]
    mean = next(row.mean for row in run.record.leaderboard if row.name == name)
    assert loss.value == pytest.approx(mean, abs=0.05)
    assert raw.groups is not None
    assert raw.row_costs.shape == (len(raw), 1)
    assert set(model.decide(rows.head(50)).tolist()) <= {"yes", "no"}
    shutil.copy(tmp_path / "m.sortal", run.folder / "m.sortal")
    with pytest.raises(DataError, match="is not the model of the run"):
        evaluate(run.folder / "m.sortal", [], sealed=True)


def test_equal_picks_are_equal_bytes_and_land_in_the_run(run: Run, tmp_path: Path) -> None:
    name = other(run)
    run.pick(name, tmp_path / "a.sortal")
    run.pick(name)
    assert (run.folder / f"{name}.sortal").read_bytes() == (tmp_path / "a.sortal").read_bytes()


def test_what_was_not_kept_is_refused_with_the_reason(run: Run, tmp_path: Path) -> None:
    def refusal(name: str) -> str:
        with pytest.raises(OptionError) as error:
            pick(run.folder, name, tmp_path / "m.sortal")
        return str(error.value)

    assert "nothing to pick" in refusal(run.record.selection.chosen)
    assert "no candidate 'lightgbn'" in refusal("lightgbn")
    candidate = next(row for row in run.record.leaderboard if not row.selected and (not row.front or row.file is None))
    assert f"kept no program of {candidate.name!r}" in refusal(candidate.name)
    assert not (tmp_path / "m.sortal").exists()
    with pytest.raises(DataError, match="holds no run"):
        pick(tmp_path, "logistic", tmp_path / "m.sortal")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("options", [{"private": True}, {"sets": 0.9}])
def test_private_and_promising_runs_keep_nothing(
    rows: pl.DataFrame, tmp_path: Path, options: dict[str, object]
) -> None:
    run = sortal.train(rows, "y", models=["logistic"], budget=600, out=tmp_path / "run", **options)
    assert all(row.file is None for row in run.record.leaderboard)
    assert not (run.folder / "front").exists()
    name = next(row.name for row in run.record.leaderboard if not row.selected and row.front)
    with pytest.raises(OptionError, match="private" if "private" in options else "proven of the model that it chose"):
        run.pick(name)
