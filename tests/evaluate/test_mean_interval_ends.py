"""The interval of a mean reaches as far as a fresh row may, at either end alike."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.evaluate.intervals import mean_interval
from sortal.stats.sampling import Mean

CLUSTERS = np.arange(60) // 3


@pytest.mark.parametrize("clusters", [None, CLUSTERS])
@pytest.mark.parametrize(("low", "high"), [(-9.0, 1.0), (0.0, 9.0), (-3.0, 5.0), (-np.inf, np.inf)])
def test_of_values_turned_round_it_is_turned_round(low: float, high: float, clusters: np.ndarray | None) -> None:
    values = np.random.default_rng(0).random(60) ** 3
    estimate = mean_interval(Mean(values, low, high), clusters)
    mirror = mean_interval(Mean(-values, -high, -low), clusters)
    assert (estimate.low, estimate.high) == pytest.approx((-mirror.high, -mirror.low))
    assert estimate.low < values.mean() < estimate.high


@pytest.mark.parametrize("clusters", [None, CLUSTERS])
def test_what_could_have_been_lower_lowers_the_low_limit_and_not_the_high_one(clusters: np.ndarray | None) -> None:
    values = np.random.default_rng(1).random(60)
    near, far = (mean_interval(Mean(values, low, 1.0), clusters) for low in (0.0, -20.0))
    assert far.low < near.low - 0.01
    assert far.high == pytest.approx(near.high)
    near, far = (mean_interval(Mean(values, 0.0, high), clusters) for high in (1.0, 20.0))
    assert far.high > near.high + 0.01
    assert far.low == pytest.approx(near.low)


def test_it_is_surer_with_less_confidence_and_less_sure_of_groups() -> None:
    values = np.repeat(np.random.default_rng(2).random(20), 3)
    usual, low = (mean_interval(Mean(values, 0.0, 1.0), None, confidence) for confidence in (0.95, 0.5))
    grouped = mean_interval(Mean(values, 0.0, 1.0), CLUSTERS)
    assert usual.low < low.low < usual.value < low.high < usual.high
    assert usual == mean_interval(Mean(values, 0.0, 1.0), None)
    assert grouped.low < usual.low < usual.high < grouped.high


@pytest.mark.parametrize(("rows", "mean", "is_grouped"), [(1, 0.25, False), (1, 0.25, True), (3, 0.5, True)])
def test_of_a_single_row_or_group_the_mean_is_known_and_how_far_it_may_lie(
    rows: int, mean: float, is_grouped: bool
) -> None:
    values = np.array([0.25, 0.75, 0.5])[:rows]
    clusters = np.zeros(rows, dtype=np.int64) if is_grouped else None
    within = mean_interval(Mean(values, -1.0, 2.0), clusters)
    assert (within.value, within.low, within.high) == (mean, -1.0, 2.0)
    bare, half = mean_interval(Mean(values), clusters), mean_interval(Mean(values, low=0.0), clusters)
    assert (bare.value, half.value, half.low) == (mean, mean, 0.0)
    assert np.isnan([bare.low, bare.high, half.high]).all()
    for_all = mean_interval(Mean.within(values, -1.0, 2.0), clusters)
    assert (for_all.low, for_all.high) == (-1.0, 2.0)
    for_these = mean_interval(Mean.within(values, values - 0.1, values + 0.1), clusters)
    assert np.isnan([for_these.low, for_these.high]).all(), "how far these could have gone is no bound of others"
