"""Development rows in, a trained classifier out: the part of the trip that needs no files and no test."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sortal.core.frame import Table
from sortal.core.observer import Observer
from sortal.core.recipe import Recipe
from sortal.core.task import Task
from sortal.data.stratify import connected_groups
from sortal.decide.calibrate import entries
from sortal.training.candidate import Development, Index
from sortal.training.develop import Developed, develop
from sortal.training.ensemble import EnsembleResult
from sortal.training.executor import Executor
from sortal.training.finalize import Finalized, Limits, finalize
from sortal.training.fit_log import FitRows
from sortal.training.fold_store import FoldStore
from sortal.training.zoo import TimeReserve


@dataclass(frozen=True)
class Trained:
    """``dev``: the rows that were used."""

    dev: Development
    developed: Developed
    finalized: Finalized

    @property
    def fits(self) -> tuple[FitRows, ...]:
        """What all fits saw that have a part in the model."""
        return (*self.developed.fits, *self.finalized.fits)


@dataclass(frozen=True)
class Workplace:
    """``executor``: runs the fits of folds, one after another in this process where None. ``store``: keeps their
    results, if there is one.
    """

    executor: Executor | None = None
    store: FoldStore | None = None


HERE = Workplace()


def train_rows(
    table: Table,
    codes: NDArray[np.int64],
    task: Task,
    recipe: Recipe,
    reserve: TimeReserve,
    listener: Observer,
    *,
    valid: Index | None = None,
    workplace: Workplace = HERE,
) -> Trained:
    """Cross-validate, choose, calibrate, decide and refit.

    ``codes``: (n,) class codes of ``table``. ``valid``: positions that are kept out of cross-validation, for
    calibration and decision; without them out-of-fold predictions play that part. ``workplace``: where the fits of
    folds run, and where their results are kept.
    """
    everything = development(table, codes, task, recipe)
    valid = np.empty(0, dtype=np.int64) if valid is None else valid
    train = np.setdiff1d(np.arange(len(codes)), valid)
    dev = everything if len(valid) == 0 else development(table.take(train), codes[train], task, recipe)
    # Products of this size gain little from a second thread, and lose a lot where another process holds the core.
    with threadpool_limits(1, "blas"):
        developed = develop(dev, task, recipe.search, reserve, listener, workplace.executor, workplace.store)
        chosen = EnsembleResult((developed.choice.chosen,))
        listener.running(f"refit of {chosen.name}")
        by_clock = Limits(lambda: reserve.for_refit(chosen.row_seconds))
        limits = Limits(refit=recipe.search.refit) if recipe.search.plan else by_clock
        limits = replace(limits, entries=entries(recipe.search.budget))
        finalized = finalize(chosen, everything, task, train, valid, limits)
    return Trained(dev, developed, finalized)


def development(table: Table, codes: NDArray[np.int64], task: Task, recipe: Recipe) -> Development:
    """Rows to train on, (n,) class codes among them, with what a recipe says of them."""
    return Development(
        table=table,
        codes=codes,
        classes=task.classes,
        seed=recipe.search.seed,
        units=_units(table),
        select=recipe.search.select,
        cost_columns=task.cost_columns,
        smallest_count=recipe.rows.smallest_count,
    )


def _units(table: Table) -> NDArray[np.int64] | None:
    """What must not be torn apart by a fold: groups, and records that were entered more than once."""
    groups, records = table.groups, table.records
    if groups is None:
        return None if records.max() + 1 == len(records) else records
    return connected_groups(groups, records)
