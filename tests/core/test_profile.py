from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from sortal.core.profile import GRID, TOP, profile
from sortal.core.schema import Column, Schema
from sortal.core.table import Table


def table(**columns):
    kinds = {pl.Float64: "number", pl.String: "category", pl.Boolean: "boolean"}
    frame = pl.DataFrame(columns)
    schema = Schema(tuple(Column(n, kinds.get(type(t), "datetime")) for n, t in frame.schema.items()))
    return Table(schema, frame, np.arange(frame.height))


def test_numbers_have_quantiles_of_what_is_known():
    values = [float(v) for v in range(101)]
    found = profile(table(x=[*values, None]))["x"]
    assert (found.rows, found.missing, found.n_values, found.distinct) == (102, 1, 101, 101)
    assert found.quantiles == pytest.approx(np.quantile(values, GRID))
    assert found.reached == tuple(range(1, 102, 5))


def test_categories_have_the_rows_of_their_levels_most_frequent_first():
    found = profile(table(c=["b", "a", "b", None]))["c"]
    assert (found.levels, found.counts, found.missing) == (("b", "a"), (2, 1), 1)
    assert (found.distinct, found.barely, found.others) == (2, 1, 0)


def test_rare_levels_beyond_the_named_ones_are_counted():
    often = [f"often {i}" for i in range(TOP)]
    found = profile(table(c=[*often, *often, "x", "x", "y"]))["c"]
    assert (len(found.levels), found.distinct) == (TOP, TOP + 2)
    assert (found.barely, found.others) == (1, 3 - found.counts[-1] + 2)


def test_booleans_and_dates_are_numbers_here():
    found = profile(table(b=[True, False], d=[datetime(1970, 1, 1), datetime(1970, 1, 2)]))
    assert (found["b"].quantiles[0], found["b"].quantiles[-1]) == (0, 1)
    assert (found["d"].quantiles[0], found["d"].quantiles[-1]) == (0, 86_400)


def test_a_column_without_values_has_an_empty_profile():
    found = profile(table(x=pl.Series([None, None], dtype=pl.Float64)))["x"]
    assert (found.rows, found.missing, found.n_values, found.quantiles) == (2, 2, 0, ())


def test_dates_may_go_on_as_far_as_they_went():
    found = profile(table(d=[datetime(1970, 1, 1), datetime(1970, 1, 3)]))["d"]
    assert found.limits == (-2 * 86_400, 4 * 86_400)
    assert found.format_value(86_400 / 2) == "1970-01-01 12:00:00"


@pytest.mark.parametrize("least", [1, 5])
def test_columns_have_the_same_profile_together_and_alone(least, monkeypatch):
    rng = np.random.default_rng(0)
    values = {f"x{i}": rng.normal(size=60) for i in range(8)}
    for i, column in enumerate(values.values()):
        column[: 10 * min(i, 6)] = np.nan
    values["of few"] = np.repeat([1.0, 2.0, 3.0], 20)
    many = table(**{name: pl.Series(column, nan_to_null=True) for name, column in values.items()}, b=[True, None] * 30)
    together = profile(many, least)
    monkeypatch.setattr("sortal.core.profile.TOGETHER", 1)
    assert profile(many, least) == together
    assert list(together) == [*values, "b"]
    x = together["x3"]
    known = np.sort(values["x3"][30:])
    assert (x.missing, x.distinct) == (30, 30)
    assert x.reached == tuple(np.searchsorted(known, x.quantiles, side="right").tolist())
    assert x.beyond == int(((known < x.ends[0]) | (known > x.ends[1])).sum())
    assert together["of few"].ends == (1.0, 3.0)
    assert (together["x7"].missing, together["x6"].missing) == (60, 60)
