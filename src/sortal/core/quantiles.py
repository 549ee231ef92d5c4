"""Quantiles that tell of no single row: each is the mean of so many neighbours in order (microaggregation), of which
the extremes have no part (Hundepool et al. 2012, *Statistical Disclosure Control*).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sortal.core.arrays import Floats


def quantiles(ordered: Floats, shares: Sequence[float], smallest_count: int = 1) -> Floats:
    """Figures in the places of these quantiles, each the mean of ``smallest_count`` neighbours; empty for too few
    values.

    ``ordered``: (n,) ascending, or (n, m) of m columns at once, whose figures are (shares, m). The
    ``smallest_count`` - 1 values at either end have no part in any figure. For a smallest count of 1 they are the plain
    quantiles.

    >>> ordered = np.arange(101.0)
    >>> quantiles(ordered, (0, 0.5, 1)), quantiles(ordered, (0, 0.5, 1), 5)
    (array([  0.,  50., 100.]), array([ 6., 50., 94.]))
    """
    k = smallest_count
    windows = len(ordered) - 3 * (k - 1)
    if windows < 1:
        return np.empty((0, *ordered.shape[1:]))
    place = np.asarray(shares, dtype=np.float64) * (windows - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, windows - 1)
    low, high = (_means(ordered[k - 1 + at[:, None] + np.arange(k)]) for at in (below, above))
    between = (place - below).reshape(-1, *(1,) * (ordered.ndim - 1))
    between_points: Floats = low + between * (high - low)
    return between_points


def middle(values: Floats, smallest_count: int = 1) -> float:
    """The median, as ``quantiles`` has it, of values in any order; NaN for too few.

    >>> middle(np.array([3.0, 1.0, 2.0])), middle(np.array([3.0, 1.0, 2.0]), 2)
    (2.0, nan)
    """
    k = smallest_count
    windows = len(values) - 3 * (k - 1)
    if windows < 1:
        return float("nan")
    first, last = k - 1 + (windows - 1) // 2, k - 1 + windows // 2 + k - 1
    around = np.partition(values, range(first, last + 1))[first : last + 1]
    return (_mean(around[:k]) + _mean(around[-k:])) / 2


def ends(ordered: Floats, smallest_count: int = 1) -> tuple[float, float] | None:
    """About the smallest and the largest value; None for too few values.

    An end that ``smallest_count`` rows hold is itself. Else it is where the extreme is expected from the two groups of
    neighbours that come after the ``smallest_count`` - 1 extremes, which have no part in it: the spacings of order
    statistics of an exponential tail have the means 1, 1/2, 1/3, ... of its scale (Rényi 1953).

    >>> ends(np.arange(101.0)), ends(np.repeat([1.0, 2.0, 5.0], 9), 5)
    ((0.0, 100.0), (1.0, 5.0))
    """
    low, high = ends_of_columns(ordered[:, None], smallest_count)[:, 0].tolist()
    return None if low != low else (low, high)


def ends_of_columns(ordered: Floats, smallest_count: int = 1) -> Floats:
    """(2, m) ``ends`` of each of m columns (n, m), ascending; NaN for those of too few values."""
    ends = np.stack([-_end(-ordered, smallest_count), _end(ordered[::-1], smallest_count)])
    ends[:, np.isnan(ends).any(axis=0)] = np.nan
    return ends


def _end(falling: Floats, k: int) -> Floats:
    """(m,) the largest values of (n, m), NaN for too few."""
    if len(falling) < k:
        return np.full(falling.shape[1], np.nan)
    kth = np.where(falling[0] == falling[k - 1], falling[0], np.nan)
    if len(falling) < 3 * k - 1:
        return kth
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, 3 * k))])
    first, second = slice(k - 1, 2 * k - 1), slice(2 * k - 1, 3 * k - 1)
    # From the largest value down, in units of the scale: how far the two groups are expected to lie below it.
    near, far = harmonic[first].mean(), harmonic[second].mean()
    outer, inner = _means(np.stack([falling[first], falling[second]]))
    return np.where(np.isnan(kth), outer + float(near / (far - near)) * (outer - inner), kth)


def _means(windows: Floats) -> Floats:
    """(m, ...) of (m, k, ...) values each; of equal values the value itself, to the last bit."""
    return np.where(windows[:, 0] == windows[:, -1], windows[:, 0], windows.mean(axis=1))


def _mean(window: Floats) -> float:
    """Of equal values the value itself, to the last bit."""
    return float(window[0]) if window[0] == window[-1] else float(window.mean())
