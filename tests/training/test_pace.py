from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.prepare.topics import TOPICS
from sortal.training import pace
from sortal.training.candidate import Candidate, Development, sample
from sortal.training.fold import FoldData, FoldJob, Folds, fit_fold
from sortal.training.footprint import Footprint
from sortal.training.pace import AT_ONCE, FEW, FIXED, MORE, STEEPER, WARM, look
from tests.prepare.test_text import reviews
from tests.training.conftest import development


class Clock:
    """A clock that stands still but for what fits take: so many seconds, and so many for each row."""

    def __init__(self, fixed: float, per_row: float) -> None:
        self.now, self.fixed, self.per_row, self.shipping = 100.0, fixed, per_row, 0.0
        self.rows: list[int] = []
        self.settings: list[object] = []

    def monotonic(self) -> float:
        return self.now

    def candidate(self, **changes) -> Candidate:
        family = registry.load("sortal.models", "majority")

        def fit(request, settings):
            assert request.stop is None
            self.rows.append(len(request.train.y))
            self.settings.append(dict(settings))
            self.now += self.fixed + self.per_row * len(request.train.y)
            return family.fit(request, settings)

        return Candidate("slow", replace(family, fit=fit, **changes))


@pytest.fixture
def clock(monkeypatch) -> Clock:
    stand_in = Clock(0.5, 2e-5)
    monkeypatch.setattr(pace, "time", stand_in)
    monkeypatch.setattr(pace, "footprint", lambda *_: Footprint(0.0, 0.0, 0.0, stand_in.shipping, 0))
    return stand_in


def fold_of(rows: int):
    """A fold whose training rows are so many; each of them is validated."""
    return [(np.arange(rows), np.arange(rows))]


def test_two_short_fits_tell_what_a_fit_and_what_a_row_takes(clock):
    dev, _ = development(rows=2 * MORE)
    estimate = look(clock.candidate(), dev, fold_of(2 * MORE), seconds=100)
    assert clock.rows == [WARM, FEW, MORE]
    assert estimate.fixed == pytest.approx(0.5)
    assert estimate.per_row == pytest.approx(STEEPER * 2e-5)
    assert estimate.seconds(100_000) == pytest.approx(0.5 + STEEPER * 2.0)
    assert estimate.rows(estimate.seconds(50_000) + 1e-9) == 50_000
    assert estimate.rows(0.4) == 0


@pytest.mark.parametrize("interruptible", [False, True])
@pytest.mark.parametrize(("rows", "seconds"), [(2 * MORE - 1, 1e9), (12 * MORE, 41.0)])
def test_one_short_fit_has_to_do_where_a_second_would_cost_too_much(clock, interruptible, rows, seconds):
    """Of rows that are no more than twice its own, and where eight times the first is over a tenth of the time."""
    dev, _ = development(rows=rows)
    dev = replace(dev, classes=tuple("abcdefghij"))  # so that there are many cells
    estimate = look(clock.candidate(interruptible=interruptible), dev, fold_of(rows), seconds)
    fixed = FIXED * 0.52 if interruptible else 0.0
    assert clock.rows == [WARM, FEW]
    assert (estimate.fixed, estimate.per_row) == pytest.approx((fixed, STEEPER * (0.52 - fixed) / FEW))
    clock.rows.clear()
    look(clock.candidate(), dev, fold_of(rows), seconds + 1)
    assert (clock.rows == [WARM, FEW, MORE]) == (rows == 12 * MORE)


def test_a_short_fit_stands_for_its_share_of_a_whole_one(clock):
    dev, _ = development(rows=4 * FEW)
    settings = {"rounds": 5}
    estimate = look(clock.candidate(pilot_share=0.1, pilot=settings), dev, fold_of(4 * FEW), seconds=0.1)
    assert clock.settings == [settings] * 2
    assert estimate.per_row == pytest.approx(STEEPER * 10 * 0.52 / FEW)


def test_what_comes_before_the_rounds_comes_once(clock):
    """A table of thousands of columns takes a booster longer to begin with than a short fit's rounds."""
    dev, _ = development(rows=4 * FEW)
    candidate = clock.candidate(pilot_share=0.1, pilot={"rounds": 5})
    fit = candidate.family.fit
    begins = replace(candidate.family, fit=lambda *args: replace(fit(*args), setup_seconds=0.4))
    estimate = look(replace(candidate, family=begins), dev, fold_of(4 * FEW), seconds=0.1)
    assert estimate.per_row == pytest.approx(STEEPER * (0.4 + 10 * 0.12) / FEW)


