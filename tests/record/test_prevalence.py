"""What decisions cost at other shares, by hand; and which rules say nothing of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.decide.prevalence import shares_around
from sortal.record.prevalence import costs_at_shares

COSTS = ((0.0, 1.0), (4.0, 0.0))
TASK = Task("y", ("no", "yes"), (0.75, 0.25), "yes", "log_loss", (), (), "cost", COSTS)
RULE = Decision("cost", TASK.classes, "yes", cost=COSTS)
P = np.array([0.1, 0.1, 0.4, 0.1, 0.4])
ROWS = Predictions(TASK.classes, np.arange(5), np.array([0, 0, 0, 1, 1]), np.column_stack([1 - P, P]), "out-of-fold")


def test_by_hand():
    """Yes is said from .2 on: of three who are not it one costs 1, of two who are it one costs 4."""
    costs = list(costs_at_shares(TASK, ROWS, RULE))
    assert [cost.share for cost in costs] == list(shares_around(0.25))
    decisions = set()
    for cost in costs:
        s = cost.share
        assert cost.as_it_is.value == pytest.approx((1 - s) * 1 / 3 + s * 4 / 2)
        assert cost.as_it_is.low < cost.as_it_is.value < cost.as_it_is.high
        odds = P / (1 - P) * (s / (1 - s)) / (0.25 / 0.75)
        yes = odds > 0.25
        decisions.add(tuple(yes.tolist()))
        assert cost.moved.value == pytest.approx((1 - s) * yes[:3].mean() + s * 4 * (~yes[3:]).mean())
    assert len(decisions) > 1  # the rule that moves does not say the same everywhere


def test_the_positive_class_may_be_the_first():
    """The same rows with the classes turned round."""
    mirror = replace(TASK, classes=("yes", "no"), prevalence=(0.25, 0.75), cost=((0.0, 4.0), (1.0, 0.0)))
    rule = Decision("cost", mirror.classes, "yes", cost=mirror.cost)
    rows = replace(ROWS, classes=mirror.classes, truth=1 - ROWS.truth, probability=ROWS.probability[:, ::-1])
    for one, other in zip(costs_at_shares(TASK, ROWS, RULE), costs_at_shares(mirror, rows, rule), strict=True):
        assert one.share == pytest.approx(other.share)
        assert other.as_it_is.value == pytest.approx(one.as_it_is.value)
        assert other.moved.value == pytest.approx(one.moved.value)


def test_what_was_fitted_to_shares_and_one_class_alone_say_nothing():
    assert list(costs_at_shares(replace(TASK, goal="f1"), ROWS, RULE)) == []
    assert list(costs_at_shares(TASK, ROWS.take(ROWS.truth == 1), RULE)) == []
    assert len(list(costs_at_shares(replace(TASK, goal="argmax"), ROWS, RULE))) == len(shares_around(0.25))
