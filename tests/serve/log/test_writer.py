"""What was taken is stored: in batches, after the store was away, at the end, and never in silence not."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.core.errors import DataError, StoreError
from sortal.serve.log import writer as writers
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelReceipt, LabelRecord, PredictionRecord, redact
from sortal.serve.log.rows import Row, row_of
from sortal.serve.log.sqlite import SqliteStore
from sortal.serve.log.store import LogStore
from sortal.serve.log.writer import LogWriter

OpenLog = Callable[[str], LogStore]
Start = Callable[..., LogWriter]


def prediction(row_id: str, **others: Any) -> PredictionRecord:
    defaults: dict[str, Any] = {"time": 100.0, "inputs": {"age": 41}, "warnings": ()}
    values = {**defaults, **others}
    return PredictionRecord(
        row_id,
        values["time"],
        "ab",
        "champion",
        values["inputs"],
        "yes",
        (0.2, 0.8),
        "yes",
        None,
        values["warnings"],
        0.1,
    )


@pytest.fixture
def start() -> Iterator[Start]:
    """A writer, closed when the test ends."""
    log_writers: list[LogWriter] = []

    def begin(*arguments: Any, **options: Any) -> LogWriter:
        log_writers.append(LogWriter(*arguments, **options))
        return log_writers[-1]

    yield begin
    for writer in log_writers:
        writer.close(0.2)


class Away(SqliteStore):
    """A file that cannot be written to while ``away``, and counts its transactions."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.away, self.batches = False, list[int]()

    def add_rows(self, rows: Any) -> None:
        self._or_fail()
        super().add_rows(rows)
        self.batches.append(len(rows))

    def _insert_labels(self, rows: Any) -> Any:
        self._or_fail()
        return super()._insert_labels(rows)

    def _or_fail(self) -> None:
        if self.away:
            raise StoreError("the disk is full")


@pytest.fixture
def away(tmp_path: Path) -> Away:
    return Away(tmp_path / "served.db")


def row_ids(store: LogStore) -> list[str]:
    return [p.prediction.row_id for p in store.read()]


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.clock
def test_what_was_taken_is_there_within_a_second(url: str, start: Start, open_log: OpenLog) -> None:
    writer, store = start(url), open_log(url)
    start_time = time.monotonic()
    for at in range(50):
        writer.put([prediction(f"r{at}", time=float(at))])
    wait_until(lambda: len(row_ids(store)) == 50)
    assert time.monotonic() - start_time < 1
    assert row_ids(store) == [f"r{at}" for at in range(50)]
    wait_until(lambda: writer.counts().written == 50)
    assert writer.counts().queued == writer.counts().queued_bytes == writer.counts().waiting_seconds == 0


def test_rows_of_many_requests_share_a_transaction(away: Away, start: Start) -> None:
    writer = start(away)
    for at in range(20):
        writer.put([prediction(f"a{at}"), prediction(f"b{at}")])
    writer.flush()
    assert len(away.batches) <= 2
    assert sum(away.batches) == 40
    writer.put([prediction(f"c{at}") for at in range(writers.BATCH + 10)])
    writer.put([prediction("d")])
    writer.flush()
    assert away.batches[-2:] == [writers.BATCH + 10, 1], "a request is one transaction"


@pytest.mark.clock
def test_labels_follow_the_predictions_that_were_taken_before(url: str, start: Start) -> None:
    writer = start(url)
    writer.put([prediction("a"), prediction("b")])
    start_time = time.monotonic()
    receipts = [writer.labels([LabelRecord("a", "yes", 1.0), LabelRecord("c", "no", 1.0)])]
    receipts.append(writer.labels([LabelRecord("a", "no", 2.0), LabelRecord("b", "no", 2.0)]))
    assert receipts[0].result(5) == LabelReceipt(2, 0, 1)
    second = receipts[1].result(5)
    assert (second.new, second.repeated, second.unmatched) == (1, 0, 0)
    assert [(c.row_id, c.known, c.given) for c in second.conflicts] == [("a", "yes", "no")]
    assert time.monotonic() - start_time < 1
    assert writer.counts().labelled == 3


