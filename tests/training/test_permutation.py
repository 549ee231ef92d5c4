"""What each column adds to the chosen model: on which rows that is measured, and on how many."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.plan import Planned
from sortal.core.sheets import SearchOptions
from sortal.engine import Program
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
    winner = crossval(Candidate("logistic", registry.load("sortal.models", "logistic")), cv)
    developed = SimpleNamespace(choice=SimpleNamespace(winner=winner), folds=folds)
    return SimpleNamespace(
        dev=DEV, developed=developed, finalized=SimpleNamespace(calibration=SimpleNamespace(program=None))
    )


def test_it_is_measured_on_the_rows_that_the_fit_of_the_first_fold_never_saw(trained: Any, monkeypatch) -> None:
    arguments = {}
    real = permutation.permutation_importance

    def spy(score: Any, table: Any, predictions: Any, names: Any, seed: int) -> Any:
        arguments.update(rows=table.rows, names=names)
        return real(score, table, predictions, names, seed)

    monkeypatch.setattr(permutation, "permutation_importance", spy)
    adds = permuted(trained, SearchOptions(), math.inf)
    saw = trained.developed.choice.winner.pipeline.saw
    assert not set(arguments["rows"]) & set(saw)
    assert adds.rows == len(arguments["rows"]) == len(trained.developed.folds.parts[0][1])
    assert set(arguments["names"]) == {"x", "noise", "colour"}
    assert next(iter(adds.importance)) == "x"
    assert adds.importance["x"].low > 0.1
    assert adds.importance["noise"].low < 0.02
    assert permuted(trained, SearchOptions(), math.inf) == adds


def test_without_time_nothing_is_measured_and_with_some_on_fewer_rows(trained: Any) -> None:
    winner = trained.developed.choice.winner
    assert permuted(trained, SearchOptions(), 0.0) == NOTHING_PERMUTED
    scoring = 4 * 30 * max(winner.row_seconds, permutation.QUICKEST) * 1.001
    assert permuted(trained, SearchOptions(), scoring + permutation.COMPILING * winner.shipping_seconds).rows == 30


def test_a_plan_says_on_how_many_rows_whatever_the_clock_says(trained: Any) -> None:
    assert permuted(trained, SearchOptions(plan=PLAN, permuted=40), 0.0).rows == 40
    assert permuted(trained, SearchOptions(plan=PLAN), math.inf) == NOTHING_PERMUTED


def test_work_says_on_how_many_rows_whatever_the_clock_says(trained: Any) -> None:
    assert [permuted(trained, SearchOptions(effort=3.0), seconds).rows for seconds in (0.0, math.inf)] == [37, 37]


def test_only_the_columns_that_weigh_most_are_shuffled(trained: Any, monkeypatch) -> None:
    monkeypatch.setattr(permutation, "MOST_COLUMNS", 1)
    adds = permuted(trained, SearchOptions(), math.inf)
    assert list(adds.importance) == ["x"]


def test_it_is_of_the_calibrated_model_with_the_groups_of_its_rows(trained: Any, monkeypatch) -> None:
    sharp = Program("logit_affine", {}, {"weight": 3 * np.eye(2), "bias": np.zeros(2)})
    calibrated = SimpleNamespace(
        dev=replace(trained.dev, seed=5),
        developed=trained.developed,
        finalized=SimpleNamespace(calibration=SimpleNamespace(program=sharp)),
    )
    calls: list[Any] = []
    monkeypatch.setattr(permutation, "permutation_importance", lambda *a: calls.append(a) or {})
    for run in (trained, calibrated):
        assert permuted(run, SearchOptions(), math.inf).importance == {}
    (_, table, raw, _, seed), (score, _, predictions, _, other) = calls
    assert (seed, other) == (0, 5)
    cubed = raw.probability**3
    np.testing.assert_allclose(predictions.probability, cubed / cubed.sum(axis=1, keepdims=True), atol=1e-9)
    np.testing.assert_allclose(score(table.columns(score.reads)), predictions.probability, atol=1e-12)
    assert predictions.part == "out-of-fold"
    assert predictions.rows.tolist() == table.rows.tolist() == raw.rows.tolist()
    truth = dict(zip(DEV.table.rows.tolist(), DEV.codes.tolist(), strict=True))
    assert predictions.truth.tolist() == [truth[row] for row in predictions.rows.tolist()]


@pytest.mark.parametrize(("rows", "expected"), [(19, 0), (20, 20)])
def test_of_fewer_than_twenty_rows_nothing_is_said(trained: Any, rows: int, expected: int) -> None:
    assert permuted(trained, SearchOptions(plan=PLAN, permuted=rows), 0.0).rows == expected


def test_rows_are_drawn_by_the_seed_and_kept_in_order() -> None:
    rows = np.arange(100, 200)
    subset = permutation._some(rows, 30, 1)
    assert subset.tolist() == sorted(set(subset.tolist()))
    assert set(subset.tolist()) <= set(rows.tolist())
    assert len(subset) == 30
    assert subset.tolist() == permutation._some(rows, 30, 1).tolist() != permutation._some(rows, 30, 2).tolist()
    for most in (100, 101):
        assert permutation._some(rows, most, 1) is rows
    strongest = permutation._strongest(["b", "a", "d", "c"], {"d": 0.5, "c": 0.1, "b": 0.0})
    assert strongest == ["d", "c", "a", "b"]  # of those that weigh nothing by their names


@pytest.mark.parametrize(
    ("options", "seconds", "rows"),
    [
        ({}, 2.0, 50),
        ({}, 1e9, 2_000),
        ({}, -1.0, 0),
        ({"effort": 4.0}, -1.0, 50),
        ({"effort": 1e6}, -1.0, 2_000),
        ({"plan": PLAN, "permuted": 7}, 1e9, 7),
    ],
)
def test_how_many_rows_there_is_time_for(options: dict[str, Any], seconds: float, rows: int) -> None:
    assert permutation._rows(0.01, 4, SearchOptions(**options), seconds) == rows
    assert permutation._rows(0.0, 4, SearchOptions(), 4e-4) == 100  # a millionth of a second at least
