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


@dataclass(frozen=True)
class Estimate:
    """An interval as it is written down: what is not finite is unknown, and None, since JSON has no word for it.

    >>> print(Estimate(0.9451, 0.9389, 0.9512))
    .945 [.939 .951]
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, figure: writing.Estimated) -> Estimate:
        """From an ``Interval`` or the like, with numbers of Python's own."""
        parts = (figure.value, figure.low, figure.high)
        return cls(*(float(part) if part is not None and writing.is_finite(part) else None for part in parts))

    @property
    def interval(self) -> Interval | None:
        """To compute with; None where any part is unknown."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return Interval(self.value, self.low, self.high)

    def __str__(self) -> str:
        return writing.interval(self)
