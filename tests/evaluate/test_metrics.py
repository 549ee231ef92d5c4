from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core import registry
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.decisions import absent, confusion, rejected
from sortal.evaluate.figures import per_class
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import BINS, Metric, metrics_for, per_row_log_loss

METRICS = {name: registry.load("sortal.metrics", name) for name in registry.names("sortal.metrics")}


def make_task(k: int, cost: tuple[tuple[float, ...], ...] | None = None) -> Task:
    classes = tuple(f"c{i}" for i in range(k))
    positive = "c1" if k == 2 else None
    return Task("y", classes, (1 / k,) * k, positive, "log_loss", (), (), cost=cost)


def draw(k: int, n: int, seed: int, ties: bool = False):
    """Random truth with every class present, probabilities that know something, decisions that may differ."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[truth]
    if ties:
        logits = np.round(logits)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    decided = np.where(rng.random(n) < 0.2, rng.integers(k, size=n), probability.argmax(axis=1))
    return truth, probability, decided


def make_rows(truth: np.ndarray, probability: np.ndarray) -> Predictions:
    k = probability.shape[1]
    return Predictions(tuple(f"c{i}" for i in range(k)), np.arange(len(truth)), truth, probability, "test")


def oracle(name: str, truth, probability, decided, k: int) -> float:
    average = "binary" if k == 2 else "macro"
    score = probability[:, 1] if k == 2 else probability
    onehot = truth if k == 2 else np.eye(k)[truth]
    match name:
        case "accuracy":
            return sk.accuracy_score(truth, decided)
        case "balanced_accuracy":
            return sk.balanced_accuracy_score(truth, decided)
        case "f1":
            return sk.f1_score(truth, decided, average=average)
        case "precision":
            return sk.precision_score(truth, decided, average=average, zero_division=0)
        case "recall":
            return sk.recall_score(truth, decided, average=average)
        case "roc_auc":
            return sk.roc_auc_score(truth, score, multi_class="ovr")
        case "average_precision":
            return sk.average_precision_score(onehot, score)
        case "log_loss":
            return sk.log_loss(truth, probability, labels=range(k))
        case "brier":
            return sk.brier_score_loss(truth, score, labels=range(k))
    raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    [
        "accuracy", "balanced_accuracy", "f1", "precision", "recall",
        "roc_auc", "average_precision", "log_loss", "brier",
    ],
)  # fmt: skip
@given(k=st.integers(2, 5), n=st.integers(8, 60), seed=st.integers(0, 10_000), ties=st.booleans())
@settings(max_examples=20)
def test_they_agree_with_scikit_learn(name, k, n, seed, ties):
    truth, probability, decided = draw(k, n, seed, ties)
    score = METRICS[name].score(make_task(k), make_rows(truth, probability), decided)
    assert score == pytest.approx(oracle(name, truth, probability, decided, k), abs=1e-12)


@given(n=st.integers(4, 60), seed=st.integers(0, 10_000), ties=st.booleans())
@settings(max_examples=40)
def test_recall_at_precision_is_the_best_point_of_the_curve(n, seed, ties):
    truth, probability, decided = draw(2, n, seed, ties)
    precision, recall, _ = sk.precision_recall_curve(truth, probability[:, 1])
    score = METRICS["recall_at_precision"].score(make_task(2), make_rows(truth, probability), decided)
    assert score == pytest.approx(max(recall[precision >= 0.9 - 1e-12]))


@given(k=st.integers(2, 4), seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_expected_cost_is_the_mean_of_the_costs(k, seed):
    truth, probability, decided = draw(k, 30, seed)
    cost = np.random.default_rng(seed).integers(0, 9, size=(k, k)).astype(float)
    task = make_task(k, tuple(map(tuple, cost.tolist())))
    mean = np.mean([cost[t, d] for t, d in zip(truth, decided, strict=True)])
    assert METRICS["expected_cost"].score(task, make_rows(truth, probability), decided) == pytest.approx(mean)
    errors = METRICS["expected_cost"].score(make_task(k), make_rows(truth, probability), decided)
    assert errors == pytest.approx(np.mean(truth != decided))


def binned_error(probability: np.ndarray, hit: np.ndarray) -> float:
    """The usual plug-in: root of the mean over bins of the squared gap, bias and all."""
    bins = np.array_split(np.argsort(probability), BINS)
    return np.sqrt(sum(len(b) / len(hit) * (probability[b].mean() - hit[b].mean()) ** 2 for b in bins))


def test_the_calibration_error_of_calibrated_probabilities_is_not_inflated_by_small_samples():
    rng = np.random.default_rng(0)
    task, squares, naive = make_task(2), [], []
    for _ in range(300):
        p = rng.beta(1, 2, size=300)
        truth = (rng.random(300) < p).astype(np.int64)
        probability = np.column_stack([1 - p, p])
        squares.append(METRICS["ece"].score(task, make_rows(truth, probability), truth) ** 2)
        naive.append(binned_error(p, truth) ** 2)
    # What is left is the floor at zero, which keeps the positive half of the noise.
    assert np.mean(squares) < 0.3 * np.mean(naive)


def test_the_calibration_error_of_a_known_shift_is_found():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.2, 0.8, size=50_000)
    truth = (rng.random(len(p)) < p - 0.1).astype(np.int64)
    error = METRICS["ece"].score(make_task(2), make_rows(truth, np.column_stack([1 - p, p])), truth)
    assert error == pytest.approx(0.1, abs=0.01)
    three = np.column_stack([p, (1 - p) / 2, (1 - p) / 2])
    top = np.maximum(p, (1 - p) / 2)
    truth = np.where(rng.random(len(p)) < top, three.argmax(axis=1), (three.argmax(axis=1) + 1) % 3)
    assert METRICS["ece"].score(make_task(3), make_rows(truth, three), truth) < 0.02


def test_two_rows_have_a_calibration_error():
    """By hand: gaps of .9 and .6 in one bin, .5625 as the square of their mean, less the .0225 that it varies by."""
    probability = np.array([[0.9, 0.1], [0.6, 0.4]])
    rows = make_rows(np.array([1, 1]), probability)
    assert METRICS["ece"].score(make_task(2), rows, np.array([0, 0])) == pytest.approx(np.sqrt(0.54))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_what_is_undefined_is_nan(name):
    empty = np.zeros(0, dtype=np.int64)
    assert np.isnan(METRICS[name].score(make_task(2), make_rows(empty, np.zeros((0, 2))), empty))


OF_CLASSES = ["balanced_accuracy", "f1", "precision", "recall", "roc_auc", "average_precision"]


def of_these_labels(name: str, truth, probability, decided, labels: list[int]) -> float:
    """scikit-learn's macro average over the classes that are there."""
    if name in ("roc_auc", "average_precision"):
        score = sk.roc_auc_score if name == "roc_auc" else sk.average_precision_score
        return float(np.mean([score(truth == k, probability[:, k]) for k in labels]))
    name = "recall" if name == "balanced_accuracy" else name
    return getattr(sk, f"{name}_score")(truth, decided, labels=labels, average="macro", zero_division=0)


