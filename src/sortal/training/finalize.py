"""From the chosen candidate to one program: calibrate if that helps, decide, and refit on all development rows, unless something
is promised: then the very model that was tested is shipped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sortal.core.frame import Table
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.calibrate import Calibration, choose
from sortal.decide.certify import certify
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets, fewest_rows, fit_sets
from sortal.decide.threshold import decide
from sortal.engine import compile as compile_program
from sortal.engine.program import Program
from sortal.training.candidate import NOTHING, Development, Index, Pipeline, fit, prepare_rows
from sortal.training.crossval import Scored


@dataclass(frozen=True)
class Finalized:
    """``evidence``: calibrated predictions of rows that their models never saw; the decision was made on them.

    ``pipeline``: the last fit, on ``refit_rows`` rows. ``program``: table columns -> calibrated probabilities. ``sets``: how
    prediction sets are made, where they were asked for.
    """

    evidence: Predictions
    calibration: Calibration
    decision: Decision
    pipeline: Pipeline
    program: Program
    refit_rows: int
    sets: Sets | None = None

    def predict_by_library(self, table: Table) -> NDArray[np.float64]:
        """(n, K) what the library that trained the model says of these rows; the program has to say the same."""
        return _calibrated(self.calibration, self.pipeline.predict_proba(self.pipeline.design.transform(table)))


def finalize(chosen: Scored, dev: Development, task: Task, train: Index, valid: Index) -> Finalized:
    """``train`` and ``valid`` are positions in ``dev``; an empty ``valid`` means that out-of-fold predictions play its part."""
    if task.promises:
        return _promised(chosen, dev, task, train, valid)
    own_folds = len(valid) == 0 and chosen.fold.max() > 0
    raw = chosen.predictions if len(valid) == 0 else _predict(_refit(chosen, dev, train, valid), dev, valid)
    calibration = choose(raw, fold=chosen.fold if own_folds else None, seed=dev.seed)
    evidence = replace(raw, probability=_calibrated(calibration, raw.probability))
    rows = np.sort(np.concatenate([train, valid]))
    pipeline = _refit(chosen, dev, rows)
    return Finalized(
        evidence=evidence,
        calibration=calibration,
        decision=decide(task, evidence),
        pipeline=pipeline,
        program=_program(pipeline, calibration),
        refit_rows=len(rows),
    )


def _promised(chosen: Scored, dev: Development, task: Task, train: Index, valid: Index) -> Finalized:
    """A refit on all rows would be another model than the one that the promise was tested with, and void it (Bates et al. 2021).

    So ``train`` alone fits, and its out-of-fold predictions calibrate and say where to look for a threshold; what is shipped is
    then tested on ``valid``, which nothing saw before.
    """
    calibration = choose(chosen.predictions, fold=chosen.fold if chosen.fold.max() > 0 else None, seed=dev.seed)
    learned = replace(chosen.predictions, probability=_calibrated(calibration, chosen.predictions.probability))
    pipeline = _refit(chosen, dev, train, valid)
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
        rarest = np.bincount(evidence.truth, minlength=len(task.classes)).min()
        by_class = task.imbalanced and rarest >= fewest_rows(task.coverage)
        sets = fit_sets(evidence.probability, evidence.truth, task.coverage, by_class=bool(by_class))
    return Finalized(
        evidence=evidence,
        calibration=calibration,
        decision=decision,
        pipeline=pipeline,
        program=_program(pipeline, calibration),
        refit_rows=len(train),
        sets=sets,
    )


def _refit(chosen: Scored, dev: Development, rows: Index, evaluated: Index = NOTHING) -> Pipeline:
    prepared = prepare_rows(dev, rows, chosen.candidate.family.view, evaluated)
    return fit(chosen.candidate, prepared, dev, chosen.effort, purpose="ship")


def _predict(pipeline: Pipeline, dev: Development, valid: Index) -> Predictions:
    probability = pipeline.predict_proba(pipeline.design.transform(dev.table.take(valid)))
    return dev.predictions(valid, probability, "valid")


def _program(pipeline: Pipeline, calibration: Calibration) -> Program:
    tail = () if calibration.program is None else (calibration.program,)
    return Program("chain", steps=(*pipeline.program().steps, *tail))


def _calibrated(calibration: Calibration, probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return probability if calibration.program is None else compile_program(calibration.program)(probability)
