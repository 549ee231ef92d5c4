from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax

from sortal.engine import Program, compile, oblivious

FEATURES = 4
VALUES = np.array([-np.inf, -3.5, -0.0, 0.1, 0.5, 1.0, 2.0, 1e10, 1e300, np.inf, np.nan])


def program(feature, threshold, value):
    arrays = {
        "feature": np.array(feature, dtype=np.int32),
        "threshold": np.array(threshold, dtype=np.float32),
        "value": np.array(value, dtype=np.float32),
    }
    return Program("oblivious", {}, arrays)


def walk(p, row):
    """Scores of one row, a tree and a question after another."""
    total = np.zeros(p.arrays["value"].shape[2])
    for feature, threshold, value in zip(*(p.arrays[n] for n in ("feature", "threshold", "value")), strict=True):
        leaf = sum(2**i for i, (f, t) in enumerate(zip(feature, threshold, strict=True)) if np.float32(row[f]) > t)
        total = total + value[leaf].astype(np.float64)
    return total


def test_by_hand():
    # The first question is the lowest bit; a value at the threshold and a missing one are not above it.
    score = compile(program([[0, 1]], [[0.5, 2.0]], [[[0.0], [1.0], [2.0], [3.0]]]))
    rows = np.array([[0.5, 2.0], [0.6, 2.0], [0.5, 2.1], [0.6, 2.1], [np.nan, np.nan], [9.0, np.nan]])
    assert_allclose(score(rows)[:, 1], expit([0.0, 1.0, 2.0, 3.0, 0.0, 1.0]), rtol=1e-15)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), trees=st.integers(1, 30), depth=st.integers(0, 6), sums=st.sampled_from([1, 2, 5]))
@pytest.mark.filterwarnings("ignore:overflow")
def test_it_says_what_a_walk_says_bit_by_bit_however_many_rows_come_together(seed, trees, depth, sums):
    rng = np.random.default_rng(seed)
    threshold = np.where(rng.random((trees, depth)) < 0.2, np.inf, rng.choice(VALUES[1:8], (trees, depth)))
    p = program(
        rng.integers(0, FEATURES, (trees, depth)).reshape(trees, depth),
        threshold,
        rng.normal(size=(trees, 2**depth, sums)),
    )
    x = rng.choice(VALUES, (40, FEATURES))
    score = compile(p)
    scores = np.array([walk(p, row) for row in x])
    link = np.column_stack([expit(-scores), expit(scores)]) if sums == 1 else softmax(scores, axis=1)
    probability = score(x)
    assert_allclose(probability, link, rtol=1e-13, atol=1e-300)
    assert_array_equal(np.vstack([score(row[None]) for row in x]), probability)


def test_blocks_of_rows_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    p = program(rng.integers(0, FEATURES, (9, 3)), rng.normal(size=(9, 3)), rng.normal(size=(9, 8, 3)))
    x = rng.normal(size=(50, FEATURES))
    whole = compile(p)(x)
    monkeypatch.setattr(oblivious, "_NUMBERS", 100)
    assert_array_equal(compile(p)(x), whole)


@pytest.mark.parametrize(
    ("feature", "threshold", "value", "message"),
    [
        ([[0]], [[0.5]], np.zeros((1, 4, 1)), "array 'value' has shape"),
        ([[0]], [[0.5, 1.0]], np.zeros((1, 2, 1)), "array 'threshold' has shape"),
        ([[-1]], [[0.5]], np.zeros((1, 2, 1)), "outside its range"),
        ([[0]], [[np.nan]], np.zeros((1, 2, 1)), "holds a NaN"),
        ([[0]], [[0.5]], np.full((1, 2, 1), np.inf), "infinities"),
        ([[0]], [[0.5]], np.zeros((1, 2, 0)), "no trees"),
        (np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 2, 1)), "no trees"),
        (np.zeros((1, 16)), np.zeros((1, 16)), np.zeros((1, 2**16, 1)), "16 levels"),
    ],
)
def test_what_does_not_fit_is_refused(feature, threshold, value, message):
    with pytest.raises(ValueError, match=message):
        compile(program(feature, threshold, value))


def test_too_few_columns_are_refused():
    with pytest.raises(ValueError, match="at least 4 columns"):
        compile(program([[3]], [[0.5]], np.zeros((1, 2, 1))))(np.zeros((1, 3)))