@pytest.mark.parametrize("name", OF_CLASSES)
@given(k=st.integers(3, 6), missing=st.sets(st.integers(0, 5), min_size=1), seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_classes_that_are_true_of_no_row_are_left_out_of_averages(name, k, missing, seed):
    truth, probability, decided = draw(k, 40, seed)
    labels = sorted(set(range(k)) - missing)
    if len(labels) < 2:
        return
    mask = np.isin(truth, labels)
    truth, probability, decided = truth[mask], probability[mask], decided[mask]
    estimate = interval(METRICS[name], make_task(k), make_rows(truth, probability), decided)
    assert estimate.value == pytest.approx(of_these_labels(name, truth, probability, decided, labels), abs=1e-12)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert absent(make_task(k), truth) == tuple(f"c{i}" for i in range(k) if i not in labels)


@pytest.mark.parametrize("name", [*OF_CLASSES, "recall_at_precision", "fbeta"])
def test_of_two_classes_an_absent_one_makes_its_metrics_nan(name):
    truth, probability, decided = draw(2, 30, 0)
    mask = truth == 0
    assert np.isnan(METRICS[name].score(make_task(2), make_rows(truth[mask], probability[mask]), decided[mask]))


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1", "precision", "recall", "fbeta", "fpr"])
@given(k=st.integers(2, 4), seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_rows_that_are_left_to_a_person_count_in_no_metric_of_decisions(name, k, seed):
    k = 2 if name in ("fbeta", "fpr") else k
    truth, probability, decided = draw(k, 60, seed)
    unsure = np.random.default_rng(seed).random(60) < 0.4
    decided = np.where(unsure, k, decided)
    task, metric = make_task(k), METRICS[name]
    all_rows, others = (
        (make_rows(truth, probability), decided),
        (make_rows(truth[~unsure], probability[~unsure]), decided[~unsure]),
    )
    assert metric.score(task, *all_rows) == pytest.approx(metric.score(task, *others), nan_ok=True)
    if metric.sampling is not None:
        estimate, same = interval(metric, task, *all_rows), interval(metric, task, *others)
        assert (estimate.low, estimate.high) == pytest.approx((same.low, same.high), abs=1e-9, nan_ok=True)
    assert rejected(task, decided).value == pytest.approx(unsure.mean())
    assert np.isnan(metric.score(task, make_rows(truth, probability), np.full(60, k)))


def test_each_class_says_how_much_of_it_is_left_to_a_person():
    truth, decided = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 2, 2, 1, 1, 2])
    first, second = per_class(replace(make_task(2), reject_cost=0.2), truth, decided)
    assert (first.support, first.recall.value, first.rejected.value) == (4, 0.5, 0.5)
    assert (second.support, second.precision.value, second.rejected.value) == (2, 0.5, 0.5)


