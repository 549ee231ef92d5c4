"""Leaks that are put into a table on purpose, each a small function of the classes or of the rows.

``COLUMNS``: columns that tell the class, which an audit can only guess. ``FAULTS``: what was done wrong to rows and
parts, which an audit that looks at the parts can know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.checks.context import AuditContext, SplitView
from sortal.checks.run_counts import RunCounts
from sortal.core.relations import same_rows
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.data.split import holdout

Ints = NDArray[np.int64]
Generator = np.random.Generator

LEAK = "the leak"
PREPARED = "prepared on all rows"
TRAIN, TEST = 0, 1
TEST_SHARE = 0.2


@dataclass(frozen=True)
class LeakyColumn:
    """``make``: the column from the class codes (n,) of ``k`` classes; None where there is no such thing for so few."""

    kind: str
    strength: str
    make: Callable[[Ints, int, Generator], pl.Series | None]


def same_labels(codes: Ints, k: int, rng: Generator) -> pl.Series:
    return pl.Series([f"class {c}" for c in codes])


def other_labels(codes: Ints, k: int, rng: Generator) -> pl.Series:
    """Each class has three labels of its own."""
    return pl.Series([f"{chr(97 + part)}{c}" for c, part in zip(codes, rng.integers(3, size=len(codes)), strict=True)])


def shuffled_numbers(codes: Ints, k: int, rng: Generator) -> pl.Series:
    return pl.Series(rng.permutation(k)[codes].astype(np.float64))


def number_apart(codes: Ints, k: int, rng: Generator) -> pl.Series:
    """A number with a range of its own for each class, as an amount that is above 0 for one of them."""
    return pl.Series(codes * (1 + rng.random(len(codes))) / (1 + codes) + codes)


def flipped(share: float, codes: Ints, k: int, rng: Generator) -> pl.Series:
    """Labels, a share of which are of another class."""
    wrong = rng.random(len(codes)) < share
    return pl.Series([f"class {c}" for c in np.where(wrong, (codes + rng.integers(1, k, len(codes))) % k, codes)])


def noisy_number(scale: float, codes: Ints, k: int, rng: Generator) -> pl.Series:
    return pl.Series(codes + rng.normal(scale=scale, size=len(codes)))


def grouped(share: float, codes: Ints, k: int, rng: Generator) -> pl.Series | None:
    """Classes in fewer groups: this share of their number, two at least; not for two classes."""
    groups = max(2, round(share * k))
    return None if groups >= k else pl.Series([f"group {g}" for g in (rng.permutation(k) % groups)[codes]])


def blurred(share: float, codes: Ints, k: int, rng: Generator) -> pl.Series:
    """The class in a share of the rows; 'open' in all others."""
    labelled = rng.random(len(codes)) < share
    return pl.Series([f"class {c}" if t else "open" for c, t in zip(codes, labelled, strict=True)])


def filled_in(there: float, elsewhere: float, codes: Ints, k: int, rng: Generator) -> pl.Series:
    """A number that is there in these shares of one class and of all others, and says nothing beyond that.

    The class is the one nearest to a half of the rows: of a rare one, or one of many, a column can tell little.
    """
    sizes = np.bincount(codes, minlength=k)
    code = int(np.abs(sizes / len(codes) - 0.5).argmin())
    filled = rng.random(len(codes)) < np.where(codes == code, there, elsewhere)
    return pl.Series(np.where(filled, rng.lognormal(size=len(codes)), np.nan)).fill_nan(None)


COLUMNS = (
    LeakyColumn("target copy", "same labels", same_labels),
    LeakyColumn("target copy", "other labels, three a class", other_labels),
    LeakyColumn("target copy", "shuffled numbers", shuffled_numbers),
    LeakyColumn("target copy", "a range of numbers a class", number_apart),
    *(LeakyColumn("noisy copy", f"{share:.0%} flipped", partial(flipped, share)) for share in (0.1, 0.2, 0.3, 0.4)),
    *(LeakyColumn("noisy copy", f"number, noise {s:g}", partial(noisy_number, s)) for s in (0.5, 1.0, 2.0)),
    *(LeakyColumn("coarse copy", f"{share:.0%} of the classes", partial(grouped, share)) for share in (0.8, 0.5, 0.3)),
    *(LeakyColumn("coarse copy", f"known in {share:.0%}", partial(blurred, share)) for share in (0.75, 0.5, 0.2)),
    *(
        LeakyColumn("post-outcome missingness", f"there in {a:.0%}, else {b:.0%}", partial(filled_in, a, b))
        for a, b in ((1.0, 0.0), (0.9, 0.1), (0.6, 0.02), (0.4, 0.1), (0.3, 0.0))
    ),
)


def with_column(case: AuditContext, values: pl.Series) -> AuditContext:
    """The same rows with the leak as one more feature."""
    kind = "category" if values.dtype == pl.String else "number"
    schema = Schema((*case.table.schema.columns, Column(LEAK, kind)))
    table = Table(schema, case.table.frame.with_columns(values.alias(LEAK)), case.table.rows)
    return AuditContext(table, case.codes, case.classes, case.seed, case.raw)


@dataclass(frozen=True)
class Fault:
    """``make``: a case in which a share of the rows was treated wrongly, by 0 none, or what a run counted that did so.
    ``code``: the check that is to see it.

    ``way``: in which of several ways that was done.
    """

    kind: str
    code: str
    shares: tuple[float, ...]
    make: Callable[[AuditContext, float, Generator], AuditContext | RunCounts | None]
    way: str = ""


def parted(
    case: AuditContext, features: Table, part: Ints, groups: Ints | None = None, times: Ints | None = None
) -> AuditContext:
    """A case of the training rows; the split_view knows all of them."""
    train = np.flatnonzero(part == TRAIN)
    split_view = SplitView(features, part == TEST, groups, times)
    context = AuditContext(case.table.take(train), case.codes[train], case.classes, case.seed, case.table.frame[train])
    return replace(context, split_view=split_view)


def well_parted(case: AuditContext) -> AuditContext:
    """At random, copies of a row on one side."""
    return parted(case, features_of(case.table), part_by(case, case.table.copies))


def part_by(case: AuditContext, units: Ints) -> Ints:
    part = np.full(len(case), TRAIN)
    part[holdout(case.codes, TEST_SHARE, case.seed, units)[1]] = TEST
    return part


def features_of(table: Table) -> Table:
    target = table.schema.only("target")
    columns = tuple(column for column in table.schema.columns if column is not target)
    return Table(
        Schema(columns), table.frame.select(column.name for column in columns if column.name in table.frame), table.rows
    )


def copied_rows(case: AuditContext, share: float, rng: Generator) -> AuditContext:
    """A share of the test rows are training rows once more, under ids of their own."""
    part = part_by(case, case.table.copies)
    test, train = np.flatnonzero(part == TEST), np.flatnonzero(part == TRAIN)
    source = np.arange(len(case))
    copies = test[: int(np.ceil(share * len(test)))]
    source[copies] = rng.choice(train, len(copies))
    features = features_of(case.table)
    return parted(case, Table(features.schema, features.frame[source], features.rows), part)


def torn_groups(case: AuditContext, share: float, rng: Generator) -> AuditContext:
    """Groups of five rows, a share of which lie on both sides."""
    units = case.table.copies
    part = part_by(case, units)
    groups = np.empty(len(case), dtype=np.int64)
    for side in (TRAIN, TEST):
        rows = rng.permutation(np.flatnonzero(part == side))
        groups[rows] = side + 2 * (np.arange(len(rows)) // 5)
    test = rng.permutation(np.flatnonzero(part == TEST))
    sample = test[: int(np.ceil(share * len(test)))]
    groups[sample] = rng.choice(groups[part == TRAIN], len(sample))
    return parted(case, features_of(case.table), part, groups=groups)


def newer_rows(case: AuditContext, share: float, rng: Generator) -> AuditContext:
    """The newest rows are the test, but a share of the training rows are newer still."""
    units = case.table.copies
    part = part_by(case, units)
    train, test = np.flatnonzero(part == TRAIN), np.flatnonzero(part == TEST)
    times = np.empty(len(case), dtype=np.int64)
    times[rng.permutation(train)] = np.arange(len(train))
    times[rng.permutation(test)] = len(train) + np.arange(len(test))
    sample = rng.choice(train, int(np.ceil(share * len(train))), replace=False)
    times[sample] += len(case)
    return parted(case, features_of(case.table), part, times=times)


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return (values - np.nanmean(values)) / np.nanstd(values)


def to_unit_range(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return (values - np.nanmin(values)) / (np.nanmax(values) - np.nanmin(values))


def mean_filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nanmean(values))


def prepared_on_all(
    transform: Callable[[NDArray[np.float64]], NDArray[np.float64]], case: AuditContext, share: float, rng: Generator
) -> AuditContext | None:
    """A user's own step on the number columns, fitted on all rows, or by share 0 not at all."""
    part = part_by(case, case.table.copies)
    frame = case.table.frame
    names = [c.name for c in case.table.schema.features if c.kind == "number" and frame[c.name].n_unique() > 20]
    if transform is mean_filled:
        names = [name for name in names if frame[name].null_count() >= 5]
    if not names:
        return None
    if share:
        fitted = (pl.Series(name, transform(frame[name].to_numpy())).fill_nan(None) for name in names)
        frame = frame.with_columns(list(fitted))
    context = replace(case, table=Table(case.table.schema, frame, case.table.rows))
    return parted(context, features_of(context.table), part)


