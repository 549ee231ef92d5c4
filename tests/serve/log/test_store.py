"""Each store keeps what it is given; all of this is asked of both."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError, OptionError, StoreError
from sortal.serve.log import postgres as postgres_store
from sortal.serve.log import store as stores
from sortal.serve.log.address import open_store
from sortal.serve.log.records import Conflict, LabelReceipt, LabelRecord, PredictionRecord
from sortal.serve.log.rows import row_of
from sortal.serve.log.store import LogStore

OpenLog = Callable[[str], LogStore]


def prediction(row_id: str = "r1", time: float = 100.0, **others: Any) -> PredictionRecord:
    defaults: dict[str, Any] = {
        "model": "ab" * 32,
        "role": "champion",
        "inputs": {"age": 41, "plan": "basic"},
        "prediction": "yes",
        "probabilities": (0.25, 0.75),
        "decision": "yes",
        "set": None,
        "warnings": (),
        "seconds": 0.001,
    }
    return PredictionRecord(row_id=row_id, time=time, **{**defaults, **others})


def rows(store: LogStore, *span: float) -> list[tuple[str, Any]]:
    """Row ids and labels."""
    return [(p.prediction.row_id, p.label and p.label.label) for p in store.read(*span)]


texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
labels = st.text(st.characters(codec="utf-8"), max_size=12) | numbers | st.booleans()
values = st.recursive(
    st.none() | labels, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=6
)
ids = st.text(st.characters(codec="utf-8"), max_size=160) | st.text('"\\\0\x7f\u2028', max_size=8)
finite = st.floats(0, 4e9)
records = st.builds(
    PredictionRecord,
    row_id=ids,
    time=finite,
    model=st.just("f" * 64),
    role=st.sampled_from(["champion", "shadow"]),
    inputs=st.dictionaries(texts, values, max_size=4),
    prediction=labels,
    probabilities=st.lists(st.floats(0, 1), max_size=3).map(tuple),
    decision=labels,
    set=st.none() | st.lists(labels, max_size=3).map(tuple),
    warnings=st.lists(texts, max_size=2).map(tuple),
    seconds=finite,
    redacted=st.lists(texts, max_size=2).map(tuple),
)


def exactly(value: Any) -> str:
    """Apart what == does not tell apart: 1, 1.0 and True, 0.0 and -0.0."""
    return repr(msgspec.to_builtins(value))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(batch=st.lists(records, min_size=1, max_size=4), truth=labels)
@example(
    batch=[PredictionRecord("\0", 1.0, "", "shadow", {"\0": "\0"}, "\0", (), "\0", ("\0",), ("\0",), 0.0)], truth="\0"
)
def test_everything_comes_back_exactly_as_it_went_in(
    store: LogStore, batch: list[PredictionRecord], truth: Any
) -> None:
    while store.delete_before(float("inf")):
        pass
    store.add_predictions(batch)
    label = LabelRecord(batch[0].row_id, truth, 3.25)
    assert store.add_labels([label]) == LabelReceipt(1, 0, 0)
    back = list(store.read())
    assert [exactly(p.prediction) for p in back] == [exactly(r) for r in sorted(batch, key=lambda r: r.time)]
    assert {exactly(p.label) for p in back if p.prediction.row_id == label.row_id} == {exactly(label)}


def test_a_log_is_there_when_it_is_opened_again(url: str, open_log: OpenLog) -> None:
    open_log(url).add_predictions([prediction()])
    assert [p.prediction for p in open_log(url).read()] == [prediction()]


def test_a_span_is_read_by_time_and_a_page_at_a_time(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 2 * stores.PAGE + 1
    times = [float(at * 7 % n // 3) for at in range(n)]  # out of order, three rows each
    store.add_predictions([prediction(f"r{at}", time) for at, time in enumerate(times)])
    back = [p.prediction.time for p in store.read()]
    assert back == sorted(times)
    assert [p.prediction.time for p in store.read(5.0, 7.0)] == [5.0] * 3 + [6.0] * 3
    assert list(store.read(7.0, 7.0)) == []
    assert [p.prediction for p in store.read(5.0, 5.5, inputs=False)] == [
        msgspec.structs.replace(p.prediction, inputs={}) for p in store.read(5.0, 5.5)
    ]


def test_what_was_stored_late_is_read_by_the_order_in_which_it_was_stored(store: LogStore) -> None:
    n = stores.PAGE + 2
    store.add_predictions([prediction("early", 5.0), prediction("new", 50.0)])
    last = max(row[-1] for page in store.pages() for row in page)
    assert list(store.pages_late(last, 60.0)) == []
    store.add_predictions([prediction(f"r{at}", float(n - at) / n) for at in range(n)])
    store.add_predictions([prediction("newer", 60.0), prediction("late", 7.0)])
    store.add_labels([LabelRecord("late", "yes", 70.0)])
    rows_late = [row for page in store.pages_late(last, 60.0) for row in page]
    assert [row[0] for row in rows_late] == [*(f"r{at}" for at in range(n)), "late"]
    assert [(row[12], row[13]) for row in rows_late[-2:]] == [(None, None), ('"yes"', 70.0)]
    assert len({row[-1] for row in rows_late}) == n + 1
    assert list(store.pages_late(rows_late[-1][-1], 60.0)) == []


def test_what_is_known_the_truth_of_is_read_by_model_the_last_label_first(store: LogStore) -> None:
    rows = [prediction(f"r{at}", 10.0 + at) for at in range(6)]
    rows[1] = msgspec.structs.replace(rows[1], model="another")
    rows[2] = msgspec.structs.replace(rows[2], role="shadow")
    second = prediction("r3", 20.0)
    store.add_predictions([*rows, second])
    store.add_labels([LabelRecord(f"r{at}", "yes", 90.0 - at) for at in range(5)])
    back = list(store.labelled(rows[0].model, 10))
    assert [row.prediction for row in back] == [rows[0], second, rows[3], rows[4]]
    assert {row.label.label for row in back if row.label is not None} == {"yes"}
    assert len(list(store.labelled(rows[0].model, 2))) == 2
    assert list(store.labelled("a third", 10)) == []


def test_inputs_can_be_left_in_the_log(store: LogStore) -> None:
    store.add_predictions([prediction("r0")])
    store.add_labels([LabelRecord("r0", "yes", 1.0)])
    without_inputs = msgspec.structs.replace(prediction("r0"), inputs={})
    assert prediction("r0").inputs
    assert [row.prediction for row in store.read(inputs=False)] == [without_inputs]
    assert [row.prediction for row in store.labelled(without_inputs.model, 1, inputs=False)] == [without_inputs]


def test_labels_are_read_by_the_time_they_came(store: LogStore) -> None:
    n = stores.PAGE + 5
    store.add_predictions([prediction(f"r{at}", float(at)) for at in range(n)])
    store.add_predictions([prediction("r0", 9e5, role="shadow")])
    store.add_labels([LabelRecord(f"r{at}", "yes", 1e6 - at) for at in range(n)])
    back = [(row.prediction.row_id, row.label and row.label.time) for row in store.read_labelled()]
    assert back == [*((f"r{at}", 1e6 - at) for at in reversed(range(1, n))), ("r0", 1e6), ("r0", 1e6)]
    assert [row.prediction.row_id for row in store.read_labelled(1e6 - 2, 1e6)] == ["r2", "r1"]
    assert [row.prediction.inputs for row in store.read_labelled(1e6 - 1, 1e6)] == [{}]
    assert list(store.read_labelled(2e6)) == []


def test_a_label_may_come_before_its_prediction_after_it_and_again(store: LogStore) -> None:
    early = [LabelRecord("a", "yes", 1.0), LabelRecord("b", "no", 1.0)]
    assert store.add_labels(early) == LabelReceipt(2, 0, 2)
    store.add_predictions([prediction("b", 2.0), prediction("a", 3.0), prediction("c", 4.0)])
    late = [LabelRecord("c", "no", 9.0), LabelRecord("a", "yes", 9.0), LabelRecord("d", "no", 9.0)]
    assert store.add_labels(late) == LabelReceipt(2, 1, 1)
    assert rows(store) == [("b", "no"), ("a", "yes"), ("c", "no")]
    assert [p.label.time for p in store.read() if p.label] == [1.0, 1.0, 9.0], "a repeated label changes nothing"


def test_of_labels_that_contradict_each_other_the_first_stays(store: LogStore) -> None:
    store.add_labels([LabelRecord("a", "yes", 1.0)])
    label_records = [
        LabelRecord(*values) for values in [("a", "no", 2.0), ("b", 1, 2.0), ("b", 1.0, 2.0), ("b", True, 2.0)]
    ]
    receipt = LabelReceipt(1, 1, 1, (Conflict("a", "yes", "no"), Conflict("b", 1, True)))
    assert store.add_labels(label_records) == receipt
    store.add_predictions([prediction("a"), prediction("b")])
    assert rows(store) == [("a", "yes"), ("b", 1)]


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    groups=st.lists(
        st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["yes", "no"])), max_size=120), min_size=1, max_size=3
    )
)
@example(groups=[[(at % 80, "yes") for at in range(99, -1, -1)], [(at, "no") for at in range(100)]])
def test_labels_at_once_become_what_they_would_one_by_one(store: LogStore, groups: list[list[tuple[int, str]]]) -> None:
    while store.delete_before(float("inf")):
        pass
    predicted = [f"r{at}" for at in range(0, 100, 3)]
    store.add_predictions([prediction(row_id) for row_id in predicted])
    known_labels: dict[str, str] = {}
    receipts = []
    for group in groups:
        new, repeated, unmatched, conflicts = 0, 0, 0, []
        for row_id, label in [(f"r{at}", label) for at, label in group]:
            if row_id not in known_labels:
                known_labels[row_id] = label
                new += 1
                unmatched += row_id not in predicted
            elif known_labels[row_id] == label:
                repeated += 1
            else:
                conflicts.append(Conflict(row_id, known_labels[row_id], label))
        receipts.append(LabelReceipt(new, repeated, unmatched, tuple(conflicts)))
    records = [[LabelRecord(f"r{at}", label, 1.0) for at, label in group] for group in groups]
    first, others = store.add_label_groups(records[:1]), store.add_label_groups(records[1:])
    assert [*first, *others] == receipts
    assert rows(store) == [(row_id, known_labels.get(row_id)) for row_id in predicted]


def test_a_label_belongs_to_every_prediction_of_its_row(store: LogStore) -> None:
    predictions = [prediction("a", 1.0), prediction("a", 2.0, role="shadow"), prediction("a", 3.0)]
    store.add_predictions(predictions)
    assert store.add_labels([LabelRecord("a", "no", 4.0)]) == LabelReceipt(1, 0, 0)
    assert [p.label and p.label.label for p in store.read()] == ["no", "no", "no"]


def test_no_labels_and_no_predictions(store: LogStore) -> None:
    store.add_predictions([])
    assert store.add_labels([]) == LabelReceipt(0, 0, 0)
    assert rows(store) == []
    assert store.delete_before(1e10) == 0


def test_two_workers_with_the_same_labels(url: str, open_log: OpenLog) -> None:
    """Each row gets one of the two labels, which the other worker is told of."""
    names = [f"r{at}" for at in range(3_000)]
    receipts: dict[str, LabelReceipt] = {}
    start = threading.Barrier(2)

    def send(label: str, order: list[str]) -> None:
        worker = open_log(url)
        start.wait()
        receipts[label] = worker.add_labels([LabelRecord(name, label, 1.0) for name in order])

    threads = [threading.Thread(target=send, args=args) for args in [("yes", names), ("no", names[::-1])]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.new + len(r.conflicts) for r in receipts.values()) == [3_000, 3_000]
    assert receipts["yes"].new + receipts["no"].new == 3_000
    store = open_log(url)
    store.add_predictions([prediction(name) for name in names])
    stored_labels = [label for _, label in rows(store)]
    assert {label: stored_labels.count(label) for label in receipts} == {label: r.new for label, r in receipts.items()}


def test_old_predictions_go_with_their_labels(store: LogStore) -> None:
    store.add_predictions([prediction(f"r{at}", float(at)) for at in range(10)])
    store.add_predictions([prediction("r0", 8.0)])
    store.add_labels([LabelRecord(f"r{at}", "yes", 50.0) for at in range(10)])
    store.add_labels([LabelRecord("lost", "yes", 4.0), LabelRecord("young", "yes", 5.0)])
    assert store.delete_before(5.0, most=3) == 3 + 2 + 1  # r0 to r2, but the label of r0, and the lost one
    assert store.delete_before(5.0) == 2 + 2
    assert store.delete_before(5.0) == 0
    assert rows(store) == [(f"r{at}", "yes") for at in (5, 6, 7, 8, 0, 9)]
    assert store.add_labels([LabelRecord("r3", "no", 60.0), LabelRecord("young", "no", 60.0)]) == LabelReceipt(
        1, 0, 1, (Conflict("young", "yes", "no"),)
    )


@pytest.mark.parametrize("row_id", ["x" * 1_025, "\ud800", "\0" * 200], ids=["long", "half", "escaped"])
def test_a_row_id_that_no_store_could_hold_is_refused(store: LogStore, row_id: str) -> None:
    with pytest.raises(DataError, match="row id"):
        store.add_predictions([prediction(row_id)])
    with pytest.raises(DataError, match="row id"):
        store.add_labels([LabelRecord(row_id, "yes", 1.0)])
    store.add_predictions([prediction("x" * 1_024)])
    assert rows(store) == [("x" * 1_024, None)]


def test_half_a_character_is_refused(store: LogStore) -> None:
    with pytest.raises(DataError, match="half a character"):
        store.add_predictions([prediction(inputs={"name": "\ud800"})])
    with pytest.raises(DataError, match="half a character"):
        store.add_labels([LabelRecord("a", "\ud800", 1.0)])


def test_many_stores_open_a_new_log_at_once(url: str, open_log: OpenLog) -> None:
    failures: list[StoreError] = []
    start = threading.Barrier(6)

    def work(at: int) -> None:
        start.wait()
        try:
            open_log(url).add_predictions([prediction(f"r{at}", float(at))])
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [row_id for row_id, _ in rows(open_log(url))] == [f"r{at}" for at in range(6)]


def test_a_new_file_waits_for_who_writes_to_it(tmp_path: Path) -> None:
    """SQLite itself does not, where the file gets its write-ahead log."""
    with closing(sqlite3.connect(tmp_path / "served.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        ending = threading.Timer(0.2, lambda: other.execute("COMMIT"))
        ending.start()
        open_store(f"sqlite:///{tmp_path}/served.db").close()
        ending.join()


def test_a_log_of_a_newer_sortal_is_refused(url: str, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch) -> None:
    open_log(url).add_predictions([prediction()])
    monkeypatch.setattr(stores, "PROTOCOL", 0)
    with pytest.raises(StoreError, match="is of protocol 1, and this sortal knows 0; update sortal"):
        open_store(url)


@pytest.mark.parametrize("url", ["served.db", "sqlite://served.db", "sqlite:///", "mysql://h/d", "postgresql:d", ""])
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(OptionError, match=r"sqlite:///FILE\.db or postgresql://USER@HOST/DATABASE"):
        open_store(url)


def test_labels_are_read_by_the_time_they_came_a_page_at_a_time(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many of one time, as those of a file have, and pages of labels without a prediction."""
    n = 3 * stores.PAGE
    store.add_predictions([prediction(f"r{at}", float(at)) for at in range(n)][2 * stores.PAGE :])
    store.add_predictions([prediction(f"r{n - 1}", 5.0, role="shadow")])
    store.add_labels([LabelRecord(f"r{at:04}", "yes", 7.0) for at in range(n)])
    store.add_labels([LabelRecord("r0", "no", 6.0)])
    pairs = [(p.prediction.row_id, p.prediction.role) for p in store.read_labelled(7.0)]
    assert pairs == [
        *((f"r{at}", "champion") for at in range(2 * stores.PAGE, n)),
        (f"r{n - 1}", "shadow"),
    ]
    assert list(store.read_labelled(0.0, 7.0)) == []


