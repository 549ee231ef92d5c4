"""The decision rule that is shipped with a model: from probabilities to class codes. Needs numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decision:
    """How probabilities become a decision; plain values, so that it can be stored as JSON.

    ``kind`` argmax: the most probable class. threshold (two classes): ``positive`` where its probability is
    at least ``threshold``, else the other. cost: the class with the lowest expected cost, the argmin of
    ``probability @ cost``, where ``cost[t][d]`` is the cost of deciding ``d`` where ``t`` is true. Of equal
    classes the first in the order of ``classes`` is taken. A threshold that was derived from costs keeps
    them in ``cost``.

    >>> rule = Decision("threshold", ("no", "yes"), "yes", threshold=0.2)
    >>> rule.apply(np.array([[0.9, 0.1], [0.8, 0.2]]))
    array([0, 1])
    """

    kind: Literal["argmax", "threshold", "cost"]
    classes: tuple[str, ...]
    positive: str | None = None
    threshold: float | None = None
    cost: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        k = len(self.classes)
        if self.kind == "threshold" and (k != 2 or self.positive not in self.classes or self.threshold is None):
            raise ValueError("a threshold needs two classes, the positive one among them, and a number")
        if self.kind == "cost" and (self.cost is None or [len(row) for row in self.cost] != [k] * k):
            raise ValueError(f"a decision by cost needs {k} x {k} costs")

    def apply(self, probability: NDArray[np.float64]) -> NDArray[np.int64]:
        """(n,) class codes of (n, K) probabilities.

        Raises ValueError where the number of columns is not that of the classes.
        """
        if probability.ndim != 2 or probability.shape[1] != len(self.classes):
            raise ValueError(f"expected (n, {len(self.classes)}) probabilities, not {probability.shape}")
        if self.kind == "threshold" and self.positive is not None and self.threshold is not None:
            code = self.classes.index(self.positive)
            return np.where(probability[:, code] >= self.threshold, code, 1 - code).astype(np.int64)
        if self.kind == "cost" and self.cost is not None:
            return np.asarray(np.argmin(probability @ np.array(self.cost), axis=1), dtype=np.int64)
        return np.asarray(np.argmax(probability, axis=1), dtype=np.int64)
