"""Samples of a table, with the rest of the table as their future: the cells of ``bench honesty``.

A cell draws what a person might have: independent rows, rows in groups, a table of few distinct rows, few positives
that are dear to miss, classes of which one is rare, or labels that nothing tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

FUTURE_ROWS = 20_000
"""So many of the other rows are the future: its figures are then surer than those of any sample by a factor of two."""
GROUP, MEMBERS = "group of rows", 40
LABEL_WEIGHT = 0.7
"""Beside the columns and the noise, of one each: labels are alike within a group, and far from equal."""
COARSE_COLUMNS, COARSE_LEVELS = 7, 3
RARE_SHARE, MISS_COST = 0.02, 30
RARE_CLASS_SHARE = 0.02
ONE, ALL = ("logistic",), ("logistic", "tree", "lightgbm", "extra_trees", "xgboost")
EFFORT = 16.0
"""Of a training: one family is done long before, of all families most are tried, and on a busy machine the same."""


@dataclass(frozen=True)
class Table:
    name: str
    frame: pl.DataFrame
    target: str

    @property
    def features(self) -> list[str]:
        return [name for name in self.frame.columns if name not in (self.target, GROUP)]


@dataclass(frozen=True)
class Sample:
    """Rows to train on, and those that come later."""

    train: pl.DataFrame
    future: pl.DataFrame
    target: str


@dataclass(frozen=True)
class Cell:
    """``change`` makes the population of a table, or None where the table does not suit; ``rows`` of it, or as many
    whole groups as make about that many, are trained on with the ``options`` of ``sortal.train``.

    ``kind``: cells of one kind share the trainings that are asked for.
    """

    name: str
    kind: str
    rows: int
    models: Sequence[str] = ONE
    change: Callable[[Table, np.random.Generator], Table | None] = lambda table, rng: table
    groups: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def draw(self, table: Table, rng: np.random.Generator) -> Sample | None:
        """None where the table does not suit."""
        population = self.change(table, rng)
        if population is None or len(population.frame) < 4 * self.rows:
            return None
        frame = population.frame
        if self.groups is None:
            in_sample = np.zeros(len(frame), dtype=np.bool_)
            in_sample[rng.choice(len(frame), self.rows, replace=False)] = True
        else:
            ids = frame[GROUP].to_numpy()
            in_sample = np.isin(ids, rng.choice(np.unique(ids), self.groups, replace=False))
        labels = frame.filter(in_sample)[population.target]
        if labels.n_unique() < 2:
            return None
        future = frame.filter(~in_sample).filter(pl.col(population.target).is_in(labels.unique()))
        future = future.sample(min(len(future), FUTURE_ROWS), seed=int(rng.integers(2**31)))
        shuffled = frame.filter(in_sample).sample(fraction=1.0, shuffle=True, seed=int(rng.integers(2**31)))
        return Sample(shuffled, future, population.target)


def cells() -> list[Cell]:
    """Every kind of sample that the goals name."""
    promise: dict[str, Any] = {"precision": 0.8, "confidence": 0.9}
    alike: dict[str, Any] = {"group": GROUP}
    sizes, numbers_of_groups = (300, 1_000, 3_000), (5, 20, 100)
    return [
        *(Cell(f"{n:,} rows", "independent rows", n) for n in sizes),
        *(Cell(f"{n:,} rows, all models", "independent rows", n, ALL) for n in sizes),
        *(
            Cell(f"{g} groups", "groups", g * MEMBERS, change=grouped, groups=g, options=alike)
            for g in numbers_of_groups
        ),
        Cell("200 rows, nested", "nested", 200, options={"split": "cv"}),
        Cell("few distinct rows", "few distinct rows", 1_500, change=coarse),
        Cell("2 % positives, a miss costs 30", "costs", 3_000, change=rare, options={"cost": f"fp=1,fn={MISS_COST}"}),
        *(Cell(f"{k} classes, one rare", "classes", 1_500, change=_classes(k)) for k in (3, 7, 10)),
        Cell("nothing to learn", "nothing to learn", 1_000, ALL, change=shuffled),
        Cell("precision .8 promised", "promises", 2_000, change=two_classes, options=promise),
        *(
            Cell(
                f"precision .8 promised, {g} groups",
                "promises",
                g * MEMBERS,
                change=_both(two_classes, grouped),
                groups=g,
                options=promise | alike,
            )
            for g in (20, 100)
        ),
        Cell("sets at .9", "sets", 1_000, options={"sets": 0.9}),
        Cell(
            "sets at .9, 100 groups", "sets", 100 * MEMBERS, change=grouped, groups=100, options=alike | {"sets": 0.9}
        ),
    ]


def _both(first: Callable[..., Table | None], then: Callable[..., Table | None]) -> Callable[..., Table | None]:
    def change(table: Table, rng: np.random.Generator) -> Table | None:
        changed = first(table, rng)
        return None if changed is None else then(changed, rng)

    return change


def grouped(table: Table, rng: np.random.Generator) -> Table:
    """Rows that are alike are of one group: neighbours in an order by their label, their columns and noise."""
    mixed = sum(rng.normal() * _standard(_numbers(table.frame[name])) for name in table.features)
    label = _standard(_codes(table.frame[table.target]).astype(np.float64))
    latent = LABEL_WEIGHT * label + _standard(np.asarray(mixed)) + rng.normal(size=len(label))
    place = np.argsort(np.argsort(latent)) // MEMBERS
    return Table(table.name, table.frame.with_columns(pl.Series(GROUP, place).cast(pl.String)), table.target)


def coarse(table: Table, rng: np.random.Generator) -> Table:
    """Seven columns of three values: most rows are copies of others, by coincidence."""
    names = rng.permutation(table.features)[:COARSE_COLUMNS].tolist()
    levels = {name: _levels(_numbers(table.frame[name]), COARSE_LEVELS) for name in names}
    return Table(table.name, pl.DataFrame({**levels, table.target: table.frame[table.target]}), table.target)


def rare(table: Table, rng: np.random.Generator) -> Table | None:
    """Two classes, the rarer of which is two in a hundred rows."""
    two = two_classes(table, rng)
    if two is None:
        return None
    positive = (two.frame[two.target] == "yes").to_numpy()
    rows = np.flatnonzero(~positive)
    n_positive = round(RARE_SHARE / (1 - RARE_SHARE) * len(rows))
    hits = np.flatnonzero(positive)
    if len(hits) < n_positive:
        return None
    index = np.sort(np.concatenate([rows, rng.choice(hits, n_positive, replace=False)]))
    return Table(table.name, two.frame[index], two.target)


def two_classes(table: Table, rng: np.random.Generator) -> Table | None:
    """The second most frequent class against all others."""
    counts = table.frame[table.target].cast(pl.String).value_counts(sort=True)
    if len(counts) < 2:
        return None
    hit = table.frame[table.target].cast(pl.String) == counts[table.target][1]
    labels = pl.Series(table.target, np.where(hit.to_numpy(), "yes", "no"))
    return Table(table.name, table.frame.with_columns(labels), table.target)


def _classes(k: int) -> Callable[[Table, np.random.Generator], Table | None]:
    """``k`` slices of a number as the classes, the last of them rare."""

    def change(table: Table, rng: np.random.Generator) -> Table | None:
        numbers = [
            n for n in table.features if table.frame[n].dtype.is_numeric() and table.frame[n].n_unique() > 20 * k
        ]
        if not numbers:
            return None
        name = str(rng.choice(numbers))
        order = rng.permutation(len(table.frame))
        value = _numbers(table.frame[name])
        rank = np.empty(len(value))
        rank[order[np.argsort(value[order], kind="stable")]] = (np.arange(len(value)) + 0.5) / len(value)
        ends = np.append(np.arange(1, k - 1) / (k - 1) * (1 - RARE_CLASS_SHARE), 1 - RARE_CLASS_SHARE)
        labels = pl.Series("class of rows", np.searchsorted(ends, rank)).cast(pl.String)
        return Table(table.name, table.frame.drop(name, table.target).with_columns(labels), "class of rows")

    return change


def shuffled(table: Table, rng: np.random.Generator) -> Table:
    labels = table.frame[table.target].gather(rng.permutation(len(table.frame)))
    return Table(table.name, table.frame.with_columns(labels.alias(table.target)), table.target)


def _codes(column: pl.Series) -> NDArray[np.int64]:
    return column.cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64)


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    if not column.dtype.is_numeric():
        return _codes(column).astype(np.float64)
    number = column.cast(pl.Float64)
    return number.fill_nan(None).fill_null(number.median() or 0.0).to_numpy()


def _standard(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return (value - value.mean()) / max(float(value.std()), 1e-9)


def _levels(value: NDArray[np.float64], levels: int) -> pl.Series:
    ends = np.unique(np.quantile(value, np.arange(1, levels) / levels))
    return (
        pl.Series("", np.searchsorted(ends, value, side="right"))
        .cast(pl.String)
        .replace_strict({"0": "low", "1": "middle", "2": "high"})
    )
