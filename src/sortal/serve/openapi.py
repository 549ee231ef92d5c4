"""What the service answers, as OpenAPI 3.1: made of the routes and of the model's own schema.

Examples are made of the profile of training, in which no value is one row's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sortal.core.kinds import kind_of
from sortal.serve.about import AboutColumn, AboutModel, describe
from sortal.serve.deployment import ServedModel
from sortal.serve.http import MULTIPART, PROBLEM, Problem
from sortal.serve.limits import Limits
from sortal.serve.route import Route
from sortal.version import __version__

_REFERENCE = "#/components/schemas/{name}"
_JSON_TYPES: Mapping[str, list[str]] = {
    "number": ["number", "string", "boolean", "null"],
    "boolean": ["boolean", "string", "number", "null"],
    "moment": ["string", "integer", "null"],
    "text": ["string", "number", "boolean", "null"],
    "bytes": ["string", "null"],
}
"""By storage, what may stand for a value; texts are read as those of a file are."""
_REFUSALS = {
    "400": "The body is no JSON, or names a field twice",
    "401": "A token is needed",
    "403": "Without a token only this machine is answered, by its own name",
    "408": "The body took too long",
    "413": "The body, or the number of rows, is too large",
    "415": "The body is of another type",
    "422": "Rows or fields do not fit the model",
    "503": "The service is busy; try again",
}
_OF_BODIES = ("400", "408", "413", "415", "422", "503")


def document(served: ServedModel, routes: Iterable[Route], limits: Limits, token: bool) -> dict[str, Any]:
    """The OpenAPI document of a service. ``token``: whether it asks for one."""
    about = describe(served)
    every = list(routes)
    types = [struct for route in every for struct in (route.request, route.response) if struct is not None]
    _, schemas = msgspec.json.schema_components([*types, Problem], ref_template=_REFERENCE)
    schemas["Row"] = _row(served, about, limits)
    _narrow(schemas, about)
    paths: dict[str, dict[str, Any]] = {}
    for route in every:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, about, schemas, token)
    security = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{served.name}: {about.target}",
            "version": __version__,
            "description": f"Says which of {len(about.classes)} classes {about.target!r} is. Model {served.sha256}.",
        },
        "paths": paths,
        "components": {"schemas": schemas} | ({"securitySchemes": security} if token else {}),
    }


def _operation(route: Route, about: AboutModel, schemas: Mapping[str, Any], token: bool) -> dict[str, Any]:
    """What one route reads and answers."""
    answer = {"schema": _schema_of(route.response)} if route.response is not None else {}
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "responses": {"200": {"description": "The answer", "content": {route.writes.partition(";")[0]: answer}}},
    }
    names = re.findall(r"\{(\w+)\}", route.path)
    values = {"name": about.name, "version": about.sha256[:12]}
    operation["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "example": values.get(name, "")}
        for name in names
    ]
    statuses = [*(() if route.open else ("401",) if token else ("403",)), *(_OF_BODIES if route.reads else ())]
    if names:
        operation["responses"]["404"] = _problem("Another model is served here")
    operation["responses"] |= {status: _problem(_REFUSALS[status]) for status in statuses}
    operation["responses"] |= {status: _problem(text) for status, text in route.refusals}
    if token and not route.open:
        operation["security"] = [{"token": []}]
    if route.reads:
        content = {media: _body(route, media, about) for media in route.reads}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _body(route: Route, media: str, about: AboutModel) -> dict[str, Any]:
    if route.request is None:
        return {"schema": {"type": "string", "format": "binary"}}
    row = example_row(about)
    if media == MULTIPART:
        images = [column.name for column in about.columns if kind_of(column.kind).storage == "bytes"]
        return {"schema": _form(about, images)}
    examples = {
        "PredictRequest": {"row": row, "id": "row-1"},
        "LabelsRequest": {"labels": [{"id": "row-1", "label": about.classes[0]}]},
        "ExplainRequest": {"row": row},
        "InferRequest": {"inputs": [_tensor(column) for column in about.columns if column.example is not None]},
    }
    name = getattr(route.request, "__name__", "")
    example = {"example": examples[name]} if name in examples else {}
    return {"schema": _schema_of(route.request), **example}


def example_row(about: AboutModel) -> dict[str, Any]:
    """A usual value in every column that has one."""
    return {column.name: column.example for column in about.columns if column.example is not None}


def _tensor(column: AboutColumn) -> dict[str, Any]:
    datatype = {bool: "BOOL", int: "INT64", float: "FP64"}.get(type(column.example), "BYTES")
    return {"name": column.name, "shape": [1], "datatype": datatype, "data": [column.example]}


def _row(served: ServedModel, about: AboutModel, limits: Limits) -> dict[str, Any]:
    """The schema of a row. What is not there is missing."""
    properties = {column.name: _property(column, limits) for column in about.columns}
    properties |= {name: {"description": "Not read by the model"} for name in about.unread}
    required = [column.name for column in about.columns if column.required]
    return {
        "title": "Row",
        "type": "object",
        "description": "Fields by the columns of the model; one that is absent or null is missing",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "example": example_row(about),
        **({"required": required} if required else {}),
    }


def _property(column: AboutColumn, limits: Limits) -> dict[str, Any]:
    storage = kind_of(column.kind).storage
    description = column.expected
    if column.levels:
        description += f", such as {', '.join(column.levels[:5])}"
    if column.range is not None:
        description += f"; in training from {column.range[0]} to {column.range[1]}"
    schema: dict[str, Any] = {"type": _JSON_TYPES[storage], "description": description, "maxLength": limits.text}
    if storage == "bytes":
        schema["contentEncoding"] = "base64"
    if column.example is not None:
        schema["examples"] = [column.example]
    return schema


def _form(about: AboutModel, images: list[str]) -> dict[str, Any]:
    """A form: every field a text, and images files."""
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    names = [column.name for column in about.columns]
    return {
        "type": "object",
        "properties": {name: file if name in images else {"type": "string"} for name in names},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _narrow(schemas: dict[str, Any], about: AboutModel) -> None:
    """What types of Python do not say: labels are classes of this model, outputs have names, and rows come alone or
    together.
    """
    for name in ("GivenLabel", "ExplainRequest"):
        if name in schemas:
            schemas[name]["properties"]["label"] = {"enum": about.classes}
    if "PredictRequest" in schemas:
        schemas["PredictRequest"]["oneOf"] = [
            {"required": [one], "not": {"anyOf": [{"required": [other]} for other in others]}}
            for one, others in (("row", ("rows", "ids")), ("rows", ("row", "id")))
        ]
        schemas["PredictRequest"]["properties"]["rows"]["minItems"] = 1
    if "Wanted" in schemas:
        schemas["Wanted"]["properties"]["name"] = {"enum": ["label", "probabilities", "decision", "id"]}


def _schema_of(kind: Any) -> dict[str, Any]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": _schema_of(Problem)}}}


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", route.path.replace("/v", "_v"))
    return "_".join([route.method.lower(), *words])
