"""The kernel machine against scikit-learn's, and what it weighs."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import make_circles
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from sortal.engine.fourier import fourier
from sortal.models.family import FitRequest, Rows
from sortal.models.svm import CUT, FREQUENCIES, frequencies, kernel_svm, svm


def circles(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes that no line tells apart, and a column of noise."""
    X, y = make_circles(n, noise=0.2, factor=0.4, random_state=seed)
    X = np.column_stack([X, np.random.default_rng(seed).normal(scale=0.5, size=n)])
    return X / X.std(axis=0), y.astype(np.int64)


def test_its_kernel_is_the_gaussian_one_of_scikit_learns_scale() -> None:
    X, _ = circles(200, 0)
    features = fourier(X, frequencies(X, 0), CUT)
    assert features.shape == (200, 2 * FREQUENCIES)
    error = features @ features.T - rbf_kernel(X, gamma=1 / (X.shape[1] * X.var()))
    # The standard error of the mean of FREQUENCIES cosines is at most 1 / sqrt(2 * 500) = .032.
    assert np.abs(error).max() < 0.15
    assert np.sqrt((error**2).mean()) < 0.033


def test_it_tells_apart_what_the_exact_machine_does_and_the_linear_one_cannot() -> None:
    X, y = circles(600, 0)
    fresh, truth = circles(2_000, 1)
    request = FitRequest(Rows(X, y), n_classes=2, seed=0)
    kernel, linear = kernel_svm.fit(request, {}), svm.fit(request, {})
    exact = SVC().fit(X, y).score(fresh, truth)
    p = kernel.predict_proba(fresh)
    assert (p.argmax(axis=1) == truth).mean() > exact - 0.01
    assert log_loss(truth, p) < 0.35 < 0.6 < log_loss(truth, linear.predict_proba(fresh))
    assert kernel.importance.argmin() == 2
