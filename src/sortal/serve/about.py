"""What a model is: its columns as a form needs them, what was measured, what it promises, how it decides."""

from __future__ import annotations

from typing import Any

import msgspec

from sortal.core.kinds import kind_of
from sortal.core.schema import Column
from sortal.decide.sets import notes
from sortal.serve.deployment import ServedModel
from sortal.serve.http import Request, Response
from sortal.serve.log.records import Label
from sortal.serve.service import Service, Timing
from sortal.serve.typical import example, json_value

MOST_LEVELS = 200
"""Of a category, the most frequent first: more than anybody looks through in a list."""


class AboutColumn(msgspec.Struct, omit_defaults=True):
    """A column that the model reads. ``expected``: what its values are, in words. ``required``: whether a row needs
    one; all others may be missing. ``levels``: the most frequent in training, the first first; ``more_levels``: whether
    there were others. ``range``: about the smallest and the largest value of training. ``missing``: the share of rows
    that had none. ``example``: a usual value.
    """

    name: str
    kind: str
    expected: str
    required: bool = False
    levels: tuple[str, ...] = ()
    more_levels: bool = False
    range: tuple[Any, Any] | None = None
    missing: float = 0.0
    example: Any = None


class AboutModel(msgspec.Struct):
    """A model that is served. ``sha256``: of its file, and ``version`` of the sortal that trained it. ``columns``: what
    a row may hold; ``unread``: columns of the training table that may be there too, and change nothing. ``metrics``:
    figures of each part of the data with their intervals. ``promise``: what was certified, or why nothing was.
    """

    name: str
    sha256: str
    version: str
    target: str
    classes: list[Label]
    positive: Label | None
    prevalence: tuple[float, ...]
    headline: tuple[str, ...]
    columns: list[AboutColumn]
    unread: list[str]
    metrics: dict[str, Any]
    decision: dict[str, Any]
    promise: str | None
    caveat: str | None
    sets: dict[str, Any] | None
    set_notes: tuple[str, ...]
    card: dict[str, Any] | None


async def about(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v1/model``"""
    champion = service.deployment.champion
    # Of a table of thousands of columns it takes long.
    return Response.json(await service.workers.run(lambda: describe(champion), float("inf")))


def describe(served: ServedModel) -> AboutModel:
    """What a model is."""
    model = served.model
    task, certificate = model.task, model.decision.certificate
    read_names = set(model.needs.names)
    labels = model.classes_.tolist()
    return AboutModel(
        name=served.name,
        sha256=served.sha256,
        version=model.version,
        target=task.target,
        classes=labels,
        positive=None if task.positive is None else labels[task.positive_code],
        prevalence=task.prevalence,
        headline=task.headline,
        columns=[describe_column(served, column) for column in model.needs.columns],
        unread=[name for name in model.schema.names if name not in read_names],
        metrics=msgspec.to_builtins(model.metrics),
        decision=msgspec.to_builtins(model.decision),
        promise=None if certificate is None else certificate.explanation,
        caveat=None if certificate is None else certificate.caveat,
        sets=None if model.sets is None else msgspec.to_builtins(model.sets),
        set_notes=() if model.sets is None else notes(model.sets, task.classes),
        card=None if model.card is None else msgspec.to_builtins(model.card),
    )


def describe_column(served: ServedModel, column: Column) -> AboutColumn:
    """What a column is."""
    kind, profile = kind_of(column.kind), served.model.profile.get(column.name)
    about_column = AboutColumn(
        name=column.name,
        kind=column.kind,
        expected=served.door.expected[column.name],
        required=column.role == "cost",
        levels=column.levels,
        missing=column.missing,
        example=example(column, profile),
    )
    if profile is not None and kind.categorical:
        about_column.levels = profile.levels[:MOST_LEVELS]
        about_column.more_levels = len(profile.levels) > MOST_LEVELS or profile.others > 0
    if profile is not None and profile.ends and kind.storage != "boolean":
        low, high = profile.ends
        about_column.range = (json_value(column, low), json_value(column, high))
    return about_column
