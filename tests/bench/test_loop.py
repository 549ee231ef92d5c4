"""What ``bench loop`` makes of a trip: every step has its goal."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from bench import loop


def test_a_trip_that_came_round_holds_and_one_that_was_refused_falls_short() -> None:
    done = loop.Trip("SQLite", alarms=["errors: 30 %"], promoted=True, swapped=True, back=True)
    assert loop.outcome([done], "x", []).holds
    refused = loop.outcome([replace(done, promoted=False, swapped=False, back=False)], "x", [])
    assert [goal.holds for goal in refused.goals] == [True, True, False, False, False]
    assert not loop.outcome([replace(done, failed_requests=1)], "x", []).goals[0].holds
    assert not loop.outcome([replace(done, alarms=[])], "x", []).goals[1].holds


def test_the_rule_turns_round() -> None:
    for turned in (False, True):
        rows = loop._turning(2_000, 3, turned)
        up = (rows["demand"] > 0) ^ pl.Series([turned] * rows.height)
        assert 0.85 < ((rows[loop.TARGET] == "UP") == up).mean() < 0.95
