"""Columns whose values are class rates of their levels, counted over all rows: target encoding that saw the test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.core.arrays import Floats, Ints

_LEAST_LEVELS = 3
"""Chosen: rates of so few levels are hardly ever unlikely enough by chance (decision 0018)."""
_MOST_LEVELS = 20_000
"""For speed."""
_LOOKED_AT = 1_000
"""Levels that are weighed, for speed: each adds to the surprise, and far fewer decide."""
_MOST_CLASSES = 20
"""For speed."""
_FITTING = 0.99
"""Share of rows with a value that fits. Chosen, not measured: a few cells may have been changed later."""
_SURE = math.log(1e8)
"""Odds against chance, in nats. With them 600 made-up tables of 10 honest columns have no finding (decision 0018)."""
_PRECISE = 1e-7
"""What is lost by arithmetic and by a file of 7 digits (float32 has as many)."""
_MOST_PLACES = 6
"""Decimals of a rounded rate. Chosen, not measured: people round to four or six, and eight are as good as all."""


@dataclass(frozen=True)
class _Levels:
    """The distinct values of a column, and for each its rows of all parts, those with known class, and of these one
    class's.
    """

    values: Floats
    sizes: Ints
    labelled: Ints
    positive: Ints

    @property
    def unknown(self) -> Ints:
        return self.sizes - self.labelled


def encoded(context: AuditContext, names: Sequence[str]) -> list[str]:
    """Those of these columns whose values are rates of a class, as they are or drawn towards the rate of all rows."""
    return [name for name in names if _is_encoded(context, name)]


def _is_encoded(context: AuditContext, name: str) -> bool:
    everything = context.table if context.split_view is None else context.split_view.features
    if not everything[name].is_between(0, 1).all():
        return False
    counts = everything[name].drop_nulls().alias("value").value_counts(name="rows").sort("value")
    values = counts["value"].to_numpy()
    if not _LEAST_LEVELS <= len(values) <= min(_MOST_LEVELS, counts["rows"].sum() / 2):
        return False
    if np.count_nonzero((values > 0) & (values < 1)) < _LEAST_LEVELS:
        return False
    own = context.table[name]
    there = own.is_not_null().to_numpy()
    place = np.searchsorted(values, own.drop_nulls().to_numpy())
    sizes, labelled = counts["rows"].to_numpy().astype(np.int64), np.bincount(place, minlength=len(values))
    for code in range(min(len(context.classes), _MOST_CLASSES)):
        positive = np.bincount(place[context.codes[there] == code], minlength=len(values))
        levels = _Levels(values, sizes, labelled, positive)
        if _plain(levels) or _is_shrunk(levels, float((context.codes == code).mean())):
            return True
        if len(context.classes) == 2 and code == 1:
            return False
    return False


def _plain(levels: _Levels) -> bool:
    """Each value times the rows of its level is a whole number of rows, and one that what is known of the classes
    allows.

    By chance the one happens once in so many cases as the denominator of the rate, the other once in so many as counts
    are likely. All levels together must be less likely than one in a hundred million.
    """
    total = levels.values * levels.sizes
    count = np.rint(total)
    slack: Floats = _slack(levels.values) * levels.sizes.astype(np.float64)
    allowed = slack + levels.unknown + _PRECISE
    fits = (np.abs(total - count) <= slack + _PRECISE * levels.sizes) | (slack >= 0.5)
    fits &= (total >= levels.positive - slack - _PRECISE) & (total <= levels.positive + allowed)
    if levels.sizes[fits].sum() < _FITTING * levels.sizes.sum():
        return False
    inner = fits & (levels.values > 0) & (levels.values < 1) & (levels.sizes > 1)
    if np.count_nonzero(inner) < _LEAST_LEVELS:
        return False
    return _surprise(levels, slack, inner) >= _SURE


def _surprise(levels: _Levels, slack: Floats, inner: NDArray[np.bool_]) -> float:
    """Minus the logarithm of the probability that honest figures near the rates would fit so well."""
    nats = 0.0
    for place in np.flatnonzero(inner)[:_LOOKED_AT]:
        value, rows, doubt = float(levels.values[place]), int(levels.sizes[place]), float(slack[place])
        whole = 1.0
        if doubt < 0.5:
            whole = min(Fraction(value).limit_denominator(rows).denominator, 0.5 / doubt if doubt else np.inf)
        likely = 1 + 2.5 * math.sqrt(rows * value * (1 - value))
        window = 1 + int(levels.unknown[place]) + 2 * doubt
        nats += math.log(whole) + max(0.0, math.log(likely / window))
    return nats


def _slack(values: Floats) -> float:
    """Half of the last digit that the values are written with; 0 where they are written in full."""
    for places in range(1, _MOST_PLACES + 3):
        scaled = values * 10.0**places
        if np.allclose(scaled, np.rint(scaled), rtol=0, atol=1e-9 * 10.0**places):
            return float(0.5 * 10.0**-places)
    return 0.0


def _is_shrunk(levels: _Levels, prior: float) -> bool:
    """Rates drawn towards the rate of all rows, by a constant number of rows or by a sigmoid of the level's rows.

    Where the classes of some rows are not known only constants that people use are tried.
    """
    inner = (levels.values > 0) & (levels.values < 1)
    if np.count_nonzero(inner) < 2 * _LEAST_LEVELS or _slack(levels.values) > 0:
        return False
    if levels.unknown.any():
        return any(_by_rows(levels, rows, prior) for rows in (1, 2, 5, 10, 20, 25, 30, 50, 100, 200, 300, 500, 1000))
    rate = levels.positive / levels.sizes
    telling = inner & (np.abs(rate - prior) > 1e-4) & (levels.sizes > 1)
    if np.count_nonzero(telling) < 2 * _LEAST_LEVELS:
        return False
    weight = (levels.values[telling] - prior) / (rate[telling] - prior)
    sizes, rate = levels.sizes[telling], rate[telling]
    if weight.min() <= 0 or weight.max() >= 1:
        return False
    constant = sizes * (1 / weight - 1)
    within = constant * prior * (1 - prior) / np.maximum(rate * (1 - rate), 1e-12)
    sigmoid = _straightened(sizes, np.log(weight / (1 - weight)))
    return _same(constant) or _same(within[(rate > 0) & (rate < 1)]) or sigmoid


def _same(values: Floats) -> bool:
    """Nine in ten agree to a thousandth (levels of one size with one rate are one value here, and disagree)."""
    if len(values) < 2 * _LEAST_LEVELS:
        return False
    middle = np.median(values)
    return bool((np.abs(values - middle) <= 1e-3 * middle).mean() >= 0.9)


def _straightened(sizes: Ints, logit: Floats) -> bool:
    """Whether the logit of the weight is a line in the rows of a level."""
    if len(np.unique(sizes)) < 2 * _LEAST_LEVELS:
        return False
    slope, level = np.polyfit(sizes, logit, 1)
    return bool(slope > 0 and np.abs(logit - slope * sizes - level).max() <= 1e-3)


def _by_rows(levels: _Levels, rows: int, prior: float) -> bool:
    """Whether values are ``(count + rows * prior) / (size + rows)`` with whole counts that what is known allows."""
    total = levels.values * (levels.sizes + rows)
    turn = np.exp(2j * np.pi * total)
    if abs(turn.mean()) < 0.999:
        return False
    start = float(np.angle(turn.mean()) / (2 * np.pi))
    prior_count = start + np.rint(rows * prior - start)
    counts = np.rint(total - prior_count)
    fits = np.abs(total - prior_count - counts) <= 1e-2
    fits &= (counts >= levels.positive - 1) & (counts <= levels.positive + levels.unknown + 1)
    return bool(levels.sizes[fits].sum() >= _FITTING * levels.sizes.sum())
