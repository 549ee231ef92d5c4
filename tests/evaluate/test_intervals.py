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
from sortal.evaluate.intervals import (
    folds_interval,
    mean_interval,
    percentile_interval,
    rates_interval,
    resample,
)
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric, metrics_for
from sortal.stats.sampling import Mean, Rates

TASK = Task("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", (), (), cost=((0.0, 1.0), (8.0, 0.0)))


def load(name: str) -> Metric:
    return registry.load("sortal.metrics", name)


def draw(rng: np.random.Generator, n: int, groups=None):
    """Calibrated predictions of a skewed task; rows of one group share half of what makes them different."""
    z = rng.normal(size=n)
    if groups is not None:
        z = np.sqrt(0.5) * z + np.sqrt(0.5) * rng.normal(size=groups.max() + 1)[groups]
    p = 1 / (1 + np.exp(2 - 2 * z))
    truth = (rng.random(n) < p).astype(np.int64)
    predictions = Predictions(("no", "yes"), np.arange(n), truth, np.column_stack([1 - p, p]), "test", groups=groups)
    return predictions, (p > 0.3).astype(np.int64)


@given(seed=st.integers(0, 500), n=st.integers(20, 80))
@settings(deadline=None, max_examples=30)
def test_accuracy_recall_and_precision_are_wilsons(seed, n):
    predictions, decided = draw(np.random.default_rng(seed), n)
    truth = predictions.truth
    for name, trial in (("accuracy", truth >= 0), ("recall", truth == 1), ("precision", decided == 1)):
        if trial.any() and truth.any():
            hits = int((trial & (truth == decided)).sum())
            expected = stats.binomtest(hits, int(trial.sum())).proportion_ci(method="wilson")
            found = interval(load(name), TASK, predictions, decided)
            assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_mean_of_symmetric_values_is_students_t():
    values = np.concatenate([-np.arange(1, 20), np.arange(1, 20)]).astype(float)
    found = mean_interval(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_a_mean_that_never_varies_may_still_vary_within_its_range():
    never_wrong = mean_interval(np.zeros(100), low=0.0, high=8.0)
    assert (never_wrong.low, never_wrong.value) == (0, 0)
    assert never_wrong.high == pytest.approx(8 * stats.binomtest(0, 100).proportion_ci(method="wilson").high)
    assert mean_interval(np.full(100, 0.7)).high == pytest.approx(0.7)
    alone = mean_interval(np.array([0.7]))
    assert alone.value == 0.7
    assert np.isnan([alone.low, alone.high]).all()


def test_folds_follow_nadeau_and_bengio():
    scores = [0.81, 0.79, 0.84, 0.8, 0.82]
    found = folds_interval(scores, 800, 200)
    error = np.std(scores, ddof=1) * np.sqrt(1 / 5 + 200 / 800)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(scores), scale=error)
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(scores), low, high))
    assert folds_interval(scores, [790, 810, 800, 800, 800], [210, 190, 200, 200, 200]) == found
    alone = folds_interval([0.8], 800, 200)
    assert np.isnan([alone.low, alone.high]).all()


@pytest.mark.parametrize("grouped", [False, True])
def test_every_interval_holds_its_score_and_is_reproducible(grouped):
    rng = np.random.default_rng(0)
    groups = np.arange(300) // 3 if grouped else None
    predictions, decided = draw(rng, 300, groups)
    for metric in metrics_for(TASK):
        found = interval(metric, TASK, predictions, decided, seed=1, repeats=100)
        score = metric.score(TASK, predictions, decided)
        assert found.value == pytest.approx(score), metric.name
        assert found.low <= found.value <= found.high, metric.name
        assert found.low < found.high, metric.name
        assert found == interval(metric, TASK, predictions, decided, seed=1, repeats=100)


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_hold_the_truth_as_often_as_they_say(grouped):
    """Of 300 samples, a 95 % interval holds the truth in less than 91 % by chance in about 1 of 500 cases."""
    rng = np.random.default_rng(4)
    names = ["roc_auc", "average_precision", "f1", "log_loss", "brier", "expected_cost", "balanced_accuracy"]
    metrics = [load(name) for name in [*names, "recall", "precision", "accuracy", "ece"]]
    groups = np.arange(400) // 4 if grouped else None
    huge, decided = draw(rng, 400_000)
    truth = np.array([m.score(TASK, huge, decided) for m in metrics])
    held, runs = np.zeros(len(metrics)), 300
    for _ in range(runs):
        predictions, decided = draw(rng, 400, groups)
        found = [interval(m, TASK, predictions, decided) for m in metrics]
        held += [i.low <= t <= i.high for i, t in zip(found, truth, strict=True)]
    cover = dict(zip([m.name for m in metrics], held / runs, strict=True))
    assert min(cover.values()) >= 0.91, cover


