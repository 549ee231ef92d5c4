"""What the development rows looked like, column by column: what the rows that come in later are compared with.

A profile leaves with the model. No value in it belongs to fewer rows than ``smallest_count`` (``core.disclosure``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sortal.core import text_measures
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
MOST_TEXTS = 20_000
"""Texts that a profile is made of, spread over all: a second, and no share of rows is surer that matters."""


@dataclass(frozen=True)
class ColumnProfile:
    """One feature in ``rows`` rows, of which ``missing`` have no value.

    Numbers, booleans and datetimes (seconds since 1970) have ``quantiles`` at 0, .05, ..., 1, each the mean of some
    neighbours, and ``reached``: how many values are at most that; and their ``ends``, about the smallest and the
    largest value, with ``beyond``: how many values lie outside. Categories have their most frequent ``levels`` with
    ``counts``; ``others`` is in how many rows a level is that is not named, and ``barely`` in how many one that has
    just as few rows as a level needs to be named. ``distinct``: how many values there are.

    Texts have the words of most rows as ``levels``, with the rows that hold them, and ``measures``: profiles of what is
    measured of a text (``core.text_measures``), each of which names its ``measure``. They are of some of many rows.
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
    measure: str = ""
    measures: tuple[ColumnProfile, ...] = ()

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
    if kind_of(kind).encoding == "text":
        return _of_texts(name, kind, values, least)
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


def _of_texts(name: str, kind: str, values: Sequence[str | None], least: int) -> ColumnProfile:
    some = values[:: -(-len(values) // MOST_TEXTS)] if len(values) else values
    rows = Counter(word for text in some if text is not None for word in set(text_measures.words(text)))
    ranked = sorted(rows.items(), key=lambda item: (-item[1], item[0]))
    named = [(word, count) for word, count in ranked[:TOP] if count >= least]
    usual = tuple(word for word, _ in named)
    measured = text_measures.measures(some, usual)
    return ColumnProfile(
        name=name,
        kind=kind,
        rows=len(some),
        missing=sum(text is None for text in some),
        distinct=len({*some} - {None}),
        levels=usual,
        counts=tuple(count for _, count in named),
        measures=tuple(
            replace(_profile(name, text_measures.KINDS[measure], each, least), measure=measure)
            for measure, each in measured.items()
        ),
    )


def compared(reference: Mapping[str, ColumnProfile]) -> dict[str, ColumnProfile]:
    """What is compared of each column: itself, or what is measured of it."""
    return {
        f"{name}/{each.measure}" if each.measure else name: each
        for name, column in reference.items()
        for each in column.measures or (column,)
    }


def comparable(reference: Mapping[str, ColumnProfile], columns: Columns) -> Columns:
    """The values of ``compared`` in some rows; of columns that are there."""
    found: dict[str, Values] = {}
    for name, column in reference.items():
        if name not in columns:
            continue
        if column.measures:
            measured = text_measures.measures(columns[name], column.levels)
            found |= {f"{name}/{measure}": values for measure, values in measured.items()}
        else:
            found[name] = columns[name]
    return found


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
