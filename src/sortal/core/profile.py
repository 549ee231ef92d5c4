"""What the development rows looked like, column by column: what the rows that come in later are compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sortal.core.schema import Kind

if TYPE_CHECKING:
    from sortal.core.frame import Table

Values = NDArray[np.float64] | Sequence[str | None]
Columns = Mapping[str, Any]
"""Columns as ``core.frame.Table.columns`` gives them: numbers with NaN, or texts with None, where a value is missing."""

GRID = tuple(np.linspace(0, 1, 21).round(2).tolist())
TOP = 1_000
"""Levels that a profile knows by name; what is rarer counts as expected among the others."""


@dataclass(frozen=True)
class ColumnProfile:
    """One feature in ``rows`` rows, of which ``missing`` have no value.

    Numbers, booleans and datetimes (seconds since 1970) have their ``quantiles`` at 0, .05, ..., 1, and ``reached``: how many
    values are at most that. Categories have their most frequent ``levels`` with ``counts``, and ``singles``: how many levels
    occur once; ``others`` is in how many rows a level is that is not named. ``distinct``: how many values there are.
    """

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int
    quantiles: tuple[float, ...] = ()
    reached: tuple[int, ...] = ()
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    singles: int = 0
    others: int = 0

    @property
    def known(self) -> int:
        """How many rows have a value."""
        return self.rows - self.missing

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest value; of dates, as far beyond the rows as these reach, since time goes on."""
        low, high = self.quantiles[0], self.quantiles[-1]
        span = high - low if self.kind == "datetime" else 0.0
        return low - span, high + span

    def shown(self, value: float) -> str:
        """A value as a person writes it."""
        if self.kind == "datetime":
            return str(np.datetime64(round(value), "s")).removesuffix("T00:00:00").replace("T", " ")
        if self.kind == "boolean":
            return "true" if value else "false"
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"


def profile(table: Table) -> dict[str, ColumnProfile]:
    """A profile of every feature, by name."""
    # A column at a time: as Python's texts they take many times their room.
    return {c.name: _profile(c.name, c.kind, table.columns([c.name])[c.name]) for c in table.schema.features}


def _profile(name: str, kind: Kind, values: Values) -> ColumnProfile:
    if not isinstance(values, np.ndarray):
        counted = Counter(values)
        missing = counted.pop(None, 0)
        ranked = sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
        top = ranked[:TOP]
        return ColumnProfile(
            name=name,
            kind=kind,
            rows=len(values),
            missing=missing,
            distinct=len(counted),
            levels=tuple(str(level) for level, _ in top),
            counts=tuple(rows for _, rows in top),
            singles=sum(rows == 1 for _, rows in ranked),
            others=sum(rows for _, rows in ranked[TOP:]),
        )
    known = np.sort(values[~np.isnan(values)])
    steps = np.diff(known)
    if not len(known):
        return ColumnProfile(name, kind, len(values), len(values), 0)
    quantiles = np.interp(np.array(GRID) * (len(known) - 1), np.arange(len(known)), known)
    return ColumnProfile(
        name=name,
        kind=kind,
        rows=len(values),
        missing=len(values) - len(known),
        distinct=1 + int(np.count_nonzero(steps)),
        quantiles=tuple(quantiles.tolist()),
        reached=tuple(np.searchsorted(known, quantiles, side="right").tolist()),
    )
