"""Cross-validation of one candidate: out-of-fold predictions, scores by fold, and what it cost in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sortal.core.predictions import Predictions
from sortal.core.recipe import Planned
from sortal.core.skipped import Skipped
from sortal.engine import compile as compile_program
from sortal.models.family import OutOfTime, Settings
from sortal.prepare.view import View
from sortal.training.candidate import Candidate, Development, Index, Pipeline, Prepared, fit, prepare_rows, sample
from sortal.training.pace import AT_ONCE, Pace, look

T = TypeVar("T", bound=np.generic)

CACHE_BYTES = 3_000_000_000
REFIT = 1.6
"""A refit sees all rows where a fold saw four fifths of them, of which a booster set some aside."""
WORTH_REFIT = 1.15
"""A refit on fewer than this many times the rows of a fold is the same model again: the fold's own is shipped."""
HURRIED = 0.5
"""A fold that would get less than this share of what the first fold took is not comparable to it any more."""
LEAST_ROWS, LEAST_SHARE = 2_000, 0.02
"""A sample of fewer rows, or of a smaller share of them, is no fair trial of a candidate."""
MARGIN = 0.8
"""Of the time, what is planned with after a first plan has failed."""
TIMED_ROWS, MOST_SECONDS_ALONE = 300, 0.05


@dataclass(frozen=True)
class Folds:
    """``parts``: (training, validation) rows a fold. The first ``per_repeat`` of them validate every row at most once."""

    parts: tuple[tuple[Index, Index], ...]
    per_repeat: int

    @property
    def repeats(self) -> int:
        return len(self.parts) // self.per_repeat

    def first(self, count: int) -> Folds:
        """Only the first folds: one repeat, or a single holdout."""
        return Folds(self.parts[:count], min(count, self.per_repeat))


@dataclass
class FoldCache:
    """What candidates share: rows prepared for those that look at the table in the same way, and the pace that each was seen at."""

    dev: Development
    folds: Folds
    paces: dict[str, Pace] = field(default_factory=dict)
    kept: dict[tuple[int, View, int | None], tuple[Prepared, NDArray[np.float64]]] = field(default_factory=dict)

    def pace(self, candidate: Candidate, seconds: float) -> Pace:
        """How long a fit of a candidate takes, where all of it may take so many seconds; each is looked at once."""
        if math.isinf(seconds):
            return AT_ONCE
        if candidate.name not in self.paces:
            self.paces[candidate.name] = look(candidate, self.dev, self.folds.parts[0][0], seconds)
        return self.paces[candidate.name]

    def get(self, fold: int, view: View, rows: int | None = None) -> tuple[Prepared, NDArray[np.float64]]:
        """The prepared training rows of a fold (a sample of so many ``rows``), and its validation rows as a matrix."""
        if (fold, view, rows) not in self.kept:
            train, valid = self.folds.parts[fold]
            prepared = prepare_rows(self.dev, sample(self.dev, train, rows), view, evaluated=valid)
            entry = prepared, prepared.design.transform(self.dev.table.take(valid))
            if sum(p.X.nbytes + v.nbytes for p, v in self.kept.values()) + prepared.X.nbytes > CACHE_BYTES:
                return entry
            self.kept[fold, view, rows] = entry
        return self.kept[fold, view, rows]


@dataclass(frozen=True)
class Scored:
    """A candidate with its evidence.

    ``predictions``: out of fold, each row at most once; ``fold`` (n,) says by which fold. ``train_share``: of the rows of a fold,
    those that train. ``fold_scores``: metric -> (folds,). ``efforts``: a fold each.
    ``row_seconds``: scoring one row of many through the program; ``single_row_seconds``: one row alone. ``rows``: the training rows
    that it was given of each fold, None for all. ``pipeline``: the fit of the first fold, for want of a refit. ``refit_seconds``: what a refit would
    take, 0 where it would be on hardly more rows than that fit.
    """

    candidate: Candidate
    predictions: Predictions
    fold: NDArray[np.int64]
    train_share: float
    fold_scores: dict[str, NDArray[np.float64]]
    efforts: tuple[Settings, ...]
    fit_seconds: float
    row_seconds: float
    single_row_seconds: float
    pipeline: Pipeline | None = None
    rows: int | None = None
    refit_seconds: float = 0.0

    @property
    def effort(self) -> Settings:
        """What the refit on all rows is told: the median over the folds."""
        first = self.efforts[0]
        return {
            name: type(value)(median(e[name] for e in self.efforts)) if isinstance(value, int | float) else value  # type: ignore[type-var]
            for name, value in first.items()
        }


Score = Callable[[Predictions], dict[str, float]]
"""Metrics by name, of the predictions of one fold."""


def crossval(
    candidate: Candidate, dev: Development, cache: FoldCache, score: Score, seconds: float = math.inf
) -> Scored | Skipped:
    """Fit and score every fold within ``seconds``, on as many rows of each as that allows, or say why not."""
    start, n_folds = time.monotonic(), len(cache.folds.parts)
    train, family = cache.folds.parts[0][0], candidate.family
    n, fits = len(train), n_folds + (REFIT if n_folds > 1 else 0.0)
    pace = cache.pace(candidate, seconds)
    rows = n if family.most_rows is None else min(family.most_rows, n)
    least = min(rows, max(LEAST_ROWS, int(LEAST_SHARE * n)))
    for limit, patient in ((seconds, False), (MARGIN * seconds, candidate.baseline)):
        a_fold = (limit - (time.monotonic() - start)) / fits
        if pace.rows(a_fold) < rows:
            # Of more rows with less work on them, and fewer with all of it, neither is best: the geometric mean of both.
            rows = min(rows, pace.rows(a_fold / math.sqrt(family.least_share)))
        if rows < least:
            needed = pace.seconds(least) * family.least_share * fits
            if needed > limit - (time.monotonic() - start) and not candidate.baseline:
                return _too_slow(candidate, needed, seconds)
            rows = least
        try:
            return _folded(candidate, dev, cache, score, None if rows == n else rows, start + seconds, patient=patient)
        except OutOfTime as short:
            pace = Pace(0.0, short.needed / rows)
    return _too_slow(candidate, pace.seconds(rows) * fits, seconds)


