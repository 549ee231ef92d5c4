"""What rows are worth that come in clusters, such as those of one patient: a sum over rows varies with whole clusters.

The variance of the sum is that of the clusters' sums; where few large clusters make up most of it, they lean on their
own mean, and the estimate is too small. Bell & McCaffrey (2002, "Bias Reduction in Standard Errors for Linear
Regression with Multi-Stage Samples", CR2) divide the square of each cluster by 1 less its share. The quantile is that
of Student's t with one degree of freedom less than there are clusters; unequal ones count as fewer equal ones (Kish
1965; Carter, Schnepel & Steigerwald 2017, "Asymptotic Behavior of a t-Test Robust to Cluster Heterogeneity").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.stats.proportions import two_sided_z
from sortal.stats.strata import Strata

FEWEST = 3.0
"""So many clusters, or all where they are fewer, count at least: what unequal ones are worth is itself an estimate, and
the quantile of one degree of freedom is 13."""
LEAST = 0.1
"""Of a figure whose parts cancel out, such as those of classes in a mean: rows count at most ten times. That all of it
cancels would say that it never varies. Chosen, not measured."""
MOST = 0.9
"""A cluster that makes up more of the variance than this counts as this: beyond, its own square says nothing."""


@dataclass(frozen=True)
class Worth:
    """``design``: how many rows count as one independent row; infinite where there is but one cluster. ``groups``: how
    many equal clusters the clusters are worth; None where rows are independent.
    """

    design: float
    groups: float | None = None

    def z(self, confidence: float) -> float:
        """The quantile for intervals of a figure of these rows."""
        return two_sided_z(confidence, self.groups)


def worth(sums: Floats, expected: Floats, by_row: float, independent: float) -> Worth:
    """Of rows in (G,) clusters, from the ``sums`` of what each row adds to a figure.

    ``expected``: (G,) in proportion to the variance that each cluster would bring if its rows were independent.
    ``by_row``: the figure's variance if rows were, ``independent``: if all its parts were too. Rows are never worth
    more than independent ones. Clusters that bring nothing are worth nothing.

    >>> apart, pairs = np.array([1.0, 1.0, -1.0, -1.0]), np.array([2.0, -2.0])
    >>> round(worth(apart, np.ones(4), 4.0, 4.0).design, 2), worth(pairs, np.ones(2), 4.0, 4.0)
    (1.33, Worth(design=4.0, groups=2.0))
    """
    share = expected / expected.sum()
    count = float(np.count_nonzero(share))
    if count < 2:
        return Worth(np.inf, 2.0)
    variance = float((sums**2 / (1 - np.minimum(share, MOST))).sum())
    design = max(by_row, variance) / independent
    return Worth(max(design, LEAST), max(1 / float(share @ share), min(count, FEWEST)))


def worth_of_rows(
    effect: Floats,
    clusters: Codes | None,
    *,
    expected: Floats | None = None,
    independent: float | None = None,
    strata: Strata | None = None,
) -> Worth:
    """Of rows each of which adds its ``effect`` (n,) to a figure.

    ``clusters``: (n,) ids from 0 on; None where rows are independent, though perhaps not the parts of the figure.
    ``expected``: (n,) in proportion to the variance that is expected of each row's effect; the same for all by default.
    ``independent``: as of ``worth``. Where nothing varies, a cluster counts as one row.
    ``strata``: the classes by which rows were dealt; they are worth more than rows that came one by one, never less.
    """
    by_row = float(effect @ effect)
    independent = by_row if independent is None else independent
    if by_row <= 0 or independent <= 0:
        return Worth(1.0) if clusters is None else worth_of_sizes(np.bincount(clusters).astype(np.float64))
    parts: tuple[Floats, ...] = (effect,)
    if strata is not None:
        parts = strata.parts(effect)
        by_row = min(by_row, sum(float(part @ part) for part in parts) + strata.unseen(effect))
    if clusters is None:
        return Worth(max(by_row / independent, LEAST))
    sums = np.sqrt(sum(np.bincount(clusters, part) ** 2 for part in parts))
    squares = np.bincount(clusters, expected).astype(np.float64)
    return worth(np.asarray(sums), squares, by_row, independent)


def worth_of_sizes(sizes: Floats) -> Worth:
    """Of rows in clusters of these (G,) sizes, whose rows are all alike as far as they were seen.

    >>> worth_of_sizes(np.array([10.0, 10.0, 10.0])).design
    10.0
    """
    rows, groups = float(sizes.sum()), float(sizes.sum() ** 2 / (sizes @ sizes))
    return Worth(rows / groups, groups) if np.count_nonzero(sizes) > 1 else Worth(np.inf, 2.0)
