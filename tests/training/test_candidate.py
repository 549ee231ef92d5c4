from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from sortal.core import registry
from sortal.engine import compile
from sortal.models.family import FitRequest
from sortal.training.candidate import LEAST_OF_A_CLASS, Candidate, fit, prepare_rows, sample, sample_units
from sortal.training.fit_log import FitLog, FitRows
from sortal.training.imbalance import Balance
from tests.models.test_conformance import SMALL

FAMILIES = (
    "majority",
    "logistic",
    "tree",
    "svm",
    "kernel_svm",
    "lightgbm",
    "lightgbm_prep",
    "xgboost",
    "catboost",
    "catboost_prep",
    "forest",
    "extra_trees",
    "mlp",
)


def candidate(name, **settings):
    return Candidate(name, registry.load("sortal.models", name), settings)


def features(dev):
    return [column.name for column in dev.table.schema.features]


def balances(name):
    """What a family can do about rare classes."""
    return [way for way in get_args(Balance) if way != "focal" or name in ("lightgbm", "xgboost")]


@pytest.mark.parametrize(("name", "way"), [(name, way) for name in FAMILIES for way in balances(name)])
def test_the_program_of_a_pipeline_says_what_its_library_says(three, name, way):
    dev, _ = three
    rows = np.arange(300)
    model = replace(candidate(name, **SMALL.get(name, {})), balance=way)
    pipeline = fit(model, prepare_rows(dev, rows, model.family.view), dev, {})
    rest = dev.table.take(np.arange(300, 400))
    expected = pipeline.predict_proba(pipeline.preprocessor.transform(rest))
    actual = compile(pipeline.program())(rest.columns(features(dev)))
    tolerance = 1e-12 if model.family.precision == "float64" else 1e-6
    assert np.abs(actual - expected).max() <= tolerance


def test_rows_that_a_fit_must_not_see_are_counted(two):
    dev, _ = two
    view = registry.load("sortal.models", "logistic").view
    clean = FitRows(prepare_rows(dev, np.arange(50, 100), view).rows, dev.table.rows[100:150])
    leaky = FitRows(prepare_rows(dev, np.arange(0, 50), view).rows, dev.table.rows[40:60])
    sealed = np.array([100, 101, 9999])
    assert FitLog.of([clean], sealed) == FitLog(1, 0)
    assert FitLog.of([clean, leaky], sealed) == FitLog(2, 2 + 10)


def test_rows_for_early_stopping_do_not_train_except_in_the_final_fit(two):
    dev, _ = two
    requests: list[FitRequest] = []
    family = registry.load("sortal.models", "lightgbm")

    def spy(request, settings):
        requests.append(request)
        return family.fit(request, settings)

    model = Candidate("spied", replace(family, fit=spy), {"rounds": 5})
    prepared = prepare_rows(dev, np.arange(200), family.view)
    fit(model, prepared, dev, {})
    fit(model, prepared, dev, {"rounds": 5}, purpose="ship")
    assert len(requests[0].train.y) == 200 - len(prepared.stop)
    assert len(prepared.stop) > 10
    assert len(requests[1].train.y) == 200
    assert requests[1].stop is None


