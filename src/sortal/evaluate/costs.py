"""What decisions cost some rows, as a mean of one value a row."""

from __future__ import annotations

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.costs import incurred
from sortal.stats.sampling import Mean


def costs_within(costs: Floats, truth: Codes, decided: Codes) -> Mean:
    """The mean cost of deciding so, ``costs`` as ``core.costs.costs_of`` gives them.

    A row could have cost what any class would where any decision is made that was made in some row: that nobody was
    missed does not show that nobody is, but where nothing else is ever decided, no error of another decision is due.
    """
    possible = costs[..., np.unique(decided)]
    return Mean.within(incurred(costs, truth, decided), possible.min(axis=(-2, -1)), possible.max(axis=(-2, -1)))
