"""What ``bench loop`` makes of a trip: every step has its goal."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from bench import loop


def test_a_trip_that_came_round_holds_and_one_that_was_refused_falls_short() -> None:
    trip = loop.Trip("SQLite", alarms=["errors: 30 %"], promoted=True, swapped=True, back=True)
    assert loop.outcome([trip], "x", []).holds
    result = loop.outcome([replace(trip, promoted=False, swapped=False, back=False)], "x", [])
    assert [goal.holds for goal in result.goals] == [True, True, False, False, False]
    assert not loop.outcome([replace(trip, failed_requests=1)], "x", []).goals[0].holds
    assert not loop.outcome([replace(trip, alarms=[])], "x", []).goals[1].holds


def test_the_rule_turns_round() -> None:
    for is_turned in (False, True):
        rows = loop._turning(2_000, 3, is_turned)
        up = (rows["demand"] > 0) ^ pl.Series([is_turned] * rows.height)
        assert 0.85 < ((rows[loop.TARGET] == "UP") == up).mean() < 0.95
