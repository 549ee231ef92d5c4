"""Development rows in, a trained classifier out: the part of the trip that needs no files and no test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sortal.core.observer import Observer
from sortal.core.recipe import Recipe
from sortal.core.sheets import SearchOptions
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.data.stratify import connected_groups
from sortal.decide.calibrate import entries
from sortal.models.family import Resources
from sortal.models.training_loop import require_graphics_processor
from sortal.training.baselines import ShippedBaseline, fit_baselines
from sortal.training.candidate import Development, Index
from sortal.training.cv_result import CVResult, Result
from sortal.training.develop import Developed, develop
from sortal.training.executor import Executor
from sortal.training.finalize import Finalized, Limits, finalize
from sortal.training.fit_log import FitRows
from sortal.training.fold_store import FoldStore
from sortal.training.reserve import TimeReserve

EFFORT_THREADS = 2
"""Of a run without a clock, on whatever machine: with another number, as on a graphics processor, sums may differ in
the last bit. Those of the machine of docs/benchmarks.md."""


@dataclass(frozen=True)
class Trained:
    """``dev``: the rows that were used. ``baselines``: as they would have shipped, where a test is to compare with
    them.
    """

    dev: Development
    developed: Developed
    finalized: Finalized
    baselines: tuple[ShippedBaseline, ...] = ()

    @property
    def uncompared(self) -> tuple[str, ...]:
        """The baselines that there was no time to fit for the test."""
        names = {baseline.name for baseline in self.baselines} | {self.developed.choice.winner.name}
        results = self.developed.explored.results
        return tuple(s.candidate.name for s in results if s.candidate.baseline and s.candidate.name not in names)

    @property
    def unlearned(self) -> NDArray[np.int64]:
        """Ids of the rows that are judged out of fold by models which no row of their class taught."""
        return self.dev.table.rows[self.developed.folds.unlearned(self.dev.codes)]

    @property
    def fits(self) -> tuple[FitRows, ...]:
        """What all fits saw that have a part in the result."""
        of_baselines = (FitRows(baseline.pipeline.saw) for baseline in self.baselines if baseline.new)
        return (*self.developed.fits, *self.finalized.fits, *of_baselines)


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
        winner = developed.choice.winner
        listener.running(f"refit of {winner.name}")
        by_clock = Limits(lambda: reserve.for_refit(winner.results))
        limits = Limits(refit=recipe.search.refit) if recipe.search.plan else by_clock
        limits = replace(limits, entries=entries(recipe.search.allowance), size=developed.bounds.size)
        shipped_on = dev if task.promises else everything
        others = _to_compare(developed, recipe.search) if reserve.comparing else []

        def seconds_left() -> float:
            other_seconds = winner.refit_seconds + reserve.for_test(others)
            return math.inf if recipe.search.plan else reserve.for_refit(winner.results) - other_seconds

        non_members = [other for other in others if not any(other is member for member in winner.results)]
        # Before calibration, whose time is kept for it.
        compared = fit_baselines(non_members, shipped_on, winner.refit_seconds > 0, seconds_left)
        finalized = finalize(winner, everything, task, train, valid, limits)
        if finalized.refit != (winner.refit_seconds > 0):
            compared = fit_baselines(non_members, shipped_on, finalized.refit, seconds_left)
    return Trained(dev, developed, finalized, (*_of_members(others, winner, finalized), *compared))


def _of_members(others: Sequence[CVResult], winner: Result, finalized: Finalized) -> list[ShippedBaseline]:
    """Those of the baselines that are members of what ships, as they are in it: they are not fitted once more."""
    members = zip(winner.results, finalized.ensemble.members, strict=True)
    return [
        ShippedBaseline(result.candidate.name, pipeline, new=False)
        for result, pipeline in members
        if any(result is other for other in others)
    ]


def _to_compare(developed: Developed, search: SearchOptions) -> list[CVResult]:
    """The baselines beside the chosen candidate; of a run that is repeated, those that it had time for."""
    winner = developed.choice.winner
    baselines = (s for s in developed.explored.results if s.candidate.baseline and s is not winner)
    return [s for s in baselines if s.candidate.name not in search.uncompared]


def development(table: Table, codes: NDArray[np.int64], task: Task, recipe: Recipe) -> Development:
    """Rows to train on, (n,) class codes among them, with what a recipe says of them."""
    return Development(
        table=table,
        codes=codes,
        classes=task.classes,
        seed=recipe.search.seed,
        units=_units(table),
        select=recipe.search.select,
        resources=_resources(recipe.search),
        cost_columns=task.cost_columns,
        smallest_count=recipe.rows.smallest_count,
        networks=recipe.search.embed_backbone,
    )


def _resources(search: SearchOptions) -> Resources:
    """What fits may use of the machine; of a run that is the same on every machine, as much on each.

    Raises OptionError where there is no graphics processor that was asked for.
    """
    if search.device == "cuda":
        require_graphics_processor()
    if search.effort is None:
        return replace(Resources.here(), device=search.device)
    return Resources(EFFORT_THREADS, "cpu" if search.device == "auto" else search.device)


def _units(table: Table) -> NDArray[np.int64] | None:
    """What must not be torn apart by a fold: groups, and records that were entered more than once."""
    groups, records = table.groups, table.records
    if groups is None:
        return None if records.max() + 1 == len(records) else records
    return connected_groups(groups, records)
