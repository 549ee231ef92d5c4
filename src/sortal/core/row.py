"""One row: its canonical values by name, numbers with NaN and texts or bytes with None where a value is missing.

A single row takes less time as values of Python than as arrays of one number; what it gets is the same, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]


def row_of(columns: Mapping[str, Any], names: Iterable[str], at: int = 0) -> Row:
    """The row at a place of some columns, of those that are there.

    >>> row_of({"age": np.array([1.0, 2.0]), "city": ["Ulm", None]}, ["age", "city"], 1)
    {'age': 2.0, 'city': None}
    """
    there = [(name, columns[name]) for name in names if name in columns]
    return {name: values.item(at) if type(values) is np.ndarray else values[at] for name, values in there}


def columns_of(row: Row) -> dict[str, np.ndarray[Any, np.dtype[np.float64]] | Sequence[Any]]:
    """The columns of a table that has this row alone.

    >>> columns_of({"age": 2.0, "city": None})
    {'age': array([2.]), 'city': [None]}
    """
    return {name: np.array([value]) if type(value) is float else [value] for name, value in row.items()}