@pytest.mark.parametrize("beta", [0.5, 2.0])
@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_f_beta_is_that_of_scikit_learn(beta, seed):
    truth, probability, decided = draw(2, 40, seed)
    task = replace(make_task(2), beta=beta)
    assert METRICS["fbeta"].score(task, make_rows(truth, probability), decided) == pytest.approx(
        sk.fbeta_score(truth, decided, beta=beta)
    )


def test_no_interval_lies_beyond_what_a_metric_can_be():
    metric = METRICS["log_loss"]
    assert metric.within(Interval(0.1, -0.2, 0.4)) == Interval(0.1, 0.0, 0.4)
    assert METRICS["roc_auc"].within(Interval(0.97, 0.9, 1.04)).high == 1
    assert METRICS["expected_cost"].within(Interval(-3.0, -4.0, -2.0)) == Interval(-3.0, -4.0, -2.0)


def test_the_positive_class_is_the_one_that_counts():
    truth, probability, decided = draw(2, 50, 3)
    other = Task("y", ("c0", "c1"), (0.5, 0.5), "c0", "log_loss", (), ())
    for name in ("f1", "precision", "recall"):
        expected = getattr(sk, f"{name}_score")(truth, decided, pos_label=0)
        assert METRICS[name].score(other, make_rows(truth, probability), decided) == pytest.approx(expected)
    expected = sk.average_precision_score(1 - truth, probability[:, 0])
    assert METRICS["average_precision"].score(other, make_rows(truth, probability), decided) == pytest.approx(expected)


@given(k=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_confusion_and_classes_agree_with_scikit_learn(k, seed):
    truth, _, decided = draw(k, 40, seed)
    task = make_task(k)
    np.testing.assert_array_equal(confusion(task, truth, decided), sk.confusion_matrix(truth, decided, labels=range(k)))
    expected = sk.precision_recall_fscore_support(truth, decided, labels=range(k), zero_division=0)
    scores = per_class(task, truth, decided)
    assert tuple(s.label for s in scores) == task.classes
    np.testing.assert_allclose([s.precision.value for s in scores], expected[0])
    np.testing.assert_allclose([s.recall.value for s in scores], expected[1])
    np.testing.assert_allclose([s.f1 for s in scores], expected[2])
    assert [s.support for s in scores] == expected[3].tolist()
    assert all(s.recall.low <= s.recall.value <= s.recall.high for s in scores)


def test_a_class_that_is_never_decided_has_precision_zero_and_is_not_known():
    task = make_task(2)
    scores = per_class(task, np.array([0, 0, 1]), np.array([0, 0, 0]))
    assert scores[1].precision.value == 0
    assert (scores[1].precision.low, scores[1].precision.high) == (0, 1)


def test_the_mean_of_row_losses_is_the_log_loss():
    truth, probability, decided = draw(3, 40, 5)
    probability[0] = [1.0, 0.0, 0.0]
    truth[0] = 1
    predictions = Predictions(("a", "b", "c"), np.arange(40), truth, probability, "test")
    losses = per_row_log_loss(predictions)
    assert losses[0] == pytest.approx(-np.log(1e-15))
    assert losses.mean() == pytest.approx(
        METRICS["log_loss"].score(make_task(3), make_rows(truth, probability), decided)
    )


def test_registered_metrics_say_what_they_are():
    assert all(isinstance(m, Metric) and m.name == name and m.doc for name, m in METRICS.items())
    assert {m.name for m in metrics_for(make_task(2))} == set(METRICS)
    assert {m.name for m in metrics_for(make_task(3))} == set(METRICS) - {"recall_at_precision", "fbeta", "fpr"}
