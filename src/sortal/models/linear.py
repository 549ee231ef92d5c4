"""Logistic regression with an L2 penalty; multinomial with more than two classes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.engine.program import Program
from sortal.models.clock import Clock
from sortal.models.family import SIMPLE_ROWS, Family, FitRequest, Fitted, Settings, Work
from sortal.prepare.view import View

CHUNK, LEAST_CHUNK = 50, 5
CHUNK_WORK = 1_000_000_000
"""Products of a cell and a class in a chunk of iterations: about a second, after which the clock is looked at."""
MAX_ITERATIONS = 1000


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=float(settings.get("C", 1.0)), max_iter=CHUNK, warm_start=True)
    iterations = _fit_in_chunks(model, request, int(settings.get("iterations", MAX_ITERATIONS)))
    return Fitted(
        predict_proba=model.predict_proba,
        program=lambda: linear_program(model.coef_, model.intercept_),
        importance=np.abs(model.coef_).mean(axis=0) * request.train.X.std(axis=0),
        effort={"iterations": iterations},
    )


def _fit_in_chunks(model: Any, request: FitRequest, most: int) -> int:
    """Fit until the model has converged, the iterations are used up or the time is over."""
    from sklearn.exceptions import ConvergenceWarning

    rows, clock, done = request.train, Clock(request.seconds), 0
    chunk = max(LEAST_CHUNK, min(CHUNK, CHUNK_WORK // (rows.X.size * request.n_classes)))
    with warnings.catch_warnings():
        # Not to have converged within a chunk is what the loop is for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        while True:
            model.max_iter = min(chunk, most - done)
            model.fit(rows.X, rows.y, sample_weight=rows.weight)
            done += int(model.n_iter_.max())
            if model.n_iter_.max() < model.max_iter or done >= most or clock.left <= 0:
                return done


def linear_program(coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> Program:
    """Logistic regression as data: one row of coefficients (sigmoid) or one a class (softmax)."""
    arrays = {"coef": np.asarray(coef, float), "intercept": np.asarray(intercept, float)}
    return Program("linear", {"link": "sigmoid" if len(coef) == 1 else "softmax"}, arrays)


logistic = Family(
    "logistic",
    View("scaled", "onehot"),
    complexity=1,
    fit=_fit,
    interruptible=True,
    most_rows=SIMPLE_ROWS,
    pilot={"iterations": CHUNK},
    pilot_share=0.5,
    work=Work(fixed=0.025, row=5e-6, cell=2e-7, classes=0.3),
    baseline="linear model",
)