def encoded_on_all(case: AuditContext, share: float, rng: Generator) -> AuditContext | None:
    """Categories as the mean of the target over all rows, test rows among them; by share 0 not at all."""
    part = part_by(case, case.table.copies)
    frame, schema = case.table.frame, case.table.schema
    names = [
        c.name for c in schema.features if c.kind == "category" and 3 <= frame[c.name].n_unique() <= len(case) / 10
    ]
    if not names:
        return None
    if share:
        hit = pl.Series((case.codes == case.codes.max()).astype(np.float64))
        for name in names:
            level = same_rows(frame.select(name))
            mean = np.bincount(level, weights=hit.to_numpy()) / np.bincount(level)
            frame = frame.with_columns(pl.Series(name, mean[level]))
        schema = Schema(tuple(replace(c, kind="number") if c.name in names else c for c in schema.columns))
    context = replace(case, table=Table(schema, frame, case.table.rows))
    return parted(context, features_of(context.table), part)


def foreign_fit(case: AuditContext, share: float, rng: Generator) -> RunCounts:
    """A fit sees a share of the sealed rows, and the run's log of fits counts them."""
    from sortal.core import registry
    from sortal.training.candidate import Development, prepare_rows
    from sortal.training.fit_log import FitLog, FitRows

    rows = rng.permutation(len(case))[:400]
    sample, n_train = case.table.take(rows), 3 * len(rows) // 4
    dev = Development(sample, case.codes[rows], tuple(case.classes), case.seed)
    fit_rows = np.arange(n_train + int(np.ceil(share * (len(rows) - n_train))))
    matrix = prepare_rows(dev, fit_rows, registry.load("sortal.models", "logistic").view)
    log = FitLog.of([FitRows(matrix.rows)], sealed=sample.rows[n_train:])
    return RunCounts(log.fits, log.leaked_rows, opens=0)


FAULTS = (
    Fault("fit on sealed rows", "A001", (0.01, 1.0), foreign_fit),
    Fault("duplicates across parts", "A002", (0.01, 0.05, 0.5), copied_rows),
    Fault("group overlap", "A003", (0.01, 0.1, 1.0), torn_groups),
    Fault("time travel", "A004", (0.01, 0.1, 1.0), newer_rows),
    Fault(PREPARED, "A106", (1.0,), partial(prepared_on_all, standardised), "standardised"),
    Fault(PREPARED, "A106", (1.0,), partial(prepared_on_all, to_unit_range), "scaled to 0..1"),
    Fault(PREPARED, "A106", (1.0,), partial(prepared_on_all, mean_filled), "mean for missing"),
    Fault(PREPARED, "A106", (1.0,), encoded_on_all, "target encoded"),
)
