"""The baselines as they would ship: which rows they see, and what happens where there is no time."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from sortal.core.observer import Observer
from sortal.core.recipe import Recipe
from sortal.training import baselines as shipped_baselines
from sortal.training import develop, finalize
from sortal.training.baselines import fit_baselines
from sortal.training.crossval import CrossValidation, crossval
from sortal.training.deadline import Deadline
from sortal.training.develop import Scorer, fold
from sortal.training.ensemble import EnsembleResult
from sortal.training.fit_log import FitLog
from sortal.training.fold import FoldData
from sortal.training.greedy import mean
from sortal.training.reserve import TimeReserve
from sortal.training.trained import train_rows
from sortal.training.zoo import baselines
from tests.training.conftest import development

DEV, TASK = development(3)
RECIPE = Recipe.of("y", models="tree", budget=30)


def forever() -> float:
    return math.inf


@pytest.fixture(scope="module")
def results():
    cv = CrossValidation(FoldData(DEV, fold(DEV)), Scorer(TASK))
    return [crossval(candidate, cv) for candidate in baselines()]


def trained(recipe: Recipe = RECIPE, *, comparing: bool = True, valid=None, task=TASK):
    reserve = TimeReserve(Deadline(time.monotonic(), 30.0), closing=0.0, closing_rows=0, comparing=comparing)
    return train_rows(DEV.table, DEV.codes, task, recipe, reserve, Observer(), valid=valid)


def test_a_refit_sees_all_rows_and_the_fit_of_a_fold_is_taken_as_it_is(results) -> None:
    again = fit_baselines(results, DEV, refit=True, seconds=forever)
    assert [b.name for b in again] == ["majority", "logistic", "tree"]
    assert all(b.new and sorted(b.pipeline.saw) == sorted(DEV.table.rows) for b in again)
    first = fit_baselines(results, DEV, refit=False, seconds=forever)
    assert [b.pipeline for b in first] == [s.pipeline for s in results]
    assert not any(b.new for b in first)


def test_those_for_which_there_is_no_time_are_left_out(results) -> None:
    assert fit_baselines(results, DEV, refit=False, seconds=lambda: 0.0) == ()
    slow = [replace(s, refit_seconds=10.0 * i) for i, s in enumerate(results)]
    assert [b.name for b in fit_baselines(slow, DEV, refit=True, seconds=lambda: 15.0)] == ["majority", "logistic"]


def test_a_run_compares_with_all_baselines_but_the_chosen_one() -> None:
    run = trained()
    winner = run.developed.choice.winner.candidate.name
    assert {b.name for b in run.baselines} == {"majority", "logistic", "tree"} - {winner}
    assert run.uncompared == ()
    assert trained(comparing=False).baselines == ()


def test_a_repeated_run_compares_with_those_that_it_had_time_for() -> None:
    run = trained()
    plan = RECIPE.with_options(plan=run.developed.plan(), refit=True, uncompared=("tree",))
    again = trained(plan)
    assert {b.name for b in again.baselines} == {"majority"}
    assert again.uncompared == ("tree",)


def test_baselines_are_fitted_on_the_rows_of_what_ships() -> None:
    """All development rows; where something is promised, the rows that prove it are none of theirs."""
    valid = np.arange(0, len(DEV.codes), 5)
    rows = {tuple(sorted(b.pipeline.saw)) for b in trained(valid=valid).baselines}
    assert rows == {tuple(sorted(DEV.table.rows))}
    promised = trained(valid=valid, task=replace(TASK, coverage=0.9))
    rows = {tuple(sorted(b.pipeline.saw)) for b in promised.baselines}
    assert rows == {tuple(sorted(np.delete(DEV.table.rows, valid)))}
    assert FitLog.of(promised.fits, DEV.table.rows[valid]).leaked_rows == 0


def test_a_baseline_that_is_a_member_of_what_ships_is_fitted_once(monkeypatch) -> None:
    choose, fits = develop._choose, []

    def of_two(*arguments):
        developed = choose(*arguments)
        members = tuple(s for s in developed.explored.results if s.candidate.name in ("logistic", "tree"))
        predictions = mean([member.predictions for member in members], (0.5, 0.5))
        both = EnsembleResult(members, (0.5, 0.5), predictions, members[0].fold_scores)
        return replace(developed, ensemble=both, choice=replace(developed.choice, winner=both, best=both))

    real = finalize.refit_member
    for module in (finalize, shipped_baselines):
        monkeypatch.setattr(module, "refit_member", lambda *a: (fits.append(a[0].candidate.name), real(*a))[1])
    monkeypatch.setattr(develop, "_choose", of_two)
    run = trained()
    assert sorted(fits) == ["logistic", "majority", "tree"]
    by_name = {b.name: b for b in run.baselines}
    assert by_name.keys() == {"majority", "logistic", "tree"}
    for result, member in zip(run.developed.choice.winner.results, run.finalized.ensemble.members, strict=True):
        assert by_name[result.candidate.name].pipeline is member
        assert not by_name[result.candidate.name].new
    assert by_name["majority"].new
    assert run.uncompared == ()


def test_the_time_for_them_is_kept_from_the_start(results) -> None:
    slow = [replace(s, refit_seconds=2.0, row_seconds=0.01) for s in results]
    times = [
        TimeReserve(Deadline(time.monotonic(), 60.0), 0.0, closing_rows=100, comparing=comparing).budget_left(slow)
        for comparing in (False, True)
    ]
    assert times[0] - times[1] == pytest.approx(2 * (2.0 + 100 * 0.01), abs=0.2)
