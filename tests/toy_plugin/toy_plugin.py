"""A plug-in for sortal in one file: a kind of column, a family, an executor, a metric and a check of the audit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Finding
from sortal.core.cells import E, where
from sortal.core.kinds.kind import Kind
from sortal.core.predictions import Predictions
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.core.task import Task
from sortal.core.values import is_text
from sortal.engine import Program
from sortal.evaluate.metrics import Metric
from sortal.models.family import Family, FitRequest, Fitted, Matrix, Settings
from sortal.prepare.view import View
from sortal.training.candidate import Candidate
from sortal.training.executor import FitFold
from sortal.training.fold import FoldData, FoldJob, FoldResult


class Colour(Kind):
    """Colours as the web writes them, in lower case: ``#FF8800`` is ``#ff8800``. They are encoded as categories are."""

    name = "colour"
    noun = "a colour such as #ff8800"
    storage = "text"
    encoding = "category"

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        if not is_text(sort):
            return None
        lower = values.str.to_lowercase()
        return where(lower.str.contains(r"^#[0-9a-f]{6}$"), lower)


colour = Colour()


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    """Normal classes with a mean each and one variance for every column (linear discriminants without correlations)."""
    X, y = request.train.X, request.train.y
    member = np.eye(request.n_classes)[y] * (1.0 if request.train.weight is None else request.train.weight[:, None])
    total = member.sum(axis=0)
    mean = member.T @ X / total[:, None]
    # One more column's worth of variance keeps constant columns, and many columns together, from shouting.
    variance = (member.sum(axis=1) @ (X - mean[y]) ** 2) / total.sum() + X.shape[1]
    coef = mean / variance
    intercept = np.log(total / total.sum()) - 0.5 * (mean * coef).sum(axis=1)

    def predict_proba(rows: Matrix) -> Matrix:
        z = rows @ coef.T + intercept
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)

    return Fitted(
        predict_proba=predict_proba,
        program=lambda: Program("linear", {"link": "softmax"}, {"coef": coef, "intercept": intercept}),
        importance=np.ptp(mean, axis=0) / np.sqrt(variance),
    )


nearest_mean = Family("nearest_mean", View("scaled", "onehot"), complexity=1, fit=_fit)


class LastFirst:
    """An executor that runs the last job first. No entry point names it: ``sortal.train(..., executor=LastFirst())``
    takes the object.
    """

    def __init__(self) -> None:
        self.jobs: list[FoldJob] = []
        self.data: list[FoldData] = []

    def map(self, fit: FitFold, data: FoldData, jobs: Sequence[FoldJob]) -> list[FoldResult]:
        """What each job comes to, in the order of the jobs."""
        self.jobs += jobs
        self.data.append(data)
        return [fit(data, job) for job in reversed(jobs)][::-1]

    def at_once(self, data: FoldData, candidate: Candidate) -> int:
        """One."""
        return 1


def _correlation(task: Task, predictions: Predictions, decided: NDArray[np.int64]) -> float:
    if not len(predictions):
        return float("nan")
    k = len(task.classes) + 1  # a row may be rejected
    table = np.bincount(predictions.truth * k + decided, minlength=k * k).reshape(k, k)
    n, truth, predicted = table.sum(), table.sum(axis=1), table.sum(axis=0)
    spread = float(n**2 - truth @ truth) * float(n**2 - predicted @ predicted)
    return float((np.trace(table) * n - truth @ predicted) / np.sqrt(spread)) if spread > 0 else 0.0


matthews = Metric(
    name="matthews",
    label="Matthews correlation",
    higher_is_better=True,
    needs="decision",
    binary_only=False,
    score=_correlation,
    doc="Correlation of truth and decision, from -1 to 1 (Matthews 1975; Gorodkin 2004 for more classes).",
)


def _find(case: AuditContext) -> list[Finding]:
    """Columns whose names say that they were made from the target."""
    return [
        Finding(
            code="T901",
            severity="note",
            column=column.name,
            message=f"{column.name!r} is named like a copy of the target",
            evidence={"kind": column.kind},
        )
        for column in case.table.schema.features
        if "target" in column.name.lower()
    ]


telling_names = Check("T901", "columns named like the target", _find)
