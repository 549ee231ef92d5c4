"""What labels say of a model that answers: the rows whose truth is known, against what was promised.

It is what ``sortal evaluate`` would say of these rows (``record.fresh.judge``), from the probabilities that were given
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from sortal.artifact.model import Model
from sortal.core.door import Rows
from sortal.core.errors import SortalError
from sortal.core.json_rows import read_alone
from sortal.core.kinds import kind_of
from sortal.core.schema import Schema, by_column
from sortal.serve.deployment import ServedModel
from sortal.serve.log.foreign import as_array, named
from sortal.serve.log.records import LabelledPrediction
from sortal.serve.traffic import gently

MOST = 10_000
"""Rows that are judged, those whose labels came last: their intervals are narrow, and they take a second."""


class Labels(Protocol):
    """The part of a log that is asked, as ``log.store.LogStore`` has it."""

    def labelled(self, model: str, most: int, *, inputs: bool = True) -> Iterable[LabelledPrediction]: ...


def judge_log(served: ServedModel, log: Labels) -> dict[str, Any]:
    """What the labels in a log say of a model, as it is sent. ``note``: why there is nothing, or less than there could
    be.
    """
    inputs = _worth_reading(served.model)
    try:
        rows = list(last_answers(gently(log.labelled(served.sha256, MOST, inputs=inputs))))
        return (
            _evaluation(served, rows) if rows else _nothing("no label has come yet of a row that this model answered")
        )
    except SortalError as error:
        return _nothing(f"no figures: {error}")
    except ModuleNotFoundError as missing:
        return _nothing(f"figures need {missing.name}, which is not installed beside this service")


def _nothing(note: str) -> dict[str, Any]:
    return {"rows": 0, "note": note}


def _worth_reading(model: Model) -> bool:
    """Whether the log is asked for inputs: not for images, which are large, unless costs stand beside them."""
    images = any(kind_of(column.kind).storage == "bytes" for column in model.needs.columns)
    return not images or bool(model.decision.cost_columns)


def last_answers(labelled: Iterable[LabelledPrediction]) -> Iterable[LabelledPrediction]:
    """Of a row that was asked about more than once, the last answer is the one that counts; it comes first."""
    row_ids: set[str] = set()
    for answer in labelled:
        if answer.prediction.row_id not in row_ids:
            row_ids.add(answer.prediction.row_id)
            yield answer


def _evaluation(served: ServedModel, labelled: Sequence[LabelledPrediction]) -> dict[str, Any]:
    # Imported where it is needed: a service that nobody looks at does without polars.
    from sortal.core.labels import code_of, no_class_note
    from sortal.core.predictions import Predictions
    from sortal.evaluate.metrics import label_of
    from sortal.record.fresh import Fresh, judge

    model = served.model
    labels = [(answer.prediction, answer.label.label) for answer in labelled if answer.label]
    coded = [(prediction, code_of(label, model.task.classes)) for prediction, label in labels]
    pairs = [(prediction, code) for prediction, code in coded if code is not None]
    if not pairs:
        return _nothing("no label that has come is a class of this model")
    strange = [label for (_, label), (_, code) in zip(labels, coded, strict=True) if code is None]
    notes = (no_class_note(len(strange), strange[0]),) if strange else ()
    ids, inputs = zip(*((prediction.row_id, by_column(prediction.inputs)) for prediction, _ in pairs), strict=True)
    with named(zip(ids, inputs, strict=True), model.needs):
        rows = _rows(model, inputs)
    predictions = Predictions(
        classes=model.task.classes,
        rows=np.arange(len(pairs)),
        truth=np.array([code for _, code in pairs], dtype=np.int64),
        probability=as_array(ids, [prediction.probabilities for prediction, _ in pairs], len(model.task.classes)),
        part="fresh",
        row_costs=rows.row_costs(model.decision.cost_columns),
    )
    fresh = Fresh("the log", predictions, columns=rows.columns, notes=notes, of_no_class=len(strange))
    evaluation = judge(served.name, model, fresh)
    times = [prediction.time for prediction, _ in pairs]
    return {
        "rows": len(pairs),
        "since": min(times),
        "until": max(times),
        "note": f"of the last {MOST:,} labels" if len(labelled) >= MOST else "",
        "names": {comparison.metric: label_of(comparison.metric) for comparison in evaluation.comparisons},
        "evaluation": msgspec.to_builtins(evaluation),
    }


def _rows(model: Model, inputs: Sequence[Mapping[str, Any]]) -> Rows:
    """The columns that the log has of them, as the model reads them; without images, which take long to measure."""
    names = {name for row in inputs for name in row}
    columns = [
        column for column in model.needs.columns if column.name in names and kind_of(column.kind).storage != "bytes"
    ]
    return read_alone(inputs, Schema(tuple(columns)))
