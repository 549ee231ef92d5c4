"""What a model says of rows, as arrays: the one form in which every way to ask gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of n rows, K classes in the order of its ``classes_``.

    ``labels``: (n,) the most probable class. ``probabilities``: (n, K). ``decisions``: (n,) what the decision rule
    says, as ``Model.decide`` gives it. ``sets``: (n, K) which classes the prediction set of each row holds; None where
    the model has none. ``warnings``: of each row what training never saw; None where nobody asked.
    """

    labels: NDArray[Any]
    probabilities: NDArray[np.float64]
    decisions: NDArray[Any]
    sets: NDArray[np.bool_] | None = None
    warnings: Sequence[Sequence[str]] | None = None

    def __len__(self) -> int:
        return len(self.probabilities)


@dataclass(frozen=True)
class Answer:
    """What a model says of one row that is a batch of its own, as ``Answers`` has it, in values of Python.

    ``set``: for each class whether the prediction set holds it; None where the model has none.
    """

    label: Any
    probabilities: list[float]
    decision: Any
    set: list[bool] | None
    warnings: list[str]
