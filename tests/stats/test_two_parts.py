"""The difference of two means: by hand, and where parts vary alike against SciPy's Welch and binomial tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sortal.stats.two_parts import gap


def first(rows: int, n: int) -> np.ndarray:
    return np.arange(n) < rows


def test_by_hand():
    """Means 4 and 1; variances 9 and 2/3, of all rows together 124/21: the others count as varying as much as that."""
    difference = gap(np.array([1.0, 4.0, 7.0, 0.0, 1.0, 1.0, 2.0]), first(3, 7))
    one, other = 9 / 3, 124 / 21 / 4
    assert difference.value == 3.0
    assert difference.error == pytest.approx(np.sqrt(one + other))
    assert difference.degrees == pytest.approx((one + other) ** 2 / (one**2 / 2 + other**2 / 3))
    t = 3 / np.sqrt(one + other)
    assert difference.p_value == pytest.approx(2 * stats.t.sf(t, difference.degrees))
    half = stats.t.ppf(0.995, difference.degrees) * difference.error
    interval = difference.interval(0.99)
    assert (interval.low, interval.high) == (pytest.approx(3 - half), pytest.approx(3 + half))


def test_parts_that_vary_alike_have_the_p_value_of_welch():
    base = np.random.default_rng(0).lognormal(size=40)
    values = np.concatenate([base + 0.2, base])
    difference = gap(values, first(40, 80))
    assert difference.p_value == pytest.approx(stats.ttest_ind(base + 0.2, base, equal_var=False).pvalue)
    assert difference.p_value == pytest.approx(gap(-values, first(40, 80)).p_value)


@pytest.mark.parametrize(("share", "rows"), [(0.9, 30), (0.97, 50), (0.1, 40), (0.5, 30)])
def test_a_part_in_which_all_rows_are_alike_is_no_proof(share, rows):
    """A test of a share as it was seen would have no variance at all in it."""
    n = 2000
    errors = np.zeros(n)
    errors[:rows] = 1.0
    errors[rows : rows + round(share * (n - rows))] = 1.0
    difference = gap(errors, first(rows, n))
    chance = share**rows
    assert difference.p_value > chance
    assert (difference.p_value > 0.01) == (chance > 0.01)


def test_rows_of_a_cluster_are_worth_as_much_as_one_where_they_are_alike():
    rng = np.random.default_rng(1)
    values, inside = rng.lognormal(size=60), first(20, 60)
    rows = np.repeat(np.arange(60), 5)
    few, many = gap(values, inside), gap(values[rows], inside[rows], rows)
    assert many.value == pytest.approx(few.value)
    assert many.error == pytest.approx(few.error, rel=0.05)
    assert many.degrees == pytest.approx(few.degrees, rel=0.1)
    assert gap(values[rows], inside[rows]).error < 0.5 * few.error


def test_of_one_cluster_nothing_is_known():
    values = np.concatenate([np.full(30, 5.0), np.random.default_rng(0).random(300)])
    difference = gap(values, first(30, 330), np.concatenate([np.zeros(30), np.arange(1, 301)]).astype(np.int64))
    assert difference.p_value == 1.0
    assert difference.value > 4


def test_what_never_varies_differs_for_sure_or_not_at_all():
    same = gap(np.ones(20), first(8, 20))
    assert (same.value, same.error, same.p_value) == (0.0, 0.0, 1.0)
