"""Our own protocol: rows as objects in, labels, probabilities and decisions out; labels come later, by row id."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sortal.core.errors import StoreError
from sortal.core.writing import listing
from sortal.serve import multipart
from sortal.serve.body import decode, refuse_repeated_names
from sortal.serve.deployment import ServedModel
from sortal.serve.door import Door
from sortal.serve.http import MULTIPART, FieldError, HttpError, Request, Response, busy
from sortal.serve.log.records import Label, LabelRecord
from sortal.serve.service import Batch, Scored, Service, Timing, answer, check_ids, check_number, new_ids

Row = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Row"})]
"""Fields by the names of the model's columns."""
RowId = Annotated[str, Meta(min_length=1, max_length=128)]


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One ``row``, with an ``id`` where it has one, or several ``rows`` with their ``ids``. Labels that come later name
    these ids; what has none is given one.
    """

    row: Row | UnsetType = UNSET
    id: RowId | UnsetType = UNSET
    rows: list[Row] | UnsetType = UNSET
    ids: list[RowId] | UnsetType = UNSET


class Prediction(msgspec.Struct, omit_defaults=True):
    """What is said of one row. ``label``: the most probable class. ``decision``: what the decision rule of the model
    says, which may be ``"reject"``: left to a person. ``set``: the classes that it may well be, where the model has
    prediction sets. ``warnings``: what is odd about the row.
    """

    id: str
    label: Label
    probabilities: dict[str, float]
    decision: Label
    set: tuple[Label, ...] | None = None
    warnings: tuple[str, ...] = ()


class PredictResponse(msgspec.Struct):
    """What is said of the rows, in their order. ``model``: SHA-256 of the model's file. ``notes``: of the rows as a
    whole.
    """

    model: str
    predictions: list[Prediction]
    notes: tuple[str, ...]


class GivenLabel(msgspec.Struct, forbid_unknown_fields=True):
    """What turned out to be true of the row with this ``id``: a class of the model, in its type."""

    id: RowId
    label: Label


class LabelsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Labels of rows. They may come more than once, in any order, and before their row."""

    labels: list[GivenLabel]


class LabelConflict(msgspec.Struct):
    """A label that contradicts the ``known`` one, which stays."""

    id: str
    known: Label
    given: Label


class LabelsResponse(msgspec.Struct):
    """What became of labels: ``new`` ones were stored, of which ``unmatched`` belong to no row that is known yet;
    ``repeated`` ones were known.
    """

    new: int
    repeated: int
    unmatched: int
    conflicts: list[LabelConflict]


_PREDICT = msgspec.json.Decoder(PredictRequest)
_LABELS = msgspec.json.Decoder(LabelsRequest)


async def predict(service: Service, request: Request, timing: Timing) -> Response:
    """``POST /v1/predict``"""
    return await service.workers.answer(
        request.body,
        read=lambda: _batch(service, request, timing),
        seconds=lambda batch: service.deployment.champion.pace.of(len(batch.rows)),
        answer=lambda batch: _predict(service, batch, timing),
    )


def _predict(service: Service, batch: Batch, timing: Timing) -> Response:
    return Response.json(_response(answer(service, batch, timing)))


def _batch(service: Service, request: Request, timing: Timing) -> Batch:
    """The rows that a request holds. Raises HttpError for what is no request of this kind."""
    with timing.stage("decode"):
        if request.media_type == MULTIPART:
            row = multipart.row_of(request, service.deployment.champion.model, service.limits)
            ids = [request.query["id"]] if "id" in request.query else None
            rows: list[dict[str, Any]] = [row]
        else:
            rows, ids = _rows(request.body, service.deployment.champion.door)
        check_number(service, len(rows))
        if ids is not None:
            check_ids(ids)
        return Batch(rows, new_ids(len(rows)) if ids is None else ids)


