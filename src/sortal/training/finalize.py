"""From the chosen candidate to one program: calibrate if that helps, decide, refit on all development rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sortal.core.frame import Table
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.calibrate import Calibration, choose
from sortal.decide.policy import Decision
from sortal.decide.threshold import decide
from sortal.engine import compile as compile_program
from sortal.engine.program import Program
from sortal.training.candidate import Development, Index, Pipeline, fit, prepare_rows
from sortal.training.crossval import Scored


@dataclass(frozen=True)
class Finalized:
    """``evidence``: calibrated predictions of rows that their models never saw; the decision was made on them.

    ``pipeline``: the refit on ``refit_rows`` rows. ``program``: table columns -> calibrated probabilities.
    """

    evidence: Predictions
    calibration: Calibration
    decision: Decision
    pipeline: Pipeline
    program: Program
    refit_rows: int

    def predict_by_library(self, table: Table) -> NDArray[np.float64]:
        """(n, K) what the library that trained the model says of these rows; the program has to say the same."""
        return _calibrated(self.calibration, self.pipeline.predict_proba(self.pipeline.design.transform(table)))


def finalize(chosen: Scored, dev: Development, task: Task, train: Index, valid: Index) -> Finalized:
    """``train`` and ``valid`` are positions in ``dev``; an empty ``valid`` means that out-of-fold predictions play its part."""
    own_folds = len(valid) == 0 and chosen.fold.max() > 0
    raw = chosen.predictions if len(valid) == 0 else _predict_valid(chosen, dev, train, valid)
    calibration = choose(raw, fold=chosen.fold if own_folds else None, seed=dev.seed)
    evidence = replace(raw, probability=_calibrated(calibration, raw.probability))
    rows = np.sort(np.concatenate([train, valid]))
    pipeline = _refit(chosen, dev, rows)
    tail = () if calibration.program is None else (calibration.program,)
    return Finalized(
        evidence=evidence,
        calibration=calibration,
        decision=decide(task, evidence),
        pipeline=pipeline,
        program=Program("chain", steps=(*pipeline.program().steps, *tail)),
        refit_rows=len(rows),
    )


def _refit(chosen: Scored, dev: Development, rows: Index, evaluated: Index | None = None) -> Pipeline:
    view = chosen.candidate.family.view
    prepared = prepare_rows(dev, rows, view) if evaluated is None else prepare_rows(dev, rows, view, evaluated)
    return fit(chosen.candidate, prepared, dev, chosen.effort, purpose="ship")


def _predict_valid(chosen: Scored, dev: Development, train: Index, valid: Index) -> Predictions:
    pipeline = _refit(chosen, dev, train, evaluated=valid)
    table = dev.table.take(valid)
    probability = pipeline.predict_proba(pipeline.design.transform(table))
    return Predictions(dev.classes, table.rows, dev.codes[valid], probability, "valid")


def _calibrated(calibration: Calibration, probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return probability if calibration.program is None else compile_program(calibration.program)(probability)
