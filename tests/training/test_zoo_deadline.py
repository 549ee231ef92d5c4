"""The search under a deadline: what does not fit gets fewer rows, and the best so far is always at hand."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.interrupt import finishing_on_interrupt
from sortal.core.observer import Observer
from sortal.core.recipe import Recipe
from sortal.core.skipped import Skipped
from sortal.engine import compile
from sortal.models.family import OutOfTime
from sortal.training import crossval as crossval_module
from sortal.training import zoo
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, crossval
from sortal.training.cv_result import CVResult
from sortal.training.deadline import Deadline
from sortal.training.develop import Scorer, fold
from sortal.training.finalize import Limits, finalize
from sortal.training.fold import FoldData
from sortal.training.reserve import TimeReserve
from sortal.training.trained import train_rows
from sortal.training.zoo import ENDED, baselines, explore
from tests.training.conftest import development


def reserve(budget=60.0, **more):
    return TimeReserve(Deadline(time.monotonic(), budget), closing=0.0, closing_rows=0, **more)


def folded(dev, task):
    return CrossValidation(FoldData(dev, fold(dev)), Scorer(task))


def logistic(name="logistic", baseline=False, **changes):
    return Candidate(name, replace(registry.load("sortal.models", "logistic"), **changes), baseline=baseline)


def test_a_fit_that_is_too_slow_for_all_rows_is_tried_on_fewer(monkeypatch):
    monkeypatch.setattr(crossval_module, "LEAST_ROWS", 100)
    dev, task = development(rows=1500)
    family = registry.load("sortal.models", "logistic")

    def slow(request, settings):
        if len(request.train.y) > 600:
            raise OutOfTime(needed=len(request.train.y) / 40)
        return family.fit(request, settings)

    cv_result = crossval(logistic(fit=slow), folded(dev, task), seconds=66)
    assert isinstance(cv_result, CVResult)
    assert 100 <= cv_result.rows <= 600
    assert len(cv_result.predictions) == 1500


def test_families_that_need_no_more_rows_get_no_more():
    dev, task = development(rows=1500)
    cv_result = crossval(logistic(most_rows=300), folded(dev, task), seconds=60)
    assert cv_result.rows == 300
    assert abs(cv_result.pipeline.rows - 300) <= 2
    assert cv_result.refit_seconds == 0


def test_a_model_that_saw_as_many_rows_as_a_refit_would_is_shipped_itself():
    dev, task = development(rows=1500)
    cv_result = crossval(logistic(most_rows=300), folded(dev, task), seconds=60)
    everything, none = np.arange(1500), np.empty(0, dtype=np.int64)
    finalized = finalize(cv_result, dev, task, everything, none)
    assert finalized.ensemble.members[0] is cv_result.pipeline
    assert (finalized.refit, finalized.ensemble.rows) == (False, cv_result.pipeline.rows)
    assert finalized.no_refit == "rows"


@pytest.mark.parametrize("limits", [Limits(seconds=lambda: 0.0), Limits(refit=False)])
def test_without_time_for_a_refit_the_model_of_a_fold_is_shipped(limits):
    dev, task = development(rows=400)
    cv_result = crossval(logistic(), folded(dev, task), seconds=60)
    everything, none = np.arange(400), np.empty(0, dtype=np.int64)
    assert finalize(cv_result, dev, task, everything, none).refit
    finalized = finalize(cv_result, dev, task, everything, none, limits)
    assert (finalized.refit, finalized.no_refit) == (False, "time")
    assert finalized.ensemble.members[0] is cv_result.pipeline


def test_a_refit_that_takes_too_long_is_given_up():
    dev, task = development(rows=400)
    cv_result = crossval(logistic(), folded(dev, task), seconds=60)
    family = cv_result.candidate.family

    def endless(request, settings):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            sum(range(1000))
        return family.fit(request, settings)

    slow = replace(cv_result, candidate=logistic(fit=endless), refit_seconds=0.1)
    start = time.monotonic()
    finalized = finalize(slow, dev, task, np.arange(400), np.empty(0, dtype=np.int64), Limits(seconds=lambda: 0.3))
    assert not finalized.refit
    assert time.monotonic() - start < 10


def test_a_fit_that_does_not_end_is_cut_short_and_the_rest_is_used():
    dev, task = development(rows=400)

    def endless(request, settings):
        while True:
            sum(range(1000))

    outcome = explore(
        (*baselines(), logistic("stuck", fit=endless)),
        folded(dev, task),
        reserve(4.0),
        Observer(),
    )
    assert [s.candidate.name for s in outcome.results] == ["majority", "logistic", "tree"]
    assert {s.name: s.reason for s in outcome.skipped} == {"stuck": "no time left"}


@pytest.mark.parametrize("budget", [3.0, -1.0])
def test_a_baseline_of_a_large_table_is_bounded_too(budget, monkeypatch):
    monkeypatch.setattr(crossval_module, "FEW_CELLS", 0)
    dev, task = development(rows=400)

    def endless(request, settings):
        while True:
            sum(range(1000))

    outcome = explore(
        (baselines()[0], logistic(fit=endless, baseline=True)), folded(dev, task), reserve(budget), Observer()
    )
    assert [s.candidate.name for s in outcome.results] == ["majority"]
    assert [(s.name, s.reason) for s in outcome.skipped] == [("logistic", "no time left")]


def test_a_booster_that_does_not_fit_takes_all_that_is_left_before_others_begin(monkeypatch):
    dev, task = development(rows=150)
    cv = folded(dev, task)
    cv_result = crossval(logistic(), cv, seconds=60)
    trials = []

    def within(candidate, cv, reserve, results, share):
        trials.append((candidate.name, share))
        fits = share == zoo.ALL or not candidate.family.early_stopping
        return replace(cv_result, candidate=candidate) if fits else Skipped(candidate.name, "too slow")

    monkeypatch.setattr(zoo, "_within", within)
    candidates = [logistic("first"), logistic("booster", early_stopping=True), logistic("second")]
    outcome = zoo.explore(candidates, cv, reserve(), Observer())
    assert [result.candidate.name for result in outcome.results] == ["first", "booster", "second"]
    assert trials == [("first", zoo.SHARE), ("booster", zoo.SHARE), ("booster", zoo.ALL), ("second", zoo.SHARE)]


def test_ctrl_c_finishes_with_the_best_so_far():
    dev, task = development(rows=400)

    def interrupt(request, settings):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)

    with finishing_on_interrupt(lambda: None) as interrupts:
        outcome = explore(
            (*baselines(), logistic("pressed", fit=interrupt), logistic("never begun")),
            folded(dev, task),
            reserve(60.0, interrupts=interrupts),
            Observer(),
        )
    assert len(outcome.results) == 3
    assert {s.name: s.reason for s in outcome.skipped} == dict.fromkeys(("pressed", "never begun"), ENDED)


def test_a_run_that_saw_samples_and_shipped_a_fold_repeats_by_its_plan(monkeypatch):
    monkeypatch.setattr(crossval_module, "LEAST_ROWS", 100)
    dev, task = development(rows=1500)
    family = registry.load("sortal.models", "logistic")
    monkeypatch.setattr(registry, "load", lambda group, name: few(registry_load(group, name)))

    first = train_rows(dev.table, dev.codes, task, Recipe.of("y", models=("svm",)), reserve(), Observer())
    plan = first.developed.plan()
    assert {p.rows for p in plan} == {300}
    recipe = Recipe.from_toml(Recipe.of("y", models=("svm",), plan=plan, refit=first.finalized.refit).to_toml())
    again = train_rows(dev.table, dev.codes, task, recipe, reserve(-1.0), Observer())
    columns = dev.table.columns([column.name for column in dev.table.schema.features])
    assert np.array_equal(compile(first.finalized.program)(columns), compile(again.finalized.program)(columns))
    assert family.most_rows != 300


registry_load = registry.load


def few(plugin):
    return replace(plugin, most_rows=300) if hasattr(plugin, "most_rows") else plugin
