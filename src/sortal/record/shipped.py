"""What the model that ships will score, from what was measured out of fold.

Models of the folds learned from fewer rows than the one that ships, they were not calibrated, and one was picked
because it looked best. Each of these moves the figure, none is known exactly, and all doubts are joined in one place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.threshold import decide
from sortal.evaluate.compare import row_values, total
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric
from sortal.stats.clusters import worth_of_rows
from sortal.stats.proportions import two_sided_z
from sortal.training.crossval import Result
from sortal.training.ensemble import first_fits
from sortal.training.halving import share_of_halving
from sortal.training.trained import Trained

REACH = 2 * two_sided_z(0.95)
"""So many spreads lie between a figure out of fold and that of the model that ships, in 95 % of cases, even of a sample
that has every row: what a sample happens to teach makes its own rows look as much better as it makes the model worse
on others, so that both add up. (To the second order the first is half the squared length of the estimation error, and
so is the other; Bates, Hastie & Tibshirani 2023 measure that cross-validation and true error go apart.)"""


def score_out_of_fold(scored: Result, metric: Metric, task: Task, predictions: Predictions) -> Interval:
    """The mean over folds, and around it what other rows could have made of it. ``predictions``: those of ``scored``,
    or what calibration makes of them, which moves the mean by as much as it moves the figure of all rows.

    By all rows that were predicted out of fold, not by the spread between folds: those are stratified, each has the
    same shares of the classes, and what fresh rows vary by most would be left out.
    """
    by_rows = interval(metric, task, predictions, decide(task, predictions).decide(predictions))
    before = metric.score(task, scored.predictions, decide(task, scored.predictions).decide(scored.predictions))
    moved = float(np.mean(scored.fold_scores[metric.name])) - before
    return metric.within(Interval(*(end + moved for end in (by_rows.value, by_rows.low, by_rows.high))))


@dataclass(frozen=True)
class Gap:
    """What lies between a figure out of fold and that of the model that ships.

    ``refit``: by how much more rows are expected to change it. ``spread``: the standard deviation of the figure over
    refits of the same procedure on other samples of as many rows. None where nothing tells.
    """

    refit: float | None = None
    spread: float | None = None


def gap(trained: Trained, task: Task, metric: Metric) -> Gap:
    """From models of half of the rows of each fold, beside those of all of them, on the same rows.

    The spread is that of a regular model with p parameters, whose excess loss over refits is chi-squared: its variance
    is p / 2n². The paired difference of the losses of a row varies by p / m between models of m / 2 and of m rows.
    """
    halving, chosen = trained.developed.halving, trained.developed.choice.chosen
    first = first_fits(chosen)
    if halving is None or first is None:
        return Gap()
    rows, more = first.rows, trained.finalized.ensemble.rows
    (whole, a), (half, b) = (_scored(p, trained, task, metric) for p in (chosen.predictions, halving.predictions))
    if not np.isfinite(whole - half):
        return Gap()
    refit = share_of_halving(rows, more) * (whole - half) if trained.finalized.refit else None
    if a is None or b is None:
        return Gap(refit)
    apart = (b - a) - (b - a).mean()
    worth = worth_of_rows(apart, chosen.predictions.clusters)
    return Gap(refit, float(np.sqrt(apart.var() * worth.design * rows / 2)) / more)


def _scored(predictions: Predictions, trained: Trained, task: Task, metric: Metric) -> tuple[float, Floats | None]:
    """The score by the rule that ships, and the values of rows that it is the mean of, where it has any."""
    decided = trained.finalized.decision.decide(predictions)
    score = metric.score(task, predictions, decided)
    sampling = None if metric.sampling is None else metric.sampling(task, predictions, decided)
    return score, row_values(score, sampling)


def shipped(measured: Interval, gap: Gap, *changes: float | None, moved: bool = True) -> Interval:
    """A ``measured`` figure with what changes it until the model ships, and all that is in doubt.

    ``changes``: beside those of the gap; None where not known. A change is as uncertain as it is large: what flatters
    the best is known from one sample, and no model keeps exactly to the rate by which rows are taken to help. So each
    is in doubt by all of it. Not ``moved``: the figure stays as it was measured, and the interval reaches as far as the
    changes might.

    >>> print(shipped(Interval(0.40, 0.36, 0.44), Gap(), 0.02, -0.03, None))
    .39 [.34 .44]
    >>> print(shipped(Interval(0.40, 0.36, 0.44), Gap(refit=-0.03), moved=False))
    .40 [.33 .44]
    """
    known = [change for change in (gap.refit, *changes) if change is not None]
    reach = REACH * (gap.spread or 0.0)
    parts = [Interval(c if moved else 0.0, min(0.0, 2 * c), max(0.0, 2 * c)) for c in known]
    return total(measured, Interval(0.0, -reach, reach), *parts)
