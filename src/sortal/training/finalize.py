"""From the chosen model, a candidate or an ensemble, to one program: calibrate if that helps, decide, and refit on all
development rows, unless something is promised: then the very model that was tested is shipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.core.predictions import Predictions
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.decide.calibrate import MOST_ENTRIES, Calibration, choose
from sortal.decide.certify import certify
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets, fewest_rows, fit_sets
from sortal.decide.threshold import decide
from sortal.engine import compile as compile_program
from sortal.engine.program import Program
from sortal.training.candidate import Development, Index, Pipeline, fit, prepare_rows, sample
from sortal.training.crossval import worth_refit
from sortal.training.cv_result import CVResult, Result
from sortal.training.ensemble import Ensemble, first_fits
from sortal.training.fit_log import NO_ROWS, FitRows
from sortal.training.footprint import packed_bytes

HOPEFUL = 1.2
"""Times the seconds that are left for a refit, which may have been planned to take longer: it usually takes less, and
is cut short if it does not."""
NoRefit = Literal["time", "size", "rows"]
"""Why nothing was refitted: there was no time, or the refit was larger than the model may be, or it would have seen
hardly more rows."""


@dataclass(frozen=True)
class Finalized:
    """``evidence``: calibrated predictions of rows that their models never saw; the decision was made on them.
    ``unseen``: the same rows, calibrated by calibrators that never saw the row either; ``out_of_fold``: those of
    cross-validation likewise, which may be others.

    ``ensemble``: the fits that are shipped; ``no_refit``: why they are those of the first fold; None where they are
    refits. ``program``: table columns -> calibrated probabilities.
    ``sets``: how prediction sets are made, where they were asked for. ``fits``: what the fits saw that were made here.
    """

    evidence: Predictions
    unseen: Predictions
    out_of_fold: Predictions
    calibration: Calibration
    decision: Decision
    ensemble: Ensemble
    program: Program
    no_refit: NoRefit | None
    sets: Sets | None = None
    fits: tuple[FitRows, ...] = ()

    @property
    def refit(self) -> bool:
        return self.no_refit is None

    @property
    def time_to_refit(self) -> bool:
        """Whether there was time for a refit, whatever else was against it."""
        return self.no_refit != "time"

    def predict_proba(self, table: Table) -> NDArray[np.float64]:
        """(n, K) calibrated probabilities of these rows, by the libraries that trained the model."""
        return _calibrated(self.calibration, self.ensemble.predict_proba(table))


@dataclass(frozen=True)
class Limits:
    """What a refit may take: ``seconds`` by the clock, or nothing at all where an earlier run had no time for it.
    ``entries``: the probabilities that calibrators are tried on. ``size``: bytes that the model may take in its file;
    None for any number.
    """

    seconds: Callable[[], float] = lambda: math.inf
    refit: bool = True
    size: int | None = None
    entries: int = MOST_ENTRIES


def finalize(
    winner: Result, dev: Development, task: Task, train: Index, valid: Index, limits: Limits = Limits()
) -> Finalized:
    """``train`` and ``valid`` are positions in ``dev``; an empty ``valid`` means that out-of-fold predictions play its
    part.

    Where there is no refit (``NoRefit``), the fits of the first fold are shipped.
    """
    if task.promises:
        return _promised(winner, dev, task, train, valid, limits)
    own_folds = len(valid) == 0 and winner.fold.max() > 0
    judge = None if len(valid) == 0 else _refit(winner, dev, train, limits)[0]
    raw = winner.predictions if judge is None else _predict(judge, dev, valid)
    calibration = choose(raw, fold=winner.fold if own_folds else None, seed=dev.seed, most=limits.entries)
    evidence = _by(calibration, raw)
    unseen = replace(evidence, probability=calibration.cross_fitted(evidence.probability))
    rows = np.sort(np.concatenate([train, valid]))
    ensemble, no_refit = _refit(winner, dev, rows, limits)
    return Finalized(
        evidence=evidence,
        unseen=unseen,
        out_of_fold=unseen if judge is None else _by(calibration, winner.predictions),
        calibration=calibration,
        decision=decide(task, evidence),
        ensemble=ensemble,
        program=_program(ensemble, calibration),
        no_refit=no_refit,
        fits=(*_new_fits(winner, judge, raw), *_new_fits(winner, ensemble)),
    )


def _promised(winner: Result, dev: Development, task: Task, train: Index, valid: Index, limits: Limits) -> Finalized:
    """A refit on all rows would be another model than the one that the promise was tested with, and void it (Bates et
    al. 2021).

    So ``train`` alone fits, and its out-of-fold predictions calibrate and say where to look for a threshold; what is
    shipped is then tested on ``valid``, which nothing saw before.
    """
    own_folds = winner.fold if winner.fold.max() > 0 else None
    calibration = choose(winner.predictions, fold=own_folds, seed=dev.seed, most=limits.entries)
    learned = _by(calibration, winner.predictions)
    ensemble, no_refit = _refit(winner, dev, train, limits)
    raw = _predict(ensemble, dev, valid)
    evidence = _by(calibration, raw)
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
        # Sets that seldom hold a rare class would keep a promise about all rows together; but a class of too few rows
        # would have to be in every set.
        alone = evidence.one_a_group(dev.seed)
        rarest = np.bincount(alone.truth, minlength=len(task.classes)).min()
        by_class = task.imbalanced and rarest >= fewest_rows(task.coverage)
        sets = fit_sets(alone.probability, alone.truth, task.coverage, by_class=bool(by_class))
    return Finalized(
        evidence=evidence,
        unseen=evidence,
        out_of_fold=replace(learned, probability=calibration.cross_fitted(learned.probability)),
        calibration=calibration,
        decision=decision,
        ensemble=ensemble,
        program=_program(ensemble, calibration),
        no_refit=no_refit,
        sets=sets,
        fits=_new_fits(winner, ensemble, raw),
    )


def _refit(winner: Result, dev: Development, rows: Index, limits: Limits) -> tuple[Ensemble, NoRefit | None]:
    """Every member on these rows, or all the fits of the first fold, and why: a recipe repeats either."""
    first = first_fits(winner)
    if first is None:
        return _refitted(winner, dev, rows, Limits()), None
    if not any(_worth(result, rows) for result in winner.results):
        return first, "rows"
    if not limits.refit or winner.refit_seconds > HOPEFUL * limits.seconds():
        return first, "time"
    try:
        ensemble = _refitted(winner, dev, rows, limits)
    except TimeUp:
        return first, "time"
    if limits.size is not None and packed_bytes(ensemble.program(), dev.networks) > limits.size:
        return first, "size"
    return ensemble, None


def _refitted(winner: Result, dev: Development, rows: Index, limits: Limits) -> Ensemble:
    members = [refit_member(result, dev, rows, limits) for result in winner.results]
    return Ensemble(tuple(members), winner.weights)


def refit_member(result: CVResult, dev: Development, rows: Index, limits: Limits) -> Pipeline:
    """A member on these rows, or its own fit of the first fold where that saw hardly fewer. Raises TimeUp where it
    takes too long.
    """
    seconds = limits.seconds()
    train_rows = sample(dev, rows, result.rows)
    if result.pipeline is not None and not _worth(result, train_rows):
        return result.pipeline
    matrix = prepare_rows(dev, train_rows, result.candidate.family.view)
    with interrupted_after(seconds):
        return fit(result.candidate, matrix, dev, result.effort, purpose="ship")


def _new_fits(winner: Result, ensemble: Ensemble | None, evaluated: Predictions | None = None) -> tuple[FitRows, ...]:
    """What refits saw; nothing where the fit of the first fold took the place of one, but for the rows that it is
    evaluated on anew.
    """
    if ensemble is None:
        return ()
    rows = NO_ROWS if evaluated is None else evaluated.rows
    return tuple(
        FitRows(member.saw, rows)
        for member, result in zip(ensemble.members, winner.results, strict=True)
        if member is not result.pipeline or evaluated is not None
    )


def _worth(result: CVResult, rows: Index) -> bool:
    return result.pipeline is None or worth_refit(result.pipeline, result.rows, len(rows))


def _predict(ensemble: Ensemble, dev: Development, valid: Index) -> Predictions:
    return dev.predictions(valid, ensemble.predict_proba(dev.table.take(valid)), "valid")


def _program(ensemble: Ensemble, calibration: Calibration) -> Program:
    return ensemble.program().then(*(() if calibration.program is None else (calibration.program,)))


def _by(calibration: Calibration, raw: Predictions) -> Predictions:
    return replace(raw, probability=_calibrated(calibration, raw.probability))


def _calibrated(calibration: Calibration, probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return probability if calibration.program is None else compile_program(calibration.program)(probability)
