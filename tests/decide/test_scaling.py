from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from sortal.core import registry
from sortal.decide.calibrate import calibrators
from sortal.engine import Program, compile
from sortal.engine.affine import logit_affine
from sortal.engine.monotone import bend
from tests.decide.conftest import draw, loss


def fit_affine(name: str, probability, truth):
    program = fit(name, probability, truth)
    assert program.op == "logit_affine"
    return program.arrays["weight"], program.arrays["bias"]


def fit(name: str, probability, truth) -> Program:
    return registry.load("sortal.calibrators", name).fit(probability, truth, probability.shape[1])


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0])
def test_temperature_finds_how_much_too_sharp_they_were(k, sharpness):
    weight, bias = fit_affine("temperature", *draw(20_000, k, 0, sharpness))
    np.testing.assert_allclose(weight, np.eye(k) / sharpness, atol=0.05 / sharpness)
    assert not bias.any()


def test_platt_is_logistic_regression_of_the_log_odds():
    probability, truth = draw(5000, 2, 1, 1.7, 0.8)
    weight, bias = fit_affine("platt", probability, truth)
    log_odds = np.log(probability[:, 1] / probability[:, 0])[:, None]
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(log_odds, truth)
    assert weight[1, 1] == weight[0, 0] == pytest.approx(oracle.coef_[0, 0], rel=1e-2)
    assert bias[1] - bias[0] == pytest.approx(oracle.intercept_[0], rel=1e-2)


def test_beta_is_logistic_regression_of_both_log_probabilities():
    probability, truth = draw(5000, 2, 2, 1.7, 0.8)
    weight, bias = fit_affine("beta", probability, truth)
    features = np.log(probability) * [-1, 1]
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(features, truth)
    np.testing.assert_allclose([weight[0, 0], weight[1, 1]], oracle.coef_[0], rtol=2e-2)
    assert bias[1] - bias[0] == pytest.approx(oracle.intercept_[0], abs=0.02)


def test_quadratic_is_logistic_regression_of_the_log_odds_and_its_bend():
    probability, truth = draw(5000, 2, 3, 1.7, 0.8)
    program = fit("quadratic", probability, truth)
    z = np.log(probability[:, 1] / probability[:, 0])
    arms = np.column_stack([bend(z, program.arrays["ends"], one) for one in np.eye(2)])
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(arms, truth)
    np.testing.assert_allclose(program.arrays["slope"], oracle.coef_[0], rtol=2e-2)
    assert program.arrays["intercept"][0] == pytest.approx(oracle.intercept_[0], abs=0.02)


def test_quadratic_follows_a_parabola_that_platt_cannot():
    rng = np.random.default_rng(0)
    z = rng.normal(size=20_000)
    right = 1 / (1 + np.exp(-(z + 0.3 * z**2)))
    truth = (rng.random(len(z)) < right).astype(np.int64)
    p = np.column_stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))])
    apart = {name: np.abs(compile(fit(name, p, truth))(p)[:, 1] - right).mean() for name in ("platt", "quadratic")}
    assert apart["quadratic"] < 0.005
    assert apart["platt"] > 3 * apart["quadratic"]


def test_vector_scaling_undoes_a_scale_and_a_shift():
    probability, truth = draw(20_000, 3, 3, 1.5, 0.7)
    weight, bias = fit_affine("vector", probability, truth)
    fresh, _ = draw(500, 3, 4, 1.5, 0.7)
    ideal = logit_affine(fresh, np.eye(3) / 1.5, -np.arange(3) * 0.7 / 1.5)
    np.testing.assert_allclose(logit_affine(fresh, weight, bias), ideal, atol=0.03)


def test_matrix_scaling_undoes_a_mixture_of_logits_that_vector_scaling_cannot():
    rng = np.random.default_rng(0)
    z = 1.5 * rng.normal(size=(20_000, 3))
    right = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    truth = np.minimum((rng.random(len(z))[:, None] > right.cumsum(axis=1)).sum(axis=1), 2)
    p = np.exp(z + 0.4 * z[:, [1, 2, 0]])
    p /= p.sum(axis=1, keepdims=True)
    after = {name: loss(compile(fit(name, p, truth))(p), truth) for name in ("vector", "matrix")}
    assert after["matrix"] == pytest.approx(loss(right, truth), abs=2e-3)
    assert after["vector"] > after["matrix"] + 0.01


