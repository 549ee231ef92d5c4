"""Ops ``squash``, ``periodic`` and ``dense``: the layers of a neural network for tables, those of RealMLP (Holzmüller,
Grinsztajn & Steinwart 2024, arXiv 2407.04491). Its last layer is op ``linear``.
"""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.limits import CALL, LARGEST, Cost
from sortal.engine.program import Program
from sortal.engine.step import Step, count, fail, floats, indices

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
"""Klambauer, Unterthiner, Mayr & Hochreiter (2017), "Self-normalizing neural networks"."""
SMALLEST_CUT = 1e-100
"""So that a number of at most 1e100 over it is still a number."""


def squash(x: Floats, cut: Floats) -> Floats:
    """x / sqrt(1 + (x / cut)^2), a ``cut`` for each column: numbers near 0 stay as they are, none goes beyond it.

    >>> squash(np.array([[0.01], [3.0], [-1e100]]), np.array([3.0])).ravel().round(3)
    array([ 0.01 ,  2.121, -3.   ])
    """
    squashed: Floats = x / np.hypot(1.0, x / cut)
    return squashed


def periodic(x: Floats, frequency: Floats, phase: Floats, weight: Floats, bias: Floats) -> Floats:
    """Cosines of each column, and a layer of them: (n, k) with (k, f), (k, f), (k, f, m), (k, m) to (n, k m).

    Gorishniy, Rubachev & Babenko (2022), "On embeddings for numerical features in tabular deep learning"; with biases,
    linear, and beside the column itself (PBLD) as RealMLP has them.

    >>> half = np.array([[0.5]])
    >>> periodic(np.array([[1.0]]), half, np.zeros((1, 1)), np.array([[[2.0]]]), half).round(12)
    array([[-1.5]])
    """
    n, k, m = len(x), *bias.shape
    cosine = np.cos(2 * np.pi * (x[:, :, None] * frequency + phase))
    # For each column a product of its cosines (n, f) with (f, m).
    embedded = np.matmul(cosine.transpose(1, 0, 2), weight) + bias[:, None]
    return _within(embedded.transpose(1, 0, 2).reshape(n, k * m))


def dense(x: Floats, weight: Floats, bias: Floats) -> Floats:
    """selu(x @ weight + bias): (n, d) with (d, m) and (m,) to (n, m).

    >>> dense(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0], [1.0, -500.0]]), np.zeros(2)).round(4)
    array([[ 3.1521, -1.7581]])
    """
    z: Floats = x @ weight
    z += bias
    return _within(selu(z))


def selu(z: Floats) -> Floats:
    """``SELU_SCALE`` times z above 0, and ``SELU_ALPHA`` (exp(z) - 1) below."""
    y = np.expm1(np.minimum(z, 0.0))
    y *= SELU_ALPHA
    y += np.maximum(z, 0.0)
    y *= SELU_SCALE
    return y


def _within(z: Floats) -> Floats:
    """Enormous weights, which only a made-up file has, give no number beyond those that the next step can take."""
    return np.clip(z, -LARGEST, LARGEST, out=z)


def squash_step(program: Program) -> Step:
    """The op, checked."""
    cut = floats(program, "cut", (None,))
    if not len(cut) or cut.min() < SMALLEST_CUT:
        raise fail("squash", f"array 'cut' is empty, or holds numbers below {SMALLEST_CUT:g}")
    d = len(cut)
    return Step("squash", lambda x: squash(x, cut), d, Cost(8 * CALL, 30 * d, 24 * d), inputs=d)


def periodic_step(program: Program) -> Step:
    """The op, checked: it appends the embeddings of the columns ``index``."""
    width = count(program, "columns", least=1)
    index = indices(program, "index", width)
    frequency = floats(program, "frequency", (len(index), None))
    f = frequency.shape[1]
    phase = floats(program, "phase", (len(index), f))
    weight = floats(program, "weight", (len(index), f, None))
    m = weight.shape[2]
    bias = floats(program, "bias", (len(index), m))

    def run(x: Floats) -> Floats:
        return np.hstack([x, periodic(x[:, index], frequency, phase, weight, bias)])

    cosines, outputs = len(index) * f, width + len(index) * m
    # The cosine of an enormous angle takes a hundred operations.
    cost = Cost(20 * CALL, 120 * cosines + cosines * m + 4 * outputs, 40 * cosines + 32 * outputs)
    return Step("periodic", run, outputs, cost, inputs=width, needs=True)


def dense_step(program: Program) -> Step:
    """The op, checked."""
    weight = floats(program, "weight", (None, None))
    d, m = weight.shape
    bias = floats(program, "bias", (m,))
    if not d or not m:
        raise fail("dense", "has no weights")
    return Step(
        "dense", lambda x: dense(x, weight, bias), m, Cost(15 * CALL, d * m + 40 * m, 48 * m), inputs=d, needs=True
    )
