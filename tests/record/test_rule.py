"""Rules in words are the rules that decide."""

from __future__ import annotations

import re

import numpy as np
import pytest

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
