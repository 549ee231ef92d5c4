"""What the record says of the chosen model beside a baseline: it is the model that ships that is compared."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine.program import Program
from sortal.record.search import baselines, leaderboard, selection
from sortal.training.bounds import NO_BOUNDS
from sortal.training.candidate import Candidate
from sortal.training.comparison import paired_difference
from sortal.training.crossval import CVResult

LOG_LOSS = registry.load("sortal.metrics", "log_loss")
TASK = Task("y", ("a", "b"), (0.5, 0.5), "b", "log_loss", (), ())
ROWS = 200
TRUTH = np.arange(ROWS) % 2
FOLD = np.arange(ROWS) // 2 % 5


def predictions(right: np.ndarray) -> Predictions:
    probability = np.where(np.eye(2)[TRUTH] == 1, right[:, None], 1 - right[:, None])
    return Predictions(("a", "b"), np.arange(ROWS), TRUTH, probability, "out-of-fold")


def scored(name: str, right: np.ndarray, baseline: bool = False) -> CVResult:
    losses = -np.log(right)
    by_fold = {"log_loss": np.array([losses[f == FOLD].mean() for f in range(5)])}
    candidate = Candidate(name, registry.load("sortal.models", "logistic"), baseline=baseline)
    return CVResult(candidate, predictions(right), FOLD, 0.8, by_fold, ({},) * 5, 0.1, 1e-6, 1e-4)


@pytest.fixture
def trained() -> Any:
    """A sure model that calibration helps by much, and half of the rows would cost .05 a row."""
    rng = np.random.default_rng(0)
    right = np.where(rng.random(ROWS) < 0.8, 0.98, 0.1)
    calibrated, half = np.where(right > 0.5, 0.8, 0.2), right * np.exp(-0.05)
    chosen = replace(scored("chosen", right), pipeline=SimpleNamespace(rows=160))
    results = (scored("baseline", np.full(ROWS, 0.5), baseline=True), chosen)
    choice = SimpleNamespace(
        metric=LOG_LOSS,
        chosen=chosen,
        best=chosen,
        runner_up=results[0],
        tied=(),
        p_value=0.1,
        bias=-0.01,
        reason="best",
    )
    halving = SimpleNamespace(predictions=predictions(half))
    return SimpleNamespace(
        dev=SimpleNamespace(units_of=lambda predictions: None),
        developed=SimpleNamespace(
            choice=choice,
            explored=SimpleNamespace(results=results),
            results=results,
            bounds=NO_BOUNDS,
            halving=halving,
            folds=SimpleNamespace(parts=(None,) * 5),
        ),
        finalized=SimpleNamespace(
            refit=True,
            ensemble=SimpleNamespace(rows=200),
            decision=Decision("argmax", TASK.classes, TASK.positive),
            calibration=SimpleNamespace(program=Program("softmax")),
            out_of_fold=predictions(calibrated),
        ),
    )


def mean_loss(told: Predictions) -> float:
    return float(-np.log(told.probability[np.arange(ROWS), TRUTH]).mean())


def test_calibration_the_refit_and_the_choice_are_in_the_corrected_score(trained: Any) -> None:
    found = selection(trained, TASK)
    raw, calibrated = mean_loss(trained.developed.choice.chosen.predictions), mean_loss(trained.finalized.out_of_fold)
    assert calibrated < raw - 0.04
    assert found.calibration_gain == pytest.approx(calibrated - raw)
    assert found.refit_gain == pytest.approx(-0.2 * 0.05)
    assert found.corrected is not None
    assert found.corrected.value == pytest.approx(calibrated - 0.2 * 0.05 + 0.01)


def test_the_leaderboard_shows_the_chosen_one_as_it_ships_and_orders_by_what_was_measured(trained: Any) -> None:
    found = selection(trained, TASK).corrected
    chosen, other = leaderboard(trained, TASK, found)
    raw = mean_loss(trained.developed.choice.chosen.predictions)
    assert (chosen.selected, other.selected) == (True, False)
    assert chosen.mean == pytest.approx(raw)
    assert chosen.score is found
    assert chosen.score.value < raw - 0.03
    assert other.mean == pytest.approx(np.log(2))
    # It is the same in every row, so that only what half of the rows cost the chosen one is in doubt.
    assert dataclasses.astuple(other.score) == pytest.approx((other.mean, other.mean - 2 * 0.2 * 0.05, other.mean))


def test_nothing_else_varies_of_what_says_the_same_of_every_row(trained: Any) -> None:
    candidate = Candidate("majority", registry.load("sortal.models", "majority"), baseline=True)
    baseline, chosen = trained.developed.results
    trained.developed.results = (replace(baseline, candidate=candidate), chosen)
    majority = leaderboard(trained, TASK, None)[1]
    assert (majority.score.value, majority.score.low, majority.score.high) == pytest.approx([np.log(2)] * 3)


def test_they_are_in_the_margin_over_a_baseline_likewise(trained: Any) -> None:
    beside = baselines(trained, TASK, None)[0].margin
    assert beside is not None
    assert beside.value == pytest.approx(np.log(2) - selection(trained, TASK).corrected.value)
    baseline, chosen = trained.developed.explored.results
    by_rows = paired_difference(baseline, replace(chosen, predictions=trained.finalized.out_of_fold), LOG_LOSS)
    assert beside.low < by_rows.low + 0.01
    assert beside.high > by_rows.high + 0.01
    # The low end holds whatever is chosen: the flattery is not taken off once more.
    assert beside.low > by_rows.low - 0.01


def test_without_calibration_nothing_is_gained_by_it(trained: Any) -> None:
    raw = trained.developed.choice.chosen.predictions
    trained.finalized.calibration.program, trained.finalized.out_of_fold = None, raw
    found = selection(trained, TASK)
    assert found.calibration_gain is None
    assert found.corrected.value == pytest.approx(mean_loss(raw) - 0.2 * 0.05 + 0.01)
