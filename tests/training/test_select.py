from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.compare import corrected_t
from sortal.stats.sampling import Mean
from sortal.training.candidate import Candidate
from sortal.training.comparison import paired_difference, standard_errors
from sortal.training.complexity import Complexity, simplest
from sortal.training.cv_result import CVResult
from sortal.training.select import (
    choose,
    optimism,
    selection_bias,
)

LOG_LOSS = registry.load("sortal.metrics", "log_loss")
ROC_AUC = registry.load("sortal.metrics", "roc_auc")


TASK = Task("y", ("a", "b"), (0.5, 0.5), "b", "log_loss", (), ())


def cv_result(name, losses, complexity=1, auc=0.8, trees=0):
    """A candidate whose rows have these log-losses."""
    likelihood = np.exp(-np.asarray(losses))
    truth = np.arange(len(likelihood)) % 2
    probability = np.where(np.eye(2)[truth] == 1, likelihood[:, None], 1 - likelihood[:, None])
    predictions = Predictions(("a", "b"), np.arange(len(likelihood)), truth, probability, "out-of-fold")
    folds = np.arange(len(likelihood)) % 5
    scores = {"log_loss": np.array([losses[folds == f].mean() for f in range(5)]), "roc_auc": auc + 0.01 * np.arange(5)}
    family = replace(registry.load("sortal.models", "logistic"), complexity=complexity)
    return CVResult(Candidate(name, family), predictions, folds, 0.8, scores, ({"rounds": trees},) * 5, 0.1, 1e-6, 1e-4)


def log_loss_of(predictions):
    return float(-np.log(predictions.probability[np.arange(len(predictions)), predictions.truth]).mean())


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_tie_goes_to_the_simpler_one(rng):
    base = rng.uniform(0.1, 0.9, size=500)
    best = cv_result("elaborate", base, complexity=4)
    noise = rng.normal(scale=0.2, size=500)
    close = cv_result("simple", np.clip(base + noise - noise.mean() + 0.001, 0.01, 3), complexity=1)
    choice = choose([best, close], LOG_LOSS, log_loss_of, seed=0)
    assert (choice.best, choice.winner, choice.tied) == (best, close, (close,))
    assert choice.runner_up is best


def test_a_clear_difference_goes_to_the_better_one(rng):
    base = rng.uniform(0.1, 0.9, size=500)
    best, worse = cv_result("elaborate", base, complexity=4), cv_result("simple", base + 0.05, complexity=1)
    choice = choose([worse, best], LOG_LOSS, log_loss_of, seed=0)
    assert choice.winner is best
    assert choice.tied == ()
    assert paired_difference(worse, best, LOG_LOSS).value == pytest.approx(0.05)


def test_the_gap_is_positive_for_the_worse_one_in_either_direction(rng):
    base = rng.uniform(0.1, 0.9, size=100)
    good, bad = cv_result("good", base, auc=0.9), cv_result("bad", base, auc=0.7)
    assert paired_difference(bad, good, ROC_AUC).value == pytest.approx(0.2)
    assert paired_difference(good, bad, ROC_AUC).value == pytest.approx(-0.2)


def test_equally_good_candidates_flatter_their_best(rng):
    """The winner of 20 that differ by chance only looks better than it is; the correction is about that much."""
    estimates, true = [], []
    for seed in range(20):
        local = np.random.default_rng(seed)
        many = [cv_result(str(i), local.uniform(0.1, 0.9, size=200)) for i in range(20)]
        means = np.array([s.predictions.probability for s in many])
        losses = np.array([log_loss_of(s.predictions) for s in many])
        assert means.shape == (20, 200, 2)
        true.append(0.5 - losses.min())
        estimates.append(-optimism(many, LOG_LOSS, log_loss_of, seed))
    assert np.mean(true) > 0.02
    assert np.mean(estimates) == pytest.approx(np.mean(true), rel=0.35)


def test_one_candidate_flatters_nobody(rng):
    only = cv_result("only", rng.uniform(0.1, 0.9, size=100))
    choice = choose([only], LOG_LOSS, log_loss_of, seed=0)
    assert (choice.bias, choice.runner_up, choice.p_value) == (0.0, None, None)


def test_noise_excuses_no_large_gap(rng):
    """A few rows that a candidate is sure and wrong about make the comparison noisy; it is worse all the same."""
    base = rng.uniform(0.1, 0.3, size=500)
    wrong = base.copy()
    wrong[:2] = 34.0
    best, worse = cv_result("elaborate", base, complexity=4), cv_result("simple", wrong, complexity=1)
    behind = paired_difference(worse, best, LOG_LOSS)
    error = standard_errors([best, worse], LOG_LOSS, None)[0, 1]
    assert behind.value < 2 * error
    assert behind.high > 1.9 * behind.value
    assert choose([best, worse], LOG_LOSS, log_loss_of, seed=0).winner is best