def test_the_same_record_twice_in_a_request_is_new_once(url: str, start: Start) -> None:
    label = LabelRecord("a", "yes", 1.0)
    assert start(url).labels([label, label]).result(5) == LabelReceipt(1, 1, 1)


def test_a_receipt_that_nobody_waits_for_any_more_stops_nothing(away: Away, start: Start) -> None:
    writer = start(away)
    away.away = True
    receipt = writer.labels([LabelRecord("a", "yes", 1.0)])
    assert receipt.cancel()
    away.away = False
    assert writer.labels([LabelRecord("b", "yes", 1.0)]).result(5).new == 1


def test_a_store_that_was_away_gets_everything_once_and_in_order(
    away: Away, start: Start, open_log: OpenLog, caplog: pytest.LogCaptureFixture
) -> None:
    writer = start(away)
    away.away = True
    for at in range(30):
        writer.put([prediction(f"r{at}", time=float(at))])
    wait_until(lambda: writer.counts().failures >= 3)
    counts = writer.counts()
    assert (counts.queued, counts.written) == (30, 0)
    assert 0.1 < counts.waiting_seconds < 10
    assert counts.queued_bytes >= 30 * 600
    away.away = False
    writer.flush()
    assert row_ids(away) == [f"r{at}" for at in range(30)]
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["the disk is full; what comes waits", "the log is stored again"], (
        "said once, not at each attempt"
    )


