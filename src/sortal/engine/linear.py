"""Ops ``linear``, ``constant`` and ``spread``."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine import link
from sortal.engine.limits import CALL, Cost
from sortal.engine.program import Program
from sortal.engine.sparse import Sparse
from sortal.engine.step import Run, Step, array, choice, count, fail, floats


def linear(program: Program) -> Step:
    """Scores z = x @ coef.T + intercept, then the link.

    sigmoid: one row of ``coef``, z is the log-odds of class 1. softmax: a row for each of K >= 2 classes.
    platt: margins, one row (binary) or K rows, each through 1 / (1 + exp(a z + b)), then over their sum.
    """
    kind = choice(program, "link", ("sigmoid", "softmax", "platt"))
    coef = floats(program, "coef", (None, None))
    m, d = coef.shape
    intercept = floats(program, "intercept", (m,))
    if m < 1 or (kind == "sigmoid" and m != 1) or (kind == "softmax" and m < 2):
        raise fail("linear", f"link '{kind}' does not go with {m} rows of 'coef'")
    weight = np.ascontiguousarray(coef.T)  # a row for each column, which few of a sparse row need

    def scores(x: Floats | Sparse) -> Floats:
        z: Floats = x.times(weight) if isinstance(x, Sparse) else x @ weight
        z += intercept
        return z

    def step(run: Run, outputs: int) -> Step:
        cost = Cost(20 * CALL, m * d + 30 * outputs, 8 * d + 64 * outputs)
        return Step("linear", run, outputs, cost, inputs=d, needs=True, fills=True, takes_sparse=True)

    if kind == "sigmoid":
        return step(lambda x: link.sigmoid(scores(x)[:, 0]), 2)
    if kind == "softmax":
        return step(lambda x: link.softmax(scores(x)), m)
    a, b = floats(program, "a", (m,)), floats(program, "b", (m,))
    return step(lambda x: link.platt(scores(x), a, b), max(m, 2))


def constant(program: Program) -> Step:
    """The same probabilities for every row."""
    probability = floats(program, "probability", (None,))
    if len(probability) < 2 or probability.min() < 0 or abs(probability.sum() - 1) > 1e-9:
        raise fail("constant", "array 'probability' does not sum to one, or holds negative values")
    k = len(probability)
    return Step(
        "constant",
        lambda x: np.tile(probability, (len(x), 1)),
        k,
        Cost(5 * CALL, k, 8 * k),
        fills=True,
        takes_sparse=True,
    )


def spread(program: Program) -> Step:
    """Probabilities of some classes among all: column i becomes column ``index[i]``, the others are zero."""
    classes, index = count(program, "classes", least=1), array(program, "index", "iu", (None,)).astype(np.int64)
    if not len(index) or (np.diff(index) <= 0).any():
        raise fail("spread", "needs an ascending index")
    if index[0] < 0 or index[-1] >= classes:
        raise fail("spread", f"array 'index' leaves the {classes} classes")

    def run(x: Floats) -> Floats:
        full = np.zeros((len(x), classes))
        full[:, index] = x
        return full

    return Step("spread", run, classes, Cost(3 * CALL, 2 * classes, 8 * classes), inputs=len(index))
