"""Does the comparison with the profile in a model file keep quiet on rows like those of training, and speak up on
others?

Every table is halved at random, again and again: one half is profiled, the other comes in, all of it and in batches.
What is then said of a column is a false alarm. To see whether anything real is noticed, the same batches come in
damaged: texts in upper case, numbers a thousand times too small, three values in ten missing.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bench._outcome import Goal, Options, Outcome
from bench._tables import EXAMPLE, no_table, tabular
from sortal.core.disclosure import SMALLEST_COUNT
from sortal.core.errors import InputError
from sortal.core.frame import conform
from sortal.core.infer import infer
from sortal.core.profile import Values, profile
from sortal.core.shift import Watch
from sortal.core.table import Table

SIZES = (20, 100, 1_000)
"""Rows of a batch."""
HALF = "the other half"
REPETITIONS, FAST_REPETITIONS = 10, 20
BATCHES = 5
"""Of each size, a half."""
ROWS = 40_000
"""Of a table, at most."""
DAMAGED = 200
"""Rows of a damaged batch; a column counts where the damage alters at least half of the values that it touches."""
FALSE, NOTICED = 0.01, 0.95
"""The most columns that may be spoken of on like rows, and the fewest on damaged ones."""

Damage = Callable[[Values, np.random.Generator], Values | None]


@dataclass(frozen=True)
class Cell:
    """How many of ``columns`` something was said of, in batches of a table that came in as ``what``."""

    table: str
    what: str
    columns: int
    flagged: int


def run(options: Options) -> Outcome:
    notes: list[str] = []
    if options.fast:
        tables: Iterator[tuple[str, Table]] = iter([example()])
    elif options.data is not None:
        tables = folder_tables(options.data, notes)
    else:
        sys.exit("which tables? give --data FOLDER, or --fast")
    reps = options.reps if options.reps > 1 else FAST_REPETITIONS if options.fast else REPETITIONS
    cells = []
    for name, table in tables:
        for seed in range(reps):
            cells += measure(name, table, seed)
        print(f"{name}: done", file=sys.stderr)
    if not cells:
        no_table("to halve")
    return outcome(cells, notes)


def example() -> tuple[str, Table]:
    return "example", canonical(pl.read_csv(EXAMPLE, infer_schema=False), "Churn")


def folder_tables(folder: Path, notes: list[str]) -> Iterator[tuple[str, Table]]:
    """The tables of a folder that have a column to train on."""
    for file in tabular(folder):
        try:
            table = canonical(file.frame(), file.target)
        except InputError as error:
            notes.append(f"left out: {file.name}: {error}")
            continue
        if table.schema.features:
            yield file.name, table


def canonical(frame: pl.DataFrame, target: str) -> Table:
    frame = frame.sample(min(len(frame), ROWS), shuffle=True, seed=0)
    schema = infer(frame, target)
    return Table(schema, conform(frame, schema), np.arange(len(frame)))


def measure(name: str, table: Table, seed: int) -> Iterator[Cell]:
    """One half against the other."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(table))
    names = [column.name for column in table.schema.features]
    before, other = (table.take(half) for half in np.array_split(order, 2))
    reference, after, rows = profile(before, SMALLEST_COUNT), other.columns(names), len(other)

    def count_flagged(columns: dict[str, Values], of: Collection[str] = names) -> int:
        watch = Watch(reference)
        watch.add(columns)
        return len({shift.column for shift in watch.shifts()} & set(of))

    yield Cell(name, HALF, len(names), count_flagged(after))
    for size in SIZES:
        for _ in range(BATCHES if size < rows else 0):
            yield Cell(name, f"{size:,} rows", len(names), count_flagged(take(after, rng.integers(rows, size=size))))
    batch = take(after, rng.integers(rows, size=DAMAGED))
    for what, damage in DAMAGES.items():
        damaged = {n: worse for n in names if (worse := damage(batch[n], rng)) is not None}
        yield Cell(name, what, len(damaged), count_flagged(batch | damaged, of=damaged))


def take(columns: dict[str, Values], rows: np.ndarray) -> dict[str, Values]:
    return {n: v[rows] if isinstance(v, np.ndarray) else [v[i] for i in rows.tolist()] for n, v in columns.items()}


def in_upper_case(values: Values, rng: np.random.Generator) -> Values | None:
    if isinstance(values, np.ndarray):
        return None
    other = [None if value is None else value.upper() for value in values]
    altered = sum(a != b for a, b in zip(values, other, strict=True))
    return other if altered >= len(values) / 2 else None


def a_thousandth(values: Values, rng: np.random.Generator) -> Values | None:
    """Of numbers that are no yes or no."""
    if not isinstance(values, np.ndarray) or set(np.unique(values[~np.isnan(values)]).tolist()) <= {0.0, 1.0}:
        return None
    altered = np.count_nonzero(np.nan_to_num(values))
    return values / 1000 if altered >= len(values) / 2 else None


def with_holes(values: Values, rng: np.random.Generator) -> Values | None:
    holes = rng.random(len(values)) < 0.3
    if isinstance(values, np.ndarray):
        return np.where(holes, np.nan, values) if np.isnan(values).mean() < 0.5 else None
    other = [None if hole else value for value, hole in zip(values, holes, strict=True)]
    return other if values.count(None) < len(values) / 2 else None


DAMAGES: dict[str, Damage] = {
    "upper case": in_upper_case,
    "a thousandth": a_thousandth,
    "30 % missing": with_holes,
}


def outcome(cells: Sequence[Cell], notes: Sequence[str]) -> Outcome:
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for cell in cells:
        for key in ((cell.table, cell.what), ("all", cell.what)):
            counts[key][0] += cell.columns
            counts[key][1] += cell.flagged
    kinds = [HALF, *(f"{size:,} rows" for size in SIZES), *DAMAGES]
    tables = dict.fromkeys([*(cell.table for cell in cells), "all"])
    rows = [[table, *(share(*counts[table, kind]) for kind in kinds)] for table in tables]
    like = [counts["all", kind] for kind in kinds[: -len(DAMAGES)]]
    goals = [
        Goal(
            f"on rows like those of training at most {FALSE:.0%} of the columns are spoken of, whatever the size of "
            "the batch",
            f"at worst {share(*max(like, key=lambda pair: pair[1] / max(pair[0], 1)), digits=2)}",
            all(flagged <= FALSE * columns for columns, flagged in like),
        ),
        *(
            Goal(
                f"of {DAMAGED} rows with {kind}, at least {NOTICED:.0%} of the columns are spoken of",
                f"{share(*counts['all', kind])} of {counts['all', kind][0]:,}",
                counts["all", kind][1] >= NOTICED * counts["all", kind][0],
            )
            for kind in DAMAGES
        ),
    ]
    figures = [
        {"table": table, "what": kind, "columns": columns, "spoken": flagged}
        for (table, kind), (columns, flagged) in counts.items()
    ]
    title = "The share of columns that are spoken of: on like rows false alarms, on damaged ones what is noticed"
    return Outcome(title, ["table", *kinds], rows, goals, notes, figures)


def share(columns: int, flagged: int, digits: int = 1) -> str:
    return f"{100 * flagged / columns:.{digits}f} %" if columns else "-"
