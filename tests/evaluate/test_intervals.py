from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sortal.core import registry
from sortal.core.costs import CostColumn
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
@settings(max_examples=30)
def test_accuracy_recall_and_precision_are_wilsons(seed, n):
    predictions, decided = draw(np.random.default_rng(seed), n)
    truth = predictions.truth
    for name, trial in (("accuracy", truth >= 0), ("recall", truth == 1), ("precision", decided == 1)):
        if trial.any() and truth.any():
            hits = int((trial & (truth == decided)).sum())
            expected = stats.binomtest(hits, int(trial.sum())).proportion_ci(method="wilson")
            estimate = interval(load(name), TASK, predictions, decided)
            assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_mean_of_symmetric_values_is_about_students_t():
    values = np.concatenate([-np.arange(1, 20), np.arange(1, 20)]).astype(float)
    estimate = mean_interval(Mean(values))
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=0.04)
    assert estimate.low == pytest.approx(-estimate.high)


def test_a_mean_that_never_varies_may_still_vary_within_its_range():
    never_wrong = mean_interval(Mean(np.zeros(100), 0.0, 8.0))
    assert (never_wrong.low, never_wrong.value) == (0, 0)
    t = stats.t.ppf(0.975, 99)
    assert never_wrong.high == pytest.approx(8 * t**2 / (100 + t**2))
    assert mean_interval(Mean(np.full(100, 0.7))).high == pytest.approx(0.7)
    alone = mean_interval(Mean(np.array([0.7])))
    assert alone.value == 0.7
    assert np.isnan([alone.low, alone.high]).all()


def test_folds_follow_nadeau_and_bengio():
    scores = [0.81, 0.79, 0.84, 0.8, 0.82]
    estimate = folds_interval(scores, 800, 200)
    error = np.std(scores, ddof=1) * np.sqrt(1 / 5 + 200 / 800)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(scores), scale=error)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((np.mean(scores), low, high))
    assert folds_interval(scores, [790, 810, 800, 800, 800], [210, 190, 200, 200, 200]) == estimate
    alone = folds_interval([0.8], 800, 200)
    assert np.isnan([alone.low, alone.high]).all()


@pytest.mark.parametrize("grouped", [False, True])
def test_every_interval_holds_its_score_and_is_reproducible(grouped):
    rng = np.random.default_rng(0)
    groups = np.arange(300) // 3 if grouped else None
    predictions, decided = draw(rng, 300, groups)
    for metric in metrics_for(TASK):
        estimate = interval(metric, TASK, predictions, decided, seed=1, repeats=100)
        score = metric.score(TASK, predictions, decided)
        assert estimate.value == pytest.approx(score), metric.name
        assert estimate.low <= estimate.value <= estimate.high, metric.name
        assert estimate.low < estimate.high, metric.name
        assert estimate == interval(metric, TASK, predictions, decided, seed=1, repeats=100)


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_hold_the_truth_as_often_as_they_say(grouped):
    """Of 300 samples, a 95 % interval holds the truth in less than 91 % by chance in about 1 of 500 cases."""
    rng = np.random.default_rng(4)
    names = ["roc_auc", "average_precision", "f1", "log_loss", "brier", "expected_cost", "balanced_accuracy"]
    metrics = [load(name) for name in [*names, "recall", "precision", "accuracy", "ece"]]
    groups = np.arange(400) // 4 if grouped else None
    huge, decided = draw(rng, 400_000)
    truth = np.array([m.score(TASK, huge, decided) for m in metrics])
    n_covered, runs = np.zeros(len(metrics)), 300
    for _ in range(runs):
        predictions, decided = draw(rng, 400, groups)
        estimates = [interval(m, TASK, predictions, decided) for m in metrics]
        n_covered += [i.low <= t <= i.high for i, t in zip(estimates, truth, strict=True)]
    cover = dict(zip([m.name for m in metrics], n_covered / runs, strict=True))
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
    values = Mean(np.random.default_rng(11).normal(size=n))
    rows, grouped = mean_interval(values), mean_interval(values, np.arange(n))
    assert (grouped.high - grouped.low) / (rows.high - rows.low) == pytest.approx(np.sqrt(n / (n - 1)), rel=0.02)
    ten = Rates([(np.ones(20, dtype=bool), np.arange(20) < 10)])
    estimate = rates_interval(ten, np.arange(20))
    z2 = stats.t.ppf(0.975, 19) ** 2 * 20 / 19  # Wilson's at a share of a half: half-width .5 sqrt(z^2 / (n + z^2))
    assert estimate.high - 0.5 == pytest.approx(0.5 * np.sqrt(z2 / (20 + z2)))


