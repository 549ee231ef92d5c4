from __future__ import annotations

import numpy as np

from sortal.engine import compile
from sortal.models.baseline import majority, tree
from sortal.models.family import FitRequest, Rows


def request(y):
    rng = np.random.default_rng(0)
    return FitRequest(Rows(rng.normal(size=(len(y), 3)), np.asarray(y)), n_classes=3, seed=0)


def test_the_majority_says_the_shares_of_the_classes():
    fitted = majority.fit(request([0] * 6 + [1] * 3 + [2]), {})
    assert fitted.predict_proba(np.zeros((2, 3))).tolist() == [[0.6, 0.3, 0.1]] * 2


def test_no_leaf_of_the_shallow_tree_is_certain():
    fit_request = request([0] * 40 + [1] * 40 + [2] * 20)
    fitted = tree.fit(fit_request, {})
    probability = fitted.predict_proba(fit_request.train.X)
    assert probability.min() > 0
    assert np.allclose(probability.sum(axis=1), 1)
    assert np.array_equal(probability, compile(fitted.program())(fit_request.train.X))


def test_leaves_follow_laplaces_rule():
    fit_request = FitRequest(Rows(np.repeat([[0.0], [1.0]], 10, axis=0), np.repeat([0, 1], 10)), n_classes=2, seed=0)
    fitted = tree.fit(fit_request, {"min_samples_leaf": 5})
    assert np.allclose(fitted.predict_proba(np.array([[0.0]])), [[11 / 12, 1 / 12]])