def test_groups_widen_the_interval_of_what_they_share():
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(60), 20)
    right = np.repeat(rng.random(60) < 0.7, 20)
    truth = np.arange(1200) % 2
    predictions = Predictions(("no", "yes"), np.arange(1200), truth, np.full((1200, 2), 0.5), "test", groups=groups)
    decided = np.where(right, truth, 1 - truth)
    together = interval(load("accuracy"), TASK, predictions, decided)
    once = stats.binomtest(int(right[::20].sum()), 60).proportion_ci(method="wilson")
    assert (together.low, together.high) == pytest.approx((once.low, once.high), abs=0.005)


def test_few_groups_have_the_quantile_of_students_t():
    """Where each row is a group of its own, only the estimate of the variance and the quantile differ."""
    n = 13
    predictions, decided = draw(np.random.default_rng(11), n)
    assert 0 < predictions.truth.sum() < n
    rows = interval(load("roc_auc"), TASK, predictions, decided)
    grouped = interval(load("roc_auc"), TASK, replace(predictions, groups=np.arange(n)), decided)

    def width(found):
        return np.log(found.high / (1 - found.high)) - np.log(found.low / (1 - found.low))

    expected = stats.t.ppf(0.975, n - 1) / stats.norm.ppf(0.975) * np.sqrt(n / (n - 1))
    assert width(grouped) / width(rows) == pytest.approx(expected)


def test_few_groups_hold_the_truth_as_often_as_they_say():
    """Twelve groups of forty rows: with normal quantiles these intervals hold it in 92 to 93 %."""
    rng = np.random.default_rng(0)
    metrics = [load(name) for name in ("roc_auc", "balanced_accuracy", "accuracy")]
    huge, decided = draw(rng, 200_000)
    truth = [m.score(TASK, huge, decided) for m in metrics]
    groups, held, runs = np.repeat(np.arange(12), 40), np.zeros(3), 300
    for _ in range(runs):
        predictions, decided = draw(rng, len(groups), groups)
        found = [interval(m, TASK, predictions, decided) for m in metrics]
        held += [i.low <= t <= i.high for i, t in zip(found, truth, strict=True)]
    assert (held / runs).min() >= 0.93, held / runs
    assert (held / runs).max() <= 0.98, held / runs


ALL = sorted(metric.name for metric in metrics_for(TASK))


@pytest.mark.parametrize("name", ALL)
def test_more_confidence_takes_a_wider_interval(name):
    predictions, decided = draw(np.random.default_rng(3), 200)
    by_row = replace(load(name), sampling=None)
    for metric in (load(name), by_row):
        found = [interval(metric, TASK, predictions, decided, confidence=c, repeats=100) for c in (0.5, 0.8, 0.95)]
        widths = [each.high - each.low for each in found]
        assert widths[0] < 0.95 * widths[1] < 0.95**2 * widths[2], metric
    hits = int((decided == predictions.truth).sum())
    wilson = stats.binomtest(hits, 200).proportion_ci(0.8, method="wilson")
    found = interval(load("accuracy"), TASK, predictions, decided, confidence=0.8)
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))


@pytest.mark.parametrize("name", ALL)
def test_clones_in_one_group_tell_no_more_than_the_row_that_was_cloned(name):
    """In any order of the rows."""
    metric, n = load(name), 240
    predictions, decided = draw(np.random.default_rng(9), n)
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(n), 5))
    clones, decided_clones = predictions.take(rows), decided[rows]
    once, apart, together = (
        interval(metric, TASK, told, said, repeats=200)
        for told, said in (
            (predictions, decided),
            (clones, decided_clones),
            (replace(clones, groups=100 - rows), decided_clones),
        )
    )
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
    if name != "ece":  # which is debiased by the number of rows
        assert together.value == pytest.approx(once.value)
        assert together.high - together.low == pytest.approx(once.high - once.low, rel=0.2)


def test_a_single_group_tells_nothing_about_a_ranking():
    predictions, decided = draw(np.random.default_rng(12), 60)
    found = interval(load("roc_auc"), TASK, replace(predictions, groups=np.zeros(60, dtype=np.int64)), decided)
    assert (found.low, found.high) == (0, 1)


def test_perfect_scores_are_not_certain():
    truth = np.repeat([0, 1], [90, 10])
    probability = np.column_stack([1 - 0.9 * truth, 0.9 * truth])
    predictions = Predictions(("no", "yes"), np.arange(100), truth, probability, "test")
    ten_of_ten = stats.binomtest(10, 10).proportion_ci(method="wilson").low
    for name in ("roc_auc", "average_precision", "recall", "precision"):
        found = interval(load(name), TASK, predictions, truth)
        assert (found.value, found.high) == (1, 1)
        assert found.low == pytest.approx(ten_of_ten), name
    assert interval(load("expected_cost"), TASK, predictions, truth).high > 0


