"""LightGBM with the tuned defaults of pytabkit (LightGBM-TD; Holzmüller et al. 2024, arXiv 2407.04491).

With the setting ``focal`` (its gamma) it minimises the focal loss, and its probabilities are corrected for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

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
from sortal.models.family import Family, FitRequest, Fitted, Rows, Settings, Work
from sortal.models.focal import Focal, objective
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
PREPARED = {
    "learning_rate": 0.05,
    "num_leaves": 7,
    "extra_trees": "true",
    "min_data_in_leaf": 20,
    "feature_fraction": 0.99,
    "bagging_fraction": 0.958,
    "bagging_freq": 1,
    "lambda_l1": 0.35,
    "lambda_l2": 1.96,
    "max_cat_to_onehot": 15,
    "rounds": 3000,
}
"""For columns made of two others: those of LightGBM-Prep in AutoGluon's portfolio (TabPrep, arXiv 2606.02384), but that
it learns twice as fast, and has no leaves of single rows (docs/privacy.md). A round of so few leaves is soon over, so
there are more of them."""
FEW_LEAVES = ("num_leaves", 8)
"""The setting with which a round takes a quarter of the time: .14 to .26 of it on 2,000 to 20,000 rows with 23
and 100 classes."""
PILOT_ROUNDS = 4
WIDE = 500
"""With more columns than this, histograms are built a column at a time; below, a row at a time. Fixed, so that runs
repeat."""


def _fit(tuned: Mapping[str, Any], request: FitRequest, settings: Settings) -> Fitted:
    """``tuned``: the family's own settings, of which the clock may raise the learning rate."""
    clock = Clock(request.seconds)
    params = _params(tuned, request, settings)
    data = _dataset(request.train, request.categorical, params)
    # Where no column can be split LightGBM takes no objective but its own, and both say the class shares.
    focal = objective(request, settings) if _splittable(data, request.train.X.shape[1]) else None
    setup_seconds = clock.spent
    rate = pace(
        settings,
        float(params["learning_rate"]),
        clock,
        lambda: _round_seconds(request, focal, params, data),
        request.share,
    )
    most = int(settings.get("rounds", tuned.get("rounds", ROUNDS)))
    booster, rounds = _boost(request, focal, params | rate, data, clock, most)

    def program() -> Program:
        forest = trees.from_lightgbm(booster, num_iteration=rounds)
        return forest if focal is None else focal.program(forest)

    return Fitted(
        predict_proba=lambda X: _probabilities(booster, focal, X, rounds, request),
        program=program,
        importance=booster.feature_importance("gain", iteration=rounds),
        effort={"rounds": rounds, **rate},
        pace=rate,
        useful_share=rounds / booster.current_iteration(),
        setup_seconds=setup_seconds,
    )


def _params(tuned: Mapping[str, Any], request: FitRequest, settings: Settings) -> dict[str, Any]:
    options = {name: value for name, value in {**tuned, **settings}.items() if name not in ("rounds", "focal")}
    width = request.train.X.shape[1]
    return {
        **options,
        **_link(request),
        "seed": request.seed,
        "num_threads": threads(request),
        "deterministic": True,
        "force_col_wise" if width > WIDE else "force_row_wise": True,
        "verbosity": -1,
    }


def _link(request: FitRequest) -> dict[str, Any]:
    if request.n_classes == 2:
        return {"objective": "binary"}
    return {"objective": "multiclass", "num_class": request.n_classes}


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


def _splittable(data: Any, width: int) -> bool:
    data.construct()
    return any(data.feature_num_bin(column) > 0 for column in range(width))


def _round_seconds(request: FitRequest, focal: Focal | None, params: Mapping[str, Any], data: Any) -> float:
    import lightgbm

    return typical(_round(lightgbm.Booster(dict(params), data), focal, request), PILOT_ROUNDS)


def _round(booster: Any, focal: Focal | None, request: FitRequest) -> Callable[[], bool]:
    """One more round; it says whether that found nothing to split."""
    if focal is None:
        return lambda: bool(booster.update())
    return lambda: bool(booster.update(fobj=lambda scores, _: focal.derivatives(scores, request.train)))


def _stopping_loss(booster: Any, focal: Focal | None, stop: Rows) -> float:
    if focal is None:
        return float(booster.eval_valid()[0][2])
    return float(booster.eval_valid(lambda scores, _: ("log_loss", focal.log_loss(scores, stop), False))[-1][2])


def _boost(
    request: FitRequest, focal: Focal | None, params: Mapping[str, Any], data: Any, clock: Clock, most: int
) -> tuple[Any, int]:
    """Boost until there are enough rounds, the stopping rows stop improving, or the time is over; and the best
    round.
    """
    import lightgbm

    booster = lightgbm.Booster(dict(params), data)
    if request.stop is not None:
        booster.add_valid(_dataset(request.stop, request.categorical, params, reference=data), "stop")
    stopper, a_round = (
        Stopper(patience(len(request.train.y), params["learning_rate"] / TUNED["learning_rate"])),
        _round(booster, focal, request),
    )
    for n_rounds in range(1, most + 1):
        is_finished = a_round()
        if request.stop is not None:
            stopper.see(n_rounds, _stopping_loss(booster, focal, request.stop))
        if is_finished or stopper.waited(n_rounds) or clock.seconds_left <= 0:
            break
    if focal is not None:
        # Rounds of another objective than LightGBM's own leave the booster without the link that its scores have.
        booster.reset_parameter(_link(request))
    return booster, stopper.best_round or booster.current_iteration()


def _probabilities(booster: Any, focal: Focal | None, X: Any, rounds: int, request: FitRequest) -> Any:
    p = booster.predict(X, num_iteration=rounds, num_threads=threads(request), raw_score=focal is not None)
    if focal is not None:
        return focal.predict_proba(p)
    return np.column_stack([1 - p, p]) if request.n_classes == 2 else p


family = Family(
    "lightgbm",
    View("raw", "codes"),
    complexity=4,
    fit=partial(_fit, TUNED),
    early_stopping=True,
    interruptible=True,
    concurrent_cells=MANY_CELLS,
    pilot=PILOT,
    pilot_share=PILOT_SHARE,
    least_share=LEAST_SHARE,
    work=Work(fixed=0.03, row=1.2e-4, cell=1e-6, classes=1.0),
    dearer={FEW_LEAVES: 0.25},
)
with_interactions = replace(
    family,
    name="lightgbm_prep",
    view=View("raw", "codes", interactions=True, levels=True),
    complexity=5,
    fit=partial(_fit, PREPARED),
    work=Work(fixed=0.05, row=1.5e-4, cell=1.5e-6, classes=1.0),
)
