"""What half the rows would cost the chosen candidate, and so what the rows that a fold leaves out are worth.

The models of the folds learn from fewer rows than the one that ships, and are a little worse. Where a score moves
towards its limit as 1/n, which is the rate of regular models, fits on half of the rows tell by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.core.predictions import Predictions
from sortal.evaluate.metrics import Metric
from sortal.training.crossval import CrossValidation, CVResult, Result, joined
from sortal.training.fit_log import FitRows
from sortal.training.fold import FoldJob, fit_fold
from sortal.training.greedy import mean

MOST_ROWS = 20_000
"""With more rows in a fold, those that it leaves out are worth less than anybody reads."""
SLOWER = 2.0
"""How much longer a fit may take than those of the folds, whose pace followed the clock."""


@dataclass(frozen=True)
class Halving:
    """``predictions``: out of fold, where every fold learns from half of its rows, and their ``fold_scores`` (metric ->
    (folds,)). ``fits``: what these fits saw.
    """

    predictions: Predictions
    fold_scores: dict[str, Floats]
    fits: tuple[FitRows, ...] = ()


def share_of_halving(rows: int, more: int) -> float:
    """What models gain from ``rows`` to ``more`` rows, as a share of what half of the rows would cost them: by the rate
    1/n.

    >>> round(share_of_halving(800, 1000), 4)
    0.2
    """
    return 1 - rows / more


def halve(chosen: Result, cv: CrossValidation, metric: Metric, seconds: float) -> Halving | None:
    """Fit the chosen candidate, or each member of the ensemble, on half of the rows of each fold. None where that would
    tell nothing, or take longer than so many ``seconds``.

    No clock has a say in the fits, so that they repeat.
    """
    folds = cv.data.folds
    most = max(_rows(member, cv) for member in chosen.results)
    if chosen.refit_seconds == 0 or most > MOST_ROWS or SLOWER * chosen.fit_seconds * folds.per_repeat > seconds:
        return None
    numbers = range(folds.per_repeat)
    jobs = [FoldJob(m.candidate, i, _rows(m, cv) // 2) for i in numbers for m in chosen.results]
    try:
        with interrupted_after(seconds):
            # The first fits bring their models along, which need not leave this process.
            first = len(chosen.results)
            results = [fit_fold(cv.data, job) for job in jobs[:first]]
            results += cv.executor.map(fit_fold, cv.data, jobs[first:])
    except TimeUp:
        return None
    by_fold = [mean([r.predictions for r in results[i * first : (i + 1) * first]], chosen.weights) for i in numbers]
    scores = [cv.score(predictions) for predictions in by_fold]
    by_name = {name: np.array([score[name] for score in scores]) for name in scores[0]}
    if not np.isfinite(by_name[metric.name]).all():
        return None
    return Halving(joined(by_fold)[0], by_name, tuple(result.fit_rows for result in results))


def _rows(member: CVResult, cv: CrossValidation) -> int:
    """How many rows of a fold it was given."""
    return len(cv.data.folds.parts[0][0]) if member.rows is None else member.rows
