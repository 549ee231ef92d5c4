"""What the model that ships will score, from what was measured out of fold.

Models of the folds learned from fewer rows than the one that ships, they were not calibrated, and one was picked
because it looked best. Each of these moves the figure, none is known exactly, and all doubts are joined in one place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sortal.core import registry
from sortal.core.arrays import Codes, Floats
from sortal.core.interval import Estimate, Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.threshold import decide
from sortal.evaluate.compare import row_values, total
from sortal.evaluate.figures import ClassScore, RowsOfClass
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric
from sortal.stats.clusters import worth_of_rows
from sortal.stats.proportions import two_sided_z
from sortal.stats.sampling import Rates, Sampling
from sortal.training.cv_result import Result
from sortal.training.ensemble import first_fits
from sortal.training.halving import share_of_halving
from sortal.training.trained import Trained

REACH = 2 * two_sided_z(0.95)
"""So many spreads lie between a figure out of fold and that of the model that ships, in 95 % of cases, even of a sample
that has every row: what a sample happens to teach makes its own rows look as much better as it makes the model worse
on others, so that both add up. (To the second order the first is half the squared length of the estimation error, and
so is the other; Bates, Hastie & Tibshirani 2023 measure that cross-validation and true error go apart.)"""

NO_ROWS: Codes = np.empty(0, dtype=np.int64)

CALIBRATED_BY, MOST_OWN = 2, -2 * math.log(0.025)
"""Parameters of a calibration, which is the mean of a chi-squared of two degrees, and what that exceeds in 2.5 %."""


def score_out_of_fold(
    scored: Result, metric: Metric, task: Task, predictions: Predictions, unlearned: Codes = NO_ROWS
) -> Interval:
    """The mean over folds, and around it what other rows could have made of it. ``predictions``: those of ``scored``,
    or what calibration makes of them, which moves the mean by as much as it moves the figure of all rows.

    By all rows that were predicted out of fold, not by the spread between folds: those are stratified, each has the
    same shares of the classes, and what fresh rows vary by most would be left out.

    ``unlearned``: ids of rows that were judged by models which no row of their class taught. The model that ships has
    learned the class, and how well is not known: the interval reaches to what would be if it knew these rows.
    """
    by_rows = interval(metric, task, predictions, decide(task, predictions).decide(predictions))
    if (new := np.isin(predictions.rows, unlearned)).any():
        one_hot = np.eye(len(task.classes))[predictions.truth]
        best = replace(predictions, probability=np.where(new[:, None], one_hot, predictions.probability))
        at_best = interval(metric, task, best, decide(task, best).decide(best))
        if metric.higher_is_better:
            by_rows = replace(by_rows, high=max(by_rows.high, at_best.high))
        else:
            by_rows = replace(by_rows, low=min(by_rows.low, at_best.low))
    before = metric.score(task, scored.predictions, decide(task, scored.predictions).decide(scored.predictions))
    shift = float(np.mean(scored.fold_scores[metric.name])) - before
    return metric.within(Interval(*(end + shift for end in (by_rows.value, by_rows.low, by_rows.high))))


@dataclass(frozen=True)
class Gap:
    """What lies between a figure out of fold and that of the model that ships.

    ``refit``: by how much more rows are expected to change it. ``spread``: the standard deviation of the figure over
    refits of the same procedure on other samples of as many rows. None where nothing tells.
    """

    refit: float | None = None
    spread: float | None = None


Measure = Callable[[Predictions, Codes], tuple[float, Sampling | None]]
"""Of predictions and (n,) what is decided of them: a figure, and how it varies; None where nothing is known of it."""


def gap(trained: Trained, task: Task, metric: Metric) -> Gap:
    """What lies between a metric out of fold and that of the model that ships."""

    def measure(predictions: Predictions, decided: Codes) -> tuple[float, Sampling | None]:
        sampling = None if metric.sampling is None else metric.sampling(task, predictions, decided)
        return metric.score(task, predictions, decided), sampling

    return gaps(trained, [measure])[0]


def gaps(trained: Trained, measures: Sequence[Measure]) -> list[Gap]:
    """From models of half of the rows of each fold, beside those of all of them, on the same rows.

    The spread is that of a regular model with p parameters, whose excess loss over refits is chi-squared: its variance
    is p / 2n². The paired difference of the losses of a row varies by p / m between models of m / 2 and of m rows.
    """
    halving, ensemble = trained.developed.halving, trained.developed.choice.winner
    first = first_fits(ensemble)
    if halving is None or first is None:
        return [Gap()] * len(measures)
    rows, more = first.rows, trained.finalized.ensemble.rows
    both = (_of_rows(ensemble.predictions, halving.predictions.rows), halving.predictions)
    pairs, clusters = [(p, trained.finalized.decision.decide(p)) for p in both], both[0].clusters

    def between(measure: Measure) -> Gap:
        (whole, a), (half, b) = (_with_values(*measure(*pair)) for pair in pairs)
        if not np.isfinite(whole - half):
            return Gap()
        refit = share_of_halving(rows, more) * (whole - half) if trained.finalized.refit else None
        if a is None or b is None:
            return Gap(refit)
        apart = (b - a) - (b - a).mean()
        worth = worth_of_rows(apart, clusters)
        return Gap(refit, float(np.sqrt(apart.var() * worth.design * rows / 2)) / more)

    return [between(measure) for measure in measures]


def _of_rows(predictions: Predictions, rows: Codes) -> Predictions:
    """Of some of the rows, all of which are in order."""
    return predictions.take(np.searchsorted(predictions.rows, rows))


def _with_values(score: float, sampling: Sampling | None) -> tuple[float, Floats | None]:
    return score, row_values(score, sampling)


def as_shipped(measured: Interval, gap: Gap, *changes: float | None, moved: bool = True) -> Interval:
    """A ``measured`` figure with what changes it until the model ships, and all that is in doubt.

    ``changes``: beside those of the gap; None where not known. A change is as uncertain as it is large: what flatters
    the best is known from one sample, and no model keeps exactly to the rate by which rows are taken to help. So each
    is in doubt by all of it. Not ``moved``: the figure stays as it was measured, and the interval reaches as far as the
    changes might.

    >>> print(as_shipped(Interval(0.40, 0.36, 0.44), Gap(), 0.02, -0.03, None))
    .39 [.34 .44]
    >>> print(as_shipped(Interval(0.40, 0.36, 0.44), Gap(refit=-0.03), moved=False))
    .40 [.33 .44]
    """
    amounts = [change for change in (gap.refit, *changes) if change is not None]
    reach = REACH * (gap.spread or 0.0)
    parts = [Interval(c if moved else 0.0, min(0.0, 2 * c), max(0.0, 2 * c)) for c in amounts]
    return total(measured, Interval(0.0, -reach, reach), *parts)


def reaching(measured: Interval, gap: Gap, other: float | None = None) -> Interval:
    """A figure as it was measured, with an interval that reaches as far as the model that ships may differ.

    ``other``: the figure by other evidence, of the model that ships itself.

    >>> print(reaching(Interval(0.40, 0.36, 0.44), Gap(refit=-0.03), other=0.43))
    .40 [.33 .45]
    """
    apart = 0.0 if other is None else other - measured.value
    beside = Interval(0.0, min(apart, 0.0), max(apart, 0.0))
    return total(as_shipped(measured, gap, moved=False), beside)


def metric_reaching(
    estimate: Estimate, name: str, trained: Trained, task: Task, other: float | None = None
) -> Estimate:
    """The same of the metric of this ``name``, as it is written down."""
    if (measured := estimate.interval) is None:
        return estimate
    metric: Metric = registry.load("sortal.metrics", name)
    return Estimate.of(metric.within(reaching(measured, gap(trained, task, metric), other)))


def with_its_own_calibration(error: Estimate, predictions: Predictions) -> Estimate:
    """A calibration error of rows that several models predicted out of their folds, with the high end of one such model
    on fresh rows.

    A model has two parameters of its own calibration, intercept and slope (Cox 1958). What n rows leave in doubt of
    them adds p (1 - p) / n times a chi-squared of two degrees to the square of its error. The rows of the folds show
    none of it: models of the others make up for what is wrong with each, so that even what the square is debiased by,
    as much on average, is taken off in vain. Groups count as many rows as they are worth.
    """
    if error.value is None or error.high is None:
        return error
    top = np.arange(len(predictions)), predictions.probability.argmax(axis=1)
    likeliest, hit = predictions.probability[top], predictions.truth == top[1]
    design = worth_of_rows(likeliest - hit, predictions.clusters).design
    unit = design * float((likeliest * (1 - likeliest)).mean()) / len(predictions)
    square, beyond = error.value**2 + 2 * CALIBRATED_BY * unit, (MOST_OWN - CALIBRATED_BY) * unit
    high = float(np.sqrt(square + np.hypot(error.high**2 - error.value**2, beyond)))
    return replace(error, high=min(high, 1.0))


def classes_reaching(
    scores: Sequence[ClassScore], trained: Trained, task: Task, others: Sequence[ClassScore] = ()
) -> tuple[ClassScore, ...]:
    """The same of the shares of each class. ``others``: those by other evidence."""
    shares = ("precision", "recall", *(() if task.reject_cost is None else ("rejected",)))
    all_gaps = gaps(trained, [_of_class(code, share, task) for code in range(len(scores)) for share in shares])

    def reach(code: int, score: ClassScore) -> ClassScore:
        own = all_gaps[code * len(shares) :]
        by_others = [getattr(others[code], share).value if others else None for share in shares]
        estimates = [getattr(score, share) for share in shares]
        figures = [_share(*arguments) for arguments in zip(estimates, own, by_others, strict=False)]
        return replace(score, **dict(zip(shares, figures, strict=True)))

    return tuple(reach(code, score) for code, score in enumerate(scores))


def _of_class(code: int, share: str, task: Task) -> Measure:
    def measure(predictions: Predictions, decided: Codes) -> tuple[float, Sampling | None]:
        rates: Rates = getattr(RowsOfClass.of(code, task, predictions.truth, decided), share)
        return float(rates.shares.mean()), rates

    return measure


def _share(estimate: Estimate, gap: Gap, other: float | None) -> Estimate:
    if (measured := estimate.interval) is None:
        return estimate
    figure = reaching(measured, gap, other)
    return Estimate(figure.value, max(figure.low, 0.0), min(figure.high, 1.0))