def repeat(candidate: Candidate, dev: Development, cache: FoldCache, score: Score, plan: Planned) -> Scored:
    """The same fits as in an earlier run; no clock decides anything."""
    return _folded(candidate, dev, cache, score, plan.rows, math.inf, plan.efforts)


def _folded(
    candidate: Candidate,
    dev: Development,
    cache: FoldCache,
    score: Score,
    rows: int | None,
    until: float,
    efforts: Sequence[Settings] | None = None,
    patient: bool = True,
) -> Scored:
    """Raises OutOfTime where the folds cannot be done until then (``time.monotonic``), unless that is to be borne."""
    n_folds = len(cache.folds.parts)
    fitted: list[tuple[Pipeline, Predictions, float]] = []
    pace: Settings = {}
    for i in range(n_folds):
        begun = time.monotonic()
        prepared, X = cache.get(i, candidate.family.view, rows)
        ready = time.monotonic()
        limit = (until - ready) / (n_folds - i + (REFIT if n_folds > 1 else 0.0))
        if i and limit < HURRIED * fitted[0][2] and not patient:
            raise OutOfTime(fitted[0][2])
        if efforts is None:
            pipeline = fit(candidate, prepared, dev, pace, seconds=limit)
        else:
            pipeline = fit(candidate, prepared, dev, efforts[i], purpose="repeat")
        probability = pipeline.predict_proba(X)
        predictions = dev.predictions(cache.folds.parts[i][1], probability, "out-of-fold")
        fitted.append((pipeline, predictions, time.monotonic() - (ready if i else begun)))
        pace = pipeline.fitted.pace
    return _scored(candidate, dev, cache.folds, score, rows, fitted)


def _scored(
    candidate: Candidate,
    dev: Development,
    folds: Folds,
    score: Score,
    rows: int | None,
    fitted: Sequence[tuple[Pipeline, Predictions, float]],
) -> Scored:
    """What the fits of all folds come to."""
    first = fitted[0][0]
    scores = [score(predictions) for _, predictions, _ in fitted]
    predictions, fold = _joined([p for _, p, _ in fitted[: folds.per_repeat]])
    train, valid = folds.parts[0]
    row_seconds, single_row_seconds = time_rows(first, dev, valid)
    fit_seconds = float(np.mean([took for _, _, took in fitted]))
    return Scored(
        candidate=candidate,
        predictions=predictions,
        fold=fold,
        train_share=len(train) / (len(train) + len(valid)),
        fold_scores={name: np.array([s[name] for s in scores]) for name in scores[0]},
        efforts=tuple(pipeline.fitted.effort for pipeline, _, _ in fitted),
        fit_seconds=fit_seconds,
        row_seconds=row_seconds,
        single_row_seconds=single_row_seconds,
        pipeline=first,
        rows=rows,
        refit_seconds=REFIT * fit_seconds if worth_refit(first, rows, len(dev.codes)) else 0.0,
    )


def worth_refit(first: Pipeline, rows: int | None, n: int) -> bool:
    """Whether a refit on ``n`` rows, or on the sample of ``rows`` that the folds were given, is more than the first fold's model again."""
    return (n if rows is None else min(rows, n)) >= WORTH_REFIT * first.rows


def _too_slow(candidate: Candidate, needed: float, seconds: float) -> Skipped:
    return Skipped(candidate.name, f"{needed:.0f} s predicted, {max(seconds, 0):.0f} s left")


def time_rows(pipeline: Pipeline, dev: Development, rows: Index) -> tuple[float, float]:
    """Seconds a row through the program: in a batch, and alone (the median of ten, of fewer where a row takes long)."""
    run = compile_program(pipeline.program())
    batch = dev.table.take(rows[:TIMED_ROWS])
    names = [c.name for c in dev.table.schema.features]
    columns = batch.columns(names)
    one = {name: values[:1] for name, values in columns.items()}
    start = time.monotonic()
    run(columns)
    many = (time.monotonic() - start) / len(batch)
    alone: list[float] = []
    while len(alone) < 10 and sum(alone) < MOST_SECONDS_ALONE:
        start = time.perf_counter()
        run(one)
        alone.append(time.perf_counter() - start)
    return many, median(alone)


def _joined(parts: list[Predictions]) -> tuple[Predictions, NDArray[np.int64]]:
    """One set of predictions in row order, and the number of the fold that each row comes from."""
    rows = np.concatenate([p.rows for p in parts])
    order = np.argsort(rows, kind="stable")
    fold = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    whole = replace(
        parts[0],
        rows=rows,
        truth=np.concatenate([p.truth for p in parts]),
        probability=np.concatenate([p.probability for p in parts]),
        amounts=_stacked([p.amounts for p in parts]),
        groups=_stacked([p.groups for p in parts]),
    )
    return whole.take(order), fold[order]


def _stacked(parts: Sequence[NDArray[T] | None]) -> NDArray[T] | None:
    """What every part has; None where none does."""
    some = [part for part in parts if part is not None]
    return np.concatenate(some) if some else None
