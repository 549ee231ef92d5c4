"""Op ``raster``: images to the colours of all points of them, as networks take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.images import LARGEST, points
from sortal.core.items import once
from sortal.engine.encode import column_of
from sortal.engine.limits import CALL, Cost
from sortal.engine.pixels import DECODING, READ, Images, colours_of
from sortal.engine.program import Program
from sortal.engine.step import Step, choice, count, fail, text


class Rasters(Images):
    """Images as (channels, side, side) colours."""

    def numbers(self) -> Floats:
        """(n, channels * side * side) from 0 to 1, channel by channel and row by row; NaN of what is not known."""
        shares = self.colours.reshape(len(self), -1) / 255
        shares[~self.readable] = np.nan
        return shares


@dataclass(frozen=True)
class Raster:
    """Images as ``side`` by ``side`` points: of grey, or of red, green and blue.

    An image that is not square is stretched to one.
    """

    side: int
    colour: bool

    def __call__(self, images: Any) -> Rasters:
        shape = (3 if self.colour else 1, self.side, self.side)
        return Rasters(*colours_of(images, lambda image: points(image, self.side, self.colour), shape))


def step(program: Program) -> Step:
    """``side`` by ``side`` points of each image, from 0 to 1: grey, or all red ones, all green and all blue."""
    name, side = text(program, "column"), count(program, "side", least=1)
    raster = Raster(side, choice(program, "read", READ) == "colour")
    if side > LARGEST:
        raise fail("raster", f"setting 'side' is {side:,}, more than the {LARGEST} points of any image")

    def run(columns: Any) -> Floats:
        return once(column_of(columns, name), raster).numbers()

    width = side**2 * (3 if raster.colour else 1)
    cost = Cost(100 * CALL, DECODING + 20 * width, 12 * LARGEST**2 + 12 * width)
    return Step("raster", run, width, cost, named=True)
