"""What the first rows tell of columns of fractions: most of what is asked of thousands of columns, in a moment."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import polars.selectors as cs

from sortal.core.arrays import Floats, Mask

ROWS = 100
"""Chosen, not measured: so many fractions nearly always hold one that is not whole, and they may be twice the fifty
values that A302 asks of a column."""


def at_a_glance(frame: pl.DataFrame, tells: Callable[[Floats], Mask]) -> list[str]:
    """The columns of fractions of which the first rows tell: (n, k) values, missing is NaN, to (k,) of the columns.

    All at once, since an expression of polars a column is slow for thousands of columns.

    >>> at_a_glance(pl.DataFrame({"a": [1.0, 2.5], "b": [1.0, 2.0]}), lambda values: (values % 1 > 0).any(axis=0))
    ['a']
    """
    numbers = frame.head(ROWS).select(cs.float())
    return [name for name, match in zip(numbers.columns, tells(numbers.to_numpy()), strict=True) if match]