def test_a_mistake_of_a_store_loses_nothing(away: Away, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = start(away)
    errors = iter([TypeError("a bug"), KeyError("another")])
    add = away.add_rows

    def add_rows(rows: Any) -> None:
        for error in errors:
            raise error
        add(rows)

    monkeypatch.setattr(away, "add_rows", add_rows)
    writer.put([prediction("a")])
    writer.flush()
    assert row_ids(away) == ["a"]
    assert writer.counts().failures == 2


def test_where_there_is_no_room_new_rows_are_refused_and_none_of_a_request_is_kept(away: Away, start: Start) -> None:
    writer = start(away, bound=10_000)
    away.away = True
    n_pairs = 0
    with suppress(StoreError):
        while n_pairs < 100:
            writer.put([prediction(f"a{n_pairs}"), prediction(f"b{n_pairs}")])
            n_pairs += 1
    assert 3 <= n_pairs <= 9
    with pytest.raises(StoreError, match="the log has no room"):
        writer.put([prediction("a"), prediction("b")])
    with pytest.raises(StoreError, match="the log has no room"):
        writer.put([prediction("large", inputs={"text": "x" * 9_000})])
    with pytest.raises(StoreError, match="the log has no room"):
        writer.labels([LabelRecord(f"r{at}", "yes", 1.0) for at in range(100)])
    assert writer.counts().refused == 5
    away.away = False
    writer.flush()
    assert sorted(row_ids(away)) == sorted([f"{half}{at}" for at in range(n_pairs) for half in "ab"])
    writer.put([prediction("again")])


def test_labels_that_cannot_be_stored_are_given_back(away: Away, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "LABEL_PATIENCE", 0.2)
    writer = start(away)
    away.away = True
    writer.put([prediction("a")])
    receipt: Future[LabelReceipt] = writer.labels([LabelRecord("a", "yes", 1.0)])
    with pytest.raises(StoreError, match="the disk is full"):
        receipt.result(5)
    away.away = False
    assert writer.labels([LabelRecord("a", "yes", 1.0)]).result(5) == LabelReceipt(1, 0, 0)
    assert writer.counts().queued_bytes == 0


def test_what_no_store_could_hold_is_refused_at_once(away: Away, start: Start) -> None:
    writer = start(away)
    with pytest.raises(DataError, match="half a character"):
        writer.put([prediction("fine"), prediction("bad", inputs={"x": "\ud800"})])
    with pytest.raises(DataError, match="a row id has at most 1,024 bytes"):
        writer.labels([LabelRecord("x" * 2_000, "yes", 1.0)])
    writer.flush()
    assert row_ids(away) == []
    assert writer.counts().queued_bytes == 0


def test_closing_stores_what_was_taken_and_takes_no_more(url: str, start: Start, open_log: OpenLog) -> None:
    writer = start(url)
    for at in range(300):
        writer.put([prediction(f"r{at}", time=float(at))])
    label = writer.labels([LabelRecord("r1", "yes", 1.0)])
    assert writer.close() == 0
    assert label.result(0).new == 1
    assert len(row_ids(open_log(url))) == 300
    for attempt in (lambda: writer.put([prediction("late")]), lambda: writer.labels([])):
        with pytest.raises(StoreError, match="the log is being closed"):
            attempt()
    assert writer.close() == 0


@pytest.mark.clock
def test_closing_while_the_store_is_away_says_what_is_lost(
    away: Away, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    writer = start(away)
    away.away = True
    writer.put([prediction("a"), prediction("b")])
    label = writer.labels([LabelRecord("a", "yes", 1.0)])
    start_time = time.monotonic()
    assert writer.close(0.3) == 2
    assert time.monotonic() - start_time < 1
    assert "2 rows could not be stored before the end" in caplog.text
    with pytest.raises(StoreError):
        label.result(0)


def test_flushing_a_store_that_is_away_says_so(away: Away, start: Start) -> None:
    writer = start(away)
    away.away = True
    writer.put([prediction("a")])
    with pytest.raises(StoreError, match="1 rows still wait for the log"):
        writer.flush(0.1)


def test_what_is_redacted_reaches_no_store_and_no_message(
    tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    writer = start(f"sqlite:///{tmp_path}/served.db", redact=["email", "phone's", "a"])
    inputs = {"age": 41, "email": "jane@example.org", "phone's": None}
    warnings = ("'email': 'jane@example.org' was never seen in training", "'age': 41 is above 40")
    writer.put([prediction("a", inputs=inputs, warnings=warnings)])
    writer.flush()
    (row,) = open_store(f"sqlite:///{tmp_path}/served.db").read()
    assert row.prediction.inputs == {"age": 41}
    assert row.prediction.redacted == ("email", "phone's")
    assert row.prediction.warnings == ("'email': a warning, redacted", "'age': 41 is above 40")
    assert all(b"jane" not in path.read_bytes() for path in tmp_path.iterdir())
    assert "jane" not in caplog.text


@given(st.sampled_from(["größe", "e-mail", "Nom de l'été"]), st.sampled_from(["", " ", "\ufeff", "\t", "\u00a0"]))
def test_a_field_is_redacted_whichever_form_its_name_has(name: str, around: str) -> None:
    """A service reads all of them as the same column, and so none of them is to be stored."""
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        sent_name = f"{around}{unicodedata.normalize(form, name)}{around}"
        record = redact(prediction("a", inputs={"age": 41, sent_name: "secret"}), {name, "other"})
        assert (dict(record.inputs), record.redacted) == ({"age": 41}, (name,))


def test_a_warning_of_a_long_name_is_redacted_too() -> None:
    from sortal.core.raw import short_repr

    for name in ("n" * 80, 'it\'s "quoted" and long\n' * 3, "\0" * 30):
        record = prediction("a", inputs={name: "secret"}, warnings=(f"{short_repr(name)}: secret was never seen",))
        assert "secret" not in repr(redact(record, {name}))


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_a_clock_that_jumps_stops_nothing_and_deletes_nothing(
    away: Away, start: Start, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    monkeypatch.setattr(writers, "RETENTION_EVERY", 0.02)
    now = time.time()
    writer = start(away, retention=86_400.0)
    writer.put([prediction("before", time=now)])
    writer.flush()
    monkeypatch.setattr(time, "time", lambda: now + jump)
    writer.put([prediction("after", time=now + jump)])
    wait_until(lambda: writer.counts().written == 2)
    time.sleep(0.1)
    assert "before" in row_ids(away)


def test_retention_deletes_what_is_too_old_and_nothing_else(
    url: str, start: Start, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, store = time.time(), open_log(url)
    old = [prediction(f"old{at}", time=now - 100 - at) for at in range(2_500)]
    store.add_predictions([*old, prediction("young", time=now - 50)])
    store.add_labels([LabelRecord("old7", "yes", now), LabelRecord("young", "yes", now)])
    writer = start(url, retention=90.0)
    wait_until(lambda: writer.counts().deleted >= 2_501)
    assert row_ids(store) == ["young"]
    assert store.add_labels([LabelRecord("old7", "yes", 1.0), LabelRecord("young", "yes", 1.0)]) == LabelReceipt(
        1, 1, 1
    )
    assert writer.counts().deleted == 2_501


LOAD = """
import json, os, signal, sys, threading, time
from sortal.serve.log.records import PredictionRecord
from sortal.serve.log.writer import LogWriter

writer = LogWriter(sys.argv[1])
if sys.argv[2] == "exit":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
n = 0
while True:
    writer.put([PredictionRecord(f"r{n}", time.time(), "ab", "champion", {"n": n}, "a", (1.0,), "a", None, (), 0.0)])
    n += 1
    os.write(1, b"%d %f\\n" % (n, time.monotonic()))
    time.sleep(0.0005)
"""


@pytest.mark.clock
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_ends_loses_nothing_and_one_that_is_killed_less_than_a_second(
    tmp_path: Path, open_log: OpenLog, end: signal.Signals
) -> None:
    url = f"sqlite:///{tmp_path}/served.db"
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", LOAD, url, "exit"], stdout=file, env=os.environ)
        wait_until(lambda: out.stat().st_size > 8_000)
        process.send_signal(end)
        process.wait(20)
    lines = out.read_bytes().split(b"\n")
    times = [float(line.split()[1]) for line in lines if line.count(b" ") == 1 and line.count(b".") == 1]
    n_stored = len(row_ids(open_log(url)))
    if end is signal.SIGTERM:
        assert n_stored - len(times) in (0, 1), "the last one may have been taken and not counted"
    else:
        missing = times[n_stored:]
        assert not missing or times[-1] - missing[0] < 1


def test_many_processes_write_to_one_file(tmp_path: Path, open_log: OpenLog) -> None:
    url = f"sqlite:///{tmp_path}/served.db"
    code = LOAD.replace("while True:", "while n < 400:").replace('f"r{n}"', 'f"{os.getpid()}-{n}"')
    processes = [
        subprocess.Popen([sys.executable, "-c", code, url, "exit"], stdout=subprocess.DEVNULL) for _ in range(3)
    ]
    assert [process.wait(30) for process in processes] == [0, 0, 0]
    assert len(set(row_ids(open_log(url)))) == 1_200


def test_a_full_disk_and_room_again(tmp_path: Path, start: Start) -> None:
    """SQLite's own limit of pages stands in for the disk here; ``bench loss`` fills a real file system."""
    store = SqliteStore(tmp_path / "served.db")
    store._connection.execute("PRAGMA max_page_count = 20")
    writer = start(store)
    for at in range(40):
        writer.put([prediction(f"r{at}", time=float(at), inputs={"text": "x" * 4_000})])
    wait_until(lambda: writer.counts().failures >= 2)
    with sqlite3.connect(tmp_path / "served.db") as other:
        assert other.execute("SELECT count(*) FROM predictions").fetchone()[0] == 0
    store._connection.execute("PRAGMA max_page_count = 1000000")
    writer.flush()
    assert row_ids(store) == [f"r{at}" for at in range(40)]


@pytest.mark.clock
def test_a_row_takes_microseconds(away: Away, start: Start) -> None:
    """With room for a busy machine; ``bench labels`` measures it."""
    writer = start(away)
    inputs = {f"column{at}": at / 7 for at in range(20)}
    records = [prediction(f"r{at}", inputs=inputs) for at in range(1_000)]
    rows: list[Row] = [row_of(record) for record in records]
    assert json.loads(rows[0][4]) == inputs
    start_time = time.process_time()
    for record in records:
        writer.put([record])
    assert time.process_time() - start_time < 0.2
