"""Many tests at once: how often any of them is false."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats


def holm(p_values: Floats) -> Floats:
    """(m,) adjusted p-values: with those of at most .05 called true, any is false in at most .05 of all runs.

    Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure". However the tests hang together, and however
    many differences there really are.

    >>> holm(np.array([0.01, 0.04, 0.03, 0.005])).round(3).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    m, order = len(p_values), np.argsort(p_values, kind="stable")
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(np.maximum.accumulate((m - np.arange(m)) * p_values[order]), 1.0)
    return adjusted
