"""What the search hands from step to step, and what a second search takes over from the first."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.observer import Observer
from sortal.core.plan import Planned
from sortal.core.predictions import Predictions
from sortal.core.recipe import Recipe
from sortal.core.task import Capacity
from sortal.training import develop as module
from sortal.training.bounds import Bounds
from sortal.training.candidate import Candidate
from sortal.training.develop import Scorer, develop, search_again
from sortal.training.fold import Folds
from sortal.training.zoo import Explored
from tests.training.conftest import development

DEV, TASK = development(2)
FAMILY = registry.load("sortal.models", "tree")
PARTS = Folds(tuple((np.array([k]), np.array([k + 1])) for k in range(6)), per_repeat=3)


def result(name: str, baseline: bool = False) -> Any:
    return SimpleNamespace(
        name=name, candidate=SimpleNamespace(name=name, baseline=baseline), predictions="told", fits=(name,),
        efforts=({"a": 1},), rows=None,
    )  # fmt: skip


class Reserve:
    """Two folds can be halved in seven seconds; the last candidate nearly came too late."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def endings(self, results: Any) -> dict[str, float]:
        return {results[-1].name: 0.9}

    def folds_to_halve(self, results: Any, winner: Any) -> int:
        self.calls.append(("folds", results, winner))
        return 2

    def for_halving(self, results: Any, winner: Any) -> float:
        self.calls.append(("seconds", results, winner))
        return 7.0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each step was given; the steps do nothing."""
    calls: dict[str, Any] = {}
    results = (result("tree", True), result("boosted"))

    def noting(name: str, answer: Any) -> None:
        def step(*arguments: Any, **named: Any) -> Any:
            calls.setdefault(name, []).append((*arguments, *named.values()))
            return answer(*arguments) if callable(answer) else answer

        monkeypatch.setattr(module, name, step)

    choice = SimpleNamespace(winner=results[1], metric="metric")
    noting("fold", PARTS)
    noting("_in_time", PARTS.first(2))
    noting("explore", Explored(results, ()))
    noting("_replay", Explored(results, ()))
    noting("draws", "drawn")
    noting("halve", "halving")
    noting(
        "_choose", lambda explored, data, score, bounds: module.Developed(explored, None, choice, data.folds, bounds)
    )
    calls["results"] = results
    return calls


def options(**more: Any) -> Any:
    recipe = Recipe.of("y", models=("lightgbm",), seed=9, budget="40s")
    return replace(recipe.search, **more)


def test_a_search_by_the_clock(calls: dict[str, Any]) -> None:
    search, reserve, listener = options(max_size=50_000), Reserve(), Observer()
    executor: Any = object()
    developed = develop(DEV, TASK, search, reserve, listener, executor)  # type: ignore[arg-type]
    assert calls["fold"] == [(DEV, 40.0)]
    ((cv, candidates, its_reserve),) = calls["_in_time"]
    assert its_reserve is reserve
    assert cv.data.folds is PARTS
    assert cv.executor is executor
    assert {c.family.name for c in candidates if not c.baseline} == {"lightgbm"}
    assert [c.baseline for c in candidates[:3]] == [True] * 3
    ((explored_candidates, explored_cv, its_reserve, observer, more),) = calls["explore"]
    assert (explored_candidates, more) == (candidates, "drawn")
    assert its_reserve is reserve
    assert observer is listener
    assert len(explored_cv.data.folds.parts) == len(developed.folds.parts) == 2
    assert calls["draws"] == [(("lightgbm",), 9)]
    assert developed.bounds.endings == {"boosted": 0.9}
    assert developed.bounds.size is not None
    assert 0 < developed.bounds.size < 50_000
    ((winner, halved_cv, metric, seconds, n_folds),) = calls["halve"]
    assert winner is calls["results"][1]
    assert halved_cv is explored_cv
    assert (metric, seconds, n_folds) == ("metric", 7.0, 2)
    assert developed.halving == "halving"
    assert [(what, which) for what, _, which in reserve.calls] == [("folds", winner), ("seconds", winner)]
    assert "_replay" not in calls


def test_a_search_that_is_repeated_asks_no_clock(calls: dict[str, Any]) -> None:
    plan = (Planned("tree", ({},) * 4, None, 0.5, 0.25), Planned("boosted", ({},) * 4, 60))
    search = options(plan=plan, halved=3, max_latency=0.01)
    developed = develop(DEV, TASK, search, None, Observer())  # type: ignore[arg-type]
    ((candidates, its_search, cv),) = calls["_replay"]
    assert its_search is search
    assert len(cv.data.folds.parts) == 4
    assert any(c.name == "lightgbm" for c in candidates)
    assert (developed.bounds.latency_shares, developed.bounds.endings) == ({"tree": 0.5}, {"tree": 0.25})
    assert calls["halve"][0][3:] == (math.inf, 3)
    assert not {"explore", "_in_time"} & set(calls)


def test_folds_that_an_earlier_run_kept_are_taken_up(calls: dict[str, Any]) -> None:
    store: Any = SimpleNamespace(folds=lambda: 3)
    develop(DEV, TASK, options(), Reserve(), Observer(), None, store)  # type: ignore[arg-type]
    assert "_in_time" not in calls
    assert len(calls["explore"][0][1].data.folds.parts) == 3
    assert calls["explore"][0][1].store is store
    store.folds = lambda: None
    develop(DEV, TASK, options(), Reserve(), Observer(), None, store)  # type: ignore[arg-type]
    assert len(calls["_in_time"]) == 1


def test_a_second_search_tries_the_same_as_hard_as_the_first(
    calls: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[Any] = []
    sampled: list[Any] = []
    cv_result = module.CVResult.__new__(module.CVResult)
    monkeypatch.setattr(module, "crossval", lambda candidate, cv: whole.append((candidate, cv)) or cv_result)
    monkeypatch.setattr(
        module, "repeat", lambda candidate, cv, plan: sampled.append((candidate, cv, plan)) or "skipped"
    )
    before: Any = SimpleNamespace(
        folds=PARTS.first(2),
        plan=lambda: (
            Planned("tree", ({"rounds": 80, "rate": 0.3}, {"rate": 0.9})),
            Planned("lightgbm", ({"rounds": 50},), rows=120, latency=0.5),
        ),
    )
    search = options(max_latency=0.01)
    developed = search_again(DEV, TASK, search, before)
    ((tree, cv),) = whole
    # Of what the clock set the pace stays, and not the rounds.
    assert (tree.name, dict(tree.settings)) == ("tree", {"rate": 0.3})
    ((lightgbm, its_cv, plan),) = sampled
    assert (lightgbm.name, plan.rows) == ("lightgbm", 120)
    assert its_cv is cv
    assert cv.data.dev is DEV
    assert len(cv.data.folds.parts) == 2
    assert calls["fold"] == [(DEV, 40.0)]
    assert developed.explored.results == (cv_result,)  # what could not be fitted is no result
    assert developed.bounds.latency_shares == {"lightgbm": 0.5}
    assert "halve" not in calls


def test_a_candidate_that_was_drawn_is_known_by_its_name() -> None:
    tree = Candidate("tree", FAMILY)
    first, second, *_ = module.draws((), 3)
    plan = [Planned("tree", ({},)), Planned(second.name, ({},)), Planned("nobody", ({},))]
    assert module._by_name([tree], plan, 3) == {"tree": tree, second.name: second}
    assert module._by_name([tree], plan, 4)[second.name].settings != second.settings
    assert first.name != second.name


def test_what_is_put_together_and_chosen_keeps_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs: dict[str, Any] = {}
    ensemble: Any = result("ensemble")

    def select(*arguments: Any) -> Any:
        inputs["select"] = arguments
        return inputs["answer"]

    def choose(scored: Any, metric: Any, score: Any, seed: int, **named: Any) -> Any:
        inputs["choose"] = (scored, metric, score, seed, named)
        return "choice"

    monkeypatch.setattr(module, "select", select)
    monkeypatch.setattr(module, "choose", choose)
    rows = DEV.predictions(np.arange(40), np.full((40, 2), 0.5), "out-of-fold")
    results = [result("large"), result("small")]
    for candidate, packed in zip(results, (900, 100), strict=True):
        candidate.predictions, candidate.packed = rows, packed
    bounds = Bounds(size=500)
    units = np.arange(len(DEV.codes)) // 4
    dev = replace(DEV, seed=6, units=units)
    data: Any = SimpleNamespace(dev=dev, folds=PARTS)
    score = Scorer(TASK)
    for answer in (ensemble, None):
        inputs["answer"] = answer
        developed = module._choose(Explored(tuple(results), ()), data, score, bounds)
        fitting, its_score, seed, groups, within = inputs["select"]
        assert (fitting, its_score, seed, within) == ([results[1]], score, 6, bounds)
        assert groups.tolist() == units[:40].tolist()
        scored, metric, score_rows, seed, named = inputs["choose"]
        assert scored == [results[1], *([] if answer is None else [ensemble])]
        assert (metric.name, seed) == (TASK.metric, 6)
        assert named["groups"].tolist() == units[:40].tolist()
        assert score_rows(rows) == pytest.approx(score.of(metric, rows))
        assert named["describe"](rows) is not None
        assert (developed.ensemble, developed.choice, developed.folds, developed.bounds) == (
            answer,
            "choice",
            PARTS,
            bounds,
        )
        assert developed.results == (*results, *([] if answer is None else [ensemble]))


def test_what_was_developed_tells_its_fits_and_its_plan() -> None:
    bounds = Bounds(latency=0.01, latency_shares={"boosted": 0.5}, endings={"tree": 0.75})
    tree, boosted = result("tree"), result("boosted")
    tree.single_row_seconds, boosted.single_row_seconds, boosted.rows = 0.002, 0.1, 70
    developed = module.Developed(Explored((tree, boosted), ()), None, None, PARTS, bounds)  # type: ignore[arg-type]
    assert developed.fits == ("tree", "boosted")
    assert replace(developed, halving=SimpleNamespace(fits=("half",))).fits == ("tree", "boosted", "half")
    assert developed.plan() == (
        Planned("tree", ({"a": 1},), None, pytest.approx(0.2), 0.75),
        Planned("boosted", ({"a": 1},), 70, 0.5, None),
    )


ROWS = Predictions(
    ("n", "p"),
    np.arange(4),
    np.array([0, 1, 1, 0]),
    np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.6, 0.4]]),
    "out-of-fold",
)


@pytest.mark.parametrize(
    ("goal", "more", "decisions"),
    [
        ("argmax", {}, [0, 0, 1, 0]),
        ("f1", {}, [0, 0, 1, 0]),  # no threshold is tuned in a fold
        ("promise", {}, [0, 0, 1, 0]),
        ("cost", {"cost": ((0.0, 1.0), (3.0, 0.0))}, [0, 1, 1, 1]),  # positive from a fourth on
        ("capacity", {"capacity": Capacity(0.5)}, [0, 0, 1, 1]),
    ],
)
def test_folds_are_scored_as_rows_would_be_decided(goal: Any, more: dict[str, Any], decisions: list[int]) -> None:
    task = replace(TASK, classes=("n", "p"), positive="p", goal=goal, metric="f1", headline=("accuracy",), **more)
    score = Scorer(task)
    assert score._decided(ROWS).tolist() == decisions
    scores = score(ROWS)
    assert list(scores) == ["f1", "accuracy", "log_loss", "roc_auc", "balanced_accuracy"]
    y_pred = np.array(decisions)
    hits = int(((y_pred == 1) & (ROWS.truth == 1)).sum())
    assert scores["f1"] == pytest.approx(2 * hits / (y_pred.sum() + 2))
    f1 = registry.load("sortal.metrics", "f1")
    assert score.sampling(f1, ROWS) is not None
    assert score.sampling(replace(f1, sampling=None), ROWS) is None


def test_of_many_classes_no_metric_of_two_is_scored() -> None:
    _, task = development(3)
    names = registry.names("sortal.metrics")
    binary = {name for name in names if registry.load("sortal.metrics", name).binary_only}
    score = Scorer(replace(task, headline=tuple(names)))
    assert binary
    assert binary.isdisjoint(metric.name for metric in score.metrics)
    assert "accuracy" in {metric.name for metric in score.metrics}


class PaceReserve:
    """``pace``: what a short fit tells of it; 400 seconds are left."""

    def __init__(self, pace: float, importing: float = 0.0, at_once: int = 1) -> None:
        self._pace, self.importing, self._at_once = pace, importing, at_once
        self.looks: list[Any] = []

    def budget_left(self, results: Any) -> float:
        assert results == []
        return 400.0

    def at_once(self, cv: Any, candidate: Candidate) -> int:
        return self._at_once

    def pace(self, candidate: Candidate, data: Any, seconds: float) -> Any:
        self.looks.append((candidate.name, seconds))
        return SimpleNamespace(seconds=lambda rows: self._pace * rows / 320)


def of_zoo(*names: str, encodings: frozenset[str] = frozenset({"number"}), count: int = 15) -> tuple[Any, Any]:
    parts = Folds(tuple((np.arange(320), np.arange(80)) for _ in range(count)), per_repeat=min(count, 5))
    data: Any = SimpleNamespace(folds=parts, dev=SimpleNamespace(encodings=encodings), size="size")
    booster, plain = (replace(FAMILY, early_stopping=early) for early in (True, False))
    candidates = [
        Candidate(name, booster if name.startswith("b") else plain, baseline=name.startswith("majority"))
        for name in names
    ]
    return SimpleNamespace(data=data), candidates


@pytest.fixture
def work_units(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What each candidate is counted to take, without a look; those that are refused."""
    units: dict[str, float] = {}
    monkeypatch.setattr(
        module, "work_pace", lambda candidate, size: SimpleNamespace(seconds=lambda n: units.get(candidate.name, 0.0))
    )
    monkeypatch.setattr(type(FAMILY), "refusal", lambda self, size: "refused" if self.library == "refused" else "")
    return units


