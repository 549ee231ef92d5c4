"""Does calibration by default help, and does it know when to leave things alone?

Every table of a folder x {logistic regression, forest, booster}: out-of-fold predictions on the development rows are
what a calibrator may see; the model is refitted on all of them, and the log-loss of its test predictions is compared
before and after. All methods see the same predictions: the gated default, each calibrator without a gate,
scikit-learn's CalibratedClassifierCV, and the oracle, which picks the best of all by the test itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench._outcome import Goal, Options, Outcome
from bench._tables import no_table
from bench.trip import Case, fast_cases, folder_cases
from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.problem import Problem, frame_problem
from sortal.data.split import fold_count, folds, holdout
from sortal.decide.calibrate import calibrators, choose
from sortal.engine import Program
from sortal.engine import compile as compile_program
from sortal.models.family import Resources, Settings
from sortal.training.candidate import Candidate, Development, Pipeline, fit, prepare_rows

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MODELS: dict[str, Settings] = {
    "logistic": {},
    "forest": {"trees": 100},
    "lightgbm": {"learning_rate": 0.1},
}
ROWS, TEST_SHARE, TEST_ROWS = 6_000, 0.3, 10_000
REPS = 2
TOLERANCE = 0.001
WORSENED = 0.15
GATED, TEMPERATURE, ORACLE = "sortal (gated)", "temperature", "oracle"
NOTES = (
    "gain: share of the test log-loss that calibration removes, no less than -100 % a case (where a model is all but "
    "certain, one row can multiply the log-loss); nats: the same as a difference; worsened: by more than .1 %",
    "binary only: platt, beta, quadratic, venn_abers, isotonic; 3+ classes only: vector, matrix; such a method leaves "
    "the other cases as they are, and so does scikit-learn's where a class has no row to calibrate on; +-: standard "
    "error, "
    "tables as units",
)


@dataclass(frozen=True)
class Evidence:
    """Of one model on one table: predictions out of fold, with the fold of each, and of the test by the refit."""

    table: str
    model: str
    seed: int
    out_of_fold: Predictions
    fold: Codes
    test: Predictions


@dataclass(frozen=True)
class Comparison:
    """Mean test log-losses of one case: ``before``, and ``after`` by method. ``chosen``: what the default applied."""

    table: str
    model: str
    seed: int
    rows: int
    classes: int
    before: float
    after: dict[str, float]
    chosen: str

    def gain(self, method: str) -> float:
        """Share of the log-loss that is removed, no less than -1; 0 by methods for other tasks."""
        after = self.after.get(method, self.before)
        return max((self.before - after) / self.before, -1.0) if self.before > 0 else 0.0

    def nats(self, method: str) -> float:
        return self.before - self.after.get(method, self.before)

    def worsened(self, method: str) -> bool:
        return self.after.get(method, self.before) > (1 + TOLERANCE) * self.before


def run(options: Options) -> Outcome:
    with tempfile.TemporaryDirectory() as scratch:
        if options.fast:
            cases, reps = fast_cases(Path(scratch)), 1
        elif options.data is not None:
            cases, reps = list(folder_cases(options.data)), REPS if options.reps == 1 else options.reps
        else:
            sys.exit("which tables? give --data FOLDER, or --fast")
        comparisons = []
        for case in (c for c in cases if not c.unusable):
            for seed in range(reps):
                comparisons += [compare(evidence) for evidence in gather(case, seed)]
            print(progress(comparisons[-len(MODELS) * reps :]), file=sys.stderr)
    if not comparisons:
        no_table("to train on")
    left_out = [f"left out: {case.file.stem}: {case.unusable}" for case in cases if case.unusable]
    return outcome(comparisons, reps, left_out, noisy=options.fast)


def gather(case: Case, seed: int) -> Iterator[Evidence]:
    """The predictions of each model, from one split of a table."""
    problem = frame_problem(str(case.file), GoalOptions(case.target), RowOptions())
    dev, test = holdout(problem.codes, TEST_SHARE, seed)
    rng = np.random.default_rng(seed)
    dev = np.sort(rng.permutation(dev)[: round(ROWS * (1 - TEST_SHARE))])
    test = np.sort(rng.permutation(test)[:TEST_ROWS])
    codes, classes = problem.codes[dev], problem.task.classes
    development = Development(problem.table.take(dev), codes, classes, seed, resources=Resources(threads=1))
    count = fold_count(len(dev), int(np.bincount(codes, minlength=len(classes)).min()))
    parts = list(folds(codes, count, seed))
    for name, settings in MODELS.items():
        candidate = Candidate(name, registry.load("sortal.models", name), settings)
        out_of_fold, fold, refit = cross_validated(candidate, development, parts)
        yield Evidence(case.file.stem, name, seed, out_of_fold, fold, _predict(refit, problem, test, "test"))


def cross_validated(
    candidate: Candidate, dev: Development, parts: Sequence[tuple[Codes, Codes]]
) -> tuple[Predictions, Codes, Pipeline]:
    """Out-of-fold predictions of all rows, their folds, and the refit with the median effort."""
    view, n = candidate.family.view, len(dev.codes)
    probability, fold = np.empty((n, len(dev.classes))), np.empty(n, dtype=np.int64)
    efforts = []
    for i, (train, valid) in enumerate(parts):
        pipeline = fit(candidate, prepare_rows(dev, train, view), dev, {})
        probability[valid] = pipeline.predict_proba(pipeline.preprocessor.transform(dev.table.take(valid)))
        fold[valid] = i
        efforts.append(pipeline.fitted.effort)
    effort: dict[str, Any] = {
        name: type(value)(np.median([e[name] for e in efforts])) if isinstance(value, int | float) else value
        for name, value in efforts[0].items()
    }
    refit = fit(candidate, prepare_rows(dev, np.arange(n), view), dev, effort, purpose="ship")
    out_of_fold = Predictions(dev.classes, np.arange(n), dev.codes, normalised(probability), "out-of-fold")
    return out_of_fold, fold, refit


def _predict(pipeline: Pipeline, problem: Problem, rows: Codes, part: Any) -> Predictions:
    probability = pipeline.predict_proba(pipeline.preprocessor.transform(problem.table.take(rows)))
    return Predictions(problem.task.classes, rows, problem.codes[rows], normalised(probability), part)


def normalised(probability: Floats) -> Floats:
    """Boosters sum to one in single precision only."""
    return probability / probability.sum(axis=1, keepdims=True)


def compare(evidence: Evidence) -> Comparison:
    """Every method on the same predictions; the oracle is the least test log-loss of them all, or of none."""
    out_of_fold, test = evidence.out_of_fold, evidence.test
    n_classes = len(test.classes)
    before = log_loss(test.probability, test.truth)
    calibration = choose(out_of_fold, fold=evidence.fold, seed=evidence.seed)
    after = {GATED: _after(calibration.program, test)}
    for calibrator in calibrators(n_classes):
        after[calibrator.name] = _after(calibrator.fit(out_of_fold.probability, out_of_fold.truth, n_classes), test)
    complete = len(np.unique(out_of_fold.truth)) == n_classes
    for method in ("sigmoid", "isotonic") if complete else ():
        after[f"scikit-learn {method}"] = log_loss(by_scikit_learn(method, out_of_fold)(test.probability), test.truth)
    after[ORACLE] = min(before, *after.values())
    label = (
        " + ".join(f"{name} {weight:.2f}" for name, weight in calibration.result.weights.items())
        or calibration.result.method
    )
    return Comparison(evidence.table, evidence.model, evidence.seed, len(out_of_fold), n_classes, before, after, label)


def _after(program: Program | None, test: Predictions) -> float:
    probability = test.probability if program is None else compile_program(program)(test.probability)
    return log_loss(probability, test.truth)


def by_scikit_learn(method: str, out_of_fold: Predictions) -> Callable[[Floats], Floats]:
    """CalibratedClassifierCV of a fitted model whose probabilities are the features; of which no row is kept back."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Identity(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Floats, y: Codes) -> Identity:
            self.classes_ = np.arange(X.shape[1])
            return self

        def predict_proba(self, X: Floats) -> Floats:
            return X

        def predict(self, X: Floats) -> Codes:
            return X.argmax(axis=1)

    model = FrozenEstimator(Identity().fit(out_of_fold.probability, out_of_fold.truth))
    rows = np.arange(len(out_of_fold))
    # One split of all rows into themselves: there is nothing to refit, and rare classes would not do for several folds.
    fitted = CalibratedClassifierCV(model, method=method, cv=[(rows, rows)]).fit(
        out_of_fold.probability, out_of_fold.truth
    )
    return lambda probability: np.asarray(fitted.predict_proba(probability))


