"""Calibration: make probabilities mean what they say, where that helps out of sample.

Which calibrator is best cannot be told from few rows, and the one that looks best does so partly by luck. So
nothing is picked: every calibrator, and leaving things alone, weighs as much as the share of bootstrap samples in
which it is the best, and their average is applied, if rows that had no say in the weights confirm that it gains.
What else was tried is in docs/decisions/0013-calibration-gate.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sortal.core import registry
from sortal.core.arrays import Codes, Floats
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions, weighted_mean
from sortal.core.writing import percent, spread
from sortal.engine import compile as compile_program
from sortal.engine.affine import log_probability
from sortal.engine.program import Program
from sortal.stats.clusters import worth_of_rows

MOST_ROWS, LEAST_ROWS = 20_000, 1_000
MOST_ENTRIES, ENTRIES_A_SECOND = 100_000, 2_000
"""Probabilities that calibrators are tried on, and how many of them a second of the budget buys: about a twentieth of
it. Told by the budget, not by the clock, so that runs repeat."""
SAMPLES = 100
LEAST_WEIGHT = 0.05
"""A calibrator that is the best in fewer of the samples is left out."""
SAME = 1.1
"""Probabilities within a tenth of each other are those of a model that says the same of every row, whatever the
fold."""
GATE = 0.5
"""Standard errors that the average has to gain."""


@dataclass(frozen=True)
class Calibrator:
    """``fit`` takes (n, K) probabilities, (n,) true codes and K; its program takes and gives (n, K) probabilities.

    It suits tasks with ``least`` to ``most`` classes (None: any number), and competes with others where the rarest
    class has at least ``rows`` rows, and where there are ``rows_a_square`` rows for every square of the number of
    classes.
    """

    name: str
    fit: Callable[[Floats, Codes, int], Program]
    least: int = 2
    most: int | None = None
    rows: int = 0
    rows_a_square: int = 0

    def suits(self, n_classes: int) -> bool:
        return self.least <= n_classes and (self.most is None or n_classes <= self.most)


@dataclass(frozen=True)
class CalibrationResult:
    """What came of calibrating: ``method`` is "none" where nothing helped, "average" of several by their ``weights``.

    The log-losses are out of fold, ``explanation`` says what was tried. ``removable``: the log-loss that the best
    recalibration would still remove, a row, were there plenty of rows to learn it from; as the test tells (what the
    decision was made on where the test was not opened); null until it is known.
    """

    method: str
    log_loss_before: float | None = None
    log_loss_after: float | None = None
    explanation: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    removable: Estimate | None = None


@dataclass(frozen=True)
class Calibration:
    """What is applied, ``program`` (None where nothing is), and why.

    ``gain``: by how much the average of the calibrators lowers the log-loss of rows that neither its members nor
    their weights have seen (mean over rows, with its standard error). ``candidate``: the member that weighs most
    beside "none". The ``result`` is of what is applied. ``rows``: (m,) positions of the rows that calibrators were
    tried on, ``unseen`` (m, K) what the average says of each without having seen it.
    """

    result: CalibrationResult
    program: Program | None
    candidate: str
    gain: float
    standard_error: float
    rows: Codes
    unseen: Floats

    def cross_fitted(self, calibrated: Floats) -> Floats:
        """(n, K) ``calibrated`` probabilities of all rows, but of those that the calibrators learned from what they say
        without having seen the row.
        """
        if self.program is None:
            return calibrated
        apart = calibrated.copy()
        apart[self.rows] = self.unseen
        return apart


def entries(budget: float) -> int:
    """How many probabilities calibrators are tried on in a run of so many seconds.

    >>> entries(10.0), entries(600.0)
    (20000, 100000)
    """
    return int(min(MOST_ENTRIES, ENTRIES_A_SECOND * budget))


def choose(
    predictions: Predictions, *, fold: Codes | None = None, seed: int = 0, folds: int = 5, most: int = MOST_ENTRIES
) -> Calibration:
    """The average of the calibrators, weighted by how often each is the best, if it gains half a standard error.

    ``predictions``: of rows that the model has not seen. Each calibrator is fitted on all folds but one and judged on
    that one; gains are paired by row. ``fold``: (n,) fold numbers, such as those of the cross-validation; drawn with
    ``seed``, stratified, where not given. At most 20,000 rows and ``most`` probabilities are used (of 1,000 rows
    always), drawn at random.
    """
    trial = _try_all(predictions, fold, seed, folds, most)
    loss, gain, error = float(trial.before.mean()), trial.gain, trial.standard_error
    weights = {name: float(w) for name, w in zip(trial.names, trial.weight, strict=True) if w > 0}
    candidate = max((name for name in weights if name != "none"), key=lambda name: weights[name], default="none")
    if candidate == "none" or not gain > GATE * error:
        result = CalibrationResult("none", loss, loss, _not_applied(candidate, gain, error))
        return Calibration(result, None, candidate, gain, error, trial.rows, trial.unseen)
    n_classes = trial.probability.shape[1]
    members = tuple(_load(name).fit(trial.probability, trial.truth, n_classes) for name in weights)
    method, program = candidate, members[0]
    if len(members) > 1:
        method, program = "average", Program("average", {}, {"weight": np.array([*weights.values()])}, members)
    explanation = f"lowers the cross-fitted log-loss by {spread(abs(gain), error, 4)}"
    if len(weights) > 1:
        explanation += ": " + ", ".join(f"{name} {percent(weight)}" for name, weight in weights.items())
    result = CalibrationResult(method, loss, loss - gain, explanation, weights)
    return Calibration(result, program, candidate, gain, error, trial.rows, trial.unseen)


def _not_applied(candidate: str, gain: float, error: float) -> str:
    if candidate == "none":
        return "nothing lowers the cross-fitted log-loss"
    return f"{candidate} would {'gain' if gain > 0 else 'lose'} {spread(abs(gain), error, 4)}"


def calibrators(n_classes: int, rarest: int | None = None, rows: int | None = None) -> tuple[Calibrator, ...]:
    """Those that are registered for so many classes, rows of the rarest of them and rows in all, without ``none``."""
    candidates = (_load(name) for name in registry.names("sortal.calibrators") if name != "none")
    return tuple(
        c
        for c in candidates
        if c.suits(n_classes)
        and (rarest is None or rarest >= c.rows)
        and (rows is None or rows >= c.rows_a_square * n_classes**2)
    )


@dataclass(frozen=True)
class _Trial:
    """Cross-fitted competition on some ``rows``, their ``probability`` and ``truth``: ``weight`` of each of ``names``,
    of which "none" is the first; losses ``before``, and after the average whose weights the row had no say in.
    ``unseen``: what that average says.
    """

    rows: Codes
    probability: Floats
    truth: Codes
    names: tuple[str, ...]
    weight: Floats
    before: Floats
    after: Floats
    unseen: Floats
    clusters: Codes | None = None

    @property
    def gain(self) -> float:
        return float((self.before - self.after).mean())

    @property
    def standard_error(self) -> float:
        spread = float((self.before - self.after).std(ddof=1))
        design = worth_of_rows(self.before - self.after - self.gain, self.clusters).design
        return spread * float(np.sqrt(design / len(self.truth))) if spread > 0 else 0.0


def _try_all(predictions: Predictions, fold: Codes | None, seed: int, folds: int, most: int) -> _Trial:
    k = len(predictions.classes)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(predictions))[: min(MOST_ROWS, max(LEAST_ROWS, most // k))]
    sample = predictions.take(rows)
    probability, truth, clusters = sample.probability, sample.truth, sample.clusters
    fold = stratified_assign(truth, clusters, folds, rng) if fold is None else fold[rows]
    rarest = int(np.bincount(truth, minlength=k).min())
    before = _losses(probability, truth)
    names, outputs = ["none"], [probability]
    if len(np.unique(fold)) > 1 and _differ(probability):
        for calibrator in calibrators(k, rarest, len(rows)):
            names.append(calibrator.name)
            outputs.append(_cross_fitted(calibrator, probability, truth, fold))
    weight, own = _weights(np.column_stack([before, *(_losses(p, truth) for p in outputs[1:])]), rng)
    unseen = weighted_mean((w[:, None] for w in own.T), outputs)
    return _Trial(rows, probability, truth, tuple(names), weight, before, _losses(unseen, truth), unseen, clusters)


def _differ(probability: Floats) -> bool:
    """Whether the probabilities of any class differ from row to row; else there is nothing that a calibrator could set
    right.
    """
    return bool((probability.max(axis=0) > SAME * probability.min(axis=0)).any())


def _weights(losses: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(m,) weights: the share of bootstrap samples in which each of m columns has the least loss. And (n, m) those of
    each row by the samples that it is not in (Breiman 1996)."""
    count = rng.poisson(1.0, size=(SAMPLES, len(losses))).astype(np.float32)
    wins = np.eye(losses.shape[1])[(count @ (losses - losses[:, :1])).argmin(axis=1)]
    own = (count == 0).astype(np.float32).T @ wins
    own /= np.maximum(own.sum(axis=1, keepdims=True), 1.0)
    weight = _prune(wins.mean(axis=0))
    return weight, np.where(own.sum(axis=1, keepdims=True) > 0, _prune(own), weight)


