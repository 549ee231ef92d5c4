"""What the development rows looked like, column by column: the reference that served rows are compared with later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortal.core.frame import Table
from sortal.core.schema import Kind

GRID = tuple(np.linspace(0, 1, 21).round(2).tolist())
TOP = 50


@dataclass(frozen=True)
class ColumnProfile:
    """One feature. ``missing``: share of rows. Numbers, booleans and datetimes (seconds since 1970) have their ``quantiles`` at
    0, .05, ..., 1; categories have their most frequent ``levels`` with the ``shares`` of all rows.
    """

    name: str
    kind: Kind
    missing: float
    quantiles: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()


def profile(table: Table) -> dict[str, ColumnProfile]:
    """A profile of every feature, by name."""
    return {column.name: _column(table, column.name, column.kind) for column in table.schema.features}


def _column(table: Table, name: str, kind: Kind) -> ColumnProfile:
    series = table[name]
    missing = series.null_count() / max(len(series), 1)
    if kind == "category":
        counts = series.drop_nulls().alias("level").value_counts(name="rows")
        top = counts.sort(["rows", "level"], descending=[True, False]).head(TOP)
        shares = (top["rows"] / max(len(series), 1)).to_list()
        return ColumnProfile(name, kind, missing, levels=tuple(top["level"].to_list()), shares=tuple(shares))
    values = np.asarray(table.columns([name])[name], dtype=np.float64)
    known = values[~np.isnan(values)]
    quantiles = np.quantile(known, GRID).tolist() if len(known) else []
    return ColumnProfile(name, kind, missing, quantiles=tuple(quantiles))
