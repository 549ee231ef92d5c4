"""The Open Inference Protocol (KServe's "v2"), version 2 of its REST form: columns in, tensors out.

A column of the model is an input of its name, of shape [n] or [n, 1]; one that is left out is missing, and so is null.
What comes back is ``label``, ``probabilities`` (n, K), ``decision``, ``id``, by which labels come later
(``/v1/labels``), and ``set`` (n, K) where the model has prediction sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from sortal.core.errors import did_you_mean
from sortal.core.kinds import Storage, kind_of
from sortal.core.plain import short
from sortal.serve.body import decoded, refuse_repeated_names
from sortal.serve.deployment import ServedModel
from sortal.serve.http import FieldError, HttpError, Request, Response
from sortal.serve.service import Batch, Scored, Service, Timing, answer, check_ids, check_number, new_ids
from sortal.version import __version__

SHORT_HASH = 12
"""Letters of the hash of a model's file, which name its version."""
Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]
_OF_STORAGE: Mapping[Storage, str] = {"number": "FP64", "boolean": "BOOL"}
_OF_LABELS = {"str": "BYTES", "int": "INT64", "float": "FP64", "bool": "BOOL"}


class Input(msgspec.Struct, forbid_unknown_fields=True):
    """Values of one column, in their order; strings where the type is BYTES, images as base64."""

    name: str
    shape: list[int]
    datatype: Datatype
    data: list[Any]
    parameters: dict[str, Any] | UnsetType = UNSET


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] | UnsetType = UNSET


class InferRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Columns of rows. ``id``: of the row, or with its number behind it that of each of several. ``outputs``: those
    that are wanted, where not all are.
    """

    inputs: list[Input]
    id: str | UnsetType = UNSET
    outputs: list[Wanted] | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET


class Output(msgspec.Struct):
    """A tensor, its data row by row."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferResponse(msgspec.Struct):
    """What the model says of the rows; the ``id`` of the request, where it had one."""

    model_name: str
    model_version: str
    outputs: list[Output]
    id: str | UnsetType = UNSET


class TensorAbout(msgspec.Struct):
    """-1 stands for any number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelAbout(msgspec.Struct):
    """What the model reads and says."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorAbout]
    outputs: list[TensorAbout]


class ServerAbout(msgspec.Struct):
    """What answers."""

    name: str
    version: str
    extensions: list[str]


class Live(msgspec.Struct):
    """The process answers."""

    live: bool = True


class Ready(msgspec.Struct):
    """Requests are answered."""

    ready: bool = True


class ModelReady(msgspec.Struct):
    """Requests for this model are answered."""

    name: str
    ready: bool = True


_INFER = msgspec.json.Decoder(InferRequest)


