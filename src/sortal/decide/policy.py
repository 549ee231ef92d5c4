"""The decision rule that is shipped with a model: from probabilities to decisions. Needs numpy alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.arrays import Floats
from sortal.core.costs import CostColumn, Matrix, costs_of, expected
from sortal.core.predictions import Predictions
from sortal.core.task import Capacity
from sortal.decide.certificate import Certificate

REJECT = "reject"
"""What a decision is called that leaves the row to a person."""


@dataclass(frozen=True)
class Decision:
    """How probabilities become a decision; plain values, so that it can be stored as JSON.

    ``kind`` argmax: the most probable class. threshold (two classes): ``positive`` where its probability is at least
    ``threshold``, else the other. cost: the decision with the lowest expected cost, the argmin of ``probability @
    cost``, where ``cost[t][d]`` is the cost of deciding ``d`` where ``t`` is true; with a ``reject_cost``, leaving the
    row to a person is one more decision, whose code is K. capacity (two classes): ``positive`` for as many rows of a
    batch as ``capacity`` says, those that it pays most to decide so, of equal ones the first; ``threshold`` is where
    that began in training, and decides nothing. ``certificate``: what its threshold keeps on fresh rows, proven. Of
    equal decisions the first in the order of ``classes`` is taken. A threshold that was derived from costs keeps them
    in ``cost``. ``cost_columns`` are costs that stand in the rows.

    >>> rule = Decision("threshold", ("no", "yes"), "yes", threshold=0.2)
    >>> rule.apply(np.array([[0.9, 0.1], [0.8, 0.2]]))
    array([0, 1])
    """

    kind: Literal["argmax", "threshold", "cost", "capacity"]
    classes: tuple[str, ...]
    positive: str | None = None
    threshold: float | None = None
    cost: Matrix | None = None
    cost_columns: tuple[CostColumn, ...] = ()
    reject_cost: float | None = None
    capacity: Capacity | None = None
    certificate: Certificate | None = None

    def __post_init__(self) -> None:
        k = len(self.classes)
        by_threshold = self.kind in ("threshold", "capacity")
        if by_threshold and (k != 2 or self.positive not in self.classes or self.threshold is None):
            raise ValueError("a threshold needs two classes, the positive one among them, and a number")
        if (self.kind == "capacity") != (self.capacity is not None):
            raise ValueError("a decision within a capacity, and no other, says how many rows that is")
        if self.kind == "cost" and self.cost is None:
            raise ValueError(f"a decision by cost needs {k} x {k} costs")
        if self.cost is not None and [len(row) for row in self.cost] != [k] * k:
            raise ValueError(f"the costs of a decision are {k} x {k}")
        if any(not (0 <= cell.truth < k and 0 <= cell.decided < k) for cell in self.cost_columns):
            raise ValueError(f"a cost column is about a class beyond the {k}")

    def apply(self, probability: Floats, row_costs: Floats | None = None) -> NDArray[np.int64]:
        """(n,) class codes of the (n, K) probabilities of one batch; K where the row is rejected.

        ``row_costs``: (n, m) what the cost columns hold in these rows. Raises ValueError where the number of columns is
        not that of the classes, and where row_costs are needed and not given.
        """
        if probability.ndim != 2 or probability.shape[1] != len(self.classes):
            raise ValueError(f"expected (n, {len(self.classes)}) probabilities, not {probability.shape}")
        if self.kind == "cost":
            codes = np.argmin(expected(self._costs(row_costs), probability), axis=1)
        elif self.threshold is not None and self.positive is not None:
            code = self.classes.index(self.positive)
            codes = np.where(self.takes(self.priority(probability, row_costs)), code, 1 - code)
        else:
            codes = np.argmax(probability, axis=1)
        return np.asarray(codes, dtype=np.int64)

    @property
    def is_most_probable(self) -> bool:
        """Whether the most probable class is decided, whatever it costs."""
        return self.kind != "cost" and (self.threshold is None or self.positive is None)

    def priority(self, probability: Floats, row_costs: Floats | None = None) -> Floats:
        """(n,) how much it pays to decide positive: its probability, or for a capacity with costs the cost that it is
        expected to spare. Only for two classes.
        """
        code = self.classes.index(str(self.positive))
        if self.kind != "capacity" or self.cost is None:
            return np.asarray(probability[:, code])
        costs = expected(self._costs(row_costs), probability)
        return np.asarray(costs[:, 1 - code] - costs[:, code])

    def takes(self, priority: Floats) -> NDArray[np.bool_]:
        """(n,) which rows of one batch with these priorities are decided positive."""
        if self.capacity is None:
            return np.asarray(priority >= (self.threshold or 0.0))
        return best(priority, self.capacity.of(len(priority)), paying=self.cost is not None)

    def decide(self, predictions: Predictions) -> NDArray[np.int64]:
        """(n,) codes of these rows. A part of the training data gets its share of a capacity that was told as a number,
        since that is of a batch as large as all of it; fresh rows are a batch.
        """
        rule = self
        if self.capacity is not None and predictions.part != "fresh":
            rule = replace(self, capacity=Capacity(self.capacity.share))
        return rule.apply(predictions.probability, predictions.row_costs)

    def _costs(self, row_costs: Floats | None) -> Floats:
        return costs_of(self.cost or (), self.reject_cost, self.cost_columns, row_costs)


def best(priority: Floats, most: int, paying: bool) -> NDArray[np.bool_]:
    """(n,) the ``most`` rows of the highest priority, of equal ones the first; ``paying``: only those above zero.

    >>> best(np.array([0.1, 0.5, 0.9, 0.5]), most=2, paying=False)
    array([False,  True,  True, False])
    """
    selected = np.zeros(len(priority), dtype=np.bool_)
    selected[np.argsort(-priority, kind="stable")[:most]] = True
    return selected & (priority > 0) if paying else selected
