"""Intervals of proportions: Wilson's in closed form, Clopper and Pearson's exact.

Trials need not be whole: rows that vary together count as as many trials as they are worth (a design effect).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from sortal.core.arrays import Floats

FEWEST = 1e-9
"""Successes or failures from which on their number is one to ``betaincinv``, which has no value at 0."""


def two_sided_z(confidence: float, groups: float | None = None) -> float:
    """The standard deviations within which a normal variable lies with this probability.

    ``groups``: whose variance was estimated from so many groups of rows; the quantile is then that of Student's t with
    one degree of freedom less (Cameron & Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference").

    >>> round(two_sided_z(0.95), 2), round(two_sided_z(0.95, groups=11), 2)
    (1.96, 2.23)
    """
    if groups is None:
        return NormalDist().inv_cdf(0.5 + confidence / 2)
    from scipy.special import stdtrit

    return float(stdtrit(max(groups - 1, 1), 0.5 + confidence / 2))


def wilson(share: ArrayLike, trials: ArrayLike, z: float) -> tuple[Floats, Floats]:
    """The limits of Wilson's score interval (1927) of shares of successes, with the share within; of no trials: 0 to 1.

    ``z``: as for a normal variable, ``two_sided_z``; one limit by itself takes the one-sided quantile.

    >>> low, high = wilson(1.0, 10, two_sided_z(0.95))
    >>> float(low.round(3)), float(high.round(3))
    (0.722, 1.0)
    """
    share, trials = np.asarray(share, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    center = (share * trials + z * z / 2) / (trials + z * z)
    half = z * np.sqrt(share * (1 - share) * trials + z * z / 4) / (trials + z * z)
    return np.maximum(np.minimum(center - half, share), 0.0), np.minimum(np.maximum(center + half, share), 1.0)


def clopper_pearson(successes: ArrayLike, trials: ArrayLike, tail: ArrayLike = 0.025) -> tuple[Floats, Floats]:
    """The exact limits of proportions (Clopper & Pearson 1934), each missed with a probability of ``tail`` at most.

    Both together are an interval of confidence 1 - 2 ``tail``; one by itself is a one-sided bound of 1 - ``tail``.

    >>> low, high = clopper_pearson(np.array([0, 29]), np.array([10, 29]), 0.05)
    >>> bool(np.isclose(low[1], 0.05 ** (1 / 29))), low[0], high[1]
    (True, np.float64(0.0), np.float64(1.0))
    """
    from scipy.special import betaincinv

    hits, count, beyond = (np.asarray(x, dtype=np.float64) for x in (successes, trials, tail))
    misses = count - np.minimum(hits, count)
    low = np.where(hits > 0, betaincinv(np.maximum(hits, FEWEST), misses + 1, beyond), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1, np.maximum(misses, FEWEST), 1 - beyond), 1.0)
    return low, high
