"""What is being decided: the classes in one fixed order, the positive class, the metric and the costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.costs import CostColumn, costs_of

LabelType = Literal["str", "int", "float", "bool"]
Goal = Literal["cost", "f1", "argmax", "promise", "capacity"]


@dataclass(frozen=True)
class Promise:
    """What a decision has to keep on fresh rows, of the positive class: at least this ``precision`` and ``recall``, at
    most this false positive rate (``fpr``), each where it is asked for, and all of them together with this
    ``confidence``.
    """

    precision: float | None = None
    recall: float | None = None
    fpr: float | None = None
    confidence: float = 0.95


@dataclass(frozen=True)
class Capacity:
    """The ``share`` of rows that can be decided positive. ``count``: their number at once, where it was told as a
    number; the share is then that of a batch as large as the data.

    >>> Capacity(0.05).of(119), Capacity(0.05, count=20).of(119)
    (5, 20)
    """

    share: float
    count: int | None = None

    def of(self, rows: int) -> int:
        """How many of a batch of so many rows: the count, or the share of them, rounded down."""
        # .29 * 100 is a hair less than 29.
        return min(rows, self.count if self.count is not None else int(self.share * rows + 1e-9))


@dataclass(frozen=True)
class Task:
    """A classification task.

    ``classes`` is the one order of classes everywhere: columns of every probability matrix, rows and columns of the
    cost matrix. ``prevalence``: their shares in the development rows. ``positive``: the class of interest of a binary
    task, None with more classes. ``metric`` is what candidates are selected by and ``headline`` what is reported first;
    ``reasons`` says why, a sentence each. ``label_type`` is the Python type that labels are given back in.

    ``goal`` is what the decision is made for. ``cost[t][d]``: of deciding class ``d`` where ``t`` is true, None where
    no costs were given; ``cost_columns``: costs that stand in the rows instead; ``reject_cost``: of leaving a row to a
    person, None where that is no choice. ``beta``: how much more recall weighs than precision in F-beta. ``promise``:
    what a threshold has to keep. ``capacity``: how many rows can be decided positive. ``coverage``: the share of rows
    whose prediction set has to hold the true class.
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
    cost_columns: tuple[CostColumn, ...] = ()
    reject_cost: float | None = None
    beta: float = 1.0
    promise: Promise | None = None
    capacity: Capacity | None = None
    coverage: float | None = None

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
    def promises(self) -> bool:
        """Whether something is promised that is proven on rows that the shipped model never saw."""
        return self.promise is not None or self.coverage is not None

    @property
    def imbalanced(self) -> bool:
        """The rarest class has less than half of its equal share."""
        return min(self.prevalence) < 0.5 / len(self.classes)

    def costs(self, row_costs: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Costs, truth by decision, as ``costs.costs_of`` gives them; one for every error where no costs were given.

        ``row_costs``: (n, m) what the cost columns hold, needed where there are any.
        """
        matrix = self.cost or tuple(map(tuple, (1.0 - np.eye(len(self.classes))).tolist()))
        return costs_of(matrix, self.reject_cost, self.cost_columns, row_costs)

    def label(self, code: int) -> str | int | float | bool:
        """The label of a class code, in the type that the target had."""
        name = self.classes[code]
        if self.label_type == "int":
            return int(name)
        if self.label_type == "float":
            return float(name)
        return name == "true" if self.label_type == "bool" else name
