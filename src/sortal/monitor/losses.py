"""What a model promised of its decisions, as losses between 0 and 1 whose mean labels tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sortal.artifact.model import Model
from sortal.core.arrays import Floats
from sortal.core.writing import number, percent
from sortal.decide.policy import REJECT

LabelPair = tuple[str, str]
"""The true class and what was decided, as text."""


@dataclass(frozen=True)
class Loss:
    """``level``: the mean that was promised at most, as a share of ``top``, the largest loss there is. ``of_row``: the
    loss of a true class and a decision, None where the row does not count. ``promise``: what was promised, in words.
    """

    name: str
    level: float
    promise: str
    of_row: Callable[[LabelPair], float | None]
    top: float = 1.0

    def of(self, rows: Sequence[LabelPair]) -> Floats:
        """The losses, from 0 to 1, of those rows that count."""
        values = of_each(self.of_row, rows)
        return values[~np.isnan(values)] / self.top

    def sentence(self, mean: float, rows: int) -> str:
        """What became of the promise."""
        text = number(mean * self.top) if self.top != 1.0 else percent(mean)
        return f"{self.name}: {text} over {rows:,} labelled rows; {self.promise}"


def of_each(of_row: Callable[[LabelPair], float | None], rows: Sequence[LabelPair]) -> Floats:
    """(n,) the loss of each row; NaN where it does not count."""
    of_pair = {pair: np.nan if (value := of_row(pair)) is None else value for pair in set(rows)}
    return np.array([of_pair[row] for row in rows], dtype=np.float64)


def losses_of(model: Model) -> tuple[Loss, ...]:
    """What is watched: costs where the decision was made by them, else errors; and precision where it was certified."""
    return tuple(filter(None, (_cost(model) or _error(model), _precision(model))))


def class_texts(model: Model) -> tuple[str, ...]:
    """The classes as labels and decisions are written, which may be no text: ``True`` where the task has ``true``."""
    return tuple(str(label) for label in model.classes_.tolist())


def _worst(model: Model, metric: str, end: str) -> float | None:
    """The end of the interval of a figure that promises least, over the parts that it was measured on."""
    ends = [getattr(figures[metric], end) for figures in model.metrics.values() if metric in figures]
    values = [value for value in ends if value is not None]
    return None if not values else (max if end == "high" else min)(values)


def wrong(row: LabelPair) -> float | None:
    """Whether a decision is an error; what is left to a person is none."""
    return None if row[1] == REJECT else float(row[0] != row[1])


def _error(model: Model) -> Loss | None:
    low = _worst(model, "accuracy", "low")
    if low is None or not 0 < low < 1:
        return None
    return Loss(
        "errors",
        1 - low,
        f"at most {percent(1 - low)} were promised",
        wrong,
    )


def _cost(model: Model) -> Loss | None:
    rule = model.decision
    high = _worst(model, "expected_cost", "high")
    if rule.cost is None or rule.cost_columns or high is None or high <= 0:
        return None
    codes = {text: at for at, text in enumerate(class_texts(model))}
    cost, reject = rule.cost, rule.reject_cost
    top = max([*(value for row in cost for value in row), reject or 0.0])
    if min(value for row in cost for value in row) < 0 or high >= top:
        return None

    def of_row(row: LabelPair) -> float | None:
        truth = codes.get(row[0])
        if truth is None:
            return None
        return reject if row[1] == REJECT else cost[truth][codes[row[1]]]

    return Loss("cost of a row", high / top, f"at most {number(high)} was promised", of_row, top)


def _precision(model: Model) -> Loss | None:
    certificate = model.decision.certificate
    if certificate is None or not certificate.holds:
        return None
    bound = certificate.bound("precision")
    if bound is None:
        return None
    positive = class_texts(model)[model.task.classes.index(certificate.positive)]
    return Loss(
        f"wrong among those decided {certificate.positive}",
        1 - bound.certified,
        f"at most {percent(1 - bound.certified)} were certified",
        lambda row: None if row[1] != positive else float(row[0] != positive),
    )
