"""What a family wants to see of a table, and what a preparer gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.schema import Column
from sortal.engine.program import Program


@dataclass(frozen=True)
class View:
    """``numbers``: raw (missing stays NaN), imputed (median and a missing-indicator) or scaled (imputed, then
    standardised).

    ``categories``: codes (ordinal, most frequent first) or onehot. A column with more than ``many`` levels gets the
    out-of-fold target encoding: beside its codes, or instead of the one-hot columns.

    ``interactions``: columns made of two others are added, where some tell more than their parents (see
    ``prepare.interactions``).

    ``smallest_count`` is not the family's wish, but the data's owner's: levels of fewer training rows are as unseen,
    also in training, and what imputes a missing value is no single row's.
    """

    numbers: Literal["raw", "imputed", "scaled"]
    categories: Literal["codes", "onehot"]
    many: int = 30
    interactions: bool = False
    smallest_count: int = 1


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
    program (out-of-fold target encoding); None otherwise.
    """

    program: Program
    names: tuple[str, ...]
    numeric: bool
    categorical: tuple[bool, ...]
    train: NDArray[np.float64] | None = None


class Preparer(Protocol):
    """Turns columns of one kind into numbers."""

    def fit(self, column: Column, values: pl.Series, labels: Labels, view: View, seed: int) -> EncodedColumn:
        """Learn from the canonical values of the training rows."""
        ...
