"""Groups in the gain of a recalibration, by what the public figure says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sortal.decide.recalibration import recalibration_gain
from tests.decide.conftest import draw, predictions


@pytest.mark.parametrize(("rows", "seed"), [(12, 1), (20, 0), (20, 7)])
def test_few_groups_say_less_than_as_many_rows_alone(rows: int, seed: int) -> None:
    """Each row a group of its own: n groups vary by n / (n - 1) more than they seem to."""
    alone = predictions(*draw(rows, 2, seed, 2.5, 0.5))
    grouped = recalibration_gain(replace(alone, groups=np.arange(rows)))
    assert 0 < grouped.value < recalibration_gain(alone).value
    assert grouped.high > recalibration_gain(alone).high
    # What groups are called, and in which order they stand, says nothing.
    labels = np.random.default_rng(0).permutation(rows) * 7
    same = recalibration_gain(replace(alone, groups=labels))
    assert (same.value, same.low, same.high) == pytest.approx((grouped.value, grouped.low, grouped.high))
