"""How far a whole curve can be off by chance: limits that hold at all of its points at once."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from sortal.core.arrays import Floats

STEPS, FARTHEST = 60, 50.0
"""Of bisection, which halves the way to the farthest limit each time, in standard deviations."""


def each_confidence(correlation: Floats, confidence: float) -> float:
    """The confidence that limits at each of m points of a curve need, to hold at all of them at once with at least
    ``confidence``.

    ``correlation``: (m - 1,) of each point with the next. A standardised curve is a path on a sphere, as long as the
    angles between neighbours add up to. Naiman (1986, "Conservative confidence bands in curvilinear regression", Annals
    of Statistics 14:896) bounds by its length how often a normal curve leaves the limits anywhere. Where the path is so
    long that m points by themselves (Bonferroni) leave less doubt, that bound is taken.

    >>> same, none = np.ones(9), np.zeros(9)
    >>> round(each_confidence(same, 0.95), 4), round(each_confidence(none, 0.95), 4)
    (0.95, 0.995)
    """
    turns = float(np.arccos(np.clip(correlation, -1.0, 1.0)).sum()) / np.pi
    inside, outside = 0.0, FARTHEST
    for _ in range(STEPS):
        z = (inside + outside) / 2
        beyond = _beyond(z)
        if min(beyond + turns * np.exp(-z * z / 2), (len(correlation) + 1) * beyond) > 1 - confidence:
            inside = z
        else:
            outside = z
    return 1 - _beyond(outside)


def _beyond(z: float) -> float:
    """How often a normal variable lies further off, on either side."""
    return 2 * NormalDist().cdf(-z)