def test_what_follows_a_fit_is_a_part_of_what_a_candidate_takes(clock):
    dev, _ = development(rows=2 * MORE)
    clock.shipping = 0.3
    slow = clock.candidate(pilot_share=0.1)
    fit = slow.family.fit

    def predicts(request, settings):
        fitted = fit(request, settings)

        def predict_proba(X):
            clock.now += 1e-5 * len(X)
            return fitted.predict_proba(X)

        return replace(fitted, predict_proba=predict_proba)

    slow = Candidate("slow", replace(slow.family, fit=predicts))
    train, valid = fold_of(2 * MORE)[0]
    estimate = look(slow, dev, [(train, valid[:5000])] * 4, seconds=100)
    # Ten times as many rounds, of which the rows are predicted in each fold, and the program is made once.
    assert estimate.after == pytest.approx(10 * (5000 * 1e-5 + 0.3 / 4))
    assert estimate.fixed == pytest.approx(5.0)
    assert estimate.fit_share(MORE) == pytest.approx(
        1 - estimate.after / (5.0 + STEEPER * 2e-4 * MORE + estimate.after)
    )
    assert estimate.rows(estimate.seconds(50_000) + 1e-9) == 50_000
    assert AT_ONCE.fit_share(MORE) == 1


def test_small_tables_are_not_looked_at(clock):
    dev, _ = development(rows=FEW)
    assert look(clock.candidate(), dev, fold_of(FEW), seconds=60) is AT_ONCE
    larger, _ = development(rows=MORE)
    assert look(clock.candidate(interruptible=True), larger, fold_of(MORE), seconds=60) is AT_ONCE
    assert clock.rows == []


def test_of_what_stops_early_even_a_small_table_is_looked_at(clock):
    dev, _ = development(rows=FEW // 2)
    estimate = look(clock.candidate(early_stopping=True), dev, fold_of(FEW // 2), seconds=60)
    (fitted,) = clock.rows
    assert fitted < FEW // 2
    assert estimate.per_row == pytest.approx(STEEPER * (0.5 + 2e-5 * fitted) / (FEW // 2))


@pytest.mark.parametrize("most", [50, 400, 1199])
def test_a_sample_keeps_the_shares_of_the_classes_and_rare_ones(most):
    dev, _ = development(rows=1200)
    codes = np.repeat([0, 1, 2], [900, 297, 3])
    dev = replace(dev, codes=codes, classes=("a", "b", "c"))
    rows = sample(dev, np.arange(1200), most)
    assert np.array_equal(rows, np.unique(rows))
    counts = np.bincount(codes[rows], minlength=3)
    assert abs(counts[0] - most * 0.75) <= 1
    assert counts[2] >= 2
    assert np.array_equal(rows, sample(dev, np.arange(1200), most))


def test_a_sample_of_more_rows_than_there_are_is_all_of_them():
    dev, _ = development(rows=100)
    rows = np.arange(0, 100, 3)
    assert sample(dev, rows, None) is rows
    assert sample(dev, rows, 1000) is rows


def test_texts_are_looked_at_however_few_cells_they_are():
    """A text is more than a number; its rows are sparse, and all that a look does is done with them."""
    rows = FEW + 200
    table, labels = reviews(rows)
    few = Table(Schema((Column("review", "text"),)), table.frame, table.rows)
    dev = Development(few, labels.codes, ("bad", "good"), seed=0)
    candidate = Candidate("logistic_ngrams", registry.load("sortal.models", "logistic_ngrams"))
    estimate = look(candidate, dev, fold_of(rows), seconds=100)
    assert estimate != AT_ONCE
    assert estimate.seconds(rows) > 0
    data = FoldData(dev, Folds(tuple(fold_of(rows)), 1))
    result = fit_fold(data, FoldJob(candidate, 0))
    assert (result.predictions.probability.argmax(axis=1) == labels.codes).mean() > 0.9
    assert data.size.columns == TOPICS
