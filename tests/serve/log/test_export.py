"""A span of the log as a file that other commands read, and one such file a day."""

from __future__ import annotations

import os
import stat
import threading
import time
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sortal.core.errors import OptionError, OutputError
from sortal.serve.log import daily, writer
from sortal.serve.log import export as exports
from sortal.serve.log.address import open_store
from sortal.serve.log.daily import DailyExport, check_export, export_days
from sortal.serve.log.days import DAY
from sortal.serve.log.export import export
from sortal.serve.log.records import LabelRecord, PredictionRecord
from sortal.serve.log.store import LogStore
from sortal.serve.log.writer import LogWriter
from tests.conftest import Sortal, TrainedRun

OpenLog = Callable[[str], LogStore]


def prediction(row_id: str, time: float, inputs: dict[str, Any], **others: Any) -> PredictionRecord:
    defaults: dict[str, Any] = {"role": "champion", "prediction": "yes", "decision": "yes", "set": None, "warnings": ()}
    values = {**defaults, **others}
    return PredictionRecord(
        row_id, time, "ab", values["role"], inputs, values["prediction"], (0.25, 0.75), values["decision"], values["set"],
        values["warnings"], 0.5,
    )  # fmt: skip


@pytest.fixture
def small(tmp_path: Path, open_log: OpenLog) -> LogStore:
    return open_log(f"sqlite:///{tmp_path}/served.db")


def test_inputs_are_columns_with_the_label_and_all_else_is_in_one(
    store: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PART", 2)
    store.add_predictions(
        [
            prediction("a", 10.5, {"age": 41, "plan": "basic"}, set=("yes", "no"), warnings=("'age': odd",)),
            prediction("b", 11.0, {"age": 1.5, "plan": None, "new": True}, decision="reject"),
            prediction("b", 11.0, {"age": 1.5}, role="shadow"),
            prediction("c", 12.0, {"age": None}),
            prediction("d", 20.0, {"age": 9}),
        ]
    )
    store.add_labels([LabelRecord("a", "no", 99.0)])
    assert export(store, tmp_path / "x.parquet", 10.0, 20.0, target="churn") == 3
    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert frame.drop("served").to_dict(as_series=False) == {
        "age": [41.0, 1.5, None],
        "plan": ["basic", None, None],
        "new": [None, True, None],
        "churn": ["no", None, None],
    }
    assert frame["served"][0] == {
        "prediction": "yes",
        "decision": "yes",
        "row_id": "a",
        "time": datetime(1970, 1, 1, 0, 0, 10, 500_000, tzinfo=UTC),
        "model": "ab",
        "role": "champion",
        "probabilities": [0.25, 0.75],
        "set": ["yes", "no"],
        "warnings": ["'age': odd"],
        "redacted": [],
        "seconds": 0.5,
        "label_time": datetime(1970, 1, 1, 0, 1, 39, tzinfo=UTC),
    }
    assert frame["served"].struct.field("decision").to_list() == ["yes", "reject", "yes"]
    assert stat.S_IMODE((tmp_path / "x.parquet").stat().st_mode) == 0o600
    assert export(store, tmp_path / "y.parquet", 10.0, 20.0, role="shadow") == 1
    assert export(store, tmp_path / "z.parquet", 30.0) == 0
    assert not (tmp_path / "z.parquet").exists()


def test_a_column_is_one_whichever_form_its_name_has(small: LogStore, tmp_path: Path) -> None:
    """As a service reads them; in two columns each row would lack one."""
    for at, name in enumerate(("größe", unicodedata.normalize("NFD", "größe"), " größe ")):
        small.add_predictions([prediction(f"r{at}", 1.0 + at, {name: at})])
    assert export(small, tmp_path / "x.parquet") == 3
    assert pl.read_parquet(tmp_path / "x.parquet")["größe"].to_list() == [0, 1, 2]


@pytest.mark.parametrize("part", [1, 9], ids=["each in its own part", "all in one"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None, 2], [1, None, 2]),
        ([1, 2.5], [1.0, 2.5]),
        ([2**53 + 1, 7], [2**53 + 1, 7]),
        ([2**53 + 1, 2.5], ["9007199254740993", "2.5"]),
        ([-(2**63), 2**63 - 1], [-(2**63), 2**63 - 1]),
        ([2**63, 1], ["9223372036854775808", "1"]),
        ([True, 1], ["true", "1"]),
        (["a", 1, None], ["a", "1", None]),
        ([[1, "b"], {"c": None}], ['[1,"b"]', '{"c":null}']),
        ([None, None], [None, None]),
        (["\0 ünï", ""], ["\0 ünï", ""]),
    ],
)
def test_a_column_of_several_types_is_text(
    small: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[Any], expected: list[Any], part: int
) -> None:
    monkeypatch.setattr(exports, "PART", part)
    small.add_predictions([prediction(f"r{at}", float(at), {"x": value}) for at, value in enumerate(values)])
    assert export(small, tmp_path / "x.parquet") == len(values)
    assert pl.read_parquet(tmp_path / "x.parquet")["x"].to_list() == expected


