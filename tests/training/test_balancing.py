from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.evaluate.compare import difference
from sortal.training.balancing import Arm, balancing
from sortal.training.candidate import Candidate
from sortal.training.cv_result import CVResult

LOG_LOSS = registry.load("sortal.metrics", "log_loss")
ROC_AUC = registry.load("sortal.metrics", "roc_auc")


def cv_result(name, losses, family="lightgbm", way="none", auc=0.8):
    """A candidate whose rows have these log-losses."""
    likelihood = np.exp(-np.asarray(losses))
    truth = np.arange(len(likelihood)) % 2
    probability = np.where(np.eye(2)[truth] == 1, likelihood[:, None], 1 - likelihood[:, None])
    predictions = Predictions(("a", "b"), np.arange(len(likelihood)), truth, probability, "out-of-fold")
    folds = np.arange(len(likelihood)) % 5
    scores = {"log_loss": np.array([losses[folds == f].mean() for f in range(5)]), "roc_auc": auc + 0.01 * np.arange(5)}
    candidate = Candidate(name, registry.load("sortal.models", family), balance=way)
    return CVResult(candidate, predictions, folds, 0.8, scores, ({},) * 5, 0.1, 1e-6, 1e-4)


@pytest.fixture
def base():
    return np.random.default_rng(0).uniform(0.1, 0.9, size=500)


def test_it_compares_the_best_of_both_kinds_in_the_best_family(base):
    noise = np.random.default_rng(1).normal(0.05, 0.02, size=500)
    result = balancing(
        [
            cv_result("svm", base - 0.05, family="svm"),
            cv_result("logistic", base + 0.2, family="logistic"),
            cv_result("logistic balanced", base + 0.1, family="logistic", way="weights"),
            cv_result("lightgbm", base + noise),
            cv_result("lightgbm small", base),
            cv_result("lightgbm balanced", base + 0.2, way="weights"),
            cv_result("lightgbm focal", base + noise, way="focal"),
        ],
        LOG_LOSS,
    )
    assert result is not None
    assert result.winner == Arm("lightgbm small", "none")
    assert result.rival == Arm("lightgbm focal", "focal")
    assert not result.helped
    expected = difference(base + noise, base)
    assert astuple(result.behind) == pytest.approx(astuple(expected))
    assert result.behind.low > 0


def test_it_says_so_when_balancing_helped(base):
    result = balancing([cv_result("lightgbm", base), cv_result("lightgbm focal", base - 0.03, way="focal")], LOG_LOSS)
    assert result is not None
    assert result.helped
    assert result.winner.strategy == "focal"
    assert result.behind.value == pytest.approx(0.03)


def test_higher_is_better_for_some_metrics(base):
    worse, better = cv_result("lightgbm", base, auc=0.8), cv_result("lightgbm balanced", base, way="weights", auc=0.85)
    result = balancing([worse, better], ROC_AUC)
    assert result is not None
    assert result.winner.candidate == "lightgbm balanced"
    assert result.behind.value == pytest.approx(0.05)


def test_families_of_one_kind_tell_nothing(base):
    assert balancing([cv_result("lightgbm", base), cv_result("svm", base, family="svm")], LOG_LOSS) is None
    assert (
        balancing(
            [cv_result("svm", base, family="svm"), cv_result("logistic balanced", base, "logistic", "weights")],
            LOG_LOSS,
        )
        is None
    )


def test_rows_that_belong_together_say_less_of_what_balancing_gains(base):
    groups = np.repeat(np.arange(25), 20)
    shift = np.random.default_rng(3).normal(0.0, 0.05, size=25)[groups] + 0.06
    arms = [cv_result("lightgbm", base + shift), cv_result("lightgbm focal", base, way="focal")]
    alone, together = balancing(arms, LOG_LOSS), balancing(arms, LOG_LOSS, groups)
    assert alone is not None
    assert together is not None
    assert alone.behind.value == together.behind.value
    assert together.behind.high - together.behind.low > 2 * (alone.behind.high - alone.behind.low)


def test_every_arm_of_the_family_makes_the_low_end_lower(base):
    noise = np.random.default_rng(4).normal(0.03, 0.3, size=(3, 500))
    arms = [cv_result("lightgbm focal", base, way="focal"), cv_result("lightgbm", base + noise[0])]
    more = [cv_result(f"lightgbm {k}", base + 0.1 + noise[k], way="weights") for k in (1, 2)]
    others = [
        cv_result("svm", base + 0.1 + noise[1], family="svm"),
        cv_result("svm balanced", base + 0.2, "svm", "weights"),
    ]
    few, of_others, many = (balancing([*arms, *rivals], LOG_LOSS) for rivals in ([], others, more))
    assert few.winner == many.winner == of_others.winner == Arm("lightgbm focal", "focal")
    assert few.behind == of_others.behind
    assert many.behind.low < few.behind.low
