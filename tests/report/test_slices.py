"""Slices on the screen: the worst first, those asked for, and how many more there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sortal.core.interval import Estimate
from sortal.evaluate.slices import Slice, Slices
from sortal.report.slices import MOST_ASKED, MOST_WORSE, slices
from tests.report.test_terminal import lines_of

WORSE = Slice("age", "< 25", 412, 0.2, Estimate(0.61, 0.55, 0.67), 0.41, Estimate(0.2, 0.1, 0.3), 0.001, True, 0.583)
ASKED = Slice("sex", "missing", 7, 0.01, Estimate(0.5, 0.1, 2.5), 0.45, Estimate(None), None, expected=0.4, asked=True)
OTHER = replace(WORSE, condition=">= 52", worse=False, expected=None)


def slices_of(*parts: Slice, metric: str = "log_loss") -> Slices:
    return Slices(metric, "test", 2000, 12, 84, 3, parts)


def test_one_that_is_worse_and_one_that_was_asked_for() -> None:
    assert lines_of(slices, slices_of(WORSE, ASKED, OTHER), False, width=110) == [
        "",
        "SLICES log-loss: 1 of 84 slices of 12 columns (test rows) does clearly worse",
        "       age < 25: .61 [.55 .67] against .41 elsewhere (.58 by its own probabilities), 412 rows",
        "       sex missing: .50 [.10 2.50] against .45 elsewhere (.40 by its own probabilities), 7 rows",
    ]


@pytest.mark.parametrize("nothing", [None, slices_of(), slices_of(OTHER)])
def test_nothing_is_said_of_slices_that_are_neither(nothing: Any) -> None:
    assert lines_of(slices, nothing, False) == []


def test_long_lists_are_cut_and_the_rest_is_counted() -> None:
    lines = lines_of(slices, slices_of(*[WORSE] * (MOST_WORSE + 2), *[ASKED] * (MOST_ASKED + 3)), False, width=110)
    assert lines[1].startswith("SLICES log-loss: 7 of 84 slices of 12 columns (test rows) do clearly worse")
    assert (sum("age" in line for line in lines), sum("sex" in line for line in lines)) == (MOST_WORSE, MOST_ASKED)
    assert lines[-1].strip() == "and 5 more, in the report"


@pytest.mark.parametrize(("costs", "words"), [(True, "expected cost"), (False, "share of errors")])
def test_without_costs_the_cost_of_errors_is_their_share(costs: bool, words: str) -> None:
    lines = lines_of(slices, slices_of(ASKED, metric="expected_cost"), costs)
    assert lines[1].startswith(f"SLICES {words}: none of 84 slices")