def log_loss(probability: Floats, truth: Codes) -> float:
    return float(-np.log(np.clip(probability[np.arange(len(truth)), truth], 1e-15, 1.0)).mean())


def outcome(comparisons: Sequence[Comparison], reps: int, left_out: Sequence[str], *, noisy: bool) -> Outcome:
    """``noisy``: few cases, whose goals may be missed by two standard errors."""
    slack = 2.0 if noisy else 0.0
    methods = [*dict.fromkeys(name for c in comparisons for name in c.after if name != ORACLE), ORACLE]
    worsened, worsened_error = by_table(comparisons, lambda c: float(c.worsened(GATED)))
    ahead, ahead_error = by_table(comparisons, lambda c: c.gain(GATED) - c.gain(TEMPERATURE))
    nats, nats_error = by_table(comparisons, lambda c: c.nats(GATED) - c.nats(TEMPERATURE))
    goals = [
        Goal(
            "the gated default worsens test log-loss by > .1 % in at most 15 % of cases",
            f"{worsened:.1%} +- {worsened_error:.1%} of {len(comparisons)}",
            worsened <= WORSENED + slack * worsened_error,
        ),
        Goal(
            "its mean gain is at least temperature's",
            f"{ahead:+.2%} +- {ahead_error:.2%} ahead ({1000 * nats:+.2f} +- {1000 * nats_error:.2f} millinats)",
            ahead >= -slack * ahead_error,
        ),
    ]
    tables = len({c.table for c in comparisons})
    return Outcome(
        title=f"calibration on {tables} tables x {', '.join(MODELS)}, {reps} splits each",
        columns=("method", "worsened", "mean gain", "median", "worst", "millinats", "applied"),
        rows=[_row(method, comparisons) for method in methods],
        goals=goals,
        notes=[*NOTES, *left_out],
        figures=[{**vars(c), "gain": {m: c.gain(m) for m in c.after}} for c in comparisons],
    )


