"""Figures by slice through every door: a run, its recipe, its report, and rows that come later."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss

import sortal as package
from sortal.artifact.model import load
from sortal.cli import main
from sortal.core.plan import Planned
from sortal.core.recipe import Recipe
from sortal.record.run import RunRecord
from tests.conftest import UNHURRIED, TrainedRun

PLAN = tuple(Planned(name, (effort,) * 5) for name, effort in (("majority", {}), ("logistic", {"iterations": 5})))
SLOW = ("A101", "A102", "A103", "A104", "A106", "A205", "A206", "A207", "A208")


def recipe(path: Path, **options: Any) -> Path:
    """One model and no guesses, so that it is quick."""
    path.write_text(Recipe.of("y", plan=PLAN, unchecked=SLOW, budget=UNHURRIED, **options).to_toml())
    return path


def people(n: int, seed: int) -> pl.DataFrame:
    """In the region c a coin decides; the sex of some is not known, and has no say."""
    rng = np.random.default_rng(seed)
    x, region = rng.choice([-1.0, 1.0], size=n), rng.choice(list("abcde"), size=n)
    p = np.where(region == "c", 0.5, 0.5 + 0.45 * x)
    return pl.DataFrame(
        {
            "x": x,
            "region": region,
            "sex": rng.choice(["f", "m", ""], size=n, p=[0.5, 0.4, 0.1]),
            "town": rng.choice(["north", "south"], size=n),
            "y": np.where(rng.random(n) < p, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    home = tmp_path_factory.mktemp("runs")
    people(1600, seed=1).drop("town").write_csv(home / "people.csv")
    recipe_file = recipe(home / "asked.toml", slice="sex", ignore="sex")
    with redirect_stdout(io.StringIO()) as output:
        main(["train", str(home / "people.csv"), "--recipe", str(recipe_file), "-o", str(home / "first")])
    return TrainedRun(home / "first", output.getvalue())


def test_a_run_names_the_slice_that_it_is_worse_on_and_those_asked_for(run):
    slices = RunRecord.from_json((run.folder / "run.json").read_bytes()).slices
    assert (slices.metric, slices.part, slices.rows, slices.columns) == ("log_loss", "test", 240, 3)
    assert [(s.column, s.condition, s.worse, s.asked) for s in slices.shown] == [
        ("region", "= c", True, False),
        ("sex", "= f", False, True),
        ("sex", "= m", False, True),
        ("sex", "missing", False, True),
    ]
    assert "sex" not in load(run.model).reads.names
    assert slices.too_few == len([s for s in slices.slices if s.p_value is None]) == 1


def test_its_figures_are_those_of_the_sealed_rows(run):
    rows = pl.read_parquet(run.folder / "sealed" / "test.parquet")
    p, truth = load(run.model).predict_proba(rows), (rows["y"] == "yes").to_numpy()
    slices = [s for s in run.record["slices"]["slices"] if s["condition"] in ("= c", "= f")]
    for entry in slices:
        inside = (rows[entry["column"]] == entry["condition"][2:]).fill_null(False).to_numpy()
        assert entry["rows"] == inside.sum()
        assert entry["figure"]["value"] == pytest.approx(log_loss(truth[inside], p[inside], labels=[False, True]))
        assert entry["elsewhere"] == pytest.approx(log_loss(truth[~inside], p[~inside], labels=[False, True]))
    assert len(slices) == 2


def test_it_stands_on_the_screen_and_in_the_report(run):
    assert "SLICES log-loss: 1 of 9 slices of 3 columns (test rows) does clearly worse" in run.output
    assert "region = c: " in run.output
    assert "sex missing: " in run.output
    page = (run.folder / "report.html").read_text()
    assert "region = c</td>" in page
    assert 'href="#slices"' in page
    assert page.count('<span class="tag">asked for</span>') >= 3


def test_the_recipe_repeats_it(run, sortal):
    recipe_file, repeat = run.folder / "recipe.toml", run.folder.parent / "again"
    assert 'slice = [\n    "sex",\n]' in recipe_file.read_text()
    sortal("train", run.folder.parent / "people.csv", "--recipe", recipe_file, "-o", repeat)
    assert (repeat / "model.sortal").read_bytes() == run.model.read_bytes()
    assert json.loads((repeat / "run.json").read_bytes())["slices"] == run.record["slices"]


def test_later_rows_are_sliced_too_also_by_columns_that_the_model_does_not_know(run, sortal, tmp_path: Path):
    later = people(900, seed=2)
    later.write_csv(tmp_path / "later.csv")
    words = ["evaluate", run.model, tmp_path / "later.csv", "--slice", "sex", "--slice", "town"]
    outcome = sortal(*words)
    assert "region = c: " in outcome.out
    assert "town = north: " in outcome.out
    report = sortal(*words, "--json").json["slices"]
    assert {s["column"] for s in report["slices"] if s["asked"]} == {"sex", "town"}
    assert next(s["rows"] for s in report["slices"] if s["condition"] == "= north") == (later["town"] == "north").sum()
    refusal = sortal("evaluate", *words[1:3], "--slice", "twon")
    assert (refusal.code, "did you mean 'town'" in refusal.err) == (2, True)


@pytest.mark.parametrize(("name", "message"), [("sexx", "did you mean 'sex'"), ("y", "is the target")])
def test_what_cannot_be_sliced_by_is_refused_before_any_work(run, name, message):
    with pytest.raises(package.InputError, match=message):
        package.train(str(run.folder.parent / "people.csv"), "y", slice=name, budget=UNHURRIED)


def test_without_a_test_it_is_of_the_rows_that_stand_in_for_one(tmp_path: Path):
    """Outer folds have the rows in another order than the table."""
    table = people(1000, seed=3)
    run = package.train(table, recipe=recipe(tmp_path / "cv.toml", split="cv", slice="region", outer=3))
    slices = run.record.slices
    assert (slices.part, slices.rows) == ("nested", 600)
    assert [(s.column, s.worse) for s in slices.shown] == [("region", True), *[("region", False)] * 4]
    assert slices.shown[0].condition == "= c"
    assert slices.shown[0].figure.value > 2 * slices.shown[0].elsewhere
