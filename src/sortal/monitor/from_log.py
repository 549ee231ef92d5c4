"""What a model answered, out of the log of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from sortal.artifact.model import Model
from sortal.core.errors import DataError
from sortal.core.json_rows import JsonRows
from sortal.core.labels import code_of
from sortal.core.schema import Schema
from sortal.monitor.batch import BATCH, Batch
from sortal.monitor.losses import class_texts
from sortal.serve.log.foreign import as_array, check_decisions
from sortal.serve.log.rows import UNREADABLE, Answers, answers_of, check_inputs, redacted_of, size
from sortal.serve.log.store import LogStore

MOST_BYTES = 2**27
"""Of rows that are read at once: a few images are as much as many numbers."""

Page = Sequence[Sequence[Any]]
Label = Callable[[Any], str]


def predictions(pages: Iterable[Page], model: Model, sha256: str, columns: Schema, until: float) -> Iterator[Batch]:
    """What the model ``sha256`` answered, in pages of a store, with the labels that came before some moment.

    ``columns``: those that are read. What is redacted is no column of a batch, as that is no missing value.
    """
    label = label_of(model)

    @cache
    def reader(redacted: str) -> JsonRows:
        redacted_names = redacted_of(redacted)
        return JsonRows(Schema(tuple(column for column in columns.columns if column.name not in redacted_names)))

    for rows in _gather(pages):
        answers = answers_of(rows, sha256)
        batch = _batch(model, answers, label, until)
        for redacted in dict.fromkeys(answers.redacted):
            places = [at for at, other in enumerate(answers.redacted) if other == redacted]
            texts = [answers.inputs[at] for at in places]
            try:
                inputs = reader(redacted).read(texts)
            except (DataError, *UNREADABLE):
                check_inputs([answers.row_ids[at] for at in places], texts, columns)
                raise
            yield replace(batch.take(np.array(places)), columns=inputs.columns)


def late_labels(store: LogStore, model: Model, sha256: str, since: float, until: float) -> Iterator[Batch]:
    """What was answered before a span of time, and whose label came in it. Columns are not read."""
    label = label_of(model)
    for rows in store.pages_labelled(since, until):
        answers = answers_of([row for row in rows if row[1] < since], sha256)
        if answers.times:
            yield _batch(model, answers, label, until)


def of_others(store: LogStore, sha256: str) -> str:
    """What is said of a log whose first rows others answered than the model ``sha256``; empty for other logs."""
    models = [row[2] for row in next(store.pages(inputs=False), [])]
    if not models or sha256 in models:
        return ""
    return (
        f"the log has no row that this model (SHA-256 {sha256[:12]}) answered; its first ones are of {models[0][:12]}: "
        "give the file that the service has"
    )


def label_of(model: Model) -> Label:
    """What gives a label as the text of its class, however it is written; as it is where it is no class."""
    classes, texts = model.task.classes, class_texts(model)

    @cache
    def text(label: Any, type_: str) -> str:  # 1 and True are one key, and two labels
        code = code_of(label, classes)
        return str(label) if code is None else texts[code]

    return lambda label: text(label, type(label).__name__)


def _gather(pages: Iterable[Page]) -> Iterator[Page]:
    """Rows of some pages together."""
    rows: list[Sequence[Any]] = []
    bytes_ = 0
    for page in pages:
        rows += page
        bytes_ += sum(map(size, page))  # type: ignore[arg-type]
        if len(rows) >= BATCH or bytes_ > MOST_BYTES:
            yield rows
            rows, bytes_ = [], 0
    yield rows


def _batch(model: Model, answers: Answers, label: Label, until: float) -> Batch:
    decisions = [label(decision) for decision in answers.decisions]
    check_decisions(answers.row_ids, decisions, class_texts(model))
    pairs = zip(answers.labels, answers.label_times, strict=True)
    return Batch(
        np.array(answers.times),
        {},
        as_array(answers.row_ids, answers.probabilities, len(model.task.classes)),
        decisions,
        [None if one is None or time is None or time >= until else label(one) for one, time in pairs],
        np.array(answers.seconds),
        np.array(answers.has_warning),
    )
