from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from bench import deadline
from sortal.core.skipped import Skipped
from sortal.record.parts import Timing
from tests.bench.test_trip import RECORD, row

FOREST = replace(RECORD, timing=Timing(60.0, 55.0, (), (Skipped("svm", "no time left"),)))
BOOSTED = replace(FOREST, leaderboard=(*FOREST.leaderboard, row("lightgbm", 0.41)))


def trial(wall: float = 9.5, busy: bool = False, record=BOOSTED, **changes: object) -> deadline.Trial:
    defaults = {"table": "made-up", "budget": 10.0, "busy": busy, "wall": wall, "gigabytes": 1.0, "record": record}
    return deadline.Trial(**(defaults | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quiet", "busy", "short"),
    [
        (trial(), trial(11.4, True), []),
        (trial(record=None), trial(busy=True), [0, 4]),
        (trial(10.6), trial(busy=True), [1]),
        (trial(), trial(11.6, True), [2]),
        (trial(8.4), trial(busy=True), [3]),
        (trial(record=FOREST), trial(busy=True), [4]),
        (trial(8.4, record=replace(BOOSTED, timing=Timing(10.0, 8.0))), trial(busy=True), []),
    ],
)
def test_each_goal_can_fall_short(quiet: deadline.Trial, busy: deadline.Trial, short: list[int]) -> None:
    result = deadline.outcome([quiet, busy])
    assert [i for i, goal in enumerate(result.goals) if not goal.holds] == short


def test_the_largest_table_has_to_end_with_a_booster_in_little_memory() -> None:
    largest = trial(170.0, table=deadline.MILLION, budget=180.0, gigabytes=9.0)
    assert [goal.holds for goal in deadline.outcome([largest, trial(busy=True)]).goals[-2:]] == [False, False]


def test_made_up_tables_have_the_shape_that_they_are_called_by(tmp_path: Path) -> None:
    shape = deadline.Shape("small", 500, 6, 3, 5)
    frame = pl.read_parquet(deadline.make(shape, tmp_path).file)
    assert frame.shape == (500, 10)
    assert frame["y"].n_unique() == 5
    assert frame["n0"].null_count() + frame["n0"].is_nan().sum() > 0


def test_a_process_that_takes_too_long_is_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    start = time.monotonic()
    assert deadline._wait(process, start + 0.2) > 1_000
    assert process.returncode < 0
    assert time.monotonic() - start < 10
