"""What ``bench group_shift`` makes of levels that training never saw."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from bench import group_shift
from bench.group_shift import Gap
from sortal.monitor.estimate import GAP_OF_UNLIKE


def gap(share: float, *, table: str = "one", error: float = 0.0) -> Gap:
    return Gap(table, "column", "level", "yes", 500, probability=0.25, share=share, error=error)


def test_each_table_counts_alike_and_chance_is_taken_off() -> None:
    small, large = gap(0.30, error=0.03), gap(0.05, table="two")
    assert small.beyond_chance == pytest.approx(0.04)
    assert replace(small, error=0.06).beyond_chance == 0
    assert group_shift.quantile([small] * 9 + [large], 0.5) == pytest.approx(0.04)
    assert group_shift.quantile([small] * 9 + [large], 0.6) == pytest.approx(0.2)


def test_a_constant_that_is_off_falls_short() -> None:
    right = 1.645 * GAP_OF_UNLIKE
    assert group_shift.outcome([gap(0.25 + right)], fast=False).holds
    assert not group_shift.outcome([gap(0.25 + 2 * right)], fast=False).holds
    assert not group_shift.outcome([gap(0.25 + right / 2)], fast=False).holds
    assert group_shift.outcome([gap(0.25 - right)], fast=False).rows == [["one", "1", *[f"{right:.2f}"] * 2]]


def test_cases_are_levels_of_columns_with_some_of_them() -> None:
    frame = pl.DataFrame(
        {
            "many": [f"{i}" for i in range(1_000)],
            "two": ["a", "b"] * 500,
            "three": ["a"] * 600 + ["b"] * 300 + ["c"] * 100,
            "codes": [1] * 450 + [2] * 460 + [3] * 90,
            "target": ["x", "y", "z", "x"] * 250,
        }
    )
    assert group_shift._cases(frame, "target") == [("three", "b"), ("three", "c"), ("codes", "2"), ("codes", "1")]


def test_rows_of_the_level_take_no_part_in_training_and_are_held_against_their_labels() -> None:
    """Of the level "c" all are yes, of the others half."""
    frame = pl.DataFrame(
        {
            "x": [float(at % 7) for at in range(900)],
            "level": ["a", "b", "c"] * 300,
            "y": ["yes" if at % 3 == 2 or at % 2 else "no" for at in range(900)],
        }
    )
    [result] = group_shift._gaps("made up", frame, "y", "level", "c")
    assert (result.rows, result.label, result.share) == (300, "yes", 1.0)
    assert result.probability == pytest.approx(0.5, abs=0.1)
    assert result.error == pytest.approx(0.029, abs=0.002)
