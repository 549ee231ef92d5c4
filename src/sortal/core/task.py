"""What is being decided: the classes in one fixed order, the positive class, the metric and the costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LabelType = Literal["str", "int", "float", "bool"]
Goal = Literal["cost", "f1", "argmax"]


@dataclass(frozen=True)
class Task:
    """A classification task.

    ``classes`` is the one order of classes everywhere: columns of every probability matrix, rows and columns of
    the cost matrix. ``prevalence``: their shares in the development rows. ``positive``: the class of interest of a binary
    task, None with more classes. ``metric`` is what candidates are selected by and ``headline`` what is reported first;
    ``reasons`` says why, a sentence each. ``cost[t][d]`` is the cost of deciding class ``d`` where ``t`` is true; None where no costs
    were given. ``label_type`` is the Python type that labels are given back in.
    """

    target: str
    classes: tuple[str, ...]
    prevalence: tuple[float, ...]
    positive: str | None
    metric: str
    headline: tuple[str, ...]
    reasons: tuple[str, ...]
    goal: Goal = "argmax"
    cost: tuple[tuple[float, ...], ...] | None = None
    label_type: LabelType = "str"

    @property
    def binary(self) -> bool:
        return len(self.classes) == 2

    @property
    def positive_code(self) -> int:
        """Column of the positive class. Only for binary tasks."""
        if self.positive is None:
            raise ValueError("a task with more than two classes has no positive class")
        return self.classes.index(self.positive)

    @property
    def imbalanced(self) -> bool:
        """The rarest class has less than half of its equal share."""
        return min(self.prevalence) < 0.5 / len(self.classes)

    def cost_matrix(self) -> NDArray[np.float64]:
        """(K, K) costs, truth by decision; one for every error where no costs were given."""
        if self.cost is None:
            return 1.0 - np.eye(len(self.classes))
        return np.array(self.cost, dtype=np.float64)

    def label(self, code: int) -> str | int | float | bool:
        """The label of a class code, in the type that the target had."""
        name = self.classes[code]
        if self.label_type == "int":
            return int(name)
        if self.label_type == "float":
            return float(name)
        return name == "true" if self.label_type == "bool" else name
