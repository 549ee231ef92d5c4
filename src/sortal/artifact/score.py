"""Score files of any size: label, decision and probabilities beside the columns that were read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from sortal.artifact.model import Model, load
from sortal.data.read import batches
from sortal.data.write import writer


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
    for frame in batches(data):
        yield with_scores(model, frame)


def with_scores(model: Model, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with ``prediction`` (most probable class), ``decision`` and a ``probability_...`` a class."""
    probability = model.predict_proba(frame)
    labels = [model.task.label(code) for code in range(len(model.task.classes))]
    columns: dict[str, Any] = {
        "prediction": [labels[code] for code in probability.argmax(axis=1)],
        "decision": [labels[code] for code in model.decision.apply(probability)],
        **{f"probability_{name}": probability[:, k] for k, name in enumerate(model.task.classes)},
    }
    return frame.with_columns(pl.Series(name, values) for name, values in columns.items())
