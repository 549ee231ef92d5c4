"""How long a model takes, measured when it comes into service: what takes long is done in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from sortal.artifact.model import Model
from sortal.core.door import canonical_rows
from sortal.core.kinds import kind_of

TIMES = 5
MANY = 32
"""Rows that are scored at once to see what one more of them takes."""
READING = 2.5e-6
"""Seconds to read and compare a value beside scoring its row, and to write what is said of it: measured with 20
columns.
"""

DECODING = 0.02
"""Seconds to decode an image, such as a photo of a telephone; those of golden rows are tiny."""


@dataclass(frozen=True)
class Pace:
    """Seconds that a request takes, and each of its rows."""

    request: float
    row: float

    def of(self, rows: int) -> float:
        """Seconds of so many rows at once.

        >>> round(Pace(0.001, 0.0001).of(10), 6)
        0.002
        """
        return self.request + self.row * rows


def measure(model: Model) -> Pace:
    """The pace of a model on its golden rows, of which those with images come first."""
    row = model.golden.rows[:1] or ({},)
    images = sum(kind_of(column.kind).encoding == "image" for column in model.needs.columns)
    one, many = (canonical_rows(row * count, model.reads) for count in (1, MANY))
    first = _seconds(lambda: model.score_rows(one))
    # A network that takes long for one row is not asked for many.
    row_seconds = first if first > 0.1 else max(0.0, _seconds(lambda: model.score_rows(many)) - first) / (MANY - 1)
    return Pace(max(first - row_seconds, 0.0), row_seconds + READING * len(model.needs.columns) + images * DECODING)


def _seconds(score: Callable[[], object]) -> float:
    score()  # what is made once for all rows is made here
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        score()
        seconds.append(time.perf_counter() - start)
    return median(seconds)