@pytest.mark.parametrize("name", ["vector", "matrix"])
def test_the_penalties_are_those_that_are_documented(name):
    """K |b|^2 + K |diag D|^2 + K (K - 1) |rest of D|^2 on the sum of the losses, minimised once more by differences."""
    k, (probability, truth) = 4, draw(90, 4, 2, 1.4, 0.5)
    c = np.log(probability)
    z = fit_affine("temperature", probability, truth)[0][0, 0] * (c - c.mean(axis=1, keepdims=True))
    free = np.eye(k, dtype=bool) if name == "vector" else np.ones((k, k), dtype=bool)
    heavy = np.where(np.eye(k), k, k * (k - 1))

    def unpack(x):
        change = np.zeros((k, k))
        change[free] = x[:-k]
        return change, x[-k:]

    def objective(x):
        change, bias = unpack(x)
        losses = -log_softmax(z + z @ change.T + bias, axis=1)[np.arange(len(z)), truth]
        return losses.sum() + (heavy * change**2).sum() + k * (bias**2).sum()

    change, bias = unpack(minimize(objective, np.zeros(free.sum() + k), method="BFGS").x)
    predicted = compile(fit(name, probability, truth))(probability)
    np.testing.assert_allclose(predicted, softmax(z + z @ change.T + bias, axis=1), atol=2e-3)
    weight, _ = fit_affine(name, probability, truth)
    assert np.abs(weight.sum(axis=1)).max() < 1e-12  # whatever is added to all log-probabilities of a row


def test_few_rows_leave_platts_line_close_to_the_diagonal():
    """((a - 1)^2 + b^2) / 2 on the sum of the losses of a log-odds + b, minimised once more by differences."""
    probability, truth = draw(25, 2, 5, 2.0, 0.8)
    log_odds = np.log(probability[:, 1] / probability[:, 0])

    def objective(x):
        margins = (x[0] * log_odds + x[1]) * np.where(truth == 1, 1, -1)
        return np.log1p(np.exp(-margins)).sum() + ((x[0] - 1) ** 2 + x[1] ** 2) / 2

    a, b = minimize(objective, [1.0, 0.0], method="BFGS").x
    predicted = compile(fit("platt", probability, truth))(probability)[:, 1]
    np.testing.assert_allclose(predicted, 1 / (1 + np.exp(-a * log_odds - b)), atol=2e-3)


def test_few_rows_leave_the_matrix_close_to_a_temperature():
    probability, truth = draw(60, 5, 1, 2.0)
    weight, bias = fit_affine("matrix", probability, truth)
    off = weight - weight.mean(axis=0)
    assert np.abs(off - np.diag(np.diag(off)))[~np.eye(5, dtype=bool)].max() < np.diag(weight).min()
    assert np.abs(bias).max() < 0.5


def test_none_changes_nothing():
    probability, truth = draw(50, 3, 0)
    np.testing.assert_allclose(
        logit_affine(probability, *fit_affine("none", probability, truth)), probability, atol=1e-12
    )


SCALINGS = {"temperature", "platt", "beta", "quadratic", "vector", "matrix"}


@given(k=st.integers(2, 4), seed=st.integers(0, 1000), n=st.integers(4, 60))
@settings(max_examples=25)
def test_no_scaling_is_worse_on_its_own_rows_than_leaving_them_alone(k, seed, n):
    probability, truth = draw(n, k, seed, 2.0)
    for calibrator in (c for c in calibrators(k) if c.name in SCALINGS):
        output = compile(calibrator.fit(probability, truth, k))(probability)
        assert loss(output, truth) <= loss(probability, truth) + 1e-6


@pytest.mark.parametrize("k", [2, 3])
def test_separable_and_absolutely_certain_predictions_do_not_run_away(k):
    truth = np.arange(60) % k
    for probability in (np.eye(k)[truth], np.eye(k)[(truth + 1) % k], np.eye(k)[truth] * 0.8 + 0.2 / k):
        for calibrator in calibrators(k):
            program = calibrator.fit(probability, truth, k)
            assert all(np.isfinite(array).all() for array in program.arrays.values())
            assert np.abs(np.concatenate([a.ravel() for a in program.arrays.values()])).max() < 50
            assert np.isfinite(compile(program)(probability)).all()


@given(k=st.integers(3, 5), seed=st.integers(0, 1000), n=st.integers(6, 200))
@settings(max_examples=25)
def test_in_a_matrix_more_of_a_class_never_means_less_of_it(k, seed, n):
    rng = np.random.default_rng(seed)
    probability, truth = rng.dirichlet(np.ones(k), size=n), rng.integers(k, size=n)
    for name in ("vector", "matrix"):
        weight, _ = fit_affine(name, probability, truth)
        assert (np.diag(weight) > np.where(np.eye(k, dtype=bool), -np.inf, weight).max(axis=0)).all()
