"""Rows of a table in canonical types, and what ties them: groups, copies, times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.coded import Coded
from sortal.core.coincidence import Coincidence, coincidence, records
from sortal.core.costs import CostColumn, row_costs_of
from sortal.core.relations import by_appearance, by_size, ranks, same_rows
from sortal.core.schema import Schema

FEW_ROWS, FEW_COLUMNS = 5_000, 50
"""Up to so many rows, more columns of numbers are copied together sooner than they are handed over one by one."""
MANY_ROWS = 1_000
"""From so many rows on, texts are handed over as codes of their levels; fewer are quicker as they are."""


@dataclass(frozen=True)
class Table:
    """Rows in canonical types.

    ``schema`` describes the columns, ``frame`` holds them (in the types of ``core.series``) and
    ``rows`` (n,) are the ids of the rows in the source they came from.
    """

    schema: Schema
    frame: pl.DataFrame
    rows: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.rows.shape != (self.frame.height,):
            raise ValueError(f"{self.frame.height} rows, but row ids of shape {self.rows.shape}")

    def __len__(self) -> int:
        return self.frame.height

    def __getitem__(self, name: str) -> pl.Series:
        """(n,) the values of a column, without a name: polars takes one such as ``^p.*$`` for a pattern."""
        return self.frame[name].alias("")

    def take(self, index: NDArray[np.integer[Any]]) -> Table:
        """The rows at these positions (n',), in this order."""
        part = Table(self.schema, self.frame[index], self.rows[index])
        # What ties all rows ties some of them; it is not computed again.
        for name, numbering in _TIES.items():
            if (ids := self.__dict__.get(name)) is not None:
                part.__dict__[name] = numbering(ids[index])
        if (value := self.__dict__.get("coincidence")) is not None:
            part.__dict__["coincidence"] = value
        return part

    def features(self) -> Table:
        """The features alone, for whoever may not see the classes."""
        schema = Schema(self.schema.features)
        features = Table(schema, self.frame[list(schema.names)], self.rows)
        for name in ("copies", "coincidence", "records"):
            features.__dict__[name] = getattr(self, name)
        return features

    def columns(self, names: Sequence[str]) -> dict[str, NDArray[np.float64] | Sequence[Any]]:
        """Plain columns for the engine.

        Numbers, booleans (0/1) and moments (seconds since 1970, UTC) as (n,) float64, missing is NaN;
        texts as a sequence of str and images as one of bytes, missing is None.
        """
        at: dict[str, NDArray[np.float64]] = {}
        if len(names) > FEW_COLUMNS and len(self) <= FEW_ROWS:
            dtypes = self.frame.schema
            numbers = [name for name in names if isinstance(dtypes[name], pl.Float64)]
            if numbers:
                at = dict(zip(numbers, self.frame[numbers].to_numpy(order="fortran").T, strict=True))
        return {name: at[name] if name in at else _plain_column(self[name]) for name in names}

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """(n,) how much each row counts in a fit; None where all count the same."""
        column = self.schema.only("weight")
        return None if column is None else self.frame[column.name].to_numpy().astype(np.float64, copy=False)

    @cached_property
    def groups(self) -> NDArray[np.int64] | None:
        """(n,) ids of rows that vary together, from the column that names them; None where no column does."""
        column = self.schema.only("group")
        return None if column is None else same_rows(self.frame[[column.name]])

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """(n,) ids that rows share exactly when all their features agree."""
        names = [column.name for column in self.schema.features]
        return same_rows(self.frame[names]) if names else np.arange(len(self))

    @cached_property
    def coincidence(self) -> Coincidence:
        """How many rows have a copy, and would by chance; of all rows, where these are some of them."""
        return coincidence(self.frame[[column.name for column in self.schema.features]], self.copies)

    @cached_property
    def records(self) -> NDArray[np.int64]:
        """(n,) ids that rows share when they are one record, entered more than once; copies by chance share none."""
        return records(self.copies, self.coincidence.explains)

    @cached_property
    def times(self) -> NDArray[np.int64] | None:
        """(n,) ranks of the rows in time, equal for equal times; None where no column tells the time.

        Raises DataError where the column cannot order the rows.
        """
        column = self.schema.only("time")
        return None if column is None else ranks(self[column.name], column.name, self.rows)

    def row_costs(self, columns: Sequence[CostColumn], source: str = "the data") -> NDArray[np.float64] | None:
        """(n, m) what cost columns hold; None where there are none. Raises DataError for a row that has no value."""
        return row_costs_of(self.columns([cell.column for cell in columns]), columns, self.rows, source)


_TIES = {"groups": by_appearance, "copies": by_appearance, "records": by_appearance, "times": by_size}
"""What ties rows, and how it is numbered."""


def _plain_column(series: pl.Series) -> NDArray[np.float64] | Sequence[Any]:
    if isinstance(series.dtype, pl.String):
        return _coded(series) if len(series) >= MANY_ROWS else series.to_list()
    if isinstance(series.dtype, pl.Binary):
        values: Any = series  # a sequence whose bytes are copied when they are asked for
        return values  # type: ignore[no-any-return]
    if isinstance(series.dtype, pl.Datetime):
        # Divided by numpy: polars multiplies by the reciprocal, but not in a column of one row.
        return series.dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    return series.cast(pl.Float64).to_numpy().astype(np.float64, copy=False)


def _coded(series: pl.Series) -> Sequence[str | None]:
    """As codes, unless most texts differ."""
    levels = series.drop_nulls().unique(maintain_order=True)
    if len(levels) > len(series) / 2:
        return series.to_list()
    codes = series.cast(pl.Enum(levels)).to_physical().fill_null(len(levels))
    return Coded((*levels.to_list(), None), codes.to_numpy())
