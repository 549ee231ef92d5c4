"""Places of fresh rows among those of training, and what is in a bin."""

from __future__ import annotations

from itertools import count, permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sortal.core.coded import take_rows
from sortal.core.profile import WATCHED, halves, profile
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.monitor import drift
from sortal.monitor.bins import Bins, change

numbers = st.lists(st.none() | st.integers(-3, 3).map(float), min_size=3, max_size=60)
levels = st.lists(st.none() | st.sampled_from("abcdef"), min_size=3, max_size=60)


def bins_of(values: list[object], kind: str) -> Bins:
    dtype = pl.Float64 if kind in ("number", "datetime") else pl.String
    frame = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    return Bins(profile(Table(Schema((Column("x", kind),)), frame, np.arange(len(values))))["x"])


def codes(bins: Bins, values: list[object]) -> list[int]:
    numeric = bins.profile.numeric
    return bins.codes(np.array([np.nan if v is None else v for v in values]) if numeric else values).tolist()


@given(st.one_of(numbers.map(lambda v: (v, "number")), levels.map(lambda v: (v, "category"))))
def test_the_counts_of_training_are_those_of_its_rows(case: tuple[list[object], str]) -> None:
    values, kind = case
    bins = bins_of(values, kind)
    rows = values if kind == "number" else take_rows(values, halves(len(values))[1])
    assert bins.reference.tolist() == np.bincount(codes(bins, rows), minlength=len(bins.reference)).tolist()
    assert len(bins.names) == len(bins.reference)


def test_what_training_never_had_has_a_bin() -> None:
    bins = bins_of([f"l{i % 60:02d}" for i in range(1_200)], "category")
    assert len(bins.reference) == WATCHED + 2
    most_frequent = bins.profile.half_levels[0]
    assert codes(bins, ["never", None, most_frequent]) == [WATCHED + 1, 0, 1]
    number = bins_of([1.0, 2.0, 3.0], "number")
    assert codes(number, [-9.0, 9.0, None])[::2] == [1, 0]
    assert codes(number, [9.0]) == [len(number.reference) - 1]
    assert change(number, np.bincount(codes(number, [9.0] * 4), minlength=len(number.reference))) == (
        "above 3 in 100 % of the rows, 0 % in training"
    )


def test_of_what_goes_on_as_time_does_only_what_is_missing_counts() -> None:
    kind = Schema((Column("x", "datetime"),))
    frame = pl.DataFrame({"x": pl.Series([0, 86_400_000_000, None], dtype=pl.Datetime("us"))})
    bins = Bins(profile(Table(kind, frame, np.arange(3)))["x"])
    assert bins.reference.tolist() == [1, 2]
    assert bins.codes(np.array([4e9, np.nan])).tolist() == [1, 0]


@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_place_is_uniform_over_the_orders_of_exchangeable_rows(row: int) -> None:
    """Five rows in every order; two are of training."""
    places, seeds, nothing = [], count(), np.zeros(3, dtype=np.int64)
    for order in permutations([0, 1, 1, 2, 2]):
        reference, fresh = np.bincount(order[:2], minlength=3), np.array(order[2:])
        places += [drift.places(reference, nothing, fresh, next(seeds))[row] for _ in range(40)]
    assert stats.kstest(places, "uniform").pvalue > 0.01


@given(st.lists(st.integers(0, 4), min_size=1, max_size=70))
def test_ranks_are_counted_as_one_would_by_hand(codes: list[int]) -> None:
    n_below, n_at_most = drift.ranks(np.array(codes), 5)
    assert n_below.tolist() == [sum(c < code for c in codes[: at + 1]) for at, code in enumerate(codes)]
    assert n_at_most.tolist() == [sum(c <= code for c in codes[: at + 1]) for at, code in enumerate(codes)]


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40), st.integers(1, 39))
def test_places_are_the_same_however_many_rows_come_at_once(codes: list[int], n_first: int) -> None:
    reference, rows, nothing = np.array([3, 0, 5, 2, 1]), np.array(codes), np.zeros(5, dtype=np.int64)
    first, rest = rows[:n_first], rows[n_first:]
    all_places = drift.places(reference, nothing, rows, 7)
    before = np.bincount(first, minlength=5)
    parts = [drift.places(reference, nothing, first, 7), drift.places(reference, before, rest, 7)]
    assert np.concatenate(parts).tolist() == pytest.approx(all_places.tolist())
