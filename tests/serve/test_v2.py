"""The Open Inference Protocol: columns in, tensors out, the same numbers as by our own protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sortal.artifact.model import Model
from sortal.core.few_bits import as_read
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.serve.v2 import InferRequest, Input, _batch

INFER = "/v2/models/churn/infer"


def tensor(name: str, data: list[Any], datatype: str = "FP64", shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "shape": [len(data)] if shape is None else shape, "datatype": datatype, "data": data}


def outputs(answer: Any) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return {output["name"]: output for output in answer.json["outputs"]}


def test_the_addresses_of_the_protocol_say_what_is_served(ask: Any) -> None:
    assert ask("GET", "/v2/health/live").json == {"live": True}
    assert ask("GET", "/v2/health/ready").json == {"ready": True}
    assert set(ask("GET", "/v2").json) == {"name", "version", "extensions"}
    for path in ("/v2/models/churn", "/v2/models/churn/versions/abababababab"):
        about = ask("GET", path).json
        assert (about["name"], about["versions"], about["platform"]) == ("churn", ["abababababab"], "sortal")
        assert {spec["name"]: spec["datatype"] for spec in about["inputs"]} == {
            "age": "FP64",
            "city": "BYTES",
            "member": "BOOL",
            "since": "BYTES",
            "note": "BYTES",
            "photo": "BYTES",
        }
        assert {spec["name"]: spec["shape"] for spec in about["outputs"]}["probabilities"] == [-1, 2]
        assert ask("GET", f"{path}/ready").json == {"name": "churn", "ready": True}
    for path in ("/v2/models/other", "/v2/models/churn/versions/1", "/v2/models/other/ready"):
        assert ask("GET", path).status == 404


def test_tensors_say_the_same_as_rows(ask: Any, log: Any) -> None:
    columns = [tensor("age", [40, None, 12.5]), tensor("city", ["Bonn", "Ulm", None], "BYTES", [3, 1])]
    answer = ask("POST", INFER, {"id": "batch", "inputs": columns})
    rows = [{"age": 40, "city": "Bonn"}, {"age": None, "city": "Ulm"}, {"age": 12.5, "city": None}]
    expected = ask("POST", "/v1/predict", {"rows": rows}).json["predictions"]
    tensors = outputs(answer)
    assert tensors["label"]["data"] == [prediction["label"] for prediction in expected]
    assert tensors["decision"]["data"] == [prediction["decision"] for prediction in expected]
    assert tensors["probabilities"]["shape"] == [3, 2]
    assert tensors["probabilities"]["data"] == [
        p for prediction in expected for p in prediction["probabilities"].values()
    ]
    assert tensors["id"]["data"] == ["batch-0", "batch-1", "batch-2"] == [record.row_id for record in log.records[:3]]
    assert (answer.json["model_name"], answer.json["model_version"], answer.json["id"]) == (
        "churn",
        "abababababab",
        "batch",
    )


def test_columns_may_be_nested_and_of_any_datatype_that_holds_their_values(ask: Any) -> None:
    ways = [
        tensor("age", [[40], [41]], "INT32", [2, 1]),
        tensor("age", [40, 41], "UINT8", [2, 1]),
        tensor("age", ["40", "41"], "BYTES"),
        tensor("age", [40.0, 41.0], "FP32"),
    ]
    probabilities = [outputs(ask("POST", INFER, {"inputs": [way]}))["probabilities"]["data"] for way in ways]
    assert probabilities == [probabilities[0]] * 4


@settings(max_examples=60)
@example([0.1, 12.3, 1e-7], "FP32")
@example([0.1, 65504.0], "FP16")
@given(st.lists(st.floats(allow_nan=False, width=16), min_size=1, max_size=5), st.sampled_from(["FP16", "FP32"]))
def test_a_number_of_few_bits_is_what_a_person_reads_there(values: list[float], datatype: str) -> None:
    """As numpy's ``tolist`` writes it, as a person does, and as a table of pandas has it."""
    few = np.array(values, dtype={"FP16": np.float16, "FP32": np.float32}[datatype])
    expected = as_read(few).tolist()
    for data in (few.tolist(), expected):
        payload = InferRequest([Input("age", [len(values)], datatype, data)])  # type: ignore[arg-type]
        assert [row["age"] for row in _batch(payload).rows] == expected
    other_values = [None, 3, 1e300, 16777217.0]
    batch = _batch(InferRequest([Input("age", [4], datatype, other_values)]))  # type: ignore[arg-type]
    assert [row["age"] for row in batch.rows] == other_values


