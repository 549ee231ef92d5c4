"""What a search may still do where work is counted: which candidates, on how many rows, with how much of a fit."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest

from sortal.core import registry
from sortal.core.observer import Observer
from sortal.core.skipped import Skipped
from sortal.models.boosting import pace
from sortal.models.clock import Clock
from sortal.models.family import Size, Work
from sortal.training import crossval as crossval_module
from sortal.training.bounds import Bounds
from sortal.training.candidate import Candidate
from sortal.training.crossval import REFIT, CrossValidation, crossval, crossval_by_work
from sortal.training.cv_result import CVResult
from sortal.training.deadline import Deadline
from sortal.training.develop import Scorer, fold
from sortal.training.ensemble import members
from sortal.training.fold import FoldData
from sortal.training.pace import Pace, work_pace
from sortal.training.reserve import TimeReserve, WorkReserve
from sortal.training.zoo import MISSES, explore
from tests.training.conftest import development

DEV, TASK = development(rows=1500)
FOLDS = fold(DEV)
TRAIN = len(FOLDS.parts[0][0])
FEW = {"rounds": 20}


def cv():
    return CrossValidation(FoldData(DEV, FOLDS), Scorer(TASK))


def candidate(name, work, settings=None, **changes):
    family = replace(registry.load("sortal.models", name), work=work, **changes)
    return Candidate(name, family, settings or {})


def reserve(units):
    return WorkReserve(Deadline(0.0, math.inf), closing=0.0, closing_rows=0, units=units)


def test_the_pace_of_work_is_what_the_family_says_of_such_a_table():
    work = Work(fixed=1.0, row=0.01, column=0.1, cell=0.001, classes=0.5)
    assert work_pace(candidate("tree", work), Size(100, 5, 2)) == Pace(1.5, pytest.approx(0.015))
    assert work_pace(candidate("tree", work), Size(100, 5, 4)).seconds(100) == pytest.approx(2 * (1.5 + 1.5))
    dear = candidate("catboost", work, {"boosting_type": "Ordered"})
    assert work_pace(dear, Size(100, 5, 2)).seconds(100) == pytest.approx(4.5 * 3.0)


def test_with_enough_work_all_rows_get_a_whole_fit():
    result = crossval_by_work(candidate("lightgbm", Work(row=0.001), FEW), cv(), units=1e6)
    assert isinstance(result, CVResult)
    assert (result.rows, result.work) == (None, pytest.approx(0.001 * TRAIN))
    assert {effort["learning_rate"] for effort in result.efforts} == {0.04}


def test_with_less_a_booster_learns_faster_on_fewer_rows(monkeypatch):
    monkeypatch.setattr(crossval_module, "LEAST_ROWS", 100)
    fits = len(FOLDS.parts) + REFIT
    result = crossval_by_work(candidate("lightgbm", Work(row=0.001), FEW), cv(), units=fits * 0.3)
    assert isinstance(result, CVResult)
    # The work of 300 whole rows; between fewer rows and less work on them, of which a tenth is least.
    assert result.rows == int(300 / math.cbrt(0.1))
    assert result.work == pytest.approx(0.3, rel=1e-2)
    assert {effort["learning_rate"] for effort in result.efforts} == {round(0.04 / math.cbrt(0.1), 3)}


def test_what_does_not_fit_is_not_begun(monkeypatch):
    monkeypatch.setattr(crossval_module, "fit_fold", lambda data, job: pytest.fail("fitted"))
    skipped = crossval_by_work(candidate("svm", Work(fixed=10.0)), cv(), units=40.0)
    assert skipped == Skipped("svm", "an effort of 64.0 predicted, 40.0 left")


def test_a_forest_has_fewer_trees():
    dev_cv = cv()
    result = crossval_by_work(candidate("extra_trees", Work(row=0.001)), dev_cv, dev_cv.n_fits * 0.001 * TRAIN / 3)
    assert isinstance(result, CVResult)
    assert {effort["trees"] for effort in result.efforts} == {100}


def test_no_round_is_timed_without_a_clock():
    clock = Clock(math.inf)
    assert pace({}, 0.04, clock, lambda: pytest.fail("timed"), share=0.5) == {"learning_rate": 0.08}
    assert pace({}, 0.04, clock, lambda: pytest.fail("timed"), share=0.01) == {"learning_rate": 0.2}
    assert pace({}, 0.5, clock, lambda: pytest.fail("timed"), share=0.5) == {"learning_rate": 0.5}
    assert pace({"learning_rate": 0.03}, 0.04, clock, lambda: pytest.fail("timed"), 0.5) == {"learning_rate": 0.03}


def test_folds_and_refits_are_taken_off():
    results = [crossval_by_work(candidate(name, Work(fixed=2.0)), cv(), math.inf) for name in ("logistic", "tree")]
    assert all(isinstance(s, CVResult) and s.refit_seconds > 0 for s in results)
    final_members = members(results)
    assert reserve(100.0).budget_left([]) == 100.0
    assert reserve(100.0).budget_left(results) == pytest.approx(
        100.0 - 2 * 5 * 2.0 - (REFIT + 1) * 2.0 * len(final_members)
    )
    assert reserve(100.0).budget_left(results, [results[0]]) == pytest.approx(100.0 - 20.0 - REFIT * 2.0)
    comparing = replace(reserve(100.0), comparing=True)
    baseline = replace(results[1], candidate=replace(results[1].candidate, baseline=True))
    both = [results[0], baseline]
    assert comparing.budget_left(both, [results[0]]) == pytest.approx(100.0 - 20.0 - 2 * REFIT * 2.0)
    # A baseline that is a member of what ships is fitted in it, and not once more.
    assert comparing.budget_left(both, both) == pytest.approx(100.0 - 20.0 - 2 * REFIT * 2.0)


def test_half_of_the_rows_are_fitted_where_that_is_within_what_is_left():
    result = crossval_by_work(candidate("logistic", Work(fixed=2.0)), cv(), math.inf)
    seconds_spent = 10.0 + REFIT * 2.0
    folds = [
        reserve(seconds_spent + seconds_left).folds_to_halve([result], result)
        for seconds_left in (-5.0, 1.9, 2.1, 9.9, 10.1, 100.0)
    ]
    assert folds == [0, 0, 1, 4, 5, 5]


def test_candidates_are_admitted_in_their_order_while_they_fit():
    fits = len(FOLDS.parts) + REFIT
    first = replace(candidate("majority", Work(fixed=0.1)), baseline=True)
    dear, cheap = candidate("svm", Work(fixed=4.0)), candidate("logistic", Work(fixed=2.0))
    explored = explore([first, dear, cheap], cv(), reserve(fits * 3.0), Observer())
    assert [s.name for s in explored.results] == ["majority", "logistic"]
    assert [s.name for s in explored.skipped] == ["svm"]
    explored = explore([first, dear, cheap], cv(), reserve(fits * 7.0), Observer())
    assert [s.name for s in explored.results] == ["majority", "svm", "logistic"]


def test_more_is_tried_when_all_is_done_and_until_nothing_fits():
    fits = len(FOLDS.parts) + REFIT
    first = replace(candidate("majority", Work(fixed=0.1)), baseline=True)
    numbers = []

    def more():
        for number in range(1, 20):
            numbers.append(number)
            work = Work(fixed=1.0 if number % 2 else 1e6)
            yield replace(candidate("logistic", work), name=f"logistic {number}", is_random=True)

    explored = explore([first, candidate("tree", Work(fixed=1.0))], cv(), reserve(fits * 3.5), Observer(), more())
    names = [s.name for s in explored.results]
    assert names[:3] == ["majority", "tree", "logistic 1"]
    assert len(numbers) < 19
    assert {name.split()[0] for name in names[2:]} == {"logistic"}
    assert not any(int(name.split()[1]) % 2 == 0 for name in names[2:])
    last = int(names[-1].split()[1])
    assert numbers[-1] == last + MISSES
    assert explored.skipped == ()


def test_what_shipping_takes_of_a_model_is_no_time_for_its_refit():
    result = replace(crossval(candidate("tree", Work()), cv()), row_seconds=0.01, shipping_seconds=2.0)
    deadline = TimeReserve(Deadline(time.monotonic(), 60.0), closing=5.0, closing_rows=300)
    deadline.busyness.now = lambda: 1.0
    assert deadline.for_refit([result, result]) == pytest.approx(60 - 5 - 2 * (2.0 + 3.0), abs=1.0)


def ends(name, seconds):
    result = crossval(candidate("tree", Work()), cv())
    return replace(result, candidate=candidate(name, Work()), row_seconds=0.0, shipping_seconds=seconds)


def test_what_comes_too_late_to_be_shipped_is_told_by_its_share_of_the_time_left():
    time_left = TimeReserve(Deadline(time.monotonic(), 15.0), closing=5.0, closing_rows=300)
    time_left.busyness.now = lambda: 1.0
    quick, slow = ends("tree", 1.0), ends("lightgbm", 40.0)
    assert time_left.endings([quick]) == {}
    late = time_left.endings([quick, slow])
    assert late == {"tree": pytest.approx(0.1, rel=0.1), "lightgbm": pytest.approx(4.0, rel=0.1)}
    assert Bounds(endings=late).fitting([quick, slow]) == [quick]
    over = TimeReserve(Deadline(time.monotonic(), 1.0), closing=5.0, closing_rows=300)
    assert Bounds(endings=over.endings([slow, quick])).fitting([slow, quick]) == [quick]
    assert reserve(0.0).endings([slow]) == {}


def test_a_model_a_moment_late_is_shipped_rather_than_that_of_a_moment():
    results = [ends("majority", 0.01), ends("tree", 5.0), ends("lightgbm", 30.0)]
    over = TimeReserve(Deadline(time.monotonic(), 200.0), closing=199.0, closing_rows=300)
    over.busyness.now = lambda: 1.0
    fitting = Bounds(endings=over.endings(results)).fitting(results)
    assert [result.candidate.name for result in fitting] == ["majority", "tree"]


def test_what_is_in_hand_is_shipped_while_there_is_time_for_that():
    time_left = TimeReserve(Deadline(time.monotonic(), 30.0), closing=5.0, closing_rows=300)
    time_left.busyness.now = lambda: 1.0
    assert time_left.until_shipping([]) == math.inf
    assert time_left.until_shipping([ends("tree", 10.0)]) == pytest.approx(15.0, abs=1.0)


def test_once_nothing_is_left_nothing_more_is_looked_at(monkeypatch):
    calls = []
    monkeypatch.setattr(
        WorkReserve, "budget_left", lambda self, results, final_members=None: calls.append(1) or 0.1 * (not results)
    )
    first = replace(candidate("majority", Work(fixed=0.1)), baseline=True)
    others = [replace(candidate("tree", Work()), name=f"tree {i}") for i in range(9)]
    explored = explore([first, *others], cv(), reserve(1.0), Observer())
    assert [s.name for s in explored.skipped] == [f"tree {i}" for i in range(9)]
    assert {s.reason for s in explored.skipped} == {"no effort left"}
    assert len(calls) == 1


def test_what_does_not_fit_any_more_needs_no_time():
    """A refit for which it is too late is not made: that is no reason to leave the rest of the time unused."""
    result = replace(ends("tree", 1.0), refit_seconds=6.0, fit_seconds=4.0)
    many = replace(result, pipeline=replace(result.pipeline, rows=100))

    def seconds_left(seconds):
        time_left = TimeReserve(Deadline(time.monotonic(), 5.0 + 1.0 + seconds), closing=5.0, closing_rows=300)
        time_left.busyness.now = lambda: 1.0
        return time_left.budget_left([many]), time_left.for_halving([many], many)

    assert seconds_left(13.0) == pytest.approx((3.0, 7.0), abs=0.9)  # the refit, and half of the rows of a fold
    assert seconds_left(9.0) == pytest.approx((3.0, 3.0), abs=0.9)  # the refit alone
    assert seconds_left(5.0)[0] == pytest.approx(5.0, abs=0.9)
    assert seconds_left(5.0)[1] <= 0


def test_what_is_done_once_more_has_its_share_of_what_is_left(monkeypatch):
    """Seven times over: once for what ships, and six times in outer folds. Imports are made once."""
    clock = [100.0]
    monkeypatch.setattr("sortal.training.deadline.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(TimeReserve, "importing", 2.0)
    nested, alone = (TimeReserve(Deadline(100.0, 72.0), 0.0, 0, again=again) for again in (6.0, 0.0))
    assert (nested.until_closing(), alone.until_closing()) == pytest.approx((2.0 + 70.0 / 7, 72.0))
    clock[0] += 3.0
    nested.repeated += 3.0
    assert nested.until_closing() == pytest.approx(2.0 + 70.0 / 7 - 3.0)
    clock[0] += 14.0  # a look at what is skipped: six times its time is not kept for it
    assert nested.until_closing() == pytest.approx(2.0 + 70.0 / 7 - 3.0 - 2.0)
    assert alone.until_closing() == pytest.approx(72.0 - 17.0)


def test_what_no_outer_fold_does_takes_of_the_search_its_share_alone():
    """A file is made once, and half of the rows of a fold are fitted once; a refit is made seven times."""
    result = replace(ends("tree", 1.4), refit_seconds=1.0, fit_seconds=2.8)
    many = replace(result, pipeline=replace(result.pipeline, rows=100))
    nested = TimeReserve(Deadline(time.monotonic(), 70.0), 0.0, 0, again=6.0)
    nested.busyness.now = lambda: 1.0
    assert nested.for_refit([many]) == pytest.approx(10.0 - 0.2, abs=0.1)
    assert nested.budget_left([many]) == pytest.approx(10.0 - 0.2 - 1.0 - 0.4, abs=0.1)
    late = TimeReserve(Deadline(time.monotonic(), 7.0), 0.0, 0, again=6.0)
    late.busyness.now = lambda: 1.0
    assert late.endings([many]) == {}
    assert late.endings([many, ends("svm", 14.0)]) == {
        "tree": pytest.approx(0.16, abs=0.02),
        "svm": pytest.approx(1.6, abs=0.2),
    }


def test_only_what_was_compared_is_done_once_more():
    timed = TimeReserve(Deadline.since(time.monotonic(), 600.0), 1.0, 0, again=6.0)
    start = time.monotonic()
    assert isinstance(timed.trial(candidate("tree", Work()), cv(), 60.0, []), CVResult)
    assert 0 < timed.repeated <= time.monotonic() - start
    before = timed.repeated
    assert isinstance(timed.trial(candidate("lightgbm", Work(), {}), cv(), 1e-9, []), Skipped)
    assert timed.repeated == before
