"""Tables go back to a person as the tables that came in."""

from __future__ import annotations

from typing import Any

import polars as pl
from narwhals.dependencies import is_pandas_dataframe


def is_pandas(data: object) -> bool:
    """Whether the data came in as a table of pandas."""
    return bool(is_pandas_dataframe(data))


def to_native(frame: pl.DataFrame, pandas: bool) -> Any:
    """A result as a table of ``pandas``, or of polars as it is.

    >>> to_native(pl.DataFrame({"name": ["svm"]}), pandas=True).columns.tolist()
    ['name']
    """
    if not pandas:
        return frame
    import pandas as pd

    # Column by column: polars would need pyarrow for it, which a person with pandas may not have.
    return pd.DataFrame({column.name: column.to_list() for column in frame.iter_columns()})
