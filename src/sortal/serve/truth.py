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
from sortal.core.door import Rows, read_rows
from sortal.core.errors import SortalError
from sortal.core.kinds import kind_of
from sortal.core.schema import Schema
from sortal.serve.deployment import ServedModel
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
        return _judged(served, rows) if rows else _nothing("no label has come yet of a row that this model answered")
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
    seen: set[str] = set()
    for each in labelled:
        if each.prediction.row_id not in seen:
            seen.add(each.prediction.row_id)
            yield each


def _judged(served: ServedModel, labelled: Sequence[LabelledPrediction]) -> dict[str, Any]:
    # Imported where it is needed: a service that nobody looks at does without polars.
    from sortal.core.predictions import Predictions
    from sortal.evaluate.metrics import label_of
    from sortal.record.fresh import Fresh, judge

    model = served.model
    codes = {label: code for code, label in enumerate(model.classes_.tolist())}
    known = [
        (each.prediction, codes[each.label.label]) for each in labelled if each.label and each.label.label in codes
    ]
    if not known:
        return _nothing("no label that has come is a class of this model")
    rows = _rows(model, [prediction.inputs for prediction, _ in known])
    predictions = Predictions(
        classes=model.task.classes,
        rows=np.arange(len(known)),
        truth=np.array([code for _, code in known], dtype=np.int64),
        probability=np.array([prediction.probabilities for prediction, _ in known], dtype=np.float64),
        part="fresh",
        row_costs=rows.row_costs(model.decision.cost_columns),
    )
    found = judge(served.name, model, Fresh("the log", predictions, columns=rows.columns))
    times = [prediction.time for prediction, _ in known]
    return {
        "rows": len(known),
        "since": min(times),
        "until": max(times),
        "note": f"of the last {MOST:,} labels" if len(labelled) >= MOST else "",
        "names": {each.metric: label_of(each.metric) for each in found.comparisons},
        "evaluation": msgspec.to_builtins(found),
    }


def _rows(model: Model, inputs: Sequence[Mapping[str, Any]]) -> Rows:
    """The columns that the log has of them, as the model reads them; without images, which take long to measure."""
    names = {name for row in inputs for name in row}
    columns = [each for each in model.needs.columns if each.name in names and kind_of(each.kind).storage != "bytes"]
    return read_rows([dict(row) for row in inputs], Schema(tuple(columns)), allow_missing=True)
