"""What ``bench quiet`` and ``bench alarm`` make of streams."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from bench import _streams, alarm, quiet
from bench._outcome import Options
from sortal.core.profile import halves


def test_a_stream_without_a_change_is_quiet_and_one_alarm_in_few_falls_short() -> None:
    years = [quiet.Year(20, 100, seed, (), False) for seed in range(20)]
    assert quiet.outcome(years, 365).holds
    assert json.loads(json.dumps(quiet.outcome(years, 365).as_json()))["goals"][0]["holds"] is True
    loud = [quiet.Year(20, 100, seed, ("x",) if seed < 4 else (), True) for seed in range(20)]
    outcome = quiet.outcome(loud, 365)
    assert not outcome.holds
    assert outcome.rows == [["20", "100", "4 of 20", "20 of 20"]]


def test_training_and_stream_are_drawn_from_one_population() -> None:
    pool = _streams.populations(None)
    watched = _streams.draw(pool, 5, np.random.default_rng(0))
    assert len(watched) >= 5
    for column in watched.values():
        rows = _streams.TRAINING_ROWS if column.bins.profile.numeric else _streams.TRAINING_ROWS // 2
        assert column.bins.reference.sum() == rows
        shares = np.bincount(column.codes, minlength=len(column.bins.reference)) / len(column.codes)
        assert np.abs(shares - column.bins.reference / rows).max() < 0.05


def test_a_late_or_missing_alarm_is_told_from_a_soon_one() -> None:
    soon = [alarm.Result("errors .10 -> 0.20", 0, seed, 100) for seed in range(3)]
    assert alarm.outcome(soon).holds
    never = [alarm.Result("errors .10 -> 0.20", 0, seed, None) for seed in range(3)]
    assert not alarm.outcome(never).holds
    false = [alarm.Result("by 1", 0, seed, 100, seed == 0) for seed in range(3)]
    assert not alarm.outcome([*soon, *false]).holds


@pytest.mark.parametrize("share", [0.15, 0.2])
def test_more_errors_than_promised_are_seen(share: float) -> None:
    result = alarm._harm(share, 0, seed=0)
    assert result.rows is not None
    assert result.rows <= 3 * alarm.HARMS[share]
    assert not result.false


def test_small_benches_run() -> None:
    options = Options(fast=True)
    assert quiet._year((None, 5, 50, 5, 0)).alarms == ()
    pool = _streams.populations(options.data)
    result = alarm._drift(pool, "its unit changes", 3, 0)
    assert (result.rows, result.false) == (alarm.A_DAY, False)


def test_what_peers_call_drift_is_counted_by_day_and_stream() -> None:
    years = [quiet.Year(20, 100, 0, (), False)]
    peers = [quiet.PeerDays("nannyml", 20, 100, 30, 4, 0), quiet.PeerDays("nannyml", 20, 100, 30, 0, 0)]
    assert quiet.outcome(years, 365, peers).notes == [
        "nannyml, 20 columns, 100 rows a day: a column drifted on 4 of 60 days, in 1 of 2 streams; the table on 0",
        "not run: evidently",
    ]
    assert quiet._peers((None, 5, 50, 5, 0), None) == []


def test_peers_see_the_values_of_training_and_of_the_days(tmp_path) -> None:
    """A peer that writes down what it is given."""
    python = tmp_path / "evidently" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ncp "$4" "$5" {tmp_path}\necho \'{{"columns": [1, 3], "table": [3]}}\'\n')
    python.chmod(0o755)
    assert quiet._peers((None, 5, 50, 4, 0), tmp_path) == [quiet.PeerDays("evidently", 5, 50, 4, 2, 1)]
    reference, stream = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("reference", "stream"))
    assert len(reference) == _streams.TRAINING_ROWS
    assert len(stream) == 4 * 50
    assert reference.schema == stream.schema
    watched = _streams.draw(_streams.populations(None), 5, quiet._generator((None, 5, 50, 4, 0)))
    assert list(watched) == reference.columns
    for name, column in watched.items():
        values = reference[name].to_numpy()
        rows = values if column.bins.profile.numeric else values[halves(len(values))[1]]
        counts = np.bincount(column.bins.codes(rows), minlength=len(column.bins.reference))
        np.testing.assert_array_equal(counts, column.bins.reference)
