from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from sortal.engine.affine import log_probability, logit_affine


@given(k=st.integers(2, 6), seed=st.integers(0, 10_000))
@settings(max_examples=40)
def test_it_is_softmax_of_an_affine_map(k, seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.3), size=20)
    weight, bias = rng.normal(size=(k, k)), rng.normal(size=k)
    expected = softmax(np.log(np.maximum(p, 1e-15)) @ weight.T + bias, axis=1)
    np.testing.assert_allclose(logit_affine(p, weight, bias), expected, rtol=1e-10, atol=1e-14)


def test_the_identity_changes_nothing_but_the_clipped():
    p = np.array([[0.2, 0.8], [1.0, 0.0], [1e-300, 1.0]])
    same = logit_affine(p, np.eye(2), np.zeros(2))
    np.testing.assert_allclose(same, [[0.2, 0.8], [1.0, 1e-15], [1e-15, 1.0]], rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_nothing_overflows(scale):
    p = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    out = logit_affine(p, scale * np.eye(2), np.array([500.0, -500.0]))
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out.sum(axis=1), 1.0)


def test_the_clip_is_documented():
    assert np.exp(log_probability(np.array([0.0])))[0] == pytest.approx(1e-15)