def test_few_groups_hold_the_truth_as_often_as_they_say():
    """Twelve groups of forty rows: with normal quantiles these intervals hold it in 92 to 93 %."""
    rng = np.random.default_rng(0)
    metrics = [load(name) for name in ("roc_auc", "balanced_accuracy", "accuracy")]
    huge, decided = draw(rng, 200_000)
    truth = [m.score(TASK, huge, decided) for m in metrics]
    groups, n_covered, runs = np.repeat(np.arange(12), 40), np.zeros(3), 300
    for _ in range(runs):
        predictions, decided = draw(rng, len(groups), groups)
        estimates = [interval(m, TASK, predictions, decided) for m in metrics]
        n_covered += [i.low <= t <= i.high for i, t in zip(estimates, truth, strict=True)]
    assert (n_covered / runs).min() >= 0.93, n_covered / runs
    assert (n_covered / runs).max() <= 0.98, n_covered / runs


ALL = sorted(metric.name for metric in metrics_for(TASK))


@pytest.mark.parametrize("name", ALL)
def test_more_confidence_takes_a_wider_interval(name):
    predictions, decided = draw(np.random.default_rng(3), 200)
    by_row = replace(load(name), sampling=None)
    for metric in (load(name), by_row):
        by_confidence = [
            interval(metric, TASK, predictions, decided, confidence=c, repeats=100) for c in (0.5, 0.8, 0.95)
        ]
        widths = [estimate.high - estimate.low for estimate in by_confidence]
        assert widths[0] < 0.95 * widths[1] < 0.95**2 * widths[2], metric
    hits = int((decided == predictions.truth).sum())
    wilson = stats.binomtest(hits, 200).proportion_ci(0.8, method="wilson")
    estimate = interval(load("accuracy"), TASK, predictions, decided, confidence=0.8)
    assert (estimate.low, estimate.high) == pytest.approx((wilson.low, wilson.high))


