"""Cross-validation of one candidate: out-of-fold predictions, scores by fold, and what it cost in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sortal.core.predictions import Predictions
from sortal.engine import compile as compile_program
from sortal.models.family import OutOfTime, Settings
from sortal.prepare.view import View
from sortal.training.candidate import Candidate, Development, Index, Pipeline, Prepared, fit, prepare_rows

CACHE_BYTES = 3_000_000_000
REFIT = 1.6
"""A refit sees all rows where a fold saw four fifths of them, of which a booster set some aside."""
HURRIED = 0.5
"""A fold that would get less than this share of what the first fold took is not comparable to it any more."""
PILOT_ROWS = 3_000
TIMED_ROWS = 300


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
    """Prepared rows, shared by the candidates that look at the table in the same way."""

    dev: Development
    folds: Folds
    kept: dict[tuple[int, View], tuple[Prepared, NDArray[np.float64]]] = field(default_factory=dict)

    def get(self, fold: int, view: View) -> tuple[Prepared, NDArray[np.float64]]:
        """The prepared training rows of a fold, and its validation rows as a matrix."""
        if (fold, view) not in self.kept:
            train, valid = self.folds.parts[fold]
            prepared = prepare_rows(self.dev, train, view, evaluated=valid)
            entry = prepared, prepared.design.transform(self.dev.table.take(valid))
            if sum(p.X.nbytes + v.nbytes for p, v in self.kept.values()) + prepared.X.nbytes > CACHE_BYTES:
                return entry
            self.kept[fold, view] = entry
        return self.kept[fold, view]


@dataclass(frozen=True)
class Scored:
    """A candidate with its evidence.

    ``predictions``: out of fold, each row at most once; ``fold`` (n,) says by which fold. ``train_share``: of the rows of a fold,
    those that train. ``fold_scores``: metric -> (folds,). ``efforts``: a fold each.
    ``row_seconds``: scoring one row of many through the program; ``single_row_seconds``: one row alone.
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

    @property
    def effort(self) -> Settings:
        """What the refit on all rows is told: the median over the folds."""
        first = self.efforts[0]
        return {
            name: type(value)(median(e[name] for e in self.efforts)) if isinstance(value, int | float) else value  # type: ignore[type-var]
            for name, value in first.items()
        }

    @property
    def refit_seconds(self) -> float:
        return REFIT * self.fit_seconds


@dataclass(frozen=True)
class Skipped:
    name: str
    reason: str


Score = Callable[[Predictions], dict[str, float]]
"""Metrics by name, of the predictions of one fold."""


def crossval(
    candidate: Candidate,
    dev: Development,
    cache: FoldCache,
    score: Score,
    seconds: float = math.inf,
    efforts: Sequence[Settings] | None = None,
) -> Scored | Skipped:
    """Fit and score every fold within ``seconds``, or say why not.

    ``efforts`` of an earlier run repeat it exactly: no clock decides anything then.
    """
    start, n_folds = time.monotonic(), len(cache.folds.parts)
    if efforts is None and (predicted := _pilot(candidate, dev, cache)) * (n_folds + REFIT) > seconds:
        return _too_slow(candidate, predicted * (n_folds + REFIT), seconds)
    fitted: list[tuple[Settings, Predictions, float]] = []
    pace: Settings = {}
    patient = candidate.baseline or efforts is not None
    first, timing = 0.0, (0.0, 0.0)
    for i in range(n_folds):
        prepared, X = cache.get(i, candidate.family.view)
        begun = time.monotonic()
        limit = (seconds - (begun - start)) / (n_folds - i + REFIT)
        if i and limit < HURRIED * first and not patient:
            return _too_slow(candidate, begun - start + first * (n_folds - i + REFIT), seconds)
        try:
            if efforts is None:
                pipeline = fit(candidate, prepared, dev, pace, seconds=limit)
            else:
                pipeline = fit(candidate, prepared, dev, efforts[i], purpose="repeat")
        except OutOfTime as short:
            return _too_slow(candidate, short.needed * (n_folds + REFIT), seconds)
        probability = pipeline.predict_proba(X)
        took = time.monotonic() - begun
        fitted.append(
            (pipeline.fitted.effort, dev.predictions(cache.folds.parts[i][1], probability, "out-of-fold"), took)
        )
        pace = pipeline.fitted.pace
        if i == 0:
            first, timing = took, time_rows(pipeline, dev, cache.folds.parts[0][1])
    scores = [score(p) for _, p, _ in fitted]
    predictions, fold = _joined([p for _, p, _ in fitted[: cache.folds.per_repeat]])
    train, valid = cache.folds.parts[0]
    return Scored(
        candidate=candidate,
        predictions=predictions,
        fold=fold,
        train_share=len(train) / (len(train) + len(valid)),
        fold_scores={name: np.array([s[name] for s in scores]) for name in scores[0]},
        efforts=tuple(effort for effort, _, _ in fitted),
        fit_seconds=float(np.mean([took for _, _, took in fitted])),
        row_seconds=timing[0],
        single_row_seconds=timing[1],
    )


def _too_slow(candidate: Candidate, needed: float, seconds: float) -> Skipped:
    return Skipped(candidate.name, f"{needed:.0f} s predicted, {max(seconds, 0):.0f} s left")


def _pilot(candidate: Candidate, dev: Development, cache: FoldCache) -> float:
    """Predicted seconds of one fold, from a fit on a few thousand rows; nothing where a fit can be interrupted or rows are few."""
    train, _ = cache.folds.parts[0]
    if candidate.family.interruptible or candidate.baseline or len(train) < 2 * PILOT_ROWS:
        return 0.0
    rows = np.sort(np.random.default_rng(dev.seed).permutation(train)[:PILOT_ROWS])
    start = time.monotonic()
    fit(candidate, prepare_rows(dev.rehearsing(), rows, candidate.family.view), dev, {})
    return (time.monotonic() - start) * len(train) / PILOT_ROWS


def time_rows(pipeline: Pipeline, dev: Development, rows: Index) -> tuple[float, float]:
    """Seconds a row through the program: in a batch, and alone (the median of ten)."""
    run = compile_program(pipeline.program())
    batch = dev.table.take(rows[:TIMED_ROWS])
    names = [c.name for c in dev.table.schema.features]
    columns, one = batch.columns(names), batch.take(np.array([0])).columns(names)
    start = time.monotonic()
    run(columns)
    many = (time.monotonic() - start) / len(batch)
    alone = []
    for _ in range(10):
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
        amounts=None
        if parts[0].amounts is None
        else np.concatenate([p.amounts for p in parts if p.amounts is not None]),
    )
    return whole.take(order), fold[order]
