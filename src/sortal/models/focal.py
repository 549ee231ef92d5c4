"""The focal loss as an objective of boosters: derivatives, where to start, and how its probabilities become honest.

Lin, Goyal, Girshick, He & Dollár (2017), "Focal loss for dense object detection". With v the softmax of the scores z,
the loss of a row of class t is -(1 - v_t)^gamma log v_t: rows that are easily told weigh less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sortal.engine.affine import log_probability
from sortal.engine.focal import Parts, focal, others, parts
from sortal.engine.link import sigmoid, softmax
from sortal.engine.program import Program
from sortal.models.family import FitRequest, Matrix, Rows, Settings

STEPS = 200
"""From the first guess of the start to its last digits; each takes a fixed share of the error away."""
CHUNK = 4_000
"""Rows whose derivatives stay in the cache; three times as fast as all rows at once."""


@dataclass(frozen=True)
class Focal:
    """The focal loss of one fit.

    ``start``: the scores of a model without trees, (1,) log-odds of class 1 for two classes, else (K,). Boosters do not
    see it: their scores, (n,) or (n, K), are what trees add to it.
    """

    gamma: float
    start: NDArray[np.float64]

    @property
    def n_classes(self) -> int:
        return max(2, len(self.start))

    def derivatives(self, scores: Matrix, rows: Rows) -> tuple[Matrix, Matrix]:
        """Gradient and expected Hessian of the loss by ``scores``, both of their shape.

        The gradient is that of the log-loss times phi(v_t). The second derivative can be negative, which boosters
        cannot use. Its mean over the classes that v stands for, Psi^gamma(v), is positive everywhere (Fisher scoring),
        and for gamma = 0 that of the log-loss.
        """
        gradient, hessian = np.empty(scores.shape), np.empty(scores.shape)
        for first in range(0, len(scores), CHUNK):
            part = slice(first, first + CHUNK)
            gradient[part], hessian[part] = self._derivatives(scores[part], rows.y[part])
        if rows.weight is not None:
            weight = rows.weight.reshape(-1, *(1,) * (scores.ndim - 1))
            return gradient * weight, hessian * weight
        return gradient, hessian

    def _derivatives(self, scores: Matrix, y: NDArray[np.int64]) -> tuple[Matrix, Matrix]:
        minimised, at = parts(np.asfortranarray(self._minimiser(scores))), np.arange(len(y))
        phi = _phi(minimised, self.gamma)
        gradient = minimised.v.copy(order="K")
        gradient[at, y] = -minimised.rest[at, y]
        gradient *= phi[at, y][:, None]
        hessian = _expected_hessian(minimised, phi, self.gamma)
        if len(self.start) == 1:
            return gradient[:, 1], hessian[:, 1]
        # The diagonal alone understates the curvature; LightGBM's own multiclass objective makes up for it by the same
        # factor.
        return gradient, hessian * (self.n_classes / (self.n_classes - 1))

    def predict_proba(self, scores: Matrix) -> Matrix:
        """(n, K) honest probabilities."""
        return focal(self._minimiser(scores), self.gamma)

    def log_loss(self, scores: Matrix, rows: Rows) -> float:
        """Mean log-loss of the honest probabilities: a proper loss to stop by, which the focal loss is not."""
        of_truth = self.predict_proba(scores)[np.arange(len(rows.y)), rows.y]
        return float(np.average(-log_probability(of_truth), weights=rows.weight))

    def program(self, forest: Program) -> Program:
        """A forest of the booster's trees, from the start to honest probabilities."""
        shifted_forest = replace(forest, arrays={**forest.arrays, "base": forest.arrays["base"] + self.start})
        correction = Program("focal", {"gamma": self.gamma, "classes": self.n_classes})
        return Program("chain", steps=(shifted_forest, correction))

    def _minimiser(self, scores: Matrix) -> Matrix:
        z = np.asarray(scores, dtype=np.float64) + self.start
        return sigmoid(z) if len(self.start) == 1 else softmax(z)


def objective(request: FitRequest, settings: Settings) -> Focal | None:
    """The focal loss where the setting ``focal`` tells its gamma; None for the family's own objective."""
    if "focal" not in settings:
        return None
    gamma = float(settings["focal"])
    weight = np.bincount(request.train.y, request.train.weight, request.n_classes)
    scores = _start(weight / weight.sum(), gamma)
    return Focal(gamma, scores[1:] - scores[:1] if request.n_classes == 2 else scores)


def _start(shares: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """(K,) scores of the constant model with the least focal loss: those whose honest probabilities are the class
    shares.
    """
    goal = log_probability(shares)
    scores = goal / (1 + gamma)
    for _ in range(STEPS):
        shares_now = focal(softmax(scores[None]), gamma)[0]
        scores = scores + (goal - log_probability(shares_now)) / (1 + gamma)
    return np.asarray(scores - scores.mean())


def _phi(minimised: Parts, gamma: float) -> Matrix:
    """(1 - v)^gamma - gamma (1 - v)^(gamma - 1) v log v, by which the gradient differs from that of the log-loss."""
    return np.asarray(minimised.rest**gamma * (1.0 - gamma * minimised.v * minimised.log / minimised.rest))


def _expected_hessian(minimised: Parts, phi: Matrix, gamma: float) -> Matrix:
    """The diagonal, (n, K): sum_t eta_t d2 loss_t / d z_j^2 with eta = Psi^gamma(v), which is proportional to v / phi.

    With e_t = v_t (1 - d log phi / d log v_t), it is (e_j (1 - v_j)^2 + v_j^2 sum_{t != j} e_t) / sum_t (v_t / phi_t).
    """
    v, rest, log = minimised
    v_log = gamma * v * log
    slope = gamma * v * (-log - 2 * rest + v_log) / (rest * (rest - v_log))
    e = v * (1.0 - slope)
    return np.asarray((e * rest**2 + v**2 * others(e)) / (v / phi).sum(axis=1, keepdims=True))
