"""E-values of a stream that may have changed on any day of a year.

An e-process is what a gambler owns who bets against "nothing has changed", one unit at the start: if nothing has, it
exceeds 1 / alpha at any time with a probability of at most alpha (Ville's inequality; Ramdas et al. 2023, "Game-
theoretic statistics and safe anytime-valid inference"). Who bets from the first day on has lost much by the time of a
late change. So one unit is shared among gamblers, one for each day of the year, who start on their day: their sum is an
e-process, too, and pays for not knowing the day with its logarithm only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from sortal.core.arrays import Floats

YEAR = 365
"""Days over which a bound on false alarms is shared; the next year begins anew."""


def log_evidence(daily: Floats, log_wealth: Callable[[Floats], Floats]) -> float:
    """The logarithm of the e-value after some days of a year.

    ``daily``: (days, m) what was counted each day. ``log_wealth``: of the sums (starts, m) over the days since a
    gambler started, the logarithm of what one unit has become, (starts,). Who has not started still has a share.

    >>> log_evidence(np.zeros((3, 2)), lambda counts: counts.sum(axis=1))
    0.0
    """
    days = len(daily)
    since = np.cumsum(daily[::-1], axis=0)[::-1]
    wealth = log_wealth(since) if days else np.zeros(0)
    days_left = max(YEAR - days, 0)
    shares = np.concatenate([wealth, [np.log(days_left)] if days_left else []])
    return round(float(logsumexp(shares) - np.log(max(YEAR, days))), 12)


def likeliest_start(daily: Floats, log_wealth: Callable[[Floats], Floats]) -> int:
    """The day from which on a change explains the counts best."""
    return int(log_wealth(np.cumsum(daily[::-1], axis=0)[::-1]).argmax())
