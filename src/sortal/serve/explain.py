"""What each field of a row adds to what the model says: asked of the model itself, with the field otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from sortal.artifact.attribution import MOST_WORDS, effects_of_columns, field_effects, word_effects
from sortal.core.arrays import Floats
from sortal.core.door import Rows
from sortal.core.image_patches import GRID
from sortal.core.kinds import kind_of
from sortal.core.schema import Column
from sortal.serve.body import decode, refuse_repeated_names
from sortal.serve.deployment import ServedModel
from sortal.serve.http import FieldError, HttpError, Request, Response
from sortal.serve.log.records import Label
from sortal.serve.service import Service, Timing
from sortal.serve.typical import MOST_VALUES, usual_values
from sortal.serve.v1 import Row, code_of

MOST_FIELDS = 100
"""Of a row, those on which the model leans most first: with all their values, 500 rows are scored."""

Method = Literal["usual values", "missing"]


class ExplainRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A row, and the class of which is asked; the most probable one where none is named."""

    row: Row
    label: Label | UnsetType = UNSET


class WordEffect(msgspec.Struct):
    """What a word adds: the letters of the text from ``begin`` to before ``end``."""

    begin: int
    end: int
    effect: float


class FieldEffect(msgspec.Struct, omit_defaults=True):
    """How much less the log-odds of the class would be without what stands in a field: above zero, it speaks for the
    class. ``method``: what stands there instead: the ``usual values`` of training, on average, or nothing at all
    (``missing``). ``words``: of a text, what each adds, being left out; ``parts``: of an image, what each of its parts
    adds, row by row, being covered.
    """

    field: str
    effect: float
    method: Method
    words: list[WordEffect] = []
    parts: list[list[float]] = []


class ExplainResponse(msgspec.Struct):
    """What speaks for a class, the strongest first. Effects of fields that depend on each other do not add up.
    ``unexplained``: fields that were not looked at, since there are many.
    """

    model: str
    label: Label
    probability: float
    effects: list[FieldEffect]
    unexplained: list[str]
    warnings: tuple[str, ...]


_DECODER = msgspec.json.Decoder(ExplainRequest)


async def explain(service: Service, request: Request, timing: Timing) -> Response:
    """``POST /v1/explain``"""
    served = service.deployment.champion
    return await service.workers.answer(
        request.body,
        read=lambda: _read(served, request.body, timing),
        seconds=lambda payload: served.pace.of(_questions(served)),
        answer=lambda payload: Response.json(_explanation(service, served, payload, timing)),
    )


def _read(served: ServedModel, body: bytes, timing: Timing) -> ExplainRequest:
    with timing.stage("decode"):
        payload = decode(_DECODER, body)
        served.door.check_width([payload.row])
        refuse_repeated_names(body, 1 + (payload.label is not UNSET) + len(payload.row))
        return payload


def _questions(served: ServedModel) -> int:
    """How many rows are scored."""
    rows_by_encoding = {"text": MOST_WORDS, "image": GRID**2}
    return sum(
        rows_by_encoding.get(kind_of(column.kind).encoding, MOST_VALUES) + 2 for column in served.model.reads.columns
    )


def _explanation(service: Service, served: ServedModel, payload: ExplainRequest, timing: Timing) -> ExplainResponse:
    model = served.model
    with timing.stage("validate"):
        inputs = served.door.read([payload.row], service.limits)
        code = None if payload.label is UNSET else code_of(served, payload.label)
        if payload.label is not UNSET and code is None:
            fault = FieldError(None, "label", "expected a class of the model", "unknown-class")
            raise HttpError(422, "The label is no class of the model", "", (fault,), code="unknown-class")
    with timing.stage("score"):
        probability = model.score_rows(inputs.rows)[0]
        about = int(probability.argmax()) if code is None else code
        columns = _by_importance(served)
        effects = _effects(served, inputs.rows, columns[:MOST_FIELDS], about)
    effects.sort(key=lambda effect: -abs(effect.effect))
    return ExplainResponse(
        model=served.sha256,
        label=model.classes_.tolist()[about],
        probability=float(probability[about]),
        effects=effects,
        unexplained=[column.name for column in columns[MOST_FIELDS:]],
        warnings=tuple(inputs.warnings[0]),
    )


def _by_importance(served: ServedModel) -> list[Column]:
    """Columns that the program reads, the one that it leans on most first where that is known."""
    card = served.model.card
    rank = {name: at for at, name in enumerate(card.by_importance)} if card is not None else {}
    return sorted(served.model.reads.columns, key=lambda column: rank.get(column.name, len(rank)))


def _effects(served: ServedModel, row: Rows, columns: Sequence[Column], code: int) -> list[FieldEffect]:
    """What stands in each field, against what could stand there instead."""
    instead = [_instead(served, column) for column in columns]
    changes = [(column.name, value) for column, (values, *_) in zip(columns, instead, strict=True) for value in values]
    ends = np.cumsum([len(values) for values, *_ in instead])
    parts = np.split(effects_of_columns(served.model, row, changes, code), ends[:-1])
    effects = []
    for column, (_, weight, method), of_values in zip(columns, instead, parts, strict=True):
        effects.append(FieldEffect(column.name, float(of_values @ weight), method))
        _look_into(served, row, column, code, effects[-1])
    return effects


def _instead(served: ServedModel, column: Column) -> tuple[list[Any], Floats, Method]:
    """Usual values of a column and their weights, or nothing at all."""
    values, weight = usual_values(served.model.profile.get(column.name))
    if values:
        return values, weight, "usual values"
    return [np.nan if kind_of(column.kind).numeric else None], np.ones(1), "missing"


def _look_into(served: ServedModel, row: Rows, column: Column, code: int, effect: FieldEffect) -> None:
    """What words of a text, and parts of an image, add."""
    if row.columns[column.name][0] is None:
        return
    encoding = kind_of(column.kind).encoding
    if encoding == "text":
        effect.words = list(_words(served, row, column.name, code))
    elif encoding == "image":
        effect.parts = field_effects(served.model, row, column.name, code).tolist()


def _words(served: ServedModel, row: Rows, column: str, code: int) -> Iterator[WordEffect]:
    spans, effects = word_effects(served.model, row, column, code)
    for (begin, end), effect in zip(spans, effects.tolist(), strict=True):
        yield WordEffect(begin, end, effect)
