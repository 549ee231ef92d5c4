from __future__ import annotations

from collections import Counter
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from sortal.core.coded import take_rows
from sortal.core.profile import GRID, TOP, halves, profile
from sortal.core.schema import Column, Schema
from sortal.core.table import Table


def table(**columns):
    kinds = {pl.Float64: "number", pl.String: "category", pl.Boolean: "boolean"}
    frame = pl.DataFrame(columns)
    schema = Schema(tuple(Column(n, kinds.get(type(t), "datetime")) for n, t in frame.schema.items()))
    return Table(schema, frame, np.arange(frame.height))


def test_numbers_have_quantiles_of_what_is_known():
    values = [float(v) for v in range(101)]
    column = profile(table(x=[*values, None]))["x"]
    assert (column.rows, column.missing, column.n_values, column.distinct) == (102, 1, 101, 101)
    assert column.quantiles == pytest.approx(np.quantile(values, GRID))
    assert column.reached == tuple(range(1, 102, 5))


def test_categories_have_the_rows_of_their_levels_most_frequent_first():
    column = profile(table(c=["b", "a", "b", None]))["c"]
    assert (column.levels, column.counts, column.missing) == (("b", "a"), (2, 1), 1)
    assert (column.distinct, column.barely, column.others) == (2, 1, 0)


def test_rare_levels_beyond_the_named_ones_are_counted():
    often = [f"often {i}" for i in range(TOP)]
    column = profile(table(c=[*often, *often, "x", "x", "y"]))["c"]
    assert (len(column.levels), column.distinct) == (TOP, TOP + 2)
    assert (column.barely, column.others) == (1, 3 - column.counts[-1] + 2)


def test_booleans_and_dates_are_numbers_here():
    profiles = profile(table(b=[True, False], d=[datetime(1970, 1, 1), datetime(1970, 1, 2)]))
    assert (profiles["b"].quantiles[0], profiles["b"].quantiles[-1]) == (0, 1)
    assert (profiles["d"].quantiles[0], profiles["d"].quantiles[-1]) == (0, 86_400)


def test_a_column_without_values_has_an_empty_profile():
    column = profile(table(x=pl.Series([None, None], dtype=pl.Float64)))["x"]
    assert (column.rows, column.missing, column.n_values, column.quantiles) == (2, 2, 0, ())


def test_dates_may_go_on_as_far_as_they_went():
    column = profile(table(d=[datetime(1970, 1, 1), datetime(1970, 1, 3)]))["d"]
    assert column.limits == (-2 * 86_400, 4 * 86_400)
    assert column.format_value(86_400 / 2) == "1970-01-01 12:00:00"


@pytest.mark.parametrize("least", [1, 5])
def test_columns_have_the_same_profile_together_and_alone(least, monkeypatch):
    rng = np.random.default_rng(0)
    values = {f"x{i}": rng.normal(size=60) for i in range(8)}
    for i, column in enumerate(values.values()):
        column[: 10 * min(i, 6)] = np.nan
    values["of few"] = np.repeat([1.0, 2.0, 3.0], 20)
    many = table(**{name: pl.Series(column, nan_to_null=True) for name, column in values.items()}, b=[True, None] * 30)
    profiles = profile(many, least)
    monkeypatch.setattr("sortal.core.profile.TOGETHER", 1)
    assert profile(many, least) == profiles
    assert list(profiles) == [*values, "b"]
    x = profiles["x3"]
    sorted_values = np.sort(values["x3"][30:])
    assert (x.missing, x.distinct) == (30, 30)
    assert x.reached == tuple(np.searchsorted(sorted_values, x.quantiles, side="right").tolist())
    assert x.beyond == int(((sorted_values < x.ends[0]) | (sorted_values > x.ends[1])).sum())
    assert profiles["of few"].ends == (1.0, 3.0)
    assert (profiles["x7"].missing, profiles["x6"].missing) == (60, 60)


def test_words_are_usual_by_half_of_the_texts_and_unusual_in_the_others():
    """All words are there once: in texts that make them usual none is unusual, in others all are."""
    texts = [f"word{2 * at} word{2 * at + 1}" for at in range(400)]
    schema = Schema((Column("t", "text"),))
    column = profile(Table(schema, pl.DataFrame({"t": texts}), np.arange(400)))["t"]
    [unusual] = [part for part in column.measures if part.measure == "share of unusual words"]
    assert (unusual.rows, unusual.ends) == (200, (1.0, 1.0))
    first, second = halves(400)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(400))
    assert {part.rows for part in column.measures if part is not unusual} == {400}
    assert set(column.levels) == {word for text in take_rows(texts, first) for word in text.split()}


def test_levels_are_chosen_by_one_half_and_counted_in_the_other():
    values = ["b", "a", "b", None, "c", "a", None, "b", "d", "a", "b"]
    first, second = (Counter(values[at] for at in half.tolist()) for half in halves(len(values)))
    assert (first.total(), second.total()) == (6, 5)
    for least in (1, 2):
        column = profile(table(c=values), least)["c"]
        levels = sorted((level for level in first if level and first[level] >= least), key=lambda x: (-first[x], x))
        assert column.half_levels == tuple(levels)
        assert column.half_counts == tuple(second[level] for level in levels)
        assert column.half_missing == second[None]


def test_halves_are_none_of_pairs():
    """Every second row is of another kind: both halves have about as many of either."""
    for half in halves(2_000):
        assert (half % 2).mean() == pytest.approx(0.5, abs=0.05)
