"""Random forest and extra trees. Leaves of a few rows keep the artifact small and the probabilities calmer."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.models import trees
from sortal.models.clock import Clock
from sortal.models.family import Family, FitRequest, Fitted, OutOfTime, Settings, Work
from sortal.prepare.view import View

TREES = 300
CHUNK = 10
FEWEST = 50
MOST_ROWS = 100_000
"""Chosen, not measured: leaves of a five-thousandth of the rows make trees no deeper with more rows, only slower."""
MOST_NUMBERS = 20_000_000
"""In the leaves of a forest: a row of class shares a leaf would be gigabytes of a thousand classes."""
FEW_CELLS = 200_000
"""Below this many cells, starting threads takes longer than what they save."""


def _fit(kind: str, request: FitRequest, settings: Settings) -> Fitted:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    make = RandomForestClassifier if kind == "forest" else ExtraTreesClassifier
    rows = request.train
    model = make(
        CHUNK,
        min_samples_leaf=int(settings.get("min_samples_leaf", smallest_leaf(len(rows.y), request.n_classes))),
        max_features=settings.get("max_features", "sqrt"),
        warm_start=True,
        random_state=request.seed,
        n_jobs=1 if rows.X.size < FEW_CELLS else request.resources.threads,
    )
    n_trees = _grow(model, request, int(settings.get("trees", round(TREES * request.share))))
    # One thread sums the trees in their order, so that equal trees give equal bits.
    model.n_jobs = 1
    return Fitted(
        predict_proba=model.predict_proba,
        program=lambda: trees.from_sklearn(model.estimators_, request.n_classes),
        importance=_importance(model),
        effort={"trees": n_trees},
    )


def smallest_leaf(rows: int, n_classes: int) -> int:
    """Rows of a leaf at least: a five-thousandth of all, and more of many classes.

    >>> smallest_leaf(1_000, 2), smallest_leaf(50_000, 2), smallest_leaf(20_000, 1_000)
    (2, 10, 300)
    """
    return max(2, rows // 5000, math.ceil(TREES * rows * n_classes / MOST_NUMBERS))


def _grow(model: Any, request: FitRequest, most: int) -> int:
    """Ten trees at a time, until there are enough or the time is over."""
    rows, clock = request.train, Clock(request.seconds)
    for size in range(min(CHUNK, most), most + 1, CHUNK):
        model.n_estimators = size
        with warnings.catch_warnings():
            # A class weight is passed by row, and warm starts are on the same rows: scikit-learn's doubts do not apply.
            warnings.simplefilter("ignore", UserWarning)
            model.fit(rows.X, rows.y, sample_weight=rows.weight)
        if size == CHUNK and clock.spent * FEWEST / CHUNK > request.seconds:
            raise OutOfTime(clock.spent * FEWEST / CHUNK)
        if clock.seconds_left <= 0:
            break
    return len(model.estimators_)


def _importance(model: Any) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        # Where no split of any tree helped, scikit-learn divides zero by zero.
        return np.asarray(np.nan_to_num(model.feature_importances_), dtype=np.float64)


forest = Family(
    "forest",
    View("imputed", "codes"),
    complexity=3,
    fit=partial(_fit, "forest"),
    interruptible=True,
    most_rows=MOST_ROWS,
    pilot={"trees": CHUNK},
    pilot_share=CHUNK / TREES,
    least_share=FEWEST / TREES,
    work=Work(fixed=0.6, row=3e-4, cell=5e-6),
)
extra_trees = Family(
    "extra_trees",
    View("imputed", "codes"),
    complexity=3,
    fit=partial(_fit, "extra_trees"),
    interruptible=True,
    most_rows=MOST_ROWS,
    pilot={"trees": CHUNK},
    pilot_share=CHUNK / TREES,
    least_share=FEWEST / TREES,
    work=Work(fixed=0.6, row=2e-4),
)
