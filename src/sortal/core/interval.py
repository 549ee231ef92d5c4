"""A figure and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from sortal.core import writing


@dataclass(frozen=True)
class Interval:
    """An estimate with a two-sided 95 % interval; printed in the one notation used everywhere.

    >>> print(Interval(0.9451, 0.9389, 0.9512))
    .945 [.939 .951]
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return writing.interval(self)
