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


def scored(name, losses, family="lightgbm", way="none", auc=0.8):
    """A candidate whose rows have these log-losses."""
    told = np.exp(-np.asarray(losses))
    truth = np.arange(len(told)) % 2
    probability = np.where(np.eye(2)[truth] == 1, told[:, None], 1 - told[:, None])
    predictions = Predictions(("a", "b"), np.arange(len(told)), truth, probability, "out-of-fold")
    folds = np.arange(len(told)) % 5
    scores = {"log_loss": np.array([losses[folds == f].mean() for f in range(5)]), "roc_auc": auc + 0.01 * np.arange(5)}
    candidate = Candidate(name, registry.load("sortal.models", family), balance=way)
    return CVResult(candidate, predictions, folds, 0.8, scores, ({},) * 5, 0.1, 1e-6, 1e-4)


@pytest.fixture
def base():
    return np.random.default_rng(0).uniform(0.1, 0.9, size=500)


def test_it_compares_the_best_of_both_kinds_in_the_best_family(base):
    noise = np.random.default_rng(1).normal(0.05, 0.02, size=500)
    found = balancing(
        [
            scored("svm", base - 0.05, family="svm"),
            scored("logistic", base + 0.2, family="logistic"),
            scored("logistic balanced", base + 0.1, family="logistic", way="weights"),
            scored("lightgbm", base + noise),
            scored("lightgbm small", base),
            scored("lightgbm balanced", base + 0.2, way="weights"),
            scored("lightgbm focal", base + noise, way="focal"),
        ],
        LOG_LOSS,
    )
    assert found is not None
    assert found.winner == Arm("lightgbm small", "none")
    assert found.rival == Arm("lightgbm focal", "focal")
    assert not found.helped
    expected = difference(base + noise, base)
    assert astuple(found.behind) == pytest.approx(astuple(expected))
    assert found.behind.low > 0


def test_it_says_so_when_balancing_helped(base):
    found = balancing([scored("lightgbm", base), scored("lightgbm focal", base - 0.03, way="focal")], LOG_LOSS)
    assert found is not None
    assert found.helped
    assert found.winner.strategy == "focal"
    assert found.behind.value == pytest.approx(0.03)


def test_higher_is_better_for_some_metrics(base):
    worse, better = scored("lightgbm", base, auc=0.8), scored("lightgbm balanced", base, way="weights", auc=0.85)
    found = balancing([worse, better], ROC_AUC)
    assert found is not None
    assert found.winner.candidate == "lightgbm balanced"
    assert found.behind.value == pytest.approx(0.05)


def test_families_of_one_kind_tell_nothing(base):
    assert balancing([scored("lightgbm", base), scored("svm", base, family="svm")], LOG_LOSS) is None
    assert (
        balancing(
            [scored("svm", base, family="svm"), scored("logistic balanced", base, "logistic", "weights")], LOG_LOSS
        )
        is None
    )
