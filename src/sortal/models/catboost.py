"""CatBoost with its defaults (Prokhorenkova et al. 2018, arXiv 1706.09516).

Categories come to it encoded, one-hot or as out-of-fold shares of the classes, and not as its own ordered target
statistics: docs/portfolio.md has the figures.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.models import trees
from sortal.models.boosting import (
    FEWEST_ROUNDS,
    LEAST_SHARE,
    MANY_CELLS,
    ROUNDS,
    pace,
    patience,
    threads,
)
from sortal.models.clock import Clock
from sortal.models.constant import class_shares
from sortal.models.family import Family, FitRequest, Fitted, Rows, Settings, Size, Work
from sortal.prepare.view import View

DEFAULTS: dict[str, Any] = {
    "depth": 6,
    "l2_leaf_reg": 3.0,
    "random_strength": 1.0,
    "border_count": 254,
    "boosting_type": "Plain",
    "nan_mode": "Min",
}
BINARY: dict[str, Any] = {"bootstrap_type": "MVS", "subsample": 0.8, "leaf_estimation_iterations": 10}
MULTICLASS: dict[str, Any] = {"bootstrap_type": "Bayesian", "leaf_estimation_iterations": 1}
"""Its own defaults, which it would change with the number of rounds; a fit without a clock must repeat them."""
PILOT_ROUNDS = 4
PILOT: Settings = {"rounds": FEWEST_ROUNDS, "learning_rate": 0.1}
"""More than of the others: of 200,000 rows of 50 columns it takes three seconds to begin, and .03 a round."""
MOST_CLASSES = 50
"""A leaf holds a number a class: of 100 a tree takes 26 kB, and a round of 4,000 rows .7 s, twice that of LightGBM."""


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    clock, rows = Clock(request.seconds), request.train
    if not _varies(rows.X):
        return class_shares(request)
    params = _params(request, settings)
    pool, tuned = _pool(rows), tuned_rate(request)
    rate = pace(settings, tuned, clock, lambda: _round_seconds(pool, params | {"learning_rate": tuned}), request.share)
    speedup = rate["learning_rate"] / tuned
    model, rounds = _boost(request, pool, params | rate, patience(len(rows.y), speedup), clock)
    # In half the bits, here and in the program, so that both say the same.
    model.set_leaf_values(model.get_leaf_values().astype(np.float32).astype(np.float64))
    return Fitted(
        predict_proba=lambda X: model.predict_proba(X, thread_count=1),
        program=lambda: trees.from_catboost(model, request.n_classes),
        importance=np.asarray(model.get_feature_importance(), dtype=np.float64),
        effort={"rounds": int(model.tree_count_), **rate},
        pace=rate,
        useful_share=min(1.0, int(model.tree_count_) / max(rounds, 1)),
    )


def tuned_rate(request: FitRequest) -> float:
    """The learning rate that CatBoost takes for so many rows, and 1,000 rounds with early stopping.

    Its rule, read off version 1.2.10 from 100 to 30,000 rows.
    """
    slope, start = (0.247, -5.158) if request.n_classes == 2 else (0.02, -2.364)
    return round(math.exp(slope * math.log(len(request.train.y)) + start), 4)


def _params(request: FitRequest, settings: Settings) -> dict[str, Any]:
    options = {name: value for name, value in settings.items() if name != "rounds"}
    binary = request.n_classes == 2
    return {
        **DEFAULTS,
        **(BINARY if binary else MULTICLASS),
        **options,
        "loss_function": "Logloss" if binary else "MultiClass",
        "iterations": int(settings.get("rounds", ROUNDS)),
        "random_seed": request.seed,
        "thread_count": threads(request),
        "allow_writing_files": False,
        "logging_level": "Silent",
    }


def _pool(rows: Rows) -> Any:
    import catboost

    return catboost.Pool(rows.X, rows.y, weight=rows.weight)


def _varies(X: NDArray[np.float64]) -> bool:
    """Whether there is anything to split: CatBoost refuses a table of constants."""
    rounded = X.astype(np.float32)
    return bool(((rounded != rounded[:1]) & ~(np.isnan(rounded) & np.isnan(rounded[:1]))).any())


class _Until:
    """Ends a fit when the time is over or somebody says so, and remembers when each round ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.over = False
        self.ends: list[float] = []

    def after_iteration(self, info: Any) -> bool:
        self.ends.append(time.perf_counter())
        return not self.over and self._clock.seconds_left > 0


def _round_seconds(pool: Any, params: dict[str, Any]) -> float:
    pilot = _Until(Clock(math.inf))
    _train(params | {"iterations": PILOT_ROUNDS + 1}, pilot, pool)
    return (pilot.ends[-1] - pilot.ends[0]) / max(1, len(pilot.ends) - 1)


def _boost(request: FitRequest, pool: Any, params: dict[str, Any], wait: int, clock: Clock) -> tuple[Any, int]:
    """Boost until there are enough rounds, the stopping rows stop improving, or the time is over: up to the best round,
    and how many rounds that took.
    """
    until = _Until(clock)
    if request.stop is None:
        return _train(params, until, pool), len(until.ends)
    stopping = {"use_best_model": True, "early_stopping_rounds": wait}
    model = _train(params | stopping, until, pool, eval_set=_pool(request.stop))
    return model, len(until.ends)


def _train(params: dict[str, Any], until: _Until, pool: Any, **more: Any) -> Any:
    """In a thread of its own, where it hears of no signals: it makes a KeyboardInterrupt, which ends the run, of
    whatever a handler raises.
    """
    import catboost

    model = catboost.CatBoostClassifier(**params)
    executor = ThreadPoolExecutor(1)
    try:
        executor.submit(model.fit, pool, callbacks=[until], **more).result()
    finally:
        until.over = True
        executor.shutdown(wait=False)
    return model


family = Family(
    "catboost",
    View("raw", "onehot"),
    complexity=4,
    fit=_fit,
    early_stopping=True,
    interruptible=True,
    concurrent_cells=MANY_CELLS,
    largest=Size(classes=MOST_CLASSES),
    library="catboost",
    pilot=PILOT,
    pilot_share=LEAST_SHARE,
    least_share=LEAST_SHARE,
    work=Work(fixed=0.55, row=3e-4, cell=8e-6, classes=1.25),
    dearer={("boosting_type", "Ordered"): 4.5},
)
with_levels = replace(
    family,
    name="catboost_prep",
    view=View("raw", "codes", levels=True),
    complexity=5,
    needs_levels=True,
    work=Work(fixed=0.6, row=5.5e-4, cell=1.4e-5, classes=1.25),
)
