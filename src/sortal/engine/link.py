"""From sums to probabilities: the inverse link functions of generalised linear models."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats

OVERFLOW = 709.0
"""Up to here ``exp`` is a number."""


def sigmoid(z: Floats) -> Floats:
    """Log-odds of class 1, (n,) -> (n, 2). Each class for itself, so that tiny ones keep their digits.

    >>> sigmoid(np.array([0.0, -50.0]))
    array([[5.00000000e-01, 5.00000000e-01],
           [1.00000000e+00, 1.92874985e-22]])
    """
    both = np.empty((len(z), 2))
    both[:, 0], both[:, 1] = z, -z
    if len(z) == 1 and abs(z.item()) < OVERFLOW:  # of one row, to ignore what cannot be takes a third of the time
        np.exp(both, out=both)
    else:
        with np.errstate(over="ignore"):
            np.exp(both, out=both)
    both += 1.0
    return np.reciprocal(both, out=both)


def softmax(z: Floats) -> Floats:
    """Scores of K classes, (n, K) -> (n, K); rows sum to 1."""
    probability: Floats = np.exp(z - z.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    return probability


def platt(z: Floats, a: Floats, b: Floats) -> Floats:
    """Platt's sigmoid of each margin, q = 1 / (1 + exp(a z + b)) (Platt 1999).

    One margin, (n, 1) -> (1 - q, q). K margins, (n, K) -> q over its row sum; a row of zeros becomes uniform.
    """
    with np.errstate(over="ignore"):
        affine = a * z + b
    if z.shape[1] == 1:
        return sigmoid(-affine[:, 0])
    with np.errstate(over="ignore"):
        q = 1.0 / (1.0 + np.exp(affine))
    total = q.sum(axis=1, keepdims=True)
    probability: Floats = np.full_like(q, 1.0 / q.shape[1])
    np.divide(q, total, out=probability, where=total > 0)
    return probability
