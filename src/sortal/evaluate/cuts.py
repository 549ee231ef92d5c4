"""How a column parts rows: by its frequent levels, yes and no, ranges of numbers, periods of time, and what is missing.

Only the column itself has a say in where it is cut, never what a model says of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.core.coded import Coded
from sortal.core.disclosure import Disclosure
from sortal.core.kinds import kind_of
from sortal.core.quantiles import quantiles

if TYPE_CHECKING:
    from sortal.core.table import Table

LEVELS, ASKED_LEVELS = 8, 30
"""So many levels have a slice of their own, and of a column that was asked for."""
RANGES = 5
STEPS = 20
"""Ends of ranges are rounded to about the twentieth part of where the middle three ranges lie, or finer."""
OTHERS, MISSING = "others", "missing"
PERIODS = (("Y", 365.25), ("M", 30.4), ("D", 1.0), ("h", 1 / 24), ("m", 1 / 1440))
"""Units that periods begin with, the coarsest first, and their days."""


@dataclass(frozen=True)
class Cut:
    """``conditions`` in words, which follow the name of the ``column``, and which of them each row meets, ``codes``
    (n,); a condition that no row meets has been left out.
    """

    column: str
    conditions: tuple[str, ...]
    codes: Codes
    requested: bool = False


def cut(table: Table, name: str, disclosure: Disclosure, requested: bool = False) -> Cut:
    """The slices of a column. What fewer rows hold than may be told of is among the others, and an end of a range is
    no value of a single row (``core.quantiles``); privately conditions are numbered.
    """
    kind, values = kind_of(table.schema[name].kind), table.columns([name])[name]
    levels, codes = _levels(values)
    if isinstance(values, np.ndarray) and len(levels) > LEVELS:
        ends = _ends(values[codes >= 0], kind.storage == "moment", disclosure.smallest_count)
        conditions = _ranges([kind.format_value(end) for end in ends])
        codes = np.where(codes >= 0, np.searchsorted(ends, values, side="right"), -1)
    else:
        # That a yes or no is one of the two tells nothing of anybody.
        least = 1 if kind.storage == "boolean" else disclosure.smallest_count
        texts = [kind.format_value(level) for level in levels] if kind.numeric else levels
        conditions, codes = _frequent(texts, codes, ASKED_LEVELS if requested else LEVELS, least)
    if disclosure.private:
        conditions = [c if c == OTHERS else f"part {i} of {len(conditions)}" for i, c in enumerate(conditions, 1)]
    present, codes = np.unique(np.where(codes < 0, len(conditions), codes), return_inverse=True)
    return Cut(name, tuple([*conditions, MISSING][code] for code in present), codes.astype(np.int64), requested)


def _levels(values: Any) -> tuple[list[Any], Codes]:
    """The different values, in order, and which of them each row has (n,); -1 where it has none."""
    if isinstance(values, np.ndarray):
        present = ~np.isnan(values)
        levels, place = np.unique(values[present], return_inverse=True)
        codes = np.full(len(values), -1, dtype=np.int64)
        codes[present] = place
        return levels.tolist(), codes
    coded = values if isinstance(values, Coded) else _coded(values)
    order = sorted((text, i) for i, text in enumerate(coded.levels) if text is not None)
    place = np.full(len(coded.levels), -1, dtype=np.int64)
    place[[i for _, i in order]] = np.arange(len(order))
    return [text for text, _ in order], place[coded.codes]


def _coded(values: Sequence[str | None]) -> Coded:
    levels = {value: code for code, value in enumerate(dict.fromkeys(values))}
    return Coded(tuple(levels), np.array([levels[value] for value in values], dtype=np.int64))


def _frequent(texts: list[str], codes: Codes, most: int, least: int) -> tuple[list[str], Codes]:
    """The ``most`` frequent levels that at least so many rows have, the most frequent first, and the others."""
    rows = np.bincount(codes[codes >= 0], minlength=len(texts))
    top = [level for level in np.argsort(-rows, kind="stable").tolist()[:most] if rows[level] >= least]
    place = np.full(len(texts) + 1, len(top), dtype=np.int64)
    place[top] = np.arange(len(top))
    place[-1] = -1
    return [*(f"= {texts[level]}" for level in top), *([OTHERS] if len(top) < len(texts) else [])], place[codes]


def _ends(values: Floats, moments: bool, smallest_count: int) -> Floats:
    """Where ranges end that hold about equally many rows, in round figures; a value that most rows share at the low end
    is a range of its own.
    """
    ordered = np.sort(values)
    low, shares = ordered[0], np.arange(1, RANGES) / RANGES
    if np.mean(ordered == low) > shares[0]:
        ordered, shares = ordered[ordered > low], np.arange(RANGES - 1) / (RANGES - 1)
    ends = quantiles(ordered, shares.tolist(), smallest_count)
    if not len(ends):
        return ends
    whole = bool((ordered == np.round(ordered)).all())
    rounded: Floats = np.unique(_periods(ends) if moments else _round(ends, whole))
    return np.asarray(rounded[rounded > low])


def _round(ends: Floats, whole: bool) -> Floats:
    """To a power of ten, which is no fraction where the values are whole numbers.

    >>> _round(np.array([20312.0, 35120.4, 88211.0]), whole=True).tolist()
    [20000.0, 35000.0, 88000.0]
    >>> _round(np.array([35.4, 40.0, 47.8]), whole=True).tolist()
    [35.0, 40.0, 48.0]
    """
    if ends[-1] <= ends[0]:
        return ends
    digits = -int(np.floor(np.log10((ends[-1] - ends[0]) / STEPS)))
    return np.asarray(np.round(ends, min(digits, 0) if whole else digits), dtype=np.float64)


def _periods(ends: Floats) -> Floats:
    """To the beginning of a year, a month, a day or an hour; in seconds since 1970."""
    days = (ends[-1] - ends[0]) / 86400
    unit = next((unit for unit, length in PERIODS if days >= RANGES * length), "s")
    moments = np.floor(ends).astype("datetime64[s]")
    return np.asarray(moments.astype(f"datetime64[{unit}]").astype("datetime64[s]").astype(np.float64))


def _ranges(ends: list[str]) -> list[str]:
    """Of n ends, n + 1 ranges.

    >>> _ranges(["25", "33"])
    ['< 25', '25 to < 33', '>= 33']
    """
    if not ends:
        return ["= any"]
    return [f"< {ends[0]}", *(f"{a} to < {b}" for a, b in pairwise(ends)), f">= {ends[-1]}"]
