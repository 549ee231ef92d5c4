"""Where a model does worse: its metric on the rows of which a column has a certain value, beside all the other rows.

Many slices are looked at, and the worst of many looks bad by chance. So p-values are Holm's (1979), by which in at most
5 % of runs any slice is called different that is not, however the slices overlap. A false discovery rate
(Benjamini & Hochberg 1995) allows false ones among many true ones, and is proven only where tests hang together in one
direction: those of the slices of a column do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sortal.core import registry
from sortal.core.arrays import Codes, Floats, Mask
from sortal.core.disclosure import OPEN, Disclosure
from sortal.core.interval import Estimate
from sortal.core.predictions import Part, Predictions
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.evaluate.cuts import Cut, cut
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric
from sortal.stats.multiplicity import holm
from sortal.stats.sampling import Mean
from sortal.stats.two_parts import Gap, gap

COLUMNS, CELLS = 30, 300_000
"""So many columns, those that a model leans on most, and so many rows times columns are looked at, at most; of more
rows some are drawn. A slice of 2 % then has 200 rows at least, and all of it takes less than half a second. More
columns would hide more than they show: every slice makes the test of the others harder."""
LEAST_ROWS, LEAST_GROUPS = 30, 5
"""A slice of fewer is not tested: only an enormous difference could be told from chance, and every test makes the
others harder."""
DOUBT = 0.05
MOST_CLASSES = 100
"""What the probabilities say themselves is worked out class by class, of as many classes."""


@dataclass(frozen=True)
class Slice:
    """The rows of which ``column`` meets a ``condition`` (``>= 52``, ``= north``, ``missing``, ``others``: its rarer
    levels), and their ``share`` of the rows looked at.

    ``figure``: the metric of these rows, with its interval. ``elsewhere``: that of all other rows. ``difference``: by
    how much the figure is above that; the intervals of all slices hold at once (Bonferroni). ``p_value``: two-sided,
    corrected for all slices (Holm). Null where it was not tested. ``worse``: beyond chance. ``expected``: what the
    figure of these rows would be if the model's probabilities were right: such rows are hard, and where the figure is
    worse than that, the model is wrong of them; null where nobody asked and they are not worse. ``asked``: shown
    whatever the test says.
    """

    column: str
    condition: str
    rows: int
    share: float
    figure: Estimate
    elsewhere: float | None
    difference: Estimate
    p_value: float | None
    worse: bool = False
    expected: float | None = None
    asked: bool = False


@dataclass(frozen=True)
class Slices:
    """A metric by slice: those that are worse, the worst first, then those that were asked for, then the others.

    ``rows`` and ``columns``: what was looked at; ``tested``: how many slices there were, and ``too_few`` that had too
    few rows for it.
    """

    metric: str
    part: Part
    rows: int
    columns: int
    tested: int
    too_few: int
    slices: tuple[Slice, ...]

    @property
    def shown(self) -> tuple[Slice, ...]:
        """What a person has to see: what is worse, and what was asked for."""
        return tuple(part for part in self.slices if part.worse or part.asked)


@dataclass(frozen=True)
class _Rows:
    """Rows, what was decided of them, and the metric of their slices with its ``values`` (n,), of which it is the
    mean.
    """

    task: Task
    predictions: Predictions
    decided: Codes
    metric: Metric
    values: Floats

    @classmethod
    def of(cls, task: Task, predictions: Predictions, decided: Codes) -> _Rows:
        """By what decisions cost where there are costs; else by what candidates are selected by, where that is a mean
        of one value a row, or log-loss: a ranking within a slice says nothing of how its rows rank among the others.
        """
        first = "expected_cost" if task.cost is not None or task.metric == "accuracy" else task.metric
        for name in (first, "log_loss"):
            metric: Metric = registry.load("sortal.metrics", name)
            sampling = None if metric.sampling is None else metric.sampling(task, predictions, decided)
            if isinstance(sampling, Mean):
                return cls(task, predictions, decided, metric, sampling.values)
        raise ValueError("log-loss is a mean of one value a row")

    @property
    def sign(self) -> int:
        """Of a difference for the worse."""
        return -1 if self.metric.higher_is_better else 1

    def tested(self, inside: Mask) -> Gap | None:
        """How far the rows ``inside`` are from the others; None where either are too few."""
        clusters = self.predictions.clusters
        for part in (inside, ~inside):
            if np.count_nonzero(part) < LEAST_ROWS:
                return None
            if clusters is not None and len(np.unique(clusters[part])) < LEAST_GROUPS:
                return None
        return gap(self.values, inside, clusters)

    def figure(self, inside: Mask) -> Estimate:
        subset = self.predictions.take(inside)
        return Estimate.of(interval(self.metric, self.task, subset, self.decided[inside]))

    def expected(self, inside: Mask) -> float | None:
        """The figure of some rows if their classes were drawn from their probabilities."""
        subset, decided = self.predictions.take(inside), self.decided[inside]
        if self.metric.sampling is None or len(subset.classes) > MOST_CLASSES:
            return None
        total = 0.0
        for code, probability in enumerate(subset.probability.T):
            true = replace(subset, truth=np.full(len(subset), code))
            sampling = self.metric.sampling(self.task, true, decided)
            total += float(probability @ sampling.values) if isinstance(sampling, Mean) else np.nan
        return total / len(subset)


def some_rows(n: int, columns: int, seed: int) -> NDArray[np.int64]:
    """The positions of the rows that are looked at, in order: all of n, or as many as ``CELLS`` has room for."""
    most = CELLS // max(columns, 1)
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def by_slice(
    task: Task,
    predictions: Predictions,
    decided: Codes,
    table: Table,
    requested: Sequence[str] = (),
    disclosure: Disclosure = OPEN,
) -> Slices:
    """The metric of ``predictions``, decided so (n,), by every column of ``table``, which has the same rows.

    ``requested``: columns whose slices are shown whatever the test says.
    """
    rows = _Rows.of(task, predictions, decided)
    cuts = [cut(table, name, disclosure, name in requested) for name in table.schema.names]
    parts = [(column, code, column.codes == code) for column in cuts for code in range(len(column.conditions))]
    gaps = [rows.tested(inside) for _, _, inside in parts]
    tested = [result for result in gaps if result is not None]
    adjusted = iter(holm(np.array([result.p_value for result in tested])).tolist())
    tested_slices = []
    for (column, code, inside), how_far in zip(parts, gaps, strict=True):
        if how_far is not None:
            tested_slices.append(_tested(rows, column, code, how_far, next(adjusted), 1 - DOUBT / len(tested)))
        elif column.requested and np.count_nonzero(inside) >= disclosure.smallest_count:
            tested_slices.append(_slice(rows, column, code))
    tested_slices.sort(key=lambda item: _place(item, rows.sign))
    return Slices(
        metric=rows.metric.name,
        part=predictions.part,
        rows=len(predictions),
        columns=len(cuts),
        tested=len(tested),
        too_few=len(parts) - len(tested),
        slices=tuple(tested_slices),
    )


def _place(item: Slice, sign: int) -> tuple[int, float]:
    """The worse, then those that were asked for in their order, then the others; the worst first."""
    part = 0 if item.worse else 1 if item.asked else 2
    return part, 0.0 if part == 1 else -sign * (item.difference.value or 0.0)


def _slice(rows: _Rows, column: Cut, code: int, worse: bool = False) -> Slice:
    inside = column.codes == code
    n = int(np.count_nonzero(inside))
    return Slice(
        column=column.column,
        condition=column.conditions[code],
        rows=n,
        share=n / len(inside),
        figure=rows.figure(inside),
        elsewhere=float(rows.values[~inside].mean()) if n < len(inside) else None,
        difference=Estimate(None),
        p_value=None,
        worse=worse,
        expected=rows.expected(inside) if worse or column.requested else None,
        asked=column.requested,
    )


def _tested(rows: _Rows, column: Cut, code: int, gap: Gap, p_value: float, confidence: float) -> Slice:
    worse = p_value <= DOUBT and rows.sign * gap.value > 0
    difference = Estimate.of(gap.interval(confidence))
    return replace(_slice(rows, column, code, worse), difference=difference, p_value=p_value)
