"""All thresholds of a score at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats


def descending(score: Floats) -> NDArray[np.int64]:
    """(n,) rows from the highest score to the lowest; equal ones in their order."""
    return np.argsort(-score, kind="stable")


def threshold_counts(
    positive: NDArray[np.bool_], score: Floats, order: NDArray[np.int64] | None = None
) -> tuple[Floats, Floats, Floats]:
    """Thresholds from high to low, one a distinct score, with the true and the false positives from each on.

    ``positive``: (n,) mask, ``score``: (n,) numbers, n > 0. Curves of ROC, precision and recall, F1 and
    cost all follow from these three (m,) arrays. ``order``: as ``descending`` gives it, where it is known already.

    >>> threshold_counts(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))
    (array([0.9, 0.5]), array([1., 2.]), array([0., 1.]))
    """
    order = descending(score) if order is None else order
    ranked = score[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true = np.cumsum(positive[order])[ends].astype(np.float64)
    return ranked[ends], true, ends + 1.0 - true
