"""Images as the colours of a few fields of them, the plainest that a model can see and what all others have to beat; or
of all of their points, for networks."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import polars as pl

from sortal.core.arrays import Floats
from sortal.core.images import UnreadableError, look
from sortal.core.items import Items, once
from sortal.core.quantiles import middle
from sortal.core.schema import Column
from sortal.engine.pixels import looks
from sortal.engine.program import Program
from sortal.prepare.view import EncodedColumn, Labels, View

SIDE = 8
"""Fields of a thumbnail on a side: CIFAR-10 is 37 % right with them and a linear model, 22 % with the mean colour."""
SMALLEST_SIDE, LARGEST_SIDE = 16, 64
"""Points on a side that a small network sees: below, three halvings leave nothing; above, an image takes too long on a
processor."""
SIZED = 200
"""Images of which the size is looked at."""
MOST_POINTS = 160_000_000
"""Numbers of all images of a matrix: one and a third gigabytes."""
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
        images = once(values, looks)
        channels = GREY if images.grey else COLOURS
        settings = {"column": column.name, "side": self.side, "read": "grey" if images.grey else "colour"}
        value = _middling(images.numbers(self.side, not images.grey)[images.readable], view.smallest_count)
        indicator = np.zeros(0 if images.readable.all() else 1, dtype=np.int64)
        fill = Program("fill", arrays={"value": value, "indicator": indicator})
        names = (*_names(column.name, channels, self.side), *(f"{column.name} is missing" for _ in indicator))
        return EncodedColumn(
            program=Program("pixels", settings).then(fill),
            names=names,
            numeric=True,
            categorical=(False,) * len(names),
        )


def _middling(fields: Floats, smallest_count: int) -> Floats:
    """(d,) the median of each field, in no single image's colours."""
    value = np.array([middle(field, smallest_count) for field in fields.T])
    return np.where(np.isnan(value), UNKNOWN, value)


def _names(column: str, channels: tuple[str, ...], side: int) -> list[str]:
    if side == 1:
        return [f"{column} {channel}" for channel in channels]
    fields = [(row, at) for row in range(1, side + 1) for at in range(1, side + 1)]
    return [f"{column} {channel} {row},{at}" for row, at in fields for channel in channels]


@dataclass(frozen=True)
class RasterPreparer:
    """All points of the images, made as large as most are: of colours, or of grey where no training image has a colour.

    A missing image is grey.
    """

    def fit(self, column: Column, values: Values, labels: Labels, view: View, seed: int) -> EncodedColumn:
        images = once(values, looks)
        channels = GREY if images.grey else COLOURS
        side = _usual_side(values, len(channels))
        settings = {"column": column.name, "side": side, "read": "grey" if images.grey else "colour"}
        names = [f"{column.name} {c} {row},{at}" for c in channels for row in range(side) for at in range(side)]
        fill = Program("fill", arrays={"value": np.full(len(names), UNKNOWN), "indicator": np.zeros(0, np.int64)})
        return EncodedColumn(
            program=Program("raster", settings).then(fill),
            names=tuple(names),
            numeric=False,
            categorical=(False,) * len(names),
        )


def _usual_side(values: Values, channels: int) -> int:
    """Points on a side: as many as half of the images have on their longer side, in fours, as far as a network that is
    trained here gets through them, and as a matrix of all images has room.
    """
    longer = []
    for value in list(values[:SIZED]):
        with suppress(UnreadableError):
            if value is not None:
                longer.append(max((image := look(value)).width, image.height))
    usual = int(np.median(longer)) if longer else SMALLEST_SIDE
    room = int(np.sqrt(MOST_POINTS / (channels * max(len(values), 1))))
    return max(SMALLEST_SIDE, min(-(-usual // 4) * 4, LARGEST_SIDE, room // 4 * 4))


colour = PixelsPreparer(side=1)
thumbnail = PixelsPreparer(SIDE)
raster = RasterPreparer()
