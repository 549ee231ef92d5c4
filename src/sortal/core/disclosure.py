"""What of the data may be written down: figures and values that belong to several rows, so that none tells of one of
them.

Official statistics publish no cell of fewer than some rows (the threshold rule; 3 to 10 are in use: Hundepool et al.
2012, *Statistical Disclosure Control*). Here the rule holds for whatever is written down of a column: a value is named
where so many rows hold it, and a figure is the mean of so many neighbours in order (``core.quantiles``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SMALLEST_COUNT = 5
"""Rows that a value has at least that leaves with a model, unless told; from the middle of what is in use."""


@dataclass(frozen=True)
class Disclosure:
    """What was asked: values of at least ``smallest_count`` rows are named, and where it is ``private`` none is
    quoted.
    """

    smallest_count: int = 1
    private: bool = False

    @property
    def quoted_from(self) -> float:
        """The fewest rows of a value that a finding or a reason may quote."""
        return math.inf if self.private else self.smallest_count

    def quotes(self, rows: int) -> bool:
        """Whether a value that so many rows hold may be quoted.

        >>> Disclosure(5).quotes(5), Disclosure(5).quotes(4), Disclosure(5, private=True).quotes(900)
        (True, False, False)
        """
        return rows >= self.quoted_from


OPEN = Disclosure()
"""Every value may be named."""
