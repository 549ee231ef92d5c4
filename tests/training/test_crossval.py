from __future__ import annotations

import math
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.costs import CostColumn
from sortal.core.errors import OptionError
from sortal.core.plan import Planned
from sortal.core.predictions import Predictions
from sortal.core.table import Table
from sortal.models.family import UNKNOWN_WORK, OutOfTime, Size, Work
from sortal.training import crossval as crossval_module
from sortal.training.candidate import Candidate
from sortal.training.crossval import SURELY, CrossValidation, Skipped, crossval, repeat, soon_fitted, turns, worth_refit
from sortal.training.cv_result import CVResult, concatenate
from sortal.training.develop import Scorer, fold
from sortal.training.fit_log import FitLog
from sortal.training.fold import FitBudget, FoldData, FoldJob, fit_fold
from sortal.training.pace import Pace


def folded(dev, task, **options):
    return CrossValidation(FoldData(dev, fold(dev)), Scorer(task), **options)


@pytest.mark.parametrize("name", ["logistic", "xgboost"])
def test_every_row_is_predicted_once_out_of_fold(two, name):
    dev, task = two
    cv = folded(dev, task)
    result = crossval(Candidate(name, registry.load("sortal.models", name)), cv)
    assert isinstance(result, CVResult)
    assert result.predictions.rows.tolist() == dev.table.rows.tolist()
    assert np.array_equal(result.predictions.truth, dev.codes)
    assert len(result.fold_scores["log_loss"]) == len(cv.data.folds.parts) == 15
    assert FitLog.of(result.fits, dev.table.rows[:0]) == FitLog(15, 0)
    for number, (_, valid) in enumerate(cv.data.folds.parts[:5]):
        assert np.array_equal(np.flatnonzero(result.fold == number), valid)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"largest": Size(rows=300)}, "takes at most 300 rows"),
        ({"largest": Size(columns=2)}, "takes at most 2 columns"),
        ({"largest": Size(classes=1)}, "takes at most 1 classes"),
        ({"library": "no_such_library"}, "no_such_library is not installed"),
    ],
)
def test_a_family_that_does_not_take_such_a_table_is_skipped_with_the_reason(two, change, why):
    dev, task = two
    family = replace(registry.load("sortal.models", "majority"), **change)
    assert crossval(Candidate("mine", family), folded(dev, task)) == Skipped("mine", why)


def test_a_library_is_not_imported_where_that_would_take_much_of_the_time(two):
    dev, task = two
    # A module that is in the standard library, and that nothing imports.
    slow = replace(registry.load("sortal.models", "majority"), library="turtledemo", import_seconds=4.0)
    assert crossval(Candidate("mine", slow), folded(dev, task), 15.0) == Skipped("mine", "16 s predicted, 15 s left")
    assert isinstance(crossval(Candidate("mine", slow), folded(dev, task), 17.0), CVResult)
    numpy_family = replace(slow, library="numpy")
    assert isinstance(crossval(Candidate("mine", numpy_family), folded(dev, task), 1.0), CVResult)


def test_what_is_sure_to_take_too_long_is_not_even_looked_at(two):
    dev, task = two

    class LookedError(Exception):
        pass

    def fit(request, settings):
        raise LookedError

    slow = replace(registry.load("sortal.models", "majority"), fit=fit, work=Work(fixed=10.0), least_share=0.5)
    cv, fits = folded(dev, task), folded(dev, task).fits_in_turn(Candidate("mine", slow))
    seconds = 5.0 * fits / SURELY
    skipped = crossval(Candidate("mine", slow), cv, 0.99 * seconds)
    assert skipped == Skipped("mine", f"{5 * fits:.0f} s predicted, {0.99 * seconds:.0f} s left")
    for candidate, seconds_left in (
        (Candidate("mine", slow), 1.01 * seconds),
        (Candidate("mine", slow, baseline=True), 0.99 * seconds),
        (Candidate("mine", replace(slow, work=UNKNOWN_WORK)), 0.1),
    ):
        with pytest.raises(LookedError):
            crossval(candidate, cv, seconds_left)


