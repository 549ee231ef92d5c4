"""What each column adds to the chosen model: on which rows that is measured, and on how many."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from sortal.core import registry
from sortal.core.plan import Planned
from sortal.core.sheets import SearchOptions
from sortal.training import permutation
from sortal.training.candidate import Candidate
from sortal.training.crossval import CrossValidation, crossval
from sortal.training.develop import Scorer, fold
from sortal.training.fold import FoldData
from sortal.training.permutation import NOTHING_PERMUTED, permuted
from tests.training.conftest import development

DEV, TASK = development(2)
PLAN = (Planned("logistic", ({},) * 15),)


@pytest.fixture(scope="module")
def trained() -> Any:
    folds = fold(DEV)
    cv = CrossValidation(FoldData(DEV, folds), Scorer(TASK))
    chosen = crossval(Candidate("logistic", registry.load("sortal.models", "logistic")), cv)
    developed = SimpleNamespace(choice=SimpleNamespace(chosen=chosen), folds=folds)
    return SimpleNamespace(
        dev=DEV, developed=developed, finalized=SimpleNamespace(calibration=SimpleNamespace(program=None))
    )


def test_it_is_measured_on_the_rows_that_the_fit_of_the_first_fold_never_saw(trained: Any, monkeypatch) -> None:
    asked = {}
    real = permutation.permutation_importance

    def spy(score: Any, table: Any, predictions: Any, names: Any, seed: int) -> Any:
        asked.update(rows=table.rows, names=names)
        return real(score, table, predictions, names, seed)

    monkeypatch.setattr(permutation, "permutation_importance", spy)
    adds = permuted(trained, SearchOptions(), math.inf)
    saw = trained.developed.choice.chosen.pipeline.saw
    assert not set(asked["rows"]) & set(saw)
    assert adds.rows == len(asked["rows"]) == len(trained.developed.folds.parts[0][1])
    assert set(asked["names"]) == {"x", "noise", "colour"}
    assert next(iter(adds.lost)) == "x"
    assert adds.lost["x"].low > 0.1
    assert adds.lost["noise"].low < 0.02
    assert permuted(trained, SearchOptions(), math.inf) == adds


def test_without_time_nothing_is_measured_and_with_some_on_fewer_rows(trained: Any) -> None:
    row = trained.developed.choice.chosen.row_seconds
    assert permuted(trained, SearchOptions(), 0.0) == NOTHING_PERMUTED
    assert permuted(trained, SearchOptions(), 4 * 30 * max(row, permutation.QUICKEST) * 1.001).rows == 30


def test_a_plan_says_on_how_many_rows_whatever_the_clock_says(trained: Any) -> None:
    assert permuted(trained, SearchOptions(plan=PLAN, permuted=40), 0.0).rows == 40
    assert permuted(trained, SearchOptions(plan=PLAN), math.inf) == NOTHING_PERMUTED


def test_work_says_on_how_many_rows_whatever_the_clock_says(trained: Any) -> None:
    assert [permuted(trained, SearchOptions(effort=3.0), seconds).rows for seconds in (0.0, math.inf)] == [37, 37]


def test_only_the_columns_that_weigh_most_are_shuffled(trained: Any, monkeypatch) -> None:
    monkeypatch.setattr(permutation, "MOST_COLUMNS", 1)
    adds = permuted(trained, SearchOptions(), math.inf)
    assert list(adds.lost) == ["x"]
