from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.training.candidate import Candidate, sample
from sortal.training.pace import AT_ONCE, FEW, MORE, STEEPER, look
from tests.training.conftest import development


def slow(per_row: float, **changes):
    """A family whose fits take so many seconds a row, and no others."""
    family = registry.load("sortal.models", "majority")

    def fit(request, settings):
        time.sleep(per_row * len(request.train.y))
        return family.fit(request, settings)

    return Candidate("slow", replace(family, fit=fit, **changes))


def test_the_pace_of_a_fit_tells_how_long_all_rows_take():
    dev, _ = development(rows=2 * MORE)
    pace = look(slow(2e-5), dev, np.arange(2 * MORE), seconds=60)
    assert pace.seconds(100_000) == pytest.approx(STEEPER * 2.0, rel=0.35)
    assert pace.rows(pace.seconds(50_000)) == pytest.approx(50_000, abs=2)


def test_a_short_fit_stands_for_its_share_of_a_whole_one():
    dev, _ = development(rows=4 * FEW)
    whole = look(slow(1e-4), dev, np.arange(4 * FEW), seconds=0.1)
    short = look(slow(1e-4, pilot_share=0.1), dev, np.arange(4 * FEW), seconds=0.1)
    assert short.per_row == pytest.approx(10 * whole.per_row, rel=0.5)


def test_small_tables_are_not_looked_at():
    dev, _ = development(rows=FEW)
    assert look(slow(1.0), dev, np.arange(FEW), seconds=60) is AT_ONCE


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
