"""Which rows have a value that no row of training is like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sortal.core.arrays import Mask
from sortal.core.coded import Coded
from sortal.core.profile import ColumnProfile, Columns
from sortal.core.shift import FEW


def unlike(profiles: Mapping[str, ColumnProfile], columns: Columns, n: int) -> Mask:
    """(n,) rows with a level that training never had, or a number beyond about all of its numbers.

    ``profiles``, ``columns``: as ``core.profile.compared`` and ``comparable`` give them; columns without a profile are
    passed over, and so are those where as many new levels are expected as would matter (``core.shift``).

    >>> levels = {"levels": ("pro", "free"), "counts": (60, 40)}
    >>> plan = ColumnProfile("plan", "category", rows=100, missing=0, distinct=2, **levels)
    >>> unlike({"plan": plan}, {"plan": ["free", "team", None]}, 3)
    array([False,  True, False])
    """
    mask = np.zeros(n, dtype=np.bool_)
    for name, profile in profiles.items():
        if name not in columns or not profile.n_values:
            continue
        if profile.numeric:
            low, high = profile.limits
            numbers = np.asarray(columns[name], dtype=np.float64)
            mask |= (numbers < low) | (numbers > high)
        elif profile.barely + profile.others < FEW * profile.n_values:
            mask |= _new(columns[name], {None, *profile.levels})
    return mask


def _new(values: Sequence[Any], levels: set[str | None]) -> Mask:
    coded = Coded.of(values)
    return np.asarray(np.array([level not in levels for level in coded.levels], dtype=np.bool_)[coded.codes])