def _prune(weight: Floats) -> Floats:
    result = np.where(weight < LEAST_WEIGHT, 0.0, weight)
    total = result.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(result, total, out=np.zeros_like(result), where=total > 0))


def _load(name: str) -> Calibrator:
    calibrator: Calibrator = registry.load("sortal.calibrators", name)
    return calibrator


def _cross_fitted(calibrator: Calibrator, probability: Floats, truth: Codes, fold: Codes) -> Floats:
    """(n, K) probabilities of rows whose fold the calibrator has not seen."""
    calibrated = np.empty_like(probability)
    for fold_rows in (fold == number for number in np.unique(fold)):
        program = calibrator.fit(probability[~fold_rows], truth[~fold_rows], probability.shape[1])
        calibrated[fold_rows] = compile_program(program)(probability[fold_rows])
    return calibrated


def stratified_assign(truth: Codes, clusters: Codes | None, folds: int, rng: np.random.Generator) -> Codes:
    """Random folds of whole groups; where every row stands alone, folds that hold every class in proportion."""
    if clusters is not None:
        return np.asarray(rng.permutation(clusters.max() + 1)[clusters] % folds)
    order = rng.permutation(len(truth))
    order = order[np.argsort(truth[order], kind="stable")]
    fold = np.empty(len(truth), dtype=np.int64)
    fold[order] = np.arange(len(truth)) % folds
    return fold


def _losses(probability: Floats, truth: Codes) -> Floats:
    return -log_probability(probability[np.arange(len(truth)), truth])
