"""Nested cross-validation with a procedure that notes what it is given: rows, time, and what becomes of the parts."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core.interrupt import TimeUp
from sortal.core.plan import Planned
from sortal.core.predictions import Predictions
from sortal.core.recipe import Recipe
from sortal.data.split import folds
from sortal.decide.calibrate import entries
from sortal.decide.policy import Decision
from sortal.training.fit_log import FitRows
from sortal.training.nested import nested
from tests.training.conftest import development

module = sys.modules["sortal.training.nested"]
DEV, TASK = development(2, rows=60)
RECIPE = Recipe.of("y", seed=4, budget="30s")
PLAN = (Planned("tree", ({},)),)
TRAINED: Any = SimpleNamespace(developed="developed", finalized=SimpleNamespace(time_to_refit=False))


@dataclass
class Procedure:
    """Says of each row as much of the second class as its id is large; the part after ``ends`` takes too long."""

    ends: int = 99
    calls: list[Any] = field(default_factory=list)

    def __call__(self, dev: Any, task: Any, recipe: Any, trained: Any) -> tuple[Any, Any]:
        if len(self.calls) == self.ends:
            raise TimeUp
        self.calls.append((dev, task, recipe, trained))

        def say(table: Any) -> np.ndarray:
            p = table.rows / 1_000
            return np.column_stack([1 - p, p])

        number = len(self.calls)
        fits = (FitRows(dev.table.rows, np.array([number])),)
        rule = Decision("threshold", task.classes, task.classes[1], threshold=0.13)
        return SimpleNamespace(fits=fits), SimpleNamespace(fits=fits, predict_proba=say, decision=rule)


@pytest.fixture
def procedure(monkeypatch: pytest.MonkeyPatch) -> Procedure:
    stand_in = Procedure()
    monkeypatch.setattr(module, "_procedure", stand_in)
    return stand_in


def run(recipe: Recipe = RECIPE, planned: int = 3, seconds: Any = lambda: 60.0) -> Any:
    return nested(DEV.table, DEV.codes, TASK, recipe, TRAINED, planned, seconds)


def test_each_outer_part_is_told_by_a_procedure_on_the_others(procedure: Procedure) -> None:
    result = run()
    parts = folds(DEV.codes, 3, 4)
    assert len(procedure.calls) == result.folds == result.planned == 3
    for (dev, task, recipe, trained), (train, _) in zip(procedure.calls, parts, strict=True):
        assert dev.table.rows.tolist() == DEV.table.rows[train].tolist()
        assert dev.codes.tolist() == DEV.codes[train].tolist()
        assert (task, recipe, dev.seed) == (TASK, RECIPE, 4)
        assert trained is TRAINED
    places = np.concatenate([test for _, test in parts])
    predictions = result.predictions
    assert predictions.rows.tolist() == DEV.table.rows[places].tolist()
    assert predictions.truth.tolist() == DEV.codes[places].tolist()
    np.testing.assert_allclose(predictions.probability[:, 1], predictions.rows / 1_000)
    assert result.decided.tolist() == (predictions.rows >= 130).astype(int).tolist()
    assert (predictions.part, predictions.groups, predictions.row_costs) == ("nested", None, None)
    assert len(result.fits) == 6
    for at, fit in enumerate(result.fits):
        train, test = parts[at // 2]
        assert fit.saw.tolist() == DEV.table.rows[train].tolist()
        assert fit.evaluated.tolist() == [at // 2 + 1, *DEV.table.rows[test].tolist()]


@pytest.mark.parametrize(("ends", "folds_done"), [(0, None), (1, 1), (2, 2)])
def test_a_part_that_takes_too_long_ends_it(procedure: Procedure, ends: int, folds_done: int | None) -> None:
    procedure.ends = ends
    result = run()
    assert (None if result is None else result.folds) == folds_done
    if result is not None:
        assert (result.planned, len(result.fits), len(result.predictions)) == (3, 2 * ends, 20 * ends)


def test_no_part_begins_that_would_take_longer_than_is_left(
    procedure: Procedure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes ten seconds; as many are left once and less the second time."""
    clock = iter([100.0, 110.0, 200.0, 210.0, 300.0, 310.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    seconds_left = iter([50.0, 10.0, 50.0, 9.9])
    assert run(seconds=lambda: next(seconds_left)).folds == 2


@pytest.mark.parametrize(
    ("plan", "outer", "n_folds", "interrupted"),
    [((), 0, 3, True), (PLAN, 0, None, None), (PLAN, 2, 2, False), (PLAN, 5, 3, False), ((), 1, 1, False)],
)
def test_a_recipe_that_was_run_says_how_many(
    procedure: Procedure,
    plan: Any,
    outer: int,
    n_folds: int | None,
    interrupted: bool | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: list[float] = []
    until = module.interrupted_after
    monkeypatch.setattr(module, "interrupted_after", lambda seconds: (limits.append(seconds), until(seconds))[1])
    recipe = replace(RECIPE, search=replace(RECIPE.search, plan=plan, outer=outer))
    result = run(recipe, seconds=lambda: 60.0 if interrupted else -1.0)
    assert (None if result is None else result.folds) == n_folds
    assert limits == [60.0 if interrupted else float("inf")] * (n_folds or 0)


def test_the_procedure_is_the_search_once_more_and_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    again = SimpleNamespace(bounds=SimpleNamespace(size=77), choice=SimpleNamespace(winner="chosen"))
    monkeypatch.setattr(module, "search_again", lambda *a: calls.append(a) or again)
    monkeypatch.setattr(module, "finalize", lambda *a: calls.append(a) or "model")
    for time_to_refit in (True, False):
        calls.clear()
        trained: Any = SimpleNamespace(developed="before", finalized=SimpleNamespace(time_to_refit=time_to_refit))
        assert module._procedure(DEV, TASK, RECIPE, trained) == (again, "model")
        search_call, (winner, dev, task, train, valid, limits) = calls
        assert search_call == (DEV, TASK, RECIPE.search, "before")
        assert (winner, dev, task) == ("chosen", DEV, TASK)
        assert train.tolist() == list(range(60))
        assert len(valid) == 0
        assert (limits.refit, limits.size, limits.entries) == (time_to_refit, 77, entries(30.0))


def test_parts_are_put_one_after_another_with_all_that_belongs_to_their_rows() -> None:
    def part(rows: list[int], **more: Any) -> Predictions:
        p = np.array(rows) / 10
        return Predictions(
            ("n", "p"), np.array(rows), np.array(rows) % 2, np.column_stack([1 - p, p]), "nested", **more
        )

    whole = module._pooled(
        [
            part([5, 3], row_costs=np.array([[5.0], [3.0]]), groups=np.array([50, 30])),
            part([4], row_costs=np.array([[4.0]]), groups=np.array([40])),
        ]
    )
    assert whole.rows.tolist() == [5, 3, 4]
    assert whole.truth.tolist() == [1, 1, 0]
    assert whole.probability[:, 1].tolist() == [0.5, 0.3, 0.4]
    assert whole.row_costs.tolist() == [[5.0], [3.0], [4.0]]
    assert whole.groups.tolist() == [50, 30, 40]
    bare = module._pooled([part([5, 3]), part([4])])
    assert (bare.row_costs, bare.groups) == (None, None)
