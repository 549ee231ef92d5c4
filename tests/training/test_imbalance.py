from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from sortal.engine import compile as compile_program
from sortal.training.imbalance import balanced, correction

LAWS = settings(deadline=None, max_examples=60)
SEEDS = st.integers(0, 2**32 - 1)


@LAWS
@given(st.lists(st.integers(1, 200), min_size=2, max_size=6))
def test_balanced_weights_are_those_of_scikit_learn(counts: list[int]) -> None:
    codes = np.repeat(np.arange(len(counts)), counts)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=codes)
    np.testing.assert_allclose(balanced(codes, len(counts)), expected)


@LAWS
@given(st.lists(st.integers(1, 200), min_size=2, max_size=6))
def test_every_class_weighs_the_same_and_all_rows_together_what_they_did(counts: list[int]) -> None:
    codes = np.repeat(np.arange(len(counts)), counts)
    sums = np.bincount(codes, weights=balanced(codes, len(counts))[codes])
    np.testing.assert_allclose(sums, len(codes) / len(counts))


@LAWS
@given(SEEDS, st.integers(2, 6))
def test_the_correction_gives_back_the_probabilities_of_the_true_class_shares(seed: int, k: int) -> None:
    """With densities f and weights w, a perfect model says w prior f / sum weighted, and prior f / sum unweighted."""
    rng = np.random.default_rng(seed)
    prior, density = rng.dirichlet(np.ones(k)) + 1e-3, rng.gamma(1.0, size=(50, k)) + 1e-3
    weights = rng.uniform(0.1, 10.0, size=k)

    def posterior(shares: np.ndarray) -> np.ndarray:
        joint = shares * density
        return joint / joint.sum(axis=1, keepdims=True)

    corrected = compile_program(correction(weights))(posterior(weights * prior))
    np.testing.assert_allclose(corrected, posterior(prior), rtol=1e-9)
