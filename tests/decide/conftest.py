"""Probabilities whose miscalibration is known, for the tests of calibrators and of the choice among them."""

from __future__ import annotations

import numpy as np

from sortal.core.predictions import Predictions


def draw(n: int, k: int, seed: int, sharpness: float = 1.0, shift: float = 0.0):
    """Probabilities that are too sharp and shifted by a known amount, and truth as they should have been."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, k))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.minimum((rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1), k - 1)
    weights = p**sharpness * np.exp(shift * np.arange(k))
    return weights / weights.sum(axis=1, keepdims=True), truth


def predictions(probability, truth) -> Predictions:
    n, k = probability.shape
    return Predictions(tuple(map(str, range(k))), np.arange(n), truth, probability, "out-of-fold")


def loss(probability, truth) -> float:
    return -np.log(probability[np.arange(len(truth)), truth]).mean()
