"""Whether rows of one part have a higher mean than all the others, where the part may be small and the values skewed.

Welch's t (1947) takes the variance of each part as it was seen. Of 30 rows that all erred, or of 50 of which none was
costly, that is none at all, and chance looks like proof. So each part varies here by no less than all rows together do,
as it would if the parts did not differ: the variance of a score test, which Wilson's interval has of shares. Of skewed
values whichever of the two is larger leads away from a false alarm, on either side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Codes, Floats, Mask
from sortal.core.interval import Interval
from sortal.stats.clusters import worth_of_rows


@dataclass(frozen=True)
class Gap:
    """A difference of two means, its standard ``error``, and the ``degrees`` of freedom of Student's t for it."""

    value: float
    error: float
    degrees: float

    @property
    def p_value(self) -> float:
        """Two-sided, that there is no difference; 1 where nothing is known of the error."""
        from scipy.special import stdtr

        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stdtr(self.degrees, -abs(self.value) / self.error)) if np.isfinite(self.error) else 1.0

    def interval(self, confidence: float) -> Interval:
        from scipy.special import stdtrit

        half = float(stdtrit(self.degrees, 0.5 + confidence / 2)) * self.error
        return Interval(self.value, self.value - half, self.value + half)


def gap(values: Floats, inside: Mask, clusters: Codes | None = None) -> Gap:
    """Mean of the ``values`` (n,) of the rows ``inside`` less that of the others.

    ``clusters``: (n,) ids of rows that vary together; rows of a part count as many as they are worth by themselves, so
    that a cluster with rows in both is not held against itself. Satterthwaite's (1946) degrees of freedom.

    >>> errors, inside = np.repeat([1.0, 1.0, 0.0], [30, 873, 97]), np.arange(1000) < 30
    >>> found = gap(errors, inside)
    >>> round(found.value, 3), round(found.error, 4)
    (0.1, 0.0549)
    """
    whole = float(values.var(ddof=1))
    mean, variance, per_degree = 0.0, 0.0, 0.0
    for sign, rows in ((1, inside), (-1, ~inside)):
        part_values = values[rows]
        worth = worth_of_rows(part_values - part_values.mean(), None if clusters is None else _ids(clusters[rows]))
        part = worth.design * max(float(part_values.var(ddof=1)), whole) / len(part_values)
        mean += sign * float(part_values.mean())
        variance += part
        per_degree += part**2 / max((worth.groups or len(part_values)) - 1, 1.0)
    degrees = variance**2 / per_degree if 0 < variance < np.inf else 1.0
    return Gap(mean, float(np.sqrt(variance)), degrees)


def _ids(clusters: Codes) -> Codes:
    return np.unique(clusters, return_inverse=True)[1].astype(np.int64)
