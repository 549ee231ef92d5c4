"""What the development rows looked like, column by column: what the rows that come in later are compared with.

A profile leaves with the model. No value in it belongs to fewer rows than ``smallest_count`` (``core.disclosure``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sortal.core import text_measures
from sortal.core.coded import Coded, take_rows
from sortal.core.kinds import kind_of
from sortal.core.measures import kinds_of, measure_values
from sortal.core.quantiles import ends_of_columns, quantiles
from sortal.core.schema import Column

if TYPE_CHECKING:
    from sortal.core.table import Table

Values = NDArray[np.float64] | Sequence[Any]
Columns = Mapping[str, Any]
"""Columns as ``core.table.Table.columns`` gives them: numbers with NaN, or texts with None, where a value is
missing."""

GRID = tuple(np.linspace(0, 1, 21).round(2).tolist())
TOGETHER = 1_000_000
"""Numbers that are looked at together."""
TOP = 1_000
"""Levels that a profile knows by name; what is rarer counts as expected among the others."""
WATCHED = 50
"""Levels of which each is watched by itself; fifty shares are more than a person looks at."""
MOST_TEXTS = 20_000
"""Texts that a profile is made of, spread over all: a second, and no share of rows is surer that matters."""
MOST_CLASSES = 20
"""Of which scores have a profile."""
MOST_IMAGES = 2_000
"""Images that a profile is made of, spread over all: each has to be decoded for it."""


@dataclass(frozen=True)
class ColumnProfile:
    """One feature in ``rows`` rows, of which ``missing`` have no value.

    Numbers, booleans and datetimes (seconds since 1970) have ``quantiles`` at 0, .05, ..., 1, each the mean of some
    neighbours, and ``reached``: how many values are at most that; and their ``ends``, about the smallest and the
    largest value, with ``beyond``: how many values lie outside. Categories have their most frequent ``levels`` with
    ``counts``; ``others`` is in how many rows a level is that is not named, and ``barely`` in how many one that has
    just as few rows as a level needs to be named. ``distinct``: how many values there are. ``half_levels``
    are the most frequent of one of the ``halves`` of the rows, and ``half_counts`` and ``half_missing`` how many of the
    other have them, and none: what is chosen for being frequent is less so in other rows.

    Texts have the words of most rows as ``levels``, with the rows that hold them. Texts and images have ``measures``:
    profiles of what is measured of one (``core.measures``), each of which names its ``measure``. They are of some of
    many rows; words are usual by half of them, and how many are unusual is measured of the others.
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
    half_levels: tuple[str, ...] = ()
    half_counts: tuple[int, ...] = ()
    half_missing: int = 0
    measure: str = ""
    measures: tuple[ColumnProfile, ...] = ()

    @property
    def n_values(self) -> int:
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

    def format_value(self, value: float) -> str:
        """A value as a person writes it."""
        return kind_of(self.kind).format_value(value)


def profile(table: Table, smallest_count: int = 1) -> dict[str, ColumnProfile]:
    """A profile of every feature, by name, that names no value of fewer rows than ``smallest_count``."""
    features = table.schema.features
    profiles: dict[str, ColumnProfile] = {}
    # That a yes or no is one of the two tells nothing of anybody.
    for least, columns in (
        (1, [c for c in features if kind_of(c.kind).storage == "boolean"]),
        (smallest_count, [c for c in features if kind_of(c.kind).numeric and kind_of(c.kind).storage != "boolean"]),
    ):
        # Of few rows many columns together, for one by one they take long; of many one by one, for together they take
        # much room.
        at_once = max(1, TOGETHER // max(len(table), 1))
        for start in range(0, len(columns), at_once):
            part = columns[start : start + at_once]
            profiles |= _of_numbers(part, table.columns([column.name for column in part]), least)
    for column in features:
        if column.name not in profiles:
            # A column at a time: as Python's texts they take many times their room.
            values: Any = table.columns([column.name])[column.name]
            look = _LOOKS.get(kind_of(column.kind).encoding, _of_levels)
            profiles[column.name] = look(column, values, smallest_count)
    return {column.name: profiles[column.name] for column in features}


def profile_of_scores(
    classes: Sequence[str], probability: NDArray[np.float64], smallest_count: int = 1
) -> dict[str, ColumnProfile]:
    """A profile of (n, K) probabilities by class: of two classes the second alone, as it says the first; of more than
    ``MOST_CLASSES`` none, as that of one of them says little.
    """
    pairs = list(enumerate(classes))[1 if len(classes) == 2 else 0 :]
    if len(pairs) > MOST_CLASSES or not len(probability):
        return {}
    columns = [Column(name, "number") for _, name in pairs]
    return _of_numbers(columns, {name: probability[:, code] for code, name in pairs}, smallest_count)


def _of_levels(column: Column, values: Sequence[str | None], least: int) -> ColumnProfile:
    first, second = _counts_of_halves(values)
    counts = first + second
    missing = counts.pop(None, 0)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    frequent_levels = [(level, rows) for level, rows in ranked[:TOP] if rows >= least]
    in_half = ((level, rows) for level, rows in first.items() if level is not None and rows >= least)
    half_levels = [level for level, _ in sorted(in_half, key=lambda item: (-item[1], str(item[0])))[:WATCHED]]
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        rows=len(values),
        missing=missing,
        distinct=len(counts),
        levels=tuple(str(level) for level, _ in frequent_levels),
        counts=tuple(rows for _, rows in frequent_levels),
        barely=sum(rows for _, rows in ranked if rows == least),
        others=sum(rows for _, rows in ranked[len(frequent_levels) :]),
        half_levels=tuple(str(level) for level in half_levels),
        half_counts=tuple(second[level] for level in half_levels),
        half_missing=second[None],
    )


