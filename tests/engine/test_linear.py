from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.calibration import _SigmoidCalibration
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from sortal.engine import Program, compile


def data(classes):
    return make_classification(400, 8, n_informative=6, n_classes=classes, random_state=classes)


def linear(link, coef, intercept, **arrays):
    return compile(Program("linear", {"link": link}, {"coef": coef, "intercept": intercept, **arrays}))


@pytest.mark.parametrize(("classes", "link"), [(2, "sigmoid"), (4, "softmax")])
def test_logistic_regression(classes, link):
    X, y = data(classes)
    model = LogisticRegression(C=3.0).fit(X, y)
    probability = linear(link, model.coef_, model.intercept_)(50 * X)
    expected = model.predict_proba(50 * X)
    assert_allclose(probability, expected, rtol=1e-12, atol=1e-15)
    assert_array_equal(probability.argmax(axis=1), expected.argmax(axis=1))


def test_platt_of_two_classes_is_sigmoid_calibration():
    X, y = data(2)
    svm = LinearSVC().fit(X, y)
    margin = svm.decision_function(X)
    calibration = _SigmoidCalibration().fit(margin, y)
    a, b = np.array([calibration.a_]), np.array([calibration.b_])
    probability = linear("platt", svm.coef_, svm.intercept_, a=a, b=b)(X)
    q = calibration.predict(margin)
    assert_allclose(probability, np.column_stack([1 - q, q]), atol=1e-15)


def test_platt_of_more_classes_is_normalised():
    rng = np.random.default_rng(0)
    coef, intercept, a, b = rng.normal(size=(3, 5)), rng.normal(size=3), -rng.random(3), rng.normal(size=3)
    X = rng.normal(size=(50, 5))
    q = expit(-(a * (X @ coef.T + intercept) + b))
    probability = linear("platt", coef, intercept, a=a, b=b)(X)
    assert_allclose(probability, q / q.sum(axis=1, keepdims=True), rtol=1e-13)


def test_platt_where_no_class_is_left_is_uniform():
    zero, big = np.zeros((3, 1)), np.full(3, 1e6)
    assert_allclose(linear("platt", zero, np.zeros(3), a=np.zeros(3), b=big)(np.zeros((1, 1))), 1 / 3)


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
def test_extreme_scores_neither_overflow_nor_lose_the_small_side(link):
    coef = np.array([[1.0]]) if link == "sigmoid" else np.array([[0.0], [1.0]])
    z = np.array([-1e4, -700.0, -40.0, 0.0, 40.0, 700.0, 1e4])
    probability = linear(link, coef, np.zeros(len(coef)))(z[:, None])
    assert_allclose(probability, softmax(np.column_stack([0 * z, z]), axis=1), rtol=1e-14)
    assert probability[2, 1] > 0


def test_constant():
    p = np.array([0.2, 0.5, 0.3])
    probability = compile(Program("constant", {}, {"probability": p}))(np.zeros((4, 7)))
    assert_array_equal(probability, np.tile(p, (4, 1)))


def test_logit_affine_is_the_softmax_of_weighted_log_probabilities():
    rng = np.random.default_rng(1)
    weight, bias = rng.normal(size=(3, 3)), rng.normal(size=3)
    p = rng.dirichlet(np.ones(3), size=20)
    probability = compile(Program("logit_affine", {}, {"weight": weight, "bias": bias}))(p)
    assert_allclose(probability, softmax(np.log(p) @ weight.T + bias, axis=1), rtol=1e-12)


def test_spread_puts_columns_where_their_classes_are() -> None:
    run = compile(Program("spread", {"classes": 4}, {"index": np.array([1, 3])}))
    assert run(np.array([[0.25, 0.75]])).tolist() == [[0.0, 0.25, 0.0, 0.75]]


@pytest.mark.parametrize("index", [[3, 1], [1, 1], [-1, 2], [0, 4], []])
def test_spread_refuses_an_index_that_names_no_classes(index: list[int]) -> None:
    with pytest.raises(ValueError, match="spread"):
        compile(Program("spread", {"classes": 4}, {"index": np.array(index, dtype=np.int64)}))
