"""Score files of any size: label, decision and probabilities beside the columns that were read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.artifact.answers import Answers
from sortal.artifact.model import Model, load_with_sha256
from sortal.core.arrays import Codes, Floats
from sortal.core.door import Rows, rows_of_frame
from sortal.core.names import free_names
from sortal.core.shift import Shift, Watch
from sortal.core.writing import percent
from sortal.data.read import Source, batches, files_of, folder_of, holds_records
from sortal.data.write import writer


@dataclass
class ScoreSummary:
    """How many ``rows`` were scored, what has to be known of them (``notes``), and where they are not like those of
    training.
    """

    rows: int = 0
    notes: list[str] = field(default_factory=list)
    shifts: tuple[Shift, ...] = ()


def score_file(
    model_file: Path,
    data: Sequence[str] | Callable[[Model, str], Source],
    out: Path | None,
    *,
    allow_missing: bool = False,
    warnings: bool = False,
    verify: Path | None = None,
) -> ScoreSummary:
    """Write the scored rows to ``out`` (CSV to the standard output where it is None), and say what has to be known of
    them.

    Rows are read, scored and written a batch at a time; the output appears when all of it is written.
    ``allow_missing``: a column that the model reads and that is not there is missing in every row. ``warnings``: one
    more column says what is odd about a row. ``data``: paths, or what reads a table for the model and the SHA-256 of
    its file, called once all else is known to be right. ``verify``: a public key, for which the model must be signed.
    Raises OutputError where ``out`` is the model or one of the files that are scored.
    """
    model, sha256 = load_with_sha256(model_file, verify)
    with writer(out, sparing=[model_file, *([] if callable(data) else files_of(data))]) as file:
        job = _Job(model, data(model, sha256) if callable(data) else data, allow_missing, warnings)
        for frame in job.frames():
            file.write(frame)
    return job.scored


class _Job:
    """Scores all batches, and remembers what has to be known of them."""

    def __init__(self, model: Model, data: Sequence[str] | Source, allow_missing: bool, warnings: bool) -> None:
        self.scored = ScoreSummary()
        self._model, self._data = model, data
        self._allow_missing, self._warnings = allow_missing, warnings
        self._watch: Watch | None = None
        self._names: dict[str, str] = {}

    def frames(self) -> Iterator[pl.DataFrame]:
        """The batches with what the model says, in order."""
        model = self._model
        # The best of all rows are known only when all are scored: once to rank them, once more to write them.
        together = None if model.decision.capacity is None else self._decide_together()
        for frame, rows in self._batches():
            watch = self._watch or self._begin(frame, rows)
            watch.add(rows.columns)
            decided = None if together is None else together[rows.ids]
            self.scored.rows += len(rows)
            yield self._with_answers(frame, model.answer_rows(rows, decided=decided, warnings=self._warnings))
        self.scored.shifts = self._watch.shifts() if self._watch else ()

    def _batches(self) -> Iterator[tuple[pl.DataFrame, Rows]]:
        """A batch as it was read, and the same rows as the model reads them."""
        first_row = 1
        may_lack = self._allow_missing or holds_records(self._data)
        name, folder = _name_of(self._data), folder_of(self._data)
        for frame in batches(self._data, note=self._note):
            # Messages name the row as it is counted in the file, not in the batch.
            needs = self._model.needs
            rows = rows_of_frame(frame, needs, source=name, first_row=first_row, allow_missing=may_lack, folder=folder)
            for text in rows.notes:
                self._note(text)
            yield frame, rows
            first_row += frame.height

    def _note(self, text: str) -> None:
        """Once, also where the rows are read twice."""
        self.scored.notes += [] if text in self.scored.notes else [text]

    def _begin(self, first: pl.DataFrame, rows: Rows) -> Watch:
        """What is the same for all batches, from the columns of the first."""
        self.scored.notes += [
            f"no column {name!r}, which the model reads: taken as missing in all rows" for name in rows.absent
        ]
        self._names = free_names(columns_of(self._model, self._warnings), first.columns)
        self.scored.notes += [
            f"the data has a column {column!r} of its own, which stays: what the model says is in {name!r}"
            for column, name in self._names.items()
            if column != name
        ]
        self._watch = Watch(self._model.profiled(without=rows.absent))
        return self._watch

    def _decide_together(self) -> Codes:
        """(n,) codes of all rows as one batch."""
        model, rule = self._model, self._model.decision
        ranked = [
            rule.priority(model.score_rows(rows), rows.row_costs(rule.cost_columns)) for _, rows in self._batches()
        ]
        priority = np.concatenate(ranked)
        positives = rule.takes(priority)
        self.scored.notes += _about_the_cut(model, priority, positives)
        code = rule.classes.index(str(rule.positive))
        return np.where(positives, code, 1 - code)

    def _with_answers(self, frame: pl.DataFrame, answers: Answers) -> pl.DataFrame:
        values = values_of(self._model, answers)
        return frame.with_columns(pl.Series(name, v) for name, v in zip(self._names.values(), values, strict=True))


def _name_of(data: Sequence[str] | Source) -> str:
    if isinstance(data, Source):
        return data.name
    return Path(data[0]).name if len(data) == 1 else "the data"


def columns_of(model: Model, warnings: bool = False) -> tuple[str, ...]:
    """What a scored table says beside its own columns: ``prediction`` (the most probable class), ``decision``, a
    ``probability_...`` a class, the prediction ``set`` where the model has them, as a JSON list, and ``warnings`` where
    they are asked for.
    """
    probabilities = [f"probability_{name}" for name in model.task.classes]
    more = [*(["set"] if model.sets is not None else []), *(["warnings"] if warnings else [])]
    return ("prediction", "decision", *probabilities, *more)


def values_of(model: Model, answers: Answers) -> list[Any]:
    """Answers column by column, in the order of ``columns_of``."""
    values: list[Any] = [answers.labels.tolist(), answers.decisions.tolist(), *answers.probabilities.T]
    if answers.sets is not None:
        sets = [model.classes_[row].tolist() for row in answers.sets]
        values.append([json.dumps(classes, ensure_ascii=False) for classes in sets])
    if answers.warnings is not None:
        values.append(["; ".join(texts) for texts in answers.warnings])
    return values


def _about_the_cut(model: Model, priority: Floats, positives: NDArray[np.bool_]) -> list[str]:
    """How many rows a capacity takes, and what the order of the rows had to decide."""
    capacity, positive = model.decision.capacity, model.decision.positive
    if capacity is None:
        return []
    size = percent(capacity.share) if capacity.count is None else f"{capacity.count:,}"
    notes = [
        f"within the capacity of {size}, {int(positives.sum()):,} of {len(positives):,} rows are decided {positive!r}"
    ]
    if positives.any() and (ties_outside := int((priority[~positives] == priority[positives].min()).sum())):
        ties = int((priority[positives] == priority[positives].min()).sum())
        notes.append(f"{ties + ties_outside:,} rows tie at the cut: the first {ties:,} of them were taken")
    return notes
