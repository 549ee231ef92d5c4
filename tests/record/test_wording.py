"""Figures for people."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sortal
from sortal.core import registry
from sortal.core.interval import Interval
from sortal.record import wording

finite = st.floats(-1e9, 1e9)
ROOT = Path(sortal.__file__).parent


@settings(max_examples=200)
@given(finite, st.integers(0, 6))
def test_numbers_say_what_they_are_without_a_zero_before_the_point(value: float, digits: int) -> None:
    text = wording.number(value, digits)
    assert float(text.replace(",", "") or 0) == pytest.approx(value, abs=0.51 * 10**-digits)
    assert not text.lstrip("-").startswith("0.")
    assert float(text.replace(",", "")) != 0 or not text.startswith("-")


@settings(max_examples=100)
@given(st.floats(0, 1))
def test_a_share_that_is_not_all_is_not_called_all(share: float) -> None:
    assert (wording.percent(share) == "100 %") == (share == 1)
    assert (wording.percent(share) == "0 %") == (share == 0)


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
    assert wording.decimals(low, high) == digits


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_unknown_figures_are_a_dash(value: float | None) -> None:
    formats = (wording.number, wording.percent, wording.seconds, wording.microseconds)
    assert {form(value) for form in formats} == {wording.DASH}


def test_one_notation_for_the_terminal_and_the_page() -> None:
    figure = Interval(0.32, 0.29, 0.35)
    assert wording.interval(figure) == str(figure) == ".32 [.29 .35]"
    assert wording.interval(figure, digits=4) == ".3200 [.2900 .3500]"
    assert wording.interval(Interval(-0.012, -0.02, 0.004)) == "-.01 [-.02 .00]"
    assert wording.interval(Interval(1250.0, 1180.0, 1320.0)) == "1,250.00 [1,180.00 1,320.00]"
    assert wording.interval(None) == wording.DASH


@settings(max_examples=100)
@given(st.text(max_size=60), st.integers(8, 40))
def test_names_from_data_fit_on_a_line(text: str, most: int) -> None:
    label = wording.short(text, most)
    assert 0 < len(label) <= max(most, len("(empty)"))
    assert not {unicodedata.category(letter) for letter in label.replace("\u200c", "").replace("\u200d", "")} & {
        "Cc",
        "Cf",
        "Cs",
        "Zl",
        "Zp",
    }


def test_costs_in_words(binary: Any, many: Any) -> None:
    assert wording.costs(binary.record.task) == "fp=1 fn=12"
    assert wording.costs(replace(binary.record.task, positive="no")) == "fp=12 fn=1"
    assert wording.costs(many.record.task) == "every error counts the same"
    cost_task = replace(many.record.task, cost=((0.0, 1.0) * 3 + (0.0,),) * 7)
    assert wording.costs(cost_task) == "a 7 x 7 matrix of costs"


def test_no_message_has_a_notation_of_its_own() -> None:
    """Figures are written by core.writing; a format of its own in a sentence for people is found here."""
    own = re.compile(r"\+-\d|\+-\{|:[,]?\.\d+f?\} ?%|:\.\d%\}|%\.\d|compact=")
    for room in ("report", "checks", "decide"):
        for path in (ROOT / room).glob("*.*"):
            if path.suffix in (".py", ".j2"):
                lines = [line for line in path.read_text("utf-8").splitlines() if own.search(line)]
                assert not [line for line in lines if "width:" not in line], path.name


def test_a_metric_is_called_by_its_own_label() -> None:
    for name in registry.names("sortal.metrics"):
        assert wording.metric(name) == registry.load("sortal.metrics", name).label
    assert wording.metric("recall_at_precision") == "recall at precision .9"
