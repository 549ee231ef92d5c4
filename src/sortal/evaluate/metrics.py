"""The metrics, each registered under its name in the entry-point group ``sortal.metrics``.

Conventions, the same for all of them. In binary tasks precision, recall, F1 and average precision are of
the positive class; with more classes every one of them, and ROC-AUC, is the plain mean over those classes that
are true of a row at least (macro, one against the rest; ``decisions.absent`` names the others). A metric is NaN where
it is undefined: without rows, and where a class of two that it needs is absent from them. The precision of a class
that is never decided is 0, as in scikit-learn. Where rows are left to a person (rejected), metrics of decisions are of
the others; what a reject costs is in the expected cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sortal.core import registry
from sortal.core.arrays import Codes, Floats, Mask
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.core.writing import level
from sortal.evaluate.costs import costs_within
from sortal.evaluate.decisions import NOBODY, decided_rows
from sortal.evaluate.intervals import bin_squares
from sortal.stats import ranking
from sortal.stats.ranking import Order
from sortal.stats.sampling import BestCut, CalibrationBins, Influence, Mean, Rates, Sampling

SMALLEST = 1e-15
"""Probabilities below this count as this in the log-loss, which would be infinite at zero."""
BINS, ROWS_PER_BIN = 15, 10
SHARE = (0.0, 1.0)
"""The span of a metric that is a share."""


@dataclass(frozen=True)
class Metric:
    """A figure that says how good predictions are.

    ``score`` takes the task, predictions of n rows and (n,) decided codes; the code K leaves a row to a person (a
    reject). ``doc``: what it measures, in a sentence that the report shows where a pointer rests on its label.
    ``needs``: whether it reads the probabilities or the decisions. ``binary_only``: it has no meaning with more than
    two classes. ``sampling`` takes the same and describes how the score varies from sample to sample (see
    ``stats.sampling``); None: it is bootstrapped by row. ``span``: the least and the largest figure that it can have.
    """

    name: str
    label: str
    higher_is_better: bool
    needs: Literal["probability", "decision"]
    binary_only: bool
    score: Callable[[Task, Predictions, Codes], float]
    doc: str
    sampling: Callable[[Task, Predictions, Codes], Sampling] | None = None
    span: tuple[float, float] = (-np.inf, np.inf)

    def within(self, figure: Interval) -> Interval:
        """An interval of this metric without what lies beyond its span, which a symmetric one may reach.

        >>> print(log_loss.within(Interval(0.1, -0.2, 0.4)))
        .10 [.00 .40]
        """
        low, high = self.span
        return Interval(*(min(max(x, low), high) for x in (figure.value, figure.low, figure.high)))


def metrics_for(task: Task) -> tuple[Metric, ...]:
    """All registered metrics that mean something for this task, by name."""
    metrics: list[Metric] = [registry.load("sortal.metrics", name) for name in registry.names("sortal.metrics")]
    return tuple(m for m in metrics if task.binary or not m.binary_only)


def label_of(name: str) -> str:
    """The name of a metric as people write it: its own label, or its words where it is not installed.

    >>> label_of("roc_auc"), label_of("recall_at_precision"), label_of("of_a_plug_in")
    ('ROC-AUC', 'recall at precision .9', 'of a plug in')
    """
    if name not in registry.names("sortal.metrics"):
        return name.replace("_", " ")
    metric: Metric = registry.load("sortal.metrics", name)
    return metric.label


def doc_of(name: str) -> str:
    """What a metric measures, in a sentence; empty where it is not installed."""
    if name not in registry.names("sortal.metrics"):
        return ""
    metric: Metric = registry.load("sortal.metrics", name)
    return metric.doc


def per_row_log_loss(predictions: Predictions) -> Floats:
    """(n,) -log p of the true class, with p clipped at 1e-15; their mean is the log-loss."""
    of_truth = predictions.probability[np.arange(len(predictions)), predictions.truth]
    return -np.log(np.clip(of_truth, SMALLEST, 1.0))


def _of_interest(task: Task, truth: Codes) -> list[int]:
    """The positive class of two, or every class that is there; none where it is not."""
    codes = [task.positive_code] if task.positive is not None else range(len(task.classes))
    return [code for code in codes if (truth == code).any()]


def _positive(task: Task, predictions: Predictions) -> tuple[Mask, Floats]:
    """Which rows are of the positive class, and its probability."""
    return predictions.truth == task.positive_code, predictions.probability[:, task.positive_code]


# Shares of right decisions, and means of them over classes.


def _deciding(
    name: str, label: str, rates: Callable[[Task, Codes, Codes], Rates], doc: str, *, false: bool = False
) -> Metric:
    """A metric of decisions; ``rates`` takes the true classes of the rows that are decided (``decided_rows``), and has
    no pairs where it is undefined. ``false``: it counts errors, of two classes."""

    def sampling(task: Task, predictions: Predictions, decided: Codes) -> Rates:
        return rates(task, decided_rows(task, predictions.truth, decided), decided)

    def score(task: Task, predictions: Predictions, decided: Codes) -> float:
        pairs = sampling(task, predictions, decided)
        return float(pairs.scores.mean()) if pairs.pairs else float("nan")

    return Metric(name, label, not false, "decision", false, score, doc, sampling, SHARE)


def _accuracy(task: Task, truth: Codes, decided: Codes) -> Rates:
    labelled = truth != NOBODY
    return Rates([(labelled, truth == decided)] if labelled.any() else [])


def _balanced_accuracy(task: Task, truth: Codes, decided: Codes) -> Rates:
    there = [code for code in range(len(task.classes)) if (truth == code).any()]
    return Rates([]) if task.binary and len(there) < 2 else _recalls(truth, decided, there)


def _recall(task: Task, truth: Codes, decided: Codes) -> Rates:
    return _recalls(truth, decided, _of_interest(task, truth))


def _recalls(truth: Codes, decided: Codes, codes: list[int]) -> Rates:
    return Rates([(truth == k, (truth == k) & (decided == k)) for k in codes])


def _precision(task: Task, truth: Codes, decided: Codes) -> Rates:
    return Rates([(decided == k, (truth == k) & (decided == k)) for k in _of_interest(task, truth)])


def _fbeta(task: Task, predictions: Predictions, decided: Codes) -> float:
    truth = decided_rows(task, predictions.truth, decided)
    true, predicted = truth == task.positive_code, decided == task.positive_code
    if not true.any():
        return float("nan")
    weight = task.beta**2
    return float(
        (1 + weight) * np.count_nonzero(true & predicted) / (np.count_nonzero(predicted) + weight * true.sum())
    )


def _f1(task: Task, truth: Codes, decided: Codes) -> Rates:
    """F1 = 2 J / (1 + J), where J is the share of hits among rows that are of the class or decided to be."""
    codes = _of_interest(task, truth)
    return Rates([((truth == k) | (decided == k), (truth == k) & (decided == k)) for k in codes], f1=True)


def _false_positives(task: Task, truth: Codes, decided: Codes) -> Rates:
    negative = truth == 1 - task.positive_code
    return Rates([(negative, negative & (decided == task.positive_code))] if negative.any() else [])


# Rankings.


def _ranking(
    name: str,
    label: str,
    score: Callable[[Mask, Floats, Order], float],
    expected: Callable[[Mask, Floats, Order], float],
    effect: Callable[[Mask, Floats, Order], Floats],
    unrecognised: Callable[[Mask], float],
    doc: str,
) -> Metric:
    """A metric of the ranking of each class of interest against the rest.

    ``expected``: what fresh rows are expected to have, where a sample's ``score`` is not right on average.
    """

    def mean(task: Task, predictions: Predictions, decided: Codes) -> float:
        codes = _of_interest(task, predictions.truth)
        scores = [
            score(predictions.truth == k, predictions.probability[:, k], predictions.descending(k)) for k in codes
        ]
        return float(np.mean(scores)) if scores else float("nan")

    def sampling(task: Task, predictions: Predictions, decided: Codes) -> Influence:
        codes = _of_interest(task, predictions.truth)
        rankings = [(predictions.truth == k, predictions.probability[:, k], predictions.descending(k)) for k in codes]
        return ranking.influence(rankings, expected, effect, unrecognised)

    return Metric(name, label, True, "probability", False, mean, doc, sampling, SHARE)


def _recall_at_precision(task: Task, predictions: Predictions, decided: Codes) -> float:
    return ranking.recall_at_precision(*_positive(task, predictions))


def _best_cut(task: Task, predictions: Predictions, decided: Codes) -> BestCut:
    return ranking.best_cut(*_positive(task, predictions))


# Means of one value a row.


def _mean(
    name: str,
    label: str,
    needs: Literal["probability", "decision"],
    rows: Callable[[Task, Predictions, Codes], Mean],
    doc: str,
    span: tuple[float, float],
) -> Metric:
    def score(task: Task, predictions: Predictions, decided: Codes) -> float:
        return float(rows(task, predictions, decided).values.mean()) if len(predictions) else float("nan")

    return Metric(name, label, False, needs, False, score, doc, rows, span)


def _log_loss(task: Task, predictions: Predictions, decided: Codes) -> Mean:
    """Each row could have lost from what it does where its likeliest class is true to what it does on the average of
    the others: a model that is sure of all rows has shown little by being right.
    """
    least, most = (-np.log(np.clip(p, SMALLEST, 1.0)) for p in _likeliest_and_others(predictions))
    return Mean.within(per_row_log_loss(predictions), least, most)


def _brier(task: Task, predictions: Predictions, decided: Codes) -> Mean:
    p, scale = predictions.probability, 0.5 if task.binary else 1.0
    true = (p[np.arange(len(predictions)), predictions.truth], *_likeliest_and_others(predictions))
    square = (p**2).sum(axis=1)
    return Mean.within(*(scale * (square - 2 * probability + 1) for probability in true))


def _likeliest_and_others(predictions: Predictions) -> tuple[Floats, Floats]:
    """(n,) the probability of the likeliest class of each row, and the mean of those of the others."""
    likeliest = predictions.probability.max(axis=1)
    return likeliest, (1 - likeliest) / (predictions.probability.shape[1] - 1)


def _expected_cost(task: Task, predictions: Predictions, decided: Codes) -> Mean:
    return costs_within(task.costs(predictions.row_costs), predictions.truth, decided)


# Calibration.


def _bins(task: Task, predictions: Predictions, decided: Codes) -> CalibrationBins:
    """Equally many rows a bin, up to 15; rows with equal probability share one."""
    if task.positive is not None:
        hit, probability = _positive(task, predictions)
    else:
        top = predictions.probability.argmax(axis=1)
        hit, probability = predictions.truth == top, predictions.probability[np.arange(len(top)), top]
    n = len(probability)
    rank = np.searchsorted(np.sort(probability), probability)
    number = max(1, min(BINS, n // ROWS_PER_BIN))
    return CalibrationBins((rank * number // max(n, 1)).astype(np.int64), probability - hit)


def _ece(task: Task, predictions: Predictions, decided: Codes) -> float:
    if len(predictions) < 2:
        return float("nan")
    share, square, _, _ = bin_squares(_bins(task, predictions, decided), predictions.clusters)
    return float(np.sqrt(max(float(share @ square), 0.0)))


accuracy = _deciding("accuracy", "accuracy", _accuracy, "Share of right decisions.")
balanced_accuracy = _deciding(
    "balanced_accuracy", "balanced accuracy", _balanced_accuracy, "Mean over classes of their recall."
)
precision = _deciding(
    "precision", "precision", _precision, "Share of right ones among decisions for the class; 0 without any."
)
recall = _deciding("recall", "recall", _recall, "Share of the class's rows that are decided to be of it.")
f1 = _deciding("f1", "F1", _f1, "Harmonic mean of precision and recall.")
fpr = _deciding(
    "fpr",
    "false positive rate",
    _false_positives,
    "Share of the negative rows that are decided positive.",
    false=True,
)
fbeta = Metric(
    "fbeta",
    "F-beta",
    True,
    "decision",
    True,
    _fbeta,
    "Weighted harmonic mean of precision and recall; recall weighs beta times as much (van Rijsbergen 1979).",
    span=SHARE,
)
roc_auc = _ranking(
    "roc_auc",
    "ROC-AUC",
    ranking.roc_auc,
    ranking.roc_auc,
    ranking.roc_auc_effect,
    lambda positive: ranking.UNRECOGNISED,
    "Probability that a row of the class ranks above one that is not (ties count half).",
)
average_precision = _ranking(
    "average_precision",
    "average precision",
    ranking.average_precision,
    ranking.average_precision_by_others,
    ranking.average_precision_effect,
    lambda positive: positive.mean(),
    "Sum over thresholds of precision times the gain in recall (area under the precision-recall curve).",
)
recall_at_precision = Metric(
    "recall_at_precision",
    f"recall at precision {level(ranking.PRECISION)}",
    True,
    "probability",
    True,
    _recall_at_precision,
    f"Largest recall of a threshold whose precision on these rows is at least {level(ranking.PRECISION)}.",
    _best_cut,
    SHARE,
)
log_loss = _mean(
    "log_loss",
    "log-loss",
    "probability",
    _log_loss,
    "Mean of -log p of the true class, p clipped at 1e-15.",
    (0.0, np.inf),
)
brier = _mean(
    "brier",
    "Brier score",
    "probability",
    _brier,
    "Mean squared error of the positive class's probability (0 to 1); summed over more classes (0 to 2).",
    (0.0, 2.0),
)
expected_cost = _mean(
    "expected_cost",
    "expected cost",
    "decision",
    _expected_cost,
    "Mean cost of a decision by the task's cost matrix; without one, the share of errors.",
    (-np.inf, np.inf),
)
ece = Metric(
    "ece",
    "calibration error",
    False,
    "probability",
    False,
    _ece,
    "Root mean square, over 15 bins of equally many rows, of mean probability minus share of hits, debiased "
    "(Kumar, Liang & Ma 2019; Bröcker 2012); of the positive class, or of the likeliest of more classes.",
    _bins,
    SHARE,
)
