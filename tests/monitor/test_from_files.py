"""Rows in files are counted as those of a log: the same rows give the same figures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.cli import main
from sortal.core.profile import ColumnProfile
from sortal.core.reliability import Reliability
from sortal.core.task import Capacity
from sortal.decide.policy import Decision
from sortal.evaluation import evaluate
from sortal.monitor.state import DAY
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelRecord, PredictionRecord
from tests.monitor.test_watch import a_model

START = 20_500 * DAY
DAYS, A_DAY = 12, 40


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file in a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    scores = ColumnProfile(
        "yes", "number", rows=100, missing=0, distinct=100, quantiles=(0.4, 0.6, 0.7), reached=(10, 50, 100)
    )
    reliable = Reliability((0.5,), (50, 50), (10.0, 35.0), (10, 35))
    a_model(scores={"yes": scores}, reliability={"yes": reliable}).save("m.sortal")
    return Path("m.sortal")


def rows() -> pl.DataFrame:
    """Twelve days; from the ninth on all plans are new ones."""
    rng = np.random.default_rng(0)
    n = DAYS * A_DAY
    day = np.arange(n) // A_DAY
    plan = np.where(day < 8, rng.choice(["basic", "pro"], n), "gold")
    x = rng.choice([2.0, 4.5, 7.25, 20.0], n)
    return pl.DataFrame(
        {
            "x": pl.Series([None if at % 11 == 0 else value for at, value in enumerate(x.tolist())]),
            "plan": plan,
            "y": pl.Series([None if at % 3 == 0 else "yes" if at % 2 else "no" for at in range(n)]),
            "at": [datetime.fromtimestamp(START + at * DAY / A_DAY, UTC).replace(tzinfo=None) for at in range(n)],
        }
    )


def log_of(frame: pl.DataFrame, file: Path) -> str:
    """The address of a log of a service that answered these rows."""
    import sortal

    model, sha256 = sortal.load(file), hashlib.sha256(file.read_bytes()).hexdigest()
    store, url = open_store("sqlite:///served.db"), "sqlite:///served.db"
    for at, row in enumerate(frame.to_dicts()):
        time, label = row.pop("at").replace(tzinfo=UTC).timestamp(), row.pop("y")
        answer = model.answer(row, warnings=True)
        decision, warnings = answer.decisions.tolist()[0], tuple(answer.warnings[0]) if answer.warnings else ()
        probability = tuple(answer.probabilities[0].tolist())
        common = (decision, probability, decision, None, warnings, 0.001)
        store.add_predictions([PredictionRecord(f"r{at}", time, sha256, "champion", row, *common)])
        if label is not None:
            store.add_labels([LabelRecord(f"r{at}", label, time + 60)])
    store.close()
    return url


def monitor(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = 0
    try:
        main(["monitor", "m.sortal", *arguments, "--json"])
    except SystemExit as exit_error:
        code = int(str(exit_error.code or 0))
    return code, json.loads(capsys.readouterr().out)


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as exit_info:
        main(["monitor", "m.sortal", *arguments])
    assert exit_info.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def figures(status: dict[str, Any]) -> dict[str, Any]:
    """All but what a service alone knows: how long an answer took, and when somebody looked."""
    days = [{name: day[name] for name in ("date", "rows", "warned")} for day in status["traffic"]]
    alarms = [{name: alarm[name] for name in ("what", "since", "message")} for alarm in status["alarms"]]
    same = ("days", "rows", "warned", "columns", "losses", "periods", "kind", "unestimated")
    return {name: status[name] for name in same} | {"traffic": days, "alarms": alarms}


def test_the_same_rows_give_the_same_figures(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = rows()
    code, by_log = monitor(["--log", log_of(frame, model)], capsys)
    assert (code, by_log["rows"], by_log["seconds"]) == (3, DAYS * A_DAY, pytest.approx(0.001))
    assert [alarm["what"] for alarm in by_log["alarms"]] == ["plan", "errors"]
    frame.write_csv("rows.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    frame[:300].write_parquet("first.parquet")
    frame[300:].write_parquet("second.parquet")
    for files in (["rows.csv"], ["first.parquet", "second.parquet"]):
        code, by_files = monitor([*files, "--time", "at"], capsys)
        assert code == 3
        assert figures(by_files) == figures(by_log)
        assert by_files["seconds"] is None
    assert len(list(Path().glob("monitor-*.json"))) == 1, "of files nothing is kept"


def test_labels_of_no_class_count_for_themselves_by_every_door(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures are those of the other labels, in a file as in a log, and so has ``sortal evaluate`` them."""
    frame = rows()[: 6 * A_DAY]
    label = pl.when(pl.int_range(pl.len()) % 7 == 1).then(pl.lit("maybe")).otherwise("y").alias("y")
    strange, without = frame.with_columns(label), frame.with_columns(label.replace({"maybe": None}))
    count = int((strange["y"] == "maybe").sum())
    strange.write_parquet("rows.parquet")
    without.write_parquet("without.parquet")
    by_log = monitor(["--log", log_of(strange, model)], capsys)[1]
    by_file, expected = (monitor([f"{name}.parquet", "--time", "at"], capsys)[1] for name in ("rows", "without"))
    note = f"{count} rows are of no class of the model (such as 'maybe'): no figure counts them"
    for status in (by_log, by_file):
        assert status["of_no_class"] == count
        assert status["note"].startswith(note)
        assert figures(status) == figures(expected)
    assert by_log["labels"]["evaluation"]["of_no_class"] == evaluate(model, ["rows.parquet"]).of_no_class == count
    assert any(text.startswith(note) for text in by_log["labels"]["evaluation"]["notes"])
    with pytest.raises(SystemExit):
        main(["monitor", "m.sortal", "rows.parquet", "--time", "at", "--report", "m.html"])
    assert f"labels     {note}" in capsys.readouterr().out
    assert "of no class of the model" in Path("m.html").read_text("utf-8")


