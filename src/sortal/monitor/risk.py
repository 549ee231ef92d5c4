"""Whether what decisions cost is still as promised: a betting e-process on losses from labels.

"The mean of the loss is at most ``level``" is bet against with fractions of the wealth, of which some are right for a
small excess and some for a large one: one unit shared among them is an e-process for any losses between 0 and ``top``
(Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting"; Podkopaev & Ramdas 2022,
"Tracking the risk of a deployed model"). Only an excess counts as harm.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from sortal.core.arrays import Floats

FRACTIONS = np.array([0.03, 0.06, 0.12, 0.25, 0.5, 0.9])
"""Of what a gambler can bet without ever losing all: each twice the one before, up to nearly all."""


def gains(loss: Floats, level: float) -> Floats:
    """(len(FRACTIONS),) the sum of the logarithms by which rows multiply each gambler's wealth.

    ``level``: the mean that was promised, below the largest loss there is, which is 1.
    """
    stake = FRACTIONS / level
    return np.asarray(np.log1p(stake[:, None] * (np.asarray(loss) - level)).sum(axis=1)) if level > 0 else _never(loss)


def _never(loss: Floats) -> Floats:
    """No loss was promised at all: the first one refutes it."""
    return np.full(len(FRACTIONS), np.inf if (np.asarray(loss) > 0).any() else 0.0)


def log_wealth(sums: Floats) -> Floats:
    """(starts,) what one unit has become with sums of ``gains`` (starts, fractions)."""
    return np.asarray(logsumexp(sums, axis=1) - np.log(sums.shape[1]))
