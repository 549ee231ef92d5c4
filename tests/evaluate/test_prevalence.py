from __future__ import annotations

import numpy as np
import pytest

from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.prevalence import cost_at

COST = ((0.0, 1.0), (8.0, 0.5))


def task(positive: str = "yes") -> Task:
    return Task("y", ("no", "yes"), (0.75, 0.25), positive, "log_loss", (), (), cost=COST)


def rows(truth, groups=None) -> Predictions:
    truth = np.asarray(truth)
    half = np.full((len(truth), 2), 0.5)
    return Predictions(("no", "yes"), np.arange(len(truth)), truth, half, "test", groups=groups)


def test_each_class_costs_what_it_costs_here_at_any_share():
    truth, decided = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 0, 0, 1, 0])
    for share in (0.1, 1 / 3, 0.9):
        expected = share * (8 + 0.5) / 2 + (1 - share) * 1 / 4
        assert cost_at(task(), rows(truth), decided, share).value == pytest.approx(expected)
    of_no = cost_at(task("no"), rows(truth), decided, 0.1)
    assert of_no.value == pytest.approx(0.9 * 8.5 / 2 + 0.1 / 4)


def test_a_class_without_a_row_leaves_it_unknown():
    unknown = cost_at(task(), rows([0, 0, 0]), np.array([0, 1, 0]), 0.2)
    assert np.isnan([unknown.value, unknown.low, unknown.high]).all()


@pytest.mark.parametrize("share", [0.05, 0.25, 0.6])
def test_the_interval_holds_the_cost_of_fresh_rows_with_that_share(share):
    rng, misses, alarms, n_covered = np.random.default_rng(5), 0.3, 0.1, 0
    true = share * (misses * 8 + (1 - misses) * 0.5) + (1 - share) * alarms
    for _ in range(400):
        truth = (rng.random(600) < 0.25).astype(int)
        decided = np.where(truth == 1, rng.random(600) >= misses, rng.random(600) < alarms).astype(int)
        cost = cost_at(task(), rows(truth), decided, share)
        n_covered += cost.low <= true <= cost.high
    assert 0.92 <= n_covered / 400 <= 0.98


def test_clones_in_groups_widen_it():
    rng = np.random.default_rng(0)
    truth, decided = rng.integers(2, size=80), rng.integers(2, size=80)
    once = cost_at(task(), rows(truth), decided, 0.3)
    clones = rows(np.repeat(truth, 5), np.repeat(np.arange(80), 5))
    five = cost_at(task(), clones, np.repeat(decided, 5), 0.3)
    assert five.high - five.low >= 0.99 * (once.high - once.low)
