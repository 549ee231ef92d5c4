"""What half the rows would cost the chosen candidate, and so what the rows that a fold leaves out are worth.

The models of the folds learn from fewer rows than the one that ships, and are a little worse. Where a score moves
towards its limit as 1/n, which is the rate of regular models, fits on half of the rows tell by how much. Of rows that
belong together half of the groups are left out: half of the rows of each would tell next to as much as all of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.core.predictions import Predictions
from sortal.evaluate.metrics import Metric
from sortal.training.crossval import CrossValidation
from sortal.training.cv_result import CVResult, Result, concatenate
from sortal.training.fit_log import FitRows
from sortal.training.fold import FoldJob, FoldResult, fit_fold
from sortal.training.greedy import mean

MOST_ROWS = 20_000
"""With more rows in a fold, those that it leaves out are worth less than anybody reads."""


@dataclass(frozen=True)
class Halving:
    """``predictions``: out of fold, of the first ``folds`` folds, each of which learns from half of its rows.
    ``fits``: what these fits saw.
    """

    predictions: Predictions
    folds: int
    fits: tuple[FitRows, ...] = ()


def share_of_halving(rows: int, more: int) -> float:
    """What models gain from ``rows`` to ``more`` rows, as a share of what half of the rows would cost them: by the rate
    1/n.

    >>> round(share_of_halving(800, 1000), 4)
    0.2
    """
    return 1 - rows / more


def seconds_of_halving(members: Sequence[CVResult]) -> float:
    """What half of the rows of one fold may take: no longer than all of them, where they are fitted at all."""
    rows = [0 if member.pipeline is None else member.pipeline.rows for member in members]
    can_halve = 0 < max(rows, default=0) <= MOST_ROWS and any(member.refit_seconds for member in members)
    return sum(member.fit_seconds for member in members) if can_halve else 0.0


def halve(
    winner: Result, cv: CrossValidation, metric: Metric, seconds: float, planned: int | None = None
) -> Halving | None:
    """Fit the chosen candidate, or each member of the ensemble, on half of the rows of each fold, or of as many folds
    as there are ``seconds`` for; one tells most of it. ``planned``: of how many folds, whatever it takes. None where it
    would tell nothing, or there is not even time for one.

    No clock has a say in the fits, so that they repeat.
    """
    most = max(_rows(member, cv) for member in winner.results)
    if planned == 0 or winner.refit_seconds == 0 or most > MOST_ROWS or winner.fit_seconds > seconds:
        return None

    def jobs(folds: range) -> list[FoldJob]:
        return [FoldJob(m.candidate, i, _rows(m, cv, i) // 2, units=True) for i in folds for m in winner.results]

    results: list[FoldResult] = []
    # Where the time is up, the folds that were done by then tell it.
    with suppress(TimeUp), interrupted_after(seconds):
        # The first fits bring their models along, which need not leave this process.
        start = time.monotonic()
        results = [fit_fold(cv.data, job) for job in jobs(range(1))]
        fold_seconds = time.monotonic() - start
        more = cv.data.folds.per_repeat if planned is None else planned
        if seconds < math.inf:
            more = min(more, int(seconds / fold_seconds))
        results = [*results, *cv.executor.map(fit_fold, cv.data, jobs(range(1, more)))]
    n_members = len(winner.results)
    by_fold = [
        mean([r.predictions for r in results[i : i + n_members]], winner.weights)
        for i in range(0, len(results), n_members)
    ]
    if not by_fold or not all(np.isfinite(cv.score(predictions)[metric.name]) for predictions in by_fold):
        return None
    return Halving(concatenate(by_fold)[0], len(by_fold), tuple(result.fit_rows for result in results))


def _rows(member: CVResult, cv: CrossValidation, fold: int = 0) -> int:
    """How many rows of a fold it was given."""
    rows = len(cv.data.folds.parts[fold][0])
    return rows if member.rows is None else min(member.rows, rows)
