from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.interrupt import TimeUp
from sortal.training import halving
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, crossval
from sortal.training.develop import Scorer, fold
from sortal.training.fold import FoldData, Folds
from sortal.training.halving import MOST_ROWS, halve, seconds_of_halving, share_of_halving
from tests.training.conftest import development

DEV, TASK = development(3)
LOG_LOSS = registry.load("sortal.metrics", "log_loss")


@pytest.fixture(scope="module")
def cv() -> CrossValidation:
    return CrossValidation(FoldData(DEV, fold(DEV)), Scorer(TASK))


@pytest.fixture(scope="module")
def cv_result(cv):
    return crossval(Candidate("logistic", registry.load("sortal.models", "logistic")), cv)


def test_a_score_moves_towards_its_limit_as_one_over_n() -> None:
    """Loss .3 + 8 / n: at 400 rows .32, at 800 .31, at 1,000 .308, at 2,000 .304."""
    change = 0.32 - 0.31
    assert share_of_halving(800, 1000) * change == pytest.approx(0.31 - 0.308)
    assert share_of_halving(800, 2000) * change == pytest.approx(0.31 - 0.304)
    assert share_of_halving(800, 800) == 0.0


def test_every_fold_learns_from_half_of_its_rows_and_is_judged_on_the_same(cv, cv_result) -> None:
    result = halve(cv_result, cv, LOG_LOSS, math.inf)
    assert result is not None
    assert len(result.fits) == cv.data.folds.per_repeat
    for fit, (train, valid) in zip(result.fits, cv.data.folds.parts, strict=False):
        assert set(fit.saw) <= set(DEV.table.rows[train])
        assert len(fit.saw) == pytest.approx(len(train) / 2, abs=2)
        assert set(fit.evaluated) == set(DEV.table.rows[valid])
    again = halve(cv_result, cv, LOG_LOSS, math.inf)
    np.testing.assert_array_equal(again.predictions.probability, result.predictions.probability)
    assert list(result.predictions.rows) == list(cv_result.predictions.rows)
    assert result.folds == cv.data.folds.per_repeat
    assert LOG_LOSS.score(TASK, result.predictions, DEV.codes) > LOG_LOSS.score(TASK, cv_result.predictions, DEV.codes)


def test_it_is_left_out_where_it_tells_nothing_or_takes_too_long(cv, cv_result, monkeypatch) -> None:
    assert halve(replace(cv_result, refit_seconds=0.0), cv, LOG_LOSS, math.inf) is None
    with monkeypatch.context() as patch:
        patch.setattr(halving, "MOST_ROWS", len(cv.data.folds.parts[0][0]) - 1)
        assert halve(cv_result, cv, LOG_LOSS, math.inf) is None
    assert halve(replace(cv_result, fit_seconds=61.0), cv, LOG_LOSS, 60.0) is None
    assert halve(cv_result, cv, LOG_LOSS, math.inf, planned=0) is None

    def timing_out(request, settings):
        raise TimeUp

    slow = replace(cv_result, candidate=Candidate("slow", replace(cv_result.candidate.family, fit=timing_out)))
    assert halve(slow, cv, LOG_LOSS, 60.0) is None


