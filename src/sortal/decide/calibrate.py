"""Calibration: make probabilities mean what they say, where that helps out of sample.

Every built-in calibrator scales and shifts log-probabilities, softmax(w ln p + b) with one w and b a class;
they differ in what is free:

| name        | classes | free               | source                                                     |
|-------------|---------|--------------------|------------------------------------------------------------|
| none        | any     | nothing            |                                                            |
| temperature | any     | one w              | Guo et al. (2017)                                          |
| platt       | 2       | one w, b           | Platt (1999), on the log-odds                              |
| beta        | 2       | w of each class, b | Kull, Silva Filho & Flach (2017): a ln p - b ln(1 - p) + c |
| vector      | 3+      | w of each class, b | Guo et al. (2017)                                          |

They are fitted by maximum likelihood with a standard normal prior around w = 1, b = 0, the weight of about
one row, so that separable predictions do not run away; w stays positive, so that no ranking of two classes
is turned over. Probabilities below 1e-15 count as 1e-15.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.engine.affine import log_probability, logit_affine
from sortal.engine.program import Program

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

SCALES = (0.01, 100.0)
MOST_ROWS, MOST_ENTRIES = 20_000, 200_000


@dataclass(frozen=True)
class Calibrator:
    """``fit`` takes (n, K) probabilities, (n,) true codes and K, and returns a ``logit_affine`` program.

    It suits tasks with ``least`` to ``most`` classes (None: any number).
    """

    name: str
    fit: Callable[[Floats, Codes, int], Program]
    least: int = 2
    most: int | None = None

    def suits(self, n_classes: int) -> bool:
        return self.least <= n_classes and (self.most is None or n_classes <= self.most)


@dataclass(frozen=True)
class Calibration:
    """What was chosen, and what it changes.

    ``candidate`` is the best method that was tried; it lowers the cross-fitted log-loss by ``gain`` (mean
    over rows, with its standard error) and is applied if that is more than one standard error. ``method``,
    ``program`` and ``log_loss_after`` are of what is applied: "none" and None where nothing is.
    """

    method: str
    program: Program | None
    log_loss_before: float
    log_loss_after: float
    candidate: str
    gain: float
    standard_error: float


def choose(predictions: Predictions, *, fold: Codes | None = None, seed: int = 0, folds: int = 5) -> Calibration:
    """The calibrator with the lowest cross-fitted log-loss, if it gains more than one standard error.

    ``predictions``: of rows that the model has not seen. Each calibrator is fitted on all folds but one and
    judged on that one; the gain is paired by row. ``fold``: (n,) fold numbers, such as those of the
    cross-validation; drawn with ``seed``, stratified, where not given. At most 20,000 rows and
    200,000 probabilities are used, drawn at random.
    """
    k = len(predictions.classes)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(predictions))[: min(MOST_ROWS, MOST_ENTRIES // k)]
    probability, truth = predictions.probability[rows], predictions.truth[rows]
    fold = _deal(truth, folds, rng) if fold is None else fold[rows]
    before = _losses(probability, truth)
    loss = float(before.mean())
    best, gain, error = "none", 0.0, 0.0
    for calibrator in calibrators(k):
        better = before - _cross_fitted(calibrator, probability, truth, fold)
        if best == "none" or better.mean() > gain:
            best, gain = calibrator.name, float(better.mean())
            error = float(better.std() / np.sqrt(max(len(rows) - 1, 1)))
    if not gain > error:
        return Calibration("none", None, loss, loss, best, gain, error)
    program = registry.load("sortal.calibrators", best).fit(probability, truth, k)
    return Calibration(best, program, loss, loss - gain, best, gain, error)


def calibrators(n_classes: int) -> tuple[Calibrator, ...]:
    """Those that are registered for so many classes, without ``none``."""
    names = (name for name in registry.names("sortal.calibrators") if name != "none")
    found: list[Calibrator] = [registry.load("sortal.calibrators", name) for name in names]
    return tuple(c for c in found if c.suits(n_classes))


def _cross_fitted(calibrator: Calibrator, probability: Floats, truth: Codes, fold: Codes) -> Floats:
    """(n,) losses of rows whose fold the calibrator has not seen; with one fold, as they were before."""
    numbers = np.unique(fold)
    losses = _losses(probability, truth)
    for held in (fold == number for number in numbers if len(numbers) > 1):
        program = calibrator.fit(probability[~held], truth[~held], probability.shape[1])
        fixed = logit_affine(probability[held], program.arrays["weight"], program.arrays["bias"])
        losses[held] = _losses(fixed, truth[held])
    return losses


def _deal(truth: Codes, folds: int, rng: np.random.Generator) -> Codes:
    """Random folds that hold every class in proportion."""
    order = rng.permutation(len(truth))
    order = order[np.argsort(truth[order], kind="stable")]
    fold = np.empty(len(truth), dtype=np.int64)
    fold[order] = np.arange(len(truth)) % folds
    return fold


def _losses(probability: Floats, truth: Codes) -> Floats:
    return -log_probability(probability[np.arange(len(truth)), truth])


def _identity(probability: Floats, truth: Codes, n_classes: int) -> Program:
    return Program("logit_affine", arrays={"weight": np.eye(n_classes), "bias": np.zeros(n_classes)})


def _scaling(*, shared: bool, shift: bool) -> Callable[[Floats, Codes, int], Program]:
    """Maximum likelihood for w, one for all classes or one each, and b, all zero or only the first."""

    def fit(probability: Floats, truth: Codes, n_classes: int) -> Program:
        from scipy.optimize import minimize

        z, n = log_probability(probability), len(truth)
        rows, scales = np.arange(n), 1 if shared else n_classes
        start = np.concatenate([np.ones(scales), np.zeros(n_classes - 1 if shift else 0)])

        def unpack(free: Floats) -> tuple[Floats, Floats]:
            bias = np.concatenate([[0.0], free[scales:]]) if shift else np.zeros(n_classes)
            return np.broadcast_to(free[:scales], (n_classes,)), bias

        def objective(free: Floats) -> tuple[float, Floats]:
            scale, bias = unpack(free)
            s = z * scale + bias
            s -= s.max(axis=1, keepdims=True)
            told = s[rows, truth]
            np.exp(s, out=s)
            total = s.sum(axis=1)
            loss = (np.log(total) - told).sum() + ((free - start) ** 2).sum() / 2
            s /= total[:, None]
            s[rows, truth] -= 1
            by_scale, by_bias = (s * z).sum(axis=0), s.sum(axis=0)[1:]
            slope = np.concatenate([[by_scale.sum()] if shared else by_scale, by_bias if shift else []])
            return float(loss / n), (slope + free - start) / n

        bounds = [SCALES] * scales + [(None, None)] * (len(start) - scales)
        found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds)
        scale, bias = unpack(found.x)
        return Program("logit_affine", arrays={"weight": np.diag(scale), "bias": bias})

    return fit


none = Calibrator("none", _identity)
temperature = Calibrator("temperature", _scaling(shared=True, shift=False))
platt = Calibrator("platt", _scaling(shared=True, shift=True), most=2)
beta = Calibrator("beta", _scaling(shared=False, shift=True), most=2)
vector = Calibrator("vector", _scaling(shared=False, shift=True), least=3)
