"""When rows of one kind hold one class almost only, and chance is no explanation."""

from __future__ import annotations

import math

COMMON = 0.7
"""A class that makes up more of the table is no surprise anywhere. Chosen, not measured: by then many values are nearly
pure by chance."""
_LEFT = 1 / 5
"""Share of the other classes that may be left. Chosen on the tables of decision 0016."""


def purity(count: int, rows: int, share: float, nats: float, common: float = COMMON) -> bool:
    """Whether ``count`` of ``rows`` rows in a class is almost all of them, where ``share`` was to be expected.

    Almost: a fifth of the other classes' share is left. Chance: that many had a probability below e**-nats (Chernoff).

    >>> purity(99, 100, 0.5, nats=20), purity(80, 100, 0.5, nats=20), purity(10, 10, 0.5, nats=20)
    (True, False, False)
    """
    if rows == 0 or not 0 < share <= common or 1 - count / rows > _LEFT * (1 - share):
        return False
    return evidence(count, rows, share) >= nats


def evidence(count: int, rows: int, share: float) -> float:
    """Nats against chance: rows times the divergence of the share that is there from the one expected."""
    pure = count / rows
    rest = (1 - pure) * math.log((1 - pure) / (1 - share)) if pure < 1 else 0.0
    return rows * (pure * math.log(pure / share) + rest)
