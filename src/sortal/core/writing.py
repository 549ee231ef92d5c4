"""How figures and lists are written for people: one notation on the screen, in the report and its figures, in findings
and in reasons.

A figure (a score, a probability, a threshold, a cost) has no zero before its point, and as many decimals as its
interval is worth: ``.93 [.91 .95]``. What it may be off by stands behind a sign: ``.0153 ± .0121``. A level that
somebody asked for keeps the digits that it was given: ``.9``. Only shares of rows are in percent: ``11.7 %``. Counts
have commas: ``45,211``. Unknown is a dash.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

DASH = "–"
MOST_DIGITS, FEWEST_DIGITS, PLAIN_DIGITS = 5, 2, 3
"""Decimals of a figure: at most, at least, and where nothing is known of its interval."""


class Estimated(Protocol):
    """A value with an interval, any of which may be unknown (None or NaN)."""

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def is_finite(value: float | None) -> bool:
    """Whether this is a number at all."""
    return value is not None and math.isfinite(value)


def decimals(low: float | None, high: float | None) -> int:
    """Decimals worth printing: down to the first digit of half the interval, from 2 to 5; 3 without an interval.

    >>> decimals(0.939, 0.951), decimals(0.29, 0.35), decimals(None, None)
    (3, 2, 3)
    """
    if low is None or high is None or not is_finite(high - low) or high <= low:
        return PLAIN_DIGITS
    return min(MOST_DIGITS, max(FEWEST_DIGITS, math.ceil(-math.log10((high - low) / 2) - 1e-9)))


def number(value: float | None, digits: int = PLAIN_DIGITS) -> str:
    """A figure.

    >>> number(0.1873, 4), number(1234.5, 2), number(-0.0004), number(None)
    ('.1873', '1,234.50', '.000', '–')
    """
    if value is None or not is_finite(value):
        return DASH
    text = f"{value:,.{digits}f}"
    return pointed(text.lstrip("-") if float(text.replace(",", "")) == 0 else text)


def pointed(text: str) -> str:
    """A written number without the zero before its point.

    >>> pointed("0.25"), pointed("-0.5"), pointed("10.5"), pointed("0")
    ('.25', '-.5', '10.5', '0')
    """
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def level(value: float, digits: int = 6) -> str:
    """A figure that was asked for, as it was told; what follows from it in fewer ``digits``.

    >>> level(0.9), level(0.885), level(12.0), level(1 / 3, 3)
    ('.9', '.885', '12', '.333')
    """
    return pointed(f"{value:.{digits}g}")


def interval(figure: Estimated | None, extra: int = 0, digits: int | None = None) -> str:
    """A figure with its interval, with as many ``digits`` as ``decimals`` says unless told.

    ``extra`` decimals serve where figures must be told apart.

    >>> from sortal.core.interval import Interval
    >>> interval(Interval(0.1869, 0.1840, 0.1898), extra=1)
    '.1869 [.1840 .1898]'
    >>> interval(Interval(0.9451, 0.9389, 0.9512))
    '.945 [.939 .951]'
    """
    if figure is None:
        return DASH
    digits = decimals(figure.low, figure.high) + extra if digits is None else digits
    value, low, high = (number(x, digits) for x in (figure.value, figure.low, figure.high))
    return f"{value} [{low} {high}]" if is_finite(figure.low) and is_finite(figure.high) else value


def spread(value: float | None, around: float | None, digits: int = PLAIN_DIGITS) -> str:
    """A figure and its standard error or deviation.

    >>> spread(0.0153, 0.0121, 4), spread(0.5, None)
    ('.0153 ± .0121', '.500')
    """
    return f"{number(value, digits)} ± {number(around, digits)}" if is_finite(around) else number(value, digits)


def percent(share: float | None) -> str:
    """A share of rows.

    >>> percent(0.1170), percent(0.00004), percent(1.0)
    ('11.7 %', '< 0.1 %', '100 %')
    """
    if share is None or not is_finite(share):
        return DASH
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{_tenths(share)} %"


def percents(share: Estimated | None) -> str:
    """A share of rows with its interval.

    >>> from sortal.core.interval import Interval
    >>> percents(Interval(0.24, 0.2163, 0.2789))
    '24 % [21.6 27.9]'
    """
    if share is None or not (is_finite(share.low) and is_finite(share.high)):
        return percent(None if share is None else share.value)
    return f"{percent(share.value)} [{_tenths(share.low)} {_tenths(share.high)}]"


def _tenths(share: float | None) -> str:
    return f"{100 * (share or 0.0):.1f}".removesuffix(".0")


def listing(words: Sequence[str], most: int = 8) -> str:
    """Words in a row, cut when there are many.

    >>> listing(["a", "b", "c", "d"], most=3)
    'a, b and 2 more'
    """
    if len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[: most - 1])} and {len(words) - most + 1} more"
