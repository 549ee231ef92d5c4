from __future__ import annotations

import numpy as np
import pytest

from sortal.stats.sampling import BestCut, Mean, Rates, Spread


def test_a_row_may_have_what_every_row_could_have_had():
    values = np.array([0.0, 1.0, 0.0, 1.0])
    mean = Mean.within(values, -1.0, 8.0)
    assert (mean.low, mean.high) == (-1, 8)
    assert Mean.within(values, 0.0, 1.0).high == 1


def test_of_ranges_that_differ_far_ones_count_by_how_far_they_go():
    """Rooms of 9 and three of 1 above a mean of 0: (81 + 3) / 12; never more than the farthest of all."""
    most = np.array([9.0, 1.0, 1.0, 1.0])
    mean = Mean.within(np.zeros(4), np.zeros(4), most)
    assert (mean.low, mean.high) == (0, 7)
    assert Mean.within(np.zeros(4), -most, np.zeros(4)).low == -7
    values = np.array([9.0, 0.0, 0.0, 0.0])
    assert Mean.within(values, 0.0, most).high == 9


def test_a_spread_is_around_its_figure_and_varies_as_its_effects_say():
    effect = np.array([0.1, -0.05, -0.05, 0.0])
    spread = Spread.around(0.9, effect, 1 / 3)
    assert spread.count.tolist() == [2, 1, 1]
    assert spread.value @ spread.count / spread.rows == pytest.approx(0.9)
    assert spread.variance == pytest.approx(effect @ effect)
    assert (spread.low, spread.high) == (1 / 3, 1)
    assert Spread.around(0.2, effect, 1 / 3).high == pytest.approx(2 / 3)
    assert Spread.around(0.9, effect[:1], 1 / 3).variance == 0


def test_shares_are_averaged_as_they_are_unless_they_are_asked_for_as_f1():
    rows, hits = np.ones(4, dtype=np.bool_), np.array([True, True, True, False])
    assert Rates([(rows, hits), (hits, hits)]).scores.tolist() == [0.75, 1.0]
    assert Rates([(rows, hits)], f1=True).scores.tolist() == [1.5 / 1.75]


def test_the_shares_of_a_cut_are_of_the_positives_and_of_the_rows_above_it():
    positive = np.array([True, False, True, False, True])
    best = BestCut(positive, np.array([0, 1, 1, 2, 2]), 0.9)
    hits, rows = best.counts
    assert (hits.tolist(), rows.tolist()) == ([1, 2, 3], [1, 3, 5])
    for number, above in enumerate(([1, 0, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1])):
        recall, precision = best.shares(number)
        hit = [bool(a and p) for a, p in zip(above, positive, strict=True)]
        for rates, trial in ((recall, positive.tolist()), (precision, [a == 1 for a in above])):
            ((trials, successes),) = rates.pairs
            assert (trials.tolist(), successes.tolist()) == (trial, hit)
