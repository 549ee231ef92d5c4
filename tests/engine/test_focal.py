from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from sortal.engine import Program, compile
from sortal.engine.focal import focal, others

LAWS = settings(max_examples=60)
SEEDS = st.integers(0, 2**32 - 1)
GAMMAS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0])


def run(gamma, classes):
    return compile(Program("focal", {"gamma": gamma, "classes": classes}))


@LAWS
@given(SEEDS, st.integers(2, 5), GAMMAS)
def test_it_gives_back_the_class_shares_that_the_focal_loss_was_minimised_for(seed, k, gamma):
    shares = 0.9 * np.random.default_rng(seed).dirichlet(np.ones(k)) + 0.1 / k

    def risk(z):
        log_v = log_softmax(z)
        return -(shares * (-np.expm1(log_v)) ** gamma * log_v).sum()

    result = minimize(risk, np.log(shares), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(focal(softmax(result.x)[None], gamma)[0], shares, atol=1e-4)


@LAWS
@given(SEEDS, st.integers(2, 6))
def test_without_gamma_nothing_changes(seed, k):
    p = np.random.default_rng(seed).dirichlet(np.full(k, 0.3), size=30)
    np.testing.assert_allclose(focal(p, 0.0), np.maximum(p, 1e-15), rtol=1e-9)


@LAWS
@given(SEEDS, st.integers(2, 6), GAMMAS)
def test_it_keeps_the_order_of_the_classes_and_of_the_rows(seed, k, gamma):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), size=30)
    honest = run(gamma, k)(p)
    np.testing.assert_allclose(honest.sum(axis=1), 1.0)
    np.testing.assert_array_equal(honest.argsort(axis=1), p.argsort(axis=1))
    q = np.sort(rng.random(50))
    assert (np.diff(focal(np.column_stack([1 - q, q]), gamma)[:, 1]) >= 0).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 100.0])
def test_certainty_stays_finite(gamma):
    p = np.array([[1.0, 0.0, 0.0], [0.0, 1e-300, 1.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    honest = focal(p, gamma)
    assert np.isfinite(honest).all()
    np.testing.assert_allclose(honest.sum(axis=1), 1.0)
    np.testing.assert_allclose(honest[3], 1 / 3)


def test_small_probabilities_keep_their_digits_on_both_sides():
    """Near v = 0, h(v) is v, and near v = 1, with u = 1 - v, it is 1 / (u^gamma (1 + gamma))."""
    u = np.array([1e-6, 1e-9, 1e-12])
    small = focal(np.column_stack([1 - u, u]), 2.0)[:, 1]
    np.testing.assert_allclose(small, 3 * u**3, rtol=1e-4)


def test_a_row_does_not_depend_on_the_rows_beside_it():
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=100)
    np.testing.assert_allclose(np.vstack([run(2.0, 4)(row[None]) for row in p]), run(2.0, 4)(p), rtol=1e-13)


@given(SEEDS, st.integers(2, 6))
@LAWS
def test_others_are_the_sum_without_oneself(seed, k):
    values = np.random.default_rng(seed).random((10, k))
    np.testing.assert_allclose(others(values), values.sum(axis=1, keepdims=True) - values, atol=1e-12)


@pytest.mark.parametrize("gamma", [None, -0.1, 101.0, np.nan, np.inf, "2", True])
def test_a_gamma_that_is_none_is_refused(gamma):
    with pytest.raises(ValueError, match=r"program op 'focal': setting 'gamma'"):
        run(gamma, 2)


@pytest.mark.parametrize("classes", [None, 1, 0, 2.0, "2", True])
def test_a_count_of_classes_that_is_none_is_refused(classes):
    with pytest.raises(ValueError, match=r"program op 'focal': setting 'classes'"):
        run(2.0, classes)


def test_another_width_is_refused():
    with pytest.raises(ValueError, match="takes 2 columns, not 3"):
        run(2.0, 2)(np.full((1, 3), 1 / 3))