def test_as_many_folds_are_halved_as_there_is_time_for(cv, cv_result, monkeypatch) -> None:
    whole = halve(cv_result, cv, LOG_LOSS, math.inf)
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(halving, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    result = halve(cv_result, cv, LOG_LOSS, 35.0)
    monkeypatch.undo()
    assert result.folds == 3
    mask = cv_result.fold < 3
    assert list(result.predictions.rows) == list(cv_result.predictions.rows[mask])
    assert result.predictions.probability == pytest.approx(whole.predictions.probability[mask])
    again = halve(cv_result, cv, LOG_LOSS, math.inf, planned=3)
    np.testing.assert_array_equal(again.predictions.probability, result.predictions.probability)


def test_what_was_done_when_the_time_is_up_is_kept(cv, cv_result) -> None:
    fits = []

    def slow(request, settings):
        fits.append(1)
        if len(fits) > 2:
            raise TimeUp
        return cv_result.candidate.family.fit(request, settings)

    result = halve(
        replace(cv_result, candidate=Candidate("slow", replace(cv_result.candidate.family, fit=slow))),
        cv,
        LOG_LOSS,
        60.0,
    )
    assert len(fits) == 3
    assert result.folds == 1
    assert set(result.predictions.rows) == set(cv_result.predictions.rows[cv_result.fold == 0])


def test_the_search_keeps_time_for_one_fold() -> None:
    def member(rows: int, refit: float = 1.0) -> SimpleNamespace:
        return SimpleNamespace(pipeline=SimpleNamespace(rows=rows), fit_seconds=2.0, refit_seconds=refit)

    assert seconds_of_halving([member(800), member(MOST_ROWS)]) == 4.0
    assert seconds_of_halving([member(800), member(MOST_ROWS + 1)]) == 0.0
    assert seconds_of_halving([member(800, refit=0.0)]) == 0.0
    assert seconds_of_halving([]) == 0.0


def test_folds_of_other_sizes_are_halved_each_by_its_own(cv_result) -> None:
    """A group that holds most of the rows leaves few to the fold that it is judged in; of groups half are left out."""
    sizes = [240, 60, 40, 30, 20, 10]
    units = np.repeat(np.arange(len(sizes)), sizes)
    dev = replace(DEV, units=units[np.random.default_rng(0).permutation(len(units))])
    cv = CrossValidation(FoldData(dev, fold(dev)), Scorer(TASK))
    result = halve(crossval(cv_result.candidate, cv), cv, LOG_LOSS, math.inf)
    assert result is not None
    once = cv.data.folds.first(result.folds).parts
    assert min(len(train) for train, _ in once) < max(len(train) for train, _ in once) / 2
    for fit, (train, _) in zip(result.fits, once, strict=True):
        rows = np.searchsorted(dev.table.rows, fit.saw)
        left_out = np.setdiff1d(train, rows)
        assert len(rows) < len(train)
        assert len(rows) >= len(train) // 2
        assert not np.isin(dev.units[left_out], dev.units[rows]).any()


def test_members_of_an_ensemble_are_halved_with_their_weights(monkeypatch) -> None:
    """By stand-ins: the first member says .2 and was given 100 rows of each fold, the second says .6."""
    dev, task = development(2)
    parts = tuple((np.setdiff1d(np.arange(400), valid), valid) for valid in np.split(np.arange(400), 4))
    cv = CrossValidation(FoldData(dev, Folds(parts, 4)), Scorer(task))
    positive, jobs = {"a": 0.2, "b": 0.6}, []

    def fit(data, job):
        jobs.append((job.candidate.name, job.fold, job.rows, job.units, job.purpose))
        valid = parts[job.fold][1]
        p = np.full(len(valid), positive[job.candidate.name])
        predictions = dev.predictions(valid, np.column_stack([1 - p, p]), "out-of-fold")
        return SimpleNamespace(predictions=predictions, fit_rows=(job.candidate.name, job.fold))

    monkeypatch.setattr(halving, "fit_fold", fit)
    executor = SimpleNamespace(map=lambda fit, data, jobs: [fit(data, job) for job in jobs])
    families = registry.load("sortal.models", "tree")
    members = tuple(
        SimpleNamespace(candidate=Candidate(n, families), rows=rows) for n, rows in (("a", 101), ("b", None))
    )
    winner = SimpleNamespace(results=members, weights=(0.25, 0.75), refit_seconds=1.0, fit_seconds=2.0)
    result = halve(winner, replace(cv, executor=executor), LOG_LOSS, math.inf, planned=2)
    assert result is not None
    assert jobs == [(name, k, rows, True, "judge") for k in range(2) for name, rows in (("a", 50), ("b", 150))]
    assert result.predictions.probability[:, 1] == pytest.approx(np.full(200, 0.25 * 0.2 + 0.75 * 0.6))
    assert result.predictions.rows.tolist() == dev.table.rows[:200].tolist()
    assert (result.folds, result.fits) == (2, (("a", 0), ("b", 0), ("a", 1), ("b", 1)))
    for seconds, is_enough in ((2.0, True), (1.99, False)):
        assert (halve(winner, replace(cv, executor=executor), LOG_LOSS, seconds, planned=1) is not None) == is_enough
