"""What some rows say of a model: every metric with its interval, and every class."""

from __future__ import annotations

from dataclasses import dataclass

from sortal.core.arrays import Codes, Mask
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.decisions import decided_rows
from sortal.evaluate.intervals import rates_interval
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import metrics_for
from sortal.stats.sampling import Rates
from sortal.stats.strata import Strata


@dataclass(frozen=True)
class ClassScore:
    """Precision and recall (with Wilson intervals) and F1 of one class; ``support`` is how many rows truly have it.

    ``rejected``: the share of them that is left to a person, where some rows can be; the other figures are of the rest
    then.
    """

    label: str
    support: int
    precision: Estimate
    recall: Estimate
    f1: float | None = None
    rejected: Estimate | None = None


@dataclass(frozen=True)
class RowsOfClass:
    """(n,) masks of the rows that are of a class, of those that are and are decided, and of those said to be of it."""

    there: Mask
    true: Mask
    predicted: Mask

    @classmethod
    def of(cls, code: int, task: Task, truth: Codes, decided: Codes) -> RowsOfClass:
        return cls(truth == code, decided_rows(task, truth, decided) == code, decided == code)

    @property
    def hit(self) -> Mask:
        return self.true & self.predicted

    @property
    def precision(self) -> Rates:
        return Rates([(self.predicted, self.hit)])

    @property
    def recall(self) -> Rates:
        return Rates([(self.true, self.hit)])

    @property
    def rejected(self) -> Rates:
        return Rates([(self.there, self.there & ~self.true)])


def figures(task: Task, predictions: Predictions, decided: Codes, seed: int) -> dict[str, Estimate]:
    """Every metric of these rows, decided so (n,), with its interval; headline figures first."""
    metrics = {m.name: m for m in metrics_for(task) if _says_more(m.name, task)}
    order = dict.fromkeys(name for name in (*task.headline, *metrics) if name in metrics)
    return {name: Estimate.of(interval(metrics[name], task, predictions, decided, seed=seed)) for name in order}


def _says_more(name: str, task: Task) -> bool:
    """Costs without costs and F-beta without a beta say nothing that another metric does not."""
    return (task.cost is not None or name != "expected_cost") and (task.beta != 1 or name != "fbeta")


def per_class(
    task: Task, truth: Codes, decided: Codes, clusters: Codes | None = None, strata: Strata | None = None
) -> tuple[ClassScore, ...]:
    """Precision, recall and F1 of every class, in the order of the classes; of the rows that are decided.

    ``clusters``: (n,) ids from 0 on of rows that vary together. ``strata``: the classes by which rows were dealt.
    """
    scores = []
    for code, label in enumerate(task.classes):
        rows = RowsOfClass.of(code, task, truth, decided)
        has_rows = bool(rows.true.any())
        scores.append(
            ClassScore(
                label=label,
                support=int(rows.there.sum()),
                precision=Estimate.of(rates_interval(rows.precision, clusters, strata=strata)),
                recall=_of_some(rows.recall, clusters),
                f1=2 * int(rows.hit.sum()) / int(rows.true.sum() + rows.predicted.sum()) if has_rows else None,
                rejected=None if task.reject_cost is None else _of_some(rows.rejected, clusters),
            )
        )
    return tuple(scores)


def _of_some(rates: Rates, clusters: Codes | None) -> Estimate:
    return Estimate.of(rates_interval(rates, clusters)) if rates.trials.all() else Estimate(None)


def share(rows: Mask, hits: Mask, clusters: Codes | None = None) -> Estimate:
    """The share of ``hits`` among some rows, both (n,) masks; of no rows it is 0, and may be anything."""
    return Estimate.of(rates_interval(Rates([(rows, hits)]), clusters))