def test_a_plan_that_needs_a_library_that_is_not_here_says_so(two):
    dev, task = two
    family = replace(registry.load("sortal.models", "majority"), library="no_such_library")
    with pytest.raises(OptionError, match="'mine', but no_such_library is not installed; install it"):
        repeat(Candidate("mine", family), folded(dev, task), Planned("mine", ({},) * 15, None))


def test_a_family_takes_a_table_that_is_just_its_largest(two):
    dev, task = two
    family = replace(registry.load("sortal.models", "majority"), largest=Size(320, 3, 2), library="numpy")
    assert isinstance(crossval(Candidate("mine", family), folded(dev, task)), CVResult)


def test_what_belongs_to_a_row_stays_with_it(two):
    """Folds are joined in the order of the rows, and with them their costs and groups."""
    dev, task = two
    table = Table(dev.table.schema.with_role("colour", "group"), dev.table.frame, dev.table.rows[::-1].copy())
    dev = replace(dev, table=table, cost_columns=(CostColumn(1, 0, "x"),))
    predictions = crossval(
        Candidate("majority", registry.load("sortal.models", "majority")), folded(dev, task)
    ).predictions
    place = np.argsort(table.rows)[predictions.rows - table.rows.min()]
    assert predictions.rows.tolist() == sorted(table.rows.tolist())
    assert np.array_equal(predictions.truth, dev.codes[place])
    assert np.array_equal(predictions.row_costs[:, 0], table["x"].to_numpy()[place])
    assert np.array_equal(predictions.groups, table.groups[place])


@pytest.mark.parametrize("name", ["logistic", "lightgbm", "forest"])
@pytest.mark.parametrize("lone", [0, 2])
def test_a_fold_that_trains_on_one_class_has_no_say_in_the_effort(two, name, lone):
    """As where all rows of a class are one group: that fold says the other class, and tells no effort."""
    dev, task = two
    folds, ones = fold(dev), np.flatnonzero(dev.codes == 1)
    parts = [(train[train % 3 != part], valid) for part, (train, valid) in enumerate(folds.parts[:3])]
    train, valid = parts[lone]
    parts[lone] = (np.setdiff1d(train, ones), valid)
    data = FoldData(dev, replace(folds, parts=tuple(parts), per_repeat=3))
    result = crossval(Candidate(name, registry.load("sortal.models", name)), CrossValidation(data, Scorer(task)))
    efforts = [effort for effort in result.efforts if effort]
    assert [not effort for effort in result.efforts] == [part == lone for part in range(3)]
    assert set(result.effort) == set(efforts[0]) == set(efforts[1])
    for key, value in result.effort.items():
        assert value == type(value)(np.median([effort[key] for effort in efforts]))


@pytest.mark.parametrize("name", ["logistic", "lightgbm", "forest"])
def test_efforts_repeat_a_cross_validation_exactly(three, name):
    dev, task = three
    model, cv = Candidate(name, registry.load("sortal.models", name)), folded(dev, task)
    few = replace(cv, data=replace(cv.data, folds=cv.data.folds.first(3)))
    first = crossval(model, few, seconds=60)
    again = repeat(model, few, Planned(name, first.efforts))
    assert np.array_equal(first.predictions.probability, again.predictions.probability)
    assert first.effort == again.effort


def test_a_refit_works_as_hard_as_the_folds_did_in_the_median(two):
    dev, task = two
    result = crossval(Candidate("majority", registry.load("sortal.models", "majority")), folded(dev, task))
    efforts = tuple({"rounds": rounds, "rate": rounds / 100, "kind": "a"} for rounds in (90, 10, 30, 500, 20))
    assert replace(result, efforts=efforts).effort == {"rounds": 30, "rate": 0.3, "kind": "a"}
    assert replace(result, efforts=efforts[:2]).effort == {"rounds": 50, "rate": 0.5, "kind": "a"}


def test_a_candidate_that_cannot_make_it_is_skipped_with_the_reason(two):
    dev, task = two
    family = registry.load("sortal.models", "logistic")

    def never(request, settings):
        raise OutOfTime(needed=30.0)

    result = crossval(Candidate("slow", replace(family, fit=never)), folded(dev, task), seconds=7)
    assert isinstance(result, Skipped)
    assert result.reason.endswith("7 s left")


