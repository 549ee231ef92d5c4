"""Cross-validation of one candidate: how many rows a budget allows, the fits of all folds, and their result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sortal.core.errors import OptionError
from sortal.core.plan import Planned
from sortal.core.predictions import Predictions
from sortal.core.skipped import Skipped
from sortal.models.family import UNKNOWN_WORK, OutOfTime, Size
from sortal.training.candidate import Candidate, Pipeline
from sortal.training.cv_result import CVResult, concatenate
from sortal.training.executor import Executor, ThreadExecutor
from sortal.training.fold import FitBudget, FoldData, FoldJob, FoldResult, Folds, fit_fold
from sortal.training.fold_store import FoldStore
from sortal.training.footprint import footprint
from sortal.training.pace import FEW_CELLS, Pace, work_pace

REFIT = 1.4
"""A refit sees all rows where a fold saw four fifths of them, of which a booster set some aside. It stops where the
model of a fold ends, and not where the fit of the fold had looked. Refits took .9 to 1.2 times that."""
WORTH_REFIT = 1.15
"""A refit on fewer than this many times the rows of a fold is the same model again: the fold's own is shipped."""
LEAST_ROWS, LEAST_SHARE = 2_000, 0.02
"""A sample of fewer rows, or of a smaller share of them, is no fair trial of a candidate."""
IMPORT_SHARE = 0.25
"""Of the time of a candidate, what importing its library may take: nothing ends that early, and where the machine is
busy it takes longer."""
SURELY = 2.0
"""Times its time, what a candidate has to take for it to be skipped without a look: what is counted, as a family tells
it of a machine with nothing else to do, is no nearer than this."""
MARGIN = 0.8
"""Of the time, what is planned with after a first plan has failed."""
NO_LEVELS = "no value that comes again tells more than its column"
SHOWN_WHOLE = 10
"""Seconds from which whole ones say enough."""

Score = Callable[[Predictions], dict[str, float]]
"""Metrics by name, of the predictions of one fold."""


@dataclass(frozen=True)
class CrossValidation:
    """What all candidates of a run have in common: the rows and their folds, how predictions are scored, where fits
    run, and where their results are kept, if they are.
    """

    data: FoldData
    score: Score
    executor: Executor = field(default_factory=ThreadExecutor)
    store: FoldStore | None = None

    @property
    def n_folds(self) -> int:
        return len(self.data.folds.parts)

    @property
    def n_fits(self) -> float:
        """How many fits of a fold all folds and a refit are as much work as."""
        return self.n_folds + self.refit

    @property
    def refit(self) -> float:
        """How many fits of a fold a refit takes as long as."""
        return REFIT if self.n_folds > 1 else 0.0

    def with_folds(self, folds: Folds) -> CrossValidation:
        """The same with fewer folds."""
        return replace(self, data=replace(self.data, folds=folds))

    def fits_in_turn(self, candidate: Candidate, first: int = 0) -> float:
        """How many fits of a fold the folds from the ``first`` on and a refit take as long as, some of them at the same
        time.
        """
        return turns(self.n_folds, self.executor.at_once(self.data, candidate), first) + self.refit


def turns(folds: int, at_once: int, first: int = 0) -> int:
    """In how many turns the folds from the ``first`` on are fitted: the first of all alone, as it tells the pace, and
    then so many at once.

    >>> turns(5, at_once=2), turns(5, at_once=2, first=1), turns(5, at_once=1)
    (3, 2, 5)
    """
    alone = 1 if first == 0 else 0
    return alone + math.ceil((folds - max(first, 1)) / at_once)


