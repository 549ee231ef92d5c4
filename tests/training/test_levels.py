"""Boosters on what is known of values that come again, from a table to a program; and where they are not tried."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sortal.core import registry
from sortal.core.schema import Column, Schema
from sortal.core.skipped import Skipped
from sortal.core.table import Table
from sortal.engine import compile
from sortal.testing.requirement import fingerprint
from sortal.training import fold
from sortal.training.candidate import Candidate, Development, fit, prepare_rows
from sortal.training.crossval import NO_LEVELS, CrossValidation, crossval, crossval_by_work
from sortal.training.cv_result import CVResult
from sortal.training.fold import FoldData, Folds

N = 4_000
TRAIN, TEST = np.arange(N // 2), np.arange(N // 2, N)
NAMES = ("office", "floor", "weight")


def development(signal: bool = True) -> Development:
    """Each office has a chance of its own, whatever its neighbours have; a floor is a category, a weight a measure."""
    rng = np.random.default_rng(0)
    office = rng.integers(100, 160, size=N)
    chance = np.random.default_rng(1).random(160)[office] if signal else np.full(N, 0.5)
    columns = {
        "office": office.astype(np.float64),
        "floor": [f"f{number}" for number in rng.integers(4, size=N)],
        "weight": rng.normal(size=N),
    }
    kinds = {"floor": "category"}
    table = Table(
        Schema(tuple(Column(name, kinds.get(name, "number")) for name in NAMES)), pl.DataFrame(columns), np.arange(N)
    )
    return Development(table, (rng.random(N) < chance).astype(np.int64), ("no", "yes"), seed=0, smallest_count=5)


def pipeline_of(dev: Development, name: str):
    family = registry.load("sortal.models", name)
    return fit(
        Candidate(name, family), prepare_rows(dev, TRAIN, family.view), dev, {"rounds": 60, "learning_rate": 0.1}
    )


def log_loss(dev: Development, pipeline) -> float:
    p = pipeline.predict_proba(pipeline.preprocessor.transform(dev.table.take(TEST)))
    return float(-np.log(p[np.arange(len(TEST)), dev.codes[TEST]]).mean())


@pytest.mark.parametrize(("name", "plain"), [("lightgbm_prep", "lightgbm"), ("catboost_prep", "catboost")])
def test_the_program_says_what_the_library_says(name, plain):
    dev = development()
    pipeline = pipeline_of(dev, name)
    assert pipeline.preprocessor.has_levels
    assert pipeline.preprocessor.names[len(NAMES) :] == ("office: share of class 1", "office: rows")
    assert pipeline.preprocessor.sources[len(NAMES) :] == (("office",), ("office",))
    columns = dev.table.take(TEST).columns(NAMES)
    run = compile(pipeline.program())
    expected = pipeline.predict_proba(pipeline.preprocessor.transform(dev.table.take(TEST)))
    assert np.abs(run(columns) - expected).max() <= 1e-9
    alone = run({column: values[:1] for column, values in columns.items()})
    assert np.array_equal(alone, run(columns)[:1])
    assert log_loss(dev, pipeline) < log_loss(dev, pipeline_of(dev, plain))
    assert fingerprint(pipeline.program()) == fingerprint(pipeline_of(dev, name).program())


def cross_validation(dev: Development) -> CrossValidation:
    parts = ((TRAIN, TEST), (TEST, TRAIN))
    return CrossValidation(FoldData(dev, Folds(parts, 2)), lambda predictions: {"rows": float(len(predictions))})


@pytest.mark.parametrize("search", [crossval, lambda *args: crossval_by_work(*args, 100.0)])
def test_what_would_be_another_family_once_more_is_not_tried(search, monkeypatch):
    candidate = Candidate("catboost_prep", registry.load("sortal.models", "catboost_prep"), {"rounds": 5})
    assert search(candidate, cross_validation(development(signal=False))) == Skipped("catboost_prep", NO_LEVELS)
    assert isinstance(search(candidate, cross_validation(development())), CVResult)
    monkeypatch.setattr(fold, "LEVEL_ROWS", 150)
    # By so few rows nothing is learned of levels.
    assert search(candidate, cross_validation(development())) == Skipped("catboost_prep", NO_LEVELS)
