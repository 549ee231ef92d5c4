"""The last look at what a program says of rows: probabilities, or a refusal that names the row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.errors import ArtifactError
from sortal.core.predictions import OFF_ONE


def checked(probability: Floats, classes: int, ids: NDArray[np.int64]) -> Floats:
    """The same (n, K) array, if its rows are probabilities: numbers of at least zero that sum to one.

    What is more than one by the last bits, as a weighted mean of ones can be, is one. Raises ArtifactError with the
    first row where they are not, by its id (n,), counted from 0.

    >>> checked(np.array([[0.25, 0.75]]), classes=2, ids=np.array([0]))
    array([[0.25, 0.75]])
    """
    if probability.ndim != 2 or probability.shape[1] != classes:
        raise ArtifactError(f"the program of this model does not give {classes} probabilities a row")
    # NaN is neither at least zero nor near one. A product is ten times as fast as a sum along rows.
    if len(probability) and not (
        probability.min() >= 0 and np.abs(probability @ np.ones(classes) - 1).max() <= OFF_ONE
    ):
        _refuse(probability, ids)
    return np.minimum(probability, 1.0) if len(probability) and probability.max() > 1 else probability


def checked_row(probability: list[float], classes: int) -> list[float]:
    """The same for one row.

    >>> checked_row([0.25, 0.75], classes=2)
    [0.25, 0.75]
    """
    # Of a NaN the sum is none, either.
    if len(probability) != classes or min(probability) < 0 or not abs(sum(probability) - 1) <= OFF_ONE:
        checked(np.array([probability]), classes, np.zeros(1, dtype=np.int64))
    return [min(value, 1.0) for value in probability] if max(probability) > 1 else probability


def _refuse(probability: Floats, ids: NDArray[np.int64]) -> None:
    with np.errstate(invalid="ignore"):
        fine = (probability >= 0).all(axis=1) & (np.abs(probability.sum(axis=1) - 1) <= OFF_ONE)
    row = int(np.argmin(fine))
    values = ", ".join(f"{value:.3g}" for value in probability[row, :5]) + (", ..." if probability.shape[1] > 5 else "")
    raise ArtifactError(
        f"this model gives row {ids[row] + 1:,} of those scored {values}, which are no probabilities; train it again"
    )
