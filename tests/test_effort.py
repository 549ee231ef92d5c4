"""``effort``: work in the place of time. No clock decides anything, however busy the machine is."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest

import sortal
from sortal.core.recipe import Recipe
from sortal.models.family import Resources
from sortal.training import develop
from sortal.training.random_search import random_candidate
from sortal.training.trained import EFFORT_THREADS, development
from tests.training.conftest import development as small

MODELS, ROWS, EFFORT = ("lightgbm", "svm"), 1_200, 13.0


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 3))
    y = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=ROWS) > 0
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": np.where(y, "yes", "no")})


@pytest.fixture(scope="module", autouse=True)
def one_is_drawn():
    """As it would be where the whole portfolio was done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(develop, "draws", lambda models, seed: iter([random_candidate("lightgbm", 1, seed)]))
        yield


@pytest.fixture(scope="module")
def calm(rows, tmp_path_factory):
    return train(rows, tmp_path_factory.mktemp("calm") / "run", models=MODELS, effort=EFFORT)


def train(rows, out, **options):
    target = {} if "recipe" in options else {"target": "y"}
    return sortal.train(rows, **target, out=out, **options)


def names(run):
    return {row.name for row in run.record.leaderboard}


@pytest.fixture
def hurried(monkeypatch):
    """All clocks run a thousand times as fast, as they would for a run that gets a thousandth of the machine."""
    for clock in ("monotonic", "perf_counter"):
        real = getattr(time, clock)
        start = real()
        monkeypatch.setattr(time, clock, lambda real=real, start=start: start + 1_000 * (real() - start))


def test_a_machine_that_is_a_thousand_times_slower_gives_the_same_bytes(rows, calm, hurried, tmp_path):
    slow = train(rows, tmp_path / "run", models=MODELS, effort=EFFORT)
    assert slow.record.timing.wall_seconds > 100 * calm.record.timing.wall_seconds
    assert names(calm) >= {"majority", "logistic", "tree", "lightgbm", "lightgbm small", "svm", "lightgbm 1"}
    for file in ("model.sortal", "recipe.toml", "oof.parquet"):
        assert (tmp_path / "run" / file).read_bytes() == (calm.folder / file).read_bytes(), file
    assert slow.record.timing.skipped == calm.record.timing.skipped == ()


def test_with_a_budget_such_a_machine_does_less(rows, calm, hurried, tmp_path):
    assert names(train(rows, tmp_path / "run", models=MODELS, budget=600)) < names(calm)


def test_what_was_asked_stands_in_the_record_and_the_recipe(calm):
    assert (calm.record.timing.effort, calm.record.timing.budget_seconds) == (EFFORT, None)
    assert Recipe.read(calm.folder / "recipe.toml").search.effort == EFFORT
    assert f"for an effort of {EFFORT:g}" in (calm.folder / "report.html").read_text("utf-8")


def test_what_was_drawn_at_random_is_told(calm):
    notes = {row.name: row.note for row in calm.record.leaderboard}
    settings = random_candidate("lightgbm", 1, seed=0).settings
    assert f"drawn: num_leaves {settings['num_leaves']}, min_data_in_leaf" in notes["lightgbm 1"]
    assert "drawn" not in notes["lightgbm small"]


def test_its_recipe_repeats_it(rows, calm, tmp_path):
    train(rows, tmp_path / "run", recipe=calm.folder / "recipe.toml")
    assert (tmp_path / "run" / "model.sortal").read_bytes() == (calm.folder / "model.sortal").read_bytes()


def test_fits_use_the_same_of_every_machine(monkeypatch):
    monkeypatch.setattr(Resources, "here", classmethod(lambda cls: cls(64)))
    dev, task = small(rows=60)
    cases = {"effort": 10.0}, {"budget": 10.0}
    developments = [development(dev.table, dev.codes, task, Recipe.of("y", **options)) for options in cases]
    assert [item.resources for item in developments] == [Resources(EFFORT_THREADS, "cpu"), Resources(64)]


def test_the_device_is_the_one_that_was_asked_for(monkeypatch):
    monkeypatch.setattr(Resources, "here", classmethod(lambda cls: cls(64)))
    monkeypatch.setattr("sortal.training.trained.require_graphics_processor", lambda: None)
    dev, task = small(rows=60)
    cases = {"device": "cpu"}, {"device": "cuda"}, {"device": "cuda", "effort": 10.0}
    developments = [development(dev.table, dev.codes, task, Recipe.of("y", **options)) for options in cases]
    resources = [item.resources for item in developments]
    assert resources == [Resources(64, "cpu"), Resources(64, "cuda"), Resources(EFFORT_THREADS, "cuda")]


def test_the_classifier_takes_it(rows, hurried):
    X, y = rows.drop("y"), rows["y"].to_numpy()
    model = sortal.SortalClassifier(models="svm", effort=10).fit(X, y)
    assert model.skipped_ == {}
    repeat = sortal.SortalClassifier(models="svm", effort=10).fit(X, y)
    assert (model.predict_proba(X) == repeat.predict_proba(X)).all()
