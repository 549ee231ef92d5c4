"""Rules in words are the rules that decide."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sortal.core.costs import CostColumn
from sortal.core.task import Capacity
from sortal.decide.policy import Decision
from sortal.record.rule import rule


@pytest.mark.parametrize("positive", ["no", "yes"])
def test_a_range_of_rejects_is_the_one_that_is_rejected(positive: str) -> None:
    """Whichever class is the positive one, and with costs that are not alike."""
    decision = Decision("cost", ("no", "yes"), positive, cost=((0.0, 1.0), (4.0, 0.0)), reject_cost=0.3)
    words = rule(decision)
    high, low = (float(x) for x in re.findall(r"p = (\.\d+)", words))
    code = decision.classes.index(positive)
    p = np.linspace(0.001, 0.999, 999)
    decided = decision.apply(np.column_stack([p, 1 - p] if code == 0 else [1 - p, p]))
    assert low < high
    assert (decided[p > high + 0.001] == code).all()
    assert (decided[p < low - 0.001] == 1 - code).all()
    assert (decided[(p > low + 0.001) & (p < high - 0.001)] == 2).all()


@pytest.mark.parametrize(
    ("capacity", "cost", "phrase"),
    [
        (Capacity(0.05), None, "say yes for 5 % of the rows at once, rounded down, where that is most probable"),
        (
            Capacity(0.05, 1200),
            None,
            "say yes for at most 1,200 rows at once (5 % of the rows in training), where that is most probable",
        ),
        (
            Capacity(0.05),
            ((0.0, 1.0), (4.0, 0.0)),
            "say yes for 5 % of the rows at once, rounded down, where that spares the largest expected cost",
        ),
    ],
)
def test_a_capacity_says_how_many_and_which(capacity: Capacity, cost: Any, phrase: str) -> None:
    decision = Decision("capacity", ("no", "yes"), "yes", 0.4, cost, capacity=capacity)
    assert rule(decision) == f"{phrase}; of equal rows the first"


def test_costs_in_rows_and_of_many_classes_are_decided_by_what_is_expected() -> None:
    three = Decision("cost", ("a", "b", "c"), cost=((0.0, 1.0, 1.0),) * 3)
    assert rule(three) == "take the class of least expected cost"
    assert rule(replace(three, reject_cost=0.3)) == (
        "take the class of least expected cost, or leave the row to a person where that is cheaper"
    )
    rows = Decision(
        "cost", ("no", "yes"), "yes", cost=((0.0, 1.0), (0.0, 0.0)), cost_columns=(CostColumn(1, 0, "loss"),)
    )
    assert rule(rows) == "take the class of least expected cost, by the costs in each row"
    assert rule(Decision("argmax", ("a", "b"))) == "take the most probable class"
