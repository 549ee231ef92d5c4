"""The Open Inference Protocol (KServe's "v2"), version 2 of its REST form: columns in, tensors out.

A column of the model is an input of its name, of shape [n] or [n, 1]; one that is left out is missing, and so is null.
What comes back is ``label``, ``probabilities`` (n, K), ``decision``, ``id``, by which labels come later
(``/v1/labels``), and ``set`` (n, K) where the model has prediction sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from sortal.core.errors import did_you_mean
from sortal.core.few_bits import as_read
from sortal.core.kinds import Storage, kind_of
from sortal.core.plain import short
from sortal.serve.body import decode, refuse_repeated_names
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
    return Response.json(ModelReady(_served_model(service, request).name))


def model(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v2/models/{name}``"""
    served = _served_model(service, request)
    columns = served.model.needs.columns
    inputs = [TensorAbout(c.name, _OF_STORAGE.get(kind_of(c.kind).storage, "BYTES"), [-1]) for c in columns]
    outputs = [
        TensorAbout(output.name, output.datatype, [-1, *output.shape[1:]]) for output in _outputs(_nothing(served))
    ]
    return Response.json(ModelAbout(served.name, [_version(served)], "sortal", inputs, outputs))


def _served_model(service: Service, request: Request) -> ServedModel:
    """The model that a path names. Raises HttpError where another is served."""
    served = service.deployment.champion
    name_and_version = (request.parameters["name"], request.parameters.get("version", _version(served)))
    if name_and_version != (served.name, _version(served)):
        raise HttpError(404, "Another model is served here", "GET /v1/model says which", code="unknown-model")
    return served


def _version(served: ServedModel) -> str:
    return served.sha256[:SHORT_HASH]


async def infer(service: Service, request: Request, timing: Timing) -> Response:
    """``POST /v2/models/{name}/infer``"""
    served = _served_model(service, request)
    return await service.workers.answer(
        request.body,
        read=lambda: _read(service, served, request.body, timing),
        seconds=lambda parts: served.pace.of(len(parts[1].rows)),
        answer=lambda parts: _infer(service, *parts, timing),
    )


def _read(service: Service, served: ServedModel, body: bytes, timing: Timing) -> tuple[InferRequest, Batch]:
    with timing.stage("decode"):
        payload = decode(_INFER, body)
        refuse_repeated_names(body, _names(payload))
        batch = _batch(payload)
        check_number(service, len(batch.rows))
        _check_wanted(payload, served)
        return payload, batch


def _infer(service: Service, payload: InferRequest, batch: Batch, timing: Timing) -> Response:
    scored = answer(service, batch, timing)
    outputs = _outputs(scored)
    if payload.outputs:
        names = [output.name for output in payload.outputs]
        outputs = [output for name in names for output in outputs if output.name == name]
    return Response.json(InferResponse(scored.model.name, _version(scored.model), outputs, payload.id))


def _names(payload: InferRequest) -> int:
    """How many names the objects of a request hold, beside those of parameters."""
    members = (payload.id, payload.outputs, payload.parameters)
    of_inputs = sum(4 + (tensor.parameters is not UNSET) for tensor in payload.inputs)
    return 1 + sum(member is not UNSET for member in members) + of_inputs + len(payload.outputs or [])


def _batch(payload: InferRequest) -> Batch:
    """Rows of columns. Raises HttpError for tensors that are no columns of one table."""
    columns: dict[str, Sequence[Any]] = {}
    faults: list[FieldError] = []
    for tensor in payload.inputs:
        fault = "is there twice" if tensor.name in columns else _fault(tensor)
        if fault:
            faults.append(FieldError(None, short(tensor.name, 60), fault, "wrong-tensor"))
        columns[tensor.name] = _flat(tensor) if fault else _values(tensor)
    if faults:
        raise HttpError(422, "Tensors are no columns", "", tuple(faults[:50]), code="invalid-tensors")
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise HttpError(422, "Tensors are no columns", "They have to be of one length", code="invalid-tensors")
    rows = lengths.pop()
    records = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if payload.id is UNSET or not payload.id:
        return Batch(records, new_ids(rows))
    ids = [payload.id] if rows == 1 else [f"{payload.id}-{at}" for at in range(rows)]
    check_ids(ids)
    return Batch(records, ids)


def _flat(tensor: Input) -> list[Any]:
    """The values of [n], and of [n, 1] whether they are nested or not."""
    if len(tensor.shape) == 2 and all(isinstance(value, list) and len(value) == 1 for value in tensor.data):
        return [value[0] for value in tensor.data]
    return tensor.data


def _values(tensor: Input) -> list[Any]:
    """Its values; a number of few bits is the one that a person reads there, as by every other door: clients write .1
    with all the digits that it has in 64.
    """
    values, dtype = _flat(tensor), _FEW_BITS.get(tensor.datatype)
    if dtype is None:
        return values
    numbers = np.array([value if type(value) is float else np.nan for value in values])
    with np.errstate(over="ignore"):  # what is beyond the datatype is no number of it
        few = numbers.astype(dtype)
    own = few.astype(np.float64) == numbers
    read = as_read(few).tolist()
    return [number if is_own else value for value, number, is_own in zip(values, read, own, strict=True)]


_FEW_BITS: dict[str, Any] = {"FP16": np.float16, "FP32": np.float32}


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


def _check_wanted(payload: InferRequest, served: ServedModel) -> None:
    names = [output.name for output in _outputs(_nothing(served))]
    for output in payload.outputs or []:
        if output.name not in names:
            detail = f"no such output; {did_you_mean(output.name, names)}"
            fault = FieldError(None, short(output.name, 60), detail, "unknown-output")
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
