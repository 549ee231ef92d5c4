"""Rows as objects in, labels, probabilities and decisions out; labels come later."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sortal.artifact.model import Model
from sortal.core.errors import DataError, StoreError
from sortal.core.images import sample_image
from sortal.core.task import Capacity, Task
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.serve.app import App
from sortal.serve.limits import Limits
from sortal.serve.service import Service

ROW = {"age": 40, "city": "Bonn", "member": "yes", "since": "2020-01-02", "note": "good", "photo": None}


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_over_http_a_row_gets_what_the_model_answers_to_the_bit(
    model: Model, client_of: Any, any_row: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    row = data.draw(any_row)
    answer = client_of(model)("POST", "/v1/predict", {"row": row})
    try:
        expected = model.answer(row)
    except DataError:
        assert answer.status == 422
        return
    assert answer.status == 200
    prediction = answer.json["predictions"][0]
    assert list(prediction["probabilities"].values()) == expected.probabilities[0].tolist()
    assert (prediction["label"], prediction["decision"]) == (expected.labels[0], expected.decisions[0])


def test_a_row_and_rows_are_answered_alike(ask: Any) -> None:
    one = ask("POST", "/v1/predict", {"row": ROW, "id": "a"}).json
    many = ask("POST", "/v1/predict", {"rows": [ROW, {"age": 18}], "ids": ["a", "b"]}).json
    assert one["predictions"][0]["id"] == "a"
    assert one["predictions"][0]["decision"] == many["predictions"][0]["decision"] == "yes"
    assert [prediction["id"] for prediction in many["predictions"]] == ["a", "b"]
    assert one["model"] == "ab" * 32


def test_ids_are_made_where_none_are_given_and_the_log_has_them(ask: Any, log: Any) -> None:
    predictions = ask("POST", "/v1/predict", {"rows": [ROW, ROW]}).json["predictions"]
    assert len({prediction["id"] for prediction in predictions}) == 2
    assert [record.row_id for record in log.records] == [prediction["id"] for prediction in predictions]


def test_what_is_answered_is_what_is_logged(ask: Any, log: Any) -> None:
    prediction = ask("POST", "/v1/predict", {"row": {**ROW, "unread": 7}, "id": "a"}).json["predictions"][0]
    record = log.records[0]
    assert dict(record.inputs) == {**ROW, "unread": 7}
    assert (record.row_id, record.prediction, record.decision) == ("a", prediction["label"], prediction["decision"])
    assert list(record.probabilities) == list(prediction["probabilities"].values())
    assert list(record.warnings) == prediction.get("warnings", [])
    assert (record.model, record.role) == ("ab" * 32, "champion")
    assert 0 < record.seconds < 1


def test_a_refused_request_logs_nothing(ask: Any, log: Any) -> None:
    assert ask("POST", "/v1/predict", {"rows": [ROW, {"age": "x"}]}).status == 422
    assert log.records == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"row": ROW, "rows": [ROW]}, 422, "invalid-body"),
        ({"row": ROW, "ids": ["a"]}, 422, "invalid-body"),
        ({"rows": [ROW], "id": "a"}, 422, "invalid-body"),
        ({"rows": []}, 422, "invalid-body"),
        ({"rows": [ROW], "ids": ["a", "b"]}, 422, "invalid-body"),
        ({"rows": [ROW, ROW], "ids": ["a", "a"]}, 422, "repeated-id"),
        ({"row": ROW, "id": "a\0b"}, 422, "invalid-ids"),
        ({"row": ROW, "id": ""}, 422, "invalid-body"),
        ({"row": ROW, "id": "x" * 129}, 422, "invalid-body"),
        ({"row": ROW, "id": 1}, 422, "invalid-body"),
        ({"row": ROW, "more": 1}, 422, "invalid-body"),
        ({"row": [1]}, 422, "invalid-body"),
        ([ROW], 422, "invalid-body"),
        ({}, 422, "invalid-body"),
        ({"row": {}}, 422, "invalid-rows"),
        ({"rows": [{"age": 1}] * 10_001}, 413, "too-many-rows"),
        (b"", 400, "malformed-json"),
        (b'{"row": {"age": NaN}}', 400, "malformed-json"),
        (b'{"row": {"age": Infinity}}', 400, "malformed-json"),
        (b'{"row": {"age": 1e999}}', 422, "invalid-body"),
        (b'{"row": {"age": ' + b"9" * 5_000 + b"}}", 422, "invalid-body"),
        (b'{"row": {"note": "\\ud800"}}', 400, "malformed-json"),
        (b'{"row": {"note": "\xff"}}', 400, "malformed-json"),
        (b'{"row": {"age": 1, "age": 2}}', 400, "repeated-name"),
        (b'{"row": {"age": 1, "\\u0061ge" :2}}', 400, "repeated-name"),
        (b'{"row": {"age": 1}, "row": {"age": 2}}', 400, "repeated-name"),
        (b'{"row": {"note": "12:30", "age": 1, "age": 2}}', 400, "repeated-name"),
        (b'{"row": {"age": ' + b"[" * 100_000, 400, "malformed-json"),
        (b'{"row": {"age": ' + b'{"a":' * 100_000, 400, "malformed-json"),
    ],
)
def test_bodies_that_are_refused(ask: Any, body: Any, status: int, code: str) -> None:
    answer = ask("POST", "/v1/predict", body)
    assert (answer.status, answer.json["type"].rpartition(":")[2]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status


def test_colons_in_texts_are_no_names(ask: Any) -> None:
    assert ask("POST", "/v1/predict", {"row": {**ROW, "note": 'at 12:30 "so": {"a": 1, "a": 2}'}}).status == 200


def test_sets_and_rejects_and_notes_are_said(model: Model, client_of: Any) -> None:
    set_model = replace(model, sets=Sets("lac", 0.9, (60, 39), (0.1, 0.1), 1.2))
    prediction = client_of(set_model)("POST", "/v1/predict", {"row": ROW}).json["predictions"][0]
    assert prediction["set"] == ["no", "yes"]
    costs = ((0.0, 1.0), (1.0, 0.0))
    reject_model = replace(model, decision=Decision("cost", ("no", "yes"), "yes", cost=costs, reject_cost=0.0))
    assert client_of(reject_model)("POST", "/v1/predict", {"row": ROW}).json["predictions"][0]["decision"] == "reject"
    decision = Decision("capacity", ("no", "yes"), "yes", threshold=0.5, capacity=Capacity(0.1))
    capacity_client = client_of(replace(model, decision=decision))
    assert "give the rows of a batch at once" in capacity_client("POST", "/v1/predict", {"row": ROW}).json["notes"][0]
    assert capacity_client("POST", "/v1/predict", {"rows": [ROW] * 10}).json["notes"] == []


BOUNDARY = {"content-type": "multipart/form-data; boundary=x"}


def form(**parts: str | bytes) -> bytes:
    """A form as browsers send it; bytes are a file."""
    body = b""
    for name, value in parts.items():
        file = '; filename="a.png"\r\nContent-Type: image/png' if isinstance(value, bytes) else ""
        content = value if isinstance(value, bytes) else value.encode()
        body += f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
    return body + b"--x--\r\n"


def test_a_form_says_the_same_as_an_object(ask: Any) -> None:
    photo = sample_image(1)
    answer = ask("POST", "/v1/predict?id=a", form(age="40", city="Bonn", note="good\r\n--y", photo=photo), BOUNDARY)
    row = {"age": 40, "city": "Bonn", "note": "good\r\n--y", "photo": b64encode(photo).decode()}
    assert answer.json == ask("POST", "/v1/predict", {"row": row, "id": "a"}).json


def test_an_empty_field_of_a_form_is_missing(ask: Any) -> None:
    empty = ask("POST", "/v1/predict?id=a", form(age="", city="Bonn", photo=b""), BOUNDARY).json
    expected = ask("POST", "/v1/predict", {"row": {"age": None, "city": "Bonn", "photo": None}, "id": "a"}).json
    assert empty == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x--",
        b"x--x\r\n",
        b"--x\r\n\r\n\r\n--x--",
        form(age="1")[:-8],
        form(age="1") + form(age="1")[:-7],
        form(age="1").replace(b"name=", b"nome="),
        form(age="1")[:-5] + b"\r\n" + form(age="2"),
        form(note="\xff").replace("\xff".encode(), b"\xff"),
        b"--x\r\n" + b"a" * 9_000,
        b"--x\r\n" * 100_000,
    ],
)
def test_what_is_no_form_is_refused(ask: Any, body: bytes) -> None:
    answer = ask("POST", "/v1/predict", body, BOUNDARY)
    assert answer.status in (400, 422), body[:80]


def test_a_form_needs_a_boundary(ask: Any) -> None:
    assert ask("POST", "/v1/predict", form(age="1"), {"content-type": "multipart/form-data"}).status == 400


def test_labels_are_new_then_repeated_and_may_come_before_their_row(ask: Any) -> None:
    ask("POST", "/v1/predict", {"row": ROW, "id": "a"})
    labels = {"labels": [{"id": "a", "label": "yes"}, {"id": "b", "label": "no"}]}
    assert ask("POST", "/v1/labels", labels).json == {"new": 2, "repeated": 0, "unmatched": 1, "conflicts": []}
    assert ask("POST", "/v1/labels", labels).json == {"new": 0, "repeated": 2, "unmatched": 0, "conflicts": []}


@pytest.mark.parametrize(
    ("task", "valid_labels", "wrong_labels"),
    [
        ({"classes": ("no", "yes")}, ["no"], ["No", 1, True, "maybe", ""]),
        ({"classes": ("0", "1"), "label_type": "int"}, [1, 1.0], ["1", True, 2, 0.5]),
        ({"classes": ("0.5", "1"), "label_type": "float"}, [0.5, 1, 1.0], ["1", False]),
        ({"classes": ("false", "true"), "label_type": "bool"}, [True], ["true", 1]),
        ({"classes": ("0", "1"), "label_type": "str"}, ["1"], [1, 1.0, True]),
    ],
)
def test_labels_are_classes_in_the_type_of_the_model(
    model: Model, client_of: Any, log: Any, task: Mapping[str, Any], valid_labels: list[Any], wrong_labels: list[Any]
) -> None:
    settings: dict[str, Any] = {"positive": task["classes"][1], "label_type": "str", **task}
    other: Task = replace(model.task, **settings)
    decision = replace(model.decision, classes=other.classes, positive=other.positive)
    ask = client_of(replace(model, task=other, decision=decision))
    for at, label in enumerate(valid_labels):
        assert ask("POST", "/v1/labels", {"labels": [{"id": str(at), "label": label}]}).status == 200
    assert len({type(record.label) for record in log.label_records.values()}) == 1
    assert {type(label) for label in other_labels(other)} == {
        type(record.label) for record in log.label_records.values()
    }
    labels = [{"id": str(at), "label": label} for at, label in enumerate([*valid_labels, *wrong_labels])]
    answer = ask("POST", "/v1/labels", {"labels": labels})
    assert answer.status == 422
    assert [error["row"] for error in answer.json["errors"]] == list(range(len(valid_labels), len(labels)))
    assert {error["code"] for error in answer.json["errors"]} == {"unknown-class"}


def other_labels(task: Task) -> list[Any]:
    return [task.label(code) for code in range(len(task.classes))]


@pytest.mark.parametrize(
    "body",
    [
        {"labels": [{"id": "a"}]},
        {"labels": [{"id": "a", "label": None}]},
        {"labels": [{"id": "a", "label": ["yes"]}]},
        {"labels": [{"id": "a\n", "label": "yes"}]},
        {"labels": {"a": "yes"}},
        b'{"labels": [{"id": "a", "label": "yes", "label": "no"}]}',
    ],
)
def test_labels_that_are_refused(ask: Any, log: Any, body: Any) -> None:
    assert ask("POST", "/v1/labels", body).status in (400, 422)
    assert log.label_records == {}


def test_labels_need_a_log(model: Model, client_of: Any) -> None:
    answer = client_of(model, None)("POST", "/v1/labels", {"labels": []})
    assert (answer.status, answer.json["type"]) == (409, "urn:sortal:problem:no-log")


def test_a_log_without_room_refuses_rows_and_labels_for_now(model: Model, client_of: Any) -> None:
    class Full:
        def put(self, records: Any) -> None:
            raise StoreError("no room")

        def labels(self, records: Any) -> Any:
            future: Future[Any] = Future()
            future.set_exception(StoreError("away"))
            return future

    ask = client_of(model, Full())
    for answer in (ask("POST", "/v1/predict", {"row": ROW}), ask("POST", "/v1/labels", {"labels": []})):
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_of_many_classes_fewer_rows_are_answered(model: Model, deployment: Any, call: Any) -> None:
    app = App(Service(deployment(model), Limits(figures=20)))
    for rows, status in ((10, 200), (11, 413)):
        assert call(app, "POST", "/v1/predict", json.dumps({"rows": [ROW] * rows}).encode()).status == status
