"""What the development rows looked like, column by column: what the rows that come in later are compared with.

A profile leaves with the model. No value in it belongs to fewer rows than ``smallest_count`` (``core.disclosure``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.kinds import kind_of
from sortal.core.quantiles import ends, quantiles

if TYPE_CHECKING:
    from sortal.core.frame import Table

Values = NDArray[np.float64] | Sequence[str | None]
Columns = Mapping[str, Any]
"""Columns as ``core.frame.Table.columns`` gives them: numbers with NaN, or texts with None, where a value is
missing."""

GRID = tuple(np.linspace(0, 1, 21).round(2).tolist())
TOP = 1_000
"""Levels that a profile knows by name; what is rarer counts as expected among the others."""


@dataclass(frozen=True)
class ColumnProfile:
    """One feature in ``rows`` rows, of which ``missing`` have no value.

    Numbers, booleans and datetimes (seconds since 1970) have ``quantiles`` at 0, .05, ..., 1, each the mean of some
    neighbours, and ``reached``: how many values are at most that; and their ``ends``, about the smallest and the
    largest value, with ``beyond``: how many values lie outside. Categories have their most frequent ``levels`` with
    ``counts``; ``others`` is in how many rows a level is that is not named, and ``barely`` in how many one that has
    just as few rows as a level needs to be named. ``distinct``: how many values there are.
    """

    name: str
    kind: str
    rows: int
    missing: int
    distinct: int
    quantiles: tuple[float, ...] = ()
    reached: tuple[int, ...] = ()
    ends: tuple[float, ...] = ()
    beyond: int = 0
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    barely: int = 0
    others: int = 0

    @property
    def known(self) -> int:
        """How many rows have a value."""
        return self.rows - self.missing

    @property
    def numeric(self) -> bool:
        """Whether its values have an order, and levels are not what it has."""
        return kind_of(self.kind).numeric

    @property
    def limits(self) -> tuple[float, float]:
        """Beyond these a value is odd: the ends; of what goes on as time does, as far beyond the rows as these reach,
        since time goes on.
        """
        low, high = self.ends or (-np.inf, np.inf)
        span = high - low if kind_of(self.kind).ongoing else 0.0
        return low - span, high + span

    def shown(self, value: float) -> str:
        """A value as a person writes it."""
        return kind_of(self.kind).shown(value)


def profile(table: Table, smallest_count: int = 1) -> dict[str, ColumnProfile]:
    """A profile of every feature, by name, that names no value of fewer rows than ``smallest_count``."""
    # A column at a time: as Python's texts they take many times their room.
    return {
        c.name: _profile(c.name, c.kind, table.columns([c.name])[c.name], smallest_count) for c in table.schema.features
    }


def _profile(name: str, kind: str, values: Values, least: int) -> ColumnProfile:
    if isinstance(values, np.ndarray):
        # That a yes or no is one of the two tells nothing of anybody.
        return _of_numbers(name, kind, values, 1 if kind_of(kind).storage == "boolean" else least)
    counted = Counter(values)
    missing = counted.pop(None, 0)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
    named = [(level, rows) for level, rows in ranked[:TOP] if rows >= least]
    return ColumnProfile(
        name=name,
        kind=kind,
        rows=len(values),
        missing=missing,
        distinct=len(counted),
        levels=tuple(str(level) for level, _ in named),
        counts=tuple(rows for _, rows in named),
        barely=sum(rows for _, rows in ranked if rows == least),
        others=sum(rows for _, rows in ranked[len(named) :]),
    )


def _of_numbers(name: str, kind: str, values: NDArray[np.float64], least: int) -> ColumnProfile:
    known = np.sort(values[~np.isnan(values)])
    figures, limits = quantiles(known, GRID, least), ends(known, least)
    low, high = limits or (-np.inf, np.inf)
    return ColumnProfile(
        name=name,
        kind=kind,
        rows=len(values),
        missing=len(values) - len(known),
        distinct=int(np.count_nonzero(np.diff(known))) + (len(known) > 0),
        quantiles=tuple(figures.tolist()),
        reached=tuple(np.searchsorted(known, figures, side="right").tolist()),
        ends=limits or (),
        beyond=int(np.count_nonzero((known < low) | (known > high))),
    )
