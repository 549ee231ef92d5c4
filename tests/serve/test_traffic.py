"""What is counted of a service, in this process and from its log."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.core.odd import OddValues
from sortal.serve import traffic
from sortal.serve.log.records import LabelledPrediction, PredictionRecord
from sortal.serve.traffic import STEP, Count, Tail, Traffic, describe, due, warned_of

NOW = 1_800_000_003.0


def row(
    at: float, decision: str = "yes", seconds: float = 0.001, role: str = "champion", *warnings: str
) -> LabelledPrediction:
    record = PredictionRecord(
        row_id=f"{at}",
        time=at,
        model="ab",
        role=role,  # type: ignore[arg-type]
        inputs={},
        prediction=decision,
        probabilities=(0.5, 0.5),
        decision=decision,
        set=None,
        warnings=warnings,
        seconds=seconds,
    )
    return LabelledPrediction(record, None)


class Log:
    """Predictions by time, and the spans of it that were read."""

    def __init__(self, *rows: LabelledPrediction) -> None:
        self.rows = sorted(rows, key=lambda item: item.prediction.time)
        self.spans: list[tuple[float, float]] = []

    def read(self, since: float, until: float) -> Iterator[LabelledPrediction]:
        self.spans.append((since, until))
        return (item for item in self.rows if since <= item.prediction.time < until)


@given(st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_right_to_a_bin(seconds: list[float], share: float) -> None:
    count = Count()
    for duration in seconds:
        count.add(duration, [], [])
    exact = float(np.quantile(seconds, share, method="inverted_cdf"))
    assert count.quantile(share) == pytest.approx(exact, rel=0.026)


def test_requests_rows_decisions_and_warnings_are_counted_apart() -> None:
    counts = Traffic()
    counts.add(NOW - 7, 0.002, ["yes", "no"], [(), ("'age': 200 is above 60", "'age': also odd", "'city': new")])
    counts.add(NOW - 7, 0.004, ["yes"], [("'age': 300 is above 60",)])
    description = describe(*counts.over(NOW, 300, 60), NOW, 300, ["no", "yes"])
    assert description["total"]["requests"] == 2
    assert (description["total"]["rows"], description["total"]["warned"]) == (3, 2)
    assert {item["name"]: sum(item["rows"]) for item in description["decisions"]} == {"no": 1, "yes": 2}
    assert [(item["column"], item["rows"]) for item in description["warnings"]] == [("'age'", 2), ("'city'", 1)]
    assert description["warnings"][0]["example"].startswith("'age':")


def test_each_point_holds_the_rows_of_its_seconds_and_the_last_step_only_the_total() -> None:
    counts = Traffic()
    for at in (NOW - 1, NOW - 4, NOW - 303, NOW - 304):  # the step that now is in began three seconds ago
        counts.add(at, 0.001, ["yes"], [()])
    description = describe(*counts.over(NOW, 300, 60), NOW, 300, ["yes"])
    assert (len(description["rows"]), description["step"], description["from"]) == (60, 5, NOW - 303)
    assert description["rows"] == [1, *[0] * 58, 1]
    assert description["total"]["rows"] == 3
    assert description["p50"][1] is None
    hour = describe(*counts.over(NOW, 3600, 60), NOW, 3600, ["yes"])
    assert (hour["step"], hour["rows"][-1], sum(hour["rows"])) == (60, 1, 3)


def test_what_was_decided_and_is_no_class_is_named_after_the_classes() -> None:
    counts = Traffic()
    counts.add(NOW - 7, 0.001, ["reject", "no"], [(), ()])
    description = describe(*counts.over(NOW, 300, 60), NOW, 300, ["no", "yes"])
    assert [item["name"] for item in description["decisions"]] == ["no", "yes", "reject"]


def test_nothing_older_than_an_hour_is_kept() -> None:
    counts = Traffic()
    for at in np.arange(NOW - 10_000, NOW, STEP).tolist():
        counts.add(at, 0.001, ["yes"], [()])
    assert len(counts._counts) <= 3600 // STEP + 1
    assert counts.over(NOW, 3600, 60)[0].rows >= 3600 // STEP


def test_a_log_gives_the_counts_of_what_the_champion_answered() -> None:
    log = Log(
        row(NOW - 8), row(NOW - 8), row(NOW - 7), row(NOW - 6, "no", 0.5), row(NOW - 6, role="shadow"), row(NOW - 5_000)
    )
    counts = Traffic()
    tail = Tail(counts)
    tail.refresh(log.read, NOW)
    whole, _ = counts.over(NOW, 3600, 60)
    assert (whole.requests, whole.rows) == (3, 4)  # two rows at one time are of one request
    assert dict(whole.decisions) == {"yes": 3, "no": 1}
    assert tail.since(NOW) <= NOW - 3590


def test_what_is_known_is_not_read_again_and_what_came_late_is() -> None:
    log = Log(row(NOW - 30))
    counts = Traffic()
    tail = Tail(counts)
    tail.refresh(log.read, NOW)
    log.spans.clear()
    tail.refresh(log.read, NOW + 1)
    assert log.spans == [(NOW - 13, NOW + 2)]
    log.rows.insert(0, row(NOW - 31))  # a store that was away brings a row half a minute later
    for later in range(0, 120, 10):
        tail.refresh(log.read, NOW + later)
    assert counts.over(NOW + 110, 300, 60)[0].rows == 2


def test_a_busy_log_is_read_newest_first_and_the_rest_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "ENOUGH", 0.0)
    log = Log(*(row(NOW - at) for at in range(1, 600, 7)))
    counts = Traffic()
    tail = Tail(counts)
    tail.refresh(log.read, NOW)
    assert log.spans == [(NOW - 58, NOW + 2), (NOW - 118, NOW - 58), (NOW - 178, NOW - 118)]
    assert tail.since(NOW) == NOW - 178
    for later in range(1, 70):
        tail.refresh(log.read, NOW + later / 100)
    assert counts.over(NOW, 3600, 60)[0].rows == len(log.rows)


@given(st.dictionaries(st.integers(359_999_700, 360_000_000), st.floats(1_799_998_000, NOW), max_size=40))
def test_no_step_is_due_twice_and_neighbours_are_read_together(read_at: dict[int, float]) -> None:
    runs = due(read_at, NOW)
    steps = [step for run in runs for step in run]
    assert len(steps) == len({*steps})
    assert all(run == list(range(run[0], run[-1] + 1)) for run in runs)
    assert [run[-1] for run in runs] == sorted((run[-1] for run in runs), reverse=True)
    newest = int(NOW // STEP)
    assert {*range(newest - 719, newest + 1)} - read_at.keys() <= {*steps}


@pytest.mark.parametrize("name", ["age", "it's", 'say "x"', "a: b, c", "long " * 20])
def test_a_warning_is_counted_by_its_column(name: str) -> None:
    from sortal.core.profile import ColumnProfile

    profile = ColumnProfile(name, "number", rows=9, missing=0, distinct=2, ends=(18.0, 60.0))
    (messages,) = OddValues({name: profile}).of({name: np.array([200.0])}, 1)
    assert messages[0] == f"{warned_of(messages[0])}: 200 is above 60, about the largest in training"
