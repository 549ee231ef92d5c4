from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from skrub import DatetimeEncoder

from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.engine import compile as compile_program
from sortal.prepare.datetime import preparer
from sortal.prepare.view import EncodedColumn, Labels, View

LAWS = settings(max_examples=50)
MOMENTS = st.lists(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)) | st.none(), min_size=2, max_size=30)


def fit(values: pl.Series) -> EncodedColumn:
    labels = Labels(np.arange(len(values)) % 2, 2)
    return preparer.fit(Column("when", "datetime"), values, labels, View("raw", "codes"), seed=0)


def run(prepared: EncodedColumn, values: pl.Series) -> pl.DataFrame:
    table = Table(Schema((Column("when", "datetime"),)), values.to_frame(), np.arange(len(values)))
    matrix = compile_program(prepared.program)(table.columns(["when"]))
    return pl.DataFrame(matrix, schema=[name.removeprefix("when ") for name in prepared.names])


@LAWS
@given(MOMENTS)
def test_parts_are_those_of_skrub(moments: list[dt.datetime | None]) -> None:
    values = pl.Series("when", moments, dtype=pl.Datetime("us"))
    ours = run(fit(values), values)
    encoder = DatetimeEncoder(resolution="minute", add_weekday=True, add_total_seconds=True)
    theirs = encoder.fit_transform(values).rename(lambda name: name.removeprefix("when_").replace("_", " "))
    for name in ours.columns:
        # skrub counts weekdays from 1, and its numbers are float32.
        expected = theirs[name].cast(pl.Float64).to_numpy() - (name == "weekday")
        np.testing.assert_allclose(ours[name].to_numpy(), expected, rtol=1e-6, atol=1e-3)


@LAWS
@given(MOMENTS)
def test_a_part_that_never_changes_in_training_is_left_out(moments: list[dt.datetime | None]) -> None:
    values = pl.Series("when", moments, dtype=pl.Datetime("us"))
    ours = run(fit(values), values).fill_nan(None)
    assert "total seconds" in ours.columns
    for name in ours.columns[:-1]:
        assert ours[name].drop_nulls().n_unique() > 1
    for name in {"year", "month", "day", "hour", "minute"} - set(ours.columns):
        assert getattr(values.drop_nulls().dt, name)().n_unique() <= 1


def test_the_time_itself_keeps_its_fraction() -> None:
    values = pl.Series("when", [dt.datetime(1969, 12, 31, 23, 59, 59, 500_000), dt.datetime(1970, 1, 2)])
    assert run(fit(values), values)["total seconds"].to_list() == [-0.5, 86400.0]
