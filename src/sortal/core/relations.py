"""What ties rows to one another: they agree in some columns, or come in an order of time."""

from __future__ import annotations

import numpy as np
import polars as pl

from sortal.core.arrays import Ints
from sortal.core.errors import DataError


def same_rows(frame: pl.DataFrame) -> Ints:
    """(n,) ids 0, 1, ... in order of first appearance, shared by the rows that agree in every column.

    Missing agrees with missing, and -0 with 0. Rows are found by hash and then compared value by value.

    >>> same_rows(pl.DataFrame({"a": [1.5, 2.0, 1.5], "b": ["x", None, "x"]})).tolist()
    [0, 1, 0]
    """
    first = np.arange(frame.height)
    if frame.width == 0:
        return np.zeros(frame.height, dtype=np.int64)
    repeated = frame.hash_rows().is_duplicated()
    if not repeated.any():
        return first
    # Polars takes names such as "*" for patterns, so columns are called by their number here.
    numbered = pl.DataFrame([column.alias(f"{i}") for i, column in enumerate(frame.iter_columns())])
    duplicates = numbered.with_row_index("row").filter(repeated)
    first[duplicates["row"].to_numpy()] = (
        duplicates.select(pl.col("row").first().over(numbered.columns)).to_series().to_numpy()
    )
    return np.unique(first, return_inverse=True)[1].astype(np.int64)


def ranks(moments: pl.Series, name: str, rows: Ints) -> Ints:
    """(n,) ranks 0, 1, ... of the values of a time column, equal for equal times.

    Raises DataError for a column (by its name) that is neither a date nor a number, and for rows (by their ids) without
    a time.

    >>> ranks(pl.Series([2021, 1999, 2021]), "year", np.arange(3)).tolist()
    [1, 0, 1]
    """
    if not (moments.dtype.is_numeric() or moments.dtype.is_temporal()):
        raise DataError(f"column {name!r} holds neither dates nor numbers and cannot order rows in time")
    if missing := moments.null_count():
        first = int(rows[int(moments.is_null().arg_true()[0])])
        what = "row" if missing == 1 else "rows"
        raise DataError(
            f"column {name!r} has no time in {missing:,} {what} (first: row {first + 1:,}); fill them or leave the "
            "rows out"
        )
    return (moments.rank("dense").to_numpy() - 1).astype(np.int64)


def by_size(ids: Ints) -> Ints:
    """(n,) ids 0, 1, ... in the order of the given ones, which may leave some out.

    >>> by_size(np.array([5, 2, 5, 9])).tolist()
    [1, 0, 1, 2]
    """
    return np.unique(ids, return_inverse=True)[1].astype(np.int64)


def by_appearance(ids: Ints) -> Ints:
    """(n,) ids 0, 1, ... in order of first appearance, as ``same_rows`` gives them; the given ones may leave some out.

    >>> by_appearance(np.array([5, 2, 5, 9])).tolist()
    [0, 1, 0, 2]
    """
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[inverse]
