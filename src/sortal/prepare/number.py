"""Numbers and booleans: the value itself. Imputing and scaling happen once for the whole table, in ``table``."""

from __future__ import annotations

import polars as pl

from sortal.core.schema import Column
from sortal.engine.program import Program
from sortal.prepare.view import EncodedColumn, Labels, View


class NumberPreparer:
    """A number as it is; a boolean as 0 or 1."""

    def fit(self, column: Column, values: pl.Series, labels: Labels, view: View, seed: int) -> EncodedColumn:
        return EncodedColumn(
            program=Program("number", {"column": column.name}),
            names=(column.name,),
            numeric=True,
            categorical=(False,),
        )


preparer = NumberPreparer()
