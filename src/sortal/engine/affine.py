"""Op ``logit_affine``: an affine map of log-probabilities. Every built-in calibrator is one."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.link import softmax

SMALLEST = 1e-15
"""Probabilities below this are read as this before the logarithm, here and when a calibrator is fitted."""


def log_probability(probability: Floats) -> Floats:
    """Logarithm of probabilities, clipped to [1e-15, 1].

    >>> log_probability(np.array([1.0, 0.0])).round(3) + 0.0
    array([  0.   , -34.539])
    """
    return np.log(np.clip(probability, SMALLEST, 1.0))


def logit_affine(probability: Floats, weight: Floats, bias: Floats) -> Floats:
    """softmax(log p @ weight.T + bias): (n, K) probabilities to (n, K) probabilities.

    ``weight`` is (K, K), ``bias`` (K,). With weight = identity / T and no bias this is temperature scaling
    (Guo et al. 2017); with any diagonal, vector scaling; with one slope and one bias in two classes, Platt
    scaling of the log-odds. Probabilities below 1e-15 count as 1e-15; the row maximum is taken off before the
    exponentials, so that nothing overflows.

    >>> p = np.array([[0.8, 0.2]])
    >>> logit_affine(p, 0.5 * np.eye(2), np.zeros(2)).round(3)
    array([[0.667, 0.333]])
    """
    return softmax(log_probability(probability) @ weight.T + bias)
