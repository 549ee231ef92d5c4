"""Where columns are cut, step by step: both sides of each unit, round figures, and which levels have a name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sortal.core.coded import Coded
from sortal.evaluate import cuts
from sortal.evaluate.cuts import _ends, _frequent, _levels, _periods, _ranges, _round

DAY = 86_400.0


def seconds(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[s]").astype(np.float64)


@pytest.mark.parametrize(
    ("days", "first"),
    [
        (5 * 365.25, "2020-01-01"),
        (5 * 365.25 - 0.01, "2020-05-01"),
        (5 * 30.4, "2020-05-01"),
        (5 * 30.4 - 0.01, "2020-05-17"),
        (5.0, "2020-05-17"),
        (4.99, "2020-05-17 13:00:00"),
        (5.001 / 24, "2020-05-17 13:00:00"),
        (5 / 24 - 0.001, "2020-05-17 13:31:00"),
        (5.001 / 1440, "2020-05-17 13:31:00"),
        (5 / 1440 - 0.0001, "2020-05-17 13:31:47"),
    ],
)
def test_five_units_at_least_lie_between_the_ends(days: float, first: str) -> None:
    """The second end is near the first: all of the ends count, and not these two."""
    (begin,) = seconds("2020-05-17 13:31:47")
    ends = begin + 0.4 + days * DAY * np.array([0.0, 0.01, 0.5, 1.0])
    assert _periods(ends)[0] == seconds(first)[0]


def test_each_end_goes_back_to_where_its_unit_begins() -> None:
    ends = seconds("2020-02-29 23:59:59", "2020-07-01 00:00:00", "2021-01-31 12:00:00")
    assert _periods(ends).tolist() == seconds("2020-02-01", "2020-07-01", "2021-01-01").tolist()
    before = seconds("1969-12-31 23:59:59", "1970-01-05 00:00:01", "1970-01-06 00:00:01")
    assert _periods(before).tolist() == seconds("1969-12-31", "1970-01-05", "1970-01-06").tolist()


@pytest.mark.parametrize(
    ("ends", "whole", "expected"),
    [
        ([20312.0, 35120.4, 88211.0], True, [20000, 35000, 88000]),
        ([0.0, 3.14159, 20.0], False, [0, 3, 20]),
        ([0.0, 3.14159, 19.9], False, [0, 3.1, 19.9]),
        ([0.0, 3.14159, 19.9], True, [0, 3, 20]),
        ([0.0, 0.123, 0.2], False, [0, 0.12, 0.2]),
        ([0.0, 0.123, 0.19], False, [0, 0.123, 0.19]),
        ([0.0, 1234.0, 199.0 * 100], False, [0, 1200, 19900]),
        ([7.123, 7.123], False, [7.123, 7.123]),
        ([7.6], True, [7.6]),
        ([-88211.0, -35120.4, -20312.0], True, [-88000, -35000, -20000]),
    ],
)
def test_ends_are_rounded_to_a_twentieth_of_what_lies_between_them(
    ends: list[float], whole: bool, expected: list[float]
) -> None:
    assert _round(np.array(ends), whole).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([*range(100)], [20, 40, 59, 79]),
        ([0] * 20 + [*range(1, 81)], [1, 21, 40, 60]),  # a fifth, and no more
        ([0] * 21 + [*range(1, 80)], [1, 21, 40, 60]),  # a range of its own, and four others
        ([0] * 100, []),
        ([0] * 99 + [1], [1]),
    ],
)
def test_ranges_hold_a_fifth_each_or_a_value_of_its_own(values: list[int], expected: list[float]) -> None:
    ends = _ends(np.random.default_rng(0).permutation(np.array(values, dtype=float)), False, 1)
    assert ends.tolist() == pytest.approx(expected, abs=1.01)
    assert len(ends) == len(expected)
    assert all(end > values[0] for end in ends)


@pytest.mark.parametrize(
    ("ends", "ranges"),
    [
        ([], ["= any"]),
        (["3"], ["< 3", ">= 3"]),
        (["3", "5", "9"], ["< 3", "3 to < 5", "5 to < 9", ">= 9"]),
    ],
)
def test_ranges_in_words(ends: list[str], ranges: list[str]) -> None:
    assert _ranges(ends) == ranges


def test_levels_are_in_order_and_what_is_missing_has_none() -> None:
    cases: list[tuple[Any, list[Any], list[int]]] = [
        (np.array([3.0, np.nan, 1.0, 3.0]), [1.0, 3.0], [1, -1, 0, 1]),
        (["b", None, "a", "b"], ["a", "b"], [1, -1, 0, 1]),
        (Coded(("b", None, "a", "z"), np.array([0, 1, 2, 0, 3])), ["a", "b", "z"], [1, -1, 0, 1, 2]),
        (Coded(("z", "a"), np.array([0, 1])), ["a", "z"], [1, 0]),
    ]
    for values, levels, codes in cases:
        distinct, places = _levels(values)
        assert (distinct, places.tolist()) == (levels, codes)


@pytest.mark.parametrize(
    ("most", "least", "names", "codes"),
    [
        (3, 1, ["= c", "= a", "= b"], [1, 2, 0, 0, 0, 1, -1]),
        (2, 1, ["= c", "= a", cuts.OTHERS], [1, 2, 0, 0, 0, 1, -1]),
        (3, 2, ["= c", "= a", cuts.OTHERS], [1, 2, 0, 0, 0, 1, -1]),
        (3, 3, ["= c", cuts.OTHERS], [1, 1, 0, 0, 0, 1, -1]),
        (3, 4, [cuts.OTHERS], [0, 0, 0, 0, 0, 0, -1]),
    ],
)
def test_the_most_frequent_levels_have_a_name(most: int, least: int, names: list[str], codes: list[int]) -> None:
    labels, places = _frequent(["a", "b", "c"], np.array([0, 1, 2, 2, 2, 0, -1]), most, least)
    assert (labels, places.tolist()) == (names, codes)
