"""Values that a column usually has, from the profile of training: in forms, in examples, and to explain a row with.

None of them is a row's: a profile holds what enough rows share (``core.disclosure``).
"""

from __future__ import annotations

import datetime as dt
import math
from base64 import b64encode
from typing import Any

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.images import sample_image
from sortal.core.kinds import kind_of
from sortal.core.kinds.number import DURATION
from sortal.core.profile import ColumnProfile
from sortal.core.schema import Column

MOST_VALUES = 5
"""Of a column: a row of twenty columns is explained with a hundred others."""
WORDS = 6
"""Of a text that stands for others."""
_EPOCH = dt.datetime(1970, 1, 1)


def usual_values(profile: ColumnProfile | None) -> tuple[list[Any], Floats]:
    """A few values as a program reads them, spread over those of training, and (m,) how much of them each stands for;
    none where nothing is known.
    """
    if profile is not None and profile.quantiles:
        # The middle of each of as many equal parts, in a grid of twentieths.
        places = [
            round((2 * part + 1) / (2 * MOST_VALUES) * (len(profile.quantiles) - 1)) for part in range(MOST_VALUES)
        ]
        return [profile.quantiles[at] for at in places], np.full(MOST_VALUES, 1 / MOST_VALUES)
    if profile is not None and profile.levels and not profile.measures:
        counts = np.array(profile.counts[:MOST_VALUES], dtype=np.float64)
        return list(profile.levels[:MOST_VALUES]), counts / counts.sum()
    return [], np.empty(0)


def example(column: Column, profile: ColumnProfile | None) -> Any:
    """A value as JSON has it, written as this column's are; None where there is none to give."""
    kind = kind_of(column.kind)
    if kind.encoding == "image":
        return b64encode(sample_image(0)).decode()
    if profile is None:
        return None
    if profile.measures:
        return " ".join(profile.levels[:WORDS]) or None
    values, _ = usual_values(profile)
    if not values:
        return None
    return json_value(column, values[len(values) // 2]) if kind.numeric else values[0]


def json_value(column: Column, value: float) -> Any:
    """A number of a program as a value of its column: a moment as its dates are written."""
    storage = kind_of(column.kind).storage
    if storage == "boolean":
        return value >= 0.5
    if storage == "moment":
        moment = _EPOCH + dt.timedelta(seconds=round(value))
        return moment.replace(tzinfo=dt.UTC).strftime((column.format or "%Y-%m-%d").replace("%.f", ""))
    if column.format == DURATION:
        return f"PT{value:.0f}S"
    return int(value) if value.is_integer() and math.fabs(value) < 2**53 else value