def test_files_need_not_be_in_the_order_of_time(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = rows()
    frame[300:].write_parquet("a-late.parquet")
    frame[:300].write_parquet("b-early.parquet")
    status = monitor(["a-late.parquet", "b-early.parquet", "--time", "at"], capsys)[1]
    assert [day["rows"] for day in status["traffic"]] == [A_DAY] * DAYS
    assert status["periods"][0]["date"] == status["traffic"][0]["date"] == "2026-02-16"
    assert sum(period["figures"][0]["labelled"] for period in status["periods"]) == frame["y"].count()


def test_with_a_state_rows_are_counted_once(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = rows()
    frame[:300].write_parquet("first.parquet")
    frame.write_parquet("all.parquet")
    status_of_all = monitor(["all.parquet", "--time", "at"], capsys)[1]
    state = ["--time", "at", "--state", "kept.json"]
    for files, count in (("first.parquet", 300), ("first.parquet", 300), ("all.parquet", len(frame))):
        status = monitor([files, *state], capsys)[1]
        assert status["rows"] == count
    with pytest.raises(SystemExit):
        main(["monitor", "m.sortal", "all.parquet", *state])
    passed_over = f"{len(frame)} rows are no newer than the last row of an earlier look, and count as looked at then"
    assert passed_over in " ".join(capsys.readouterr().err.split())
    assert figures(status)["columns"] == figures(status_of_all)["columns"]
    message = refusal(["all.parquet", "--state", "kept.json"], capsys)
    assert "no column says which rows were counted already; name one with --time" in message


def test_without_a_time_all_rows_are_of_today(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows().drop("at", "y").write_csv("rows.csv")
    with pytest.raises(SystemExit):
        main(["monitor", "m.sortal", "rows.csv", "--report", "m.html"])
    output = capsys.readouterr()
    assert "no column says when a row came (--time): all rows count as of today" in " ".join(output.err.split())
    assert "480 in 1 day, 39.6 % with warnings" in output.out
    assert "an answer" not in Path("m.html").read_text("utf-8")


def test_what_cannot_be_meant_is_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = rows()
    frame.with_columns(pl.col("at").replace({frame["at"][7]: None})).write_parquet("rows.parquet")
    assert "rows.parquet has no at in row 8" in refusal(["rows.parquet", "--time", "at"], capsys)
    assert "says of no row on which day it came" in refusal(["rows.parquet", "--time", "x"], capsys)
    assert "no column 'when'" in refusal(["rows.parquet", "--time", "when"], capsys)
    assert "one of the two" in refusal([], capsys)
    assert "one of the two" in refusal(["rows.parquet", "--log", "sqlite:///a.db"], capsys)
    assert "--time and --allow-missing are of files" in refusal(["--log", "sqlite:///a.db", "--time", "at"], capsys)
    assert "--watch looks at a log" in refusal(["rows.parquet", "--watch"], capsys)
    frame.drop("plan").write_parquet("lacking.parquet")
    assert "no column 'plan'" in refusal(["lacking.parquet"], capsys)
    status = monitor(["lacking.parquet", "--allow-missing", "--time", "at"], capsys)[1]
    assert "plan" not in [column["name"] for column in status["columns"]]
    wide = [datetime(1970, 1, 1), *frame["at"].to_list()[1:]]
    frame.with_columns(pl.Series("at", wide)).write_parquet("wide.parquet")
    assert "more than ten years" in refusal(["wide.parquet", "--time", "at"], capsys)


def test_a_capacity_is_of_batches_that_files_do_not_know(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sortal

    rule = Decision("capacity", ("no", "yes"), "yes", threshold=0.5, capacity=Capacity(share=0.1))
    replace(sortal.load(model), decision=rule).save("m.sortal")
    rows().write_parquet("rows.parquet")
    assert "decides within a capacity" in refusal(["rows.parquet"], capsys)


def test_rows_of_a_plan_that_never_was_are_expected_less_sharply(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows()[: 10 * A_DAY].write_parquet("rows.parquet")
    periods = monitor(["rows.parquet", "--time", "at"], capsys)[1]["periods"]
    expected = [period["figures"][0]["expected"] for period in periods]
    widths = [interval["high"] - interval["low"] for interval in expected]
    assert len(widths) == 10
    assert max(widths[:8]) < 0.7 * min(widths[8:])