names = st.sampled_from(["label", "served", "served_", "i:x", "s:time", "", "time", "a\0b", "row_id"])


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.lists(st.dictionaries(names, st.none() | st.booleans() | st.integers() | st.text(), max_size=4), min_size=1))
def test_any_inputs_can_be_exported(small: LogStore, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    while small.delete_before(1e9):
        pass
    small.add_predictions([prediction(f"r{at}", float(at), inputs) for at, inputs in enumerate(rows)])
    assert export(small, tmp_path / "x.parquet") == len(rows)
    frame = pl.read_parquet(tmp_path / "x.parquet")
    inputs = {name for row in rows for name in row}
    assert inputs < set(frame.columns)
    assert len(frame.columns) == len(inputs) + 2
    for name in inputs:
        kinds = {type(row.get(name)) for row in rows} - {type(None)}
        if kinds in ({str}, {bool}):
            assert frame[name].to_list() == [row.get(name) for row in rows]


def test_other_commands_read_an_export(
    sortal: Sortal, churn_run: TrainedRun, churn: pl.DataFrame, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/served.db")
    rows = churn.head(300)
    store.add_predictions(
        [prediction(f"r{at}", float(at), row) for at, row in enumerate(rows.drop("Churn").iter_rows(named=True))]
    )
    store.add_labels([LabelRecord(f"r{at}", label, 9.0) for at, label in enumerate(rows["Churn"].head(200))])
    (tmp_path / "days").mkdir()
    export(store, tmp_path / "days" / "day.parquet", target="Churn")
    store.close()
    result = sortal("evaluate", churn_run.model, tmp_path / "days" / "day.parquet", "--json")
    assert result.code == 0, result.err
    direct = tmp_path / "direct.csv"
    rows.head(200).write_csv(direct)
    assert result.json["rows"] == 200
    assert result.json["unlabelled"] == 100
    expected = sortal("evaluate", churn_run.model, direct, "--json").json
    assert result.json["comparisons"] == expected["comparisons"]
    audit = sortal("audit", tmp_path / "days" / "day.parquet", "--target", "Churn")
    assert audit.code == 0, audit.err
    assert "served (values of type Struct" in " ".join(audit.out.split())


# One file a day


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "days").mkdir()
    return tmp_path / "days"


def test_each_day_that_is_over_has_a_file_which_late_labels_change(url: str, open_log: OpenLog, folder: Path) -> None:
    store = open_log(url)
    store.add_predictions(
        [prediction(f"r{day}-{at}", day * DAY + at * 1e4, {}) for day in (3, 4, 6) for at in range(3)]
    )
    store.add_predictions([prediction("r4-0", 4 * DAY, {}, role="shadow")])
    write = [folder / name for name in ("1970-01-04.parquet", "shadow/1970-01-05.parquet", "1970-01-05.parquet")]
    assert export_days(url, folder, "y", 6.5 * DAY) == write
    assert [pl.read_parquet(file).height for file in write] == [3, 1, 3]
    assert export_days(url, folder, "y", 6.6 * DAY) == []
    store.add_labels([LabelRecord("r3-1", "yes", 6.7 * DAY), LabelRecord("r6-0", "no", 6.7 * DAY)])
    assert export_days(url, folder, "y", 6.8 * DAY) == [], "labels are brought in once a day"
    assert export_days(url, folder, "y", 7 * DAY + 1) == write[:1], "the new day is not settled yet"
    assert pl.read_parquet(write[0])["y"].to_list() == [None, "yes", None]
    assert export_days(url, folder, "y", 7 * DAY + 601) == [folder / "1970-01-07.parquet"]
    assert pl.read_parquet(folder / "1970-01-07.parquet")["y"].to_list() == ["no", None, None]
    assert export_days(url, folder, "y", 9 * DAY) == []


def test_one_worker_exports(tmp_path: Path, small: LogStore, folder: Path) -> None:
    url = f"sqlite:///{tmp_path}/served.db"
    small.add_predictions([prediction("a", 1.0, {})])
    with daily._alone(folder) as last_look:
        assert last_look == 0.0
        assert export_days(url, folder, "y", 2 * DAY) == []
    assert export_days(url, folder, "y", 2 * DAY) == [folder / "1970-01-01.parquet"]


def test_nothing_is_half_written(
    small: LogStore, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.add_predictions([prediction("a", 1.0, {})])

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exports, "_arrange", fail)
    with pytest.raises(KeyboardInterrupt):
        export(small, folder / "x.parquet")
    assert list(folder.iterdir()) == []


def test_the_service_exports_in_a_process_of_its_own(tmp_path: Path, small: LogStore, folder: Path) -> None:
    small.add_predictions([prediction("a", 1.0, {"age": 4})])
    daily_export = DailyExport(f"sqlite:///{tmp_path}/served.db", folder, "churn")
    daily_export.start()
    end = time.monotonic() + 30
    while not (folder / "1970-01-01.parquet").exists() and time.monotonic() < end:
        time.sleep(0.02)
    daily_export.stop()
    assert pl.read_parquet(folder / "1970-01-01.parquet").columns == ["age", "churn", "served"]


def test_an_export_that_fails_is_told(
    tmp_path: Path, small: LogStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small.add_predictions([prediction("a", 1.0, {})])
    (folder / "1970-01-01.parquet").mkdir()
    (folder / ".exported").touch()
    os.utime(folder / ".exported", (1.0, 1.0))
    small.add_labels([LabelRecord("a", "yes", time.time())])
    daily_export = DailyExport(f"sqlite:///{tmp_path}/served.db", folder, "churn")
    daily_export.start()
    end = time.monotonic() + 30
    while "could not be exported" not in caplog.text and time.monotonic() < end:
        time.sleep(0.02)
    daily_export.stop()
    assert "the log could not be exported: " in caplog.text
    assert "is a folder; give the name of a file" in caplog.text
    assert threading.active_count() < 10


def test_what_cannot_be_exported_is_said_before_a_service_starts(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        check_export("sqlite:///x.db", tmp_path / "none")
    with pytest.raises(OptionError, match="leave out --log none"):
        check_export(None, tmp_path)
    check_export("sqlite:///x.db", tmp_path)


def test_a_day_without_a_file_is_not_deleted(
    tmp_path: Path, small: LogStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETENTION_EVERY", 0.02)
    url = f"sqlite:///{tmp_path}/served.db"
    small.add_predictions([prediction(f"r{day}", day * DAY + 5, {}) for day in (1, 2, 3)])
    export(small, folder / "1970-01-02.parquet", DAY, 2 * DAY)
    log = LogWriter(url, retention=DAY, export=folder)
    end = time.monotonic() + 10
    while log.counts().deleted < 1 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.2)
    assert [row.prediction.row_id for row in small.read()] == ["r2", "r3"]
    export_days(url, folder, "y", time.time())
    while log.counts().deleted < 3 and time.monotonic() < end:
        time.sleep(0.01)
    log.close()
    assert list(small.read()) == []
