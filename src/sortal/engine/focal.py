"""Op ``focal``: class-posterior probabilities from those of a model that was trained with the focal loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine.affine import SMALLEST
from sortal.engine.limits import CALL, Cost
from sortal.engine.link import softmax
from sortal.engine.program import Program
from sortal.engine.step import Step, count, fail

LARGEST = 100.0
"""Of gamma: beyond it powers of small probabilities leave the range of numbers."""


class Parts(NamedTuple):
    """Probabilities ``v`` (n, K) with what is left of one, ``rest`` = 1 - v, and ``log`` v, both exact also near
    one.
    """

    v: Floats
    rest: Floats
    log: Floats


def parts(probability: Floats) -> Parts:
    """Probabilities below 1e-15 count as 1e-15."""
    v = np.clip(probability, SMALLEST, 1.0)
    rest = others(v)
    return Parts(v, rest, np.where(v > 0.5, np.log1p(-np.minimum(rest, 0.5)), np.log(v)))


def others(values: Floats) -> Floats:
    """What the other columns of a row sum to; a difference from the row's sum would lose the small ones.

    >>> others(np.array([[1.0, 2.0, 4.0]]))
    array([[6., 5., 3.]])
    """
    if values.shape[1] == 2:
        return values[:, ::-1]
    rest = np.zeros_like(values)
    rest[:, 1:] = np.cumsum(values[:, :-1], axis=1)
    rest[:, :-1] += np.cumsum(values[:, :0:-1], axis=1)[:, ::-1]
    return rest


def focal(probability: Floats, gamma: float) -> Floats:
    """Psi^gamma: (n, K) probabilities that minimise the focal loss to those of the classes.

    The focal loss -(1 - v)^gamma log v of the true class's probability v is not proper: what minimises it are not the
    shares of the classes. It is a known function of them, though, and this is the inverse: h(v_k) over its sum, with
    h(v) = v / ((1 - v)^gamma - gamma (1 - v)^(gamma - 1) v log v) (Charoenphakdee, Vongkulbhisal, Chairatanakul &
    Sugiyama 2021, "On focal loss for class-posterior probability estimation", the transformation Psi^gamma). The order
    of the classes stays as it is. With gamma = 0, where the focal loss is the log-loss, nothing changes.

    >>> focal(np.array([[0.7, 0.3], [0.5, 0.5]]), gamma=2.0).round(3)
    array([[0.906, 0.094],
           [0.5  , 0.5  ]])
    """
    v, rest, log = parts(probability)
    return softmax(log - gamma * np.log(rest) - np.log1p(-gamma * v * log / rest))


def step(program: Program) -> Step:
    """The op, checked."""
    gamma, classes = program.settings.get("gamma"), count(program, "classes", least=2)
    if isinstance(gamma, bool) or not isinstance(gamma, int | float) or not 0 <= gamma <= LARGEST:
        raise fail("focal", f"setting 'gamma' is {gamma!r}, expected a number from 0 to {LARGEST:g}")
    cost = Cost(40 * CALL, 100 * classes, 100 * classes)
    return Step("focal", lambda p: focal(p, float(gamma)), classes, cost, inputs=classes, needs=True)
