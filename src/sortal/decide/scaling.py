"""Calibrators that scale and shift log-probabilities, fitted by penalised maximum likelihood.

| name        | classes | free                                  | source                                            |
|-------------|---------|---------------------------------------|---------------------------------------------------|
| none        | any     | nothing                               |                                                   |
| temperature | any     | one w                                 | Guo et al. (2017)                                 |
| platt       | 2       | one w, b                              | Platt (1999), on the log-odds                     |
| beta        | 2       | w of each class, b                    | Kull, Silva Filho & Flach (2017)                  |
| quadratic   | 2       | w at either end of the log-odds, b    | Berta, Holzmüller, Jordan & Bach (2025)           |
| vector      | 3+      | w of each class, b                    | Guo et al. (2017); penalty of the next            |
| matrix      | 3+      | a matrix, b                           | Berta et al. (2025), structured matrix scaling    |

With two classes a normal prior of the weight of about one row stands around w = 1, b = 0, so that separable
predictions do not run away. With more, w of each class, the rest of the matrix and b are drawn to the best
temperature, the harder the more of them there are. Every w stays positive, and every diagonal element the
largest of its column, so that more of a class before never means less of it afterwards: a binary ranking is
never turned around. Probabilities below 1e-15 count as 1e-15.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sortal.core.arrays import Codes, Floats
from sortal.decide.calibrate import Calibrator
from sortal.engine.affine import log_probability
from sortal.engine.monotone import bend, log_odds
from sortal.engine.program import Program

SCALES = (0.01, 100.0)
ENDS = (0.05, 0.95)
"""Quantiles of the log-odds between which ``quadratic`` bends; outliers must not decide how."""

Objective = Callable[[Floats], tuple[float, Floats]]


def _identity(probability: Floats, truth: Codes, n_classes: int) -> Program:
    return Program("logit_affine", arrays={"weight": np.eye(n_classes), "bias": np.zeros(n_classes)})


def _fit_temperature(probability: Floats, truth: Codes, n_classes: int) -> Program:
    weight = _temperature(log_probability(probability), truth) * np.eye(n_classes)
    return Program("logit_affine", arrays={"weight": weight, "bias": np.zeros(n_classes)})


def _fit_platt(probability: Floats, truth: Codes, n_classes: int) -> Program:
    scale, shift = _logistic(log_odds(probability)[:, None], truth)
    return Program("logit_affine", arrays={"weight": np.diag(scale[[0, 0]]), "bias": np.array([0.0, shift])})


def _fit_beta(probability: Floats, truth: Codes, n_classes: int) -> Program:
    """Log-odds a ln p - b ln(1 - p) + c."""
    scale, shift = _logistic(log_probability(probability) * [-1.0, 1.0], truth)
    return Program("logit_affine", arrays={"weight": np.diag(scale), "bias": np.array([0.0, shift])})


def _fit_quadratic(probability: Floats, truth: Codes, n_classes: int) -> Program:
    """A slope at either end instead of the coefficients of z and z squared: monotone is then just positive."""
    z = log_odds(probability)
    ends = np.quantile(z, ENDS)
    if ends[1] - ends[0] < 1e-6:
        ends += np.array([-0.5, 0.5])
    arms = np.column_stack([bend(z, ends, one) for one in np.eye(2)])
    slope, shift = _logistic(arms, truth)
    return Program("quadratic", arrays={"ends": ends, "slope": slope, "intercept": np.array([shift])})


def _logistic(x: Floats, truth: Codes) -> tuple[Floats, float]:
    """Logistic regression of class 1 on d terms that sum to its log-odds: coefficients (d,) and intercept."""
    start = np.append(np.ones(x.shape[1]), 0.0)
    signed = np.column_stack([x, np.ones(len(x))]) * np.where(truth == 1, -1.0, 1.0)[:, None]

    def objective(free: Floats) -> tuple[float, Floats]:
        wrong = signed @ free
        far = np.exp(-np.abs(wrong))
        loss = (np.maximum(wrong, 0.0) + np.log1p(far)).sum() + ((free - start) ** 2).sum() / 2
        missing = np.where(wrong > 0, 1.0, far) / (1.0 + far)
        return float(loss), missing @ signed + free - start

    minimum = _minimum(objective, start, [SCALES] * x.shape[1] + [(None, None)], len(x))
    return minimum[:-1], float(minimum[-1])


def _temperature(z: Floats, truth: Codes) -> float:
    """The scale of log-probabilities (n, K) that makes the truth most probable."""
    of_truth = z[np.arange(len(z)), truth]

    def objective(free: Floats) -> tuple[float, Floats]:
        s = z * free
        top = s.max(axis=1)
        weight = np.exp(s - top[:, None])
        total = weight.sum(axis=1)
        loss = (np.log(total) + top - of_truth * free).sum() + ((free - 1) ** 2).sum() / 2
        slope = ((weight * z).sum(axis=1) / total - of_truth).sum()
        return float(loss), slope + free - 1

    return float(_minimum(objective, np.ones(1), [SCALES], len(z))[0])


def _structured(*, diagonal: bool) -> Callable[[Floats, Codes, int], Program]:
    """softmax(w (I + D) c + b) of centred log-probabilities c: w first, then D and b around it.

    The sum of log-losses carries K |b|^2 + K |diag D|^2 + K (K - 1) |rest of D|^2.
    """

    def fit(probability: Floats, truth: Codes, n_classes: int) -> Program:
        logs = log_probability(probability)
        scale = _temperature(logs, truth)
        z = scale * (logs - logs.mean(axis=1, keepdims=True))
        one = np.eye(n_classes)
        penalty = n_classes * (one + (n_classes - 1) * (1 - one))
        rows, one_hot = np.arange(len(z)), one[truth]

        def unpack(free: Floats) -> tuple[Floats, Floats]:
            if diagonal:
                return np.diag(free[:n_classes]), free[n_classes:]
            return free[: n_classes**2].reshape(n_classes, n_classes), free[n_classes**2 :]

        def objective(free: Floats) -> tuple[float, Floats]:
            change, bias = unpack(free)
            s = z + z @ change.T + bias
            s -= s.max(axis=1, keepdims=True)
            of_truth = s[rows, truth]
            np.exp(s, out=s)
            total = s.sum(axis=1)
            loss = (np.log(total) - of_truth).sum() + (penalty * change**2).sum() + n_classes * (bias**2).sum()
            s /= total[:, None]
            s -= one_hot
            by_change = s.T @ z + 2 * penalty * change
            by_change = np.diag(by_change) if diagonal else by_change.ravel()
            return float(loss), np.concatenate([by_change, s.sum(axis=0) + 2 * n_classes * bias])

        start = np.zeros(n_classes * (2 if diagonal else n_classes + 1))
        change, bias = unpack(_minimum(objective, start, None, len(z)))
        weight = scale * _ordered(change) @ (one - 1 / n_classes)
        return Program("logit_affine", arrays={"weight": weight, "bias": bias})

    return fit


def _ordered(change: Floats) -> Floats:
    """I + t D with the largest t <= 1 for which every diagonal element is the largest of its column by a margin."""
    gap = np.diag(change) - change
    slack = 1 - SCALES[0]
    worst = -min(float(gap.min()), 0.0)
    return np.asarray(np.eye(len(change)) + change * (1.0 if worst <= slack else slack / worst))


def _minimum(
    objective: Objective, start: Floats, bounds: list[tuple[float | None, float | None]] | None, rows: int
) -> Floats:
    """Where the sum over rows is least; its mean is what is minimised, so that tolerances do not depend on rows.

    A long memory (``maxcor``) pays: matrices of many classes are badly conditioned.
    """
    from scipy.optimize import minimize

    def mean(free: Floats) -> tuple[float, Floats]:
        loss, slope = objective(free)
        return loss / rows, slope / rows

    minimum: Floats = minimize(
        mean, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxcor": 30, "ftol": 1e-8, "maxiter": 100}
    ).x
    return minimum


none = Calibrator("none", _identity)
temperature = Calibrator("temperature", _fit_temperature)
platt = Calibrator("platt", _fit_platt, most=2)
beta = Calibrator("beta", _fit_beta, most=2)
quadratic = Calibrator("quadratic", _fit_quadratic, most=2)
vector = Calibrator("vector", _structured(diagonal=True), least=3)
matrix = Calibrator("matrix", _structured(diagonal=False), least=3, rows_a_square=10)
"""Ten rows for each of its parameters: fewer say little, and of many classes they take longest."""
