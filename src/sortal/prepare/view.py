"""What a family wants to see of a table, and what a preparer gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sortal.core.kinds import is_item
from sortal.core.schema import Column
from sortal.engine.program import Program


@dataclass(frozen=True)
class View:
    """``numbers``: raw (missing stays NaN), imputed (median and a missing-indicator) or scaled (imputed, then
    standardised).

    ``categories``: codes (ordinal, most frequent first) or onehot. A column with more than ``many`` levels gets the
    out-of-fold target encoding: beside its codes, or instead of the one-hot columns.

    ``texts``: words or words_and_characters (weighted n-grams, sparse: where a table has texts, the family gets
    compressed sparse rows of SciPy), topics (a few numbers), embedding (what a network makes of a text that was
    trained on a billion pairs of sentences), or backbone (what the network in the folder ``backbone`` makes of it).

    ``images``: colour (the mean one), thumbnail (eight by eight fields), raster
    (all points of a small image), embedding (what a network makes of them
    that was trained on a million others; small_embedding: of fewer points, sooner), or backbone.

    ``columns``: all of the table, its texts and images alone (items), all others, or one, for a family that looks at
    none: rows have to be counted.

    ``interactions``: columns made of two others are added, where some tell more than their parents (see
    ``prepare.interactions``). ``levels``: columns of what is known of values that come again, and of pairs of them
    (``prepare.levels``).

    ``smallest_count`` is not the family's wish, but the data's owner's: levels of fewer training rows are as unseen,
    also in training, and what imputes a missing value is no single row's.
    """

    numbers: Literal["raw", "imputed", "scaled"]
    categories: Literal["codes", "onehot"]
    many: int = 30
    texts: Literal["topics", "words", "words_and_characters", "embedding", "backbone"] = "topics"
    images: Literal["colour", "thumbnail", "raster", "small_embedding", "embedding", "backbone"] = "thumbnail"
    backbone: str = ""
    columns: Literal["all", "items", "others", "one"] = "all"
    interactions: bool = False
    levels: bool = False
    smallest_count: int = 1

    def select(self, features: Sequence[Column]) -> list[Column]:
        """Those of the features of a table that are prepared.

        >>> price, title = Column("price", "number"), Column("title", "text")
        >>> for columns in ("all", "items", "others", "one"):
        ...     print(*(column.name for column in View("raw", "codes", columns=columns).select((title, price))))
        title price
        title
        price
        price
        """
        if self.columns == "all":
            return [*features]
        if self.columns == "one":  # one that is decoded soonest
            return sorted(features, key=lambda column: is_item(column.kind))[:1]
        return [column for column in features if is_item(column.kind) == (self.columns == "items")]

    def preparer(self, encoding: str) -> str:
        """The name of the preparer for a kind of this encoding: kinds that can be encoded in more than one way have one
        for each, as ``text.topics``.

        >>> View("raw", "codes").preparer("number"), View("raw", "codes").preparer("text")
        ('number', 'text.topics')
        """
        ways = {"text": self.texts, "image": self.images}
        return f"{encoding}.{ways[encoding]}" if encoding in ways else encoding


WIDTHS = {"text": 50, "image": 192}
"""Columns that a value becomes at most where it is made dense, by encoding; one for all others."""


@dataclass(frozen=True)
class ImageColumns:
    """Where the points of a column of images stand in a matrix: from the column ``first`` on, channel by channel and
    row by row, from 0 to 1.
    """

    first: int
    channels: int
    side: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an image."""
        return self.channels, self.side, self.side

    @property
    def columns(self) -> slice:
        """Of the matrix."""
        return slice(self.first, self.first + self.channels * self.side**2)

    def of(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, channels, side, side) images of the rows of a matrix."""
        return X[:, self.columns].reshape(len(X), *self.shape)


@dataclass(frozen=True)
class Labels:
    """The target of the training rows: (n,) class codes, and how many classes there are in all."""

    codes: NDArray[np.int64]
    n_classes: int


@dataclass(frozen=True)
class EncodedColumn:
    """A fitted column: Columns -> (n, len(names)).

    ``numeric``: its values are quantities, to be imputed and scaled. ``categorical``: per output column, whether it
    holds codes without an order. ``train``: what the training rows themselves get, where that differs from running the
    program (out-of-fold target encoding); None otherwise. ``sparse``: the program gives sparse rows, to be left as they
    are.
    """

    program: Program
    names: tuple[str, ...]
    numeric: bool
    categorical: tuple[bool, ...]
    train: NDArray[np.float64] | None = None
    sparse: bool = False


class Preparer(Protocol):
    """Turns columns of one kind into numbers."""

    def fit(self, column: Column, values: Any, labels: Labels, view: View, seed: int) -> EncodedColumn:
        """Learn from the canonical values of the training rows: a ``pl.Series``, for texts and images also
        ``core.items.Items``, which remember what was made of one.
        """
        ...
