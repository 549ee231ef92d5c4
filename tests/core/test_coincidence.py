"""Copies of rows: records entered twice, or coincidences of coarse columns."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from sortal.core.coincidence import Coincidence, coincidence, records
from sortal.core.relations import same_rows

RNG = np.random.default_rng


def coincidence_of(frame: pl.DataFrame) -> Coincidence:
    return coincidence(frame, same_rows(frame))


def independent(levels: list[int], n: int, seed: int = 0) -> pl.DataFrame:
    rng = RNG(seed)
    return pl.DataFrame({f"c{i}": rng.integers(0, k, n) for i, k in enumerate(levels)})


def with_repeats(frame: pl.DataFrame, share: float, seed: int = 0) -> pl.DataFrame:
    """Some of the rows once more."""
    n = frame.height
    return frame[np.concatenate([np.arange(n), RNG(seed).permutation(n)[: int(share * n)]])]


@pytest.mark.parametrize("levels", [[8, 8], [3, 4, 5, 6], [2, 3, 3, 3, 3, 3, 3], [4] * 6, [9] * 4])
def test_independent_columns_agree_as_often_as_the_binomial_says(levels):
    n, cells = 2_000, int(np.prod(levels))
    exact = 1 - (1 - 1 / cells) ** (n - 1)
    rate = np.mean([coincidence_of(independent(levels, n, seed)).by_chance for seed in range(4)])
    assert rate == pytest.approx(exact, rel=0.2)
    assert coincidence_of(independent(levels, n)).explains


def test_the_figure_of_a_small_table_by_hand():
    # Three columns of 0 and 1: each of the 8 rows once, and 000 once more.
    frame = pl.DataFrame([*itertools.product([0, 1], repeat=3), (0, 0, 0)], schema=["a", "b", "c"], orient="row")
    # Rows that differ in one column: 3 of each, but 4 where 000 is one of them. In two: likewise. By symmetry
    # a copy goes with 3 rows that differ in one column alone: 3 columns, each differ(j and one more) / differ(not j).
    one = np.array([3.0] * 9)
    one[[1, 2, 4]] = 4
    weight = 1 / (1 + one)
    two = np.array([3.0] * 9)
    two[[3, 5, 6]] = 4
    a_copy = 3 * (2 * (weight @ two) / 3) / (2 * (weight @ one) / 3)
    assert coincidence_of(frame).by_chance == pytest.approx((1 - np.exp(-one / a_copy)).mean())
    assert coincidence_of(frame).copied == pytest.approx(2 / 9)


def test_dependent_columns_agree_more_often_and_still_by_chance():
    first = RNG(0).integers(0, 4, 1_500)
    frame = pl.DataFrame(
        {f"c{i}": np.where(RNG(i).random(1_500) < 0.7, first, RNG(20 + i).integers(0, 4, 1_500)) for i in range(7)}
    )
    marginal = independent([4] * 7, 1_500)
    assert coincidence_of(frame).copied > 2 * coincidence_of(marginal).copied
    assert coincidence_of(frame).explains


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_records_entered_twice_are_no_coincidence(share):
    rng = RNG(0)
    frame = independent([3, 4, 5], 1_000).with_columns(x=pl.Series(rng.normal(size=1_000).round(2)))
    frame = frame.with_columns(y=pl.Series(rng.normal(size=1_000)))
    result = coincidence_of(with_repeats(frame, share))
    assert result.copied == pytest.approx(2 * share / (1 + share), abs=0.002)
    assert result.by_chance < 0.2 * result.copied
    assert not result.explains


def test_where_rows_were_made_to_differ_a_copy_was_put_there():
    levels = itertools.product(range(4), range(4), range(3), range(3), range(2), range(2))
    every = pl.DataFrame(list(levels), schema=list("abcdef"), orient="row")
    assert coincidence_of(every) == Coincidence(0.0, 0.0)
    assert not coincidence_of(with_repeats(every, 0.05)).explains


def test_a_text_beside_a_coarse_column_is_a_record():
    frame = pl.DataFrame({"text": [f"message {i}" for i in range(900)], "from": ["a", "b", "c"] * 300})
    assert not coincidence_of(with_repeats(frame, 0.1)).explains


def test_a_table_in_which_everything_is_there_twice_is_no_coarse_one():
    assert not coincidence_of(with_repeats(pl.DataFrame({"x": np.arange(9.0), "y": np.arange(9.0)}), 1.0)).explains


def test_a_single_column_is_coarse_where_most_rows_agree_with_another():
    assert coincidence_of(independent([40], 1_000)) == Coincidence(1.0, 1.0)
    assert not coincidence_of(with_repeats(pl.DataFrame({"x": np.arange(1_000.0)}), 0.1)).explains


def test_records_are_copies_but_for_combinations_that_are_too_frequent():
    copies = same_rows(pl.DataFrame({"x": [*range(994), *([0] * 25), 5]}))
    ids = records(copies, coincide=False)
    assert ids[5] == ids[-1]
    assert len(np.unique(ids)) == 1_019
    assert records(copies, coincide=True).tolist() == list(range(1_020))