def test_a_tie_of_equally_simple_ones_goes_to_the_much_faster(rng):
    base = rng.uniform(0.1, 0.9, size=500)
    noise = rng.normal(scale=0.2, size=500)
    close = np.clip(base + noise - noise.mean() + 0.001, 0.01, 3)
    best = cv_result("many trees", base, trees=900)
    fast, hardly = cv_result("few trees", close, trees=300), cv_result("fewer trees", close, trees=700)
    choice = choose([best, fast], LOG_LOSS, log_loss_of, seed=0)
    assert (choice.winner, choice.reason) == (fast, "faster")
    assert choose([best, hardly], LOG_LOSS, log_loss_of, seed=0).reason == "best"
    simple = cv_result("simple", close, complexity=0, trees=2000)
    choice = choose([best, simple], LOG_LOSS, log_loss_of, seed=0)
    assert (choice.winner, choice.reason) == (simple, "simpler")


def test_of_two_that_predict_the_same_the_simpler_wins(rng):
    base = rng.uniform(0.1, 0.9, size=200)
    elaborate, simple = cv_result("elaborate", base, complexity=4), cv_result("simple", base, complexity=1)
    choice = choose([elaborate, simple], LOG_LOSS, log_loss_of, seed=0)
    assert (choice.winner, choice.bias) == (simple, 0.0)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1000)), min_size=1, max_size=8))
@settings(max_examples=60)
def test_the_plainest_is_as_simple_as_any(pairs):
    complexities = [Complexity(complexity, trees) for complexity, trees in pairs]
    index = simplest(complexities, range(len(complexities)))
    least = min(item.complexity for item in complexities)
    expected = complexities.index(next(item for item in complexities if item.complexity == least))
    for i, item in enumerate(complexities):
        if item.complexity == least and 0 < item.trees <= complexities[expected].trees / 2:
            expected = max(expected, i)
    assert index == expected


def test_both_figures_are_told(rng):
    many = [cv_result(str(i), rng.uniform(0.1, 0.9, size=200)) for i in range(10)]
    choice = choose(many, LOG_LOSS, log_loss_of, seed=0)
    raw_score = float(choice.winner.fold_scores["log_loss"].mean())
    assert choice.corrected + choice.bias == pytest.approx(raw_score)
    assert choice.bias < 0
    assert choice.corrected > raw_score


def test_a_clear_winner_is_not_flattered(rng):
    base = rng.uniform(0.1, 0.9, size=300)
    worse = [cv_result(str(i), base + 0.2 + 0.01 * rng.random(300)) for i in range(5)]
    assert optimism([cv_result("best", base), *worse], LOG_LOSS, log_loss_of, seed=0) == 0.0


def test_flattery_of_equals_is_what_the_winner_looks_too_good_by():
    """Means of normal noise: the winner's expectation is zero. The average of 60 has a standard error of about .01."""
    looks, corrected = [], []
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(size=(20, 100))
        losses = noise.mean(axis=1)
        described = [Mean(x, -np.inf, np.inf) for x in noise]
        looks.append(losses.min())
        corrected.append(losses.min() + selection_bias(described, losses, lambda values: int(np.argmin(values)), seed))
    assert np.mean(looks) == pytest.approx(-0.187, abs=0.03)
    assert abs(np.mean(corrected)) < 0.04


@pytest.mark.parametrize("metric", ["balanced_accuracy", "roc_auc", "f1", "brier"])
def test_a_metric_that_tells_what_it_is_made_of_is_corrected_as_one_that_does_not(metric):
    """The same splits, by products of matrices and by scoring rows: exact for shares and means, close for rankings."""
    scorer = registry.load("sortal.metrics", metric)
    rng = np.random.default_rng(3)
    many = [cv_result(str(i), rng.uniform(0.2, 1.2, size=400)) for i in range(6)]

    def arguments(predictions):
        return TASK, predictions, predictions.probability.argmax(axis=1)

    scores = [scorer.score(*arguments(s.predictions)) for s in many]
    many = [replace(s, fold_scores={metric: np.full(5, score)}) for s, score in zip(many, scores, strict=True)]
    short = [optimism(many, scorer, lambda p: scorer.score(*arguments(p)), seed) for seed in range(5)]
    quick = optimism(many, scorer, lambda p: np.nan, 0, describe=lambda p: scorer.sampling(*arguments(p)))
    assert quick == pytest.approx(np.mean(short), abs=4 * np.std(short) / np.sqrt(5) + 0.002)
    assert abs(quick) > 0.003


