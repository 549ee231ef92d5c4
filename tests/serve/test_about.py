"""What the model is, and what a description of the service says, holds: its examples are answered."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from sortal.artifact.model import load
from sortal.core.costs import CostColumn
from sortal.core.schema import Column, Schema
from sortal.decide.policy import Decision
from sortal.serve.deployment import ServedModel
from sortal.serve.door import Door
from sortal.serve.limits import Limits
from sortal.serve.routes import ROUTES
from sortal.serve.typical import example


def test_columns_are_said_as_a_form_needs_them(ask: Any) -> None:
    answer = ask("GET", "/v1/model").json
    columns = {column["name"]: column for column in answer["columns"]}
    assert columns["age"] == {
        "name": "age",
        "kind": "number",
        "expected": "a number",
        "missing": 0.1,
        "range": [18, 90],
        "example": 40,
    }
    assert columns["city"]["levels"] == ["Bonn", "Ulm"]
    assert columns["member"]["levels"] == ["no", "yes"]
    assert columns["since"]["expected"] == "a date, written like 2018-07-31"
    assert answer["unread"] == ["unread", "id", "y"]
    assert (answer["classes"], answer["positive"], answer["sha256"]) == (["no", "yes"], "yes", "ab" * 32)


def test_a_column_of_costs_is_required(model: Any, client_of: Any) -> None:
    costs = ((0.0, 1.0), (1.0, 0.0))
    decision = Decision("cost", ("no", "yes"), "yes", cost=costs, cost_columns=(CostColumn(0, 1, "price"),))
    schema = Schema((*model.schema.columns, Column("price", "number", "cost")))
    ask = client_of(replace(model, schema=schema, decision=decision))
    required = [column["name"] for column in ask("GET", "/v1/model").json["columns"] if column.get("required")]
    assert required == ["price"]
    assert ask("GET", "/openapi.json").json["components"]["schemas"]["Row"]["required"] == ["price"]
    for row in ({"age": 40}, {"age": 40, "price": None}, {"age": 40, "price": "NA"}):
        refusal = ask("POST", "/v1/predict", {"rows": [{"age": 1, "price": 2}, row]})
        assert refusal.status == 422
        assert refusal.error_of(1, "price")["code"] == "missing"
    assert ask("POST", "/v1/predict", {"row": {"age": 40, "price": "2.5"}}).status == 200


@pytest.fixture(scope="module")
def real(churn_run: Any) -> ServedModel:
    """A model that was trained."""
    return ServedModel("churn", "ab" * 32, load(churn_run.model))


def test_every_example_of_a_column_is_one_of_its_values(real: ServedModel) -> None:
    row = {column.name: example(column, real.model.profile[column.name]) for column in real.model.needs.columns}
    assert None not in row.values()
    batch = Door(real.model).read([row], Limits())
    assert batch.warnings == [[]]
    assert real.model.answer_rows(batch.rows, warnings=True).warnings == [[]]


def test_examples_of_the_description_are_answered_as_it_says(real: ServedModel, client_of: Any) -> None:
    ask = client_of(real.model)
    document = ask("GET", "/openapi.json").json
    schemas = document["components"]["schemas"]
    answered_paths = []
    for path, operations in document["paths"].items():
        if path.startswith("/v1/admin"):
            continue  # another model is no example
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            address = path
            for parameter in operation["parameters"]:
                address = address.replace(f"{{{parameter['name']}}}", parameter["example"])
            body = content.get("example", b"")
            if content:
                check(body, content["schema"], schemas)
            answer = ask(method.upper(), address, body)
            assert answer.status == 200, (path, answer.body)
            schema = operation["responses"]["200"]["content"].get("application/json", {}).get("schema")
            if schema:
                check(answer.json, schema, schemas)
                answered_paths.append(path)
    assert {"/v1/predict", "/v1/labels", "/v1/explain", "/v2/models/{name}/infer"} <= set(answered_paths)


def check(value: Any, schema: Any, schemas: Any) -> None:
    jsonschema.Draft202012Validator({**schema, "components": {"schemas": schemas}}).validate(value)


def test_every_route_is_described(ask: Any) -> None:
    document = ask("GET", "/openapi.json").json
    documented_routes = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert documented_routes == {(route.method, route.path) for route in ROUTES}
    names = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(set(names)) == len(names)
    assert all(route.summary for route in ROUTES)


def test_refusals_are_as_described(ask: Any) -> None:
    schemas = ask("GET", "/openapi.json").json["components"]["schemas"]
    for body in (b"", {"row": {"age": "x", "ega": 1}}, {"rows": []}):
        check(ask("POST", "/v1/predict", body).json, {"$ref": "#/components/schemas/Problem"}, schemas)


def test_the_description_holds_no_row_of_the_data(real: ServedModel, client_of: Any, churn: Any) -> None:
    text = json.dumps(client_of(real.model)("GET", "/openapi.json").json)
    assert not [name for name in churn["customerID"] if name in text]