@pytest.mark.parametrize("name", ALL)
def test_clones_in_one_group_tell_no_more_than_the_row_that_was_cloned(name):
    """In any order of the rows."""
    metric, n = load(name), 240
    predictions, decided = draw(np.random.default_rng(9), n)
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(n), 5))
    clones, decided_clones = predictions.take(rows), decided[rows]
    once, apart, together = (
        interval(metric, TASK, sample, codes, repeats=200)
        for sample, codes in (
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
    estimate = interval(load("roc_auc"), TASK, replace(predictions, groups=np.zeros(60, dtype=np.int64)), decided)
    assert (estimate.low, estimate.high) == (0, 1)


def test_perfect_scores_are_not_certain():
    truth = np.repeat([0, 1], [90, 10])
    probability = np.column_stack([1 - 0.9 * truth, 0.9 * truth])
    predictions = Predictions(("no", "yes"), np.arange(100), truth, probability, "test")
    ten_of_ten = stats.binomtest(10, 10).proportion_ci(method="wilson").low
    for name in ("recall", "precision"):
        estimate = interval(load(name), TASK, predictions, truth)
        assert (estimate.value, estimate.high) == (1, 1)
        assert estimate.low == pytest.approx(ten_of_ten), name
    # As often as never seen in ten and in ninety rows, less one each, a row may be ranked as if at random.
    unseen = [1 - stats.binomtest(k, k).proportion_ci(method="wilson").low for k in (9, 89)]
    for name, chance in (("roc_auc", 1 / 3), ("average_precision", 0.1)):
        estimate = interval(load(name), TASK, predictions, truth)
        assert (estimate.value, estimate.high) == (1, 1)
        assert estimate.low == pytest.approx(1 - (1 - chance) * np.hypot(*unseen)), name
    assert interval(load("expected_cost"), TASK, predictions, truth).high > 0


def test_equal_scores_are_worth_the_share_of_the_class_which_varies():
    truth = np.repeat([1, 0], [20, 180])
    rows = Predictions(("no", "yes"), np.arange(200), truth, np.full((200, 2), 0.5), "test")
    estimate = interval(load("average_precision"), TASK, rows, truth)
    share = stats.binomtest(20, 200).proportion_ci(method="wilson")
    assert estimate.value == pytest.approx(0.1)
    assert estimate.low == pytest.approx(share.low, abs=0.003)
    assert estimate.high >= share.high
    area = interval(load("roc_auc"), TASK, rows, truth)
    assert area.low < area.value == 0.5 < area.high


def test_a_model_that_is_sure_of_all_rows_has_shown_little_by_being_right():
    """As often as Wilson's bound allows, a row may lose what it would have lost had the other class been true."""
    n, truth = 300, np.arange(300) % 2
    for sure in (0.999, 1 - 1e-6, 1.0):
        p = np.where(truth[:, None] == np.arange(2), sure, 1 - sure)
        estimate = interval(load("log_loss"), TASK, Predictions(("no", "yes"), np.arange(n), truth, p, "test"), truth)
        t2 = stats.t.ppf(0.975, n - 1) ** 2
        miss_loss = -np.log(max(1 - sure, 1e-15))
        assert estimate.high == pytest.approx(estimate.value + (miss_loss - estimate.value) * t2 / (n + t2))


def test_rare_losses_of_sure_models_are_covered():
    """One row of 200 is sure and wrong; of 400 rows, one sample in seven has none."""
    rng, runs, n_covered = np.random.default_rng(0), 500, 0
    for _ in range(runs):
        truth, wrong = rng.integers(2, size=400), rng.random(400) < 0.005
        p = np.where(truth == wrong, 0.0, 1.0) * (1 - 2e-6) + 1e-6
        rows = Predictions(("no", "yes"), np.arange(400), truth, np.column_stack([1 - p, p]), "test")
        estimate = interval(load("log_loss"), TASK, rows, truth)
        n_covered += estimate.low <= -0.005 * np.log(1e-6) - 0.995 * np.log(1 - 1e-6) <= estimate.high
    assert 0.93 <= n_covered / runs <= 0.99


def test_a_cost_that_stands_in_the_rows_is_not_known_where_no_row_had_it():
    task = replace(TASK, cost=((0.0, 1.0), (0.0, 0.0)), cost_columns=(CostColumn(1, 0, "amount"),))
    truth, amounts = np.zeros(100, dtype=np.int64), np.where(np.arange(100) < 50, 10.0, 30.0)[:, None]
    rows = Predictions(("no", "yes"), np.arange(100), truth, np.full((100, 2), 0.5), "test", row_costs=amounts)
    estimate = interval(load("expected_cost"), task, rows, truth)
    t2 = stats.t.ppf(0.975, 99) ** 2
    assert (estimate.low, estimate.value) == (0, 0)
    assert estimate.high == pytest.approx(25 * t2 / (100 + t2))  # (10^2 + 30^2) / (10 + 30)


def test_a_rule_that_always_says_yes_costs_the_share_of_no():
    truth = np.repeat([0, 1], [150, 50])
    rows = Predictions(("no", "yes"), np.arange(200), truth, np.full((200, 2), 0.5), "test")
    estimate = interval(load("expected_cost"), TASK, rows, np.ones(200, dtype=np.int64))
    share = stats.binomtest(150, 200).proportion_ci(method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx((share.low, share.high), abs=0.002)  # Student's t for z


def test_a_class_of_one_row_leaves_the_others_their_say():
    rng, task = (
        np.random.default_rng(2),
        replace(TASK, classes=("a", "b", "c"), prevalence=(0.5, 0.4, 0.1), positive=None),
    )
    truth = np.repeat([0, 1, 2], [100, 99, 1])
    p = rng.dirichlet(np.ones(3), size=200) + 0.5 * np.eye(3)[truth]
    rows = Predictions(task.classes, np.arange(200), truth, p / p.sum(axis=1, keepdims=True), "test")
    for name in ("roc_auc", "average_precision"):
        estimate = interval(load(name), task, rows, truth)
        figures = [figure for figure, *_ in load(name).sampling(task, rows, truth).figures]
        assert estimate.low == pytest.approx(estimate.value - figures[2] / 3, abs=0.03)
        assert estimate.low < estimate.value - figures[2] / 3
        assert estimate.value < estimate.high <= min(estimate.value + (1 - figures[2]) / 3 + 0.05, 1)


@pytest.mark.parametrize(("positives", "area"), [(5, 0.98), (10, 0.98), (20, 0.9), (40, 0.98)])
def test_few_positives_hold_the_area_as_often_as_they_say(positives, area):
    """DeLong's interval on the logit scale holds it in .83, .83, .92 and .91 of such samples."""
    rng, runs, n_covered = np.random.default_rng(8), 400, 0
    shift, truth = np.sqrt(2) * stats.norm.ppf(area), np.repeat([1, 0], [positives, 200])
    for _ in range(runs):
        p = 1 / (1 + np.exp(-rng.normal(size=len(truth)) - shift * truth))
        rows = Predictions(("no", "yes"), np.arange(len(p)), truth, np.column_stack([1 - p, p]), "test")
        estimate = interval(load("roc_auc"), TASK, rows, truth)
        n_covered += estimate.low <= area <= estimate.high
    assert 0.93 <= n_covered / runs <= 0.99


@pytest.mark.parametrize("noise", [1.5, 3.0])
def test_ten_small_classes_hold_their_average_precision_as_often_as_they_say(noise):
    """The mean of a sample is too high by as much as its interval is wide: laid around that, it holds in .76 and .65."""
    rng, k, runs, n_covered = np.random.default_rng(10), 10, 80, 0
    names = tuple("abcdefghij")
    task = replace(TASK, classes=names, prevalence=(0.1,) * k, positive=None, cost=None)

    def draw_rows(n):
        truth = np.arange(n) * 50 // n * 9 // 49  # the last class has one row in fifty
        p = np.exp((np.eye(k)[truth] + noise * rng.normal(size=(n, k))) / noise**2)
        p /= p.sum(axis=1, keepdims=True)
        return Predictions(names, np.arange(n), truth, p, "test"), truth

    average_precision = load("average_precision")
    expected = average_precision.score(task, *draw_rows(20_000))
    for _ in range(runs):
        estimate = interval(average_precision, task, *draw_rows(225))
        assert estimate.low <= estimate.value <= estimate.high
        n_covered += estimate.low <= expected <= estimate.high
    assert n_covered / runs >= 0.91, n_covered / runs


def test_the_calibration_error_of_few_groups_is_not_that_of_their_rows():
    """Rows of a group share their fate and their probability; the probabilities are right."""
    rng, groups, runs, n_covered, naive = np.random.default_rng(9), np.repeat(np.arange(60), 10), 200, 0, 0
    for _ in range(runs):
        p = rng.beta(1, 2, size=60)
        truth = (rng.random(60) < p).astype(np.int64)[groups]
        columns = np.column_stack([1 - p, p])[groups]
        rows = Predictions(("no", "yes"), np.arange(600), truth, columns, "test", groups=groups)
        n_covered += interval(load("ece"), TASK, rows, truth).low == 0
        naive += interval(load("ece"), TASK, replace(rows, groups=None), truth).low == 0
    assert n_covered >= 0.93 * runs
    assert naive < 0.5 * runs


def test_one_positive_row_tells_nothing_about_a_ranking():
    truth = np.repeat([0, 1], [9, 1])
    p = np.linspace(0.1, 0.9, 10)
    predictions = Predictions(("no", "yes"), np.arange(10), truth, np.column_stack([1 - p, p]), "test")
    estimate = interval(load("roc_auc"), TASK, predictions, truth)
    assert (estimate.value, estimate.low, estimate.high) == (1, 0, 1)


def test_two_positive_rows_tell_something_about_a_ranking():
    truth = np.repeat([0, 1], [40, 2])
    p = np.append(np.linspace(0.1, 0.8, 40), [0.5, 0.9])
    predictions = Predictions(("no", "yes"), np.arange(42), truth, np.column_stack([1 - p, p]), "test")
    estimate = interval(load("roc_auc"), TASK, predictions, truth)
    assert 0 < estimate.low < estimate.value < estimate.high < 1


def test_the_undefined_has_no_interval():
    predictions, decided = draw(np.random.default_rng(0), 20)
    none = Predictions(("no", "yes"), np.arange(20), np.zeros(20, dtype=np.int64), predictions.probability, "test")
    estimate = interval(load("roc_auc"), TASK, none, decided)
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


@pytest.mark.parametrize("grouped", [False, True])
def test_a_metric_that_tells_nothing_is_bootstrapped(grouped):
    def score(task, rows, decided):
        return float(np.mean((rows.probability[:, 1] - rows.truth) ** 2))

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
@settings(max_examples=40)
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
        mean = load(name).sampling(*arguments)
        assert isinstance(mean, Mean)
        assert mean.values.mean() == pytest.approx(load(name).score(*arguments))
        assert mean.low <= mean.values.min() <= mean.values.max() <= mean.high


def test_percentiles_leave_out_as_much_on_each_side():
    estimate = percentile_interval(0.5, np.linspace(0, 1, 1001), 0.95)
    assert (estimate.low, estimate.high) == pytest.approx((0.025, 0.975))
    skewed = percentile_interval(0.5, np.linspace(0.4, 0.9, 1001), 0.8)
    assert (skewed.low, skewed.high) == pytest.approx((0.45, 0.85))


def test_percentiles_of_few_groups_are_stretched_to_students_t():
    scores = np.linspace(0, 1, 1001)
    rows, groups = (percentile_interval(0.5, scores, 0.95, c) for c in (None, np.repeat(np.arange(6), 9)))
    factor = np.sqrt(6 / 5) * stats.t.ppf(0.975, 5) / stats.norm.ppf(0.975)
    assert groups.high - 0.5 == pytest.approx(factor * (rows.high - 0.5))
    assert 0.5 - groups.low == pytest.approx(factor * (0.5 - rows.low))
    assert percentile_interval(0.5, scores, 0.95, np.zeros(9, dtype=np.int64)).high == np.inf


def test_one_group_leaves_the_range_of_a_mean():
    values, one = np.array([0.1, 0.2, 0.4]), np.zeros(3, dtype=np.int64)
    estimate = mean_interval(Mean(values, 0.0, 2.0), one)
    assert (estimate.low, estimate.high) == (0, 2)
    assert np.isnan(mean_interval(Mean(values), one).low)


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=8))
@settings(max_examples=60)
def test_a_mean_of_a_few_rows_keeps_to_the_range_of_its_values(values):
    estimate = mean_interval(Mean(np.array(values), 0.0, 1.0))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    two = mean_interval(Mean(np.array([0.0, 1.0]), 0.0, 1.0))
    assert two.low == pytest.approx(1 - two.high)
    assert two.low < 0.02


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