@lru_cache(maxsize=1)
def halves(rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two halves of so many rows by lot, always the same, each in order; the first has one more where they are odd. Not
    every second row: tables are made of pairs often enough.
    """
    order = np.random.default_rng(0).permutation(rows)
    return np.sort(order[rows // 2 :]), np.sort(order[: rows // 2])


def _counts_of_halves(values: Sequence[str | None]) -> list[Counter[str | None]]:
    """How often each value is there in either of the ``halves``."""
    coded = Coded.of(values)
    counts = (np.bincount(coded.codes[half], minlength=len(coded.levels)).tolist() for half in halves(len(coded)))
    return [
        Counter({level: rows for level, rows in zip(coded.levels, of_half, strict=True) if rows}) for of_half in counts
    ]


def _of_texts(column: Column, values: Sequence[str | None], least: int) -> ColumnProfile:
    sample = _sample(values, MOST_TEXTS)
    first, _ = halves(len(sample))
    in_half = take_rows(sample, first)
    rows = Counter(word for text in in_half if text is not None for word in set(text_measures.words(text)))
    ranked = sorted(rows.items(), key=lambda item: (-item[1], item[0]))
    frequent_words = [(word, count) for word, count in ranked[:TOP] if count >= least]
    usual = tuple(word for word, _ in frequent_words)
    return replace(
        _of_items(column, sample, usual, least), levels=usual, counts=tuple(count for _, count in frequent_words)
    )


def _of_images(column: Column, values: Sequence[bytes | None], least: int) -> ColumnProfile:
    return _of_items(column, _sample(values, MOST_IMAGES), (), least)


def _sample(values: Sequence[Any], most: int) -> Sequence[Any]:
    """At most so many of the values, spread over all."""
    return values[:: -(-len(values) // most)] if len(values) else values


def _of_items(column: Column, values: Sequence[Any], usual: tuple[str, ...], least: int) -> ColumnProfile:
    """Of texts or images: how many, and what is measured of each. Words that are ``usual`` are so by the first half of
    the texts, and more so in these than in others.
    """
    measures = dict(measure_values(column.kind, values, usual))
    if text_measures.UNKNOWN in measures:
        _, second = halves(len(values))
        measures[text_measures.UNKNOWN] = take_rows(measures[text_measures.UNKNOWN], second)
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        rows=len(values),
        missing=sum(value is None for value in values),
        distinct=len({*values} - {None}),
        measures=tuple(_measure_profiles(column, measures, least)),
    )


_LOOKS: Mapping[str, Callable[[Column, Any, int], ColumnProfile]] = {"text": _of_texts, "image": _of_images}
"""By the encoding of a kind; all others have levels."""


def _measure_profiles(column: Column, values: Columns, least: int) -> Iterator[ColumnProfile]:
    """A profile of each measure."""
    for measure, kind in kinds_of(column.kind).items():
        as_column = Column(measure, kind)
        if kind_of(kind).numeric:
            result = _of_numbers([as_column], values, least)[measure]
        else:
            result = _of_levels(as_column, values[measure], least)
        yield replace(result, name=column.name, measure=measure)


def compared(reference: Mapping[str, ColumnProfile]) -> dict[str, ColumnProfile]:
    """What is compared of each column: itself, or what is measured of it."""
    return {
        f"{name}/{part.measure}" if part.measure else name: part
        for name, column in reference.items()
        for part in column.measures or (column,)
    }


def comparable(reference: Mapping[str, ColumnProfile], columns: Columns) -> Columns:
    """The values of ``compared`` in some rows; of columns that are there."""
    compared: dict[str, Values] = {}
    for name, column in reference.items():
        if name not in columns:
            continue
        if column.measures:
            looks = measure_values(column.kind, columns[name], column.levels)
            compared |= {f"{name}/{measure}": values for measure, values in looks.items()}
        else:
            compared[name] = columns[name]
    return compared


def _of_numbers(columns: Sequence[Column], values: Columns, least: int) -> dict[str, ColumnProfile]:
    """Those with as many missing values are looked at together."""
    ordered = np.sort(np.stack([np.asarray(values[column.name]) for column in columns])).T
    n_values = np.count_nonzero(~np.isnan(ordered), axis=0)
    profiles: dict[str, ColumnProfile] = {}
    for count in np.unique(n_values).tolist():
        at = np.flatnonzero(n_values == count)
        sorted_values = ordered[:count, at]
        figures, limits = quantiles(sorted_values, GRID, least), ends_of_columns(sorted_values, least)
        distinct = np.count_nonzero(np.diff(sorted_values, axis=0), axis=0) + (count > 0)
        beyond = np.count_nonzero((sorted_values < limits[0]) | (sorted_values > limits[1]), axis=0)
        for i, number in enumerate(at.tolist()):
            column, (low, high) = columns[number], limits[:, i].tolist()
            profiles[column.name] = ColumnProfile(
                name=column.name,
                kind=column.kind,
                rows=len(ordered),
                missing=len(ordered) - count,
                distinct=int(distinct[i]),
                quantiles=tuple(figures[:, i].tolist()),
                reached=tuple(np.searchsorted(sorted_values[:, i], figures[:, i], side="right").tolist()),
                ends=(low, high) if low == low else (),
                beyond=int(beyond[i]),
            )
    return profiles
