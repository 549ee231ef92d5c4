"""Op ``fourier``: random Fourier features, under which a linear model is a machine with the Gaussian (RBF) kernel.

Rahimi & Recht (2007), "Random features for large-scale kernel machines": with frequencies drawn from a normal
distribution of variance 2 gamma, the product of the features of two rows is, in the mean, exp(-gamma |x - y|^2). Unlike
support vectors, the features are no rows of the training data.
"""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.limits import CALL, LARGEST, Cost
from sortal.engine.program import Program
from sortal.engine.step import Step, fail, floats


def fourier(x: Floats, frequency: Floats, cut: float) -> Floats:
    """Cosines and sines of ``x @ frequency`` over the root of their number: (n, d) with (d, m) to (n, 2 m).

    Numbers beyond ``cut`` are read as it: far away all rows are equally unlike, and of enormous numbers a cosine has no
    digit right.

    >>> fourier(np.array([[0.0], [1.0], [9.0]]), np.array([[np.pi / 2]]), cut=1.0).round(12) + 0.0
    array([[1., 0.],
           [0., 1.],
           [0., 1.]])
    """
    m = frequency.shape[1]
    angle = np.clip(x, -cut, cut) @ frequency
    features = np.empty((len(angle), 2 * m))
    np.cos(angle, out=features[:, :m])
    np.sin(angle, out=features[:, m:])
    features /= np.sqrt(m)
    return features


def step(program: Program) -> Step:
    """The op, checked."""
    frequency, cut = floats(program, "frequency", (None, None)), program.settings.get("cut")
    d, m = frequency.shape
    if not d or not m:
        raise fail("fourier", "has no frequencies")
    if isinstance(cut, bool) or not isinstance(cut, int | float) or not 0 < cut <= LARGEST:
        raise fail("fourier", f"setting 'cut' is {cut!r}, expected a number above 0 and at most {LARGEST:g}")
    # The cosine of a small angle takes some ten operations, that of an enormous one a hundred.
    cost = Cost(10 * CALL, d * m + 250 * m, 8 * d + 40 * m)
    return Step("fourier", lambda x: fourier(x, frequency, float(cut)), 2 * m, cost, inputs=d, needs=True)