def test_rows_for_early_stopping_share_no_group_with_those_that_train(two):
    dev, _ = two
    dev = replace(dev, units=np.arange(len(dev.codes)) // 4)
    rows = np.sort(np.random.default_rng(0).permutation(len(dev.codes))[:300])
    stop = np.isin(np.arange(300), prepare_rows(dev, rows, registry.load("sortal.models", "lightgbm").view).stop)
    assert 20 < stop.sum() < 60
    assert set(dev.units[rows][stop]).isdisjoint(dev.units[rows][~stop])


def test_a_class_that_a_fold_lacks_gets_zero(three):
    dev, _ = three
    rows = np.flatnonzero(dev.codes != 1)
    model = candidate("logistic")
    pipeline = fit(model, prepare_rows(dev, rows, model.family.view), dev, {})
    probability = compile(pipeline.program())(dev.table.columns(features(dev)))
    assert probability.shape == (len(dev.table), 3)
    assert (probability[:, 1] == 0).all()
    assert np.allclose(probability.sum(axis=1), 1)


def test_rows_of_one_class_teach_that_class(three):
    dev, _ = three
    model = candidate("lightgbm")
    pipeline = fit(model, prepare_rows(dev, np.flatnonzero(dev.codes == 2), model.family.view), dev, {})
    assert compile(pipeline.program())(dev.table.columns(features(dev)))[:3].tolist() == [[0, 0, 1]] * 3


def imbalanced(dev):
    """Positions of all rows of one class and a few of the other."""
    return np.concatenate([np.flatnonzero(dev.codes == 0), np.flatnonzero(dev.codes == 1)[:30]])


@pytest.mark.parametrize(
    ("name", "way", "tolerance"),
    [
        ("logistic", "weights", 0.02),
        ("logistic", "undersample", 0.05),
        ("lightgbm", "focal", 0.02),
        ("xgboost", "focal", 0.02),
    ],
)
def test_what_balancing_does_to_the_probabilities_is_taken_out(two, name, way, tolerance):
    dev, _ = two
    rows = imbalanced(dev)
    share = (dev.codes[rows] == 1).mean()
    model = replace(candidate(name), balance=way)
    prepared = prepare_rows(dev, rows, model.family.view)
    pipeline = fit(model, prepared, dev, {})
    corrected = pipeline.predict_proba(prepared.X)[:, 1].mean()
    forest_or_model = pipeline.fitted.program()
    before = forest_or_model.steps[0] if way == "focal" else forest_or_model
    shifted = compile(before)(prepared.X)[:, 1].mean()
    assert abs(corrected - share) < tolerance
    assert shifted > share + 0.05


@pytest.mark.parametrize("purpose", ["judge", "repeat", "ship"])
def test_only_training_rows_are_resampled(two, purpose):
    dev, _ = two
    requests: list[FitRequest] = []
    family = registry.load("sortal.models", "lightgbm")

    def spy(request, settings):
        requests.append(request)
        return family.fit(request, settings)

    model = Candidate("spied", replace(family, fit=spy), {"rounds": 5}, balance="undersample")
    prepared = prepare_rows(dev, imbalanced(dev), family.view)
    fit(model, prepared, dev, {"learning_rate": 0.1}, purpose=purpose)
    (request,) = requests
    holds_out = purpose != "ship"
    rare = int((prepared.y == 1).sum() - holds_out * (prepared.y[prepared.stop] == 1).sum())
    assert np.bincount(request.train.y).tolist() == [rare, rare]
    assert request.train.weight is None
    if purpose == "judge":
        assert np.array_equal(request.stop.X, prepared.X[prepared.stop], equal_nan=True)
        assert np.array_equal(request.stop.y, prepared.y[prepared.stop])
    else:
        assert request.stop is None


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_the_effort_of_a_focal_fit_repeats_it(two, name):
    dev, _ = two
    model = replace(candidate(name), balance="focal")
    prepared = prepare_rows(dev, imbalanced(dev), model.family.view)
    first = fit(model, prepared, dev, {}, seconds=30.0)
    second = fit(model, prepared, dev, first.fitted.effort, purpose="repeat")
    assert np.array_equal(first.predict_proba(prepared.X), second.predict_proba(prepared.X))


def test_a_sample_of_units_tears_none_apart_and_has_every_class(two):
    dev, _ = two
    units = np.random.default_rng(3).integers(0, 30, len(dev.codes))
    codes = np.where(units == 7, 2, units % 2)
    dev = replace(dev, codes=codes, classes=("a", "b", "rare"), units=units)
    rows = np.flatnonzero(units % 5 > 0)
    for seed in range(20):
        subset = sample_units(replace(dev, seed=seed), rows, len(rows) // 2)
        whole = rows[np.isin(units[rows], units[subset[codes[subset] < 2]])]
        assert np.isin(subset, rows).all()
        assert (np.diff(subset) > 0).all()
        assert set(codes[subset]) == {0, 1, 2}
        assert np.isin(whole, subset).all()
        assert abs(len(subset) - len(rows) // 2) <= np.bincount(units).max() + LEAST_OF_A_CLASS
    alone = replace(dev, units=None)
    assert sample_units(alone, rows, 50).tolist() == sample(alone, rows, 50).tolist()
