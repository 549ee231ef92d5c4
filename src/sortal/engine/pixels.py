"""Op ``pixels``: images to the colours of a few fields of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sortal.core.arrays import Floats, Ints
from sortal.core.images import FIELDS, LARGEST, UnreadableError, each, look
from sortal.core.images import Pixels as Colours
from sortal.core.items import Items
from sortal.engine.encode import column_of
from sortal.engine.limits import CALL, Cost
from sortal.engine.program import Program
from sortal.engine.step import Step, choice, count, fail, text

SIDES = tuple(side for side in range(1, FIELDS + 1) if FIELDS % side == 0)
"""Into so many fields on a side those of a look can be put together."""
DECODING = 50 * LARGEST**2 * 3
"""Operations that decoding an image takes at most: a hundredth of a second, measured at half of that."""
READ = ("grey", "colour")


@dataclass(frozen=True)
class Looks:
    """(n, FIELDS, FIELDS, 3) colours of n images; ``known`` (n,): that it is there, and can be read."""

    colours: Colours
    known: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def __len__(self) -> int:
        return len(self.known)

    @property
    def nbytes(self) -> int:
        return self.colours.nbytes + self.known.nbytes

    def take(self, rows: Ints) -> Looks:
        """The images at these positions, in that order."""
        return Looks(self.colours[rows], self.known[rows])

    def above(self, below: Looks) -> Looks:
        """These images, then those."""
        return Looks(np.concatenate([self.colours, below.colours]), np.concatenate([self.known, below.known]))

    def numbers(self, side: int, colour: bool) -> Floats:
        """(n, side * side * 3) from 0 to 1, row by row, or (n, side * side) of grey; NaN of what is not known.

        Whole numbers are added up, so that a row gets the same alone and among others.
        """
        k = FIELDS // side
        parts = self.colours.reshape(len(self), side, k, side, k, 3).sum(axis=(2, 4), dtype=np.int64)
        if not colour:
            parts = parts.sum(axis=3)
        width = side**2 * (3 if colour else 1)
        means: Floats = parts.reshape(len(self), width) / (255 * k**2 * (1 if colour else 3))
        means[~self.known] = np.nan
        return means

    @property
    def grey(self) -> bool:
        """Whether none has a colour."""
        return bool((self.colours == self.colours[..., :1]).all())


def looks(images: Any) -> Looks:
    """A look at each of these images."""
    seen = each(_colours, images)
    known = np.array([colours is not None for colours in seen], dtype=np.bool_)
    blank = np.zeros((FIELDS, FIELDS, 3), dtype=np.uint8)
    colours = np.array([blank if colours is None else colours for colours in seen], dtype=np.uint8)
    return Looks(colours.reshape(len(known), FIELDS, FIELDS, 3), known)


def _colours(image: bytes | None) -> Colours | None:
    try:
        return None if image is None else look(image).colours
    except UnreadableError:
        return None


def pixels(program: Program) -> Step:
    """``side`` by ``side`` fields of each image, row by row, from 0 to 1: grey, or red, green and blue of each."""
    name, side = text(program, "column"), count(program, "side", least=1)
    colour = choice(program, "read", READ) == "colour"
    if side not in SIDES:
        raise fail("pixels", f"setting 'side' is {side:,}, expected one of {', '.join(map(str, SIDES))}")

    def run(columns: Any) -> Floats:
        values = column_of(columns, name)
        made: Looks = values.once(looks) if isinstance(values, Items) else looks(values)
        return made.numbers(side, colour)

    # The image itself, as it is decoded and as it is turned; then its fields.
    cost = Cost(100 * CALL, DECODING + 60 * FIELDS**2, 12 * LARGEST**2 + 100 * FIELDS**2)
    return Step("pixels", run, side**2 * (3 if colour else 1), cost, named=True)
