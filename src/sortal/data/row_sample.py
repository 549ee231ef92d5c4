"""Some of the rows of a large table, where there is no time to look at all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sortal.core.arrays import Ints
from sortal.data.read import Source

LEAST_OF_A_CLASS = 2
"""Rows of each class that are drawn, where there are so many: with one it could not be both learned and tested."""


@dataclass(frozen=True)
class RowLimit:
    """``most``: from the rows and columns of a table to how many of the rows are used. ``seed``: of what is drawn.
    ``seconds``: what reading their images may take.
    """

    most: Callable[[int, int], int]
    seed: int = 0
    seconds: float = math.inf


ALL_ROWS = RowLimit(lambda rows, columns: rows)


def sampled(source: Source, target: str, most: int, seed: int) -> tuple[Source, Ints | None]:
    """About ``most`` of the rows, and (n,) their positions in what was read; None where they are all of them."""
    n = source.frame.height
    if most >= n:
        return source, None
    rows = sample_rows(_classes(source.frame, target), most, seed)
    note = (
        f"{len(rows):,} of {n:,} rows are used, drawn at random within each class (seed {seed}), the sealed test among "
        "them: the budget leaves no time for more; a longer one takes all of them"
    )
    name = f"a sample of {source.name}"
    return replace(source, frame=source.frame[rows], name=name, notes=(*source.notes, note)), rows


def sample_rows(classes: Ints, most: int, seed: int) -> Ints:
    """Ascending positions of about ``most`` rows: of each class its share, and two at least.

    >>> sample_rows(np.repeat([0, 1, 2], [900, 98, 2]), 100, seed=0).size
    102
    """
    shuffled = np.random.default_rng(seed).permutation(len(classes))
    counts = np.bincount(classes)
    order = np.argsort(classes[shuffled], kind="stable")
    place = np.empty(len(classes), dtype=np.int64)
    place[order] = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    sizes = np.maximum(np.round(counts * (most / len(classes))), LEAST_OF_A_CLASS)
    return np.sort(shuffled[place < sizes[classes[shuffled]]])


def _classes(frame: pl.DataFrame, target: str) -> Ints:
    """(n,) the class of each row as it was read, a missing one among them; all alike where they are no classes."""
    if target not in frame.columns or frame[target].dtype == pl.Object:
        return np.zeros(frame.height, dtype=np.int64)
    hashes = frame[target].alias("").hash(0).to_numpy()
    values, classes = np.unique(hashes, return_inverse=True)
    if LEAST_OF_A_CLASS * len(values) > frame.height // LEAST_OF_A_CLASS:
        return np.zeros(frame.height, dtype=np.int64)
    return classes.astype(np.int64)