def test_a_family_that_cannot_be_interrupted_ends_after_its_first_fold(two):
    dev, task = two
    family, fits = registry.load("sortal.models", "svm"), []

    def counting_fit(request, settings):
        fits.append(request)
        return family.fit(request, settings)

    model = Candidate("counted", replace(family, fit=counting_fit, work=UNKNOWN_WORK))
    assert isinstance(crossval(model, folded(dev, task), seconds=1e-6), Skipped)
    assert len(fits) == 1
    assert isinstance(crossval(model, folded(dev, task), seconds=math.inf), CVResult)


def test_matrices_are_shared_by_candidates_with_the_same_view(two):
    dev, _ = two
    data = FoldData(dev, fold(dev))
    view = registry.load("sortal.models", "forest").view
    assert data.matrix(0, view)[0] is data.matrix(0, view)[0]
    assert data.__getstate__()["matrices"] == {}


def test_a_fold_tells_what_its_fit_saw_and_the_first_keeps_it(two):
    dev, _ = two
    data, model = FoldData(dev, fold(dev)), Candidate("logistic", registry.load("sortal.models", "logistic"))
    first, second = (fit_fold(data, FoldJob(model, i)) for i in (0, 1))
    for result, (train, valid) in zip((first, second), data.folds.parts[:2], strict=True):
        assert np.array_equal(result.fit_rows.saw, dev.table.rows[train])
        assert np.array_equal(result.fit_rows.evaluated, dev.table.rows[valid])
        assert np.array_equal(result.predictions.rows, dev.table.rows[valid])
    assert first.pipeline is not None
    assert second.pipeline is None
    late_job = FoldJob(model, 1, budget=FitBudget(until=time.monotonic(), usual=10.0))
    with pytest.raises(OutOfTime, match="needs about 5 s"):
        fit_fold(data, late_job)


@pytest.mark.parametrize(
    ("folds", "at_once", "first", "count"),
    [
        (5, 1, 0, 5),
        (5, 2, 0, 3),
        (5, 4, 0, 2),
        (5, 9, 0, 2),
        (5, 2, 1, 2),
        (5, 2, 2, 2),
        (5, 2, 3, 1),
        (5, 1, 4, 1),
        (1, 2, 0, 1),
        (15, 2, 0, 8),
    ],
)
def test_in_how_many_turns_folds_are_fitted(folds, at_once, first, count):
    assert turns(folds, at_once, first) == count


@pytest.mark.parametrize(
    ("most", "n", "rows", "least"),
    [
        (None, 5_000, 5_000, 2_000),
        (None, 1_500, 1_500, 1_500),
        (300, 5_000, 300, 300),
        (9_000, 5_000, 5_000, 2_000),
        (None, 200_000, 200_000, 4_000),  # a fiftieth
        (None, 100_000, 100_000, 2_000),
        (3_000, 200_000, 3_000, 3_000),
    ],
)
def test_how_many_rows_a_candidate_has_a_use_for_and_how_few_are_a_fair_trial(most, n, rows, least):
    candidate = Candidate("mine", replace(registry.load("sortal.models", "tree"), most_rows=most))
    assert crossval_module._most_rows(candidate, n) == rows
    assert crossval_module._least_rows(rows, n) == least


@pytest.mark.parametrize(
    ("rows", "columns", "classes", "soon"),
    [(100, 10, 2, True), (2_000, 100, 2, True), (2_000, 101, 2, False), (9_999, 100, 2, True), (1_000, 200, 2, True)],
)
def test_what_any_family_gets_through_in_a_moment(rows, columns, classes, soon):
    assert soon_fitted(Size(rows, columns, classes)) == soon


@pytest.mark.parametrize(
    ("seconds", "least_share", "rows"),
    [
        (11.0, 1.0, 1_000),
        (10.9, 1.0, 990),
        (6.0, 0.125, 1_000),
        (3.0, 0.125, 500),
        (0.5, 0.125, 0),
        (99.0, 0.125, 1_000),
    ],
)
def test_as_many_rows_as_the_seconds_allow(seconds, least_share, rows):
    """A fit takes a second and a hundredth for each row; half of the work on half of the rows, where an eighth is the
    least.
    """
    family = replace(registry.load("sortal.models", "tree"), least_share=least_share)
    n_rows = crossval_module._affordable_rows(Candidate("mine", family), Pace(1.0, 0.01), 1_000, seconds)
    assert n_rows == pytest.approx(rows, abs=1)


