"""From the chosen candidate to one program: calibrate if that helps, decide, and refit on all development rows, unless something
is promised: then the very model that was tested is shipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sortal.core.frame import Table
from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.calibrate import MOST_ENTRIES, Calibration, choose
from sortal.decide.certify import certify
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets, fewest_rows, fit_sets
from sortal.decide.threshold import decide
from sortal.engine import compile as compile_program
from sortal.engine.program import Program
from sortal.training.candidate import Development, Index, Pipeline, fit, prepare_rows, sample
from sortal.training.crossval import CVResult, worth_refit
from sortal.training.fit_log import NO_ROWS, FitRows


@dataclass(frozen=True)
class Finalized:
    """``evidence``: calibrated predictions of rows that their models never saw; the decision was made on them.

    ``pipeline``: the fit that is shipped, on ``refit_rows`` rows; ``refit``: whether it is a refit, and not the fit of a fold, and
    ``worth_refit``: whether a refit would see many more rows.
    ``program``: table columns -> calibrated probabilities. ``sets``: how
    prediction sets are made, where they were asked for. ``fits``: what the fits saw that were made here.
    """

    evidence: Predictions
    calibration: Calibration
    decision: Decision
    pipeline: Pipeline
    program: Program
    refit_rows: int
    refit: bool
    worth_refit: bool
    sets: Sets | None = None
    fits: tuple[FitRows, ...] = ()

    def predict_by_library(self, table: Table) -> NDArray[np.float64]:
        """(n, K) what the library that trained the model says of these rows; the program has to say the same."""
        return _calibrated(self.calibration, self.pipeline.predict_proba(self.pipeline.preprocessor.transform(table)))


@dataclass(frozen=True)
class Limits:
    """What a refit may take: ``seconds`` by the clock, or nothing at all where an earlier run had no time for it. ``entries``: the
    probabilities that calibrators are tried on.
    """

    seconds: Callable[[], float] = lambda: math.inf
    refit: bool = True
    entries: int = MOST_ENTRIES


def finalize(
    chosen: CVResult, dev: Development, task: Task, train: Index, valid: Index, limits: Limits = Limits()
) -> Finalized:
    """``train`` and ``valid`` are positions in ``dev``; an empty ``valid`` means that out-of-fold predictions play its part.

    Where there is no time for a refit, or it would be on hardly more rows than a fold, the model of the first fold is shipped.
    """
    if task.promises:
        return _promised(chosen, dev, task, train, valid, limits)
    own_folds = len(valid) == 0 and chosen.fold.max() > 0
    judge = None if len(valid) == 0 else _refit(chosen, dev, train, limits)
    raw = chosen.predictions if judge is None else _predict(judge, dev, valid)
    calibration = choose(raw, fold=chosen.fold if own_folds else None, seed=dev.seed, most=limits.entries)
    evidence = replace(raw, probability=_calibrated(calibration, raw.probability))
    rows = np.sort(np.concatenate([train, valid]))
    pipeline = _refit(chosen, dev, rows, limits)
    return Finalized(
        evidence=evidence,
        calibration=calibration,
        decision=decide(task, evidence),
        pipeline=pipeline,
        program=_program(pipeline, calibration),
        refit_rows=pipeline.rows,
        refit=pipeline is not chosen.pipeline,
        worth_refit=_worth(chosen, rows),
        fits=(*_new_fit(chosen, judge, raw), *_new_fit(chosen, pipeline)),
    )


def _promised(chosen: CVResult, dev: Development, task: Task, train: Index, valid: Index, limits: Limits) -> Finalized:
    """A refit on all rows would be another model than the one that the promise was tested with, and void it (Bates et al. 2021).

    So ``train`` alone fits, and its out-of-fold predictions calibrate and say where to look for a threshold; what is shipped is
    then tested on ``valid``, which nothing saw before.
    """
    own_folds = chosen.fold if chosen.fold.max() > 0 else None
    calibration = choose(chosen.predictions, fold=own_folds, seed=dev.seed, most=limits.entries)
    learned = replace(chosen.predictions, probability=_calibrated(calibration, chosen.predictions.probability))
    pipeline = _refit(chosen, dev, train, limits)
    raw = _predict(pipeline, dev, valid)
    evidence = replace(raw, probability=_calibrated(calibration, raw.probability))
    decision = decide(task, learned)
    if task.promise is not None and task.positive is not None:
        certificate = certify(task.promise, learned, evidence, task.positive)
        decision = Decision(
            kind="threshold",
            classes=task.classes,
            positive=task.positive,
            threshold=certificate.threshold,
            cost=task.cost,
            cost_columns=task.cost_columns,
            certificate=certificate,
        )
    sets = None
    if task.coverage is not None:
        # Sets that seldom hold a rare class would keep a promise about all rows together; but a class of too few rows would
        # have to be in every set.
        alone = evidence.one_a_group(dev.seed)
        rarest = np.bincount(alone.truth, minlength=len(task.classes)).min()
        by_class = task.imbalanced and rarest >= fewest_rows(task.coverage)
        sets = fit_sets(alone.probability, alone.truth, task.coverage, by_class=bool(by_class))
    return Finalized(
        evidence=evidence,
        calibration=calibration,
        decision=decision,
        pipeline=pipeline,
        program=_program(pipeline, calibration),
        refit_rows=pipeline.rows,
        refit=pipeline is not chosen.pipeline,
        worth_refit=_worth(chosen, train),
        sets=sets,
        fits=_new_fit(chosen, pipeline, raw),
    )


def _refit(chosen: CVResult, dev: Development, rows: Index, limits: Limits) -> Pipeline:
    """The chosen candidate on these rows, or the fit of its first fold (see ``finalize``)."""
    first, seconds = chosen.pipeline, limits.seconds()
    wanted = sample(dev, rows, chosen.rows)
    spared = not limits.refit or chosen.refit_seconds > seconds
    if first is not None and (spared or not _worth(chosen, wanted)):
        return first
    matrix = prepare_rows(dev, wanted, chosen.candidate.family.view)
    try:
        with interrupted_after(math.inf if first is None else seconds):
            return fit(chosen.candidate, matrix, dev, chosen.effort, purpose="ship")
    except TimeUp:
        if first is None:
            raise
        return first


def _new_fit(chosen: CVResult, pipeline: Pipeline | None, evaluated: Predictions | None = None) -> tuple[FitRows, ...]:
    """What a refit saw; nothing where the fit of the first fold took its place, but for the rows that this is evaluated on anew."""
    if pipeline is None or (pipeline is chosen.pipeline and evaluated is None):
        return ()
    return (FitRows(pipeline.saw, NO_ROWS if evaluated is None else evaluated.rows),)


def _worth(chosen: CVResult, rows: Index) -> bool:
    return chosen.pipeline is None or worth_refit(chosen.pipeline, chosen.rows, len(rows))


def _predict(pipeline: Pipeline, dev: Development, valid: Index) -> Predictions:
    probability = pipeline.predict_proba(pipeline.preprocessor.transform(dev.table.take(valid)))
    return dev.predictions(valid, probability, "valid")


def _program(pipeline: Pipeline, calibration: Calibration) -> Program:
    tail = () if calibration.program is None else (calibration.program,)
    return Program("chain", steps=(*pipeline.program().steps, *tail))


def _calibrated(calibration: Calibration, probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return probability if calibration.program is None else compile_program(calibration.program)(probability)
