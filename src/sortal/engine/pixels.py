"""Op ``pixels``: images to the colours of a few fields of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sortal.core.arrays import Floats, Ints
from sortal.core.images import LARGEST, UnreadableError, each, thumbnail
from sortal.core.images import Pixels as Colours
from sortal.core.items import Items
from sortal.engine.encode import column_of
from sortal.engine.limits import CALL, Cost
from sortal.engine.program import Program
from sortal.engine.step import Step, choice, count, fail, text

MOST_SIDE = 64
"""Fields on a side at most: 12,288 numbers."""
DECODING = 50 * LARGEST**2 * 3
"""Operations that decoding an image takes at most, which is a tenth of a second for a hundred of them, measured."""
READ = ("grey", "colour", "mean grey", "mean colour")
"""Each field, or the mean of all of them; as one number, or as red, green and blue."""


@dataclass(frozen=True)
class Thumbnails:
    """(n, side * side * 3) red, green and blue of n images; ``known`` (n,): that it is there, and can be read."""

    colours: Colours
    known: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def __len__(self) -> int:
        return len(self.known)

    @property
    def nbytes(self) -> int:
        return self.colours.nbytes + self.known.nbytes

    def take(self, rows: Ints) -> Thumbnails:
        """The images at these positions, in that order."""
        return Thumbnails(self.colours[rows], self.known[rows])

    def above(self, below: Thumbnails) -> Thumbnails:
        """These images, then those."""
        return Thumbnails(np.vstack([self.colours, below.colours]), np.concatenate([self.known, below.known]))

    def numbers(self, read: str) -> Floats:
        """(n, d) from 0 to 1, as ``READ`` has it; NaN of what is not known. A row gets the same alone and among
        others: whole numbers are added up.
        """
        parts = self.colours.reshape(len(self), -1, 3).astype(np.int64)
        if "mean" in read:
            parts = parts.sum(axis=1, keepdims=True)
        if "grey" in read:
            parts = parts.sum(axis=2, keepdims=True)
        width = parts.shape[1] * parts.shape[2]
        found: Floats = parts.reshape(len(self), width) / (255 * self.colours.shape[1] // width)
        found[~self.known] = np.nan
        return found

    @property
    def grey(self) -> bool:
        """Whether none has a colour."""
        channels = self.colours.reshape(len(self), -1, 3)
        return bool((channels == channels[:, :, :1]).all())


@dataclass(frozen=True)
class Pixels:
    """From images to ``side`` by ``side`` fields of them; equal ones make the same."""

    side: int

    def __call__(self, images: Any) -> Thumbnails:
        small = each(self._one, images)
        known = np.array([each is not None for each in small], dtype=np.bool_)
        blank = np.zeros((self.side, self.side, 3), dtype=np.uint8)
        colours = np.array([blank if each is None else each for each in small], dtype=np.uint8)
        return Thumbnails(colours.reshape(len(known), 3 * self.side**2), known)

    def _one(self, image: bytes | None) -> Colours | None:
        try:
            return None if image is None else thumbnail(image, self.side)
        except UnreadableError:
            return None


def pixels(program: Program) -> Step:
    """``side`` by ``side`` fields of each image, row by row, or their mean, from 0 to 1."""
    name, side, read = text(program, "column"), count(program, "side", least=1), choice(program, "read", READ)
    if side > MOST_SIDE:
        raise fail("pixels", f"setting 'side' is {side:,}, and at most {MOST_SIDE}")
    make = Pixels(side)

    def run(columns: Any) -> Floats:
        values = column_of(columns, name)
        made: Thumbnails = values.once(make) if isinstance(values, Items) else make(values)
        return made.numbers(read)

    width = (1 if "mean" in read else side**2) * (1 if "grey" in read else 3)
    # The image itself, as it is decoded and as it is turned; then its fields.
    cost = Cost(100 * CALL, DECODING + 60 * side**2, 12 * LARGEST**2 + 100 * side**2)
    return Step("pixels", run, width, cost, named=True)
