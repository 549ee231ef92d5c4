from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.decide.calibrate import calibrators, choose
from sortal.engine.affine import logit_affine


def draw(n: int, k: int, seed: int, sharpness: float = 1.0, shift: float = 0.0):
    """Probabilities that are too sharp and shifted by a known amount, and truth as they should have been."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, k))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.minimum((rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1), k - 1)
    told = p**sharpness * np.exp(shift * np.arange(k))
    return told / told.sum(axis=1, keepdims=True), truth


def predictions(probability, truth) -> Predictions:
    n, k = probability.shape
    return Predictions(tuple(map(str, range(k))), np.arange(n), truth, probability, "out-of-fold")


def fitted(name: str, probability, truth):
    program = registry.load("sortal.calibrators", name).fit(probability, truth, probability.shape[1])
    assert program.op == "logit_affine"
    return program.arrays["weight"], program.arrays["bias"]


def loss(probability, truth) -> float:
    return -np.log(probability[np.arange(len(truth)), truth]).mean()


def test_each_is_offered_to_the_tasks_that_it_is_for():
    assert {c.name for c in calibrators(2)} == {"temperature", "platt", "beta"}
    assert {c.name for c in calibrators(5)} == {"temperature", "vector"}


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0])
def test_temperature_finds_how_much_too_sharp_they_were(k, sharpness):
    weight, bias = fitted("temperature", *draw(20_000, k, 0, sharpness))
    np.testing.assert_allclose(weight, np.eye(k) / sharpness, atol=0.05 / sharpness)
    assert not bias.any()


def test_platt_is_logistic_regression_of_the_log_odds():
    probability, truth = draw(5000, 2, 1, 1.7, 0.8)
    weight, bias = fitted("platt", probability, truth)
    log_odds = np.log(probability[:, 1] / probability[:, 0])[:, None]
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(log_odds, truth)
    assert weight[1, 1] == weight[0, 0] == pytest.approx(oracle.coef_[0, 0], rel=1e-2)
    assert bias[1] - bias[0] == pytest.approx(oracle.intercept_[0], rel=1e-2)


def test_beta_is_logistic_regression_of_both_log_probabilities():
    probability, truth = draw(5000, 2, 2, 1.7, 0.8)
    weight, bias = fitted("beta", probability, truth)
    features = np.log(probability) * [-1, 1]
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(features, truth)
    np.testing.assert_allclose([weight[0, 0], weight[1, 1]], oracle.coef_[0], rtol=2e-2)
    assert bias[1] - bias[0] == pytest.approx(oracle.intercept_[0], abs=0.02)


def test_vector_scaling_undoes_a_scale_and_a_shift():
    probability, truth = draw(20_000, 3, 3, 1.5, 0.7)
    weight, bias = fitted("vector", probability, truth)
    np.testing.assert_allclose(weight, np.eye(3) / 1.5, atol=0.05)
    np.testing.assert_allclose(bias, -np.arange(3) * 0.7 / 1.5, atol=0.1)


def test_none_changes_nothing():
    probability, truth = draw(50, 3, 0)
    weight, bias = fitted("none", probability, truth)
    np.testing.assert_allclose(logit_affine(probability, weight, bias), probability, atol=1e-12)


@given(k=st.integers(2, 4), seed=st.integers(0, 1000), n=st.integers(4, 60))
@settings(deadline=None, max_examples=25)
def test_no_fit_is_worse_on_its_own_rows_than_leaving_them_alone(k, seed, n):
    probability, truth = draw(n, k, seed, 2.0)
    for calibrator in calibrators(k):
        program = calibrator.fit(probability, truth, k)
        fixed = logit_affine(probability, program.arrays["weight"], program.arrays["bias"])
        assert loss(fixed, truth) <= loss(probability, truth) + 1e-9


@pytest.mark.parametrize("k", [2, 3])
def test_separable_and_absolutely_certain_predictions_do_not_run_away(k):
    truth = np.arange(60) % k
    for probability in (np.eye(k)[truth], np.eye(k)[(truth + 1) % k], np.eye(k)[truth] * 0.8 + 0.2 / k):
        for calibrator in calibrators(k):
            program = calibrator.fit(probability, truth, k)
            assert (np.diag(program.arrays["weight"]) > 0).all()
            assert np.abs(program.arrays["weight"]).max() < 50
            assert np.isfinite(program.arrays["bias"]).all()


@pytest.mark.parametrize("k", [2, 3])
def test_the_overconfident_are_calibrated_and_the_gain_is_real(k):
    found = choose(predictions(*draw(3000, k, 4, 2.0)), seed=0)
    assert found.method == found.candidate != "none"
    assert found.gain > found.standard_error
    assert found.log_loss_after == pytest.approx(found.log_loss_before - found.gain)
    fresh, truth = draw(20_000, k, 5, 2.0)
    fixed = logit_affine(fresh, found.program.arrays["weight"], found.program.arrays["bias"])
    assert loss(fresh, truth) - loss(fixed, truth) > found.gain / 2


@pytest.mark.parametrize("n", [20, 300, 3000])
def test_the_calibrated_are_mostly_left_alone(n):
    methods = [choose(predictions(*draw(n, 2, seed)), seed=seed).method for seed in range(20)]
    assert methods.count("none") >= 13
    alone = next(c for c in (choose(predictions(*draw(n, 2, s)), seed=s) for s in range(20)) if c.program is None)
    assert alone.log_loss_after == alone.log_loss_before
    assert alone.candidate in {"temperature", "platt", "beta"}


def test_the_choice_is_reproducible_and_takes_the_folds_it_is_given():
    given_rows = predictions(*draw(400, 3, 6, 1.5))
    assert repr(choose(given_rows, seed=1)) == repr(choose(given_rows, seed=1))
    fold = np.arange(400) % 4
    by_fold = choose(given_rows, fold=fold, seed=1)
    assert by_fold.gain != choose(given_rows, seed=1).gain
    assert choose(given_rows, fold=np.zeros(400, dtype=np.int64), seed=1).method == "none"


def test_a_class_that_is_rare_is_no_obstacle():
    probability, truth = draw(60, 3, 7)
    truth = np.where(truth == 2, 0, truth)
    truth[0] = 2
    found = choose(predictions(probability, truth), seed=0)
    assert np.isfinite([found.gain, found.standard_error, found.log_loss_after]).all()