def _rows(body: bytes, door: Door) -> tuple[list[dict[str, Any]], list[str] | None]:
    """Rows and their ids."""
    payload = decode(_PREDICT, body)
    members = (payload.row, payload.id, payload.rows, payload.ids)
    if payload.row is not UNSET:
        rows, ids = [payload.row], None if payload.id is UNSET else [payload.id]
        alone = payload.rows is UNSET and payload.ids is UNSET
    else:
        rows, ids = payload.rows or [], payload.ids or None
        alone = payload.rows is not UNSET and payload.id is UNSET
    if not alone:
        raise _invalid("There is either row, with its id, or rows, with their ids")
    door.check_width(rows)
    refuse_repeated_names(body, sum(member is not UNSET for member in members) + sum(map(len, rows)))
    if not rows:
        raise _invalid("There is no row")
    if ids is not None and len(ids) != len(rows):
        raise _invalid(f"There are {len(rows):,} rows and {len(ids):,} ids")
    return rows, ids


def _invalid(detail: str) -> HttpError:
    return HttpError(422, "The body is not what is expected", detail, code="invalid-body")


def _response(scored: Scored) -> PredictResponse:
    names = scored.model.model.task.classes
    sets: Sequence[Sequence[Label] | None] = scored.sets or [None] * len(scored.labels)
    columns = (scored.labels, scored.probabilities, scored.decisions, sets, scored.warnings)
    predictions = [
        Prediction(
            id=row_id,
            label=label,
            probabilities=dict(zip(names, probabilities, strict=True)),
            decision=decision,
            set=None if members is None else tuple(members),
            warnings=tuple(warnings),
        )
        for row_id, label, probabilities, decision, members, warnings in zip(scored.batch.ids, *columns, strict=True)
    ]
    return PredictResponse(scored.model.sha256, predictions, scored.notes)


async def labels(service: Service, request: Request, timing: Timing) -> Response:
    """``POST /v1/labels``"""
    if service.log is None:
        raise HttpError(409, "This service keeps no log", "Labels belong to rows that were logged", code="no-log")
    records = await service.workers.read(request.body, lambda: _label_records(service, request.body, timing))
    with timing.stage("log"):
        try:
            receipt = await asyncio.wrap_future(service.log.labels(records))
        except StoreError as error:
            raise busy("The log takes no more labels for now; they can be sent again") from error
    conflicts = [LabelConflict(conflict.row_id, conflict.known, conflict.given) for conflict in receipt.conflicts]
    return Response.json(LabelsResponse(receipt.new, receipt.repeated, receipt.unmatched, conflicts))


def _label_records(service: Service, body: bytes, timing: Timing) -> list[LabelRecord]:
    with timing.stage("decode"):
        payload = decode(_LABELS, body)
        refuse_repeated_names(body, 1 + 2 * len(payload.labels))
    with timing.stage("validate"):
        check_ids([item.id for item in payload.labels], distinct=False)
        return _records(service.deployment.champion, payload.labels, service.limits.errors)


def _records(served: ServedModel, items: list[GivenLabel], most: int) -> list[LabelRecord]:
    """Labels in the types of the model. Raises HttpError for those that are none of its classes."""
    classes, codes = served.model.classes_.tolist(), _codes(served)
    label_codes = [codes.get((_sort(item.label), item.label)) for item in items]
    wrong = [at for at, code in enumerate(label_codes) if code is None]
    if wrong:
        expected = f"expected a class of the model: {listing([_json(label) for label in classes])}"
        errors = tuple(FieldError(at, "label", expected, "unknown-class") for at in wrong[:most])
        raise HttpError(422, "Labels are no classes of the model", "", errors, code="unknown-class")
    now = time.time()
    return [
        LabelRecord(item.id, classes[code], now)
        for item, code in zip(items, label_codes, strict=True)
        if code is not None
    ]


def code_of(served: ServedModel, label: Label) -> int | None:
    """The code of a label in the type of the model's; None if it is no class."""
    return _codes(served).get((_sort(label), label))


def _codes(served: ServedModel) -> dict[tuple[type, Label], int]:
    return {(_sort(label), label): code for code, label in enumerate(served.model.classes_.tolist())}


def _sort(label: Label) -> type:
    """1 and 1.0 are the same number, true is none, and "1" is a text."""
    return float if type(label) is int else type(label)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
