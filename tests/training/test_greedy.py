"""Greedy weights against all weights of a grid, and what the rows choose for each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sortal.core.predictions import Predictions
from sortal.training.greedy import (
    LEAST_WEIGHT,
    cross_fitted,
    greedy_weights,
    likelihoods,
    mean,
    parts_of,
    some,
    weights_within,
)


def loss(likelihood, weights):
    return float(-np.log(np.asarray(weights) @ likelihood).mean())


def test_greedy_weights_are_about_the_best_of_all_weights():
    rng = np.random.default_rng(0)
    likelihood = rng.uniform(0.05, 0.95, size=(3, 60))
    grid = [(i / 20, j / 20, (20 - i - j) / 20) for i, j in itertools.product(range(21), repeat=2) if i + j <= 20]
    best = min(loss(likelihood, weights) for weights in grid)
    weights = greedy_weights(likelihood)
    assert weights.sum() == pytest.approx(1)
    assert loss(likelihood, weights) < best + 1e-3
    assert loss(likelihood, weights) < min(loss(likelihood, unit) for unit in np.eye(3))


def test_the_first_rounds_by_hand():
    """.9 + .1 gains on both rows; from two on, every further model leaves the half and half."""
    likelihood = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.2]])
    assert greedy_weights(likelihood).tolist() == [0.5, 0.5, 0.0]
    assert greedy_weights(likelihood, rounds=1).tolist() == [1.0, 0.0, 0.0]


def test_a_member_that_hardly_weighs_is_left_out():
    rng = np.random.default_rng(3)
    strong, weak = rng.uniform(0.6, 0.99, size=5000), np.full(5000, 0.5)
    strong[:40] = 0.02
    weights = greedy_weights(np.array([strong, weak]))
    assert all(weight == 0 or weight >= LEAST_WEIGHT for weight in weights)
    assert weights.sum() == pytest.approx(1)


def test_some_rows_of_very_many_choose():
    rng = np.random.default_rng(1)
    likelihood = rng.uniform(0.1, 0.9, size=(3, 4000))
    few = some(likelihood, 0, most=500)
    assert few.shape == (3, 500)
    assert np.array_equal(few, some(likelihood, 0, most=500))
    assert not np.array_equal(few, some(likelihood, 1, most=500))
    assert np.isin(few[0], likelihood[0]).all()
    assert some(likelihood, 0) is likelihood


def test_members_go_that_save_most_for_what_they_bring():
    """All three know different rows; the last two take the same, and the last brings less."""
    likelihood = np.full((3, 300), 0.3)
    likelihood[0, :120] = likelihood[1, 120:220] = likelihood[2, 220:] = 0.9
    free = np.zeros((3, 0))
    assert (greedy_weights(likelihood) > 0.1).all()
    assert np.array_equal(weights_within(likelihood, free, 0), greedy_weights(likelihood))
    within = weights_within(likelihood, np.array([[0.2], [0.6], [0.6]]), 0)
    assert within[2] == 0
    assert np.array_equal(within[:2], greedy_weights(likelihood[:2]))
    assert weights_within(likelihood, np.array([[0.2], [0.9], [0.4]]), 0)[1] == 0
    assert weights_within(likelihood, np.array([[0.9], [0.9], [0.9]]), 0).tolist() == [1.0, 0.0, 0.0]


def test_a_row_has_no_say_in_its_own_weights():
    rng = np.random.default_rng(2)
    truth = rng.integers(3, size=90)
    members = [
        Predictions(("a", "b", "c"), np.arange(90), truth, rng.dirichlet(np.ones(3), size=90), "out-of-fold")
        for _ in range(3)
    ]
    part = np.arange(90) % 3
    blend = cross_fitted(members, part, greedy_weights)
    assert blend.rows.tolist() == list(range(90))
    for number in range(3):
        rows = part == number
        weights = greedy_weights(likelihoods([t.take(~rows) for t in members]))
        expected = mean([t.take(rows) for t in members], weights.tolist()).probability
        assert np.array_equal(blend.probability[rows], expected)
    assert np.allclose(blend.probability.sum(axis=1), 1)


def test_parts_have_the_classes_in_their_shares():
    truth = np.array([0] * 80 + [1] * 20)
    part = parts_of(truth, 0, None)
    assert np.bincount(part).tolist() == [20] * 5
    assert np.bincount(part[truth == 1]).tolist() == [4] * 5
    assert parts_of(truth, 0, np.zeros(100, dtype=np.int64)).max() == 0


@pytest.mark.parametrize("sizes", [(83, 21, 7), (26, 4), (9, 9, 9, 9), (31,)])
def test_parts_of_sizes_that_do_not_divide_differ_by_a_row_in_each_class(sizes):
    truth = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    part = parts_of(truth, 3, None)
    for code, size in enumerate(sizes):
        counts = np.bincount(part[truth == code], minlength=5)
        assert counts.sum() == size
        assert set(counts.tolist()) <= {size // 5, -(-size // 5)}
    assert np.bincount(part).max() - np.bincount(part).min() <= len(sizes)
    assert not np.array_equal(part, parts_of(truth, 4, None))
    few = parts_of(truth[:4], 0, None)
    assert sorted(few.tolist()) == [0, 1, 2, 3]
    # Units are what is alike, whatever they are called.
    units = np.arange(len(truth)) // 2
    named = np.random.default_rng(1).permutation(units.max() + 1)[units] * 10 + 5
    whole = parts_of(truth, 3, named)
    assert all(len(set(whole[units == unit].tolist())) == 1 for unit in set(units.tolist()))


def test_of_models_that_are_as_good_the_first_counts():
    assert greedy_weights(np.array([[0.5, 0.5], [0.5, 0.5]])).tolist() == [1.0, 0.0]
    likelihood = np.array([[0.9, 0.2], [0.9, 0.2], [0.1, 0.8]])
    weights = greedy_weights(likelihood)
    assert weights[1] == 0
    grid = np.linspace(0, 1, 2001)
    best = grid[np.argmin([loss(likelihood, (1 - w, 0, w)) for w in grid])]
    assert weights[2] == pytest.approx(best, abs=0.02)


def test_of_very_many_rows_some_choose_by_the_seed(monkeypatch):
    monkeypatch.setattr("sortal.training.greedy.some", lambda likelihood, seed: likelihood[:, seed::2])
    likelihood = np.random.default_rng(5).uniform(0.05, 0.95, size=(3, 40))
    free = np.zeros((3, 0))
    for seed in (0, 1):
        weights = weights_within(likelihood, free, seed)
        assert weights.tolist() == greedy_weights(likelihood[:, seed::2]).tolist()
    # What takes just all that it may is within.
    shares = np.array([[0.5], [0.25], [0.25]])
    assert weights_within(likelihood, shares, 0).tolist() == greedy_weights(likelihood[:, ::2]).tolist()
    assert (weights_within(likelihood, shares * 1.01, 0) > 0).sum() < (greedy_weights(likelihood[:, ::2]) > 0).sum()
