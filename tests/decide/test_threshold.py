from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.decide.threshold import (
    alternatives,
    bayes_threshold,
    cost_threshold,
    curve,
    decide,
    f1_threshold,
)


def make_task(cost=None, goal="argmax", positive="yes") -> Task:
    return Task("y", ("no", "yes"), (0.8, 0.2), positive, "log_loss", (), (), goal, cost)


def draw(n: int, seed: int, levels: int = 10**6) -> Predictions:
    rng = np.random.default_rng(seed)
    p = np.clip(np.round(rng.beta(1, 3, size=n) * levels) / levels, 0, 1)
    truth = (rng.random(n) < p).astype(np.int64)
    return Predictions(("no", "yes"), np.arange(n), truth, np.column_stack([1 - p, p]), "out-of-fold")


@given(fp=st.floats(0.1, 50), fn=st.floats(0.1, 50), code=st.integers(0, 1))
@settings(deadline=None, max_examples=40)
def test_the_threshold_of_costs_is_elkans(fp, fn, code):
    cost = ((0.0, fp), (fn, 0.0)) if code == 1 else ((0.0, fn), (fp, 0.0))
    task = make_task(cost, "cost", ("no", "yes")[code])
    threshold = bayes_threshold(task)
    assert threshold == pytest.approx(fp / (fp + fn))
    p = np.random.default_rng(0).random(200)
    probability = np.column_stack([1 - p, p])
    by_cost = Decision("cost", task.classes, cost=cost).apply(probability)
    np.testing.assert_array_equal(decide(task, draw(10, 0)).apply(probability), by_cost)


def test_unreasonable_costs_have_no_threshold_and_are_decided_by_cost():
    task = make_task(((5.0, 1.0), (2.0, 3.0)), "cost")
    assert bayes_threshold(task) is None
    rule = decide(task, draw(50, 0))
    assert rule.kind == "cost"
    assert rule.apply(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [1, 0]


def test_the_kind_of_decision_follows_the_task():
    predictions = draw(200, 1)
    assert decide(make_task(), predictions) == Decision("argmax", ("no", "yes"), "yes")
    assert decide(make_task(goal="f1"), predictions).kind == "threshold"
    three = Task("y", ("a", "b", "c"), (0.3, 0.3, 0.4), None, "log_loss", (), (), "cost", ((0.0, 1.0, 9.0),) * 3)
    p = np.full((3, 3), 1 / 3)
    rule = decide(three, Predictions(three.classes, np.arange(3), np.arange(3), p, "out-of-fold"))
    assert (rule.kind, rule.cost) == ("cost", three.cost)


@given(n=st.integers(5, 60), seed=st.integers(0, 10_000), levels=st.sampled_from([5, 10**6]))
@settings(deadline=None, max_examples=60)
def test_no_threshold_has_a_larger_f1(n, seed, levels):
    predictions = draw(n, seed, levels)
    assume(predictions.truth.any())
    p = predictions.probability[:, 1]
    chosen = f1_threshold(make_task(), predictions)
    best = max(sk.f1_score(predictions.truth, p >= t) for t in p)
    assert sk.f1_score(predictions.truth, p >= chosen) == pytest.approx(best)


@given(n=st.integers(5, 60), seed=st.integers(0, 10_000), fn=st.floats(0.5, 20))
@settings(deadline=None, max_examples=60)
def test_no_threshold_is_cheaper_than_the_tuned_one(n, seed, fn):
    predictions = draw(n, seed, 10)
    task = make_task(((0.0, 1.0), (fn, 0.0)), "cost")
    p, cost = predictions.probability[:, 1], task.cost_matrix()

    def mean(t: float) -> float:
        return cost[predictions.truth, (p >= t).astype(int)].mean()

    best = min(mean(t) for t in [*p, 2.0])
    assert mean(cost_threshold(task, predictions)) == pytest.approx(best)


def test_the_f1_threshold_lies_in_the_middle_of_a_gap_and_stays_when_scores_move():
    p = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    truth = np.array([0, 0, 0, 1, 1, 1])

    def threshold(scores):
        columns = np.column_stack([1 - scores, scores])
        return f1_threshold(make_task(), Predictions(("no", "yes"), np.arange(6), truth, columns, "out-of-fold"))

    assert threshold(p) == pytest.approx(0.5)
    moved = p + np.random.default_rng(0).uniform(-0.01, 0.01, 6)
    assert threshold(moved) == pytest.approx(0.5, abs=0.011)


def test_neighbouring_floats_are_still_told_apart():
    low = 0.3
    high = np.nextafter(low, 1)
    p = np.array([low, high])
    predictions = Predictions(("no", "yes"), np.arange(2), np.array([0, 1]), np.column_stack([1 - p, p]), "valid")
    assert (p >= f1_threshold(make_task(), predictions)).tolist() == [False, True]


@given(n=st.integers(5, 400), seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_the_curve_says_what_each_threshold_does(n, seed):
    predictions = draw(n, seed, 1000)
    assume(predictions.truth.any())
    task = make_task(((0.0, 1.0), (8.0, 0.0)), "cost")
    found = curve(task, predictions, points=50)
    assert 1 <= len(found.threshold) <= 50
    assert (np.diff(found.threshold) > 0).all()
    p, truth = predictions.probability[:, 1], predictions.truth
    assert found.threshold[0] == p.min()
    assert found.threshold[-1] == p.max()
    for i in range(0, len(found.threshold), 7):
        decided = (p >= found.threshold[i]).astype(int)
        assert found.precision[i] == pytest.approx(sk.precision_score(truth, decided))
        assert found.recall[i] == pytest.approx(sk.recall_score(truth, decided))
        assert found.f1[i] == pytest.approx(sk.f1_score(truth, decided))
        assert found.expected_cost[i] == pytest.approx(task.cost_matrix()[truth, decided].mean())


def test_alternatives_are_compared_on_the_same_rows():
    predictions, task = draw(3000, 2), make_task(((0.0, 1.0), (8.0, 0.0)), "cost")
    found = {a.name: a for a in alternatives(task, predictions, decide(task, predictions))}
    share = predictions.truth.mean()
    assert found["always yes"].expected_cost == pytest.approx(1 - share)
    assert found["never yes"].expected_cost == pytest.approx(8 * share)
    assert found["chosen"].threshold == pytest.approx(1 / 9)
    # Calibrated, so the threshold from the costs is nearly as cheap as the one tuned on these very rows.
    assert found["tuned"].expected_cost <= found["chosen"].expected_cost
    assert found["chosen"].expected_cost <= found["tuned"].expected_cost * 1.05
    assert found["chosen"].expected_cost < min(found[n].expected_cost for n in ("always yes", "never yes", "at 0.5"))


def test_alternatives_of_many_classes():
    task = Task("y", ("a", "b", "c"), (0.3, 0.3, 0.4), None, "log_loss", (), ())
    truth = np.array([0, 1, 2, 2])
    probability = np.eye(3)[truth] * 0.7 + 0.1
    predictions = Predictions(task.classes, np.arange(4), truth, probability, "out-of-fold")
    found = {a.name: a.expected_cost for a in alternatives(task, predictions, decide(task, predictions))}
    assert found == {"always c": 0.5, "most probable": 0.0, "chosen": 0.0}
