from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import dunnett, multivariate_normal, norm

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.training import comparison
from sortal.training.candidate import Candidate
from sortal.training.comparison import joint_tail, margin, paired_difference, standard_errors
from sortal.training.cv_result import CVResult

LOG_LOSS = registry.load("sortal.metrics", "log_loss")
ROC_AUC = registry.load("sortal.metrics", "roc_auc")
FAMILY = registry.load("sortal.models", "logistic")


def cv_result(losses: np.ndarray, auc: float = 0.8) -> CVResult:
    """A candidate whose rows have these log-losses."""
    likelihood, truth = np.exp(-losses), np.arange(len(losses)) % 2
    probability = np.where(np.eye(2)[truth] == 1, likelihood[:, None], 1 - likelihood[:, None])
    predictions = Predictions(("a", "b"), np.arange(len(likelihood)), truth, probability, "out-of-fold")
    fold = np.arange(len(likelihood)) % 5
    by_fold = np.array([losses[fold == f].mean() for f in range(5)])
    scores = {"log_loss": by_fold, "roc_auc": auc + np.array([0.01, -0.01, 0.02, -0.02, 0.0])}
    return CVResult(Candidate("", FAMILY), predictions, fold, 0.8, scores, ({},) * 5, 0.1, 1e-6, 1e-4)


def test_of_one_comparison_the_tail_is_its_own() -> None:
    assert joint_tail(np.eye(1)) == 0.025
    assert joint_tail(np.empty((0, 0))) == 0.025


@pytest.mark.parametrize("count", [2, 5, 12])
def test_independent_ones_share_the_tail_as_sidak_says(count: int) -> None:
    assert joint_tail(np.eye(count)) == pytest.approx(1 - 0.975 ** (1 / count), rel=0.06)


@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_correlated_ones_share_it_as_the_normal_distribution_says(correlation: float) -> None:
    matrix = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    quantile = norm.isf(joint_tail(matrix))
    assert multivariate_normal(np.zeros(3), matrix).cdf(np.full(3, quantile)) == pytest.approx(0.975, abs=0.001)
    assert 0.025 / 3 < joint_tail(matrix) < 0.025


def test_the_low_end_is_that_of_dunnett() -> None:
    """Many candidates against a control, whose rows are as many and vary as much: his table says 2.51 for five."""
    rng = np.random.default_rng(0)
    losses = rng.normal(0.6, 0.02, size=(6, 4000))
    baseline, *others = (cv_result(row) for row in losses)
    interval = margin(baseline, others[0], [baseline, *others], LOG_LOSS)
    plain = paired_difference(baseline, others[0], LOG_LOSS)
    error = standard_errors([baseline, others[0]], LOG_LOSS, None)[0, 1]
    assert (plain.value - interval.low) / error == pytest.approx(2.51, abs=0.05)
    assert (interval.value, interval.high) == (plain.value, plain.high)
    theirs = dunnett(*-losses[1:], control=-losses[0], alternative="greater", random_state=0)
    assert interval.low == pytest.approx(theirs.confidence_interval(0.975).low[0], abs=2e-5)


def test_errors_of_differences_over_folds_do_not_depend_on_how_far_candidates_are_apart() -> None:
    """Differences of .1, .2, .3, .2 and .2 less their mean: .02 squared; a fifth and a quarter of a fourth of it."""
    losses = np.full(50, 0.5)
    first, second = cv_result(losses, 0.5), cv_result(losses, 0.9)
    assert standard_errors([first, second], ROC_AUC, None)[0, 1] == pytest.approx(0.0, abs=1e-9)
    shifted_scores = {"roc_auc": first.fold_scores["roc_auc"] + np.array([0.1, 0.2, 0.3, 0.2, 0.2])}
    errors = standard_errors([first, second, replace(first, fold_scores=shifted_scores)], ROC_AUC, None)
    assert errors[0, 2] == errors[2, 0] == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * 0.02 / 4))
    assert errors[1, 2] == pytest.approx(errors[0, 2])


def test_the_low_end_goes_down_with_more_candidates_and_with_groups() -> None:
    rng = np.random.default_rng(2)
    losses = rng.uniform(0.2, 0.9, size=(13, 400))
    baseline, *others = (cv_result(row) for row in losses)
    ends = [margin(baseline, others[0], [baseline, *others[:k]], LOG_LOSS).low for k in (1, 4, 12)]
    assert ends[0] == paired_difference(baseline, others[0], LOG_LOSS).low
    assert ends == sorted(ends, reverse=True)
    shift = np.repeat(rng.normal(0.0, 0.1, size=20), 20)
    grouped = cv_result(losses[1] + shift - shift.min())
    groups = np.repeat(np.arange(20), 20)
    alone, together = (margin(baseline, grouped, [baseline, grouped], LOG_LOSS, g) for g in (None, groups))
    assert together.low < alone.low - 0.02


def test_a_candidate_that_predicts_what_the_baseline_does_counts_for_nothing() -> None:
    rng = np.random.default_rng(3)
    baseline, better = cv_result(rng.uniform(0.3, 0.9, size=200)), cv_result(rng.uniform(0.1, 0.9, size=200))
    same = replace(baseline, candidate=Candidate("again", FAMILY))
    alone = margin(baseline, better, [baseline, better], LOG_LOSS)
    assert margin(baseline, better, [baseline, same, better], LOG_LOSS) == alone


def test_the_best_of_equals_is_seldom_said_to_be_better_than_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve candidates that are as good as it; uncorrected, one of six runs said so."""
    monkeypatch.setattr(comparison, "DRAWS", 5_000)
    rng, runs, false, plain = np.random.default_rng(0), 200, 0, 0
    for _ in range(runs):
        shared = rng.normal(0.6, 0.1, size=150)
        every = [cv_result(np.maximum(shared + rng.normal(0.0, 0.1, size=150), 0.01)) for _ in range(13)]
        best = min(every[1:], key=lambda s: s.fold_scores["log_loss"].mean())
        false += margin(every[0], best, every, LOG_LOSS).low > 0
        plain += paired_difference(every[0], best, LOG_LOSS).low > 0
    assert false <= runs * 0.025 + 2 * np.sqrt(runs * 0.025 * 0.975)
    assert plain >= 0.1 * runs
