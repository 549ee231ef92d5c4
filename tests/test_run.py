"""The trip by Python: whatever table comes in, what comes back, and what stays on disk."""

from __future__ import annotations

import copy
import gc
import html
import json
import math
import pickle
import re
import warnings
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import sortal
from sortal import evaluation
from sortal.cli import main
from sortal.core import registry
from sortal.core.interval import Interval
from sortal.core.recipe import Recipe
from sortal.models.family import OutOfTime
from sortal.prepare.view import View

pytestmark = pytest.mark.usefixtures("all_dealt_once")

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
@pytest.mark.usefixtures("hurried")
def test_every_kind_of_table_gives_the_same_model(run, columns, name):
    table = TABLES[name](columns)
    result = sortal.train(table, "leaves", cost={"fp": 1, "fn": 4}, positive="leaves", seed=3, **QUICK)
    assert np.array_equal(result.model.predict_proba(table), run.model.predict_proba(columns))
    assert np.array_equal(result.model.decide(table), run.model.decide(columns))


@pytest.mark.usefixtures("hurried")
def test_numpy_and_numbered_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    X = np.column_stack([X, X[:, 0] + rng.normal(size=200) > 0])
    result = sortal.train(X, "x3", **QUICK)
    assert result.model.schema.names == ("x0", "x1", "x2", "x3")
    assert set(result.model.predict(X[:, :3]).tolist()) == {0.0, 1.0}


def test_paths_are_read(run, columns, tmp_path):
    pl.DataFrame(columns).write_parquet(tmp_path / "rows.parquet")
    for data in (tmp_path / "rows.parquet", str(tmp_path / "rows.parquet"), [tmp_path / "rows.parquet"]):
        report = sortal.audit(data, "leaves")
        assert (report.data.rows, report.task.positive) == (ROWS, run.record.task.positive)


def test_a_run_is_its_record_in_objects(run):
    assert str(run.test.roc_auc) == str(run.record.test["roc_auc"])
    assert run.test.roc_auc.low <= run.test.roc_auc.value <= run.test.roc_auc.high
    assert run.leaderboard["selected"].sum() == 1
    assert {item.status for item in run.checklist} <= {"holds", "fails", "not applicable"}
    assert json.loads((run.folder / "run.json").read_bytes())["seed"] == 3
    text = repr(run)
    assert "CHECKLIST" in text
    assert "\x1b" not in text


def test_the_report_can_be_kept(run, tmp_path):
    run.report.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == (run.folder / "report.html").read_bytes()
    assert "http://" not in run.report.html.replace("http://www.w3.org/", "")


def test_a_model_can_be_kept_and_loaded(run, columns, tmp_path):
    run.model.save(tmp_path / "mine.sortal")
    model = sortal.load(tmp_path / "mine.sortal")
    assert np.array_equal(model.predict_proba(columns), run.model.predict_proba(columns))
    row = {"age": 61.0, "plan": "basic"}
    assert model.decide(row).tolist() == ["leaves"]
    assert model.predict_proba(row).shape == (1, 2)


