"""The focal loss: derivatives against finite differences, the start, and boosters that minimise it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from sortal.core import registry
from sortal.engine import compile
from sortal.models import focal as focal_loss
from sortal.models.family import FitRequest, Rows
from sortal.models.focal import Focal, objective

BOOSTERS = ("lightgbm", "xgboost")
GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
STEP = 1e-4


def rows(y, weight=None):
    return Rows(np.zeros((len(y), 1)), y, weight)


def sample(classes, gamma, n=300, seed=0):
    """A focal loss with some start, and scores and classes of n rows."""
    rng = np.random.default_rng([seed, classes])
    outputs = 1 if classes == 2 else classes
    scores = rng.normal(scale=2.0, size=(n, outputs))
    loss = Focal(gamma, rng.normal(size=outputs))
    return loss, scores[:, 0] if classes == 2 else scores, rng.integers(classes, size=n)


def losses(loss, scores, y):
    """The focal loss of each row, from its definition."""
    z = scores.reshape(len(y), -1) + loss.start
    log_v = log_softmax(np.hstack([0 * z, z]) if len(loss.start) == 1 else z, axis=1)[np.arange(len(y)), y]
    return -((-np.expm1(log_v)) ** loss.gamma) * log_v


def moved(scores, output, by):
    step = np.zeros_like(scores)
    step.reshape(len(scores), -1)[:, output] = by
    return scores + step


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_gradient_is_that_of_finite_differences(classes, gamma):
    loss, scores, y = sample(classes, gamma)
    gradient, _ = loss.derivatives(scores, rows(y))
    for j in range(len(loss.start)):
        up, down = (losses(loss, moved(scores, j, by), y) for by in (STEP, -STEP))
        np.testing.assert_allclose(gradient.reshape(len(y), -1)[:, j], (up - down) / (2 * STEP), atol=1e-7)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_hessian_is_the_mean_over_the_honest_probabilities_of_finite_differences(classes, gamma):
    loss, scores, y = sample(classes, gamma)
    _, hessian = loss.derivatives(scores, rows(y))
    assert (hessian > 0).all()
    honest = loss.predict_proba(scores)
    factor = 1.0 if classes == 2 else classes / (classes - 1)
    for j in range(len(loss.start)):
        second = np.zeros(len(y))
        for t in range(classes):
            up, middle, down = (losses(loss, moved(scores, j, by), np.full(len(y), t)) for by in (STEP, 0.0, -STEP))
            second += honest[:, t] * (up - 2 * middle + down) / STEP**2
        np.testing.assert_allclose(hessian.reshape(len(y), -1)[:, j], factor * second, atol=1e-6)


def test_rows_beyond_a_chunk_are_derived_like_the_others(monkeypatch):
    loss, scores, y = sample(3, 2.0)
    whole = loss.derivatives(scores, rows(y))
    monkeypatch.setattr(focal_loss, "CHUNK", 7)
    for expected, actual in zip(whole, loss.derivatives(scores, rows(y)), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_weights_multiply(classes):
    loss, scores, y = sample(classes, 2.0)
    weight = np.random.default_rng(1).random(len(y))
    for plain, weighted in zip(
        loss.derivatives(scores, rows(y)), loss.derivatives(scores, rows(y, weight)), strict=True
    ):
        np.testing.assert_allclose(weighted, (plain.T * weight).T)


@pytest.mark.parametrize("classes", [2, 3])
def test_what_it_stops_by_is_the_log_loss_of_the_honest_probabilities_by_weight(classes):
    loss, scores, y = sample(classes, 2.0)
    row_loss = -np.log(loss.predict_proba(scores)[np.arange(len(y)), y])
    weight = np.random.default_rng(1).random(len(y))
    assert loss.log_loss(scores, rows(y)) == pytest.approx(row_loss.mean())
    assert loss.log_loss(scores, rows(y, weight)) == pytest.approx((weight * row_loss).sum() / weight.sum())


def test_without_gamma_it_is_the_log_loss():
    loss, scores, y = sample(2, 0.0)
    p = expit(scores + loss.start)
    gradient, hessian = loss.derivatives(scores, rows(y))
    np.testing.assert_allclose(gradient, p - y, atol=1e-12)
    np.testing.assert_allclose(hessian, p * (1 - p), atol=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("counts", [(50, 50), (9_990, 10), (5, 30, 65), (1, 9, 990)])
def test_the_start_is_the_constant_model_that_no_step_improves(counts, gamma):
    y = np.repeat(np.arange(len(counts)), counts)
    request = FitRequest(rows(y), len(counts), seed=0)
    loss = objective(request, {"focal": gamma})
    scores = np.zeros(len(y) if len(counts) == 2 else (len(y), len(counts)))
    np.testing.assert_allclose(loss.predict_proba(scores)[0], np.array(counts) / len(y), rtol=1e-9)
    gradient, _ = loss.derivatives(scores, rows(y))
    np.testing.assert_allclose(gradient.mean(axis=0), 0, atol=1e-12)


def problem(n=3_000, share=0.05, seed=0):
    """Rows whose probabilities are known, a rare class, and the request to fit them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    p = expit(1.5 * X[:, 0] + X[:, 1] + np.log(share / (1 - share)) - 1.0)
    y = (rng.random(n) < p).astype(np.int64)
    train = np.arange(n) < n - n // 4
    return FitRequest(Rows(X[train], y[train]), 2, seed=0, stop=Rows(X[~train], y[~train])), X, p


@pytest.mark.parametrize("name", BOOSTERS)
def test_without_gamma_a_booster_learns_what_it_learns_by_its_own_objective(name):
    request, X, _ = problem()
    family = registry.load("sortal.models", name)
    options = {"rounds": 10, "learning_rate": 0.1}
    own = family.fit(request, options).predict_proba(X)
    probability = family.fit(request, {**options, "focal": 0.0}).predict_proba(X)
    assert np.quantile(np.abs(probability - own), 0.99) < 1e-5


@pytest.mark.parametrize("name", BOOSTERS)
def test_its_probabilities_are_honest_and_those_before_the_correction_are_not(name):
    request, X, p = problem(n=6_000)
    fitted = registry.load("sortal.models", name).fit(request, {"focal": 2.0, "learning_rate": 0.05})
    honest = fitted.predict_proba(X)[:, 1]
    forest = fitted.program().steps[0]
    minimiser = compile(forest)(X)[:, 1]
    assert abs(honest.mean() - p.mean()) < 0.01
    assert minimiser.mean() > p.mean() + 0.05
    assert np.abs(honest - p).mean() < 0.03


@pytest.mark.parametrize("name", BOOSTERS)
def test_it_stops_where_the_log_loss_of_the_honest_probabilities_is_least(name):
    request, _, _ = problem()
    family = registry.load("sortal.models", name)
    options = {"focal": 2.0, "learning_rate": 0.2}
    stopped = family.fit(request, {**options, "rounds": 60})

    def loss(rounds):
        p = family.fit(replace(request, stop=None), {**options, "rounds": rounds}).predict_proba(request.stop.X)
        return -np.log(p[np.arange(len(p)), request.stop.y]).mean()

    best = stopped.effort["rounds"]
    assert 1 < best < 60
    around = [loss(rounds) for rounds in (best - 1, best, best + 1, best + 5, 60)]
    assert min(around) == around[1]
