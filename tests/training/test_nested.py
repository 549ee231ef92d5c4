"""Nested cross-validation: what each outer model is asked it never saw, and a recipe repeats it."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from sortal.core.observer import Observer
from sortal.core.recipe import Recipe
from sortal.core.task import Task
from sortal.training.candidate import Development
from sortal.training.deadline import Deadline
from sortal.training.fit_log import FitLog
from sortal.training.nested import Nested, nested
from sortal.training.reserve import TimeReserve
from sortal.training.trained import Trained, train_rows

from .conftest import development

RECIPE = Recipe.of("y", models="logistic", budget="60s")


@pytest.fixture(scope="module")
def problem() -> tuple[Development, Task, Trained]:
    dev, task = development(3, rows=150)
    reserve = TimeReserve(Deadline.since(time.monotonic(), 60.0), 0.0, 0)
    return dev, task, train_rows(dev.table, dev.codes, task, RECIPE, reserve, Observer())


@pytest.fixture(scope="module")
def whole(problem: tuple[Development, Task, Trained]) -> Nested:
    outcome = again(problem)
    assert outcome is not None
    return outcome


def again(problem: tuple[Development, Task, Trained], recipe: Recipe = RECIPE, seconds: float = 60.0) -> Nested | None:
    dev, task, trained = problem
    return nested(dev.table, dev.codes, task, recipe, trained, 3, lambda: seconds)


def test_each_row_is_predicted_once_by_a_procedure_that_never_saw_it(problem, whole):
    outcome = whole
    dev, _, trained = problem
    assert sorted(outcome.predictions.rows) == sorted(dev.table.rows)
    assert (outcome.folds, outcome.planned, outcome.predictions.part) == (3, 3, "nested")
    truth = dict(zip(dev.table.rows.tolist(), dev.codes.tolist(), strict=True))
    assert [truth[row] for row in outcome.predictions.rows.tolist()] == outcome.predictions.truth.tolist()
    assert len(outcome.fits) >= 3 * sum(len(result.fits) for result in trained.developed.explored.results)
    assert FitLog.of(outcome.fits, sealed=dev.table.rows[:0]).leaked_rows == 0
    # Each fit is held against the rows of its outer fold: 50 of 150, of which it saw none.
    assert all(len(np.setdiff1d(dev.table.rows, fit.saw)) >= 50 for fit in outcome.fits)
    assert all(len(fit.evaluated) >= 50 for fit in outcome.fits)


def test_what_is_decided_is_what_the_models_of_the_folds_say(whole):
    assert (whole.decided == whole.predictions.probability.argmax(axis=1)).all()
    assert (whole.decided == whole.predictions.truth).mean() > 0.6


def test_without_time_nothing_is_measured_and_a_recipe_repeats_that(problem, whole):
    assert again(problem, seconds=0.0) is None
    plan = problem[2].developed.plan()
    assert again(problem, RECIPE.with_options(plan=plan, outer=0)) is None
    two = again(problem, RECIPE.with_options(plan=plan, outer=2), seconds=0.0)
    assert (two.folds, two.planned, len(two.predictions)) == (2, 3, 100)


def test_where_the_next_fold_would_not_end_in_time_it_does_not_begin(problem, whole):
    dev, task, trained = problem
    seconds_left = iter([60.0, 0.0])
    one = nested(dev.table, dev.codes, task, RECIPE, trained, 3, lambda: next(seconds_left))
    assert (one.folds, one.planned, len(one.predictions)) == (1, 3, 50)
    assert np.array_equal(one.predictions.probability, whole.predictions.probability[:50])


@pytest.mark.parametrize("refit", [True, False])
def test_models_of_the_folds_are_refitted_as_the_one_that_ships(problem, refit, monkeypatch):
    module, refits = sys.modules["sortal.training.nested"], []
    real = module.finalize
    monkeypatch.setattr(module, "finalize", lambda *a: (refits.append(a[-1].refit), real(*a))[1])
    dev, task, trained = problem
    variant = replace(trained, finalized=replace(trained.finalized, no_refit=None if refit else "time"))
    again((dev, task, variant), RECIPE.with_options(plan=trained.developed.plan(), outer=1))
    assert refits == [refit]


def test_rows_of_a_group_are_left_out_together():
    dev, task = development(2, rows=120)
    groups = np.repeat(np.arange(30), 4)
    table = replace(dev.table)
    table.__dict__["groups"] = groups
    reserve = TimeReserve(Deadline.since(time.monotonic(), 60.0), 0.0, 0)
    trained = train_rows(table, dev.codes, task, RECIPE, reserve, Observer())
    outcome = nested(table, dev.codes, task, RECIPE, trained, 2, lambda: 60.0)
    group_of = dict(zip(table.rows.tolist(), groups.tolist(), strict=True))
    assert outcome.predictions.groups.tolist() == [group_of[row] for row in outcome.predictions.rows.tolist()]
    for fit in outcome.fits:
        fit_groups, test_groups = ({group_of[row] for row in rows.tolist()} for rows in (fit.saw, fit.evaluated))
        assert not fit_groups & test_groups
