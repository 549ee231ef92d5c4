"""The slices of rows that were scored, from the rows as they were read."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from sortal.core.arrays import Codes
from sortal.core.disclosure import Disclosure
from sortal.core.predictions import Predictions
from sortal.core.schema import Schema
from sortal.core.slicing import table_of
from sortal.core.task import Task
from sortal.evaluate.slices import Slices, by_slice, some_rows


def describe_slices(
    task: Task,
    predictions: Predictions,
    decided: Codes,
    raw: pl.DataFrame,
    by: Schema,
    requested: Sequence[str],
    disclosure: Disclosure,
    seed: int,
) -> Slices | None:
    """The slices of ``predictions``, decided so (n,), by columns of the same rows, ``raw``. ``requested``: those that
    are shown whatever the test says. None where there is no column to slice by.
    """
    if not by.columns:
        return None
    index = some_rows(len(predictions), len(by.columns), seed)
    sample = predictions.take(index)
    return by_slice(task, sample, decided[index], table_of(raw[index], by, sample.rows), requested, disclosure)