def test_without_a_folder_the_run_leaves_nothing_behind(columns, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = sortal.train(columns, "leaves", **QUICK)
    assert result.folder.is_relative_to(tmp_path)
    assert (result.folder / "report.html").exists()
    del result
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_named(columns, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f".sortal.partial-{'0' * 16}"
    (folder / "run").mkdir(parents=True)
    with pytest.raises(sortal.InputError):
        sortal.train(columns, "leave", **QUICK)
    (message,) = caplog.messages
    assert message.startswith(f"{str(folder)!r} was left unfinished by a process that was killed")
    assert folder.exists()


def test_a_refused_run_leaves_nothing_behind(columns, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(sortal.InputError, match="did you mean 'leaves'"):
        sortal.train(columns, "leave", **QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "leave"}, "did you mean 'leaves'"),
        ({"models": ["lightgmb"]}, "did you mean 'lightgbm'"),
        ({"metric": "auc"}, "no metric 'auc'"),
        ({"cost": {"fp": 1}}, "the cost of fn is not given"),
        ({"cost": {"stays": {"leaves": 1}}}, "the cost of fn is not given"),
        ({"f_beta": 0}, "give a number from 0.001"),
        ({"kind": {"plan": "colour"}}, "no kind 'colour'"),
        ({"split": "70-30"}, "'70-30'"),
        ({"budget": 0}, "leaves no time"),
        ({"budget": float("nan")}, "budget"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"select": 0}, "select 0"),
        ({"positive": "goes"}, "'goes' is no class"),
        ({"time": "plan"}, "cannot be the time"),
        ({"group": "gruop"}, "no column 'gruop'"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_a_sentence(columns, tmp_path, options, message):
    with pytest.raises(sortal.InputError) as error:
        sortal.train(columns, **{"target": "leaves", **QUICK, "out": tmp_path / "run", **options})
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [None, 7, [], {}, "nowhere.csv", np.zeros(3), {"a": [1], "leaves": ["x", "y"]}])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(sortal.InputError):
        sortal.train(data, "leaves", **QUICK)


@pytest.mark.usefixtures("hurried")
def test_costs_by_class_of_any_type():
    rng = np.random.default_rng(2)
    x = rng.normal(size=300)
    grade = np.digitize(x + rng.normal(size=300) / 2, [-0.5, 0.5])
    cost = {t: {d: abs(t - d) ** 2 for d in range(3)} for t in range(3)}
    result = sortal.train({"x": x, "grade": grade}, "grade", cost=cost, **QUICK)
    assert result.record.decision.kind == "cost"
    assert result.model.decide({"x": [-3.0, 0.0, 3.0]}).tolist() == [0, 1, 2]


def test_the_recipe_of_a_run_by_python_replays(run):
    recipe = Recipe.read(run.folder / "recipe.toml")
    goal = recipe.goal
    assert (goal.target, goal.cost, goal.positive) == ("leaves", {"fp": 1, "fn": 4}, "leaves")
    assert recipe.search.seed == 3
    assert [step.name for step in recipe.search.plan][:1] == ["majority"]


FAMILIES = ["lightgbm", "catboost", "xgboost", "extra_trees", "kernel_svm", "svm"]


def test_no_warning_reaches_a_person(columns):
    rows = {name: values[:160] for name, values in columns.items()}
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        run = sortal.train(rows, "leaves", models=FAMILIES, effort=20)
    assert {row.family for row in run.record.leaderboard} >= set(FAMILIES)
    assert [str(warning.message) for warning in caught_warnings] == []


# Copies, pictures and words


def copies(value):
    return [copy.deepcopy(value), pickle.loads(pickle.dumps(value))]  # noqa: S301 - our own


def test_models_and_audits_can_be_pickled_and_copied(run, columns):
    expected = run.model.predict_proba(columns)
    for model in copies(run.model):
        assert np.array_equal(model.predict_proba(columns), expected)
        assert repr(model) == repr(run.model)
    report = sortal.audit(columns, "leaves")
    assert all(other == report for other in copies(report))


def test_a_pickled_run_outlives_its_temporary_folder(columns, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = sortal.train(columns, "leaves", **QUICK)
    names = sorted(p.relative_to(result.folder).as_posix() for p in result.folder.rglob("*") if p.is_file())
    expected, html, content = result.model.predict_proba(columns), result.report.html, pickle.dumps(result)
    copied_run = copy.deepcopy(result)
    assert copied_run.folder != result.folder
    del result, copied_run
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    unpickled_run = pickle.loads(content)  # noqa: S301 - our own
    assert np.array_equal(unpickled_run.model.predict_proba(columns), expected)
    assert unpickled_run.report.html == html
    assert (
        sorted(p.relative_to(unpickled_run.folder).as_posix() for p in unpickled_run.folder.rglob("*") if p.is_file())
        == names
    )
    assert (
        evaluation.evaluate(unpickled_run.folder / "model.sortal", [], sealed=True).rows
        == unpickled_run.record.split.test
    )
    del unpickled_run
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_has_a_folder_keeps_it(run):
    for other in copies(run):
        assert other.folder == run.folder
        assert other.record == run.record
    gc.collect()
    assert run.folder.exists()


def test_classes_are_the_columns_of_predict_proba(run, columns):
    assert run.model.classes_.tolist() == list(run.model.task.classes)
    best = run.model.predict_proba(columns).argmax(axis=1)
    assert np.array_equal(run.model.classes_[best], run.model.predict(columns))
    run.model.classes_[:] = "changed"
    assert run.model.classes_.tolist() == ["leaves", "stays"]


def test_what_comes_back_shows_itself_in_a_screenful(run, columns):
    for item in (run, run.model, run.report, sortal.audit(columns, "leaves")):
        lines = repr(item).splitlines()
        assert 1 <= len(lines) <= 60
        assert max(map(len, lines)) <= 140
        assert "\x1b" not in repr(item)
        assert "array(" not in repr(item)
    text = repr(run.model)
    assert "'leaves' is one of 'leaves', 'stays'" in text
    cost = run.test.expected_cost
    assert f"expected_cost {Interval(cost.value, cost.low, cost.high)}" in text
    wide_model = replace(run.model, task=replace(run.model.task, classes=tuple(f"class {i}" for i in range(500))))
    assert "and 492 more" in repr(wide_model)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.pairs = []

    def handle_starttag(self, tag, attrs):
        self.pairs.append((tag, dict(attrs)))


def test_nothing_reaches_the_page_of_a_notebook(run, columns):
    odd = {"<b>": columns["age"], **columns}
    for item in (run, run.model, run.report, sortal.audit(odd, "leaves")):
        tags = Tags()
        tags.feed(item._repr_html_())
        [(tag, attributes)] = tags.pairs
        assert tag in ("pre", "iframe")
        assert "class" not in attributes
        assert "id" not in attributes
    assert attributes_of(run.report)["srcdoc"] == run.report.html
    assert attributes_of(run.report)["sandbox"] == ""
    assert html.unescape(run._repr_html_()).startswith('<pre style="white-space: pre-wrap">' + repr(run)[:40])


def attributes_of(item):
    tags = Tags()
    tags.feed(item._repr_html_())
    return tags.pairs[0][1]


def test_the_leaderboard_is_of_the_library_that_came_in(run, columns):
    assert isinstance(run.leaderboard, pl.DataFrame)
    result = sortal.train(pd.DataFrame(columns), "leaves", progress=True, **QUICK)
    board = result.leaderboard
    assert isinstance(board, pd.DataFrame)
    assert board["name"].tolist() == [row.name for row in result.record.leaderboard]
    assert board["mean"].dtype == "float64"
    assert board["selected"].dtype == "bool"


def test_progress_prints_what_the_command_line_prints(columns, tmp_path, capsys, sortal_command):
    pl.DataFrame(columns, nan_to_null=True).write_csv(tmp_path / "data.csv")
    sortal.train(tmp_path / "data.csv", "leaves", seed=3, out=tmp_path / "one", progress=True, **QUICK)
    python_output = capsys.readouterr().out
    options = ("--target", "leaves", "--models", "logistic", "--budget", "1h", "--seed", "3", "-o", tmp_path / "two")
    command_output = sortal_command("train", tmp_path / "data.csv", *options)

    def without_times(text):
        text = " ".join(text.replace("/one", "/two").split())
        # Which candidates none is faster than is for the clock to say.
        text = re.sub(r"nothing is both better and faster.*?(?=chosen:)", "", text)
        return re.sub(r"\d[\d.,]* ?(s|ms|µs|us|kB|min)\b", "", text)

    assert "CHECKLIST" in python_output
    assert {w for w in without_times(python_output).split() if w.isalpha()} == {
        w for w in without_times(command_output).split() if w.isalpha()
    }
    sortal.audit(columns, "leaves")
    assert capsys.readouterr().out == ""


@pytest.fixture
def sortal_command(capsys):
    def run_command(*arguments):
        capsys.readouterr()
        main([str(a) for a in arguments])
        return capsys.readouterr().out

    return run_command


# Recipes


def out_of_time(request, settings):
    if math.isfinite(request.seconds):
        raise OutOfTime(1e6)
    return registry.load("sortal.models", "logistic").fit(request, settings)


def test_a_run_whose_clock_dropped_a_candidate_replays_to_the_same_bytes(columns, tmp_path, monkeypatch):
    """The candidate looks at the table as no other does: what was prepared for it, and how often, stays out of the
    model file.
    """
    slow = replace(registry.load("sortal.models", "svm"), fit=out_of_time, view=View("imputed", "onehot"))
    real = registry.load
    monkeypatch.setattr(registry, "load", lambda group, name: slow if name == "svm" else real(group, name))
    first = sortal.train(columns, "leaves", models=["svm"], cost="fp=1,fn=4", budget="1h", out=tmp_path / "one")
    assert "svm" in [candidate.name for candidate in first.record.timing.skipped]
    recipe = tmp_path / "one" / "recipe.toml"
    repeat = sortal.train(columns, recipe=recipe, out=tmp_path / "two")
    assert repeat.record.timing.skipped == ()
    for name in ("model.sortal", "recipe.toml", "oof.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    with pytest.raises(sortal.InputError, match=r"--cost contradicts recipe[.]toml, which says cost = 'fp=1,fn=4'"):
        sortal.train(columns, recipe=recipe, cost="fp=1,fn=5")
    with pytest.raises(sortal.InputError, match="say which column is to be predicted"):
        sortal.train(columns)


def test_a_plan_that_cannot_be_repeated_is_refused(run, columns, tmp_path):
    text = (run.folder / "recipe.toml").read_text().replace('name = "tree"', 'name = "oak"')
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(sortal.InputError, match="plan has a candidate 'oak' of no known family"):
        sortal.train(columns, recipe=tmp_path / "recipe.toml")


# Weights


@pytest.fixture(scope="module")
def weighted_rows():
    """A weight that can be told from a number of its row."""
    rng = np.random.default_rng(1)
    x = rng.random(300)
    return {"x": x, "z": rng.normal(size=300), "w": 2 * x + 0.5, "y": (x + rng.normal(size=300) / 2 > 0.5).tolist()}


@pytest.mark.usefixtures("hurried")
def test_weights_are_in_every_fit_and_nowhere_else(weighted_rows, tmp_path, monkeypatch):
    real, requests = registry.load("sortal.models", "lightgbm"), []

    def fit_and_record(request, settings):
        requests.append(request)
        return real.fit(request, settings)

    load = registry.load
    spy = replace(real, fit=fit_and_record)
    monkeypatch.setattr(registry, "load", lambda group, name: spy if name == "lightgbm" else load(group, name))
    run = sortal.train(weighted_rows, "y", weight="w", models="lightgbm", budget="1h", out=tmp_path / "run")
    assert len(requests) > 5
    for request in requests:
        assert request.train.X.shape[1] == 2  # the weight is no feature
        for rows in (request.train, request.stop):
            if rows is not None:
                ratio = rows.weight / (2 * rows.X[:, 0] + 0.5)
                assert np.allclose(ratio, ratio[0])
    assert any(request.stop is not None for request in requests)
    assert run.model.schema["w"].role == "weight"
    assert "w" not in run.model.reads.names
    assert any("a row counts by 'w' in every fit" in reason for reason in run.record.task.reasons)
    assert 'weight = "w"' in (tmp_path / "run" / "recipe.toml").read_text()
    fresh = {"x": weighted_rows["x"], "z": weighted_rows["z"]}
    assert np.array_equal(run.model.predict_proba(fresh), run.model.predict_proba(weighted_rows))


@pytest.mark.usefixtures("hurried")
def test_only_the_ratios_of_weights_matter_and_no_weight_is_no_row(weighted_rows):
    counts = np.arange(300) % 5 > 0
    zeros = {**weighted_rows, "w": np.where(counts, weighted_rows["w"], 0)}
    subset = {name: np.asarray(values)[counts] for name, values in weighted_rows.items()}
    runs = [
        sortal.train(data, "y", weight="w", **QUICK) for data in (zeros, subset, {**subset, "w": 1024 * subset["w"]})
    ]
    assert any("60 rows of no weight ('w' is 0) were left out" in note for note in runs[0].record.data.notes)
    expected = runs[1].model.predict_proba(weighted_rows)
    assert all(np.array_equal(run.model.predict_proba(weighted_rows), expected) for run in runs)
    unweighted = sortal.train({name: subset[name] for name in ("x", "z", "y")}, "y", **QUICK)
    assert not np.array_equal(unweighted.model.predict_proba(weighted_rows), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: np.where(np.arange(300) == 6, np.nan, w), "column 'w' of the data has no value in row 7 .1 in all."),
        (lambda w: np.where(np.arange(300) % 2 == 1, -1.0, w), "a negative weight in row 2 .150 in all."),
        (lambda w: np.zeros(300), "column 'w' of the data is 0 in every row"),
        (lambda w: np.where(w > 1, np.inf, w), "infinity"),
        (lambda w: [f"w{v}" for v in w], "holds no numbers, but weights"),
        (lambda w: w > 1, "holds no numbers, but weights"),
    ],
    ids=["missing", "negative", "all zero", "infinite", "text", "yes and no"],
)
def test_weights_that_cannot_be(weighted_rows, change, message):
    with pytest.raises(sortal.InputError, match=message):
        sortal.audit({**weighted_rows, "w": change(weighted_rows["w"])}, "y", weight="w")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": "v"}, "no column 'v' in the data for the weights"),
        ({"weight": "y"}, "cannot be both the weight and the target"),
        ({"weight": "w", "ignore": "w"}, "cannot be both the weight and ignored"),
        ({"weight": "w", "group": "w"}, "cannot be both the weight and the group"),
    ],
)
def test_a_column_of_weights_is_nothing_else(weighted_rows, options, message):
    with pytest.raises(sortal.InputError, match=message):
        sortal.audit(weighted_rows, "y", **options)


def test_an_unlabelled_row_needs_no_weight(weighted_rows):
    incomplete = {**weighted_rows, "w": np.where(np.arange(300) < 3, np.nan, weighted_rows["w"])}
    incomplete["y"] = [None] * 3 + weighted_rows["y"][3:]
    notes = sortal.audit(incomplete, "y", weight="w").data.notes
    assert any("3 rows without a value of 'y'" in note for note in notes)
