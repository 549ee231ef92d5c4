from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sortal.stats.clusters import LEAST, worth, worth_of_rows, worth_of_sizes


@given(groups=st.integers(2, 12), size=st.integers(1, 9), seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_of_copies_each_group_counts_as_one_row(groups, size, seed):
    """A mean of G independent values varies with their variance, over G - 1, however often each is repeated."""
    values = np.random.default_rng(seed).normal(size=groups)
    effect = np.repeat(values - values.mean(), size)
    result = worth_of_rows(effect, np.repeat(np.arange(groups), size))
    assert result.design == pytest.approx(size * groups / (groups - 1))
    assert result.groups == pytest.approx(groups)


def test_equal_groups_have_the_usual_degrees_of_freedom():
    effect = np.tile([1.0, -1.0, 1.0, -1.0], 5)
    result = worth_of_rows(effect, np.repeat(np.arange(5), 4))
    assert (result.design, result.groups) == (
        1.0,
        pytest.approx(5),
    )  # groups agree: still no more than independent rows
    assert result.z(0.95) == pytest.approx(stats.t.ppf(0.975, 4))
    assert worth_of_rows(effect, None).z(0.95) == pytest.approx(stats.norm.ppf(0.975))


def test_unequal_groups_count_as_fewer():
    sizes = np.array([30, 30, 30, 30, 60])
    groups, rows = np.repeat(np.arange(5), sizes), np.random.default_rng(0).choice([-1.0, 1.0], size=180)
    assert worth_of_rows(rows, groups).groups == pytest.approx(180**2 / (4 * 900 + 3600))
    assert worth_of_rows(rows, np.minimum(groups + 1, 1)).design == np.inf
    assert worth_of_rows(rows, np.where(rows > 0, groups, 0)).groups >= 3  # however unequal
    first = (groups == 0).astype(np.float64)
    assert worth_of_rows(rows, groups, expected=first + (groups == 1)).groups == pytest.approx(2)
    assert worth_of_rows(rows, groups, expected=first).design == np.inf
    assert worth_of_sizes(np.array([30.0, 30.0, 60.0])).groups == pytest.approx(120**2 / (900 + 900 + 3600))


def test_one_group_alone_is_worth_nothing():
    assert worth_of_rows(np.array([1.0, -1.0]), np.array([0, 0])).design == np.inf
    assert worth_of_rows(np.zeros(6), np.zeros(6, dtype=np.int64)).design == np.inf
    assert worth_of_rows(np.zeros(6), np.array([0, 0, 0, 1, 1, 1])).design == 3


def test_parts_that_share_rows_are_worth_less_or_more():
    rows = np.array([1.0, -1.0, 1.0, -1.0])
    assert worth_of_rows(rows, None, independent=2.0).design == 2
    assert worth_of_rows(rows, np.arange(4), independent=2.0).design == pytest.approx(4 / 3 * 2)
    assert worth(np.zeros(3), np.ones(3), by_row=3.0, independent=6.0).design == 0.5


@pytest.mark.parametrize("clusters", [None, np.arange(50) // 5])
def test_parts_that_cancel_out_do_not_make_a_figure_that_never_varies(clusters):
    """As the figures of classes may in their mean: the next sample will not cancel to the last digit."""
    effect = np.tile([1e-9, -1e-9], 25)
    assert worth_of_rows(effect, clusters, expected=np.ones(50), independent=1.0).design == LEAST
