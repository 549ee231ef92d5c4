from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.training.candidate import Candidate
from sortal.training.crossval import Scored
from sortal.training.select import choose, gap, optimism

LOG_LOSS = registry.load("sortal.metrics", "log_loss")
ROC_AUC = registry.load("sortal.metrics", "roc_auc")


def scored(name, losses, complexity=1, auc=0.8):
    """A candidate whose rows have these log-losses."""
    told = np.exp(-np.asarray(losses))
    truth = np.arange(len(told)) % 2
    probability = np.where(np.eye(2)[truth] == 1, told[:, None], 1 - told[:, None])
    predictions = Predictions(("a", "b"), np.arange(len(told)), truth, probability, "out-of-fold")
    folds = np.arange(len(told)) % 5
    scores = {"log_loss": np.array([losses[folds == f].mean() for f in range(5)]), "roc_auc": auc + 0.01 * np.arange(5)}
    family = replace(registry.load("sortal.models", "logistic"), complexity=complexity)
    return Scored(Candidate(name, family), predictions, folds, 0.8, scores, ({},) * 5, 0.1, 1e-6, 1e-4)


def log_loss_of(predictions):
    return float(-np.log(predictions.probability[np.arange(len(predictions)), predictions.truth]).mean())


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_tie_goes_to_the_simpler_one(rng):
    base = rng.uniform(0.1, 0.9, size=500)
    best = scored("elaborate", base, complexity=4)
    noise = rng.normal(scale=0.2, size=500)
    close = scored("simple", np.clip(base + noise - noise.mean() + 0.001, 0.01, 3), complexity=1)
    chosen = choose([best, close], LOG_LOSS, log_loss_of, seed=0)
    assert (chosen.best, chosen.chosen, chosen.tied) == (best, close, (close,))
    assert chosen.runner_up is best


def test_a_clear_difference_goes_to_the_better_one(rng):
    base = rng.uniform(0.1, 0.9, size=500)
    best, worse = scored("elaborate", base, complexity=4), scored("simple", base + 0.05, complexity=1)
    chosen = choose([worse, best], LOG_LOSS, log_loss_of, seed=0)
    assert chosen.chosen is best
    assert chosen.tied == ()
    assert gap(worse, best, LOG_LOSS).value == pytest.approx(0.05)


def test_the_gap_is_positive_for_the_worse_one_in_either_direction(rng):
    base = rng.uniform(0.1, 0.9, size=100)
    good, bad = scored("good", base, auc=0.9), scored("bad", base, auc=0.7)
    assert gap(bad, good, ROC_AUC).value == pytest.approx(0.2)
    assert gap(good, bad, ROC_AUC).value == pytest.approx(-0.2)


def test_equally_good_candidates_flatter_their_best(rng):
    """The winner of 20 that differ by chance only looks better than it is; the correction is about that much."""
    found, true = [], []
    for seed in range(20):
        local = np.random.default_rng(seed)
        many = [scored(str(i), local.uniform(0.1, 0.9, size=200)) for i in range(20)]
        means = np.array([s.predictions.probability for s in many])
        losses = np.array([log_loss_of(s.predictions) for s in many])
        assert means.shape == (20, 200, 2)
        true.append(0.5 - losses.min())
        found.append(-optimism(many, LOG_LOSS, log_loss_of, seed))
    assert np.mean(true) > 0.02
    assert np.mean(found) == pytest.approx(np.mean(true), rel=0.35)


def test_one_candidate_flatters_nobody(rng):
    only = scored("only", rng.uniform(0.1, 0.9, size=100))
    chosen = choose([only], LOG_LOSS, log_loss_of, seed=0)
    assert (chosen.bias, chosen.runner_up, chosen.p_value) == (0.0, None, None)


def test_noise_excuses_no_large_gap(rng):
    """A few rows that a candidate is sure and wrong about make the comparison noisy; it is worse all the same."""
    base = rng.uniform(0.1, 0.3, size=500)
    wrong = base.copy()
    wrong[:2] = 34.0
    best, worse = scored("elaborate", base, complexity=4), scored("simple", wrong, complexity=1)
    behind = gap(worse, best, LOG_LOSS)
    assert behind.low < 0 < behind.value or behind.value < behind.high - behind.low
    assert choose([best, worse], LOG_LOSS, log_loss_of, seed=0).chosen is best
