"""What a training hands from step to step: rows, options, time, and the baselines that it is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core.observer import Observer
from sortal.core.plan import Planned
from sortal.core.recipe import Recipe
from sortal.core.task import Promise
from sortal.decide.calibrate import entries
from sortal.training import baselines as baselines_module
from sortal.training import trained as module
from sortal.training.baselines import ShippedBaseline, fit_baselines
from sortal.training.trained import Workplace, train_rows
from tests.training.conftest import development

DEV, TASK = development(2)
N = len(DEV.codes)
VALID = np.array([9, 3, 200])


def result(name: str, seconds: float = 1.0) -> Any:
    candidate = SimpleNamespace(name=name, baseline=name != "boosted", family=SimpleNamespace(view="v"))
    return SimpleNamespace(candidate=candidate, refit_seconds=seconds, pipeline=SimpleNamespace(saw=np.array([1])))


@dataclass
class Reserve:
    """Ten seconds are left for a refit, of which the test takes a fourth."""

    comparing: bool = True
    calls: list[Any] = field(default_factory=list)

    def for_refit(self, results: Any) -> float:
        self.calls.append(("refit", results))
        return 10.0

    def for_test(self, others: Any) -> float:
        self.calls.append(("test", tuple(others)))
        return 2.5


@dataclass
class Steps:
    """What each step was given."""

    results: list[Any]
    winner: Any
    refit: bool = True
    develop: list[Any] = field(default_factory=list)
    finalize: list[Any] = field(default_factory=list)
    baselines: list[Any] = field(default_factory=list)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    tree, linear, boosted = result("tree"), result("logistic"), result("boosted")
    winner = SimpleNamespace(name="both", results=(boosted, linear), refit_seconds=1.5)
    steps = Steps([tree, linear, boosted], winner)

    def develop(*arguments: Any) -> Any:
        steps.develop.append(arguments)
        return SimpleNamespace(
            choice=SimpleNamespace(winner=steps.winner),
            explored=SimpleNamespace(results=steps.results),
            bounds=SimpleNamespace(size=4_096),
        )

    def finalize(*arguments: Any) -> Any:
        steps.finalize.append(arguments)
        return SimpleNamespace(refit=steps.refit, ensemble=SimpleNamespace(members=("fit of boosted", "fit of linear")))

    def compare(others: Any, dev: Any, refit: bool, seconds: Any) -> tuple[ShippedBaseline, ...]:
        steps.baselines.append(([other.candidate.name for other in others], dev, refit, seconds()))
        return tuple(ShippedBaseline(f"{other.candidate.name} {refit}", other.pipeline, True) for other in others)

    monkeypatch.setattr(module, "develop", develop)
    monkeypatch.setattr(module, "finalize", finalize)
    monkeypatch.setattr(module, "fit_baselines", compare)
    return steps


def train(reserve: Any = None, valid: np.ndarray | None = None, task: Any = TASK, **options: Any) -> Any:
    recipe = Recipe.of("y", seed=5, budget="50s")
    recipe = replace(recipe, search=replace(recipe.search, **options))
    place = Workplace("executor", "store")  # type: ignore[arg-type]
    reserve = reserve or Reserve()
    listener = Observer()
    trained = train_rows(DEV.table, DEV.codes, task, recipe, reserve, listener, valid=valid, workplace=place)
    return trained, recipe, reserve, listener


@pytest.mark.parametrize("valid", [None, VALID])
def test_a_part_that_is_kept_out_reaches_no_search_and_the_end_of_it(steps: Steps, valid: np.ndarray | None) -> None:
    trained, recipe, reserve, listener = train(valid=valid)
    ((dev, task, search, its_reserve, observer, executor, store),) = steps.develop
    assert (task, search, executor, store) == (TASK, recipe.search, "executor", "store")
    assert its_reserve is reserve
    assert observer is listener
    rows = np.arange(N) if valid is None else np.setdiff1d(np.arange(N), valid)
    assert dev.table.rows.tolist() == DEV.table.rows[rows].tolist()
    assert dev.codes.tolist() == DEV.codes[rows].tolist()
    assert dev.seed == 5
    assert trained.dev is dev
    ((winner, everything, its_task, train_rows, valid_rows, limits),) = steps.finalize
    assert winner is steps.winner
    assert its_task is TASK
    assert everything.table.rows.tolist() == DEV.table.rows.tolist()
    assert train_rows.tolist() == rows.tolist()
    assert valid_rows.tolist() == ([] if valid is None else valid.tolist())
    assert (limits.refit, limits.size, limits.entries, limits.seconds()) == (True, 4_096, entries(50.0), 10.0)
    assert ("refit", steps.winner.results) in reserve.calls


PLAN = (Planned("tree", ({},), None),)


def test_a_run_that_is_repeated_refits_as_it_did_and_asks_no_clock(steps: Steps) -> None:
    for refit in (True, False):
        steps.finalize.clear()
        _, _, reserve, _ = train(plan=PLAN, refit=refit)
        limits = steps.finalize[0][-1]
        assert (limits.refit, limits.seconds(), limits.size) == (refit, math.inf, 4_096)
        assert [step for step, _ in reserve.calls if step == "refit"] == []
        assert steps.baselines[-1][3] == math.inf


def test_baselines_are_compared_that_are_no_members_as_the_model_was_fitted(steps: Steps) -> None:
    trained, _, reserve, _ = train()
    # One of the two is in what ships, and is not fitted once more. Left is what the refit and the test leave.
    ((names, dev, refit, seconds),) = steps.baselines
    assert (names, refit, seconds) == (["tree"], True, 10.0 - 1.5 - 2.5)
    assert ("test", (steps.results[0], steps.results[1])) in reserve.calls
    assert len(dev.codes) == N
    assert [(baseline.name, baseline.pipeline, baseline.new) for baseline in trained.baselines] == [
        ("logistic", "fit of linear", False),
        ("tree True", steps.results[0].pipeline, True),
    ]


def test_where_the_refit_failed_baselines_are_those_of_the_first_fold_too(steps: Steps) -> None:
    steps.refit = False
    trained, *_ = train()
    assert [(names, refit) for names, _, refit, _ in steps.baselines] == [(["tree"], True), (["tree"], False)]
    assert trained.baselines[-1].name == "tree False"
    steps.baselines.clear()
    steps.winner.refit_seconds = 0.0
    train()
    assert [(names, refit) for names, _, refit, _ in steps.baselines] == [(["tree"], False)]


@pytest.mark.parametrize("promised", [False, True])
def test_baselines_are_fitted_on_the_rows_of_what_ships(steps: Steps, promised: bool) -> None:
    task = replace(TASK, promise=Promise(precision=0.8)) if promised else TASK
    train(valid=VALID, task=task)
    ((_, dev, _, _),) = steps.baselines
    assert len(dev.codes) == N - len(VALID) * promised


def test_without_a_test_nothing_is_compared(steps: Steps) -> None:
    trained, *_ = train(Reserve(comparing=False))
    assert trained.baselines == ()
    assert [names for names, *_ in steps.baselines] == [[]]


@pytest.mark.parametrize(
    ("refit", "seconds_left", "names"),
    [
        (True, [10.0, 10.0, 10.0], ["a", "b", "c"]),
        (True, [3.0, 2.1, 2.0], ["a", "b"]),  # each takes two seconds, and less than is left
        (True, [2.0, 5.0, 5.0], ["b", "c"]),
        (False, [0.1, 0.0, 0.1], ["a", "c"]),
    ],
)
def test_those_baselines_are_fitted_for_which_there_is_time(
    refit: bool, seconds_left: list[float], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def member(result: Any, dev: Any, rows: np.ndarray, limits: Any) -> Any:
        calls.append((result.candidate.name, dev, rows.tolist(), limits.seconds))
        return "refit" if result.candidate.name != "b" else result.pipeline

    monkeypatch.setattr(baselines_module, "refit_member", member)
    seconds = iter(seconds_left)

    def clock() -> float:
        return next(seconds)

    dev: Any = SimpleNamespace(codes=np.zeros(4))
    results = [result(name, 2.0) for name in "abc"]
    baselines = fit_baselines(results, dev, refit, clock)
    assert [baseline.name for baseline in baselines] == names
    assert [(baseline.new, baseline.pipeline == "refit") for baseline in baselines] == [
        (refit and n != "b",) * 2 for n in names
    ]
    assert calls == ([(name, dev, [0, 1, 2, 3], clock) for name in names] if refit else [])
    results[0].pipeline = None
    assert [baseline.name for baseline in fit_baselines(results, dev, False, lambda: 1.0)] == ["b", "c"]
