"""Ops for two classes that move a probability along a curve which never falls: no ranking is turned around.

``monotone`` reads the curve from a table (isotonic regression, Venn-Abers), ``quadratic`` bends the log-odds.
"""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.affine import log_probability
from sortal.engine.limits import CALL, Cost
from sortal.engine.link import sigmoid
from sortal.engine.program import Program
from sortal.engine.step import Run, Step, choice, fail, floats

COST = Cost(40 * CALL, row=500, room=160)


def linear(p: Floats, knot: Floats, value: Floats) -> Floats:
    """The curve through (knot, value), level beyond its ends; all (m,) but ``p``.

    >>> linear(np.array([0.0, 0.3, 0.9]), np.array([0.2, 0.4]), np.array([0.1, 0.5]))
    array([0.1, 0.3, 0.5])
    """
    curve: Floats = np.interp(p, knot, value)
    # Between knots that hardly differ the slope is an infinity.
    return np.clip(curve, value[0], value[-1])


def stairs(p: Floats, knot: Floats, value: Floats) -> Floats:
    """Level between the knots, with values of their own at the knots.

    ``value``: (2m + 1,) below the first of m knots, at it, between it and the second, ..., above the last.

    >>> stairs(np.array([0.1, 0.2, 0.3]), np.array([0.2]), np.array([0.0, 0.5, 1.0]))
    array([0. , 0.5, 1. ])
    """
    return np.asarray(value[np.searchsorted(knot, p, side="left") + np.searchsorted(knot, p, side="right")])


def bend(z: Floats, ends: Floats, slope: Floats) -> Floats:
    """The integral from 0 to z of a slope that goes in a straight line from ``slope[0]`` at ``ends[0]`` to ``slope[1]``
    at ``ends[1]`` and is constant outside: a parabola with straight arms, which rises where both slopes are positive.

    >>> bend(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 2.0]), np.array([1.0, 3.0]))
    array([0. , 1.5, 4. , 7. ])
    """
    width = ends[1] - ends[0]

    def integral(t: Floats) -> Floats:
        """Integral from minus infinity to t of the second slope's share, which grows from 0 to 1."""
        inside = np.clip(t, ends[0], ends[1]) - ends[0]
        return np.asarray(inside**2 / (2 * width) + np.maximum(t - ends[1], 0.0))

    second = integral(z) - integral(np.zeros(1))
    return np.asarray(slope[0] * (z - second) + slope[1] * second)


def log_odds(probability: Floats) -> Floats:
    """(n, 2) -> (n,) ln p1 - ln p0; probabilities below 1e-15 count as 1e-15."""
    logs = log_probability(probability)
    return np.asarray(logs[:, 1] - logs[:, 0])


def monotone(program: Program) -> Step:
    """A table of the new probability of class 1 by the old one; setting ``between``: linear or stairs."""
    curve = {"linear": linear, "stairs": stairs}[choice(program, "between", ("linear", "stairs"))]
    knot = floats(program, "knot", (None,))
    value = floats(program, "value", (len(knot) if curve is linear else 2 * len(knot) + 1,))
    if not len(knot) or (np.diff(knot) <= 0).any():
        raise fail("monotone", "array 'knot' is empty or does not ascend")
    if (np.diff(value) < 0).any() or value[0] < 0 or value[-1] > 1:
        raise fail("monotone", "array 'value' falls somewhere, or leaves 0..1")

    def run(p: Floats) -> Floats:
        q = curve(p[:, 1], knot, value)
        return np.column_stack([1.0 - q, q])

    return Step("monotone", run, 2, COST, inputs=2, needs=True)


def quadratic(program: Program) -> Step:
    """sigmoid(intercept + bend(log-odds))."""
    ends, slope = floats(program, "ends", (2,)), floats(program, "slope", (2,))
    intercept = floats(program, "intercept", (1,))
    if ends[0] >= ends[1] or slope.min() <= 0:
        raise fail("quadratic", "array 'ends' does not ascend, or 'slope' is not positive")
    run: Run = lambda p: sigmoid(intercept + bend(log_odds(p), ends, slope))  # noqa: E731
    return Step("quadratic", run, 2, COST, inputs=2, needs=True)