REFIT = module.REFIT


@pytest.mark.parametrize(
    ("seconds", "count"),
    [
        (1.0, 15),
        (200.0 / (15 + REFIT) - 0.01, 15),
        (200.0 / (15 + REFIT) + 0.01, 5),
        (200.0 / (5 + REFIT) - 0.01, 5),
        (200.0 / (5 + REFIT) + 0.01, 3),
        (200.0 / (3 + REFIT) - 0.01, 3),
        (200.0 / (3 + REFIT) + 0.01, 1),
    ],
)
def test_as_many_folds_as_half_of_the_time_is_enough_for(
    work_units: dict[str, float], seconds: float, count: int
) -> None:
    cv, candidates = of_zoo("majority", "svm", "booster")
    reserve: Any = PaceReserve(seconds)
    folds = module._in_time(cv, candidates, reserve)
    assert len(folds.parts) == count
    assert reserve.looks == [("booster", 200.0)]
    # Side by side three folds take two turns, and fifteen eight.
    cv, candidates = of_zoo("majority", "svm", "booster")
    assert len(module._in_time(cv, candidates, PaceReserve(200.0 / (8 + REFIT) - 0.01, at_once=2)).parts) == 15  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "encodings", "expected"),
    [
        (("majority", "svm", "booster"), {"number"}, "booster"),
        (("majority", "svm", "booster"), {"number", "text"}, "svm"),
        (("majority", "svm", "tree"), {"number"}, "svm"),  # there is no booster
        (("majority", "majority 2"), {"number"}, "majority 2"),
    ],
)
def test_the_pace_is_that_of_the_most_promising_candidate(
    work_units: dict[str, float], names: tuple[str, ...], encodings: set[str], expected: str
) -> None:
    cv, candidates = of_zoo(*names, encodings=frozenset(encodings))
    reserve: Any = PaceReserve(1.0)
    module._in_time(cv, candidates, reserve)
    assert [name for name, _ in reserve.looks] == [expected]
    refused = [replace(c, family=replace(c.family, library="refused")) if c.name == expected else c for c in candidates]
    reserve.looks.clear()
    module._in_time(cv, refused, reserve)
    assert expected not in [name for name, _ in reserve.looks]


