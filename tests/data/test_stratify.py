"""Dealing out rows and groups, on tables that a person can deal by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.data import stratify
from sortal.data.stratify import allocate, connected_groups, stratified_assign, targets


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([0, 0, 1, 2], [0, 1, 1, 2], [0, 0, 0, 1]),
        ([2, 1, 0], [0, 1, 2], [2, 1, 0]),
        ([0, 1, 2, 3], [5, 5, 7, 7], [0, 0, 1, 1]),
        ([0, 1, 2, 3], [5, 6, 6, 5], [0, 1, 1, 0]),
        ([0, 0, 0], [0, 1, 2], [0, 0, 0]),
        ([0], [0], [0]),
    ],
)
def test_units_that_share_a_row_are_one(first: list[int], second: list[int], expected: list[int]) -> None:
    assert connected_groups(np.array(first), np.array(second)).tolist() == expected


@pytest.mark.parametrize(
    ("sizes", "shares", "counts"),
    [
        ([7, 3], [0.75, 0.25], [[6, 1], [2, 1]]),
        ([3, 7], [0.75, 0.25], [[2, 1], [6, 1]]),  # the smallest class first, wherever it stands
        ([4, 8], [0.75, 0.25], [[3, 1], [6, 2]]),
        ([1, 1, 1, 1], [0.75, 0.25], [[1, 0], [1, 0], [0, 1], [1, 0]]),  # what is owed goes on to the next class
        ([1, 1, 1, 1], [0.5, 0.5], [[1, 0], [0, 1], [1, 0], [0, 1]]),
        ([10], [1 / 3, 1 / 3, 1 / 3], [[4, 3, 3]]),
        ([5], [0.2] * 5, [[1, 1, 1, 1, 1]]),
        ([0, 3], [0.5, 0.5], [[0, 0], [2, 1]]),
        ([2, 2], [0.7, 0.15, 0.15], [[2, 0, 0], [1, 1, 0]]),
        ([10], [0.3, 0.7], [[3, 7]]),  # 10 * .7 is a little less than 7 in floats
        ([100], [0.29, 0.71], [[29, 71]]),
    ],
)
def test_whole_numbers_near_the_quota(sizes: list[int], shares: list[float], counts: list[list[int]]) -> None:
    assert allocate(np.array(sizes), np.array(shares)).tolist() == counts


CODES = np.repeat([0, 1, 2], [8, 4, 2])


@pytest.mark.parametrize(
    ("keep", "target"),
    [
        (0, [[6, 2], [3, 1], [1, 1]]),
        (1, [[6, 2], [3, 1], [1, 1]]),
        (2, [[6, 2], [3, 1], [2, 0]]),
        (3, [[6, 2], [3, 1], [2, 0]]),
        (4, [[6, 2], [4, 0], [2, 0]]),
    ],
)
def test_small_classes_go_to_the_first_part(keep: int, target: list[list[int]]) -> None:
    assert targets(CODES, np.array([0.75, 0.25]), keep)[:, 0].tolist() == pytest.approx(
        [row[0] for row in target], abs=1
    )
    counts = targets(CODES, np.array([0.75, 0.25]), keep)
    assert counts.sum(axis=1).tolist() == [8, 4, 2]
    assert [row.tolist() for row, size in zip(counts, (8, 4, 2), strict=True) if size <= keep] == [
        row for row, size in zip(target, (8, 4, 2), strict=True) if size <= keep
    ]


def test_of_some_rows_a_small_class_is_told_by_all_of_them() -> None:
    mask = np.ones(14, dtype=bool)
    mask[:7] = mask[12] = False
    counts = targets(CODES, np.array([0.75, 0.25]), 2, mask)
    assert counts.sum(axis=1).tolist() == [1, 4, 1]
    assert counts[1:].tolist() == [[3, 1], [1, 0]]
    # One row of the first class is left, and it is no small class for that: the part with the larger share gets it.
    assert targets(CODES, np.array([0.25, 0.75]), 2, mask)[0].tolist() == [0, 1]


def test_units_of_two_rows_are_dealt_as_single_rows_are() -> None:
    """Ten pairs of one class and five of the other: three of each five go to the first part."""
    codes = np.repeat(np.repeat([1, 0], [10, 5]), 2)
    units = np.repeat(np.arange(15)[::-1], 2)
    assignments = set()
    for seed in range(6):
        part = stratified_assign(codes, units, np.array([0.6, 0.4]), seed)
        assert np.bincount(codes[part == 0]).tolist() == [6, 12]
        assert (part[::2] == part[1::2]).all()
        assignments.add(tuple(part.tolist()))
    assert len(assignments) > 1


def test_the_same_seed_deals_the_same_and_lists_of_seeds_differ() -> None:
    codes = np.tile([0, 1, 1], 20)
    shares = np.array([0.5, 0.5])
    first = stratified_assign(codes, np.arange(60), shares, [3, 0])
    assert stratified_assign(codes, np.arange(60), shares, [3, 0]).tolist() == first.tolist()
    assert stratified_assign(codes, np.arange(60), shares, [3, 1]).tolist() != first.tolist()


def test_the_largest_unit_is_dealt_first_and_the_others_fill_up() -> None:
    """A unit of 8 rows in parts of 10 and 10: whichever part it goes to has room for a unit of 2 beside it."""
    codes = np.zeros(20, dtype=np.int64)
    units = np.repeat([4, 0, 1, 2, 3, 5, 6], [8, 2, 2, 2, 2, 2, 2])
    for seed in range(8):
        part = stratified_assign(codes, units, np.array([0.5, 0.5]), seed)
        assert np.bincount(part).tolist() == [10, 10]
        assert len(set(part[:8])) == 1


@pytest.mark.parametrize(("size", "room"), [(26, [0, 24]), (24, [0, 26])])
def test_beside_a_large_unit_the_others_are_dealt_in_proportion(size: int, room: list[int]) -> None:
    """A unit of half of the rows, of one class, takes the room of its part for the other class, too."""
    codes = np.concatenate([np.zeros(size, dtype=np.int64), np.tile([0, 1], (50 - size) // 2)])
    units = np.concatenate([np.zeros(size, dtype=np.int64), np.arange(1, 51 - size)])
    for seed in range(5):
        part = stratified_assign(codes, units, np.array([0.5, 0.5]), seed)
        is_beside = part[size:] == part[0]
        assert len(set(part[:size])) == 1
        assert is_beside.sum() == pytest.approx(25 - size if size < 25 else 0, abs=1)
        # Of the rows beside the unit and of those without it as many are of either class.
        other = codes[size:][~is_beside]
        assert other.mean() == pytest.approx(0.5, abs=0.03)


def test_units_of_one_content_are_alike_and_of_another_are_not() -> None:
    counts = np.array([[2, 0, 1], [0, 2, 1], [2, 0, 1], [2, 1, 0], [0, 2, 1], [1, 1, 1]])
    signatures = stratify._signatures(counts)
    assert [np.flatnonzero(signatures == signatures[k]).tolist() for k in range(6)] == [
        [0, 2], [1, 4], [0, 2], [3], [1, 4], [5],
    ]  # fmt: skip


def test_where_almost_all_differ_size_and_main_class_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.array([[3, 1], [4, 0], [1, 3], [0, 4], [3, 2], [2, 2]])
    for most, expected in ((6, 6), (5, 3)):
        monkeypatch.setattr(stratify, "_MOST_SIGNATURES", most)
        assert len(set(stratify._signatures(counts).tolist())) == expected
    assert stratify._signatures(counts).tolist() == [0, 0, 1, 1, 2, 0]


@pytest.mark.parametrize(
    ("codes", "units", "part", "filled"),
    [
        # The smallest unit of the part with the most units, whatever it is called.
        ([0] * 6, [0, 0, 0, 1, 1, 2], [0, 0, 0], [0, 0, 1]),
        ([0] * 6, [0, 1, 1, 2, 2, 2], [0, 0, 0], [1, 0, 0]),
        # Of equal units that of the commonest class: class 1 has two rows, class 0 four.
        ([1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 2, 2], [0, 0, 0], [0, 1, 0]),
        # A unit counts as its rarest class.
        ([0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 2, 2], [0, 0, 0], [0, 1, 0]),
        # A part with one unit gives nothing.
        ([0, 0], [0, 0], [0], [0]),
        ([0, 0, 0], [0, 1, 1], [0, 0], [1, 0]),
    ],
)  # fmt: skip
def test_an_empty_part_gets_a_unit(codes: list[int], units: list[int], part: list[int], filled: list[int]) -> None:
    assignment = np.array(part)
    stratify._fill_empty(np.array(codes), np.array(units), assignment, 2)
    assert assignment.tolist() == filled


def test_several_empty_parts_get_one_each() -> None:
    assignment = np.array([0, 0, 0, 2])
    stratify._fill_empty(np.zeros(10, dtype=np.int64), np.repeat([0, 1, 2, 3], [4, 3, 2, 1]), assignment, 5)
    assert assignment.tolist() == [0, 3, 1, 2]
    stratify._fill_empty(np.zeros(3, dtype=np.int64), np.repeat([0, 1], [2, 1]), few := np.array([0, 0]), 4)
    assert few.tolist() == [0, 1]
