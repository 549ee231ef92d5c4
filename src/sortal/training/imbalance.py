"""Class weights as one more candidate, with the correction that makes its probabilities honest again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortal.engine.program import Program


def balanced(codes: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """(K,) weights under which every class weighs the same in sum: n / (K * n_k), scikit-learn's ``balanced``.

    >>> balanced(np.array([0, 0, 0, 1]), 2).round(3)
    array([0.667, 2.   ])
    """
    counts = np.bincount(codes, minlength=n_classes)
    return len(codes) / (n_classes * np.maximum(counts, 1))


def correction(weights: NDArray[np.float64]) -> Program:
    """Undo the shift of the class shares that the weights made: p_k / w_k, normalised.

    Saerens, Latinne & Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori probabilities", eq. 2.4.
    """
    return Program("logit_affine", arrays={"weight": np.eye(len(weights)), "bias": -np.log(weights)})
