"""A204: rows that differ from another row by next to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity, too_few
from sortal.checks.measures.content import Pairs, near_images, near_texts
from sortal.checks.measures.nearest import near_copies, points, sizes
from sortal.checks.measures.power import is_weighable
from sortal.core.kinds import Storage, kind_of
from sortal.core.relations import same_rows
from sortal.core.schema import Schema
from sortal.core.table import Table
from sortal.core.writing import percent

LEAST_ROWS = 100
"""Chosen, not measured: ten times the neighbours that a row is compared with."""
_NOTED = 0.01
"""Share of rows. Chosen, not measured: fewer move no score."""
_MANY = 0.05
"""Share of rows for a warning. As for exact copies (A201)."""
_BEYOND = 3
"""Times as many as by chance: telco has 577 near rows, and 612 by chance (decision 0017). Chosen, not measured."""
_LEAST = 5
"""Rows. Chosen, not measured: a handful, also where none is to be expected."""
_SHOWN = 20
"""Pairs in the evidence: enough to look at."""


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """Near-copies by numbers and categories, by words, and by what images look like.

    A note from 1 % of the rows on; a warning from 5 %, and wherever the two lie in different parts. Exact copies are
    A201's. Where there are parts, all rows are looked at, the sealed ones among them.
    """
    table = context.table if context.split_view is None else context.split_view.features
    if len(table) < LEAST_ROWS:
        return too_few(f"{LEAST_ROWS} rows")
    findings = [_finding(context, None, "rows", _near_rows(_narrow(table, context.shortlist), context.seed))]
    for name, values in _contents(context, table, "text"):
        findings.append(_finding(context, name, f"texts of {name}", near_texts(values, context.seed)))
    for name, values in _contents(context, table, "bytes"):
        findings.append(_finding(context, name, f"images of {name}", near_images(values, context.seed)))
    return [finding for finding in findings if finding is not None]


def _near_rows(table: Table, seed: int) -> Pairs:
    """Among rows that differ; at least three columns, since rows of two are near each other by nature."""
    features = [column for column in table.schema.features if is_weighable(column)]
    nothing = Pairs(np.empty((0, 2), dtype=np.int64), 0, 0, 0)
    if len(features) < 3:
        return nothing
    same = same_rows(table.frame[[column.name for column in features]])
    distinct = np.unique(same, return_index=True)[1]
    if len(distinct) < LEAST_ROWS:
        return nothing
    n_queries, compared = sizes(len(distinct), len(features))
    sample = np.random.default_rng(seed).permutation(distinct)[:compared]
    near = near_copies(points(table, sample), n_queries, seed)
    return Pairs(np.column_stack([sample[near.row], sample[near.partner]]), n_queries, compared, near.expected)


def _narrow(table: Table, names: list[str]) -> Table:
    columns = set(names)
    return Table(Schema(tuple(c for c in table.schema.features if c.name in columns)), table.frame, table.rows)


def _contents(context: AuditContext, table: Table, storage: Storage) -> Iterator[tuple[str, pl.Series]]:
    """Columns of free texts, or of images, also those that no model uses (of the case's own rows then)."""
    for column in context.table.schema.columns:
        kind = kind_of(column.kind)
        if kind.storage == storage and not kind.categorical and column.role in ("feature", "ignore"):
            if column.name in table.frame.columns:
                yield column.name, table[column.name]
            elif column.name in context.raw.columns:
                yield column.name, context.raw[column.name].alias("")


def _finding(context: AuditContext, column: str | None, what: str, pairs: Pairs) -> Finding | None:
    rows = len(np.unique(pairs.pairs[:, 0]))
    if rows < max(_LEAST, _NOTED * pairs.n_queries) or rows <= _BEYOND * pairs.expected + _LEAST:
        return None
    share = rows / pairs.n_queries
    table, across = context.table, 0
    if context.split_view is not None and (column is None or column in context.split_view.features.frame.columns):
        table = context.split_view.features
        across = int((np.diff(context.split_view.held_out[pairs.pairs].astype(np.int64), axis=1) != 0).sum())
    evidence: dict[str, Evidence] = {
        "share": share,
        "rows": rows,
        "rows_asked": pairs.n_queries,
        "rows_compared": pairs.compared,
        "by_chance": pairs.expected,
        "source_rows": (table.rows[pairs.pairs[:_SHOWN, 0]] + 1).tolist(),
        "source_partners": (table.rows[pairs.pairs[:_SHOWN, 1]] + 1).tolist(),
    }
    first, second = (int(row) + 1 for row in table.rows[pairs.pairs[0]])
    message = (
        f"{percent(share)} of the {what} differ from another one by next to nothing "
        f"(such as rows {first:,} and {second:,})"
    )
    if context.split_view is not None:
        evidence["across_parts"] = across
        message += f"; {across:,} of {len(pairs.pairs):,} such pairs lie in different parts" if across else ""
    message += ": the same case twice makes scores too good"
    severity: Severity = "warning" if share >= _MANY or across else "note"
    fix = "find out whether these are the same cases; drop the repeats, or keep them together with --group"
    return Finding(check.code, severity, column, message, evidence, fix)


check = Check("A204", "rows that differ by next to nothing", find)
