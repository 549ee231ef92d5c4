"""Score files of any size: label, decision and probabilities beside the columns that were read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.artifact.model import Model, load
from sortal.core.frame import Table, conform
from sortal.data.read import batches, holds_records
from sortal.data.write import writer

Floats = NDArray[np.float64]


def score_file(model_file: Path, data: Sequence[str], out: Path | None) -> int:
    """Write the scored rows to ``out`` (CSV to the standard output where it is None) and return how many there are.

    Rows are read, scored and written a batch at a time; the output appears when all of it is written.
    """
    scored = _scored(load(model_file), data)
    rows = 0
    if out is None:
        for i, frame in enumerate(scored):
            sys.stdout.write(frame.write_csv(include_header=i == 0))
            rows += frame.height
        return rows
    with writer(out) as file:
        for frame in scored:
            file.write(frame)
            rows += frame.height
    return rows


def _scored(model: Model, data: Sequence[str]) -> Iterator[pl.DataFrame]:
    if model.decision.capacity is not None:
        # The best of all rows are known only when all are scored: once to rank them, once more to write them.
        ranked = [_priority(model, table, probability) for _, table, probability in _batches(model, data)]
        model = replace(model, decision=replace(model.decision.within(np.concatenate(ranked)), capacity=None))
    for frame, table, probability in _batches(model, data):
        yield with_scores(model, frame, table, probability)


def _batches(model: Model, data: Sequence[str]) -> Iterator[tuple[pl.DataFrame, Table, Floats]]:
    """A batch as it was read, the same rows in canonical types, and their probabilities."""
    name, first_row, records = Path(data[0]).name if len(data) == 1 else "the data", 1, holds_records(data)
    for frame in batches(data):
        # Messages name the row as it is counted in the file, not in the batch.
        rows = conform(frame, model.needs, source=name, first_row=first_row, allow_missing=records)
        table = Table(model.needs, rows, np.arange(first_row - 1, first_row - 1 + frame.height))
        yield frame, table, model.score(rows)
        first_row += frame.height


def _priority(model: Model, table: Table, probability: Floats) -> Floats:
    """(n,) how much it pays to decide each row positive."""
    return model.decision.priority(probability, table.amounts(model.decision.cost_columns))


def with_scores(model: Model, frame: pl.DataFrame, table: Table, probability: Floats) -> pl.DataFrame:
    """The frame with ``prediction`` (most probable class), ``decision``, a ``probability_...`` a class, and the prediction ``set``
    where the model has them, its labels with ``|`` between them.
    """
    labels = [model.task.label(code) for code in range(len(model.task.classes))]
    columns: dict[str, Any] = {
        "prediction": [labels[code] for code in probability.argmax(axis=1)],
        "decision": model.labelled(model.decide_table(table, probability)).tolist(),
        **{f"probability_{name}": probability[:, k] for k, name in enumerate(model.task.classes)},
    }
    if model.sets is not None:
        names = np.array(model.task.classes)
        columns["set"] = ["|".join(names[held]) for held in model.sets.apply(probability)]
    return frame.with_columns(pl.Series(name, values) for name, values in columns.items())
