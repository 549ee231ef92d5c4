"""What the record says of the chosen model beside a baseline: it is the model that ships that is compared."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sortal.core import registry
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.core.writing import number
from sortal.decide.policy import Decision
from sortal.engine.program import Program
from sortal.evaluate.compare import difference
from sortal.record.parts import Spread
from sortal.record.sealed_scores import OpenedTest
from sortal.record.search import baselines, imbalance, leaderboard, selection
from sortal.training.bounds import NO_BOUNDS, Bounds
from sortal.training.candidate import Candidate
from sortal.training.comparison import paired_difference
from sortal.training.cv_result import CVResult
from sortal.training.ensemble import EnsembleResult

LOG_LOSS = registry.load("sortal.metrics", "log_loss")
TASK = Task("y", ("a", "b"), (0.5, 0.5), "b", "log_loss", (), ())
ROWS = 200
TRUTH = np.arange(ROWS) % 2
FOLD = np.arange(ROWS) // 2 % 5


def predictions(right: np.ndarray) -> Predictions:
    probability = np.where(np.eye(2)[TRUTH] == 1, right[:, None], 1 - right[:, None])
    return Predictions(("a", "b"), np.arange(ROWS), TRUTH, probability, "out-of-fold")


def cv_result(name: str, right: np.ndarray, baseline: bool = False) -> CVResult:
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
    winner = replace(cv_result("chosen", right), pipeline=SimpleNamespace(rows=160))
    results = (cv_result("baseline", np.full(ROWS, 0.5), baseline=True), winner)
    choice = SimpleNamespace(
        metric=LOG_LOSS,
        winner=winner,
        best=winner,
        runner_up=results[0],
        tied=(),
        p_value=0.1,
        bias=-0.01,
        reason="best",
    )
    halving = SimpleNamespace(predictions=predictions(half))
    return SimpleNamespace(
        dev=SimpleNamespace(units_of=lambda predictions: None),
        unlearned=np.empty(0, dtype=np.int64),
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


def mean_loss(rows: Predictions) -> float:
    return float(-np.log(rows.probability[np.arange(ROWS), TRUTH]).mean())


def test_calibration_the_refit_and_the_choice_are_in_the_corrected_score(trained: Any) -> None:
    summary = selection(trained, TASK)
    raw, calibrated = mean_loss(trained.developed.choice.winner.predictions), mean_loss(trained.finalized.out_of_fold)
    assert calibrated < raw - 0.04
    assert summary.calibration_gain == pytest.approx(calibrated - raw)
    assert summary.refit_gain == pytest.approx(-0.2 * 0.05)
    assert summary.corrected is not None
    assert summary.corrected.value == pytest.approx(calibrated - 0.2 * 0.05 + 0.01)


def test_a_class_that_nobody_had_learned_is_named_and_may_be_known_to_the_model_that_ships(trained: Any) -> None:
    usual = selection(trained, TASK)
    trained.unlearned = np.flatnonzero(TRUTH == 1)
    summary = selection(trained, TASK)
    assert usual.corrected is not None
    assert summary.corrected is not None
    assert (summary.corrected.value, summary.corrected.high) == (usual.corrected.value, usual.corrected.high)
    assert summary.corrected.low < usual.corrected.low - 0.05
    assert "out of fold nobody had learned 'b', all of whose rows are in one part" in summary.explanation
    assert "learned" not in usual.explanation
    _, other = leaderboard(trained, TASK, summary.corrected)
    _, before = leaderboard(SimpleNamespace(**{**vars(trained), "unlearned": np.empty(0, int)}), TASK, usual.corrected)
    assert other.score.low < before.score.low - 0.05


def test_the_leaderboard_shows_the_chosen_one_as_it_ships_and_orders_by_what_was_measured(trained: Any) -> None:
    score = selection(trained, TASK).corrected
    winner, other = leaderboard(trained, TASK, score)
    raw = mean_loss(trained.developed.choice.winner.predictions)
    assert (winner.selected, other.selected) == (True, False)
    assert winner.mean == pytest.approx(raw)
    assert winner.score is score
    assert winner.score.value < raw - 0.03
    assert other.mean == pytest.approx(np.log(2))
    # It is the same in every row, so that only what half of the rows cost the chosen one is in doubt.
    assert dataclasses.astuple(other.score) == pytest.approx((other.mean, other.mean - 2 * 0.2 * 0.05, other.mean))


def test_nothing_else_varies_of_what_says_the_same_of_every_row(trained: Any) -> None:
    candidate = Candidate("majority", registry.load("sortal.models", "majority"), baseline=True)
    baseline, winner = trained.developed.results
    trained.developed.results = (replace(baseline, candidate=candidate), winner)
    majority = leaderboard(trained, TASK, None)[1]
    assert (majority.score.value, majority.score.low, majority.score.high) == pytest.approx([np.log(2)] * 3)


def test_they_are_in_the_margin_over_a_baseline_likewise(trained: Any) -> None:
    beside = baselines(trained, TASK, None)[0].margin
    assert beside is not None
    assert beside.value == pytest.approx(np.log(2) - selection(trained, TASK).corrected.value)
    baseline, winner = trained.developed.explored.results
    by_rows = paired_difference(baseline, replace(winner, predictions=trained.finalized.out_of_fold), LOG_LOSS)
    assert beside.low < by_rows.low + 0.01
    assert beside.high > by_rows.high + 0.01
    # The low end holds whatever is chosen: the flattery is not taken off once more.
    assert beside.low > by_rows.low - 0.01


def test_of_a_metric_by_folds_calibration_is_in_the_margin_too(trained: Any) -> None:
    brier = registry.load("sortal.metrics", "brier")

    def by_fold(rows: Predictions) -> np.ndarray:
        return np.array([brier.score(TASK, rows.take(f == FOLD), TRUTH[f == FOLD]) for f in range(5)])

    results = [replace(r, fold_scores={"brier": by_fold(r.predictions)}) for r in trained.developed.results]
    trained.developed.results = trained.developed.explored.results = tuple(results)
    vars(trained.developed.choice).update(metric=brier, winner=results[1], best=results[1], runner_up=results[0])
    summary, beside = selection(trained, TASK), baselines(trained, TASK, None)[0].margin
    assert summary.calibration_gain < -0.01
    assert beside is not None
    assert beside.value == pytest.approx(results[0].fold_scores["brier"].mean() - summary.corrected.value)


def test_without_calibration_nothing_is_gained_by_it(trained: Any) -> None:
    raw = trained.developed.choice.winner.predictions
    trained.finalized.calibration.program, trained.finalized.out_of_fold = None, raw
    summary = selection(trained, TASK)
    assert summary.calibration_gain is None
    assert summary.corrected.value == pytest.approx(mean_loss(raw) - 0.2 * 0.05 + 0.01)


def ensemble(first: CVResult, second: CVResult) -> EnsembleResult:
    mixture = 0.25 * first.predictions.probability + 0.75 * second.predictions.probability
    return EnsembleResult(
        (first, second), (0.25, 0.75), replace(first.predictions, probability=mixture), second.fold_scores
    )


def test_a_row_of_the_leaderboard_by_hand(trained: Any) -> None:
    baseline, winner = trained.developed.results
    candidate = replace(winner.candidate, name="drawn", settings={"C": 0.5, "l1": 2}, is_random=True)
    result = replace(winner, candidate=candidate, rows=1500, packed=70, fit_seconds=0.3, single_row_seconds=2e-4)
    both = ensemble(result, replace(baseline, packed=30, rows=1200))
    trained.developed.results = (baseline, both, result, winner)
    trained.developed.choice.tied = (both,)
    rows = {row.name: row for row in leaderboard(trained, TASK, None)}
    row, of_two, plain = rows["drawn"], rows["ensemble"], rows["baseline"]
    losses = winner.fold_scores["log_loss"]
    assert (row.mean, row.std) == pytest.approx((losses.mean(), losses.std(ddof=1)))
    assert row.metrics == {"log_loss": Spread(row.mean, row.std)}
    assert (row.fit_seconds, row.program_microseconds, row.bytes) == pytest.approx((1.5, 200.0, 70))
    assert (row.family, row.selected, row.baseline, row.weights) == ("logistic", False, False, {})
    assert row.note == "drawn: C 0.5, l1 2; on a sample of 1,500 rows"
    assert (plain.family, plain.baseline, plain.note) == ("logistic", True, "")
    assert (of_two.family, of_two.baseline, of_two.bytes) == ("ensemble", False, 100)
    assert of_two.weights == {"drawn": 0.25, "baseline": 0.75}
    note = "of 2: .75 baseline, .25 drawn; tie with the best; on a sample of 1,200 rows"
    assert of_two.note == note
    assert of_two.fit_seconds == pytest.approx(5 * 0.4)
    assert of_two.program_microseconds == pytest.approx(300.0)


def test_rows_are_in_the_order_of_their_metric_and_the_front_is_marked(trained: Any) -> None:
    """Of two that are as good the slower one is not on the front, nor is what is worse and no faster."""
    baseline, winner = trained.developed.results
    slow, quick = (
        replace(winner, candidate=replace(winner.candidate, name=name), single_row_seconds=seconds)
        for name, seconds in (("slow", 3e-4), ("quick", 1e-5))
    )
    quick = replace(quick, fold_scores=baseline.fold_scores)
    trained.developed.results = (slow, quick, baseline, winner)
    board = leaderboard(trained, TASK, None)
    # That of chosen and slow is .51, that of the others .69: here less is better.
    assert [row.name for row in board] == ["slow", "chosen", "quick", "baseline"]
    assert {row.name for row in board if row.front} == {"chosen", "quick"}
    better = replace(LOG_LOSS, higher_is_better=True)
    trained.developed.choice.metric = better
    assert [row.name for row in leaderboard(trained, TASK, None)] == ["quick", "baseline", "slow", "chosen"]


def test_of_one_fold_nothing_is_known_of_the_spread(trained: Any) -> None:
    one = {"log_loss": np.array([0.4])}
    trained.developed.results = tuple(replace(r, fold_scores=one) for r in trained.developed.results)
    trained.developed.choice.winner = trained.developed.results[1]
    assert [(row.mean, row.std) for row in leaderboard(trained, TASK, None)] == [(0.4, None)] * 2
    none = {"log_loss": np.array([0.4, np.nan])}
    trained.developed.results = (replace(trained.developed.results[0], fold_scores=none),)
    assert leaderboard(trained, TASK, None)[0].mean is None


def test_a_baseline_is_compared_on_the_test_with_what_ships(trained: Any) -> None:
    better, worse = np.where(TRUTH == 1, 0.9, 0.7), np.where(FOLD == 0, 0.4, 0.6)
    test = OpenedTest(predictions(better), pl.DataFrame(), {"baseline": predictions(worse)})
    (beside,) = baselines(trained, TASK, test)
    assert (beside.name, beside.family, beside.metric) == ("baseline", "logistic", "log_loss")
    assert beside.mean == pytest.approx(np.log(2))
    assert beside.on_test == Estimate.of(difference(-np.log(worse), -np.log(better)))
    assert beside.on_test.value > 0
    assert baselines(trained, TASK, OpenedTest(predictions(better), pl.DataFrame()))[0].on_test is None
    groups = np.arange(ROWS) // 2
    pairs = replace(test, predictions=replace(test.predictions, groups=groups))
    grouped = baselines(trained, TASK, pairs)[0].on_test
    assert grouped == Estimate.of(difference(-np.log(worse), -np.log(better), groups=groups))
    # Of accuracy more is better: of 200 rows 40 are right only by what ships.
    trained.developed.choice.metric = registry.load("sortal.metrics", "accuracy")
    for result in trained.developed.explored.results:
        result.fold_scores["accuracy"] = np.full(5, 0.5)
    on_test = baselines(trained, TASK, test)[0].on_test
    assert on_test is not None
    assert on_test.value == pytest.approx(0.2)


def test_what_was_chosen_though_another_is_best_is_explained(trained: Any) -> None:
    baseline, winner = trained.developed.results
    best = replace(
        winner, candidate=replace(winner.candidate, name="best"), predictions=predictions(np.full(ROWS, 0.9))
    )
    trained.developed.choice.best, trained.developed.choice.reason = best, "simpler"
    trained.developed.choice.tied, trained.developed.choice.runner_up = (best, baseline), None
    summary = selection(trained, TASK)
    behind = mean_loss(winner.predictions) + np.log(0.9)
    phrase = f"(log-loss {number(behind, 4)} behind, within one standard error) and is simpler"
    assert summary.explanation == f"chosen cannot be told apart from best {phrase}"
    assert (summary.tied, summary.runner_up, summary.bias, summary.p_value) == (("best", "baseline"), None, -0.01, 0.1)
    assert selection(trained, TASK).chosen == "chosen"


def test_bounds_are_part_of_the_explanation(trained: Any) -> None:
    base = "chosen is best on log-loss"
    for latency, reason in (
        (1e-3, base),
        (5e-5, f"{base}; nothing keeps within the bounds, and it is nearest to that"),
    ):
        trained.developed.bounds = Bounds(latency=latency)
        assert selection(trained, TASK).explanation == reason
    baseline, winner = trained.developed.explored.results
    trained.developed.explored.results = (replace(baseline, single_row_seconds=2e-3), winner)
    trained.developed.bounds = Bounds(latency=1e-3)
    assert selection(trained, TASK).explanation == f"{base} of what keeps within the bounds (baseline do not)"
    trained.developed.bounds = Bounds(endings={"baseline": 2.0})
    assert selection(trained, TASK).explanation == f"{base} of what keeps within the time (baseline do not)"


def test_what_treating_rare_classes_brings_is_paired(trained: Any) -> None:
    assert imbalance(trained) is None
    winner = trained.developed.choice.winner
    class_weights = replace(winner, candidate=replace(winner.candidate, name="weighted", balance="weights"))
    class_weights = replace(class_weights, predictions=predictions(np.full(ROWS, 0.9)))
    class_weights = replace(class_weights, fold_scores={"log_loss": np.full(5, -np.log(0.9))})
    trained.developed.explored.results = (winner, class_weights)
    summary = imbalance(trained)
    assert summary is not None
    assert (summary.candidate, summary.way) == ("weighted", "class weights, corrected")
    assert (summary.rival, summary.rival_way, summary.metric) == ("chosen", "no weights", "log_loss")
    assert summary.gain.value == pytest.approx(mean_loss(winner.predictions) + np.log(0.9))
