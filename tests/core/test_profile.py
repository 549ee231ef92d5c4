from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from sortal.core.frame import Table
from sortal.core.profile import GRID, profile
from sortal.core.schema import Column, Schema


def table(**columns):
    kinds = {pl.Float64: "number", pl.String: "category", pl.Boolean: "boolean"}
    frame = pl.DataFrame(columns)
    schema = Schema(tuple(Column(n, kinds.get(type(t), "datetime")) for n, t in frame.schema.items()))
    return Table(schema, frame, np.arange(frame.height))


def test_numbers_have_quantiles_of_what_is_known():
    values = [float(v) for v in range(101)]
    found = profile(table(x=[*values, None]))["x"]
    assert found.missing == pytest.approx(1 / 102)
    assert found.quantiles == pytest.approx(np.quantile(values, GRID))


def test_categories_have_the_shares_of_their_levels_most_frequent_first():
    found = profile(table(c=["b", "a", "b", None]))["c"]
    assert (found.levels, found.shares, found.missing) == (("b", "a"), (0.5, 0.25), 0.25)


def test_booleans_and_dates_are_numbers_here():
    found = profile(table(b=[True, False], d=[datetime(1970, 1, 1), datetime(1970, 1, 2)]))
    assert (found["b"].quantiles[0], found["b"].quantiles[-1]) == (0, 1)
    assert (found["d"].quantiles[0], found["d"].quantiles[-1]) == (0, 86_400)


def test_a_column_without_values_has_an_empty_profile():
    found = profile(table(x=pl.Series([None, None], dtype=pl.Float64)))["x"]
    assert (found.missing, found.quantiles) == (1.0, ())
