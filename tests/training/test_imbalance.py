from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from sortal.engine import compile as compile_program
from sortal.models.family import Rows
from sortal.training.imbalance import WORDS, Balance, balance, balanced, correction, undersampled

LAWS = settings(max_examples=60)
SEEDS = st.integers(0, 2**32 - 1)


@LAWS
@given(st.lists(st.integers(1, 200), min_size=2, max_size=6))
def test_balanced_weights_are_those_of_scikit_learn(counts: list[int]) -> None:
    codes = np.repeat(np.arange(len(counts)), counts)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=codes)
    np.testing.assert_allclose(balanced(codes, len(counts)), expected)


@LAWS
@given(st.lists(st.integers(1, 200), min_size=2, max_size=6))
def test_every_class_weighs_the_same_and_all_rows_together_what_they_did(counts: list[int]) -> None:
    codes = np.repeat(np.arange(len(counts)), counts)
    sums = np.bincount(codes, weights=balanced(codes, len(counts))[codes])
    np.testing.assert_allclose(sums, len(codes) / len(counts))


@LAWS
@given(SEEDS, st.integers(2, 6))
def test_the_correction_gives_back_the_probabilities_of_the_true_class_shares(seed: int, k: int) -> None:
    """With densities f and weights w, a perfect model says w prior f / sum weighted, and prior f / sum unweighted."""
    rng = np.random.default_rng(seed)
    prior, density = rng.dirichlet(np.ones(k)) + 1e-3, rng.gamma(1.0, size=(50, k)) + 1e-3
    weights = rng.uniform(0.1, 10.0, size=k)

    def posterior(shares: np.ndarray) -> np.ndarray:
        joint = shares * density
        return joint / joint.sum(axis=1, keepdims=True)

    corrected = compile_program(correction(weights))(posterior(weights * prior))
    np.testing.assert_allclose(corrected, posterior(prior), rtol=1e-9)


@LAWS
@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), SEEDS)
def test_undersampling_keeps_different_rows_and_as_many_of_every_class(counts: list[int], seed: int) -> None:
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    index = undersampled(codes, seed)
    assert (np.diff(index) > 0).all()
    assert (np.bincount(codes[index]) == min(counts)).all()
    assert np.array_equal(index, undersampled(codes, seed))


def rows(counts: list[int], seed: int) -> Rows:
    codes = np.repeat(np.arange(len(counts)), counts)
    return Rows(np.random.default_rng(seed).normal(size=(len(codes), 2)), codes)


@pytest.mark.parametrize("way", ["none", "focal"])
def test_where_nothing_is_balanced_rows_stay_as_they_are(way: Balance) -> None:
    train, stop = rows([9, 3], 0), rows([4, 2], 1)
    result = balance(way, train, stop, 2, seed=0)
    assert result.train is train
    assert result.stop is stop
    assert result.tail() == ()


@pytest.mark.parametrize("way", ["weights", "undersample"])
@pytest.mark.parametrize("counts", [[90, 10], [30, 60, 6]])
def test_rows_to_stop_by_stay_and_weigh_as_the_training_rows_do(way: Balance, counts: list[int]) -> None:
    train, stop = rows([10 * c for c in counts], 0), rows(counts, 1)
    result = balance(way, train, stop, len(counts), seed=0)
    assert result.stop is not None
    assert np.array_equal(result.stop.X, stop.X)
    assert np.array_equal(result.stop.y, stop.y)
    trained, stopped = (
        np.bincount(r.y, r.weight if r.weight is not None else np.ones(len(r.y))) for r in (result.train, result.stop)
    )
    np.testing.assert_allclose(trained / trained.sum(), 1 / len(counts))
    np.testing.assert_allclose(stopped / stopped.sum(), 1 / len(counts))


@pytest.mark.parametrize("way", ["weights", "undersample"])
def test_the_class_shares_that_were_shifted_come_back(way: Balance) -> None:
    """A model that knows nothing but the balanced shares says the true ones when it is corrected."""
    counts = [70, 20, 10]
    result = balance(way, rows(counts, 0), None, 3, seed=0)
    (step,) = result.tail()
    np.testing.assert_allclose(compile_program(step)(np.full((1, 3), 1 / 3)), [[0.7, 0.2, 0.1]])


def test_a_class_that_the_training_rows_lack_is_not_shifted() -> None:
    result = balance("undersample", Rows(np.zeros((6, 1)), np.array([0, 0, 0, 0, 2, 2])), None, 3, seed=0)
    assert result.shift is not None
    np.testing.assert_allclose(result.shift, [0.75, 1.0, 1.5])


def test_every_way_is_told_in_words() -> None:
    assert tuple(WORDS) == get_args(Balance)


WEIGHTED = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), min_size=3, max_size=60).filter(
    lambda rows: {code for code, _ in rows} == {0, 1, 2}
)


@LAWS
@given(WEIGHTED)
def test_a_row_of_weight_two_counts_as_two_rows(pairs: list[tuple[int, int]]) -> None:
    codes, weight = np.array(pairs).T
    expected = balanced(np.repeat(codes, weight), 3)
    np.testing.assert_allclose(balanced(codes, 3, weight.astype(float)), expected)
    sums = np.bincount(codes, weights=weight * expected[codes])
    np.testing.assert_allclose(sums, weight.sum() / 3)


@LAWS
@given(WEIGHTED, SEEDS)
def test_balancing_keeps_the_weights_of_the_rows(pairs: list[tuple[int, int]], seed: int) -> None:
    codes, weight = np.array(pairs).T
    train = Rows(np.arange(len(codes), dtype=float)[:, None], codes, weight.astype(float))
    before = np.bincount(codes, weights=weight)
    for way in ("weights", "undersample"):
        result = balance(way, train, train, 3, seed)
        assert result.shift is not None
        assert result.stop is not None
        indices = result.train.X[:, 0].astype(int)
        by_class = result.shift[codes] if way == "weights" else np.ones(len(codes))
        np.testing.assert_allclose(result.train.weight, (weight * by_class)[indices])
        np.testing.assert_allclose(result.stop.weight, weight * result.shift[codes])
        # What the correction takes back is the change of the weighted class shares.
        after = np.bincount(result.train.y, weights=result.train.weight)
        np.testing.assert_allclose(result.shift * before / (result.shift * before).sum(), after / after.sum())
