"""Golden rows: made up in the likeness of the training data, for a model to prove itself on when it is loaded."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

import numpy as np

from sortal.artifact.store import Golden, Value
from sortal.core.images import sample_image
from sortal.core.kinds import kind_of
from sortal.core.profile import ColumnProfile

IMAGES = 2
"""Golden rows that have images, which take longest: all others have none."""
WORDS = 100
"""Texts of golden rows are every so many of the usual words: ten of a thousand."""


def golden_rows(profile: Mapping[str, ColumnProfile], count: int = 8) -> Golden:
    """Rows to prove a model file with: made up of what the profile has anyway, and images of nothing, so that no row of
    the data leaves with it.

    The last of them has no value in any column.
    """
    rng = np.random.default_rng(0)
    rows: list[dict[str, Value]] = [{} for _ in range(count)]
    for column in profile.values():
        values = _values(column)
        if kind_of(column.kind).encoding == "image":
            for number, row in enumerate(rows[:IMAGES]):
                row[column.name] = b64encode(sample_image(number)).decode()
        elif values:
            for row, at in zip(rows, rng.integers(len(values), size=count).tolist(), strict=True):
                row[column.name] = values[at]
    return Golden((*rows, {}))


def _values(column: ColumnProfile) -> Sequence[Value]:
    """What a column may hold, from its profile."""
    storage = kind_of(column.kind).storage
    if storage == "boolean":
        return (False, True)
    if storage == "moment":
        return [round(1e6 * seconds) for seconds in column.quantiles]
    if column.measures:  # a text is some of its usual words
        return [" ".join(column.levels[first::WORDS]) for first in range(min(WORDS, len(column.levels)))]
    return column.quantiles or column.levels
