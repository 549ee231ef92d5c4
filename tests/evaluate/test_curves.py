"""Curves against scikit-learn's and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from sortal.evaluate import curves
from sortal.stats.clusters import worth_of_rows

Sample = tuple["np.ndarray", "np.ndarray"]


@st.composite
def samples(draw: st.DrawFn, most: int = 60) -> Sample:
    n = draw(st.integers(2, most))
    truth = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda t: 0 < sum(t) < len(t)))
    levels = draw(st.lists(st.integers(0, 10), min_size=n, max_size=n))
    return np.array(truth), np.array(levels) / 10


@settings(max_examples=60)
@given(samples())
def test_roc_is_that_of_scikit_learn(sample: Sample) -> None:
    truth, score = sample
    curve = curves.roc(truth, score)
    x, y, _ = roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_allclose(curve.x, x)
    np.testing.assert_allclose(curve.y, y)
    assert curve.area == pytest.approx(roc_auc_score(truth, score))


@settings(max_examples=60)
@given(samples())
def test_precision_recall_is_that_of_scikit_learn(sample: Sample) -> None:
    truth, score = sample
    curve = curves.precision_recall(truth, score)
    precision, recall, _ = precision_recall_curve(truth, score)
    hit = recall[:-1] > 0
    np.testing.assert_allclose(curve.x, recall[:-1][hit][::-1])
    np.testing.assert_allclose(curve.y, precision[:-1][hit][::-1])
    assert curve.area == pytest.approx(average_precision_score(truth, score))


def test_thinned_curves_keep_their_ends_their_shape_and_their_area() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(40_000) < 0.1
    score = rng.normal(size=40_000) + 1.5 * truth
    curve = curves.roc(truth, score)
    assert len(curve.x) <= 160
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(curve.area, abs=2e-3)
    assert (np.diff(curve.x) >= 0).all()


@pytest.mark.parametrize(("most", "expected"), [(5, 5), (4, 4), (3, 3)])
def test_a_curve_of_as_few_points_as_are_shown_keeps_all(most: int, expected: int) -> None:
    x = np.array([0.0, 0.001, 0.002, 0.6, 1.0])
    points, same = curves.thin(x, x**2, most)
    assert len(points) <= expected
    assert (len(points) == 5) == (most == 5)
    assert np.array_equal(points**2, same)
    assert (points[0], points[-1]) == (0.0, 1.0)


@settings(max_examples=60)
@given(st.integers(1, 3000), st.floats(0.05, 20), st.integers(0, 2**32 - 1), st.booleans())
def test_reliability_bins_share_out_all_rows(n: int, shape: float, seed: int, rounded: bool) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(shape, 1, size=n)
    p = p.round(1) if rounded else p
    hit = rng.random(n) < p
    bins = curves.reliability(hit, p)
    assert bins.rows.sum() == n
    assert bins.rows.min() >= min(n, 30)
    assert np.average(bins.rate, weights=bins.rows) == pytest.approx(hit.mean())
    assert np.average(bins.probability, weights=bins.rows) == pytest.approx(p.mean())
    assert (np.diff(bins.probability) > 0).all()
    assert ((bins.low <= bins.rate) & (bins.rate <= bins.high)).all()


def test_reliability_bins_hold_equal_numbers_of_rows_where_they_are_narrow() -> None:
    rng = np.random.default_rng(2)
    narrow = 0.45 + 0.1 * rng.random(4000)
    assert curves.reliability(rng.random(4000) < narrow, narrow).rows.tolist() == [200] * 20


def test_reliability_bins_follow_the_sparse_end_of_an_imbalanced_task() -> None:
    rng = np.random.default_rng(3)
    p = np.concatenate([0.02 * rng.random(9_500), rng.random(500)])
    bins = curves.reliability(rng.random(10_000) < p, p)
    assert (bins.probability > 0.1).sum() >= 7
    assert bins.rows.min() >= curves.FEWEST


def test_calibrated_probabilities_stay_in_their_bands() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(0.5, 3, size=40_000)
    bins = curves.reliability(rng.random(40_000) < p, p)
    assert len(bins.rows) > 10
    assert ((bins.low <= bins.probability) & (bins.probability <= bins.high)).mean() >= 0.8


def test_equal_probabilities_share_a_bin_and_the_last_bin_is_large_enough() -> None:
    p = np.repeat([0.1, 0.4, 0.9], [50, 60, 10])
    bins = curves.reliability(np.zeros(120, dtype=bool), p)
    assert bins.rows.tolist() == [50, 70]
    assert bins.probability == pytest.approx([0.1, (60 * 0.4 + 10 * 0.9) / 70])
    enough = curves.reliability(np.zeros(140, dtype=bool), np.repeat([0.1, 0.4, 0.9], [50, 60, 30]))
    assert enough.rows.tolist() == [50, 60, 30]


def test_the_band_of_all_bins_is_that_of_one_bin_with_the_doubt_of_all() -> None:
    p = np.repeat([0.1, 0.4, 0.9], [50, 60, 30])
    hit = np.arange(140) % 3 == 0
    bins = curves.reliability(hit, p)
    for k, rows in enumerate((hit[:50], hit[50:110], hit[110:])):
        exact = stats.binomtest(int(rows.sum()), len(rows))
        single, band = exact.proportion_ci(0.95), exact.proportion_ci(1 - 0.05 / 3)
        assert (bins.low[k], bins.high[k]) == pytest.approx((single.low, single.high))
        assert (bins.band_low[k], bins.band_high[k]) == pytest.approx((band.low, band.high))


def test_calibrated_bins_lie_in_the_band_together_as_often_as_said() -> None:
    rng, runs, n_inside = np.random.default_rng(4), 200, 0
    for _ in range(runs):
        p = rng.beta(1, 3, size=800)
        bins = curves.reliability(rng.random(800) < p, p)
        n_inside += bool(((bins.band_low <= bins.probability) & (bins.probability <= bins.band_high)).all())
    assert n_inside >= 0.93 * runs


def test_a_bin_is_worth_what_its_own_groups_are() -> None:
    """Groups lie across bins, and are larger in some than in others; limits by scipy's beta distribution."""
    rng = np.random.default_rng(5)
    p = np.repeat([0.7, 0.1, 0.4], [40, 50, 60])
    groups = np.concatenate([np.arange(40) // 8, np.arange(50) // 2, np.arange(60) // 5 + 3])
    hit = (rng.random(30)[groups] < p).astype(np.bool_)
    order = rng.permutation(150)
    bins = curves.reliability(hit[order], p[order], groups[order])
    assert bins.rows.tolist() == [50, 60, 40]
    assert bins.probability == pytest.approx([0.1, 0.4, 0.7])
    for k, level in enumerate((0.1, 0.4, 0.7)):
        rows = p == level
        ids = np.unique(groups[rows], return_inverse=True)[1]
        worth = worth_of_rows(hit[rows] - hit[rows].mean(), ids)
        n, hits = rows.sum() / worth.design, hit[rows].sum() / worth.design
        for confidence, low, high in ((0.95, bins.low, bins.high), (1 - 0.05 / 3, bins.band_low, bins.band_high)):
            tail = stats.norm.sf(worth.z(confidence))
            assert low[k] == pytest.approx(stats.beta.ppf(tail, hits, n - hits + 1))
            assert high[k] == pytest.approx(stats.beta.ppf(1 - tail, hits + 1, n - hits))
        assert bins.rate[k] == hit[rows].mean()


def test_a_wide_bin_is_halved_as_long_as_thirty_rows_remain() -> None:
    """Of 2,400 rows a bin has 120; the upper end is spread out, so that bins of 60 and of 30 follow."""
    for spread, sizes in ((0.09, [120]), (0.11, [60, 60]), (0.3, [30, 30, 30, 30])):
        p = np.concatenate([np.full(2280, 0.2), np.linspace(0.5, 0.5 + spread, 120)])
        assert curves.reliability(np.zeros(2400, dtype=bool), p).rows.tolist() == [2280, *sizes]
