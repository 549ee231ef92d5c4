"""Our own protocol: rows as objects in, labels, probabilities and decisions out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec

from sortal.serve.http import HttpError, Request, Response
from sortal.serve.service import Batch, Scored, Service, Timing, answer


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """``rows``: one object a row, its fields the columns of the model. ``ids``: of the rows, for their labels."""

    rows: list[dict[str, Any]]
    ids: list[str] | None = None


class Prediction(msgspec.Struct, omit_defaults=True):
    """What is said of one row."""

    id: str
    prediction: Any
    probabilities: dict[str, float]
    decision: Any
    set: list[Any] | None = None
    warnings: list[str] = []


class PredictResponse(msgspec.Struct):
    """What is said of a request."""

    model: str
    predictions: list[Prediction]
    notes: list[str]


_DECODER = msgspec.json.Decoder(PredictRequest)


def predict(service: Service, request: Request, timing: Timing) -> Response:
    """``POST /v1/predict``"""
    with timing.stage("decode"):
        try:
            asked = _DECODER.decode(request.body)
        except msgspec.MsgspecError as error:
            raise HttpError(422, "The body is not what is expected", str(error)) from None
        ids = asked.ids or [uuid4().hex for _ in asked.rows]
    return Response.json(_written(answer(service, Batch(asked.rows, ids), timing)))


def _written(scored: Scored) -> PredictResponse:
    answers, model = scored.answers, scored.model.model
    names = model.task.classes
    labels = model.classes_
    predictions = [
        Prediction(
            id=row_id,
            prediction=answers.labels[at].item(),
            probabilities=dict(zip(names, answers.probabilities[at].tolist(), strict=True)),
            decision=answers.decisions[at].item(),
            set=None if answers.sets is None else labels[answers.sets[at]].tolist(),
            warnings=list(answers.warnings[at]) if answers.warnings is not None else [],
        )
        for at, row_id in enumerate(scored.batch.ids)
    ]
    return PredictResponse(scored.model.sha256, predictions, list(scored.notes))
