"""How columns are cut into slices: exact small columns of every kind."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.core.disclosure import OPEN, Disclosure
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.evaluate.cuts import Cut, cut

KINDS = {pl.String: "category", pl.Float64: "number", pl.Boolean: "boolean", pl.Datetime: "datetime"}


def of(values: Any, disclosure: Disclosure = OPEN, requested: bool = False) -> Cut:
    series = pl.Series("x", values)
    series = series.cast(pl.Float64) if series.dtype.is_numeric() else series
    kind = next(kind for dtype, kind in KINDS.items() if isinstance(series.dtype, dtype))
    return cut(
        Table(Schema((Column("x", kind),)), series.to_frame(), np.arange(len(series))), "x", disclosure, requested
    )


def sizes(parts: Cut) -> dict[str, int]:
    assert parts.codes.max() == len(parts.conditions) - 1
    return dict(zip(parts.conditions, np.bincount(parts.codes).tolist(), strict=True))


def test_frequent_levels_the_others_and_what_is_missing():
    parts = of(["b", "c", None, "b", "a", "c", "b"], Disclosure(2))
    assert parts.conditions == ("= b", "= c", "others", "missing")
    assert parts.codes.tolist() == [0, 1, 3, 0, 2, 1, 0]


@pytest.mark.parametrize("rows", [40, 2000])
def test_eight_levels_or_thirty_where_somebody_asked(rows):
    """Few texts come as they are, many as codes."""
    texts = [f"{i:02}" for i in range(20) for _ in range(rows - i)]
    usual, requested = sizes(of(texts)), sizes(of(texts, requested=True))
    assert list(usual) == [*(f"= {i:02}" for i in range(8)), "others"]
    assert list(requested) == [f"= {i:02}" for i in range(20)]
    assert (usual["= 07"], usual["others"]) == (rows - 7, sum(rows - i for i in range(8, 20)))


def test_yes_and_no():
    assert sizes(of([True, False, None, True], Disclosure(5))) == {"= false": 1, "= true": 2, "missing": 1}


def test_numbers_that_come_again_are_levels():
    assert sizes(of([2, 1, 1, 0, None, 2, 2])) == {"= 2": 3, "= 1": 2, "= 0": 1, "missing": 1}


def test_ranges_hold_their_low_end_and_not_their_high_one():
    parts = of([*range(100), None])
    assert sizes(parts) == {"< 20": 20, "20 to < 40": 20, "40 to < 59": 19, "59 to < 79": 20, ">= 79": 21, "missing": 1}
    assert parts.codes[[19, 20, 58, 59, 100]].tolist() == [0, 1, 2, 3, 5]


@pytest.mark.parametrize(
    ("scale", "ends"),
    [(1.0, (" 20 ", " 40 ")), (0.01, ("0.2 ", "0.4 ")), (1000.0, ("20,000 ", "40,000 ")), (-1.0, ("-20", "-40"))],
)
def test_ends_of_ranges_are_round(scale, ends):
    rng = np.random.default_rng(0)
    conditions = " ".join(of(scale * (np.arange(1000) + rng.random(1000)) / 10).conditions) + " "
    assert all(end in conditions for end in ends)


def test_an_end_of_whole_numbers_is_one():
    hours = np.repeat([30, 38, 39, 40, 41, 45, 48, 50, 60, 61], [9, 2, 2, 30, 3, 11, 7, 9, 3, 2])
    assert not any("." in condition for condition in of(hours, Disclosure(5)).conditions)


def test_a_value_that_most_rows_share_is_a_range_of_its_own():
    gains = np.concatenate([np.zeros(900), np.arange(1000, 1100)])
    assert sizes(of(gains)) == {"< 1,000": 900, "1,000 to < 1,025": 25, "1,025 to < 1,050": 25, "1,050 to < 1,074": 24,
                                ">= 1,074": 26}  # fmt: skip
    assert sizes(of(gains.max() - gains)) == {"< 1,099": 100, ">= 1,099": 900}


def test_no_range_ends_where_the_values_begin():
    """The first fifth ends at .018, which is 0 in round figures."""
    parts = of([0.0] * 19 + [0.01 * i for i in range(1, 11)] + [float(i) for i in range(1, 72)])
    assert parts.conditions[0] == "< 12"
    assert sizes(parts)["< 12"] == 40


@pytest.mark.parametrize(
    ("step", "condition"),
    [
        (dt.timedelta(days=100), "2025-01-01 to < 2030-01-01"),
        (dt.timedelta(days=10), "2020-07-01 to < 2021-01-01"),
        (dt.timedelta(days=1), "2020-01-20 to < 2020-02-09"),
        (dt.timedelta(hours=1), "2020-01-01 20:00:00 to < 2020-01-02 16:00:00"),
    ],
)
def test_periods_begin_with_a_year_a_month_a_day_or_an_hour(step, condition):
    parts = of([dt.datetime(2020, 1, 1, 0, 30) + i * step for i in range(100)])
    assert condition in parts.conditions
    assert len(parts.conditions) == 5
    assert 18 <= min(sizes(parts).values()) <= max(sizes(parts).values()) <= 25


def test_privately_no_value_is_named():
    private = Disclosure(2, private=True)
    assert of(["b", "c", None, "b", "a", "c"], private).conditions == (
        "part 1 of 3",
        "part 2 of 3",
        "others",
        "missing",
    )
    assert of(range(100), private).conditions == tuple(f"part {i} of 5" for i in range(1, 6))


def test_an_end_is_no_value_of_a_single_row():
    values = 1000 + np.cumsum(np.random.default_rng(0).random(60) ** 4)
    private_ends, open_ends = (set(" ".join(of(values, Disclosure(k)).conditions).split()) for k in (5, 1))
    assert len(private_ends - {"<", ">=", "to"}) == len(open_ends - {"<", ">=", "to"}) == 4
    assert private_ends != open_ends


def test_a_column_without_values_is_one_slice():
    assert sizes(of(pl.Series([None, None], dtype=pl.String))) == {"missing": 2}
    assert sizes(of(pl.Series([None, None], dtype=pl.Float64))) == {"missing": 2}


def test_a_cut_knows_its_column_and_whether_somebody_asked():
    for requested in (True, False):
        parts = of(["a", "b"], requested=requested)
        assert (parts.column, parts.requested, parts.codes.dtype) == ("x", requested, np.int64)


def test_of_levels_as_frequent_the_first_is_named_first():
    assert of(["b", "c", "a", "c", "b", "a"]).conditions == ("= a", "= b", "= c")
    assert of(["b", "c", "a", "c", "b", "a", "d"], Disclosure(2)).conditions == ("= a", "= b", "= c", "others")


def test_of_many_levels_as_frequent_the_first_ones_are_named():
    """More than a sort that forgets the order of equals leaves in it."""
    levels = [f"{i:03}" for i in range(200)]
    parts = of([*levels, *levels[1::2]], requested=True)
    assert parts.conditions == (*(f"= {level}" for level in levels[1:60:2]), "others")
