"""``GET /v1/live``, and the files of the page."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sortal.artifact.model import Model
from sortal.core.errors import StoreError
from sortal.serve import live, page
from sortal.serve.app import App
from sortal.serve.deployment import ServedModel
from sortal.serve.http import Request
from sortal.serve.live import Live
from sortal.serve.log.address import open_store
from sortal.serve.log.records import LabelledPrediction, LabelRecord, PredictionRecord
from sortal.serve.log.store import LogStore
from sortal.serve.routes import ROUTES
from sortal.serve.service import Service, Timing


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is made anew whenever it is asked for."""
    monkeypatch.setattr(live, "FRESH", 0.0)
    monkeypatch.setattr(live, "FRESH_TRUTH", 0.0)
    monkeypatch.setattr(live, "SHARE", 0)


def state(live_view: Live, served_model: ServedModel) -> Any:
    """What is sent as soon as it is made."""
    asyncio.run(live_view.now(served_model))
    assert live_view._job is not None
    live_view._job.result()
    assert live_view._page_json is not None
    return msgspec.json.decode(live_view._page_json)


def record(at: float, row_id: str = "a") -> PredictionRecord:
    return PredictionRecord(
        row_id=row_id,
        time=at,
        model="ab" * 32,
        role="champion",
        inputs={"age": 40},
        prediction="yes",
        probabilities=(0.4, 0.6),
        decision="yes",
        set=None,
        warnings=("'age': 200 is above 90",),
        seconds=0.002,
    )


@pytest.fixture
def served_model(model: Model) -> ServedModel:
    return ServedModel("churn", "ab" * 32, model)


def test_without_a_log_a_process_counts_what_it_answers(
    at_once: None, model: Model, deployment: Any, call: Any
) -> None:
    app = App(Service(deployment(model)), ROUTES)
    row = {"age": 40, "city": "Bonn"}
    assert call(app, "POST", "/v1/predict", msgspec.json.encode({"rows": [row, row, {"age": 200}]})).status == 200
    call(app, "GET", "/v1/live")
    report = call(app, "GET", "/v1/live").json
    assert report["log"] == {"kept": False, "trouble": ""}
    assert [span["span"] for span in report["spans"]] == [300, 3600]
    total = report["spans"][0]["total"]
    assert (total["requests"], total["rows"]) == (1, 3)
    assert 0 < total["p50"] == total["p99"] < 10
    assert report["labelled"] is None
    assert report["since"] <= report["time"]


def test_with_a_log_counts_are_there_again_after_a_restart(
    at_once: None, served_model: ServedModel, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    store, now = open_store(url), time.time()
    store.add_predictions([record(now - 30, "a"), record(now - 20, "b")])
    store.add_labels([LabelRecord("a", "yes", now), LabelRecord("b", "no", now)])
    store.close()
    live_view = Live(partial(open_store, url), lambda: {"written": 2})
    live_view.add(0.001, ["yes"], [()])  # counted from the log, and not twice
    report = state(live_view, served_model)
    live_view.close()
    assert report["log"] == {"kept": True, "trouble": "", "written": 2}
    assert report["spans"][0]["total"]["rows"] == 2
    assert report["spans"][0]["warnings"] == [{"column": "'age'", "rows": 2, "example": "'age': 200 is above 90"}]
    assert report["labelled"]["rows"] == 2
    assert "roc_auc" in report["labelled"]["names"]
    assert report["since"] == pytest.approx(now - 3600, abs=10)


def test_figures_of_another_model_are_not_shown(at_once: None, served_model: ServedModel, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    store, now = open_store(url), time.time()
    store.add_predictions([record(now - 30)])
    store.add_labels([LabelRecord("a", "yes", now)])
    store.close()
    live_view = Live(partial(open_store, url))
    assert state(live_view, served_model)["labelled"]["rows"] == 1
    other = state(live_view, replace(served_model, sha256="cd" * 32))
    assert other["labelled"] == {"rows": 0, "note": "no label has come yet of a row that this model answered"}
    assert other["spans"][0]["total"]["rows"] == 1  # what was answered was answered
    live_view.close()


class UnreachableStore:
    """A store that is away, and then is there."""

    def __init__(self, rows: list[LabelledPrediction], error: Exception) -> None:
        self.rows, self.error = rows, error
        self.away = True

    def read(self, since: float, until: float, *, inputs: bool) -> Iterator[LabelledPrediction]:
        if self.away:
            raise self.error
        return (row for row in self.rows if since <= row.prediction.time < until)

    def labelled(self, model: str, most: int, *, inputs: bool) -> Iterator[LabelledPrediction]:
        return iter(())


def test_a_log_that_is_away_is_said_to_be_and_read_when_it_is_back(at_once: None, served_model: ServedModel) -> None:
    store = UnreachableStore(
        [LabelledPrediction(record(time.time() - 20), None)], StoreError("the log cannot be reached")
    )
    live_view = Live(lambda: store)  # type: ignore[arg-type, return-value]
    assert state(live_view, served_model)["log"]["trouble"] == "the log cannot be reached"
    store.away = False
    report = state(live_view, served_model)
    assert (report["log"]["trouble"], report["spans"][0]["total"]["rows"]) == ("", 1)


def test_a_bug_is_logged_and_the_page_told_so_without_its_words(
    at_once: None, served_model: ServedModel, caplog: pytest.LogCaptureFixture
) -> None:
    live_view = Live(lambda: UnreachableStore([], ValueError("/secret/path")))  # type: ignore[arg-type, return-value]
    with caplog.at_level(logging.ERROR, "sortal.serve"):
        report = state(live_view, served_model)
    assert report["log"]["trouble"] == "figures could not be made; the log of the service says why"
    assert "/secret/path" in caplog.text


def test_what_was_just_made_is_not_made_again(served_model: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    open_times: list[float] = []

    def fail_to_open() -> LogStore:
        open_times.append(time.time())
        raise StoreError("away")

    live_view = Live(fail_to_open)
    for _ in range(5):
        state(live_view, served_model)
    assert len(open_times) == 1


def test_the_page_is_files_of_the_package_with_a_strict_policy(call: Any, model: Model, deployment: Any) -> None:
    app = App(Service(deployment(model), token="0123456789abcdef"), ROUTES)
    html = call(app, "GET", "/")
    assert (html.status, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = html.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = html.body.decode()
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?! type=\"module\" src=\"page/)|https?://", text)
    for address in re.findall(r'(?:href|src)="([^"#]+)"', text):
        assert call(app, "GET", f"/{address}").status == 200
    second_answer = call(app, "GET", "/", headers={"if-none-match": html.headers["etag"]})
    assert (second_answer.status, second_answer.body) == (304, b"")
    assert call(app, "GET", "/v1/live").status == 401


def test_every_script_is_served_and_names_no_other_place() -> None:
    folder = files("sortal.serve.page")
    scripts = {file.name for file in folder.iterdir() if file.name.endswith(".js")}
    assert scripts == {*page.SCRIPTS}
    for name in scripts:
        source = folder.joinpath(name).read_text("utf-8")
        assert {*re.findall(r'from "\./([a-z]+\.js)"', source)} <= scripts
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source)
        assert {*re.findall(r"https?://[^\"' ]+", source)} <= {"http://www.w3.org/2000/svg"}


def test_a_file_is_answered_by_its_path(model: Model, deployment: Any) -> None:
    answer = page.file(Service(deployment(model)), Request("GET", "/page/report.css"), Timing())
    assert answer.body == files("sortal.report").joinpath("style.css").read_bytes()
