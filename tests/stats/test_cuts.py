"""The limits of recall at a precision: its parts against SciPy and Wilson, and how often it holds what is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from sortal.stats import cuts, ranking
from sortal.stats.proportions import two_sided_z, wilson

Z = two_sided_z(0.95)


@given(rows=st.integers(1, 300), share=st.floats(0, 1), precision=st.sampled_from([0.5, 0.9]))
@settings(max_examples=60)
def test_deviates_are_those_of_the_mid_p_of_a_binomial(rows, share, precision):
    hits = round(share * rows)
    binomial = stats.binom(rows, precision)
    below = binomial.cdf(hits - 1) + binomial.pmf(hits) / 2
    deviate = float(cuts.precision_deviates(np.array([hits]), np.array([rows]), precision)[0])
    if 1e-9 < below < 1 - 1e-9:
        assert deviate == pytest.approx(stats.norm.ppf(below), abs=1e-5)
    assert np.sign(deviate) == np.sign(below - 0.5) or abs(deviate) < 1e-12


def test_deviates_far_out_are_finite_and_symmetric():
    hits = np.array([0.0, 40.0, 4_000.0])
    up = cuts.precision_deviates(40 + 0 * hits, np.full(3, 40.0), 0.5)
    down = cuts.precision_deviates(0 * hits, np.full(3, 40.0), 0.5)
    assert up == pytest.approx(-down)
    assert np.isfinite(cuts.precision_deviates(hits, np.full(3, 4_000.0), 0.01)).all()


@given(a=st.floats(-3, 3), b=st.floats(-3, 3), correlation=st.sampled_from([0.0, 0.3, 0.8]))
@settings(max_examples=60)
def test_the_distance_is_that_to_the_nearest_point_of_the_quadrant(a, b, correlation):
    inverse = np.linalg.inv(np.array([[1, correlation], [correlation, 1]]))
    away = np.array([a, b])
    near = optimize.minimize(
        lambda x: (away - x) @ inverse @ (away - x),
        np.minimum(away, 0),
        jac=lambda x: -2 * inverse @ (away - x),
        bounds=[(None, 0), (None, 0)],
        options={"ftol": 1e-14},
    ).fun
    distance = float(cuts._squared_distance(np.array([a]), np.array([b]), np.array([correlation]))[0])
    assert distance == pytest.approx(near, abs=1e-5)


def test_the_correlation_is_that_of_simulated_counts():
    rng = np.random.default_rng(0)
    total, recall, gap, precision = 400, 0.5, 0.2, 0.8
    above, between, _ = rng.multinomial(total, [recall, gap, 1 - recall - gap], size=40_000).T
    false = rng.poisson(total * (recall + gap) * (1 - precision) / precision, size=40_000)
    short = above + between - precision * (above + between + false)
    expected = np.corrcoef(above, short)[0, 1]
    # The number of positives is given here, so that the precision varies a little less than a binomial share.
    correlation = float(cuts._correlation(recall, np.array([gap]), precision)[0])
    share = (1 - precision) * (recall + gap) * (1 - recall - gap) + precision * (recall + gap)
    assert expected == pytest.approx(correlation * np.sqrt((recall + gap) / share), abs=0.02)


def test_where_the_precision_is_not_in_doubt_the_limits_are_wilsons():
    # 60 of 100 positives above all negatives, then a thousand negatives, then the rest.
    hits = np.append(np.arange(1.0, 61), [60, *np.arange(61.0, 101)])
    rows = np.append(np.arange(1.0, 61), [1060, *np.arange(1061.0, 1101)])
    expected = [float(end) for end in wilson(0.6, 100, Z)]
    assert cuts.recall_limits(hits, rows, 0.9, Z) == pytest.approx(expected, abs=1e-6)


def test_a_cut_whose_precision_is_in_doubt_bounds_neither_end():
    # Forty hits show a precision of .9; then come 40 more with 10 false ones: 80 of 90 are less than .9, but not clearly.
    hits, rows = np.array([40.0, 80.0, 80.0]), np.array([40.0, 90.0, 900.0])
    low, high = cuts.recall_limits(hits, rows, 0.9, Z)
    assert low == pytest.approx(float(wilson(0.5, 80, Z)[0]), abs=1e-6)
    assert high == 1


def test_too_few_hits_show_no_precision():
    for count, expected in ((28, False), (29, True)):  # .9 ** 29 / 2 = .0236
        hits = np.arange(1.0, count + 1)
        assert (cuts.recall_limits(hits, hits, 0.9, Z)[0] > 0) is expected


def test_a_worthless_ranking_leaves_room_above_the_first_row():
    rows = np.array([9.0, 10.0, 50.0, 51.0, 100.0])
    low, high = cuts.recall_limits(np.array([0.0, 1.0, 1.0, 2.0, 2.0]), rows, 0.9, Z)
    assert (low, high) == pytest.approx((0, float(wilson(0, 2, Z)[1])), abs=1e-6)


def normal(rng, rows):
    positive = rng.random(rows) < 0.2
    return positive, rng.normal(size=rows) + 2.5 * positive


def jump(rng, rows):
    """Three scores, at which .97, .86 and .1 are positive: only the first has the precision."""
    score = rng.choice(3, size=rows, p=[0.2, 0.2, 0.6])
    return rng.random(rows) < np.array([0.1, 0.86, 0.97])[score], score.astype(np.float64)


@pytest.mark.parametrize("rows", [60, 400])
@pytest.mark.parametrize("draw", [normal, jump])
def test_the_limits_hold_what_is_true_of_all(draw, rows):
    true = ranking.recall_at_precision(*draw(np.random.default_rng(1), 400_000))
    reps, misses = 150, 0
    for seed in range(reps):
        positive, score = draw(np.random.default_rng([2, seed]), rows)
        low, high = cuts.recall_limits(*ranking.best_cut(positive, score).counts, ranking.PRECISION, Z)
        misses += not low <= true <= high
    assert misses <= reps * 0.05 + 2 * np.sqrt(reps * 0.05 * 0.95)