def _row(method: str, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    gains = np.array([c.gain(method) for c in comparisons])
    means = [by_table(comparisons, of) for of in (lambda c: float(c.worsened(method)), lambda c: c.gain(method))]
    nats = by_table(comparisons, lambda c: 1000 * c.nats(method))
    applied = [c.after[method] != c.before for c in comparisons if method in c.after]
    return (
        method,
        *(f"{value:.1%} +- {error:.1%}" for value, error in means),
        f"{np.median(gains):+.2%}",
        f"{gains.min():+.1%}",
        f"{nats[0]:+.2f} +- {nats[1]:.2f}",
        f"{sum(applied)} of {len(applied)}",
    )


def by_table(comparisons: Sequence[Comparison], value: Callable[[Comparison], float]) -> tuple[float, float]:
    """The mean over tables of their means, with its standard error: cases of one table are no independent evidence."""
    tables: dict[str, list[float]] = defaultdict(list)
    for case in comparisons:
        tables[case.table].append(value(case))
    means = np.array([np.mean(values) for values in tables.values()])
    error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
    return float(means.mean()), float(error)


def progress(cases: Sequence[Comparison]) -> str:
    return "\n".join(f"{c.table} {c.model} {c.seed}: {c.gain(GATED):+.2%} ({c.chosen})" for c in cases)
