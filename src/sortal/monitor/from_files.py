"""What a model says of rows in files, as if it had answered them one after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from sortal.artifact.model import Model
from sortal.core.arrays import Floats
from sortal.core.door import rows_of_frame
from sortal.core.errors import DataError, OptionError
from sortal.core.frame import conform_column
from sortal.core.infer import infer
from sortal.core.kinds import kind_of
from sortal.core.plain import quoted
from sortal.core.schema import Column, column_name
from sortal.data.read import batches, folder_of, holds_records
from sortal.monitor.batch import BATCH, Batch
from sortal.monitor.from_log import label_of


@dataclass
class Files:
    """Rows of ``data`` (paths). ``time``: the column that says when a row came; without one the model's own, where it
    has one, and else all came ``now``. ``once``: whether they are looked at this time only, so that it may be unknown
    which were counted before. A column that is called as the target holds the label. ``notes``: what has to be known
    of the files.
    """

    model: Model
    data: Sequence[str]
    now: float
    time: str | None = None
    once: bool = True
    allow_missing: bool = False
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.model.decision.capacity is not None:
            raise OptionError(
                "the model decides within a capacity, and files do not say which rows were one batch; "
                "look at the log of its service: --log"
            )

    def batches(self) -> Generator[Batch, None, None]:
        """Raises DataError for a row without a time, and as ``sortal predict`` does."""
        model, first_row = self.model, 1
        may_lack, folder = self.allow_missing or holds_records(self.data), folder_of(self.data)
        times: Callable[[pl.DataFrame, int], Floats] | None = None
        with closing(batches(self.data, BATCH, self._note)) as frames:  # also where a row is refused
            for frame in frames:
                times = times or self._reader_of_times(frame)
                rows = rows_of_frame(
                    frame, model.needs, source=self._name, first_row=first_row, allow_missing=may_lack, folder=folder
                )
                for text in rows.notes:
                    self._note(text)
                answers = model.answer_rows(rows, warnings=True)
                yield Batch(
                    times(frame, first_row),
                    {name: values for name, values in rows.columns.items() if name not in rows.absent},
                    answers.probabilities,
                    [str(decision) for decision in answers.decisions.tolist()],
                    self._labels(frame),
                    np.full(len(rows), np.nan),
                    np.array([bool(texts) for texts in answers.warnings or ()]),
                )
                first_row += frame.height

    @property
    def _name(self) -> str:
        return self.data[0] if len(self.data) == 1 else "the data"

    def _note(self, text: str) -> None:
        self.notes += [] if text in self.notes else [text]

    def _labels(self, frame: pl.DataFrame) -> list[str | None]:
        target = self.model.schema.only("target")
        if target is None or target.name not in frame.columns:
            return [None] * frame.height
        label = label_of(self.model)
        texts = conform_column(frame, target, self._name)
        return [None if text is None else label(text) for text in texts.to_list()]

    def _reader_of_times(self, first: pl.DataFrame) -> Callable[[pl.DataFrame, int], Floats]:
        """What gives seconds since 1970."""
        column = self._column_of_time(first)
        if column is None and not self.once:
            raise OptionError(
                "--state keeps counts from one look to the next, and no column says which rows were counted already; "
                "name one with --time, or leave --state out: then all rows are counted anew"
            )
        if column is None:
            self._note("no column says when a row came (--time): all rows count as of today")
            return lambda frame, first_row: np.full(frame.height, self.now)

        def times(frame: pl.DataFrame, first_row: int) -> Floats:
            moments = conform_column(frame, column, self._name, first_row)
            if moments.null_count():
                row = int(moments.is_null().arg_max() or 0) + first_row
                raise DataError(f"{self._name} has no {column.name} in row {row:,}, so that its day is not known")
            return moments.dt.epoch("us").to_numpy() / 1e6

        return times

    def _column_of_time(self, frame: pl.DataFrame) -> Column | None:
        time_column = self.model.schema.only("time")
        if self.time is None:
            usual = (
                time_column is not None
                and time_column.name in frame.columns
                and kind_of(time_column.kind).storage == "moment"
            )
            return time_column if usual else None
        name = column_name(self.time)
        if time_column is not None and time_column.name == name:
            column = time_column
        else:
            only = frame[[name]] if name in frame.columns else frame  # of which it says what there is
            column = next(candidate for candidate in infer(only, None, time=name).columns if candidate.name == name)
        if kind_of(column.kind).storage != "moment":
            raise OptionError(
                f"--time {quoted(name)} says of no row on which day it came ({column.reason}); name a column of dates"
            )
        return column
