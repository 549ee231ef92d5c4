"""Whether the rows that come in look like those of training.

A ``Watch`` counts rows as they come, a batch at a time, and needs numpy alone. Of every column it looks at six things,
and speaks of one where it **matters**: where chance alone would do it in fewer than ``CHANCE`` of the tables
(Bonferroni over columns and things) *and* enough rows are concerned (``FEW`` of them, or for the mix of values
``MOVED``).

unseen, range, missing: how many rows have a value that no profile names, one beyond the ends, or none. Where a of n
rows did so in training, the number among m fresh ones is beta-binomial with Beta(a + 1, n - a): that is exact for
values beyond the extremes of exchangeable rows (Gumbel & von Schelling 1950, "The Distribution of the Number of
Exceedances", a = 1) and otherwise leans to silence, as the upper end of Clopper & Pearson (1934) does. The ends that a
profile has follow from the rows before the last few alone; of these few some lie beyond them by the same chance as
fresh rows, so a is one more than these. Levels of up to k rows are expected, with those never seen, as often as levels
of 1 to k + 1 rows were seen (Good 1953, after Turing, who has k = 0).

moved, mix: how far the distribution is from that of training, for numbers the largest difference of the two cumulative
shares (Kolmogorov & Smirnov), for categories the sum of all gains in share (total variation). One row moves either by
1/m or 1/n at most, so that the distance is above its expectation by t with probability exp(-2 t^2 / (1/m + 1/n)) at
most (McDiarmid 1989).

constant: all rows hold one value, where training had several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, lgamma, pi, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.kinds import kind_of
from sortal.core.measures import FIRST
from sortal.core.profile import ColumnProfile, Columns, comparable, compared
from sortal.core.raw import short_repr
from sortal.core.writing import percent

What = Literal["unseen", "range", "missing", "moved", "mix", "constant"]

CHANCE = 0.01
"""Of tables like the training data, in how many anything at all may be said."""
FEW = 0.02
"""The least share of rows, beyond what was expected, that matters."""
MOVED = 0.25
"""The least distance of two distributions that matters: a quarter of the rows is elsewhere."""
COMMON = 10
"""Rows of a level from which on its share is compared; which levels are rarer is itself chance, and they count
together."""
THINGS = 4
"""So many of the six things are looked at in one column."""


@dataclass(frozen=True)
class Shift:
    """One way in which the values of a column are not as in training. ``share`` of the ``rows`` where ``expected``
    were.
    """

    column: str
    what: What
    rows: int
    share: float
    expected: float
    message: str


@dataclass
class _Count:
    """What was counted of one column. ``places``: how many values each level has, or how many are at most each
    quantile.
    """

    rows: int = 0
    missing: int = 0
    outside: int = 0
    places: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    least: Any = None
    largest: Any = None
    example: Any = None


class Watch:
    """Counts rows as they come in, a batch at a time, against the profile of training.

    >>> levels = {"levels": ("pro", "free"), "counts": (60, 40)}
    >>> plan = ColumnProfile("plan", "category", rows=100, missing=0, distinct=2, **levels)
    >>> watch = Watch({"plan": plan})
    >>> watch.add({"plan": ["PRO", "FREE"] * 20})
    >>> print(watch.shifts()[0].message)
    'plan': none of its 40 values was seen in training, such as 'PRO' (there it was 'pro')
    """

    def __init__(self, reference: Mapping[str, ColumnProfile]) -> None:
        self._reference = reference
        # A column without a value in training has nothing to compare with, and no model reads it.
        self._columns = {name: column for name, column in compared(reference).items() if column.n_values}
        places = {name: len(column.levels or column.quantiles) for name, column in self._columns.items()}
        self._counts = {name: _Count(places=np.zeros(n, dtype=np.int64)) for name, n in places.items()}
        self._codes = {n: dict(zip(c.levels, range(len(c.levels)), strict=True)) for n, c in self._columns.items()}

    def add(self, columns: Columns) -> None:
        """Count a batch; columns that were not in training are passed over, and those of the profile may be left
        out.
        """
        columns = comparable(self._reference, columns)
        for name, column in self._columns.items():
            if name in columns:
                if isinstance(columns[name], np.ndarray):
                    _count_numbers(self._counts[name], column, columns[name])
                else:
                    _count_texts(self._counts[name], self._codes[name], columns[name])

    def shifts(self) -> tuple[Shift, ...]:
        """What matters, in the order of the columns."""
        names = [name for name, count in self._counts.items() if count.rows]
        chance = CHANCE / max(THINGS * len(names), 1)
        return tuple(s for name in names for s in _shifts(self._columns[name], self._counts[name], chance))


def _count_numbers(count: _Count, column: ColumnProfile, values: NDArray[np.float64]) -> None:
    numbers = values[~np.isnan(values)]
    count.rows += len(values)
    count.missing += len(values) - len(numbers)
    if not len(numbers):
        return
    low, high = column.limits
    beyond = numbers[(numbers < low) | (numbers > high)]
    count.outside += len(beyond)
    if count.example is None and len(beyond):
        count.example = float(beyond[0])
    # As many passes as there are quantiles are ten times as fast as one search for the place of every value.
    count.places += np.array([np.count_nonzero(numbers <= quantile) for quantile in column.quantiles], dtype=np.int64)
    least, largest = float(numbers.min()), float(numbers.max())
    count.least = least if count.least is None else min(least, count.least)
    count.largest = largest if count.largest is None else max(largest, count.largest)


def _count_texts(count: _Count, codes: Mapping[str, int], values: Sequence[str | None]) -> None:
    counts = Counter(values)
    count.rows += len(values)
    count.missing += counts.pop(None, 0)
    for level, rows in counts.items():
        at = codes.get(str(level))
        if at is not None:
            count.places[at] += rows
            continue
        count.outside += rows
        if count.example is None:
            count.example = str(level)


def _shifts(column: ColumnProfile, count: _Count, chance: float) -> Iterator[Shift]:
    """What matters about a column: whether values are missing, and of those that are there the plainest thing alone."""
    values = (_range, _constant, _drift) if column.numeric else (_unseen, _constant, _mix)
    missing = _missing(column, count, chance) if column.measure in ("", *FIRST) else None
    if missing is not None:
        yield missing
    yield from [shift for look in values if (shift := look(column, count, chance)) is not None][:1]


def _missing(column: ColumnProfile, count: _Count, chance: float) -> Shift | None:
    share, expected = count.missing / count.rows, column.missing / column.rows
    if not _too_many(count.missing, count.rows, column.missing, column.rows, chance):
        return None
    how = "all values are" if share == 1 else f"{percent(share)} of the values are"
    return _shift_of(column, "missing", count.rows, share, expected, f"{how} missing, {percent(expected)} in training")


def _unseen(column: ColumnProfile, count: _Count, chance: float) -> Shift | None:
    rows = count.rows - count.missing
    usual = min(column.barely + column.others, column.n_values)
    if not _too_many(count.outside, rows, usual, column.n_values, chance):
        return None
    share, expected = count.outside / rows, usual / column.n_values
    if column.others:
        which = f"all of its {rows:,} values" if share == 1 else f"{percent(share)} of its values"
        how = f"{which} were rare or never seen"
    else:
        how = (
            f"none of its {rows:,} values was" if share == 1 else f"{percent(share)} of its values were not"
        ) + " seen"
    like = _other_spelling(str(count.example), column.levels)
    there = f" (there it was {like!r})" if like else ""
    usually = f", where {percent(expected)} are expected" if expected > 0 and share < 1 else ""
    text = f"{how} in training{usually}, such as {short_repr(str(count.example))}{there}"
    return _shift_of(column, "unseen", rows, share, expected, text)


def _range(column: ColumnProfile, count: _Count, chance: float) -> Shift | None:
    rows = count.rows - count.missing
    if not _too_many(count.outside, rows, column.beyond + 1, column.n_values, chance):
        return None
    share = count.outside / rows
    low, high = column.ends
    how = "all values lie" if share == 1 else f"{percent(share)} of the values lie"
    beyond = "far outside" if kind_of(column.kind).ongoing else "outside"
    span = f"{column.format_value(low)} to {column.format_value(high)}"
    text = f"{how} {beyond} {span}, about the range in training, such as {column.format_value(count.example)}"
    return _shift_of(column, "range", rows, share, (column.beyond + 2) / (column.n_values + 1), text)


def _constant(column: ColumnProfile, count: _Count, chance: float) -> Shift | None:
    """Where one value alone comes in, it is the one that training had most often at best."""
    rows = count.rows - count.missing
    if column.distinct < 2 or rows < 2 or (column.numeric and not column.quantiles):
        return None
    if not column.numeric:
        if np.count_nonzero(count.places) != 1 or count.outside:
            return None
        at = int(count.places.argmax())
        usual, only = column.counts[at], short_repr(column.levels[at])
    else:
        if count.least != count.largest:
            return None
        usual, only = _at(column, count.least), column.format_value(count.least)
    if _tail(rows, rows, usual, column.n_values) >= chance:
        return None
    text = f"it is {only} in all {rows:,} rows, and was in {percent(usual / column.n_values)} in training"
    return _shift_of(column, "constant", rows, 1.0, usual / column.n_values, text)


def _at(column: ColumnProfile, value: float) -> int:
    """The most rows that may have held a value in training: those between the quantiles around it."""
    reached = (0, *column.reached, column.n_values)
    at = int(np.searchsorted(np.array(column.quantiles), value, side="left"))
    return reached[at + 1] - reached[at]


def _drift(column: ColumnProfile, count: _Count, chance: float) -> Shift | None:
    """Of dates nothing is said: that they go on is what they do."""
    rows = count.rows - count.missing
    if kind_of(column.kind).ongoing or not rows or not column.quantiles:
        return None
    now = count.places / rows
    then = np.array(column.reached) / column.n_values
    distance = np.abs(now - then)
    at = int(distance.argmax())
    # The largest difference of two cumulative shares is expected to be at most this (Massart 1990, integrated).
    expected = sqrt(pi / 8) * sqrt(1 / rows + 1 / column.n_values)
    if not _far(float(distance[at]), expected, rows, column.n_values, chance):
        return None
    if kind_of(column.kind).storage == "boolean":
        now, then = 1 - now, 1 - then
        text = f"it is true in {percent(float(now[0]))} of the rows, and was in {percent(float(then[0]))} in training"
        at = 0
    else:
        where = column.format_value(column.quantiles[at])
        text = (
            f"{percent(float(now[at]))} of the values are at most {where}, and were {percent(float(then[at]))} in "
            "training"
        )
    return _shift_of(column, "moved", rows, float(now[at]), float(then[at]), text)


def _mix(column: ColumnProfile, count: _Count, chance: float) -> Shift | None:
    rows = count.rows - count.missing
    if not rows:
        return None
    common = sum(n >= COMMON for n in column.counts)  # they come first
    now = np.append(count.places[:common], rows - count.places[:common].sum()) / rows
    then = np.append(column.counts[:common], column.n_values - sum(column.counts[:common])) / column.n_values
    gain = now - then
    distance = float(np.maximum(gain, 0).sum())
    deviation = np.sqrt(then * (1 - then) * (1 / rows + 1 / column.n_values))
    if not _far(distance, float(deviation.sum()) / 2, rows, column.n_values, chance):
        return None
    at = int(gain.argmax())
    level = short_repr(column.levels[at]) if at < common else "a rare or new value"
    text = (
        f"the mix of values is another: {level} in {percent(float(now[at]))} of the rows, {percent(float(then[at]))} "
        "in training"
    )
    return _shift_of(column, "mix", rows, float(now[at]), float(then[at]), text)


def _shift_of(column: ColumnProfile, what: What, rows: int, share: float, expected: float, text: str) -> Shift:
    label = short_repr(column.name) if what == "missing" else named_column(column)
    return Shift(column.name, what, rows, share, expected, f"{label}: {text}")


def named_column(column: ColumnProfile) -> str:
    """The column, and what of it is compared."""
    return short_repr(column.name) + (f", {column.measure}" if column.measure else "")


def _too_many(now: int, rows: int, then: int, of: int, chance: float) -> bool:
    """More rows than matters, and more than chance would have."""
    if not rows or now / rows - then / of < FEW:
        return False
    return _tail(now, rows, then, of) < chance


def _far(distance: float, expected: float, rows: int, of: int, chance: float) -> bool:
    beyond = distance - expected
    return distance >= MOVED and beyond > 0 and exp(-2 * beyond**2 / (1 / rows + 1 / of)) < chance


def _tail(now: int, rows: int, then: int, of: int) -> float:
    """The chance of ``now`` or more among ``rows`` fresh rows, where ``then`` of ``of`` did: beta-binomial, Beta(then +
    1, of - then).

    >>> round(_tail(1, 1, 1, 99), 3)  # one fresh value beyond both extremes of 99 others
    0.02
    """
    if then >= of:
        return 1.0
    a, b = then + 1, of - then
    term = exp(
        lgamma(rows + 1) - lgamma(now + 1) - lgamma(rows - now + 1)
        + lgamma(now + a) + lgamma(rows - now + b) - lgamma(rows + a + b)
        - lgamma(a) - lgamma(b) + lgamma(a + b)
    )  # fmt: skip
    total = term
    for k in range(now, rows):
        term *= (rows - k) * (k + a) / ((k + 1) * (rows - k - 1 + b))
        total += term
        if term < 1e-9 * total:
            break
    return min(total, 1.0)


def _other_spelling(value: str, levels: Sequence[str]) -> str | None:
    """A level that differs in case and blanks alone."""
    same = value.casefold().split()
    return next((level for level in levels if level.casefold().split() == same), None)
