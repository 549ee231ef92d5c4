from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import selection
from bench.selection import Cell, Setting
from sortal.core import registry

EQUALS = selection.settings()[0]
LARGE = Setting("large", 40_000, (0.79, *(0.75,) * 19), (1,) * 20, 0.5)


def cell(bias: float, **changes: object) -> Cell:
    default = Cell("20 equals", 200, "roc_auc", 400, 0.034, bias, 0.001, known=0.034)
    return replace(default, **changes)  # type: ignore[arg-type]


def test_simulated_candidates_are_as_good_as_is_said_of_them() -> None:
    _, candidates, truth = selection.simulate(LARGE, np.random.default_rng(0))
    for name, tolerance in (("roc_auc", 0.008), ("log_loss", 0.01)):
        metric = registry.load("sortal.metrics", name)
        scores = [np.mean(s.fold_scores[name]) for s in candidates]
        assert scores == pytest.approx([truth(metric, k) for k in range(20)], abs=tolerance)
    a, b = (candidates[k].predictions.probability[:, 1] for k in (1, 2))
    codes = candidates[0].predictions.truth
    correlation = np.corrcoef(np.log(a / (1 - a))[codes == 0], np.log(b / (1 - b))[codes == 0])[0, 1]
    assert correlation == pytest.approx(0.5, abs=0.03)


def test_a_log_loss_is_that_of_calibrated_probabilities() -> None:
    assert selection.true_score("log_loss", 0.5) == pytest.approx(np.log(2))
    assert selection.true_score("log_loss", 0.9) < selection.true_score("log_loss", 0.75) < np.log(2)


def test_the_winner_of_equals_is_flattered_and_corrected() -> None:
    cells = {
        c.metric: c
        for c in selection.measure(
            EQUALS.name, 200, 30, lambda rng: selection.simulate(EQUALS, rng), 0, EQUALS.reference
        )
    }
    assert cells["roc_auc"].uncorrected > 0.02
    assert abs(cells["roc_auc"].corrected) < cells["roc_auc"].uncorrected / 2
    assert cells["log_loss"].uncorrected > 0.01
    assert (cells["roc_auc"].known, cells["log_loss"].known) == (0.034, None)


def test_each_goal_can_fall_short() -> None:
    def goals(*cells: Cell) -> list[bool]:
        return [g.holds for g in selection.outcome(cells, []).goals]

    other = cell(0.001, known=None)
    assert goals(cell(0.004), other) == [True, True, True]
    assert goals(cell(0.0055), other) == [False, True, True]
    assert goals(cell(0.0055, reps=40), other) == [True, True, True]
    assert goals(cell(-0.0055), replace(other, corrected=-0.008)) == [False, False, True]
    assert goals(cell(0.001, uncorrected=0.02), other) == [True, True, False]


def test_real_candidates_are_judged_by_rows_that_took_no_part() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6_000, 8))
    y = (rng.random(6_000) < 1 / (1 + np.exp(-X[:, 0] - X[:, 1]))).astype(np.int64)
    task, _, _ = selection.simulate(EQUALS, rng)
    _, candidates, truth = selection.Real("made-up", task, X, y).rehearse(np.random.default_rng(1))
    metric = registry.load("sortal.metrics", "roc_auc")
    assert len(candidates) == 20
    assert len(candidates[0].predictions) == selection.ROWS
    looks = np.array([np.mean(s.fold_scores["roc_auc"]) for s in candidates])
    true_scores = np.array([truth(metric, k) for k in range(20)])
    assert np.abs(looks - true_scores).max() < 0.06
    assert np.corrcoef(looks, true_scores)[0, 1] > 0.8