@pytest.mark.parametrize(
    ("saw", "rows", "n", "worth"),
    [
        *((800, None, 1_000, True), (869, None, 1_000, True), (870, None, 1_000, False), (300, 300, 1_000, False)),
        *((250, 300, 1_000, True), (250, 300, 260, False), (1_000, None, 1_150, True), (1_000, None, 1_149, False)),
    ],
)
def test_a_refit_is_worth_it_from_some_more_rows_on(saw, rows, n, worth):
    assert worth_refit(SimpleNamespace(rows=saw), rows, n) == worth


@pytest.mark.parametrize(
    ("needed", "seconds", "reason"),
    [
        (10.0, 9.4, "10 s predicted, 9 s left"),
        (9.994, 9.4, "9.99 s predicted, 9.40 s left"),
        (0.5, -2.0, "0.50 s predicted, 0.00 s left"),
        (12.0, -2.0, "12 s predicted, 0 s left"),
    ],
)
def test_too_slow_is_said_in_seconds(needed, seconds, reason):
    candidate = Candidate("mine", registry.load("sortal.models", "tree"))
    assert crossval_module._too_slow(candidate, needed, seconds) == Skipped("mine", reason)


def part_of(rows, **more):
    rows = np.array(rows)
    p = np.column_stack([rows / 100, 1 - rows / 100])
    return Predictions(("a", "b"), rows, rows % 2, p, "out-of-fold", **more)


def test_predictions_of_folds_are_put_in_the_order_of_the_rows():
    groups = (np.array([7, 8]), np.array([9]), np.array([7, 9]))
    costs = tuple(np.arange(2.0 * len(g)).reshape(-1, 2) for g in groups)
    rows = ([40, 10], [30], [20, 50])
    parts = [part_of(r, groups=g, row_costs=c) for r, g, c in zip(rows, groups, costs, strict=True)]
    whole, fold = concatenate(parts)
    assert whole.rows.tolist() == [10, 20, 30, 40, 50]
    assert fold.tolist() == [0, 2, 1, 0, 2]
    assert whole.truth.tolist() == [0] * 5
    assert whole.probability[:, 0].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert whole.groups.tolist() == [8, 7, 9, 7, 9]
    assert whole.row_costs.tolist() == [[2, 3], [0, 1], [0, 1], [0, 1], [2, 3]]
    bare, _ = concatenate([part_of(r) for r in rows])
    assert (bare.groups, bare.row_costs) == (None, None)


@pytest.mark.parametrize(
    ("efforts", "effort"),
    [
        (({"rounds": 5}, {"rounds": 9}, {"rounds": 6}), {"rounds": 6}),
        (({"rounds": 5}, {"rounds": 8}), {"rounds": 6}),
        (({"lr": 0.1}, {"lr": 0.2}), {"lr": 0.15000000000000002}),
        (({"way": "b"}, {"way": "a"}), {"way": "b"}),
        (({}, {"rounds": 4, "way": "a"}, {"rounds": 6}), {"rounds": 5, "way": "a"}),
        (({}, {}), {}),
    ],
)
def test_the_effort_is_the_median_of_the_folds_that_tell_it(efforts, effort):
    candidate = Candidate("mine", registry.load("sortal.models", "tree"))
    median = CVResult(candidate, None, None, 0.8, {}, efforts, 0.0, 0.0, 0.0).effort
    assert median == effort
    assert [type(value) for value in median.values()] == [type(value) for value in effort.values()]


def test_a_refit_is_more_work_than_a_fold_where_there_are_folds(two):
    dev, task = two
    cv = folded(dev, task)
    assert (cv.n_folds, cv.n_fits, cv.refit) == (15, 15 + 1.4, 1.4)
    tree = Candidate("tree", registry.load("sortal.models", "tree"))
    at_once = cv.executor.at_once(cv.data, tree)
    assert cv.fits_in_turn(tree) == turns(15, at_once) + 1.4
    assert cv.fits_in_turn(tree, 3) == turns(15, at_once, 3) + 1.4
    one = cv.with_folds(cv.data.folds.first(1))
    assert (one.n_folds, one.n_fits, one.refit) == (1, 1.0, 0.0)
    assert one.data.dev is dev