def crossval(candidate: Candidate, cv: CrossValidation, seconds: float = math.inf) -> CVResult | Skipped:
    """Fit and score every fold within ``seconds``, on as many rows of each as that allows, or say why not.

    Where the first plan fails a second one, with less, is made from what is known then. What an earlier run kept is
    taken as it is.
    """
    if why := candidate.family.refusal(cv.data.size):
        return Skipped(candidate.name, why)
    if cv.store is not None and (record := cv.store.load(candidate, cv.data)) is not None:
        return _result(candidate, cv, *record)
    if (importing := candidate.family.importing) > IMPORT_SHARE * seconds:
        return _too_slow(candidate, importing / IMPORT_SHARE, seconds)
    start, n = time.monotonic(), len(cv.data.folds.parts[0][0])
    rows, fits = _most_rows(candidate, n), cv.fits_in_turn(candidate)
    least = _least_rows(rows, n)
    estimate = least_work(candidate, cv)
    if estimate > SURELY * seconds and candidate.family.work != UNKNOWN_WORK and not candidate.baseline:
        return _too_slow(candidate, estimate, seconds)  # a look may take seconds, which others have a use for
    if _needless(candidate, cv):
        return Skipped(candidate.name, NO_LEVELS)
    pace = cv.data.pace(candidate, seconds)
    for limit, patient in ((seconds, False), (MARGIN * seconds, candidate.baseline)):
        elapsed = time.monotonic() - start
        seconds_left = limit - elapsed
        rows = _affordable_rows(candidate, pace, rows, seconds_left / fits)
        if rows < least:
            needed_seconds = pace.seconds(least) * candidate.family.least_share * fits
            if needed_seconds > seconds_left and not candidate.baseline:
                return _too_slow(candidate, needed_seconds, seconds - elapsed)
            rows = least
        sample_size = None if rows == n else rows
        try:
            results = _fit_folds(candidate, cv, sample_size, start + seconds, patient, pace.fit_share(rows))
            if cv.store is not None:
                cv.store.save(candidate, sample_size, results)
            return _result(candidate, cv, sample_size, results)
        except OutOfTime as short:
            pace = Pace(0.0, short.needed / candidate.family.least_share / rows, pace.after)
    return _too_slow(candidate, candidate.family.least_share * pace.seconds(rows) * fits, seconds)


def least_work(candidate: Candidate, cv: CrossValidation) -> float:
    """What the least is counted to take that is a fair trial of the candidate, in seconds of a machine with nothing
    else to do.
    """
    n = len(cv.data.folds.parts[0][0])
    least = _least_rows(_most_rows(candidate, n), n)
    a_fit = candidate.family.least_share * work_pace(candidate, cv.data.size).seconds(least)
    return a_fit * cv.fits_in_turn(candidate)


def crossval_by_work(candidate: Candidate, cv: CrossValidation, units: float) -> CVResult | Skipped:
    """The same with ``units`` of work in the place of seconds: by what the family says that a fit takes, it is given as
    many rows and as much of a whole fit as they allow, and then nothing ends it.
    """
    if why := candidate.family.refusal(cv.data.size):
        return Skipped(candidate.name, why)
    n, pace, a_fit = len(cv.data.folds.parts[0][0]), work_pace(candidate, cv.data.size), units / cv.n_fits
    most, least_share = _most_rows(candidate, n), candidate.family.least_share
    rows = max(_affordable_rows(candidate, pace, most, a_fit), _least_rows(most, n))
    if pace.seconds(rows) * least_share > a_fit and not candidate.baseline:
        needed_units = pace.seconds(rows) * least_share * cv.n_fits
        return Skipped(candidate.name, f"an effort of {needed_units:.1f} predicted, {max(units, 0):.1f} left")
    if _needless(candidate, cv):
        return Skipped(candidate.name, NO_LEVELS)
    share = min(1.0, max(least_share, a_fit / pace.seconds(rows)))
    sample_size = None if rows == n else rows
    if cv.store is not None and (record := cv.store.load(candidate, cv.data)) is not None:
        results = record[1]
    else:
        results = _fit_folds(candidate, cv, sample_size, share=share)
        if cv.store is not None:
            cv.store.save(candidate, sample_size, results)
    return _result(candidate, cv, sample_size, results, work=share * pace.seconds(rows))


def repeat(candidate: Candidate, cv: CrossValidation, plan: Planned) -> CVResult:
    """The same fits as in an earlier run; no clock decides anything.

    Raises OptionError where the library of the family is not here.
    """
    if why := candidate.family.refusal(Size(0, 0, 0)):
        raise OptionError(f"the plan has {candidate.name!r}, but {why}; install it, or take the plan out of the recipe")
    jobs = [FoldJob(candidate, i, plan.rows, plan.efforts[i], "repeat") for i in range(cv.n_folds)]
    first = fit_fold(cv.data, jobs[0])
    return _result(candidate, cv, plan.rows, [first, *cv.executor.map(fit_fold, cv.data, jobs[1:])])


def _needless(candidate: Candidate, cv: CrossValidation) -> bool:
    """Whether it would be another family once more."""
    return candidate.family.needs_levels and not cv.data.has_levels(candidate.family.view)


