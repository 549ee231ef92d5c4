"""Figures for people."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.interval import Interval
from sortal.report import notation

finite = st.floats(-1e9, 1e9)


@settings(deadline=None, max_examples=200)
@given(finite, st.integers(0, 6))
def test_compact_and_full_numbers_say_the_same(value: float, digits: int) -> None:
    full, compact = notation.number(value, digits), notation.number(value, digits, compact=True)
    assert float(full.replace(",", "")) == pytest.approx(value, abs=0.51 * 10**-digits)
    assert float(compact.replace(",", "")) == float(full.replace(",", ""))
    assert not full.startswith("-0.000") or float(full) != 0


@pytest.mark.parametrize(
    ("low", "high", "digits"),
    [
        (0.91, 0.95, 2),
        (0.939, 0.951, 3),
        (0.1840, 0.1898, 3),
        (0.5, 0.5, 3),
        (-3.0, 9.0, 2),
        (0.1, 0.1 + 1e-9, 5),
    ],
)
def test_decimals_follow_the_interval(low: float, high: float, digits: int) -> None:
    assert notation.decimals(low, high) == digits


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_unknown_figures_are_a_dash(value: float | None) -> None:
    formats = (notation.number, notation.percent, notation.seconds, notation.microseconds)
    assert {form(value) for form in formats} == {notation.DASH}


def test_one_notation_for_the_terminal_and_the_page() -> None:
    figure = Interval(0.32, 0.29, 0.35)
    assert notation.interval(figure, compact=True) == ".32 [.29 .35]"
    assert notation.interval(figure) == "0.32 [0.29, 0.35]"
    assert notation.interval(figure, digits=4, compact=True) == ".3200 [.2900 .3500]"
    assert notation.interval(Interval(-0.012, -0.02, 0.004), compact=True) == "-.01 [-.02 .00]"
    assert notation.interval(Interval(1250.0, 1180.0, 1320.0)) == "1,250.00 [1,180.00, 1,320.00]"
    assert notation.interval(None) == notation.DASH


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60), st.integers(8, 40))
def test_names_from_data_fit_on_a_line(text: str, most: int) -> None:
    shown = notation.short(text, most)
    assert 0 < len(shown) <= max(most, len("(empty)"))
    assert shown.isprintable()


def test_costs_in_words(binary: Any, many: Any) -> None:
    assert notation.costs(binary.record.task) == "fp=1 fn=12"
    assert notation.costs(replace(binary.record.task, positive="no")) == "fp=12 fn=1"
    assert notation.costs(many.record.task) == "every error counts the same"
    priced = replace(many.record.task, cost=((0.0, 1.0) * 3 + (0.0,),) * 7)
    assert notation.costs(priced) == "a 7 x 7 matrix of costs"
