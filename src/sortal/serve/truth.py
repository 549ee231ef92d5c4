"""What labels say of a model that answers: the newest predictions whose truth is known, against what was promised.

It is what ``sortal evaluate`` would say of these rows (``record.fresh.judge``), from the probabilities that were given
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from sortal.artifact.model import Model
from sortal.core.door import Rows, read_rows
from sortal.core.errors import SortalError
from sortal.core.kinds import kind_of
from sortal.core.schema import Schema
from sortal.serve.deployment import ServedModel
from sortal.serve.log.records import LabelledPrediction
from sortal.serve.traffic import Read, gently

MOST_LABELLED, MOST_ROWS = 20_000, 100_000
"""Of the newest predictions, so many with a label are judged, and so many are looked at: intervals of 20,000 are
narrow, and 100,000 are read in some seconds."""
FIRST_WINDOW, LONGEST = 600.0, 400 * 86_400.0
"""Seconds that are read at first, and into the past at most; each time twice as many, unless there are many rows."""
WINDOW_ROWS = 10_000
"""That a part of the log should have: it is in memory at once."""


@dataclass(frozen=True)
class Labelled:
    """Predictions with a label, the newest of each row. ``unlabelled``: others since the oldest of them; ``whole``:
    whether there are no older ones in the log.
    """

    rows: Sequence[LabelledPrediction] = ()
    unlabelled: int = 0
    whole: bool = True


@dataclass
class _Newest:
    labelled: dict[str, LabelledPrediction] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    looked: int = 0


def newest(read: Read, sha256: str, now: float) -> Labelled:
    """The newest rows that a model answered, and whose label is known."""
    found = _Newest()
    until, window = now, FIRST_WINDOW
    while until > now - LONGEST:
        since, before = until - window, found.looked
        part = [each for each in gently(read(since, until)) if _is_of(each, sha256)]
        found.looked += len(part)
        for each in reversed(part):
            _take(found, each)
        if found.looked > MOST_ROWS or len(found.labelled) > MOST_LABELLED:
            return Labelled(
                tuple(found.labelled.values())[:MOST_LABELLED], len(found.seen) - len(found.labelled), False
            )
        until = since
        rows = found.looked - before
        window *= min(2.0, max(0.1, WINDOW_ROWS / rows)) if rows else 2.0
    return Labelled(tuple(found.labelled.values()), len(found.seen) - len(found.labelled))


def _is_of(each: LabelledPrediction, sha256: str) -> bool:
    return each.prediction.model == sha256 and each.prediction.role == "champion"


def _take(found: _Newest, each: LabelledPrediction) -> None:
    """The last answer to a row is the one that counts."""
    name = each.prediction.row_id
    if name not in found.seen:
        found.seen.add(name)
        if each.label is not None:
            found.labelled[name] = each


def judged(served: ServedModel, labelled: Labelled) -> dict[str, Any]:
    """What the labels say, as it is sent. ``note``: why there is nothing, or less than there could be."""
    if not labelled.rows:
        return {"rows": 0, "unlabelled": labelled.unlabelled, "note": _none(labelled)}
    try:
        from sortal.core.predictions import Predictions
        from sortal.evaluate.metrics import label_of
        from sortal.record.fresh import Fresh, judge
    except ModuleNotFoundError as missing:
        note = f"figures need {missing.name}, which is not installed beside this service; sortal evaluate has them"
        return {"rows": len(labelled.rows), "unlabelled": labelled.unlabelled, "note": note}
    model = served.model
    codes = {label: code for code, label in enumerate(model.classes_.tolist())}
    known = [each for each in labelled.rows if each.label is not None and each.label.label in codes]
    rows = _rows(model, [each.prediction.inputs for each in known])
    predictions = Predictions(
        classes=model.task.classes,
        rows=np.arange(len(known)),
        truth=np.array([codes[each.label.label] for each in known if each.label is not None], dtype=np.int64),
        probability=np.array([each.prediction.probabilities for each in known], dtype=np.float64),
        part="fresh",
        row_costs=rows.row_costs(model.decision.cost_columns),
    )
    found = judge(served.name, model, Fresh("the log", predictions, columns=rows.columns))
    return {
        "rows": len(known),
        "unlabelled": labelled.unlabelled,
        "since": known[-1].prediction.time,
        "until": known[0].prediction.time,
        "note": "" if labelled.whole else "of the newest rows; there are older ones in the log",
        "names": {each.metric: label_of(each.metric) for each in found.comparisons},
        "evaluation": msgspec.to_builtins(found),
    }


def _none(labelled: Labelled) -> str:
    if labelled.whole:
        return "no label has come yet" if labelled.unlabelled else "the log has no row of this model yet"
    return f"none of the newest {labelled.unlabelled:,} rows has a label yet"


def _rows(model: Model, inputs: Sequence[Mapping[str, Any]]) -> Rows:
    """The columns that the log has of them, as the model reads them; without images, which take long to measure."""
    names = {name for row in inputs for name in row}
    columns = [each for each in model.needs.columns if each.name in names and kind_of(each.kind).storage != "bytes"]
    return read_rows([dict(row) for row in inputs], Schema(tuple(columns)), allow_missing=True)


def judge_log(served: ServedModel, read: Read, now: float) -> dict[str, Any]:
    """What the labels in a log say of a model, or why that cannot be said."""
    try:
        return judged(served, newest(read, served.sha256, now))
    except SortalError as error:
        return {"rows": 0, "unlabelled": 0, "note": f"no figures: {error}"}
