"""Rows that a model answered, as they are counted: many at once, and a column at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Floats, Ints, Mask
from sortal.core.coded import take_rows
from sortal.core.door import Values

BATCH = 20_000
"""Rows that are counted at once: what a block of a hundred columns takes by itself, some 30 ms, is then little."""


@dataclass(frozen=True)
class Batch:
    """(n,) rows in the order in which they came.

    ``times``: seconds since 1970. ``columns``: what the model read, by name. ``probability``: (n, K). ``decisions`` and
    ``labels``: as text; a label is None where none has come. ``seconds``: what an answer took, NaN where no service
    gave one; ``has_warning``: which of them had any.
    """

    times: Floats
    columns: Mapping[str, Values]
    probability: Floats
    decisions: Sequence[str]
    labels: Sequence[str | None]
    seconds: Floats
    has_warning: Mask

    def __len__(self) -> int:
        return len(self.times)

    def take(self, index: Ints) -> Batch:
        """The rows at these different positions, in the order of the rows."""
        if len(index) == len(self):
            return self
        places = index.tolist()
        return Batch(
            self.times[index],
            {name: take_rows(values, index) for name, values in self.columns.items()},
            self.probability[index],
            [self.decisions[at] for at in places],
            [self.labels[at] for at in places],
            self.seconds[index],
            self.has_warning[index],
        )

    def by_day(self, days: Ints) -> Iterator[tuple[int, Batch]]:
        """The rows of each of these (n,) days."""
        for day in np.unique(days).tolist():
            yield day, self.take(np.flatnonzero(days == day))

    def labelled(self) -> Batch:
        """The rows whose label came."""
        return self.take(np.flatnonzero([label is not None for label in self.labels]))
