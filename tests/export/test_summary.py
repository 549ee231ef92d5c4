"""What of a run leaves for another tool: figures and words, and nothing of a row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import sortal as package
from sortal.artifact.model import load
from sortal.core.errors import DataError
from sortal.core.recipe import Recipe
from sortal.export.summary import MOST_LETTERS, _parameters, summary_of
from sortal.record.run import RunRecord
from tests.conftest import UNHURRIED, Sortal, TrainedRun


def test_figures_are_those_of_the_record(churn_run: TrainedRun) -> None:
    summary, record = summary_of(churn_run.folder), churn_run.record
    for metric, figure in record["test"].items():
        assert summary.figures.get(f"test/{metric}") == figure["value"]
        assert summary.figures.get(f"test/{metric}.high") == figure["high"]
    assert summary.figures["seconds"] == record["timing"]["wall_seconds"]
    assert summary.figures["model_bytes"] == churn_run.model.stat().st_size
    assert None not in summary.figures.values()


def test_parameters_are_what_was_asked_and_what_was_chosen(churn_run: TrainedRun) -> None:
    summary, best = summary_of(churn_run.folder), next(r for r in churn_run.record["leaderboard"] if r["selected"])
    assert summary.parameters == {
        "target": "Churn",
        "cost": "fp=1,fn=8",
        "models": '["lightgbm"]',
        "budget": "3600.0",
        "chosen": best["name"],
        "chosen_family": best["family"],
    }


def test_a_parameter_that_is_too_long_is_cut(churn_run: TrainedRun) -> None:
    record = RunRecord.from_json((churn_run.folder / "run.json").read_bytes())
    recipe = Recipe.of("y", ignore=[f"column {n}" for n in range(5_000)])
    text = _parameters(recipe, record)["ignore"]
    assert len(text) == MOST_LETTERS
    assert "…" in text


def test_the_card_says_what_show_says(churn_run: TrainedRun, sortal: Sortal) -> None:
    card = summary_of(churn_run.folder).card
    assert card.startswith("# Churn\n\n```\nmodel.sortal: written by sortal ")
    output = sortal("show", churn_run.model).out
    for line in card.splitlines()[4:8]:
        assert line.startswith(("predicts", "positive", "decides", "model"))
        assert line in output


def test_the_example_is_a_row_that_the_model_takes_and_no_row_of_the_data(churn_run: TrainedRun) -> None:
    summary = summary_of(churn_run.folder)
    assert summary.example is not None
    assert list(summary.example) == list(load(churn_run.model).needs.names)
    assert load(churn_run.model).predict_proba(dict(summary.example)).shape == (1, 2)


def test_files_of_single_rows_stay(churn_run: TrainedRun) -> None:
    assert (churn_run.folder / "oof.parquet").is_file()
    files = [path.name for path in summary_of(churn_run.folder).files]
    assert files == ["report.html", "run.json", "recipe.toml", "leaderboard.csv"]


@pytest.mark.usefixtures("hurried")
def test_of_a_private_run_not_even_a_usual_value_is_sent(churn_csv: Path, tmp_path: Path) -> None:
    options = {"target": "Churn", "models": ["tree"], "budget": UNHURRIED, "private": True}
    package.train(churn_csv, **options, out=tmp_path / "run")
    assert summary_of(tmp_path / "run").example is None


def test_a_folder_that_is_no_run_is_refused(churn_run: TrainedRun, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no folder of a run: it has no model\.sortal"):
        summary_of(tmp_path)
    run = tmp_path / "run"
    shutil.copytree(churn_run.folder, run)
    record = json.loads((run / "run.json").read_bytes())
    record["artifact"]["sha256"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"is not the model that its run\.json is about"):
        summary_of(run)
