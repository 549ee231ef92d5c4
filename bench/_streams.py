"""Streams of rows as a service sees them, drawn from real tables: what ``bench quiet`` and ``bench alarm`` watch.

The rows of a table are the population. Training and every later row are drawn from it with replacement, so that they
are alike by construction, whatever the table is like; a shift is then the only thing that changes. Columns come from
several tables, each with rows of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench._tables import EXAMPLE, tabular
from sortal.core.kinds import kind_of
from sortal.core.profile import comparable, compared, profile
from sortal.core.schema import Schema
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.core.table import Table
from sortal.data.problem import frame_problem
from sortal.monitor.bins import Bins
from sortal.monitor.losses import Loss
from sortal.monitor.watch import Watcher

TRAINING_ROWS = 5_000
LEAST_ROWS, MOST_ROWS = 1_000, 5_000
"""Of a table that is a population; of a larger one so many rows are."""
ERRORS = 0.1
"""The share of errors that is promised, and that a stream without a change has: no more, and no less."""


@dataclass(frozen=True)
class Population:
    """A column of a table, all of its rows."""

    name: str
    table: Table


@dataclass(frozen=True)
class WatchedColumn:
    """A column, or a measure of one, with a profile of training, and its ``values`` in the population."""

    bins: Bins
    values: Any

    @property
    def codes(self) -> NDArray[np.int64]:
        return self.bins.codes(self.values)


def populations(folder: Path | None) -> list[Population]:
    """The columns of the tables of a folder; of the example where there is none."""
    if folder is None:
        files: list[tuple[str, pl.DataFrame, str]] = [("churn", pl.read_csv(EXAMPLE), "Churn")]
    else:
        files = [(file.name, file.frame(), file.target) for file in tabular(folder)]
    return [
        population
        for name, frame, target in files
        if len(frame) >= LEAST_ROWS
        for population in _columns(name, frame, target)
    ]


def _columns(name: str, frame: pl.DataFrame, target: str) -> Iterator[Population]:
    sample = frame.drop_nulls(target)
    sample = sample.sample(min(len(sample), MOST_ROWS), seed=0)
    table = frame_problem(sample, GoalOptions(target=target), RowOptions()).table
    for column in table.schema.features:
        if kind_of(column.kind).storage != "bytes":
            part = Table(Schema((column,)), table.frame[[column.name]], table.rows)
            yield Population(f"{name}: {column.name}", part)


def draw(pool: Sequence[Population], columns: int, rng: np.random.Generator) -> dict[str, WatchedColumn]:
    """So many columns, each with a training set of its own."""
    watched: dict[str, WatchedColumn] = {}
    for at in rng.choice(len(pool), columns, replace=columns > len(pool)).tolist():
        population = pool[at]
        profiles = profile(population.table.take(rng.integers(len(population.table), size=TRAINING_ROWS)))
        values = comparable(profiles, population.table.columns(population.table.schema.names))
        for name, column in compared(profiles).items():
            if column.n_values:
                watched[f"{len(watched)} {population.name} {name}"] = WatchedColumn(Bins(column), values[name])
    return watched


def watcher_of(watched: Mapping[str, WatchedColumn]) -> Watcher:
    """Watches these columns, and a share of errors."""
    errors = Loss("errors", ERRORS, "", lambda row: None)
    return Watcher(None, {name: column.bins for name, column in watched.items()}, (errors,))  # type: ignore[arg-type]
