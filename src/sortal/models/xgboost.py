"""XGBoost with the tuned defaults of pytabkit (XGBoost-TD; Holzmüller et al. 2024, arXiv 2407.04491).

With the setting ``focal`` (its gamma) it minimises the focal loss, and its probabilities are corrected for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.engine.program import Program
from sortal.models import trees
from sortal.models.boosting import (
    LEAST_SHARE,
    MANY_CELLS,
    PILOT,
    PILOT_SHARE,
    ROUNDS,
    Stopper,
    pace,
    patience,
    threads,
    typical,
)
from sortal.models.clock import Clock
from sortal.models.family import Family, FitRequest, Fitted, Matrix, Rows, Settings, Work
from sortal.models.focal import Focal, objective
from sortal.prepare.view import View

TUNED: dict[str, Any] = {
    "learning_rate": 0.08,
    "max_depth": 6,
    "min_child_weight": 5e-6,
    "lambda": 0.0,
    "subsample": 0.65,
    "colsample_bylevel": 0.9,
    "tree_method": "hist",
    "max_bin": 256,
}
PILOT_ROUNDS = 4


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    clock, focal = Clock(request.seconds), objective(request, settings)
    params = _params(request, settings)
    data = _matrix(request.train, threads(request))
    setup_seconds = clock.spent
    rate = pace(
        settings,
        float(params["learning_rate"]),
        clock,
        lambda: _round_seconds(request, focal, params, data),
        request.share,
    )
    most = int(settings.get("rounds", ROUNDS))
    booster, rounds = _boost(request, focal, params | rate, data, clock, most)

    def program() -> Program:
        forest = trees.from_xgboost(booster, request.n_classes, rounds)
        return forest if focal is None else focal.program(forest)

    return Fitted(
        predict_proba=lambda X: _probabilities(booster, focal, X, rounds, request.n_classes),
        program=program,
        importance=_importance(booster, request.train.X.shape[1]),
        effort={"rounds": rounds, **rate},
        pace=rate,
        useful_share=rounds / booster.num_boosted_rounds(),
        setup_seconds=setup_seconds,
    )


def _params(request: FitRequest, settings: Settings) -> dict[str, Any]:
    binary = request.n_classes == 2
    link = (
        {"objective": "binary:logistic", "eval_metric": "logloss"}
        if binary
        else {"objective": "multi:softprob", "num_class": request.n_classes, "eval_metric": "mlogloss"}
    )
    options = {name: value for name, value in settings.items() if name not in ("rounds", "focal")}
    # The focal loss has its own start, which the booster must not add to.
    start = {"base_score": 0.5} if "focal" in settings else {}
    fixed = {"seed": request.seed, "nthread": threads(request), "verbosity": 0}
    return {**TUNED, **options, **link, **start, **fixed}


def _matrix(rows: Rows, nthread: int) -> Any:
    import xgboost

    X = between(rows.X)
    return xgboost.QuantileDMatrix(X, rows.y, weight=rows.weight, max_bin=TUNED["max_bin"], nthread=nthread)


def between(X: Matrix) -> NDArray[np.float32]:
    """Every value as one halfway between the value before and itself; the smallest stays.

    XGBoost splits at values that it is given, as other libraries do between two of them. Fed with what lies between, it
    parts the rows in the very same ways, and no value of a row stands in the model. Beyond the largest value it sets a
    split of its own at twice that, which here is at most the mean of the two largest and not the largest.

    >>> between(np.array([[3.0], [1.0], [np.nan], [2.0], [1.0]])).ravel()
    array([2.25, 1.  ,  nan, 1.5 , 1.  ], dtype=float32)
    """
    rounded = X.astype(np.float32)
    for at in range(X.shape[1]):
        column = rounded[:, at]
        finite = ~np.isnan(column)
        distinct, place = np.unique(column[finite], return_inverse=True)
        if len(distinct) > 1:
            share = np.full(len(distinct) - 1, 0.5)
            share[-1] = 0.25
            before, after = distinct[:-1].astype(np.float64), distinct[1:].astype(np.float64)
            inner = (before + share * (after - before)).astype(np.float32)
            # Of two neighbouring floats there is none between.
            shifted = np.concatenate([distinct[:1], np.where(inner > distinct[:-1], inner, distinct[1:])])
            column[finite] = shifted[place]
    return rounded


def _round_seconds(request: FitRequest, focal: Focal | None, params: dict[str, Any], data: Any) -> float:
    import xgboost

    return typical(_round(xgboost.Booster(params, [data]), focal, request, data), PILOT_ROUNDS)


def _round(booster: Any, focal: Focal | None, request: FitRequest, data: Any) -> Callable[[], None]:
    """One more round."""
    if focal is None:
        return lambda: booster.update(data, booster.num_boosted_rounds())

    def derivatives(scores: Any, _: Any) -> tuple[Any, Any]:
        return focal.derivatives(scores, request.train)

    return lambda: booster.update(data, booster.num_boosted_rounds(), fobj=derivatives)


def _stopping_loss(booster: Any, focal: Focal | None, stop: Any, rows: Rows) -> float:
    if focal is None:
        return float(booster.eval(stop).rsplit(":", 1)[1])
    return focal.log_loss(booster.predict(stop, output_margin=True), rows)


def _boost(
    request: FitRequest, focal: Focal | None, params: dict[str, Any], data: Any, clock: Clock, most: int
) -> tuple[Any, int]:
    """Boost until there are enough rounds, the stopping rows stop improving, or the time is over; and the best
    round.
    """
    import xgboost

    stop = (
        None
        if request.stop is None
        else xgboost.DMatrix(request.stop.X, request.stop.y, weight=request.stop.weight, nthread=threads(request))
    )
    booster = xgboost.Booster(params, [data] if stop is None else [data, stop])
    stopper, a_round = (
        Stopper(patience(len(request.train.y), params["learning_rate"] / TUNED["learning_rate"])),
        _round(booster, focal, request, data),
    )
    for n_rounds in range(1, most + 1):
        a_round()
        if stop is not None and request.stop is not None:
            stopper.see(n_rounds, _stopping_loss(booster, focal, stop, request.stop))
        if stopper.waited(n_rounds) or clock.seconds_left <= 0:
            break
    return booster, stopper.best_round or booster.num_boosted_rounds()


def _probabilities(booster: Any, focal: Focal | None, X: Any, rounds: int, n_classes: int) -> Any:
    if focal is not None:
        scores = booster.inplace_predict(X, iteration_range=(0, rounds), predict_type="margin")
        return focal.predict_proba(scores)
    p = booster.inplace_predict(X, iteration_range=(0, rounds)).astype(np.float64)
    if n_classes == 2:
        return np.column_stack([1 - p, p])
    return p / p.sum(axis=1, keepdims=True)


def _importance(booster: Any, width: int) -> Any:
    gain = booster.get_score(importance_type="total_gain")
    return np.array([gain.get(f"f{i}", 0.0) for i in range(width)])


family = Family(
    "xgboost",
    View("raw", "onehot"),
    complexity=4,
    fit=_fit,
    early_stopping=True,
    interruptible=True,
    concurrent_cells=MANY_CELLS,
    pilot=PILOT,
    pilot_share=PILOT_SHARE,
    least_share=LEAST_SHARE,
    work=Work(fixed=0.2, row=5e-5, cell=6e-6, classes=0.75),
    precision="float32",
)
