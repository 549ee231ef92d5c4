"""Figures that belong to several rows: what they are, what has no part in them, and how often fresh rows lie beyond the
ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sortal.core.profile import GRID
from sortal.core.quantiles import ends, middle, quantiles

SMALLEST = st.integers(1, 8)
VALUES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32))


@given(VALUES)
def test_for_a_smallest_count_of_one_they_are_the_plain_ones(values):
    sorted_values = np.sort(values)
    assert quantiles(sorted_values, GRID) == pytest.approx(np.quantile(values, GRID), rel=1e-12, abs=1e-9)
    assert middle(values) == pytest.approx(np.median(values), rel=1e-12, abs=1e-9)
    assert ends(sorted_values) == (values.min(), values.max())


@given(VALUES, SMALLEST)
def test_they_are_in_order_and_within_the_values_and_the_middle_is_the_middle_quantile(values, k):
    sorted_values = np.sort(values)
    result = quantiles(sorted_values, GRID, k)
    if len(values) < 3 * k - 2:
        assert len(result) == 0
        assert np.isnan(middle(values, k))
    else:
        slack = 1e-9 * (1 + np.abs(values).max())
        assert (np.diff(result) >= -slack).all()
        assert sorted_values[0] - slack <= result[0]
        assert result[-1] <= sorted_values[-1] + slack
        assert middle(values, k) == pytest.approx(quantiles(sorted_values, (0.5,), k)[0], rel=1e-9, abs=1e-9)


@given(VALUES, SMALLEST, st.lists(st.floats(1, 1e9), min_size=8, max_size=8))
def test_the_extremes_have_no_part_in_any_figure(values, k, lifts):
    """Whoever has the k - 1 largest or smallest values may have any: nothing that is written down changes."""
    sorted_values = np.sort(values)
    if len(values) < 3 * k - 1:
        return
    top, bottom = sorted_values.copy(), sorted_values.copy()
    for i, lift in enumerate(sorted(lifts)[: k - 1]):
        top[len(top) - (k - 1) + i] += lift + i
        bottom[k - 2 - i] -= lift + i
    for changed in (np.sort(top), np.sort(bottom)):
        assert (quantiles(changed, GRID, k) == quantiles(sorted_values, GRID, k)).all()
    if k > 1 and sorted_values[-k] < sorted_values[-1]:
        assert ends(np.sort(top), k)[1] == ends(sorted_values, k)[1]
    if k > 1 and sorted_values[0] < sorted_values[k - 1]:
        assert ends(np.sort(bottom), k)[0] == ends(sorted_values, k)[0]


@pytest.mark.parametrize("n", [13, 14, 15, 60, 61, 997])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_no_figure_is_the_value_of_a_row(n, k):
    values = np.random.default_rng(n).normal(size=n)
    figures = [*quantiles(np.sort(values), GRID, k), *(ends(np.sort(values), k) or ()), middle(values, k)]
    assert not np.isin(figures, values).any()


def test_a_value_that_enough_rows_hold_is_itself():
    sorted_values = np.sort(np.concatenate([np.repeat([0.1, 0.3, 0.7], 9), [0.4]]))
    assert ends(sorted_values, 5) == (0.1, 0.7)
    assert set(quantiles(sorted_values, (0, 1), 5).tolist()) == {0.1, 0.7}


DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "counts": lambda rng, n: rng.poisson(3, n).astype(float),
    "heavy": lambda rng, n: rng.standard_t(3, n),
}


@pytest.mark.parametrize("n", [60, 1000])
@pytest.mark.parametrize("sample", DISTRIBUTIONS.values(), ids=list(DISTRIBUTIONS))
def test_fresh_rows_lie_beyond_the_ends_about_as_often_as_beyond_extremes(sample, n):
    """Of n fresh rows 2 n / (n + 1) are expected beyond the extremes of n others, and 10 beyond the fifth ones."""
    rng = np.random.default_rng(n)
    beyond = []
    for _ in range(300):
        low, high = ends(np.sort(sample(rng, n)), 5)
        fresh = sample(rng, n)
        beyond.append(np.count_nonzero((fresh < low) | (fresh > high)))
    assert np.mean(beyond) < 3.5