def server(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v2``"""
    return Response.json(ServerAbout("sortal", __version__, []))


def live(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v2/health/live``"""
    return Response.json(Live())


def ready(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v2/health/ready``"""
    return Response.json(Ready())


def model_ready(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v2/models/{name}/ready``"""
    return Response.json(ModelReady(_asked_for(service, request).name))


def model(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v2/models/{name}``"""
    served = _asked_for(service, request)
    columns = served.model.needs.columns
    inputs = [TensorAbout(c.name, _OF_STORAGE.get(kind_of(c.kind).storage, "BYTES"), [-1]) for c in columns]
    outputs = [TensorAbout(each.name, each.datatype, [-1, *each.shape[1:]]) for each in _outputs(_nothing(served))]
    return Response.json(ModelAbout(served.name, [_version(served)], "sortal", inputs, outputs))


def _asked_for(service: Service, request: Request) -> ServedModel:
    """The model that a path names. Raises HttpError where another is served."""
    served = service.deployment.champion
    named = (request.parameters["name"], request.parameters.get("version", _version(served)))
    if named != (served.name, _version(served)):
        raise HttpError(404, "Another model is served here", "GET /v1/model says which", code="unknown-model")
    return served


def _version(served: ServedModel) -> str:
    return served.sha256[:SHORT_HASH]


async def infer(service: Service, request: Request, timing: Timing) -> Response:
    """``POST /v2/models/{name}/infer``"""
    served = _asked_for(service, request)
    return await service.workers.answer(
        request.body,
        read=lambda: _read(service, served, request.body, timing),
        seconds=lambda asked: served.pace.of(len(asked[1].rows)),
        answer=lambda asked: _infer(service, *asked, timing),
    )


def _read(service: Service, served: ServedModel, body: bytes, timing: Timing) -> tuple[InferRequest, Batch]:
    with timing.stage("decode"):
        asked = decoded(_INFER, body)
        refuse_repeated_names(body, _names(asked))
        batch = _batch(asked)
        check_number(service, len(batch.rows))
        _check_wanted(asked, served)
        return asked, batch


def _infer(service: Service, asked: InferRequest, batch: Batch, timing: Timing) -> Response:
    scored = answer(service, batch, timing)
    outputs = _outputs(scored)
    if asked.outputs:
        wanted = [each.name for each in asked.outputs]
        outputs = [each for name in wanted for each in outputs if each.name == name]
    return Response.json(InferResponse(scored.model.name, _version(scored.model), outputs, asked.id))


def _names(asked: InferRequest) -> int:
    """How many names the objects of a request hold, beside those of parameters."""
    members = (asked.id, asked.outputs, asked.parameters)
    of_inputs = sum(4 + (each.parameters is not UNSET) for each in asked.inputs)
    return 1 + sum(member is not UNSET for member in members) + of_inputs + len(asked.outputs or [])


def _batch(asked: InferRequest) -> Batch:
    """Rows of columns. Raises HttpError for tensors that are no columns of one table."""
    columns: dict[str, Sequence[Any]] = {}
    faults: list[FieldError] = []
    for tensor in asked.inputs:
        fault = "is there twice" if tensor.name in columns else _fault(tensor)
        if fault:
            faults.append(FieldError(None, short(tensor.name, 60), fault, "wrong-tensor"))
        columns[tensor.name] = _flat(tensor)
    if faults:
        raise HttpError(422, "Tensors are no columns", "", tuple(faults[:50]), code="invalid-tensors")
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise HttpError(422, "Tensors are no columns", "They have to be of one length", code="invalid-tensors")
    rows = lengths.pop()
    records = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if asked.id is UNSET or not asked.id:
        return Batch(records, new_ids(rows))
    ids = [asked.id] if rows == 1 else [f"{asked.id}-{at}" for at in range(rows)]
    check_ids(ids)
    return Batch(records, ids)


def _flat(tensor: Input) -> list[Any]:
    """The values of [n], and of [n, 1] whether they are nested or not."""
    if len(tensor.shape) == 2 and all(isinstance(value, list) and len(value) == 1 for value in tensor.data):
        return [value[0] for value in tensor.data]
    return tensor.data


def _fault(tensor: Input) -> str:
    """What is wrong with a tensor; empty where nothing is."""
    values = _flat(tensor)
    if not (len(tensor.shape) == 1 or (len(tensor.shape) == 2 and tensor.shape[1] == 1)):
        return "expected the shape [n] or [n, 1]"
    if tensor.shape[0] != len(values):
        return "holds another number of values than its shape says"
    types, low, high = _TYPES[tensor.datatype]
    if not all(value is None or type(value) in types for value in values):
        return f"expected values of datatype {tensor.datatype}, or null"
    if high and not all(value is None or low <= value <= high for value in values):
        return f"holds a value beyond {tensor.datatype}"
    return ""


_TYPES: dict[str, tuple[tuple[type, ...], float, float]] = {
    "BOOL": ((bool,), 0, 0),
    "BYTES": ((str,), 0, 0),
    **{f"FP{bits}": ((float, int), 0, 0) for bits in (16, 32, 64)},
    **{f"INT{bits}": ((int,), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": ((int,), 0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
"""Of each datatype, what JSON has for it, and from where to where it reaches."""


def _check_wanted(asked: InferRequest, served: ServedModel) -> None:
    known = [each.name for each in _outputs(_nothing(served))]
    for each in asked.outputs or []:
        if each.name not in known:
            detail = f"no such output; {did_you_mean(each.name, known)}"
            fault = FieldError(None, short(each.name, 60), detail, "unknown-output")
            raise HttpError(422, "There is no such output", "", (fault,), code="unknown-output")


def _nothing(served: ServedModel) -> Scored:
    """What is said of no rows, which has the form of what is said of any."""
    sets = None if served.model.sets is None else ()
    return Scored(served, Batch((), ()), (), (), (), sets, ())


def _outputs(scored: Scored) -> list[Output]:
    return list(_tensors(scored))


def _tensors(scored: Scored) -> Iterator[Output]:
    model, rows = scored.model.model, len(scored.labels)
    of_labels = _OF_LABELS[model.task.label_type]
    of_decisions = of_labels if model.decision.reject_cost is None else "BYTES"
    k = len(model.task.classes)
    yield Output("label", [rows], of_labels, list(scored.labels))
    yield Output("probabilities", [rows, k], "FP64", [p for row in scored.probabilities for p in row])
    yield Output("decision", [rows], of_decisions, list(scored.decisions))
    yield Output("id", [rows], "BYTES", list(scored.batch.ids))
    if scored.sets is not None:
        classes = model.classes_.tolist()
        holds = [label in members for members in scored.sets for label in classes]
        yield Output("set", [rows, k], "BOOL", holds)