# SQLite alone


def test_a_relative_path_has_three_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_log: OpenLog) -> None:
    monkeypatch.chdir(tmp_path)
    open_log("sqlite:///served.db")
    assert (tmp_path / "served.db").is_file()
    assert stat.S_IMODE((tmp_path / "served.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"a,b\n1,2\n" * 99, b"SQLite format 3\0 and then nothing of it"])
def test_a_file_that_is_no_database_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"rows\.csv' cannot be used: file is not a database"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE predictions (x)")
    with pytest.raises(StoreError, match="is a database of something else; give the log a file of its own"):
        open_store(f"sqlite:///{tmp_path}/other.db")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"served\.db' cannot be used: No such file or directory"):
        open_store(f"sqlite:///{tmp_path}/none/served.db")


def test_a_file_that_was_removed_is_made_again(tmp_path: Path, open_log: OpenLog) -> None:
    """Writing to a file without a name would lose every row in silence."""
    url = f"sqlite:///{tmp_path}/served.db"
    store = open_log(url)
    store.add_predictions([prediction("before")])
    for path in tmp_path.iterdir():
        path.unlink()
    store.add_predictions([prediction("after")])
    assert rows(open_log(url)) == [("after", None)]


def test_what_was_deleted_is_not_in_the_file(tmp_path: Path, open_log: OpenLog) -> None:
    store = open_log(f"sqlite:///{tmp_path}/served.db")
    store.add_predictions([prediction(f"r{at}", float(at), inputs={"name": f"jane{at}"}) for at in range(200)])
    assert store.delete_before(150.0) == 150
    store.close()
    content = (tmp_path / "served.db").read_bytes()
    assert b"jane199" in content
    assert not any(b'"jane%d"' % at in content for at in range(150))


def test_a_writer_that_waits_too_long_is_an_error_that_passes(
    tmp_path: Path, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sortal.serve.log.sqlite.PATIENCE", 0.05)
    store = open_log(f"sqlite:///{tmp_path}/served.db")
    other = sqlite3.connect(tmp_path / "served.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="database is locked"):
        store.add_predictions([prediction()])
    other.close()
    store.add_predictions([prediction()])
    assert len(rows(store)) == 1


# PostgreSQL alone


def test_a_connection_that_broke_is_made_again(postgres_url: str, open_log: OpenLog) -> None:
    store = open_log(postgres_url)
    store.add_predictions([prediction("before", 1.0)])
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sortal'")
    with pytest.raises(StoreError, match="cannot be used"):
        store.add_predictions([prediction("lost", 2.0)])
    store.add_predictions([prediction("after", 3.0)])
    assert rows(store) == [("before", None), ("after", None)]


def add_again(store: LogStore, batch: list[Any]) -> None:
    """As the writer does: again and again while the server still works on what was sent before."""
    for _ in range(100):
        try:
            return store.add_rows(batch)
        except StoreError as error:
            if "still works on what was sent before" not in str(error):
                raise
            time.sleep(0.05)
    raise AssertionError("the server has not ended in five seconds what a closed connection had begun")


@pytest.mark.parametrize("is_committed", [True, False])
def test_rows_whose_commit_nobody_heard_of_are_stored_once(
    postgres_url: str, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    """The connection breaks just before or just after the server has committed; the writer tries again."""
    store = open_log(postgres_url)
    assert isinstance(store, postgres_store.PostgresStore)
    connection = store._connect()
    commit = psycopg.transaction.Transaction.__exit__
    attempts = count()

    def broken_exit(self: Any, *error: Any) -> Any:
        if next(attempts):
            return commit(self, *error)
        if is_committed:
            commit(self, *error)
        connection.close()
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(psycopg.transaction.Transaction, "__exit__", broken_exit)
    batch = [row_of(prediction("a")), row_of(prediction("b"))]
    with pytest.raises(StoreError, match="the connection is lost"):
        store.add_rows(batch)
    add_again(store, batch)
    assert [row_id for row_id, _ in rows(store)] == ["a", "b"]
    store.add_rows(batch)
    assert len(rows(store)) == 4, "what is known to be stored may be stored again"


def test_a_database_of_another_table_of_that_name(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE sortal_predictions (x int)")
    with pytest.raises(StoreError, match="has a table 'sortal_predictions' of something else"):
        open_store(postgres_url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@127.0.0.1:1/x",
        "postgresql://me:hunter2%zz@127.0.0.1/x",
        "postgresql://me:1/hunter2@127.0.0.1/x",
        "postgresql://me:h#hunter2@127.0.0.1/x",
        "postgresql://me:hunter2",
        "postgresql://127.0.0.1:1/x?user=me&password=hunter2",
        "postgresql://me:hunter2@nowhere.invalid/x",
    ],
)
def test_no_message_holds_a_password(url: str) -> None:
    with pytest.raises(StoreError) as excinfo:
        open_store(url)
    assert "cannot be used" in str(excinfo.value)
    assert "hunter2" not in str(excinfo.value)
    assert excinfo.value.__cause__ is None


def test_without_psycopg_a_sentence_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from sortal.serve.log.address import open_store\n"
        "try: open_store('postgresql://h/d')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert process.stdout == "OptionError a log in PostgreSQL needs psycopg: pip install 'sortal[postgres]'\n"
