from __future__ import annotations

import pytest

from bench import _postgres, labels
from bench._outcome import Options
from bench.labels import Timing


def test_labels_of_every_store_meet_their_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "FAST_ROWS", 600)
    monkeypatch.setattr(labels, "LABELS", 250)
    result = labels.run(Options(fast=True))
    stores = ["SQLite", "SQLite, ids in no order", *(["PostgreSQL"] if _postgres.binaries() is not None else [])]
    assert [row[0] for row in result.rows] == stores
    assert all(figures["computed"] > 0 for figures in result.figures)
    assert str(result).count("600 labels joined to 600 predictions") == len(stores)
    assert all(figures["rows"] == 600 and 0 < figures["put"] < 1e4 for figures in result.figures)


@pytest.mark.parametrize("ordered", [True, False])
def test_rows_have_ids_in_the_order_of_time_or_in_none_and_the_same_for_a_seed(ordered: bool) -> None:
    ids = [record.row_id for record in labels.predictions(50, 3, ordered=ordered)]
    assert len(set(ids)) == 50
    assert (ids == sorted(ids)) is ordered
    assert ids == [record.row_id for record in labels.predictions(50, 3, ordered=ordered)]


@pytest.mark.parametrize(("seconds", "holds"), [((4.0, 5.9), True), ((4.0, 6.1), False)])
def test_labels_and_reading_count_together(seconds: tuple[float, float], holds: bool) -> None:
    timing = Timing("SQLite", 1_000_000, 4.0, 1e4, *seconds, read_inputs=99.0, computed=1.0)
    (goal,) = labels.outcome([timing], 1_000_000, []).goals
    assert goal.holds is holds


def test_each_store_is_judged_by_its_median() -> None:
    timings = [
        Timing(s, 1_000_000, 4.0, 1e4, t, 0.0, 0.0, 0.0)
        for s, t in [("a", 1), ("b", 11), ("a", 99), ("b", 12), ("a", 2)]
    ]
    assert [goal.holds for goal in labels.outcome(timings, 1_000_000, []).goals] == [True, False]
