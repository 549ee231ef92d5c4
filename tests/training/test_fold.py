"""What the fit of a fold is given: its rows, its time, and what candidates share."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.models.family import OutOfTime
from sortal.training import fold as module
from sortal.training.candidate import Candidate
from sortal.training.fold import FitBudget, FoldData, FoldJob, Folds, fit_fold
from sortal.training.pace import AT_ONCE, Pace

TREE = Candidate("tree", registry.load("sortal.models", "tree"))


def of(count: int, per_repeat: int) -> Folds:
    return Folds(tuple((np.array([k]), np.array([k + 1])) for k in range(count)), per_repeat)


@pytest.mark.parametrize(
    ("count", "n_parts", "per_repeat", "repeats"),
    [(15, 15, 5, 3), (5, 5, 5, 1), (3, 3, 3, 1), (1, 1, 1, 1), (20, 15, 5, 3)],
)
def test_the_first_folds_are_one_repeat_or_a_part_of_it(
    count: int, n_parts: int, per_repeat: int, repeats: int
) -> None:
    first = of(15, 5).first(count)
    assert (len(first.parts), first.per_repeat, first.repeats) == (n_parts, per_repeat, repeats)
    assert [int(train[0]) for train, _ in first.parts] == list(range(n_parts))


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        (FitBudget(), math.inf),
        (FitBudget(until=130.0), 30.0),
        (FitBudget(until=130.0, shares=3.0), 10.0),
        (FitBudget(until=130.0, shares=3.0, fit_share=0.8), 8.0),
        (FitBudget(until=130.0, shares=3.0, usual=20.0), 10.0),  # half of what the first took
        (FitBudget(until=130.0, shares=3.0, usual=20.1), None),
        (FitBudget(until=90.0), -10.0),  # it is begun in any case
        (FitBudget(until=90.0, usual=0.1), None),
    ],
)
def test_a_fit_has_its_share_of_what_is_left(
    budget: FitBudget, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.time, "monotonic", lambda: 100.0)
    if seconds is None:
        with pytest.raises(OutOfTime) as raised:
            budget.seconds()
        assert raised.value.needed == budget.usual / 2
    else:
        assert budget.seconds() == pytest.approx(seconds)


@pytest.fixture
def data(two) -> FoldData:
    dev, _ = two
    parts = ((np.arange(300), np.arange(300, 400)), (np.arange(100, 400), np.arange(100)))
    return FoldData(dev, Folds(parts, 2))


def test_a_candidate_is_looked_at_once_and_never_without_a_clock(data: FoldData, monkeypatch) -> None:
    calls = []

    def look(candidate, dev, parts, seconds):
        calls.append((candidate, dev is data.dev, parts is data.folds.parts, seconds))
        return Pace(1.0, 2.0)

    monkeypatch.setattr(module, "look", look)
    assert data.pace(TREE, math.inf) == AT_ONCE
    assert calls == []
    for seconds in (9.0, 5.0):
        assert data.pace(TREE, seconds) == Pace(1.0, 2.0)
    assert calls == [(TREE, True, True, 9.0)]
    data.pace(replace(TREE, name="other"), 5.0)
    assert len(calls) == 2


def test_matrices_are_kept_by_fold_view_and_sample_while_there_is_room(data: FoldData, monkeypatch) -> None:
    view = TREE.family.view
    first, valid = data.matrix(0, view)
    assert data.matrix(0, view)[0] is first
    assert (first.X.shape[0], valid.shape[0]) == (300, 100)
    assert first.rows.tolist() == data.dev.table.rows[:300].tolist()
    other = data.matrix(1, view)[0]
    assert other.rows.tolist() == data.dev.table.rows[100:].tolist()
    few, same = data.matrix(0, view, 50)
    assert 50 <= few.X.shape[0] <= 52
    assert same.shape[0] == 100
    assert set(data.matrices) == {(0, view, None, False), (1, view, None, False), (0, view, 50, False)}
    # The bytes of what is kept, and of one more.
    cached_bytes = sum(module.nbytes(m.X) + module.nbytes(v) for m, v in data.matrices.values())
    bare = replace(view, columns="others")
    more = module.nbytes(data.matrix(0, bare)[0].X)
    del data.matrices[0, bare, None, False]
    for most, is_cached in ((cached_bytes + more - 1, False), (cached_bytes + more, True)):
        monkeypatch.setattr(module, "CACHE_BYTES", most)
        data.matrix(0, bare)
        assert ((0, bare, None, False) in data.matrices) == is_cached


def test_another_process_gets_the_rows_and_no_memory(data: FoldData) -> None:
    data.matrix(0, TREE.family.view)
    data.paces["tree"] = AT_ONCE
    state = data.__getstate__()
    assert (state["paces"], state["matrices"]) == ({}, {})
    assert state["dev"] is data.dev
    assert state["folds"] is data.folds


@pytest.mark.parametrize(("cells", "concurrent"), [(901, True), (900, False), (1, False)])
def test_small_fits_go_side_by_side(cells: int, concurrent: bool, data: FoldData) -> None:
    assert (data.size.rows, data.size.columns, data.size.classes, data.size.images) == (300, 3, 2, 0)
    family = replace(TREE.family, concurrent_cells=cells)
    assert data.concurrent(replace(TREE, family=family)) == concurrent


@pytest.mark.parametrize("number", [0, 1])
def test_a_fold_is_fitted_on_its_rows_and_tells_its_validation_rows(number: int, data: FoldData, monkeypatch) -> None:
    clock = iter([10.0, 12.0, 17.0])
    monkeypatch.setattr(module, "time", type("Clock", (), {"monotonic": staticmethod(lambda: next(clock))}))
    result = fit_fold(data, FoldJob(TREE, number, budget=_Endless()))
    train, valid = data.folds.parts[number]
    assert result.fit_rows.saw.tolist() == data.dev.table.rows[train].tolist()
    assert result.fit_rows.evaluated.tolist() == result.predictions.rows.tolist() == data.dev.table.rows[valid].tolist()
    assert result.predictions.truth.tolist() == data.dev.codes[valid].tolist()
    assert result.predictions.part == "out-of-fold"
    # Preparing counts of the first fold alone, which alone keeps its fit.
    assert result.seconds == (7.0 if number == 0 else 5.0)
    assert (result.pipeline is None) == (number > 0)


class _Endless(FitBudget):
    def seconds(self) -> float:
        return math.inf


def test_what_is_asked_of_a_fit_reaches_it(data: FoldData) -> None:
    requests = []

    def fit(request, settings):
        requests.append((request.seconds, request.share, len(request.train.y), dict(settings)))
        return TREE.family.fit(request, {})

    candidate = replace(TREE, family=replace(TREE.family, fit=fit), settings={"a": 1, "b": 2})
    budget = FitBudget(time.monotonic() + 1000, shares=2.0, fit_share=0.5)
    fit_fold(data, FoldJob(candidate, 1, 50, {"b": 3}, budget=budget, share=0.3))
    ((seconds, share, rows, settings),) = requests
    assert 249 < seconds <= 250
    assert (share, settings) == (0.3, {"a": 1, "b": 3})
    assert 50 <= rows <= 52


def test_rows_whose_class_no_row_of_the_fold_teaches() -> None:
    """Of class 2 all rows are judged in the second part, of class 1 one in each."""
    codes = np.array([0, 1, 0, 1, 2, 2])
    parts = (np.array([0, 1]), np.array([2, 3, 4, 5]))
    folds = Folds(((parts[1], parts[0]), (parts[0], parts[1])), per_repeat=2)
    assert folds.unlearned(codes).tolist() == [4, 5]
    assert folds.unlearned(np.array([0, 1, 0, 1, 0, 1])).tolist() == []
    twice = Folds((*folds.parts, (np.array([0, 4]), np.array([1, 2, 3, 5]))), per_repeat=1)
    assert twice.unlearned(codes).tolist() == [1, 3, 4, 5]


def test_what_is_not_asked_for_is_a_whole_fit_on_all_rows_without_a_clock(data: FoldData) -> None:
    requests = []

    def fit(request, settings):
        requests.append((request.seconds, request.share, len(request.train.y), request.stop, dict(settings)))
        return TREE.family.fit(request, {})

    fit_fold(data, FoldJob(replace(TREE, family=replace(TREE.family, fit=fit)), 1))
    assert requests == [(math.inf, 1.0, 300, None, {})]
    job = FoldJob(TREE, 2)
    assert (job.rows, job.purpose, job.units, job.budget) == (None, "judge", False, FitBudget())
    assert (FitBudget().until, FitBudget().shares, FitBudget().usual, FitBudget().fit_share) == (math.inf, 1, 0, 1)
    assert TREE.balance == "none"
    assert not any((TREE.baseline, TREE.is_random))
