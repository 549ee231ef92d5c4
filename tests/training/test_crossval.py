from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.plan import Planned
from sortal.models.family import OutOfTime
from sortal.training.candidate import Candidate
from sortal.training.crossval import FoldCache, Scored, Skipped, crossval, repeat
from sortal.training.develop import Scorer, fold


def cached(dev):
    return FoldCache(dev, fold(dev))


@pytest.mark.parametrize("name", ["logistic", "xgboost"])
def test_every_row_is_predicted_once_out_of_fold(two, name):
    dev, task = two
    cache = cached(dev)
    found = crossval(Candidate(name, registry.load("sortal.models", name)), dev, cache, Scorer(task))
    assert isinstance(found, Scored)
    assert found.predictions.rows.tolist() == dev.table.rows.tolist()
    assert np.array_equal(found.predictions.truth, dev.codes)
    assert len(found.fold_scores["log_loss"]) == len(cache.folds.parts) == 15
    assert dev.witness.foreign == 0
    for number, (_, valid) in enumerate(cache.folds.parts[:5]):
        assert np.array_equal(np.flatnonzero(found.fold == number), valid)


@pytest.mark.parametrize("name", ["logistic", "lightgbm", "forest"])
def test_efforts_repeat_a_cross_validation_exactly(three, name):
    dev, task = three
    tried = Candidate(name, registry.load("sortal.models", name))
    first = crossval(tried, dev, cached(dev), Scorer(task), seconds=60)
    again = repeat(tried, dev, cached(dev), Scorer(task), Planned(name, first.efforts))
    assert np.array_equal(first.predictions.probability, again.predictions.probability)
    assert first.effort == again.effort


def test_a_candidate_that_cannot_make_it_is_skipped_with_the_reason(two):
    dev, task = two
    family = registry.load("sortal.models", "logistic")

    def never(request, settings):
        raise OutOfTime(needed=30.0)

    found = crossval(Candidate("slow", replace(family, fit=never)), dev, cached(dev), Scorer(task), seconds=7)
    assert isinstance(found, Skipped)
    assert found.reason.endswith("7 s left")


def test_a_family_that_cannot_be_interrupted_ends_after_its_first_fold(two):
    dev, task = two
    family, fits = registry.load("sortal.models", "svm"), []

    def counted(request, settings):
        fits.append(request)
        return family.fit(request, settings)

    tried = Candidate("counted", replace(family, fit=counted))
    assert isinstance(crossval(tried, dev, cached(dev), Scorer(task), seconds=1e-6), Skipped)
    assert len(fits) == 1
    assert isinstance(crossval(tried, dev, cached(dev), Scorer(task), seconds=math.inf), Scored)


def test_prepared_rows_are_shared_by_candidates_with_the_same_view(two):
    dev, _ = two
    cache = cached(dev)
    view = registry.load("sortal.models", "forest").view
    assert cache.get(0, view)[0] is cache.get(0, view)[0]
    assert dev.witness.fits == 1
