"""Images as the colours of a few fields of them: the plainest that a model can see, and what all others have to
beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from sortal.core.arrays import Floats
from sortal.core.items import Items
from sortal.core.quantiles import middle
from sortal.core.schema import Column
from sortal.engine.pixels import Looks, looks
from sortal.engine.program import Program
from sortal.prepare.view import EncodedColumn, Labels, View

SIDE = 8
"""Fields of a thumbnail on a side: CIFAR-10 is 37 % right with them and a linear model, 22 % with the mean colour."""
GREY, COLOURS = ("grey",), ("red", "green", "blue")
UNKNOWN = 0.5
"""Of an image that is not there, where too few are known: neither dark nor light."""

Values = pl.Series | Items
"""The canonical values of an image column, as a series or as what remembers what was made of them."""


@dataclass(frozen=True)
class PixelsPreparer:
    """``side`` by ``side`` fields: of colours, or of grey where no training image has a colour.

    A missing image is of middling colours, and a column says that it is missing where training had such.
    """

    side: int

    def fit(self, column: Column, values: Values, labels: Labels, view: View, seed: int) -> EncodedColumn:
        made: Looks = values.once(looks) if isinstance(values, Items) else looks(values)
        channels = GREY if made.grey else COLOURS
        settings = {"column": column.name, "side": self.side, "read": "grey" if made.grey else "colour"}
        value = _middling(made.numbers(self.side, not made.grey)[made.known], view.smallest_count)
        indicator = np.zeros(0 if made.known.all() else 1, dtype=np.int64)
        fill = Program("fill", arrays={"value": value, "indicator": indicator})
        names = (*_names(column.name, channels, self.side), *(f"{column.name} is missing" for _ in indicator))
        return EncodedColumn(
            program=Program("pixels", settings).then(fill),
            names=names,
            numeric=True,
            categorical=(False,) * len(names),
        )


def _middling(known: Floats, smallest_count: int) -> Floats:
    """(d,) the median of each field, in no single image's colours."""
    value = np.array([middle(each, smallest_count) for each in known.T])
    return np.where(np.isnan(value), UNKNOWN, value)


def _names(column: str, channels: tuple[str, ...], side: int) -> list[str]:
    if side == 1:
        return [f"{column} {channel}" for channel in channels]
    fields = [(row, at) for row in range(1, side + 1) for at in range(1, side + 1)]
    return [f"{column} {channel} {row},{at}" for row, at in fields for channel in channels]


colour = PixelsPreparer(side=1)
thumbnail = PixelsPreparer(SIDE)
