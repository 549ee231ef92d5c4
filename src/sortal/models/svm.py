"""Support vector machines, linear and with a Gaussian kernel.

Margins become probabilities by Platt's sigmoid, fitted on cross-validated margins.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sortal.engine.fourier import fourier
from sortal.engine.program import Program
from sortal.models.family import SIMPLE_ROWS, Family, FitRequest, Fitted, Matrix, Rows, Settings, Size, Work
from sortal.models.linear import as_stored, deviations, is_dense, rounded
from sortal.prepare.view import View

FREQUENCIES = 500
"""Of the kernel's features: with four times as many the log-loss of five small tables is hardly lower."""
CUT = 10.0
"""Standard deviations beyond which a column is as far away as it can be."""
MOST_CLASSES = 100
"""Each class is four fits against all others, of which none ends before it is done."""
KERNEL_ROWS, KERNEL_COLUMNS, KERNEL_CLASSES = 5_000, 500, 30
"""Beyond them the kernel machine takes minutes, and boosters are better on all tables that were tried."""
TOLERANCE, KERNEL_TOLERANCE = 1e-4, 1e-2
"""Where the solver stops: scikit-learn's default, and where the margins of many features correlate by .9999 with those
of the default in half the time."""
IMPORTANCE_ROWS = 500
SPARSE_C = 0.2
"""For n-grams, whose rows have length one."""


def _fit_linear(request: FitRequest, settings: Settings) -> Fitted:
    usual = 0.1 if is_dense(request.train.X) else SPARSE_C
    return _machine(request.train, float(settings.get("C", usual)), TOLERANCE, request.seed)[0]


def _fit_kernel(request: FitRequest, settings: Settings) -> Fitted:
    """The linear machine on random Fourier features, which make its margins those of a kernel machine.

    The support vectors of the exact one would be training rows, and a model file holds none.
    """
    rows = request.train
    frequency = frequencies(rows.X, request.seed)

    def features(X: Matrix) -> Matrix:
        return fourier(X, frequency, CUT)

    machine, coef = _machine(
        replace(rows, X=features(rows.X)), float(settings.get("C", 1.0)), KERNEL_TOLERANCE, request.seed
    )
    return Fitted(
        predict_proba=lambda X: machine.predict_proba(features(X)),
        program=lambda: Program("fourier", {"cut": CUT}, {"frequency": frequency.astype(np.float32)}).then(
            machine.program()
        ),
        importance=_slopes(features(rows.X[:IMPORTANCE_ROWS]), coef, frequency),
    )


def frequencies(X: Matrix, seed: int) -> NDArray[np.float64]:
    """(d, FREQUENCIES) for the kernel width 1 / (d * variance), scikit-learn's ``gamma="scale"``; float32 numbers.

    Blocks of orthogonal directions with the lengths of normal vectors estimate the kernel with less variance than
    independent ones (Yu et al. 2016, "Orthogonal random features").
    """
    d, rng = X.shape[1], np.random.default_rng(seed)
    blocks = []
    for _ in range(-(-FREQUENCIES // d)):
        directions = np.linalg.qr(rng.normal(size=(d, d)))[0]
        blocks.append(directions * np.sqrt(rng.chisquare(d, size=d)))
    gamma = 1.0 / (d * (float(X.var()) or 1.0))
    sample = np.hstack(blocks)[:, :FREQUENCIES] * np.sqrt(2 * gamma)
    return np.asarray(sample.astype(np.float32), dtype=np.float64)


def _slopes(features: Matrix, coef: Matrix, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """(d,) mean steepness of the margins along each column."""
    m = frequency.shape[1]
    cosine, sine = features[:, :m], features[:, m:]
    slopes = [np.abs((cosine * c[m:] - sine * c[:m]) @ frequency.T).mean(axis=0) for c in coef]
    return np.asarray(np.mean(slopes, axis=0))


def _machine(rows: Rows, C: float, tolerance: float, seed: int) -> tuple[Fitted, Matrix]:
    """A linear machine, and its (m, d) coefficients."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import LinearSVC

    rows = _judgeable(rows)
    folds = StratifiedKFold(max(2, min(3, int(np.bincount(rows.y).min()))), shuffle=True, random_state=seed)
    sparse = not is_dense(rows.X)
    machine = LinearSVC(C=C, dual=sparse, tol=tolerance, random_state=seed)
    model = CalibratedClassifierCV(machine, method="sigmoid", cv=folds, ensemble=False)
    with warnings.catch_warnings():
        # Of many classes a fold has few rows each, and scikit-learn asks whether they are numbers.
        warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
        model.fit(rows.X, rows.y, sample_weight=rows.weight)
    calibrated_model = model.calibrated_classifiers_[0]
    fitted, sigmoids = calibrated_model.estimator, calibrated_model.calibrators
    if sparse:
        fitted.coef_ = rounded(fitted.coef_)
    arrays = {
        "coef": as_stored(np.asarray(fitted.coef_, float)),
        "intercept": np.asarray(fitted.intercept_, float),
        "a": np.array([s.a_ for s in sigmoids], float),
        "b": np.array([s.b_ for s in sigmoids], float),
    }
    return Fitted(
        predict_proba=model.predict_proba,
        program=lambda: Program("linear", {"link": "platt"}, arrays),
        importance=np.abs(fitted.coef_).mean(axis=0) * deviations(rows.X),
    ), fitted.coef_


def _judgeable(rows: Rows) -> Rows:
    """The same rows to the machine, with the row of a class that has only one in two halves: one trains while the other
    is judged.
    """
    single = np.flatnonzero(np.bincount(rows.y)[rows.y] == 1)
    if len(single) == 0:
        return rows
    weight = np.ones(len(rows.y)) if rows.weight is None else rows.weight.copy()
    weight[single] /= 2
    index = np.concatenate([np.arange(len(rows.y)), single])
    return Rows(rows.X[index], rows.y[index], weight[index])


svm = Family(
    "svm",
    View("scaled", "onehot", texts="words_and_characters"),
    complexity=1,
    fit=_fit_linear,
    most_rows=SIMPLE_ROWS,
    largest=Size(classes=MOST_CLASSES),
    work=Work(fixed=0.04, row=1.5e-5, cell=1.3e-6, classes=0.2),
    baseline="linear model",
)
kernel_svm = Family(
    "kernel_svm",
    View("scaled", "onehot"),
    complexity=3,
    fit=_fit_kernel,
    largest=Size(KERNEL_ROWS, KERNEL_COLUMNS, KERNEL_CLASSES),
    work=Work(row=3.2e-4, cell=1e-6, classes=0.5),
)
