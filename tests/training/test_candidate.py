from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.engine import compile
from sortal.models.family import FitRequest
from sortal.training.candidate import Candidate, Witness, fit, prepare_rows

FAMILIES = ("majority", "logistic", "tree", "svm", "lightgbm", "xgboost", "forest", "extra_trees")


def candidate(name, **settings):
    return Candidate(name, registry.load("sortal.models", name), settings)


def features(dev):
    return [column.name for column in dev.table.schema.features]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_program_of_a_pipeline_says_what_its_library_says(three, name, weighted):
    dev, _ = three
    rows = np.arange(300)
    tried = replace(candidate(name), weighted=weighted)
    pipeline = fit(tried, prepare_rows(dev, rows, tried.family.view), dev, {})
    rest = dev.table.take(np.arange(300, 400))
    expected = pipeline.predict_proba(pipeline.design.transform(rest))
    found = compile(pipeline.program())(rest.columns(features(dev)))
    tolerance = 1e-12 if tried.family.precision == "float64" else 1e-6
    assert np.abs(found - expected).max() <= tolerance


def test_the_witness_counts_rows_that_a_fit_must_not_see(two):
    dev, _ = two
    witness = Witness(sealed=np.array([100, 101, 9999]))
    watched = replace(dev, witness=witness)
    view = registry.load("sortal.models", "logistic").view
    prepare_rows(watched, np.arange(50, 100), view, evaluated=np.arange(100, 150))
    assert (witness.fits, witness.foreign) == (1, 0)
    prepare_rows(watched, np.arange(0, 50), view, evaluated=np.arange(40, 60))
    assert (witness.fits, witness.foreign) == (2, 2 + 10)


def test_rows_for_early_stopping_do_not_train_except_in_the_final_fit(two):
    dev, _ = two
    seen: list[FitRequest] = []
    family = registry.load("sortal.models", "lightgbm")

    def spy(request, settings):
        seen.append(request)
        return family.fit(request, settings)

    tried = Candidate("spied", replace(family, fit=spy), {"rounds": 5})
    prepared = prepare_rows(dev, np.arange(200), family.view)
    fit(tried, prepared, dev, {})
    fit(tried, prepared, dev, {"rounds": 5}, purpose="ship")
    assert len(seen[0].train.y) == 200 - len(prepared.stop)
    assert len(prepared.stop) > 10
    assert len(seen[1].train.y) == 200
    assert seen[1].stop is None


def test_a_class_that_a_fold_lacks_gets_zero(three):
    dev, _ = three
    rows = np.flatnonzero(dev.codes != 1)
    tried = candidate("logistic")
    pipeline = fit(tried, prepare_rows(dev, rows, tried.family.view), dev, {})
    probability = compile(pipeline.program())(dev.table.columns(features(dev)))
    assert probability.shape == (len(dev.table), 3)
    assert (probability[:, 1] == 0).all()
    assert np.allclose(probability.sum(axis=1), 1)


def test_rows_of_one_class_teach_that_class(three):
    dev, _ = three
    tried = candidate("lightgbm")
    pipeline = fit(tried, prepare_rows(dev, np.flatnonzero(dev.codes == 2), tried.family.view), dev, {})
    assert compile(pipeline.program())(dev.table.columns(features(dev)))[:3].tolist() == [[0, 0, 1]] * 3


def test_class_weights_are_taken_out_of_the_probabilities(two):
    dev, _ = two
    rare = np.concatenate([np.flatnonzero(dev.codes == 0), np.flatnonzero(dev.codes == 1)[:30]])
    share = (dev.codes[rare] == 1).mean()
    tried = replace(candidate("logistic"), weighted=True)
    prepared = prepare_rows(dev, rare, tried.family.view)
    pipeline = fit(tried, prepared, dev, {})
    corrected = pipeline.predict_proba(prepared.X)[:, 1].mean()
    shifted = pipeline.fitted.predict_proba(prepared.X)[:, 1].mean()
    assert abs(corrected - share) < 0.02
    assert shifted > share + 0.05