def test_a_candidate_may_leave_all_rows_of_a_class_or_all_to_a_person():
    """Its score is then the mean of fewer shares than that of others, or of none: it is scored again and again."""
    metric, rng = registry.load("sortal.metrics", "balanced_accuracy"), np.random.default_rng(5)
    task = Task("y", ("a", "b", "c"), (0.4, 0.3, 0.3), None, "balanced_accuracy", (), ())
    truth = np.arange(120) % 3

    def decided(predictions):
        """A row is left to a person (code 3) where its likeliest class is not likely."""
        return np.where(predictions.probability.max(axis=1) > 0.6, predictions.probability.argmax(axis=1), 3)

    def candidate(name, sure):
        p = np.where(sure[truth][:, None], np.eye(3)[rng.permutation(truth)] * 0.7 + 0.1, 1 / 3)
        rows = Predictions(task.classes, np.arange(120), truth, p, "out-of-fold")
        score = metric.score(task, rows, decided(rows))
        return replace(
            cv_result(name, np.full(120, 0.5)), predictions=rows, fold_scores={metric.name: np.full(5, score)}
        ), len(metric.sampling(task, rows, decided(rows)).pairs)

    cases = [candidate("of all", np.ones(3, bool)), candidate("of two", np.arange(3) < 2)]
    cases.append(candidate("of none", np.zeros(3, bool)))
    assert [count for _, count in cases] == [3, 2, 0]
    results = [result for result, _ in cases]
    quick = optimism(
        results,
        metric,
        lambda p: metric.score(task, p, decided(p)),
        0,
        describe=lambda p: metric.sampling(task, p, decided(p)),
    )
    assert quick == optimism(results, metric, lambda p: metric.score(task, p, decided(p)), 0)
    assert np.isfinite(quick)


def test_rows_that_belong_together_stay_together(rng):
    """Every row five times over tells no more than once, and flatters as much as it would once."""
    once = rng.normal(size=(10, 60))
    losses = once.mean(axis=1)

    def correction(values, groups):
        described = [Mean(x, -np.inf, np.inf) for x in values]
        return np.mean(
            [selection_bias(described, losses, lambda f: int(np.argmin(f)), s, groups=groups) for s in range(5)]
        )

    five = np.repeat(once, 5, axis=1)
    alone, grouped, ungrouped = (
        correction(once, None),
        correction(five, np.repeat(np.arange(60), 5)),
        correction(five, None),
    )
    assert grouped == pytest.approx(alone, rel=0.15)
    assert ungrouped < 0.8 * grouped
    assert selection_bias([Mean(x, -np.inf, np.inf) for x in once], losses, np.argmin, 0, groups=np.zeros(60)) == 0.0


def test_groups_widen_the_comparison_and_with_it_the_ties(rng):
    base = rng.uniform(0.3, 0.9, size=600)
    shift = np.repeat(rng.normal(0.0, 0.05, size=30), 20)
    shift += 0.004 - shift.mean()
    best, worse = cv_result("elaborate", base, complexity=4), cv_result("simple", base + shift, complexity=1)
    groups = np.repeat(np.arange(30), 20)
    alone, together = paired_difference(worse, best, LOG_LOSS), paired_difference(worse, best, LOG_LOSS, groups)
    assert together.high - together.low > 3 * (alone.high - alone.low)
    assert choose([best, worse], LOG_LOSS, log_loss_of, seed=0).winner is best
    assert choose([best, worse], LOG_LOSS, log_loss_of, seed=0, groups=groups).winner is worse


def test_fold_scores_are_compared_by_the_corrected_resampled_t(rng):
    base = rng.uniform(0.1, 0.9, size=200)
    a, b = cv_result("a", base, auc=0.82), cv_result("b", base, auc=0.8)
    b = replace(b, fold_scores=b.fold_scores | {"roc_auc": np.array([0.8, 0.79, 0.81, 0.84, 0.78])})
    choice = choose([a, b], ROC_AUC, lambda p: 0.8, seed=0)
    expected = corrected_t(a.fold_scores["roc_auc"], b.fold_scores["roc_auc"], 0.8)[1]
    assert choice.p_value == pytest.approx(expected)


@pytest.mark.parametrize("group_size", [1, 5])
def test_the_p_value_is_two_sided_and_counts_groups(rng, group_size):
    n, groups = 60, np.repeat(np.arange(60 // group_size), group_size)
    base, gap = rng.uniform(0.3, 0.9, size=n), rng.normal(0.02, 0.1, size=n)
    a, b = cv_result("a", base, complexity=1), cv_result("b", base + gap, complexity=1)
    sums = np.bincount(groups, gap - gap.mean())
    error = np.sqrt(sums @ sums * len(sums) / (len(sums) - 1)) / n
    expected = 2 * stats.norm.sf(abs(gap.mean()) / error)
    assert 0.02 < expected < 0.9
    for one, other in ((a, b), (b, a)):
        choice = choose([one, other], LOG_LOSS, log_loss_of, seed=0, groups=None if group_size == 1 else groups)
        assert choice.p_value == pytest.approx(expected)
    own = choose([a, b], LOG_LOSS, log_loss_of, seed=0, groups=np.arange(n)).p_value
    assert own == pytest.approx(choose([a, b], LOG_LOSS, log_loss_of, seed=0).p_value)


@pytest.mark.parametrize(
    ("one", "other", "less"),
    [
        ((1, 0), (2, 0), True),
        ((2, 0), (1, 900), False),
        ((1, 50), (1, 100), True),
        ((1, 51), (1, 100), False),
        ((1, 0), (1, 100), False),
        ((1, 0), (1, 0), False),
    ],
)
def test_simpler_or_as_simple_with_half_of_the_trees(one, other, less):
    """What has no trees to count is not known to be faster."""
    assert Complexity(*one).much_less(Complexity(*other)) == less