def test_one_positive_row_tells_nothing_about_a_ranking():
    truth = np.repeat([0, 1], [9, 1])
    p = np.linspace(0.1, 0.9, 10)
    predictions = Predictions(("no", "yes"), np.arange(10), truth, np.column_stack([1 - p, p]), "test")
    found = interval(load("roc_auc"), TASK, predictions, truth)
    assert (found.value, found.low, found.high) == (1, 0, 1)


def test_the_undefined_has_no_interval():
    predictions, decided = draw(np.random.default_rng(0), 20)
    none = Predictions(("no", "yes"), np.arange(20), np.zeros(20, dtype=np.int64), predictions.probability, "test")
    found = interval(load("roc_auc"), TASK, none, decided)
    assert np.isnan([found.value, found.low, found.high]).all()


@pytest.mark.parametrize("grouped", [False, True])
def test_a_metric_that_tells_nothing_is_bootstrapped(grouped):
    def score(task, told, decided):
        return float(np.mean((told.probability[:, 1] - told.truth) ** 2))

    plain = Metric("mine", "mine", False, "probability", True, score, "Mine.")
    groups = np.arange(400) // 4 if grouped else None
    predictions, decided = draw(np.random.default_rng(6), 400, groups)
    boot = interval(plain, TASK, predictions, decided, seed=0, repeats=400)
    closed = interval(load("brier"), TASK, predictions, decided)
    assert boot.value == pytest.approx(closed.value)
    assert (boot.low, boot.high) == pytest.approx((closed.low, closed.high), abs=0.15 * (closed.high - closed.low))


def test_resampling_by_cluster_keeps_clusters_whole():
    clusters = np.array([0, 1, 0, 2, 1, 2])
    sums = resample(lambda rows: float(np.bincount(clusters[rows], minlength=3).max() % 2), 6, clusters, 0, 50)
    assert not sums.any()


@given(m=st.integers(1, 4), n=st.integers(10, 50), seed=st.integers(0, 500))
@settings(deadline=None, max_examples=40)
def test_a_mean_of_rates_is_no_wider_than_its_widest(m, n, seed):
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(m), rng.integers(m, size=n)])
    hit = rng.random(len(codes)) < 0.7
    pairs = [(codes == k, (codes == k) & hit) for k in range(m)]
    joint = rates_interval(Rates(pairs))
    alone = [rates_interval(Rates([pair])) for pair in pairs]
    assert joint.value == pytest.approx(np.mean([i.value for i in alone]))
    assert joint.high - joint.low <= max(i.high - i.low for i in alone) + 1e-12


def test_sampling_says_what_the_score_is_made_of():
    predictions, decided = draw(np.random.default_rng(7), 50)
    arguments = (TASK, predictions, decided)
    for name in ("log_loss", "brier", "expected_cost"):
        described = load(name).sampling(*arguments)
        assert isinstance(described, Mean)
        assert described.values.mean() == pytest.approx(load(name).score(*arguments))
        assert described.low <= described.values.min() <= described.values.max() <= described.high


def test_percentiles_leave_out_as_much_on_each_side():
    found = percentile_interval(0.5, np.linspace(0, 1, 1001), 0.95)
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))
    skewed = np.linspace(0.4, 0.9, 1001)
    plain, reflected = percentile_interval(0.5, skewed, 0.8), percentile_interval(0.5, skewed, 0.8, optimistic=True)
    assert (plain.low, plain.high) == pytest.approx((0.45, 0.85))
    assert (reflected.low, reflected.high) == pytest.approx((0.15, 0.85))


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=8))
@settings(deadline=None, max_examples=60)
def test_a_mean_of_a_few_rows_keeps_to_the_range_of_its_values(values):
    found = mean_interval(np.array(values), low=0.0, high=1.0)
    assert 0 <= found.low <= found.value <= found.high <= 1
    two = mean_interval(np.array([0.0, 1.0]), low=0.0, high=1.0)
    assert (two.low, two.high) == (0, 1)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_the_interval_of_a_mean_over_classes_is_as_wide_as_that_of_resamples(name):
    rng, k, n = np.random.default_rng(3), 4, 600
    truth = rng.integers(k, size=n)
    probability = rng.dirichlet(np.ones(k), size=n) + 0.3 * np.eye(k)[truth]
    probability /= probability.sum(axis=1, keepdims=True)
    task = replace(TASK, classes=("a", "b", "c", "d"), prevalence=(0.25,) * k, positive=None)
    predictions = Predictions(task.classes, np.arange(n), truth, probability, "test")
    closed = interval(load(name), task, predictions, truth)
    boot = interval(replace(load(name), sampling=None), task, predictions, truth, repeats=200)
    assert closed.high - closed.low == pytest.approx(boot.high - boot.low, rel=0.25)
