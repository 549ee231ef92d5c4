"""The fit of one candidate on one fold: what it is given, and what it returns. Nothing else changes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sortal.core.kinds import kind_of
from sortal.core.predictions import Predictions
from sortal.models.family import Matrix, OutOfTime, Settings, Size
from sortal.prepare.csr import nbytes
from sortal.prepare.levels import MOST_ROWS as LEVEL_ROWS
from sortal.prepare.view import WIDTHS, View
from sortal.training.candidate import (
    Candidate,
    Development,
    Index,
    Pipeline,
    Purpose,
    TrainingMatrix,
    fit,
    prepare_rows,
    sample,
    sample_units,
)
from sortal.training.fit_log import FitRows
from sortal.training.pace import AT_ONCE, Pace, look

CACHE_BYTES = 3_000_000_000
HURRIED = 0.5
"""A fold that would get less than this share of what the first fold took is not comparable to it any more."""


@dataclass(frozen=True)
class Folds:
    """``parts``: (training, validation) rows a fold. The first ``per_repeat`` of them validate every row at most
    once.
    """

    parts: tuple[tuple[Index, Index], ...]
    per_repeat: int

    @property
    def repeats(self) -> int:
        return len(self.parts) // self.per_repeat

    def unlearned(self, codes: Index) -> Index:
        """The rows that are judged by a model which no row of their class (code) taught."""
        parts = [valid[~np.isin(codes[valid], codes[train])] for train, valid in self.parts]
        return np.unique(np.concatenate(parts))

    def first(self, count: int) -> Folds:
        """Only the first folds: one repeat, or a single holdout."""
        return Folds(self.parts[:count], min(count, self.per_repeat))


@dataclass(frozen=True)
class FoldData:
    """The rows that training may use, and their folds; with a memory of what candidates share, which another process
    does without.

    ``paces``: of the candidates that were looked at. ``matrices``: of each fold, for candidates with the same view and
    sample.
    """

    dev: Development
    folds: Folds
    paces: dict[str, Pace] = field(default_factory=dict, repr=False)
    matrices: dict[tuple[int, View, int | None, bool], tuple[TrainingMatrix, Matrix]] = field(
        default_factory=dict, repr=False
    )

    @property
    def size(self) -> Size:
        """What a fit is given; texts count as the topics that they become, images as their fields."""
        encodings = [kind_of(column.kind).encoding for column in self.dev.table.schema.features]
        columns = sum(WIDTHS.get(encoding, 1) for encoding in encodings)
        return Size(len(self.folds.parts[0][0]), columns, len(self.dev.classes), encodings.count("image"))

    def pace(self, candidate: Candidate, seconds: float) -> Pace:
        """How long a fit of a candidate takes, where all of it may take so many seconds; each is looked at once."""
        if math.isinf(seconds):
            return AT_ONCE
        if candidate.name not in self.paces:
            self.paces[candidate.name] = look(candidate, self.dev, self.folds.parts, seconds)
        return self.paces[candidate.name]

    def matrix(
        self, fold: int, view: View, rows: int | None = None, units: bool = False
    ) -> tuple[TrainingMatrix, Matrix]:
        """The training matrix of a fold (of a sample of so many ``rows``, of whole ``units``), and the matrix of its
        validation rows.
        """
        if (fold, view, rows, units) not in self.matrices:
            train, valid = self.folds.parts[fold]
            sampler = sample_units if units else sample
            matrix = prepare_rows(self.dev, sampler(self.dev, train, rows), view)
            entry = matrix, matrix.preprocessor.transform(self.dev.table.take(valid), self.dev.memo)
            # A list, as another thread may add a matrix.
            if sum(nbytes(m.X) + nbytes(v) for m, v in list(self.matrices.values())) + nbytes(matrix.X) > CACHE_BYTES:
                return entry
            self.matrices[fold, view, rows, units] = entry
        return self.matrices[fold, view, rows, units]

    def has_levels(self, view: View) -> bool:
        """Whether some level tells more than its columns, by so many of the first fold's rows as are looked at for
        that.
        """
        rows = LEVEL_ROWS if len(self.folds.parts[0][0]) > LEVEL_ROWS else None
        return self.matrix(0, view, rows)[0].preprocessor.has_levels

    def concurrent(self, candidate: Candidate) -> bool:
        """Whether its fits of folds can go side by side in this process."""
        return self.size.rows * self.size.columns < candidate.family.concurrent_cells

    def __getstate__(self) -> Mapping[str, Any]:
        return {"dev": self.dev, "folds": self.folds, "paces": {}, "matrices": {}}


@dataclass(frozen=True)
class FitBudget:
    """The time of a fit: one of so many ``shares`` of what is left ``until`` a moment (``time.monotonic``, which is the
    same for all processes of a machine), but for what follows it.

    ``usual``: seconds that a fit took which this one is to be comparable with; 0 where it is begun in any case.
    ``fit_share``: of its time, what the fit itself may take.
    """

    until: float = math.inf
    shares: float = 1.0
    usual: float = 0.0
    fit_share: float = 1.0

    def seconds(self) -> float:
        """From now on. Raises OutOfTime where they are too few."""
        seconds = (self.until - time.monotonic()) / self.shares
        if self.usual and seconds < HURRIED * self.usual:
            raise OutOfTime(HURRIED * self.usual)
        return seconds * self.fit_share


@dataclass(frozen=True)
class FoldJob:
    """What ``fit_fold`` is to fit: a ``candidate`` on a ``fold``, by its number, on a sample of ``rows`` of it, None
    for all.

    ``settings``: the pace of the first fold, or, to ``repeat`` an earlier run, the effort of its fit. ``share``: of the
    work of a whole fit, where no clock cuts it short. ``units``: the sample is of whole units.
    """

    candidate: Candidate
    fold: int
    rows: int | None = None
    settings: Settings = field(default_factory=dict)
    purpose: Purpose = "judge"
    budget: FitBudget = FitBudget()
    share: float = 1.0
    units: bool = False


@dataclass(frozen=True)
class FoldResult:
    """``predictions`` of the validation rows, and what the fit tells of itself (see ``Fitted``). ``seconds``: what
    fitting and predicting took, for the first fold with preparation.

    ``useful_share``: of that work, what the model is made of (see ``Fitted``). ``fit_rows``: the rows that the fit saw
    and was evaluated on. ``pipeline``: the fit itself, of the first fold alone: it may be shipped for want of a refit.
    """

    predictions: Predictions
    effort: Settings
    pace: Settings
    seconds: float
    fit_rows: FitRows
    pipeline: Pipeline | None = None
    useful_share: float = 1.0


def fit_fold(data: FoldData, job: FoldJob) -> FoldResult:
    """Fit a candidate on the training rows of a fold, and predict its validation rows.

    Raises OutOfTime where the seconds of the job are too few.
    """
    start = time.monotonic()
    matrix, X = data.matrix(job.fold, job.candidate.family.view, job.rows, job.units)
    ready = time.monotonic()
    seconds = job.budget.seconds()
    pipeline = fit(job.candidate, matrix, data.dev, job.settings, seconds=seconds, purpose=job.purpose, share=job.share)
    valid = data.folds.parts[job.fold][1]
    predictions = data.dev.predictions(valid, pipeline.predict_proba(X), "out-of-fold")
    first = job.fold == 0
    return FoldResult(
        predictions=predictions,
        effort=pipeline.fitted.effort,
        pace=pipeline.fitted.pace,
        seconds=time.monotonic() - (start if first else ready),
        fit_rows=FitRows(pipeline.saw, predictions.rows),
        pipeline=pipeline if first else None,
        useful_share=pipeline.fitted.useful_share,
    )
