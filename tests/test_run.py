"""The trip by Python: whatever table comes in, what comes back, and what stays on disk."""

from __future__ import annotations

import gc
import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import sortal
from sortal.core.recipe import Recipe

ROWS = 240
QUICK = {"models": ["logistic"], "budget": "1h"}


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(5)
    age, plan = rng.normal(40, 12, ROWS), rng.choice(["basic", "plus", "pro"], ROWS)
    age[::17] = np.nan
    leaves = np.nan_to_num(age, nan=40) / 12 + (plan == "basic") + rng.normal(size=ROWS) > 4
    return {"age": age, "plan": plan.tolist(), "leaves": [("stays", "leaves")[int(v)] for v in leaves]}


@pytest.fixture(scope="module")
def run(columns, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "one"
    return sortal.train(columns, "leaves", cost={"fp": 1, "fn": 4}, positive="leaves", seed=3, out=out, **QUICK)


TABLES = {
    "dict": lambda columns: columns,
    "list of dicts": lambda columns: pl.DataFrame(columns, nan_to_null=True).to_dicts(),
    "pandas": pd.DataFrame,
    "pandas with an index": lambda columns: pd.DataFrame(columns, index=range(900, 900 + ROWS)),
    "pandas category": lambda columns: pd.DataFrame(columns).astype({"plan": "category"}),
    "polars": pl.DataFrame,
    "polars lazy": lambda columns: pl.DataFrame(columns).lazy(),
    "pyarrow": pa.table,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_kind_of_table_gives_the_same_model(run, columns, name):
    table = TABLES[name](columns)
    found = sortal.train(table, "leaves", cost={"fp": 1, "fn": 4}, positive="leaves", seed=3, **QUICK)
    assert np.array_equal(found.model.predict_proba(table), run.model.predict_proba(columns))
    assert np.array_equal(found.model.decide(table), run.model.decide(columns))


def test_numpy_and_numbered_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    X = np.column_stack([X, X[:, 0] + rng.normal(size=200) > 0])
    found = sortal.train(X, "x3", **QUICK)
    assert found.model.schema.names == ("x0", "x1", "x2", "x3")
    assert set(found.model.predict(X[:, :3]).tolist()) == {0.0, 1.0}


def test_paths_are_read(run, columns, tmp_path):
    pl.DataFrame(columns).write_parquet(tmp_path / "rows.parquet")
    for data in (tmp_path / "rows.parquet", str(tmp_path / "rows.parquet"), [tmp_path / "rows.parquet"]):
        found = sortal.audit(data, "leaves")
        assert (found.data.rows, found.task.positive) == (ROWS, run.record.task.positive)


def test_a_run_is_its_record_in_objects(run):
    assert str(run.test.roc_auc) == str(run.record.test["roc_auc"])
    assert run.test.roc_auc.low <= run.test.roc_auc.value <= run.test.roc_auc.high
    assert run.leaderboard["selected"].sum() == 1
    assert {item.status for item in run.checklist} <= {"holds", "fails", "not applicable"}
    assert json.loads((run.folder / "run.json").read_bytes())["seed"] == 3
    shown = repr(run)
    assert "CHECKLIST" in shown
    assert "\x1b" not in shown


def test_the_report_can_be_kept(run, tmp_path):
    run.report.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == (run.folder / "report.html").read_bytes()
    assert "http://" not in run.report.html.replace("http://www.w3.org/", "")


def test_a_model_can_be_kept_and_loaded(run, columns, tmp_path):
    run.model.save(tmp_path / "mine.sortal")
    loaded = sortal.load(tmp_path / "mine.sortal")
    assert np.array_equal(loaded.predict_proba(columns), run.model.predict_proba(columns))
    row = {"age": 61.0, "plan": "basic"}
    assert loaded.decide(row).tolist() == ["leaves"]
    assert loaded.predict_proba(row).shape == (1, 2)


def test_without_a_folder_the_run_leaves_nothing_behind(columns, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = sortal.train(columns, "leaves", **QUICK)
    assert found.folder.is_relative_to(tmp_path)
    assert (found.folder / "report.html").exists()
    del found
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_refused_run_leaves_nothing_behind(columns, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(sortal.InputError, match="did you mean 'leaves'"):
        sortal.train(columns, "leave", **QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"target": "leave"}, "did you mean 'leaves'"),
        ({"models": ["lightgmb"]}, "did you mean 'lightgbm'"),
        ({"metric": "auc"}, "no metric 'auc'"),
        ({"cost": {"fp": 1}}, "the cost of fn is not given"),
        ({"cost": {"stays": {"leaves": 1}}}, "the cost of fn is not given"),
        ({"f_beta": 0}, "above 0"),
        ({"kind": {"plan": "colour"}}, "no kind 'colour'"),
        ({"split": "70-30"}, "'70-30'"),
        ({"budget": 0}, "leaves no time"),
        ({"budget": float("nan")}, "budget"),
        ({"seed": -1}, "seed -1 is negative"),
        ({"select": 0}, "select 0"),
        ({"positive": "goes"}, "'goes' is no class"),
        ({"time": "plan"}, "cannot be the time"),
        ({"group": "gruop"}, "no column 'gruop'"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_a_sentence(columns, tmp_path, options, told):
    with pytest.raises(sortal.InputError) as caught:
        sortal.train(columns, **{"target": "leaves", **QUICK, "out": tmp_path / "run", **options})
    assert told in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [None, 7, [], {}, "nowhere.csv", np.zeros(3), {"a": [1], "leaves": ["x", "y"]}])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(sortal.InputError):
        sortal.train(data, "leaves", **QUICK)


def test_costs_by_class_of_any_type():
    rng = np.random.default_rng(2)
    x = rng.normal(size=300)
    grade = np.digitize(x + rng.normal(size=300) / 2, [-0.5, 0.5])
    cost = {t: {d: abs(t - d) ** 2 for d in range(3)} for t in range(3)}
    found = sortal.train({"x": x, "grade": grade}, "grade", cost=cost, **QUICK)
    assert found.record.decision.kind == "cost"
    assert found.model.decide({"x": [-3.0, 0.0, 3.0]}).tolist() == [0, 1, 2]


def test_the_recipe_of_a_run_by_python_replays(run):
    recipe = Recipe.read(run.folder / "recipe.toml")
    assert (recipe.target, recipe.cost, recipe.positive, recipe.seed) == ("leaves", {"fp": 1, "fn": 4}, "leaves", 3)
    assert [planned.name for planned in recipe.plan][:1] == ["majority"]


def test_no_warning_reaches_a_person(columns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sortal.train(columns, "leaves", models=["lightgbm", "xgboost", "forest", "extra_trees", "svm"], budget="1h")
    assert [str(warning.message) for warning in caught] == []
