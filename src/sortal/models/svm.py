"""Linear support vector machine; margins become probabilities by Platt's sigmoid, fitted on cross-validated margins."""

from __future__ import annotations

import warnings

import numpy as np

from sortal.engine.program import Program
from sortal.models.family import SIMPLE_ROWS, Family, FitRequest, Fitted, Rows, Settings
from sortal.prepare.view import View


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import LinearSVC

    rows = _judgeable(request.train)
    folds = StratifiedKFold(max(2, min(3, int(np.bincount(rows.y).min()))), shuffle=True, random_state=request.seed)
    machine = LinearSVC(C=float(settings.get("C", 0.1)), dual=False, random_state=request.seed)
    model = CalibratedClassifierCV(machine, method="sigmoid", cv=folds, ensemble=False)
    with warnings.catch_warnings():
        # Of many classes a fold has few rows each, and scikit-learn asks whether they are numbers.
        warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
        model.fit(rows.X, rows.y, sample_weight=rows.weight)
    calibrated = model.calibrated_classifiers_[0]
    fitted, sigmoids = calibrated.estimator, calibrated.calibrators
    arrays = {
        "coef": np.asarray(fitted.coef_, float),
        "intercept": np.asarray(fitted.intercept_, float),
        "a": np.array([s.a_ for s in sigmoids], float),
        "b": np.array([s.b_ for s in sigmoids], float),
    }
    return Fitted(
        predict_proba=model.predict_proba,
        program=lambda: Program("linear", {"link": "platt"}, arrays),
        importance=np.abs(fitted.coef_).mean(axis=0) * rows.X.std(axis=0),
    )


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


svm = Family("svm", View("scaled", "onehot"), complexity=1, fit=_fit, most_rows=SIMPLE_ROWS, baseline="linear model")
