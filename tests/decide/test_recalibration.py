"""What recalibrating would gain: its parts against SciPy and hand-made tables, and how often it holds what is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from sortal.decide import recalibration
from sortal.decide.recalibration import recalibration_gain
from sortal.engine.affine import log_probability
from tests.decide.conftest import draw, loss, predictions


def make_rows(rows: int, k: int, seed: int, *over: float, groups=None):
    probability, truth = draw(rows, k, seed, *over)
    return replace(predictions(probability, truth), groups=groups)


@pytest.mark.parametrize("k", [2, 4])
def test_the_fit_is_the_most_likely_within_its_prior(k):
    probability, truth = draw(80, k, 1, 1.8)
    logs = log_probability(probability)

    def height(change):
        scores = logs * (1 + change[:k]) + change[k:]
        true_scores = scores[np.arange(len(logs)), truth]
        return (np.log(np.exp(scores).sum(axis=1)) - true_scores).sum() + (change**2).sum() / 2

    best = optimize.minimize(height, np.zeros(2 * k), options={"gtol": 1e-8})
    fit = recalibration._fit(logs, truth)
    scores = logs * (1 + best.x[:k]) + best.x[k:]
    after = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(logs)), truth]
    assert fit.before == pytest.approx(-logs[np.arange(len(logs)), truth])
    assert fit.after == pytest.approx(after, abs=1e-4)
    assert fit.score.sum(axis=0) == pytest.approx(best.x, abs=1e-2)  # the pull of the prior
    step = 1e-3 * np.eye(2 * k)
    bend = [[height(best.x + a + b) - height(best.x + a - b) for b in step] for a in step]
    back = [[height(best.x - a + b) - height(best.x - a - b) for b in step] for a in step]
    assert fit.information + np.eye(2 * k) == pytest.approx((np.array(bend) - back) / 4e-6, rel=1e-3, abs=1e-2)


@pytest.mark.parametrize(("ratio", "freedom"), [(30.0, 3.0), (60.0, 4.5), (2_000.0, 19.0)])
def test_limits_are_those_of_a_noncentral_chi_square(ratio, freedom):
    low, high = recalibration._noncentral(ratio, freedom, stats.norm.ppf(0.975))
    assert stats.ncx2.cdf(ratio, freedom, high) == pytest.approx(0.025, rel=1e-4)
    assert stats.ncx2.sf(ratio, freedom, low) == pytest.approx(0.025, rel=1e-4)


@pytest.mark.parametrize("freedom", [1.0, 3.0, 19.0])
def test_where_only_the_low_limit_can_miss_it_takes_both_tails(freedom):
    z, least = stats.norm.ppf(0.975), recalibration._noncentral(freedom, freedom, stats.norm.ppf(0.975))[1]
    rare = stats.chi2.isf(0.05, freedom)
    assert recalibration._noncentral(0.999 * rare, freedom, z)[0] == 0.0
    assert recalibration._noncentral(1.001 * rare, freedom, z)[0] > 0.0
    one, two = (stats.ncx2.isf(tail, freedom, least) for tail in (0.05, 0.025))
    assert recalibration._noncentral(0.99 * one, freedom, z)[0] < least
    assert recalibration._noncentral((one + two) / 2, freedom, z)[0] == pytest.approx(least)
    assert recalibration._noncentral(1.01 * two, freedom, z)[0] > least


@pytest.mark.parametrize("true", [0.0, 2.0, 6.0, 12.0, 40.0])
@pytest.mark.parametrize("freedom", [1.0, 4.0, 20.0])
def test_limits_hold_a_noncentrality_in_19_of_20_cases(freedom, true):
    """By the distribution itself: the ratios whose limits hold it are all those between two ends."""
    z, ratios = stats.norm.ppf(0.975), stats.ncx2.ppf((np.arange(800) + 0.5) / 800, freedom, true)
    limits = np.array([recalibration._noncentral(float(ratio), freedom, z) for ratio in ratios])
    inside = (limits[:, 0] <= true) & (true <= limits[:, 1])
    assert inside.mean() == pytest.approx(0.95, abs=0.003)


def test_a_ratio_below_chance_says_no_more_than_one_of_chance():
    assert recalibration._noncentral(0.1, 3.0, 1.96) == recalibration._noncentral(3.0, 3.0, 1.96)


def test_of_one_probability_for_all_rows_the_gain_is_that_of_the_share():
    """.5 was said, three tenths are true: what remains is the entropy of three tenths."""
    truth = (np.arange(1_000) < 300).astype(np.int64)
    gain = recalibration_gain(predictions(np.full((1_000, 2), 0.5), truth))
    full = np.log(2) + 0.3 * np.log(0.3) + 0.7 * np.log(0.7)
    assert gain.value == pytest.approx(full, abs=0.002)
    assert gain.low < full < gain.high


@pytest.mark.parametrize("k", [2, 5])
def test_it_is_what_perfect_calibration_gains_and_no_more_of_few_rows(k):
    fresh, truth = draw(200_000, k, 0, 1.5, 0.4)
    right, _ = draw(200_000, k, 0)
    full = loss(fresh, truth) - loss(right, truth)
    for rows in (100, 1_500):
        gains = [recalibration_gain(make_rows(rows, k, seed, 1.5, 0.4)) for seed in range(1, 61)]
        misses = sum(not f.low <= full <= f.high for f in gains)
        assert misses <= 60 * 0.05 + 2 * np.sqrt(60 * 0.05 * 0.95)
        spread = np.std([f.value for f in gains]) / np.sqrt(60)
        assert np.mean([f.value for f in gains]) == pytest.approx(full, abs=3 * spread + 0.02 * full)


@pytest.mark.parametrize("k", [2, 7])
def test_the_calibrated_have_little_to_gain(k):
    gains = [recalibration_gain(make_rows(150, k, seed)) for seed in range(60)]
    assert sum(f.low > 0 for f in gains) <= 60 * 0.025 + 2 * np.sqrt(60 * 0.025 * 0.975)
    assert all(0 <= f.low <= f.value <= f.high for f in gains)
    assert all(f.high > 0 for f in gains)
    many = recalibration_gain(make_rows(15_000, k, 0))
    assert many.low == 0 < many.high < 0.002


def test_the_order_of_classes_and_rows_says_nothing():
    rows = make_rows(300, 3, 2, 1.6)
    shuffled = rows.take(np.random.default_rng(0).permutation(300))
    mirror = replace(rows, probability=rows.probability[:, ::-1], truth=2 - rows.truth)
    for other in (shuffled, mirror):
        gain, same = recalibration_gain(rows), recalibration_gain(other)
        assert (gain.value, gain.low, gain.high) == pytest.approx((same.value, same.low, same.high), rel=1e-6)


def test_clones_of_a_row_tell_what_the_row_tells():
    once = make_rows(300, 2, 3, 1.7)
    clones = replace(once.take(np.repeat(np.arange(300), 5)), groups=np.repeat(np.arange(300), 5))
    alone, together = recalibration_gain(once), recalibration_gain(clones)
    apart = recalibration_gain(replace(clones, groups=None))
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert apart.high - apart.low < 0.6 * (alone.high - alone.low)
    assert together.value == pytest.approx(alone.value, abs=0.003)


def test_one_group_and_next_to_no_rows_leave_it_unknown():
    assert np.isnan(recalibration_gain(make_rows(9, 2, 0)).value)
    one = recalibration_gain(make_rows(50, 2, 0, 1.5, groups=np.zeros(50, dtype=np.int64)))
    assert np.isfinite(one.value)
    assert np.isnan(one.low)
    assert np.isnan(one.high)


def test_a_model_that_is_sure_and_right_may_yet_gain():
    sure = predictions(np.tile([1.0, 0.0], (100, 1)), np.zeros(100, dtype=np.int64))
    gain = recalibration_gain(sure)
    assert gain.value == gain.low == 0 < gain.high < 0.1


def test_of_very_many_rows_some_are_read(monkeypatch):
    monkeypatch.setattr(recalibration, "MOST_ENTRIES", 1_000)
    rows = make_rows(4_000, 2, 4, 1.8)
    first, again, other = (recalibration_gain(rows, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    monkeypatch.undo()
    every = recalibration_gain(rows)
    assert first.high - first.low > 1.5 * (every.high - every.low)
