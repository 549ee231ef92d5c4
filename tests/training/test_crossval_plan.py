"""How a cross-validation shares its seconds among folds and rows: by a clock that is told, and fits that only note what
they are asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.skipped import Skipped
from sortal.models.family import UNKNOWN_WORK, OutOfTime
from sortal.training import crossval as module
from sortal.training.candidate import Candidate
from sortal.training.crossval import MARGIN, REFIT, CrossValidation, crossval
from sortal.training.fit_log import FitRows
from sortal.training.fold import FoldData, FoldJob, FoldResult, Folds
from sortal.training.footprint import Footprint
from sortal.training.pace import Pace
from tests.training.conftest import development

DEV, _ = development(2)
PARTS = tuple((np.setdiff1d(np.arange(400), valid), valid) for valid in np.split(np.arange(400), 4))
TREE = Candidate("tree", replace(registry.load("sortal.models", "tree"), work=UNKNOWN_WORK, least_share=0.5))
FITS = 4 + REFIT


@dataclass
class Fits:
    """``fails``: what the next fits need, where they do not get it; ``fit_seconds``: those that go by in a fit."""

    fails: list[float] = field(default_factory=list)
    fit_seconds: float = 0.0
    now: float = 100.0
    jobs: list[FoldJob] = field(default_factory=list)

    def __call__(self, data: FoldData, job: FoldJob) -> FoldResult:
        self.jobs.append(job)
        self.now += self.fit_seconds
        if self.fails:
            raise OutOfTime(self.fails.pop(0))
        valid = PARTS[job.fold][1]
        p = np.full((len(valid), 2), 0.5)
        predictions = DEV.predictions(valid, p, "out-of-fold")
        pipeline: Any = SimpleNamespace(rows=300) if job.fold == 0 else None
        return FoldResult(
            predictions,
            {"rounds": 10 + job.fold},
            {"rate": 0.25},
            2.0 + job.fold,
            FitRows(predictions.rows),
            pipeline,
            0.5,
        )


class SerialExecutor:
    """Fits one after another, two of which would go side by side."""

    def map(self, fit: Any, data: FoldData, jobs: Any) -> list[FoldResult]:
        return [fit(data, job) for job in jobs]

    def at_once(self, data: FoldData, candidate: Candidate) -> int:
        return 1


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    fits = Fits()
    monkeypatch.setattr(module, "fit_fold", fits)
    monkeypatch.setattr(module, "footprint", lambda pipeline, dev, rows: Footprint(0.01, 0.02, 0.003, 4.0, 500))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: fits.now))
    monkeypatch.setattr(module, "LEAST_ROWS", 100)
    return fits


def validation(pace: Pace, number: int = 4) -> CrossValidation:
    data = FoldData(DEV, Folds(PARTS[:number], number), {"tree": pace})
    return CrossValidation(data, lambda rows: {"share": float(rows.truth.mean())}, SerialExecutor())


def test_with_time_enough_all_rows_are_fitted_each_fold_with_its_share(fits: Fits) -> None:
    result: Any = crossval(TREE, validation(Pace(0.5, 0.01, 1.0)), 60.0)
    assert [(job.fold, job.rows, job.purpose, job.share) for job in fits.jobs] == [
        (k, None, "judge", 1.0) for k in range(4)
    ]
    assert [dict(job.settings) for job in fits.jobs] == [{}, *[{"rate": 0.25}] * 3]
    assert [job.budget.until for job in fits.jobs] == [160.0] * 4
    assert [job.budget.shares for job in fits.jobs] == pytest.approx([4 + REFIT, 3 + REFIT, 2 + REFIT, 1 + REFIT])
    assert [job.budget.usual for job in fits.jobs] == [0.0, 2.0, 2.0, 2.0]
    assert [job.budget.fit_share for job in fits.jobs] == pytest.approx([1 - 1 / 4.5] * 4)
    # What the fits took, and half of it was of use; a refit is on a fourth more rows.
    assert (result.fit_seconds, result.refit_seconds) == (3.5, pytest.approx(REFIT * 1.75))
    assert (result.row_seconds, result.single_row_seconds, result.seen_row_seconds) == (0.01, 0.02, 0.003)
    assert (result.shipping_seconds, result.packed, result.rows, result.work) == (4.0, 500, None, 0.0)
    assert result.efforts == tuple({"rounds": 10 + k} for k in range(4))
    assert result.fold_scores["share"].tolist() == pytest.approx([DEV.codes[valid].mean() for _, valid in PARTS])


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [
        (3.0 * FITS, None),  # a hundredth of a second a row
        (2.9 * FITS, None),
        (3.0 * FITS / 1.3, 290),  # of fewer rows with some of the work on them
        (1.0 * FITS, 125),
        (0.8 * FITS, 100),
    ],
)
def test_with_less_there_are_fewer_rows(fits: Fits, seconds: float, rows: int | None) -> None:
    result: Any = crossval(TREE, validation(Pace(0.0, 0.01)), seconds)
    n_rows = min(300, int(seconds / FITS / 0.01 / math.cbrt(0.5))) if seconds < 3.0 * FITS else 300
    assert {job.rows for job in fits.jobs} == {None if n_rows == 300 else n_rows} == {result.rows}
    assert rows is None or abs(n_rows - rows) <= 2


@pytest.mark.parametrize("baseline", [False, True])
def test_what_is_no_fair_trial_is_not_begun_unless_it_is_a_baseline(fits: Fits, baseline: bool) -> None:
    """A hundred rows at least, with half of the work: half a second a fit."""
    seconds = 0.49 * FITS
    result: Any = crossval(replace(TREE, baseline=baseline), validation(Pace(0.0, 0.01)), seconds)
    if not baseline:
        assert result == Skipped("tree", f"{0.5 * FITS:.2f} s predicted, {seconds:.2f} s left")
        assert fits.jobs == []
    else:
        assert [job.rows for job in fits.jobs] == [100] * 4
    fits.jobs.clear()
    sampled_result: Any = crossval(TREE, validation(Pace(0.0, 0.01)), 0.501 * FITS)
    assert sampled_result.rows == 100


@pytest.mark.parametrize("baseline", [False, True])
def test_a_first_plan_that_fails_is_made_anew_from_what_it_took(fits: Fits, baseline: bool) -> None:
    """Ten seconds have gone by of thirty, and half of the work on 300 rows would take six."""
    fits.fails, fits.fit_seconds = [6.0], 10.0
    seconds = 30.0
    result: Any = crossval(replace(TREE, baseline=baseline), validation(Pace(0.0, 0.001)), seconds)
    again = fits.jobs[1:]
    assert [job.fold for job in fits.jobs] == [0, 0, 1, 2, 3]
    seconds_left = (MARGIN * seconds - 10.0) / FITS
    rows = int(seconds_left / math.cbrt(0.5) / (6.0 / 0.5 / 300))
    assert {job.rows for job in again} == {result.rows} == {max(rows, 100)}
    assert {job.budget.until for job in again} == {130.0}
    # A baseline is fitted whatever the first fold took.
    assert [job.budget.usual for job in again] == [0.0, *[0.0 if baseline else 2.0] * 3]


def test_two_plans_that_fail_are_enough(fits: Fits) -> None:
    fits.fails, fits.fit_seconds = [3.0, 5.0], 1.0
    result: Any = crossval(TREE, validation(Pace(0.0, 0.001)), 40.0)
    assert [job.fold for job in fits.jobs] == [0, 0]
    second = fits.jobs[1]
    rows = second.rows or 300
    needed = 0.5 * (5.0 / 0.5 / rows) * rows * FITS
    assert result == Skipped("tree", f"{needed:.0f} s predicted, 40 s left")


def test_of_one_holdout_nothing_is_refitted(fits: Fits) -> None:
    one = validation(Pace(0.0, 0.01), 1)
    assert (one.n_folds, one.refit, one.n_fits, one.fits_in_turn(TREE)) == (1, 0.0, 1.0, 1.0)
    four = validation(Pace(0.0, 0.01))
    assert (four.n_folds, four.refit, four.n_fits) == (4, REFIT, FITS)
    assert four.fits_in_turn(TREE, 3) == pytest.approx(1 + REFIT)
    crossval(TREE, one, 60.0)
    assert [job.budget.shares for job in fits.jobs] == [1.0]


@pytest.mark.parametrize(("needed", "text"), [(9.994, "9.99"), (10.0, "10"), (10.6, "11")])
def test_from_ten_seconds_on_whole_ones_are_said(fits: Fits, needed: float, text: str) -> None:
    pace = Pace(0.0, needed / FITS / 100 / 0.5)
    result: Any = crossval(TREE, validation(pace), 0.25)
    assert result.reason.startswith(f"{text} s predicted, 0")
