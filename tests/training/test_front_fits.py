"""Which candidates can be shipped instead, and with which of their fits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core import registry
from sortal.training import front as module
from sortal.training.front import alternatives, on_front

METRIC = registry.load("sortal.metrics", "roc_auc")


def candidate(name: str, auc: float, seconds: float, has_fit: bool = True, baseline: str | None = None) -> Any:
    """``auc``: the mean of five folds."""
    family = SimpleNamespace(baseline=baseline)
    result = SimpleNamespace(
        name=name,
        candidate=SimpleNamespace(name=name, family=family),
        fold_scores={"roc_auc": auc + np.array([0.01, -0.01, 0.0, 0.02, -0.02])},
        single_row_seconds=seconds,
        pipeline=SimpleNamespace(candidate=SimpleNamespace(name=name), kind="first fold") if has_fit else None,
        weights=(1.0,),
    )
    result.results = (result,)
    return result


def refit(name: str) -> Any:
    return SimpleNamespace(candidate=SimpleNamespace(name=name), kind="refit")


def trained(results: list[Any], winner: Any, refits: list[Any], certificate: Any = None, sets: Any = None) -> Any:
    return SimpleNamespace(
        developed=SimpleNamespace(results=tuple(results), choice=SimpleNamespace(winner=winner, metric=METRIC)),
        finalized=SimpleNamespace(
            decision=SimpleNamespace(certificate=certificate), sets=sets, ensemble=SimpleNamespace(members=refits)
        ),
    )


LARGE, SMALL, SLOW = candidate("large", 0.9, 3.0), candidate("small", 0.8, 1.0), candidate("slow", 0.7, 2.0)
MAJORITY = candidate("majority", 0.5, 0.1, baseline="majority class")
BOTH: Any = SimpleNamespace(**vars(candidate("both", 0.95, 4.0)))
BOTH.results, BOTH.weights = (LARGE, SMALL), (0.75, 0.25)


def test_the_front_is_by_the_metric_of_the_choice_and_the_time_of_a_row() -> None:
    every = trained([SLOW, MAJORITY, SMALL, BOTH, LARGE], LARGE, [])
    assert [result.name for result in on_front(every)] == ["both", "large", "small", "majority"]


def test_alternatives_are_those_beside_the_chosen_with_the_fits_that_there_are() -> None:
    models = list(alternatives(trained([SLOW, MAJORITY, SMALL, BOTH, LARGE], LARGE, [refit("large")])))
    assert [model.result for model in models] == [BOTH, SMALL]
    both, small = (model.ensemble for model in models)
    assert [(fit.candidate.name, fit.kind) for fit in both.members] == [("large", "refit"), ("small", "first fold")]
    assert (both.weights, small.weights) == ((0.75, 0.25), (1.0,))
    assert [fit.kind for fit in small.members] == ["first fold"]


def test_what_kept_no_fit_is_no_alternative() -> None:
    bare = candidate("bare", 0.85, 2.0, has_fit=False)
    models = list(alternatives(trained([bare, SMALL, LARGE], LARGE, [refit("large")])))
    assert [model.result.name for model in models] == ["small"]
    again = list(alternatives(trained([bare, SMALL, LARGE], LARGE, [refit("bare")])))
    assert [model.result.name for model in again] == ["bare", "small"]


@pytest.mark.parametrize("promised", [{"certificate": "one"}, {"sets": "some"}])
def test_nothing_ships_instead_of_what_a_promise_was_proven_of(promised: dict[str, str]) -> None:
    assert list(alternatives(trained([SMALL, LARGE], LARGE, [], **promised))) == []
    assert module.front(np.array([]), np.array([])) == []
