"""What half the rows would cost the chosen candidate, and so what the rows that a fold leaves out are worth.

The models of the folds learn from fewer rows than the one that ships, and are a little worse. Where a score moves
towards its limit as 1/n, which is the rate of regular models, fits on half of the rows tell by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.evaluate.metrics import Metric
from sortal.training.crossval import CrossValidation, CVResult
from sortal.training.fit_log import FitRows
from sortal.training.fold import FoldJob, fit_fold

MOST_ROWS = 20_000
"""With more rows in a fold, those that it leaves out are worth less than anybody reads."""
SLOWER = 2.0
"""How much longer a fit may take than those of the folds, whose pace followed the clock."""


@dataclass(frozen=True)
class Halving:
    """``change``: of the metric, when every fold learns from half of its rows. ``fits``: what these fits saw."""

    change: float
    fits: tuple[FitRows, ...] = ()

    def worth(self, rows: int, more: int) -> float:
        """By how much the metric changes from models of ``rows`` to one of ``more`` rows, by the rate 1/n.

        >>> round(Halving(change=0.02).worth(rows=800, more=1000), 4)
        -0.004
        """
        return -self.change * (1 - rows / more)


def halve(chosen: CVResult, cv: CrossValidation, metric: Metric, seconds: float) -> Halving | None:
    """Fit the chosen candidate on half of the rows of each fold. None where that would tell nothing, or take longer
    than so many ``seconds``.

    No clock has a say in the fits, so that they repeat.
    """
    folds = cv.data.folds
    train = len(folds.parts[0][0]) if chosen.rows is None else chosen.rows
    if chosen.refit_seconds == 0 or train > MOST_ROWS or SLOWER * chosen.fit_seconds * folds.per_repeat > seconds:
        return None
    jobs = [FoldJob(chosen.candidate, i, train // 2) for i in range(folds.per_repeat)]
    try:
        with interrupted_after(seconds):
            # The first fold brings its whole fit along, which need not leave this process.
            results = [fit_fold(cv.data, jobs[0]), *cv.executor.map(fit_fold, cv.data, jobs[1:])]
    except TimeUp:
        return None
    half = float(np.mean([cv.score(result.predictions)[metric.name] for result in results]))
    whole = float(np.mean(chosen.fold_scores[metric.name][: folds.per_repeat]))
    return Halving(half - whole, tuple(result.fit_rows for result in results)) if np.isfinite(half - whole) else None
