"""How often monitoring cries wolf: streams in which nothing changes, looked at daily for a year.

Beside ours the rule that is usual: each column of each day against training, Kolmogorov-Smirnov for numbers and
chi-squared for categories, Bonferroni over the columns of the day. Evidently and NannyML are left out where they are
not installed; their pins disagree with ours.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import stats

from bench._outcome import Goal, Options, Outcome
from bench._streams import ERRORS, Population, WatchedColumn, draw, populations, watcher_of
from bench._tables import no_table
from sortal.monitor.state import State
from sortal.monitor.watch import FALSE_ALARMS

COLUMNS, ROWS, DAYS = (20, 100), (100, 500, 2_000), 365
FAST_DAYS, FAST_REPS, FAST_COLUMNS, FAST_ROWS = 60, 4, (20,), (100,)
LEVEL = 0.05
WORKERS = 2
NO_PEERS = "Evidently and NannyML were not run: they are not installed here"

Job = tuple[Path | None, int, int, int, int]
"""The folder of the tables, columns, rows a day, days, and the seed."""


@dataclass(frozen=True)
class Year:
    """A stream. ``alarms``: what was called a change; ``usual``: whether the usual rule alarmed on any day."""

    columns: int
    rows: int
    seed: int
    alarms: tuple[str, ...]
    usual: bool


def run(options: Options) -> Outcome:
    if not _pool(options.data):
        no_table("with a thousand rows")
    days, reps = (FAST_DAYS, FAST_REPS) if options.fast else (DAYS, options.reps)
    cells = itertools.product(*((FAST_COLUMNS, FAST_ROWS) if options.fast else (COLUMNS, ROWS)))
    jobs = [(options.data, columns, rows, days, seed) for columns, rows in cells for seed in range(reps)]
    os.environ["OMP_NUM_THREADS"] = os.environ["POLARS_MAX_THREADS"] = "1"
    years: list[Year] = []
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        for year in pool.map(_year, jobs):
            years.append(year)
            print(f"{len(years)} of {len(jobs)}: {year.alarms or 'quiet'}", file=sys.stderr)
    return outcome(years, days)


@cache
def _pool(folder: Path | None) -> list[Population]:
    return populations(folder)


def _year(job: Job) -> Year:
    folder, columns, rows, days, seed = job
    rng = np.random.default_rng([seed, columns, rows])
    watched = draw(_pool(folder), columns, rng)
    watcher, state = watcher_of(watched), State("")
    codes = {name: column.codes for name, column in watched.items()}
    usual = False
    for day in range(days):
        fresh = {name: its[rng.integers(len(its), size=rows)] for name, its in codes.items()}
        watcher.count_bins(day, fresh, state)
        watcher.count_losses(day, watcher.losses[0], (rng.random(rows) < ERRORS).astype(float), state)
        state.rows.append(rows)
        watcher.raise_alarms(state, float(day), FALSE_ALARMS)
        usual = usual or min(_p_value(watched[name], its) for name, its in fresh.items()) < LEVEL / len(fresh)
    return Year(columns, rows, seed, tuple(state.alarms), usual)


def _p_value(column: WatchedColumn, codes: np.ndarray) -> float:
    """Of the usual rule: of numbers by their bins, in order, and of categories by theirs."""
    bins = column.bins
    now = np.bincount(codes, minlength=len(bins.reference))
    then = bins.reference
    if bins.profile.numeric:
        distance = np.abs(np.cumsum(now) / now.sum() - np.cumsum(then) / then.sum()).max()
        size = now.sum() * then.sum() / (now.sum() + then.sum())
        return float(stats.kstwobign.sf(distance * np.sqrt(size)))
    nonzero = now + then > 0
    if nonzero.sum() < 2:
        return 1.0
    return float(stats.chi2_contingency(np.stack([now[nonzero], then[nonzero]]))[1])


def outcome(years: Sequence[Year], days: int) -> Outcome:
    cells = sorted({(year.columns, year.rows) for year in years})
    rows, goals = [], []
    for columns, a_day in cells:
        group = [year for year in years if (year.columns, year.rows) == (columns, a_day)]
        ours, usual = (sum(map(bool, flags)) for flags in zip(*((y.alarms, y.usual) for y in group), strict=True))
        rows.append([f"{columns}", f"{a_day:,}", f"{ours} of {len(group)}", f"{usual} of {len(group)}"])
        limit = FALSE_ALARMS + 2 * np.sqrt(FALSE_ALARMS * (1 - FALSE_ALARMS) / len(group))
        goal = f"any alarm in {days} days <= 5 % + 2 standard errors ({columns} columns, {a_day:,} rows a day)"
        goals.append(Goal(goal, f"{ours} of {len(group)}", ours <= limit * len(group)))
    return Outcome(
        title=f"streams without a change, {days} days, looked at daily: in how many anything was called one",
        columns=["columns", "rows a day", "sortal", "usual tests, Bonferroni"],
        rows=rows,
        goals=goals,
        notes=[NO_PEERS],
        figures=[asdict(year) for year in years],
    )
