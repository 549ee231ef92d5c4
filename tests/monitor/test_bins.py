"""The bins that columns are compared by."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.core.profile import ColumnProfile, halves, profile
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.monitor.bins import Bins


@pytest.mark.parametrize("edges", [1, 21, 255, 256, 300])
def test_a_number_lies_behind_as_many_edges_as_are_below_it(edges: int) -> None:
    """However many a model file names."""
    quantiles = tuple(float(edge) for edge in range(edges))
    profile = ColumnProfile(
        "x", "number", rows=edges, missing=0, distinct=edges, quantiles=quantiles, reached=tuple(range(1, edges + 1))
    )
    numbers = np.array([-1.0, 0.0, 0.5, edges - 1.0, edges + 7.0, np.nan])
    expected = [1 + sum(edge < number for edge in quantiles) for number in numbers[:-1].tolist()]
    assert Bins(profile).codes(numbers).tolist() == [*expected, 0]


def level_bins(values: list[str | None], least: int = 1) -> Bins:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.String)})
    return Bins(profile(Table(Schema((Column("x", "category"),)), frame, np.arange(len(values))), least)["x"])


def test_levels_are_chosen_by_one_half_of_the_rows_and_counted_in_the_other() -> None:
    values = ["a"] * 50 + ["b"] * 30 + ["c"] * 20 + [None] * 10
    bins = level_bins(values)
    reference_rows = [values[at] for at in halves(110)[1].tolist()]
    assert bins.names == ["missing", "a", "b", "c", "a rare or new value"]
    assert bins.reference.tolist() == [*(reference_rows.count(level) for level in (None, "a", "b", "c")), 0]
    assert bins.codes(["a", "b", "c", "new", None]).tolist() == [1, 2, 3, 4, 0]


def test_a_level_that_only_the_other_half_made_frequent_enough_to_be_named_is_no_bin() -> None:
    first, second = halves(20)
    values = np.full(20, "a", dtype=object)
    values[[first[0], second[0], second[1]]] = "b"
    profile = level_bins(values.tolist(), 3).profile
    assert (profile.levels, profile.half_levels) == (("a", "b"), ("a",))


@given(st.lists(st.none() | st.sampled_from("abcdefgh"), min_size=4, max_size=80), st.integers(1, 4))
def test_no_row_that_is_counted_has_a_say_in_what_is_a_bin(values: list[str | None], least: int) -> None:
    """Whatever the rows hold that are counted, bins are those of levels that the others have often enough."""
    first = level_bins(values, least)
    swapped, (_, second) = list(values), halves(len(values))
    for at, other in zip(second.tolist(), second[::-1].tolist(), strict=True):
        swapped[at] = values[other]
    assert level_bins(swapped, least).profile.half_levels == first.profile.half_levels
    assert len(first.reference) == len(first.profile.half_levels) + 2
    assert first.reference.sum() == len(values) // 2


@pytest.mark.parametrize("levels", [60, 500])
def test_levels_that_were_seen_most_by_chance_are_not_expected_to_be_seen_most_again(levels: int) -> None:
    """Of levels that are all as frequent: in how many rows the bins are of training, and of fresh rows."""
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(40):
        train, fresh = (rng.integers(levels, size=n) for n in (4_000, 20_000))
        bins = level_bins([f"l{code}" for code in train.tolist()])
        counts = np.bincount(bins.codes([f"l{code}" for code in fresh.tolist()]), minlength=len(bins.reference))
        shares = [float(rows[1:-1].sum() / rows.sum()) for rows in (bins.reference, counts)]
        differences.append(shares[0] - shares[1])
    assert np.mean(differences) == pytest.approx(0, abs=3 * np.std(differences) / np.sqrt(40))
