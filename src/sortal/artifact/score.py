"""Score files of any size: label, decision and probabilities beside the columns that were read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.artifact.model import Model, load
from sortal.core.frame import conform
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
    name, first_row = Path(data[0]).name if len(data) == 1 else "the data", 1
    for frame in batches(data):
        # Messages name the row as it is counted in the file, not in the batch.
        rows = conform(frame, model.reads, ("feature",), source=name, first_row=first_row)
        yield with_scores(model, frame, model.score(rows))
        first_row += frame.height


def with_scores(model: Model, frame: pl.DataFrame, probability: NDArray[np.float64]) -> pl.DataFrame:
    """The frame with ``prediction`` (most probable class), ``decision`` and a ``probability_...`` a class."""
    labels = [model.task.label(code) for code in range(len(model.task.classes))]
    columns: dict[str, Any] = {
        "prediction": [labels[code] for code in probability.argmax(axis=1)],
        "decision": [labels[code] for code in model.decision.apply(probability)],
        **{f"probability_{name}": probability[:, k] for k, name in enumerate(model.task.classes)},
    }
    return frame.with_columns(pl.Series(name, values) for name, values in columns.items())
