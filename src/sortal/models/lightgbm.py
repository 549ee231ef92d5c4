"""LightGBM with the tuned defaults of pytabkit (LightGBM-TD; Holzmüller et al. 2024, arXiv 2407.04491)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sortal.models import trees
from sortal.models.boosting import ROUNDS, Stopper, learning_rate, patience, quickest, threads
from sortal.models.clock import Clock
from sortal.models.family import Family, FitRequest, Fitted, Rows, Settings
from sortal.prepare.view import View

TUNED = {
    "learning_rate": 0.04,
    "num_leaves": 50,
    "min_data_in_leaf": 40,
    "bagging_fraction": 0.75,
    "bagging_freq": 1,
    "min_sum_hessian_in_leaf": 1e-7,
    "max_bin": 255,
}
PILOT_ROUNDS = 4
WIDE = 500
"""With more columns than this, histograms are built a column at a time; below, a row at a time. Fixed, so that runs repeat."""


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    clock = Clock(request.seconds)
    params = _params(request, settings)
    data = _dataset(request.train, request.categorical, params)
    pace = (
        {"learning_rate": float(settings["learning_rate"])}
        if "learning_rate" in settings
        else _pace(params, data, clock)
    )
    booster, rounds = _boost(request, params | pace, data, clock, int(settings.get("rounds", ROUNDS)))
    return Fitted(
        predict_proba=lambda X: _probabilities(booster, X, rounds, request),
        program=lambda: trees.from_lightgbm(booster, num_iteration=rounds),
        importance=booster.feature_importance("gain", iteration=rounds),
        effort={"rounds": rounds, **pace},
        pace=pace,
    )


def _params(request: FitRequest, settings: Settings) -> dict[str, Any]:
    binary = request.n_classes == 2
    objective = {"objective": "binary"} if binary else {"objective": "multiclass", "num_class": request.n_classes}
    given = {name: value for name, value in settings.items() if name != "rounds"}
    width = request.train.X.shape[1]
    return {
        **TUNED,
        **given,
        **objective,
        "seed": request.seed,
        "num_threads": threads(request),
        "deterministic": True,
        "force_col_wise" if width > WIDE else "force_row_wise": True,
        "verbosity": -1,
    }


def _dataset(rows: Rows, categorical: tuple[int, ...], params: Mapping[str, Any], reference: Any = None) -> Any:
    import lightgbm

    return lightgbm.Dataset(
        rows.X,
        rows.y,
        weight=rows.weight,
        categorical_feature=list(categorical),
        reference=reference,
        params=dict(params),
        free_raw_data=False,
    )


def _pace(params: Mapping[str, Any], data: Any, clock: Clock) -> dict[str, float]:
    """A few rounds tell how long one takes, and so how fast to learn."""
    import lightgbm

    pilot = lightgbm.Booster(dict(params), data)
    a_round = quickest(pilot.update, PILOT_ROUNDS)
    return {"learning_rate": learning_rate(float(params["learning_rate"]), a_round, clock.left)}


def _boost(request: FitRequest, params: Mapping[str, Any], data: Any, clock: Clock, most: int) -> tuple[Any, int]:
    """Boost until there are enough rounds, the stopping rows stop improving, or the time is over; and the best round."""
    import lightgbm

    booster = lightgbm.Booster(dict(params), data)
    if request.stop is not None:
        booster.add_valid(_dataset(request.stop, request.categorical, params, reference=data), "stop")
    stopper = Stopper(patience(len(request.train.y)))
    for done in range(1, most + 1):
        finished = booster.update()
        if request.stop is not None:
            stopper.see(done, booster.eval_valid()[0][2])
        if finished or stopper.waited(done) or clock.left <= 0:
            break
    return booster, stopper.best_round or booster.current_iteration()


def _probabilities(booster: Any, X: Any, rounds: int, request: FitRequest) -> Any:
    p = booster.predict(X, num_iteration=rounds, num_threads=threads(request))
    return np.column_stack([1 - p, p]) if request.n_classes == 2 else p


family = Family(
    "lightgbm",
    "LightGBM",
    View("raw", "codes"),
    complexity=4,
    fit=_fit,
    early_stopping=True,
    interruptible=True,
)
