"""The interval of a mean of values that lie in a known range: Wilson's (1927), for more values than two.

A mean lies in its score interval where the data are no further from it than chance brings about, *if it were true*. So
the variance is not that of the values as they were seen, but that of the distribution nearest to them which has this
mean (the multinomial likelihood's maximum, Owen 2001, "Empirical Likelihood", section 2.3), and values that no row has
yet may have a share in it: where ten of ten rows cost nothing, a fresh one may still cost most. Of two values this is
Wilson's interval of a share, of the values -1, 0 and 1 that of Tango (1998), "Equivalence test and confidence interval
for the difference in proportions for the paired-sample design", Statistics in Medicine 17:891.

With y the distances of the values from the end of their range, h their mean and n trials, that distribution has shares
in proportion to 1 / (y + s), and its mean lies at the limit where

    mean of 1 / (y + s)  =  (1 + z^2 / n) / (h + s),     limit = end - (h n - s z^2) / (n + z^2)

Where s would be negative it is 0: the values that were seen cannot be weighed so far, and the end itself has a share.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sortal.core.arrays import Floats

STEPS, CLOSE = 60, 1e-12
"""Of Newton's method: at most so many (8 are usual), until none moves further than this share of h + s."""


def score_limits(
    value: ArrayLike,
    share: ArrayLike,
    trials: ArrayLike,
    z: ArrayLike,
    *,
    low: ArrayLike = -np.inf,
    high: ArrayLike = np.inf,
) -> tuple[Floats, Floats]:
    """The limits of means, with the mean within.

    ``value``, ``share``: (..., L) the values and the share of trials that has each. ``trials``: (...) their number, or
    as many as they are worth; none says nothing, and the limits are the ends. ``z``: as for a normal variable,
    ``proportions.two_sided_z``. ``low``, ``high``: ends of the range, also where no value lies there; one that is not
    finite, or that values lie beyond, is the outermost value.

    >>> low, high = score_limits([0, 1], [0.7, 0.3], 10, 1.96)
    >>> float(low.round(3)), float(high.round(3))
    (0.108, 0.603)
    >>> never = score_limits([0], [1], 100, 1.96, low=0, high=30)
    >>> float(never[0]), float(never[1].round(2))
    (0.0, 1.11)
    """
    values, shares = np.broadcast_arrays(np.asarray(value, dtype=np.float64), np.asarray(share, dtype=np.float64))
    count, squared = np.asarray(trials, dtype=np.float64), np.square(z, dtype=np.float64)
    shrinkage, batch = count / (count + squared), values.shape[:-1]
    flat, weight = values.reshape(-1, values.shape[-1]), shares.reshape(-1, values.shape[-1])
    shrinkage, least, most = (np.broadcast_to(x, batch).ravel() for x in (shrinkage, low, high))
    mean = (flat * weight).sum(axis=1)
    below = np.minimum(-_upper(-flat, weight, shrinkage, -least), mean)
    above = np.maximum(_upper(flat, weight, shrinkage, most), mean)
    return below.reshape(batch), above.reshape(batch)


def _upper(value: Floats, share: Floats, shrinkage: Floats, end: Floats) -> Floats:
    """(m,) upper limits of (m, L) values. ``shrinkage``: n / (n + z^2)."""
    outermost = np.where(share > 0, value, -np.inf).max(axis=1)
    end = np.where(np.isfinite(end), np.maximum(end, outermost), outermost)
    away = np.abs(end[:, None] - value)
    unit = np.where(share > 0, away, 0.0).max(axis=1)
    unit[unit == 0] = 1.0
    room = np.where(share > 0, away / unit[:, None], 1.0)  # no matter how small the values are
    mean = (share * room).sum(axis=1)
    with np.errstate(divide="ignore", over="ignore"):
        harmonic = 1 / (share / room).sum(axis=1)
    inside = harmonic < shrinkage * mean
    shift = np.zeros(len(mean))
    if inside.any():
        shift[inside] = _shift(room[inside], share[inside], mean[inside], shrinkage[inside])
    return np.asarray(end - (shrinkage * mean - (1 - shrinkage) * shift) * unit, dtype=np.float64)


def _shift(room: Floats, share: Floats, mean: Floats, shrinkage: Floats) -> Floats:
    """(m,) s, by Newton's method: 1 / mean(1 / (y + s)) is concave in s, so that steps from below never pass it."""
    spread = np.sqrt((share * (room - mean[:, None]) ** 2).sum(axis=1))
    least = CLOSE * mean
    # Right where values hardly differ.
    shift: Floats = np.maximum(spread * np.sqrt(shrinkage / (1 - shrinkage)) - mean, least)
    for step in range(STEPS):
        inverse = share / (room + shift[:, None])
        total = inverse.sum(axis=1)
        slope = (inverse / (room + shift[:, None])).sum(axis=1) / total**2 - shrinkage
        next_shift = np.maximum(shift - (1 / total - shrinkage * (mean + shift)) / slope, least)
        converged: NDArray[np.bool_] = np.abs(next_shift - shift) <= CLOSE * (mean + next_shift)
        shift = next_shift
        if step and converged.all():
            break
    return shift
