"""What is learned of values that come again, and of pairs of them: exact small tables, and what is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sortal.engine import compile
from sortal.prepare import levels
from sortal.prepare.levels import PARTS, PRIOR_ROWS, append, choose
from sortal.prepare.view import Labels

NUMERIC, CODES, NONE = np.array([0, 1]), np.array([0, 1]), np.zeros(0, dtype=np.int64)


def shops(n: int = 3_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of shops, each of which has its own chance, whatever its neighbours have; and a measurement."""
    rng = np.random.default_rng(seed)
    shop = rng.integers(60, size=n) * 7.0 + 100
    chance = np.random.default_rng(1).random(600)[shop.astype(int) % 600]
    return np.column_stack([shop, rng.normal(size=n)]), (rng.random(n) < chance).astype(np.int64)


def test_a_number_that_stands_for_something_is_taken_and_a_measurement_is_not():
    matrix, y = shops()
    (key,) = choose(matrix, NUMERIC, NONE, Labels(y, 2), 5, seed=0)
    assert (key.left, key.right, key.parents) == (0, 0, (0,))
    assert key.names(("shop", "weight")) == ("shop: share of class 1", "shop: rows")
    assert_array_equal(key.first, np.unique(matrix[:, 0]))
    assert_array_equal(key.second, key.first)


def test_the_figures_by_hand():
    matrix, y = shops()
    (key,) = choose(matrix, NUMERIC, NONE, Labels(y, 2), 5, seed=0)
    prior, part = y.mean(), np.random.default_rng(0).permutation(len(y)) % PARTS
    for at, value in enumerate(key.first):
        own = matrix[:, 0] == value
        share = (y[own].sum() + PRIOR_ROWS * prior) / (own.sum() + PRIOR_ROWS)
        assert_allclose(key.table[at], [share, own.sum()])
        for row in np.flatnonzero(own)[:3]:
            others = own & (part != part[row])
            share = (y[others].sum() + PRIOR_ROWS * prior) / (others.sum() + PRIOR_ROWS)
            assert_allclose(key.train[row], [share, own.sum()])
    assert_allclose(key.table[-1], [prior, 0.0])


def test_a_pair_that_tells_what_neither_value_does():
    """The class is by whether two codes of forty levels are equal in the last digit."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(40, size=(6_000, 2)).astype(np.float64)
    y = ((matrix[:, 0] + matrix[:, 1]) % 2 == 0).astype(np.int64)
    for numeric, codes in ((NUMERIC, NONE), (NONE, CODES)):
        (key,) = choose(matrix, numeric, codes, Labels(y, 2), 2, seed=0)
        assert key.parents == (0, 1)
        assert key.names(("a", "b")) == ("a and b: share of class 1", "a and b: rows")
    new = compile(append([key], 2))(matrix)[:, 2:]
    assert_array_equal((new[:, 0] > y.mean())[new[:, 1] > 0], y[new[:, 1] > 0] == 1)
    assert_array_equal(new[:, 1], key.train[:, 1])


def test_a_level_of_few_rows_is_as_one_that_nobody_saw():
    matrix, y = shops()
    matrix[:4, 0] = -5.0
    (few,) = choose(matrix, NUMERIC, NONE, Labels(y, 2), 5, seed=0)
    (all_of_them,) = choose(matrix, NUMERIC, NONE, Labels(y, 2), 1, seed=0)
    assert -5.0 not in few.first
    assert -5.0 in all_of_them.first
    table = compile(append([few], 2))(np.array([[-5.0, 0.0], [12345.0, 0.0], [np.nan, 0.0]]))[:, 2:]
    assert_array_equal(table, np.tile(few.table[-1], (3, 1)))
    # Its rows are those of which the model learns what to make of such a value.
    prior = (y[:4].sum() + PRIOR_ROWS * y.mean()) / (4 + PRIOR_ROWS)
    assert few.table[-1, 0] == pytest.approx(prior)


def test_of_more_than_two_classes_codes_have_levels_and_numbers_have_none():
    matrix, y = shops()
    y = y + (matrix[:, 0] > 400)
    assert choose(matrix, NUMERIC, NONE, Labels(y, 3), 5, seed=0) == []
    codes = np.column_stack([(matrix[:, 0] - 100) / 7, matrix[:, 1]])
    (key,) = choose(codes, NUMERIC[1:], CODES[:1], Labels(y, 3), 5, seed=0)
    assert key.names(("shop", "weight")) == (*(f"shop: share of class {k}" for k in range(3)), "shop: rows")
    assert_allclose(key.table[:, :3].sum(axis=1), 1)


def test_so_many_columns_at_most():
    """Of forty classes no key has room, of twenty two have."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(35, size=(4_000, 3)).astype(np.float64)
    for classes, most in ((20, 2), (40, 1), (70, 0)):
        y = (matrix[:, 0] + matrix[:, 1] + matrix[:, 2]).astype(np.int64) % classes
        keys = choose(matrix, NONE, np.arange(3), Labels(y, classes), 2, seed=0)
        assert len(keys) <= most


def test_few_rows_and_noise_have_none():
    matrix, y = shops()
    assert choose(matrix[:199], NUMERIC, NONE, Labels(y[:199], 2), 1, seed=0) == []
    rng = np.random.default_rng(0)
    noise = rng.integers(50, size=(5_000, 8)).astype(np.float64)
    assert choose(noise, np.arange(4), np.arange(4, 8), Labels(rng.integers(2, size=5_000), 2), 5, seed=0) == []


def test_the_most_frequent_levels_stay(monkeypatch):
    monkeypatch.setattr(levels, "MOST_LEVELS", 40)
    matrix, y = shops()
    (key,) = choose(matrix, NUMERIC, NONE, Labels(y, 2), 5, seed=0)
    values, rows = np.unique(matrix[:, 0], return_counts=True)
    assert_array_equal(key.first, np.sort(values[np.argsort(-rows, kind="stable")[:40]]))


def test_many_rows_are_looked_at_in_part_and_counted_whole(monkeypatch):
    monkeypatch.setattr(levels, "MOST_ROWS", 1_500)
    matrix, y = shops()
    (key,) = choose(matrix, NUMERIC, NONE, Labels(y, 2), 5, seed=0)
    assert key.table[:, 1].sum() == len(y)
    assert len(key.train) == len(y)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([2, 3]))
def test_the_program_says_of_any_row_what_the_table_says(seed, smallest_count, classes):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(40, size=(600, 2)).astype(np.float64)
    matrix[rng.random((600, 2)) < 0.05] = np.nan
    y = np.where(np.isnan(matrix[:, 0]), 0, matrix[:, 0]).astype(np.int64) % classes
    y[:classes] = np.arange(classes)
    keys = choose(matrix, NONE, CODES, Labels(y, classes), smallest_count, seed)
    assert keys
    new = compile(append(keys, 2))(matrix)[:, 2:]
    start = 0
    for key in keys:
        places = {pair: at for at, pair in enumerate(zip(key.first.tolist(), key.second.tolist(), strict=True))}
        rows = [places.get((x[key.left], x[key.right]), len(key.first)) for x in matrix.tolist()]
        assert_array_equal(new[:, start : start + key.table.shape[1]], key.table[rows])
        assert_array_equal(key.train[:, -1], key.table[rows, -1])
        assert key.table[:-1, -1].min(initial=smallest_count) >= smallest_count
        start += key.table.shape[1]
