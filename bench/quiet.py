"""How often monitoring cries wolf: streams in which nothing changes, looked at daily for a year.

Beside ours the rule that is usual: each column of each day against training, Kolmogorov-Smirnov for numbers and
chi-squared for categories, Bonferroni over the columns of the day. Evidently and NannyML see the first days of some of
the streams, with their defaults and in environments of their own (``--peers FOLDER`` with ``evidently`` and
``nannyml``).
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from bench import _drift_peers
from bench._outcome import Goal, Options, Outcome
from bench._result_store import ResultStore
from bench._streams import ERRORS, Population, WatchedColumn, draw, populations, watcher_of
from bench._tables import no_table
from sortal.monitor.state import State
from sortal.monitor.watch import FALSE_ALARMS

COLUMNS, ROWS, DAYS = (20, 100), (100, 500, 2_000), 365
FAST_DAYS, FAST_REPS, FAST_COLUMNS, FAST_ROWS = 60, 4, (20,), (100,)
LEVEL = 0.05
WORKERS = 2
PEERS = ("evidently", "nannyml")
PEER_REPS, PEER_DAYS, PEER_ROWS = 3, 10, (100, 500)
"""Streams of a cell that peers see, and how many days of them: Evidently takes seconds for each."""

Job = tuple[Path | None, int, int, int, int]
"""The folder of the tables, columns, rows a day, days, and the seed."""


@dataclass(frozen=True)
class Year:
    """A stream. ``alarms``: what was called a change; ``usual``: whether the usual rule alarmed on any day."""

    columns: int
    rows: int
    seed: int
    alarms: Sequence[str]
    usual: bool


@dataclass(frozen=True)
class PeerDays:
    """Days of a stream, of so many, on which a peer called any column drifted, and those on which the table."""

    peer: str
    columns: int
    rows: int
    days: int
    drifted: int
    table_drifted: int


def run(options: Options) -> Outcome:
    if not _pool(options.data):
        no_table("with a thousand rows")
    days, reps = (FAST_DAYS, FAST_REPS) if options.fast else (DAYS, options.reps)
    cells = list(itertools.product(*((FAST_COLUMNS, FAST_ROWS) if options.fast else (COLUMNS, ROWS))))
    jobs = [(options.data, columns, rows, days, seed) for seed in range(reps) for columns, rows in cells]
    store = ResultStore(options.resume)
    todo = [job for job in jobs if _key(job) not in store]
    os.environ["OMP_NUM_THREADS"] = os.environ["POLARS_MAX_THREADS"] = "1"
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        for number, (job, year) in enumerate(zip(todo, pool.map(_year, todo), strict=True), 1):
            store[_key(job)] = asdict(year)
            print(f"{number} of {len(todo)}: {year.alarms or 'quiet'}", file=sys.stderr)
    seen_by_peers = [job for job in jobs if job[2] in PEER_ROWS and job[-1] < PEER_REPS]
    peers = [peer for job in seen_by_peers for peer in _peers(job, options.peers)]
    return outcome([Year(**store[_key(job)]) for job in jobs], days, peers)


def _key(job: Job) -> str:
    _, columns, rows, days, seed = job
    return f"{columns} columns, {rows} rows a day, {days} days, {seed}"


@cache
def _pool(folder: Path | None) -> list[Population]:
    return populations(folder)


def _year(job: Job) -> Year:
    folder, columns, rows, days, seed = job
    rng = _generator(job)
    watched = draw(_pool(folder), columns, rng)
    watcher, state = watcher_of(watched), State("")
    codes = {name: column.codes for name, column in watched.items()}
    usual = False
    for day in range(days):
        fresh = _day(codes, rows, rng)
        watcher.count_bins(day, fresh, state)
        watcher.count_losses(day, watcher.losses[0], (rng.random(rows) < ERRORS).astype(float), state)
        state.rows.append(rows)
        watcher.raise_alarms(state, float(day), FALSE_ALARMS)
        usual = usual or min(_p_value(watched[name], its) for name, its in fresh.items()) < LEVEL / len(fresh)
    return Year(columns, rows, seed, tuple(state.alarms), usual)


def _generator(job: Job) -> np.random.Generator:
    _, columns, rows, _, seed = job
    return np.random.default_rng([seed, columns, rows])


def _day(columns: Mapping[str, NDArray[Any]], rows: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """So many rows of each column, drawn from its population."""
    return {name: values[rng.integers(len(values), size=rows)] for name, values in columns.items()}


def _peers(job: Job, environments: Path | None) -> list[PeerDays]:
    """What peers say of a stream like that of a job: drawn in the same way from the same populations, as values."""
    folder, columns, rows, days, _ = job
    some_days, results = min(days, PEER_DAYS), []
    pythons = {} if environments is None else {name: environments / name / "bin" / "python" for name in PEERS}
    installed = {name: python for name, python in pythons.items() if python.exists()}
    if not installed:
        return []
    rng = _generator(job)
    watched = draw(_pool(folder), columns, rng)
    values = {name: _values(column) for name, column in watched.items()}
    with tempfile.TemporaryDirectory() as scratch:
        reference, stream = Path(scratch) / "reference.parquet", Path(scratch) / "stream.parquet"
        pl.DataFrame({name: values[name][column.training] for name, column in watched.items()}).write_parquet(reference)
        days_of_rows = [pl.DataFrame(_day(values, rows, rng)) for _ in range(some_days)]
        pl.concat(days_of_rows).write_parquet(stream)
        for name, python in installed.items():
            words = [str(python), "-P", _drift_peers.__file__, name, str(reference), str(stream), str(rows)]
            process = subprocess.run(words, capture_output=True, text=True)
            if process.returncode:
                print(f"{name} ended: {process.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            answer = json.loads(process.stdout.splitlines()[-1])
            counts = len(answer["columns"]), len(answer["table"])
            results.append(PeerDays(name, columns, rows, some_days, *counts))
            print(f"{name}, {columns} columns, {rows} rows a day: {counts[0]} of {some_days} days", file=sys.stderr)
    return results


def _values(column: WatchedColumn) -> NDArray[Any]:
    """Numbers as such, and categories as text."""
    if column.bins.profile.numeric:
        return np.asarray(column.values, dtype=np.float64)
    return np.array(list(column.values), dtype=object)


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


def outcome(years: Sequence[Year], days: int, peers: Sequence[PeerDays] = ()) -> Outcome:
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
        notes=_of_peers(peers),
        figures=[*map(asdict, years), *map(asdict, peers)],
    )


def _of_peers(peers: Sequence[PeerDays]) -> list[str]:
    absent = [name for name in PEERS if name not in {result.peer for result in peers}]
    lines = []
    for name, columns, rows in sorted({(result.peer, result.columns, result.rows) for result in peers}):
        streams = [result for result in peers if (result.peer, result.columns, result.rows) == (name, columns, rows)]
        days, drifted, table = (
            sum(counts) for counts in zip(*((s.days, s.drifted, s.table_drifted) for s in streams), strict=True)
        )
        lines.append(
            f"{name}, {columns} columns, {rows} rows a day: a column drifted on {drifted} of {days} days, in "
            f"{sum(s.drifted > 0 for s in streams)} of {len(streams)} streams; the table on {table}"
        )
    return [*lines, *(f"not run: {name}" for name in absent)]
