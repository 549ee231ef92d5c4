"""Isotonic regression against scikit-learn's, Venn-Abers against the authors' package and the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from venn_abers.venn_abers import calc_p0p1, calc_probs

from sortal.decide.isotonic import LEVELS, isotonic, levels, venn_abers, venn_abers_pair
from sortal.engine import compile


def draw(n: int, digits: int, seed: int):
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(0.7, 1.3, n), digits)
    truth = (rng.random(n) < p**1.5).astype(np.int64)
    truth[:2] = 0, 1
    return both(p), truth


def both(p):
    return np.column_stack([1 - p, p])


SAMPLE = {"n": st.integers(4, 80), "digits": st.sampled_from([1, 2, 6]), "seed": st.integers(0, 10_000)}


@given(**SAMPLE)
@settings(max_examples=60)
def test_isotonic_is_that_of_scikit_learn_with_half_a_hit_at_either_end(n, digits, seed):
    probability, truth = draw(n, digits, seed)
    p = probability[:, 1]
    score = np.concatenate([p, [p.min(), p.max()]])
    oracle = IsotonicRegression(out_of_bounds="clip").fit(score, np.concatenate([truth, [0.5, 0.5]]))
    fresh = np.concatenate([p, np.linspace(0, 1, 101)])
    predicted = compile(isotonic.fit(probability, truth, 2))(both(fresh))[:, 1]
    np.testing.assert_allclose(predicted, oracle.predict(fresh), atol=1e-9)
    assert 0 < predicted.min() <= predicted.max() < 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning:venn_abers", "ignore:All-NaN:RuntimeWarning")
@given(**SAMPLE)
@settings(max_examples=40)
def test_venn_abers_is_that_of_its_authors(n, digits, seed):
    probability, truth = draw(n, digits, seed)
    fresh = np.concatenate([probability[:, 1], np.random.default_rng(seed).random(60), [0, 1]])
    expected, pair = calc_probs(*calc_p0p1(probability, truth), both(fresh))
    score_levels = levels(probability[:, 1], truth.astype(float))
    place = np.searchsorted(score_levels.score, fresh) + np.searchsorted(score_levels.score, fresh, side="right")
    np.testing.assert_allclose(np.column_stack(venn_abers_pair(score_levels))[place], pair, atol=1e-9)
    np.testing.assert_allclose(compile(venn_abers.fit(probability, truth, 2))(both(fresh)), expected, atol=1e-9)


def test_the_pair_is_what_isotonic_regression_says_of_the_row_itself():
    probability, truth = draw(40, 2, 3)
    p, score_levels = probability[:, 1], levels(probability[:, 1], truth.astype(float))
    pair = venn_abers_pair(score_levels)
    for score in (0.0, float(p[0]), 0.4321, 1.0):
        place = np.searchsorted(score_levels.score, score) + np.searchsorted(score_levels.score, score, side="right")
        for label in (0, 1):
            refit = IsotonicRegression().fit(np.append(p, score), np.append(truth, label))
            assert pair[label][place] == pytest.approx(refit.predict([score])[0])


@given(n=st.integers(2, 3000), digits=st.integers(1, 9), most=st.integers(1, 40), seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_levels_share_out_all_rows_in_order(n, digits, most, seed):
    probability, truth = draw(n, digits, seed)
    score_levels = levels(probability[:, 1], truth.astype(float), most)
    assert len(score_levels.score) <= most
    assert (np.diff(score_levels.score) > 0).all()
    assert (score_levels.rows.sum(), score_levels.hits.sum()) == (n, truth.sum())
    assert np.isin(score_levels.score, probability[:, 1]).all()
    assert (score_levels.hits <= score_levels.rows).all()


@pytest.mark.parametrize("calibrator", [isotonic, venn_abers], ids=lambda c: c.name)
def test_many_distinct_scores_are_joined_without_loss(calibrator):
    probability, truth = draw(20_000, 12, 0)
    program = calibrator.fit(probability, truth, 2)
    assert len(program.arrays["knot"]) <= LEVELS
    oracle = IsotonicRegression(out_of_bounds="clip").fit(probability[:, 1], truth).predict(probability[:, 1])
    apart = np.abs(compile(program)(probability)[:, 1] - oracle)
    assert np.quantile(apart, 0.99) < 0.03
    assert apart.mean() < 0.005


@pytest.mark.parametrize("calibrator", [isotonic, venn_abers], ids=lambda c: c.name)
def test_a_single_score_becomes_the_share_of_hits(calibrator):
    truth = np.array([0, 0, 0, 1] * 10)
    q = compile(calibrator.fit(np.full((40, 2), 0.5), truth, 2))(np.array([[0.5, 0.5], [0.0, 1.0]]))
    assert q[0, 1] == pytest.approx(0.25, abs=0.02)
    assert q[1, 1] >= q[0, 1]
