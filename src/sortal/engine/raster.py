"""Op ``raster``: images to the colours of all points of them, as networks take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sortal.core.arrays import Floats, Ints
from sortal.core.images import LARGEST, Pixels, UnreadableError, each, points
from sortal.core.items import Items
from sortal.engine.encode import column_of
from sortal.engine.limits import CALL, Cost
from sortal.engine.pixels import DECODING, READ
from sortal.engine.program import Program
from sortal.engine.step import Step, choice, count, fail, text


@dataclass(frozen=True)
class Rasters:
    """(n, channels, side, side) colours of n images; ``known`` (n,): that it is there, and can be read."""

    colours: Pixels
    known: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def __len__(self) -> int:
        return len(self.known)

    @property
    def nbytes(self) -> int:
        return self.colours.nbytes + self.known.nbytes

    def take(self, rows: Ints) -> Rasters:
        """The images at these positions, in that order."""
        return Rasters(self.colours[rows], self.known[rows])

    def above(self, below: Rasters) -> Rasters:
        """These images, then those."""
        return Rasters(np.concatenate([self.colours, below.colours]), np.concatenate([self.known, below.known]))

    def numbers(self) -> Floats:
        """(n, channels * side * side) from 0 to 1, channel by channel and row by row; NaN of what is not known."""
        points_of = self.colours.reshape(len(self), -1) / 255
        points_of[~self.known] = np.nan
        return points_of


@dataclass(frozen=True)
class Raster:
    """Images as ``side`` by ``side`` points: of grey, or of red, green and blue.

    An image that is not square is stretched to one.
    """

    side: int
    colour: bool

    def __call__(self, images: Any) -> Rasters:
        seen = each(self._points, images)
        shape = (3 if self.colour else 1, self.side, self.side)
        out = np.zeros((len(seen), *shape), dtype=np.uint8)
        for at, colours in enumerate(seen):
            if colours is not None:
                out[at] = colours
        return Rasters(out, np.array([colours is not None for colours in seen], dtype=np.bool_))

    def _points(self, image: bytes | None) -> Pixels | None:
        try:
            return None if image is None else points(image, self.side, self.colour)
        except UnreadableError:
            return None


def step(program: Program) -> Step:
    """``side`` by ``side`` points of each image, from 0 to 1: grey, or all red ones, all green and all blue."""
    name, side = text(program, "column"), count(program, "side", least=1)
    raster = Raster(side, choice(program, "read", READ) == "colour")
    if side > LARGEST:
        raise fail("raster", f"setting 'side' is {side:,}, more than the {LARGEST} points of any image")

    def run(columns: Any) -> Floats:
        values = column_of(columns, name)
        made: Rasters = values.once(raster) if isinstance(values, Items) else raster(values)
        return made.numbers()

    width = side**2 * (3 if raster.colour else 1)
    cost = Cost(100 * CALL, DECODING + 20 * width, 12 * LARGEST**2 + 12 * width)
    return Step("raster", run, width, cost, named=True)