def _most_rows(candidate: Candidate, n: int) -> int:
    """Of the rows of a fold, how many a candidate has a use for."""
    most = candidate.family.most_rows
    return n if most is None else min(most, n)


def _least_rows(most: int, n: int) -> int:
    """How many of them are a fair trial."""
    return min(most, max(LEAST_ROWS, int(LEAST_SHARE * n)))


def soon_fitted(size: Size) -> bool:
    """Whether any family gets in a moment through as many rows of such a table as are a fair trial."""
    return min(size.rows, LEAST_ROWS) * size.columns * size.classes <= FEW_CELLS


def _affordable_rows(candidate: Candidate, pace: Pace, rows: int, seconds: float) -> int:
    """As many of the rows as a fit of so many seconds allows.

    Of more rows with less work on them, and fewer with all of it, neither is best: between them, nearer to the latter.
    """
    if pace.rows(seconds) >= rows:
        return rows
    return min(rows, pace.rows(seconds / math.cbrt(candidate.family.least_share)))


def _fit_folds(
    candidate: Candidate,
    cv: CrossValidation,
    rows: int | None,
    until: float = math.inf,
    patient: bool = True,
    fit_share: float = 1.0,
    share: float = 1.0,
) -> list[FoldResult]:
    """The first fold, and then the others with the pace that it found, side by side where the executor does so.

    Raises OutOfTime where they cannot be done until then (``time.monotonic``), unless that is to be borne.
    ``fit_share``: of the time, what fits may take; ``share``: of the work of a whole fit, where no clock says it.
    """
    budgets = [FitBudget(until, cv.fits_in_turn(candidate, i), fit_share=fit_share) for i in range(cv.n_folds)]
    first = fit_fold(cv.data, FoldJob(candidate, 0, rows, budget=budgets[0], share=share))
    usual = 0.0 if patient else first.seconds
    jobs = [
        FoldJob(candidate, i, rows, first.pace, budget=replace(budgets[i], usual=usual), share=share)
        for i in range(1, cv.n_folds)
    ]
    return [first, *cv.executor.map(fit_fold, cv.data, jobs)]


def _result(
    candidate: Candidate, cv: CrossValidation, rows: int | None, results: Sequence[FoldResult], work: float = 0.0
) -> CVResult:
    """What the fits of all folds come to."""
    dev, folds, first = cv.data.dev, cv.data.folds, results[0].pipeline
    assert first is not None
    scores = [cv.score(result.predictions) for result in results]
    starts = range(0, len(results), folds.per_repeat)
    (predictions, fold), *repeats = (
        concatenate([result.predictions for result in results[start : start + folds.per_repeat]]) for start in starts
    )
    train, valid = folds.parts[0]
    takes = footprint(first, dev, valid)
    fit_seconds = float(np.mean([result.seconds for result in results]))
    useful_seconds = float(np.mean([result.seconds * result.useful_share for result in results]))
    return CVResult(
        candidate=candidate,
        predictions=predictions,
        fold=fold,
        train_share=len(train) / (len(train) + len(valid)),
        fold_scores={name: np.array([s[name] for s in scores]) for name in scores[0]},
        efforts=tuple(result.effort for result in results),
        fit_seconds=fit_seconds,
        row_seconds=takes.row_seconds,
        single_row_seconds=takes.single_row_seconds,
        seen_row_seconds=takes.seen_row_seconds,
        pipeline=first,
        rows=rows,
        refit_seconds=REFIT * useful_seconds if worth_refit(first, rows, len(dev.codes)) else 0.0,
        fits=tuple(result.fit_rows for result in results),
        repeats=tuple(repeats),
        packed=takes.packed,
        shipping_seconds=takes.shipping_seconds,
        work=work,
    )


def worth_refit(first: Pipeline, rows: int | None, n: int) -> bool:
    """Whether a refit on ``n`` rows, or on the sample of ``rows`` that the folds were given, is more than the first
    fold's model again.
    """
    return (n if rows is None else min(rows, n)) >= WORTH_REFIT * first.rows


def _too_slow(candidate: Candidate, needed_seconds: float, seconds: float) -> Skipped:
    digits = 0 if needed_seconds >= SHOWN_WHOLE else 2
    return Skipped(candidate.name, f"{needed_seconds:.{digits}f} s predicted, {max(seconds, 0):.{digits}f} s left")
