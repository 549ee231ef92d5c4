"""Nested cross-validation: the whole procedure once more on each outer training part, for want of a test.

Each row is predicted, and decided on, once: by a model that was searched for, chosen, calibrated and given its
threshold without it. What is measured so is the procedure, on somewhat fewer rows than the shipped model saw (Varma &
Simon 2006, "Bias in error estimation when using cross-validation for model selection").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.core.predictions import Predictions
from sortal.core.recipe import Recipe
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.data.split import folds
from sortal.decide.calibrate import entries
from sortal.training.candidate import Development, Index
from sortal.training.develop import Developed, search_again
from sortal.training.finalize import Finalized, Limits, finalize
from sortal.training.fit_log import NO_ROWS, FitRows
from sortal.training.trained import Trained, development


@dataclass(frozen=True)
class Nested:
    """``predictions``: of the rows of the outer folds that there was time for. ``decided``: (n,) what each fold's own
    rule says of them. ``folds``: how many there are, of those ``planned``. ``fits``: what each fit saw, and the rows
    that it had no business to see.
    """

    predictions: Predictions
    decided: NDArray[np.int64]
    folds: int
    planned: int
    fits: tuple[FitRows, ...]


def nested(
    table: Table,
    codes: NDArray[np.int64],
    task: Task,
    recipe: Recipe,
    trained: Trained,
    planned: int,
    seconds: Callable[[], float],
) -> Nested | None:
    """Run the procedure of ``trained`` on each of ``planned`` outer training parts, and predict the rest of the rows.

    ``codes``: (n,) class codes of ``table``. The candidates are those that ``trained`` compared; what they are fitted
    with is found anew. ``seconds``: what is left; a fold that does not end in time is left out, and all that follow. A
    recipe that was run says how many did (``outer``), and nothing is cut short then. None where not even one did.
    """
    if recipe.search.plan and not recipe.search.outer:
        return None
    whole = development(table, codes, task, recipe)
    n_outer, outcomes, fits = recipe.search.outer, [], []
    parts = folds(codes, planned, recipe.search.seed, whole.units)
    for train, test in parts[: n_outer or planned]:
        start, seconds_left = time.monotonic(), seconds()
        try:
            with interrupted_after(float("inf") if n_outer else max(seconds_left, 0.0)), threadpool_limits(1, "blas"):
                dev = development(table.take(train), codes[train], task, recipe)
                developed, model = _procedure(dev, task, recipe, trained)
                outcomes.append(_predict(whole, test, model))
                fits += [_held_out(fit, whole.table.rows[test]) for fit in (*developed.fits, *model.fits)]
        except TimeUp:
            break
        if not n_outer and seconds() < time.monotonic() - start:
            break
    if not outcomes:
        return None
    predictions, decisions = zip(*outcomes, strict=True)
    return Nested(_pooled(predictions), np.concatenate(decisions), len(outcomes), planned, tuple(fits))


def _procedure(dev: Development, task: Task, recipe: Recipe, trained: Trained) -> tuple[Developed, Finalized]:
    developed = search_again(dev, task, recipe.search, trained.developed)
    limits = Limits(
        refit=trained.finalized.time_to_refit, entries=entries(recipe.search.allowance), size=developed.bounds.size
    )
    return developed, finalize(developed.choice.winner, dev, task, np.arange(len(dev.codes)), NO_ROWS, limits)


def _held_out(fit: FitRows, rows: Index) -> FitRows:
    return replace(fit, evaluated=np.concatenate([fit.evaluated, rows]))


def _predict(whole: Development, test: Index, model: Finalized) -> tuple[Predictions, NDArray[np.int64]]:
    predictions = whole.predictions(test, model.predict_proba(whole.table.take(test)), "nested")
    return predictions, model.decision.decide(predictions)


def _pooled(parts: Sequence[Predictions]) -> Predictions:
    first = parts[0]
    costs, groups = ([getattr(p, name) for p in parts] for name in ("row_costs", "groups"))
    return replace(
        first,
        rows=np.concatenate([p.rows for p in parts]),
        truth=np.concatenate([p.truth for p in parts]),
        probability=np.concatenate([p.probability for p in parts]),
        row_costs=None if first.row_costs is None else np.concatenate(costs),
        groups=None if first.groups is None else np.concatenate(groups),
    )
