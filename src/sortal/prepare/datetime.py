"""Dates and times: the parts that vary in the training rows, and the time itself as one number."""

from __future__ import annotations

import polars as pl

from sortal.core.schema import Column
from sortal.engine.program import Program
from sortal.prepare.view import EncodedColumn, Labels, View


class DatetimePreparer:
    """Calendar parts, as scikit-learn's and skrub's users expect them; a part that never changes is left out."""

    def fit(self, column: Column, values: pl.Series, labels: Labels, view: View, seed: int) -> EncodedColumn:
        dt = values.drop_nulls().dt
        varying = {
            "year": dt.year(),
            "month": dt.month(),
            "day": dt.day(),
            "weekday": dt.weekday(),
            "hour": dt.hour(),
            "minute": dt.minute(),
        }
        parts = [*(part for part, series in varying.items() if series.n_unique() > 1), "total_seconds"]
        return EncodedColumn(
            program=Program("datetime", {"column": column.name, "parts": parts}),
            names=tuple(f"{column.name} {part.replace('_', ' ')}" for part in parts),
            numeric=True,
            categorical=(False,) * len(parts),
        )


preparer = DatetimePreparer()
