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
from sortal.data.deal import joined, same_rows
from sortal.data.split import duplicate_groups, time_stamps
from sortal.decide.calibrate import entries
from sortal.training.candidate import Development, Index, Witness
from sortal.training.develop import Developed, develop
from sortal.training.finalize import Finalized, Limits, finalize
from sortal.training.zoo import Clock

LARGEST_COPY = 0.02
"""Rows that many times alike are coarse columns, not copies of one another: keeping them together would spoil the folds."""


@dataclass(frozen=True)
class Trained:
    """``dev``: the rows that were used, with the witness of every fit."""

    dev: Development
    developed: Developed
    finalized: Finalized


def train_rows(
    table: Table,
    codes: NDArray[np.int64],
    task: Task,
    recipe: Recipe,
    clock: Clock,
    listener: Observer,
    *,
    valid: Index | None = None,
    witness: Witness | None = None,
) -> Trained:
    """Cross-validate, choose, calibrate, decide and refit.

    ``codes``: (n,) class codes of ``table``. ``valid``: positions that are kept out of cross-validation, for calibration
    and decision; without them out-of-fold predictions play that part.
    """
    witness = witness or Witness()
    everything = _development(table, codes, task, recipe, witness)
    valid = np.empty(0, dtype=np.int64) if valid is None else valid
    train = np.setdiff1d(np.arange(len(codes)), valid)
    dev = everything if len(valid) == 0 else _development(table.take(train), codes[train], task, recipe, witness)
    times = None if recipe.time is None else time_stamps(dev.table, recipe.time)
    # Products of this size gain little from a second thread, and lose a lot where another process holds the core.
    with threadpool_limits(1, "blas"):
        developed = develop(dev, task, recipe, clock, listener, times)
        chosen = developed.choice.chosen
        listener.running(f"refit of {chosen.candidate.name}")
        limits = Limits(refit=recipe.refit) if recipe.plan else Limits(lambda: clock.for_refit(chosen))
        limits = replace(limits, entries=entries(recipe.budget))
        finalized = finalize(chosen, everything, task, train, valid, limits)
    return Trained(dev, developed, finalized)


def _development(table: Table, codes: NDArray[np.int64], task: Task, recipe: Recipe, witness: Witness) -> Development:
    return Development(
        table=table,
        codes=codes,
        classes=task.classes,
        seed=recipe.seed,
        units=_together(table, recipe.group),
        select=recipe.select,
        witness=witness,
        cost_columns=task.cost_columns,
        smallest_count=recipe.smallest_count,
    )


def _together(table: Table, group: str | None) -> NDArray[np.int64] | None:
    """What must not be torn apart by a fold: groups, and exact copies of a row."""
    copies = duplicate_groups(table)
    coarse = np.bincount(copies).max() > max(2, LARGEST_COPY * len(copies))
    if group is None:
        return None if coarse or copies.max() + 1 == len(copies) else copies
    groups = same_rows(table.frame[[group]])
    return groups if coarse else joined(groups, copies)