def test_outputs_are_those_that_are_wanted(ask: Any) -> None:
    body = {"inputs": [tensor("age", [40])], "outputs": [{"name": "decision"}, {"name": "label"}]}
    assert list(outputs(ask("POST", INFER, body))) == ["decision", "label"]
    refusal = ask("POST", INFER, {**body, "outputs": [{"name": "decison"}]})
    assert refusal.status == 422
    assert "'decision'" in refusal.json["errors"][0]["detail"]


def test_types_of_outputs_are_those_of_the_labels(model: Model, client_of: Any) -> None:
    task = replace(model.task, classes=("0", "1"), positive="1", label_type="int")
    costs = ((0.0, 1.0), (1.0, 0.0))
    counting = replace(model, task=task, decision=Decision("cost", ("0", "1"), "1", cost=costs, reject_cost=0.0))
    tensors = outputs(client_of(counting)("POST", INFER, {"inputs": [tensor("age", [40])]}))
    assert (tensors["label"]["datatype"], type(tensors["label"]["data"][0])) == ("INT64", int)
    assert (tensors["decision"]["datatype"], tensors["decision"]["data"]) == ("BYTES", ["reject"])
    set_model = replace(model, sets=Sets("lac", 0.9, (60, 39), (0.1, 0.1), 1.2))
    members = outputs(client_of(set_model)("POST", INFER, {"inputs": [tensor("age", [40])]}))["set"]
    assert (members["shape"], members["datatype"], members["data"]) == ([1, 2], "BOOL", [True, True])


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [tensor("age", [])],
        [tensor("age", [1, 2], shape=[3])],
        [tensor("age", [1, 2], shape=[1, 2])],
        [tensor("age", [1], shape=[1, 1, 1])],
        [tensor("age", [1], shape=[])],
        [tensor("age", ["1"])],
        [tensor("age", [True], "INT8")],
        [tensor("age", [1.5], "INT8")],
        [tensor("age", [300], "UINT8")],
        [tensor("age", [1], "BYTES")],
        [tensor("age", [[1, 2]], shape=[1, 1])],
        [tensor("age", [1], "FP8")],
        [tensor("age", [1]), tensor("age", [2])],
        [tensor("age", [1]), tensor("city", ["Ulm", "Bonn"], "BYTES")],
        [tensor("aeg", [1])],
        [tensor("since", ["soon"], "BYTES")],
        [{"name": "age", "shape": [1], "datatype": "FP64"}],
    ],
)
def test_tensors_that_are_no_columns_are_refused(ask: Any, log: Any, inputs: Any) -> None:
    answer = ask("POST", INFER, {"inputs": inputs})
    assert answer.status == 422
    assert answer.json["error"]  # where clients of the protocol look for what went wrong
    assert log.records == []


def test_a_name_that_is_there_twice_is_refused(ask: Any) -> None:
    body = b'{"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [1], "data": [2]}]}'
    assert ask("POST", INFER, body).status == 400


def test_another_model_is_not_answered_for(ask: Any) -> None:
    answer = ask("POST", "/v2/models/other/infer", {"inputs": [tensor("age", [40])]})
    assert (answer.status, answer.json["type"]) == (404, "urn:sortal:problem:unknown-model")