@pytest.mark.parametrize(
    ("importing", "units", "least_share", "is_looked_at"),
    [
        (400.0, 0.0, 1.0, True),
        (400.1, 0.0, 1.0, False),  # the library would come too late
        (0.0, 400.0 / (3 + REFIT), 1.0, True),  # twice half of the time, for three folds
        (0.0, 401.0 / (3 + REFIT), 1.0, False),
        (0.0, 799.0 / (3 + REFIT), 0.5, True),
        (0.0, 801.0 / (3 + REFIT), 0.5, False),
    ],
)
def test_where_it_is_clear_that_one_fold_has_to_do_nothing_is_looked_at(
    work_units: dict[str, float], importing: float, units: float, least_share: float, is_looked_at: bool
) -> None:
    cv, candidates = of_zoo("majority", "booster")
    candidates[1] = replace(candidates[1], family=replace(candidates[1].family, least_share=least_share))
    work_units["booster"] = units
    reserve: Any = PaceReserve(1.0, importing)
    folds = module._in_time(cv, candidates, reserve)
    assert bool(reserve.looks) == is_looked_at
    assert len(folds.parts) == (15 if is_looked_at else 1)
    one, _ = of_zoo("majority", "booster", count=1)
    assert module._in_time(one, candidates, None) is one.data.folds  # type: ignore[arg-type]
