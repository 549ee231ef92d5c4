"""What some rows say of a model: every metric with its interval, and every class."""

from __future__ import annotations

from dataclasses import dataclass

from sortal.core.arrays import Codes, Mask
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.intervals import rates_interval
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import decided_rows, metrics_for
from sortal.stats.sampling import Rates


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


def figures(task: Task, predictions: Predictions, decided: Codes, seed: int) -> dict[str, Estimate]:
    """Every metric of these rows, decided so (n,), with its interval; headline figures first."""
    metrics = {m.name: m for m in metrics_for(task) if _says_more(m.name, task)}
    order = dict.fromkeys(name for name in (*task.headline, *metrics) if name in metrics)
    return {name: Estimate.of(interval(metrics[name], task, predictions, decided, seed=seed)) for name in order}


def _says_more(name: str, task: Task) -> bool:
    """Costs without costs and F-beta without a beta say nothing that another metric does not."""
    return (task.cost is not None or name != "expected_cost") and (task.beta != 1 or name != "fbeta")


def per_class(task: Task, truth: Codes, decided: Codes, clusters: Codes | None = None) -> tuple[ClassScore, ...]:
    """Precision, recall and F1 of every class, in the order of the classes; of the rows that are decided.

    ``clusters``: (n,) ids from 0 on of rows that vary together.
    """
    known = decided_rows(task, truth, decided)
    scores = []
    for code, label in enumerate(task.classes):
        row, true, said = truth == code, known == code, decided == code
        hit, some = true & said, bool(true.any())
        scores.append(
            ClassScore(
                label=label,
                support=int(row.sum()),
                precision=share(said, hit, clusters),
                recall=share(true, hit, clusters) if some else Estimate(None),
                f1=2 * int(hit.sum()) / int(true.sum() + said.sum()) if some else None,
                rejected=_rejected(task, row, row & ~true, clusters),
            )
        )
    return tuple(scores)


def _rejected(task: Task, rows: Mask, left: Mask, clusters: Codes | None) -> Estimate | None:
    if task.reject_cost is None:
        return None
    return share(rows, left, clusters) if rows.any() else Estimate(None)


def share(rows: Mask, hits: Mask, clusters: Codes | None = None) -> Estimate:
    """The share of ``hits`` among some rows, both (n,) masks; of no rows it is 0, and may be anything."""
    return Estimate.of(rates_interval(Rates([(rows, hits)]), clusters))
