"""Op ``pixels``: images to the colours of a few fields of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from sortal.core.arrays import Floats, Ints
from sortal.core.images import FIELDS, LARGEST, UnreadableError, look, map_in_threads
from sortal.core.images import Pixels as Colours
from sortal.core.items import once
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
class Images:
    """(n, ...) colours of n images; ``readable`` (n,): that it is there, and can be read."""

    colours: Colours
    readable: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def __len__(self) -> int:
        return len(self.readable)

    @property
    def nbytes(self) -> int:
        return self.colours.nbytes + self.readable.nbytes

    def take(self, rows: Ints) -> Self:
        """The images at these positions, in that order."""
        return replace(self, colours=self.colours[rows], readable=self.readable[rows])

    def above(self, below: Self) -> Self:
        """These images, then those."""
        colours = np.concatenate([self.colours, below.colours])
        return replace(self, colours=colours, readable=np.concatenate([self.readable, below.readable]))


def colours_of(
    images: Any, of_one: Callable[[bytes], Colours], shape: tuple[int, ...]
) -> tuple[Colours, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """(n, *shape) colours, and (n,) which images are there and can be read; those of the others are black."""

    def read(image: bytes | None) -> Colours | None:
        try:
            return None if image is None else of_one(image)
        except UnreadableError:
            return None

    arrays = map_in_threads(read, images)
    colours = np.zeros((len(arrays), *shape), dtype=np.uint8)
    for at, one in enumerate(arrays):
        if one is not None:
            colours[at] = one
    return colours, np.array([one is not None for one in arrays], dtype=np.bool_)


class Looks(Images):
    """Images as (FIELDS, FIELDS, 3) colours."""

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
        means[~self.readable] = np.nan
        return means

    @property
    def grey(self) -> bool:
        """Whether none has a colour."""
        return bool((self.colours == self.colours[..., :1]).all())


def looks(images: Any) -> Looks:
    """A look at each of these images."""
    return Looks(*colours_of(images, lambda image: look(image).colours, (FIELDS, FIELDS, 3)))


def pixels(program: Program) -> Step:
    """``side`` by ``side`` fields of each image, row by row, from 0 to 1: grey, or red, green and blue of each."""
    name, side = text(program, "column"), count(program, "side", least=1)
    colour = choice(program, "read", READ) == "colour"
    if side not in SIDES:
        raise fail("pixels", f"setting 'side' is {side:,}, expected one of {', '.join(map(str, SIDES))}")

    def run(columns: Any) -> Floats:
        return once(column_of(columns, name), looks).numbers(side, colour)

    # The image itself, as it is decoded and as it is turned; then its fields.
    cost = Cost(100 * CALL, DECODING + 60 * FIELDS**2, 12 * LARGEST**2 + 100 * FIELDS**2)
    return Step("pixels", run, side**2 * (3 if colour else 1), cost, named=True)
