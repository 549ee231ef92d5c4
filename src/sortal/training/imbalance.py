"""Ways to make rare classes count for more, each with the correction that makes its probabilities honest again."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.engine.program import Program
from sortal.models.family import Rows, Settings

Balance = Literal["none", "weights", "focal", "undersample"]
WORDS: dict[Balance, str] = {
    "none": "no weights",
    "weights": "class weights, corrected",
    "focal": "focal loss, corrected",
    "undersample": "common classes undersampled, corrected",
}
"""In words, for reports."""
FOCAL: Settings = {"focal": 2.0}
"""The gamma of Lin et al. (2017)."""

Index = NDArray[np.int64]


class Balanced(NamedTuple):
    """Rows to fit on and to stop by, and by how much the share of each class was multiplied, (K,); None where it was
    not.
    """

    train: Rows
    stop: Rows | None
    shift: Floats | None

    def tail(self) -> tuple[Program, ...]:
        """What has to follow the model."""
        return () if self.shift is None else (correction(self.shift),)


def balance(strategy: Balance, train: Rows, stop: Rows | None, n_classes: int, seed: int) -> Balanced:
    """Balance the training rows. Rows to stop by are never resampled: they get the weights that amount to the same.

    Resampling leaves out whole rows. Copies of rows (oversampling) are weights that take longer and that no smallest
    leaf holds off; rows made up between others (SMOTE) do not exist where values are missing or codes, and no
    correction of the class shares makes up for them.
    """
    if strategy in ("none", "focal"):
        return Balanced(train, stop, None)
    if strategy == "weights":
        shift = balanced(train.y, n_classes, train.weight)
        rows = _weighted(train, shift)
    else:
        rows = train.take(undersampled(train.y, seed))
        before, after = (_shares(part, n_classes) for part in (train, rows))
        shift = np.divide(after, before, out=np.ones(n_classes), where=before > 0)
    return Balanced(rows, None if stop is None else _weighted(stop, shift), shift)


def balanced(codes: Index, n_classes: int, weight: Floats | None = None) -> Floats:
    """(K,) weights under which every class weighs the same in sum: n / (K * n_k), scikit-learn's ``balanced``.

    Where the rows have a ``weight`` (n,) already, their sums take the place of the counts.

    >>> balanced(np.array([0, 0, 0, 1]), 2).round(3)
    array([0.667, 2.   ])
    """
    counts = np.bincount(codes, weight, minlength=n_classes)
    weights: Floats = counts.sum() / (n_classes * np.where(counts > 0, counts, 1))
    return weights


def undersampled(codes: Index, seed: int) -> Index:
    """Positions of the rows that stay when every class that occurs keeps as many as the smallest has.

    >>> codes = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    >>> np.bincount(codes[undersampled(codes, seed=0)])
    array([2, 2, 2])
    """
    # A few lines of numpy: importing imbalanced-learn for it takes half a second.
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(codes, return_counts=True)
    positions = [rng.choice(np.flatnonzero(codes == code), counts.min(), replace=False) for code in classes]
    return np.sort(np.concatenate(positions))


def correction(shift: Floats) -> Program:
    """Undo the shift of the class shares that weights or resampling made: p_k / shift_k, normalised.

    Saerens, Latinne & Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori probabilities", eq.
    2.4.
    """
    return Program("logit_affine", arrays={"weight": np.eye(len(shift)), "bias": -np.log(shift)})


def _weighted(rows: Rows, shift: Floats) -> Rows:
    return replace(rows, weight=shift[rows.y] if rows.weight is None else shift[rows.y] * rows.weight)


def _shares(rows: Rows, n_classes: int) -> Floats:
    counts = np.bincount(rows.y, rows.weight, minlength=n_classes).astype(np.float64)
    shares: Floats = counts / counts.sum()
    return shares
