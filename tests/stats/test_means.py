"""The score interval of a mean against Wilson's, against Tango's, and against the likelihood's maximum itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq, minimize

from sortal.stats.means import score_limits
from sortal.stats.proportions import two_sided_z

Z = two_sided_z(0.95)


@given(hits=st.integers(0, 40), more=st.integers(0, 60), confidence=st.sampled_from([0.8, 0.95]))
@settings(max_examples=60)
def test_of_two_values_it_is_wilsons(hits, more, confidence):
    n = hits + more + 1
    limits = score_limits([0, 1], [1 - hits / n, hits / n], n, two_sided_z(confidence), low=0, high=1)
    expected = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
    assert [float(x) for x in limits] == pytest.approx([expected.low, expected.high], abs=1e-9)


def tango(plus: int, minus: int, n: int) -> tuple[float, float]:
    """Tango (1998), equations 6 to 9: the likelihood's maximum for a given difference in closed form."""

    def deviation(difference: float) -> float:
        b = -plus - minus + (2 * n - plus + minus) * difference
        c = -minus * difference * (1 - difference)
        q = (np.sqrt(b * b - 8 * n * c) - b) / (4 * n)
        return (plus - minus - n * difference) / np.sqrt(n * (2 * q + difference * (1 - difference)))

    at = (plus - minus) / n
    return brentq(lambda d: deviation(d) - Z, -1 + 1e-9, at), brentq(lambda d: deviation(d) + Z, at, 1 - 1e-9)


@pytest.mark.parametrize(("plus", "minus", "n"), [(12, 2, 50), (1, 0, 44), (40, 20, 160), (9, 3, 32), (5, 5, 30)])
def test_of_paired_shares_it_is_tangos(plus, minus, n):
    limits = score_limits([-1, 0, 1], np.array([minus, n - plus - minus, plus]) / n, n, Z, low=-1, high=1)
    assert [float(x) for x in limits] == pytest.approx(tango(plus, minus, n), abs=1e-7)


def nearest(value: np.ndarray, count: np.ndarray, mean: float) -> np.ndarray:
    """The shares that are likeliest to have brought the counts, of all that have this mean."""
    mask = count > 0

    def loss(share: np.ndarray) -> float:
        return -float(count[mask] @ np.log(np.maximum(share[mask], 1e-300)))

    rules = [{"type": "eq", "fun": lambda p: p.sum() - 1}, {"type": "eq", "fun": lambda p: p @ value - mean}]
    start = np.full(len(value), 1 / len(value))
    options = {"maxiter": 500, "ftol": 1e-13}
    result = minimize(loss, start, bounds=[(0, 1)] * len(value), constraints=rules, options=options)
    return result.x


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ([0, 1, 30], [120, 27, 3]),
        ([0, 1, 30], [120, 30, 0]),
        ([-5, 0, 2, 30], [0, 12, 6, 2]),
        ([0, 1, 2, 3], [0, 4, 5, 0]),
        ([0, 0.5, 1, 8], [40, 1, 1, 1]),
    ],
)
def test_a_limit_is_as_far_off_as_the_nearest_distribution_with_that_mean_varies(value, count):
    value, count = np.array(value, dtype=float), np.array(count, dtype=float)
    n = count.sum()
    mean = value @ count / n
    for limit in score_limits(value, count / n, n, Z, low=value[0], high=value[-1]):
        share = nearest(value, count, float(limit))
        variance = share @ (value - limit) ** 2
        assert abs(limit - mean) == pytest.approx(Z * np.sqrt(variance / n), rel=2e-3)


def test_what_no_row_has_may_still_happen():
    """As often as Wilson's bound on what never happened in n trials allows, whatever the others vary by."""
    share = 1 - float(stats.binomtest(200, 200).proportion_ci(method="wilson").low)
    cheap = np.array([0.9, 0.1])
    for values in ([0.0, 0.0], [0.0, 1.0]):
        mean = float(cheap @ values)
        _, high = score_limits(values, cheap, 200, Z, low=0, high=500)
        assert float(high) == pytest.approx(mean + share * (500 - mean))


@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), shift=st.floats(-5, 5), scale=st.floats(0.01, 100))
@settings(max_examples=60)
def test_limits_follow_the_unit_and_are_mirrored_with_the_values(seed, n, shift, scale):
    rng = np.random.default_rng(seed)
    values = np.round(rng.exponential(size=n), 1)
    low, high = (float(x) for x in score_limits(values, 1 / n, n, Z, low=-0.5, high=4.0))
    new_limits = score_limits(scale * values + shift, 1 / n, n, Z, low=shift - 0.5 * scale, high=shift + 4 * scale)
    assert [float(x) for x in new_limits] == pytest.approx(
        [low * scale + shift, high * scale + shift], rel=1e-6, abs=1e-6
    )
    mirror = score_limits(-values, 1 / n, n, Z, low=-4.0, high=0.5)
    assert [-float(x) for x in mirror[::-1]] == pytest.approx([low, high], abs=1e-9)
    assert min(values.min(), -0.5) <= low <= values.mean() + 1e-12
    assert values.mean() - 1e-12 <= high <= max(values.max(), 4.0)


def test_equal_values_may_be_counted_and_many_means_taken_at_once():
    rng = np.random.default_rng(0)
    value = np.array([0.0, 1.0, 5.0])
    codes = rng.integers(3, size=(4, 30))
    counts = np.array([np.bincount(row, minlength=3) for row in codes])
    together = np.array(score_limits(np.tile(value, (4, 1)), counts / 30, np.full(4, 30), Z, low=0, high=5))
    for row, pair in zip(codes, together.T, strict=True):
        alone = score_limits(value[row], 1 / 30, 30, Z, low=0, high=5)
        assert pair == pytest.approx([float(x) for x in alone], abs=1e-10)


def test_no_trials_say_nothing_and_a_value_without_rows_is_not_seen():
    assert [float(x) for x in score_limits([0.3], [1.0], 0, Z, low=-1, high=2)] == [-1, 2]
    once = score_limits([0.0, 7.0], [1.0, 0.0], 20, Z)
    assert [float(x) for x in once] == [0, 0]
    assert float(score_limits([0.0, 1.0], [0.5, 0.5], 20, Z)[1]) < 1


def test_many_values_have_the_limits_of_the_standard_error():
    values = np.random.default_rng(1).gamma(2.0, size=50_000)
    low, high = score_limits(values, 1 / 50_000, 50_000, Z)
    error = Z * values.std() / np.sqrt(50_000)
    assert [values.mean() - low, high - values.mean()] == pytest.approx([error, error], rel=0.01)


@pytest.mark.parametrize(("n", "positive", "dear"), [(150, 0.1, 30.0), (1000, 0.01, 30.0), (300, 0.01, 12.0)])
def test_it_holds_the_cost_where_few_dear_misses_are_expected(n, positive, dear):
    """Between .4 and 3 dear misses; an interval by the standard error holds in .5 to .8 of such samples."""
    rng = np.random.default_rng(7)
    value, share = np.array([0.0, 1.0, dear]), np.array([0, 0.05 * (1 - positive), 0.2 * positive])
    share[0] = 1 - share.sum()
    shares = rng.multinomial(n, share, size=4000) / n
    low, high = score_limits(np.tile(value, (4000, 1)), shares, np.full(4000, n), Z, low=0, high=dear)
    coverage = np.mean((low <= share @ value) & (share @ value <= high))
    assert 0.93 <= coverage <= 0.98
