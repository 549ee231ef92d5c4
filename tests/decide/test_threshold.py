from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sortal.core.costs import CostColumn
from sortal.core.predictions import Predictions
from sortal.core.task import Capacity, Task
from sortal.decide.policy import Decision
from sortal.decide.threshold import (
    alternatives,
    bayes_threshold,
    cost_threshold,
    curve,
    decide,
    f_threshold,
)


def make_task(cost=None, goal="argmax", positive="yes") -> Task:
    return Task("y", ("no", "yes"), (0.8, 0.2), positive, "log_loss", (), (), goal, cost)


def draw(n: int, seed: int, levels: int = 10**6) -> Predictions:
    rng = np.random.default_rng(seed)
    p = np.clip(np.round(rng.beta(1, 3, size=n) * levels) / levels, 0, 1)
    truth = (rng.random(n) < p).astype(np.int64)
    return Predictions(("no", "yes"), np.arange(n), truth, np.column_stack([1 - p, p]), "out-of-fold")


def column_scores(score, truth, decided, **options):
    """scikit-learn's score of every column of decisions, (n, m) -> (m,), in one call."""
    truth = np.broadcast_to(np.asarray(truth, dtype=int)[:, None], decided.shape)
    return np.atleast_1d(score(truth, decided.astype(int), average=None, **options))


@given(fp=st.floats(0.1, 50), fn=st.floats(0.1, 50), code=st.integers(0, 1))
@settings(max_examples=40)
def test_the_threshold_of_costs_is_elkans(fp, fn, code):
    cost = ((0.0, fp), (fn, 0.0)) if code == 1 else ((0.0, fn), (fp, 0.0))
    task = make_task(cost, "cost", ("no", "yes")[code])
    threshold = bayes_threshold(task)
    assert threshold == pytest.approx(fp / (fp + fn))
    p = np.random.default_rng(0).random(200)
    probability = np.column_stack([1 - p, p])
    by_cost = Decision("cost", task.classes, cost=cost).apply(probability)
    rule = decide(task, draw(10, 0))
    assert (rule.kind, rule.threshold, rule.cost) == ("threshold", threshold, cost)
    np.testing.assert_array_equal(rule.apply(probability), by_cost)


def test_unreasonable_costs_have_no_threshold_and_are_decided_by_cost():
    task = make_task(((5.0, 1.0), (2.0, 3.0)), "cost")
    assert bayes_threshold(task) is None
    rule = decide(task, draw(50, 0))
    assert rule.kind == "cost"
    assert rule.apply(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [1, 0]


@given(fp=st.floats(0.1, 9), fn=st.floats(0.1, 9), tp=st.floats(-50, 0), tn=st.floats(-9, 0))
@settings(max_examples=40)
def test_benefits_count_as_what_the_errors_forgo(fp, fn, tp, tn):
    task = make_task(((tn, fp), (fn, tp)), "cost")
    assert bayes_threshold(task) == pytest.approx((fp - tn) / (fp - tn + fn - tp))
    predictions = draw(200, 0)
    probability = predictions.probability
    by_cost = Decision("cost", task.classes, cost=task.cost).apply(probability)
    np.testing.assert_array_equal(decide(task, predictions).apply(probability), by_cost)


def test_costs_in_the_rows_and_rejects_have_no_threshold():
    errors = ((0.0, 1.0), (4.0, 0.0))
    rejecting = replace(make_task(errors, "cost"), reject_cost=0.3)
    by_row = replace(make_task(((0.0, 1.0), (0.0, 0.0)), "cost"), cost_columns=(CostColumn(1, 0, "amount"),))
    for task in (rejecting, by_row):
        assert bayes_threshold(task) is None
        predictions = replace(draw(50, 0), row_costs=np.full((50, 1), 4.0))
        rule = decide(task, predictions)
        assert (rule.kind, rule.reject_cost, rule.cost_columns) == ("cost", task.reject_cost, task.cost_columns)
    # What every row holds amounts to the same as a number for all.
    same = decide(make_task(errors, "cost"), predictions).apply(predictions.probability)
    np.testing.assert_array_equal(rule.apply(predictions.probability, predictions.row_costs), same)


@given(
    n=st.integers(1, 80),
    seed=st.integers(0, 1000),
    levels=st.sampled_from([4, 10**6]),
    share=st.floats(0.01, 1.0),
    cost=st.sampled_from([None, ((0.0, 1.0), (4.0, 0.0)), ((0.0, 1.0), (3.0, -2.0))]),
)
@settings(max_examples=80)
def test_a_capacity_is_filled_and_goes_where_it_pays_most(n, seed, levels, share, cost):
    predictions = draw(n, seed, levels)
    task = replace(make_task(cost), goal="capacity", capacity=Capacity(share))
    rule = decide(task, predictions)
    positive = rule.decide(predictions) == 1
    gain = rule.priority(predictions.probability)
    allowed, paying = int(share * n + 1e-9), n if cost is None else int((gain > 0).sum())
    assert positive.sum() == min(allowed, paying)
    # The threshold that is shown is where that begins.
    assert rule.threshold == (gain[positive].min() if positive.any() else np.nextafter(max(gain.max(), 0.0), np.inf))
    assert gain[positive].min(initial=np.inf) >= gain[~positive].max(initial=-np.inf)


def test_a_capacity_with_amounts_takes_the_rows_with_the_most_at_stake():
    task = replace(
        make_task(((0.0, 1.0), (0.0, 0.0)), "capacity"),
        capacity=Capacity(0.5, 2),
        cost_columns=(CostColumn(1, 0, "amount"),),
    )
    p, row_costs = np.array([0.9, 0.2, 0.1, 0.5]), np.array([[1.0], [100.0], [1000.0], [1.0]])
    truth = np.array([1, 0, 1, 0])
    predictions = Predictions(
        task.classes, np.arange(4), truth, np.column_stack([1 - p, p]), "out-of-fold", row_costs=row_costs
    )
    rule = decide(task, predictions)
    assert rule.capacity == Capacity(0.5, 2)
    assert rule.apply(predictions.probability, row_costs).tolist() == [0, 1, 1, 0]


def test_the_kind_of_decision_follows_the_task():
    predictions = draw(200, 1)
    assert decide(make_task(), predictions) == Decision("argmax", ("no", "yes"), "yes")
    assert decide(make_task(goal="f1"), predictions).kind == "threshold"
    three = Task("y", ("a", "b", "c"), (0.3, 0.3, 0.4), None, "log_loss", (), (), "cost", ((0.0, 1.0, 9.0),) * 3)
    p = np.full((3, 3), 1 / 3)
    rule = decide(three, Predictions(three.classes, np.arange(3), np.arange(3), p, "out-of-fold"))
    assert (rule.kind, rule.cost) == ("cost", three.cost)


@given(
    n=st.integers(5, 60),
    seed=st.integers(0, 10_000),
    levels=st.sampled_from([5, 10**6]),
    beta=st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0]),
    positive=st.sampled_from(["no", "yes"]),
)
@settings(max_examples=60)
def test_no_threshold_has_a_larger_f_beta(n, seed, levels, beta, positive):
    predictions, code = draw(n, seed, levels), int(positive == "yes")
    truth, p = predictions.truth == code, predictions.probability[:, code]
    assume(truth.any())
    task = replace(make_task(goal="f1", positive=positive), beta=beta)
    decided = decide(task, predictions).apply(predictions.probability) == code
    scores = column_scores(sk.fbeta_score, truth, np.column_stack([decided, p[:, None] >= p]), beta=beta)
    assert scores[0] == pytest.approx(scores[1:].max())


def test_the_more_recall_weighs_the_lower_the_threshold():
    predictions = draw(4000, 3)
    thresholds = [f_threshold(replace(make_task(), beta=beta), predictions) for beta in (0.25, 1.0, 4.0)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > thresholds[-1]


@given(n=st.integers(5, 60), seed=st.integers(0, 10_000), fn=st.floats(0.5, 20))
@settings(max_examples=60)
def test_no_threshold_is_cheaper_than_the_tuned_one(n, seed, fn):
    predictions = draw(n, seed, 10)
    task = make_task(((0.0, 1.0), (fn, 0.0)), "cost")
    p, cost = predictions.probability[:, 1], task.costs()

    def mean(t: float) -> float:
        return cost[predictions.truth, (p >= t).astype(int)].mean()

    best = min(mean(t) for t in [*p, 2.0])
    assert mean(cost_threshold(task, predictions)) == pytest.approx(best)


def test_the_f_threshold_lies_in_the_middle_of_a_gap_and_stays_when_scores_move():
    p = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    truth = np.array([0, 0, 0, 1, 1, 1])

    def threshold(scores):
        columns = np.column_stack([1 - scores, scores])
        return f_threshold(make_task(), Predictions(("no", "yes"), np.arange(6), truth, columns, "out-of-fold"))

    assert threshold(p) == pytest.approx(0.5)
    noisy = p + np.random.default_rng(0).uniform(-0.01, 0.01, 6)
    assert threshold(noisy) == pytest.approx(0.5, abs=0.011)


@pytest.mark.parametrize("gap", [0, 1])
def test_of_equally_good_f_thresholds_the_widest_gap_is_taken(gap):
    """One hit of one, and two of three, of two: 1.5 / (1 + .5 * 2) = 1.5 * 2 / (3 + .5 * 2) where beta is the root of .5."""
    p = np.array([[0.9, 0.5, 0.4, 0.35], [0.9, 0.8, 0.7, 0.1]][gap])
    truth = np.array([1, 0, 1, 0])
    at_first, at_third = (0.9 + p[1]) / 2, (p[2] + p[3]) / 2
    rows = Predictions(("no", "yes"), np.arange(4), truth, np.column_stack([1 - p, p]), "valid")
    assert f_threshold(replace(make_task(), beta=np.sqrt(0.5)), rows) == pytest.approx([at_first, at_third][gap])


def test_a_positive_row_that_comes_last_counts():
    """F1 is 2/3 with the first row alone, 1/2 with two, and 4/5 with all three."""
    p, truth = np.array([0.9, 0.5, 0.1]), np.array([1, 0, 1])
    rows = Predictions(("no", "yes"), np.arange(3), truth, np.column_stack([1 - p, p]), "valid")
    assert f_threshold(make_task(), rows) == pytest.approx(0.05)


def test_thresholds_are_as_good_where_they_differ_by_rounding_alone():
    """One hit of one, and six of eight, of ten, at a beta of .2: 1.04 / 1.4 = 6.24 / 8.4, but not in floating point."""
    truth = np.array([1, 0, 0, 1, 1, 1, 1, 1, *[0] * 30, *[1] * 4])
    p = np.concatenate([[0.9], np.linspace(0.5, 0.1, len(truth) - 1)])
    rows = Predictions(("no", "yes"), np.arange(len(p)), truth, np.column_stack([1 - p, p]), "valid")
    weight = 0.2**2
    assert (1 + weight) / (1 + 10 * weight) < 6 * (1 + weight) / (8 + 10 * weight)
    assert f_threshold(replace(make_task(), beta=0.2), rows) == pytest.approx(0.7)


@pytest.mark.parametrize("low", [0.3, np.nextafter(0.3, 1)])
def test_neighbouring_floats_are_still_told_apart(low):
    """Their middle is rounded to the one or to the other."""
    high = np.nextafter(low, 1)
    p = np.array([low, high])
    predictions = Predictions(("no", "yes"), np.arange(2), np.array([0, 1]), np.column_stack([1 - p, p]), "valid")
    assert (p >= f_threshold(make_task(), predictions)).tolist() == [False, True]


@given(n=st.integers(5, 400), seed=st.integers(0, 10_000), beta=st.sampled_from([0.5, 1.0, 2.0]))
@settings(max_examples=40)
def test_the_curve_says_what_each_threshold_does(n, seed, beta):
    predictions = draw(n, seed, 1000)
    assume(predictions.truth.any())
    task = replace(make_task(((0.0, 1.0), (8.0, 0.0)), "cost"), beta=beta)
    steps = curve(task, predictions, points=50)
    assert 2 <= len(steps.threshold) <= 51
    assert (np.diff(steps.threshold) > 0).all()
    p, truth = predictions.probability[:, 1], predictions.truth
    assert steps.threshold[0] == p.min()
    assert steps.threshold[-2] == p.max()
    decided = p[:, None] >= steps.threshold
    assert not decided[:, -1].any()
    np.testing.assert_allclose(steps.precision[:-1], column_scores(sk.precision_score, truth, decided[:, :-1]))
    np.testing.assert_allclose(steps.recall, column_scores(sk.recall_score, truth, decided))
    np.testing.assert_allclose(steps.fbeta, column_scores(sk.fbeta_score, truth, decided, beta=beta))
    np.testing.assert_allclose(steps.expected_cost, task.costs()[truth[:, None], decided.astype(int)].mean(axis=0))


@given(n=st.integers(5, 300), seed=st.integers(0, 10_000), levels=st.sampled_from([3, 1000]), cut=st.floats(0, 1))
@settings(max_examples=60)
def test_the_steps_of_the_curve_are_the_costs_of_the_alternatives(n, seed, levels, cut):
    """At what is kept they are those of the alternatives to the last digit, however much is thinned out."""
    predictions, task = draw(n, seed, levels), make_task(((0.0, 1.0), (8.0, 0.0)), "cost")
    rule = Decision("threshold", task.classes, task.positive, cut)
    options = alternatives(task, predictions, rule)
    costs = {a.name: a.expected_cost for a in options}
    thresholds = [a.threshold for a in options if a.threshold is not None]
    steps = curve(task, predictions, points=4, keep=thresholds)

    def at(threshold):
        return steps.expected_cost[min(np.searchsorted(steps.threshold, threshold), len(steps.threshold) - 1)]

    assert steps.expected_cost[0] == pytest.approx(costs["always yes"])
    assert steps.expected_cost[-1] == pytest.approx(costs["never yes"])
    for option in options:
        if option.threshold is not None:
            assert at(option.threshold) == pytest.approx(option.expected_cost)


def test_alternatives_are_compared_on_the_same_rows():
    predictions, task = draw(3000, 2), make_task(((0.0, 1.0), (8.0, 0.0)), "cost")
    by_name = {a.name: a for a in alternatives(task, predictions, decide(task, predictions))}
    share = predictions.truth.mean()
    assert by_name["always yes"].expected_cost == pytest.approx(1 - share)
    assert by_name["never yes"].expected_cost == pytest.approx(8 * share)
    assert by_name["chosen"].threshold == pytest.approx(1 / 9)
    # Calibrated, so the threshold from the costs is nearly as cheap as the one tuned on these very rows.
    assert by_name["tuned"].expected_cost <= by_name["chosen"].expected_cost
    assert by_name["chosen"].expected_cost <= by_name["tuned"].expected_cost * 1.05
    assert by_name["chosen"].expected_cost < min(by_name[n].expected_cost for n in ("always yes", "never yes", "at .5"))


def test_alternatives_count_rejects_and_the_costs_in_the_rows():
    predictions = draw(400, 5)
    row_costs = np.random.default_rng(0).uniform(1, 20, size=(400, 1))
    predictions = replace(predictions, row_costs=row_costs)
    task = replace(
        make_task(((0.0, 1.0), (0.0, -0.5)), "cost"), cost_columns=(CostColumn(1, 0, "amount"),), reject_cost=0.4
    )
    rule = decide(task, predictions)
    costs = {a.name: a.expected_cost for a in alternatives(task, predictions, rule)}
    positive, p = predictions.truth == 1, predictions.probability[:, 1]

    def mean(decided) -> float:
        right = np.where(positive, -0.5, 0.0)
        wrong = np.where(positive, row_costs[:, 0], 1.0)
        return np.where(decided == 2, 0.4, np.where(decided == positive, right, wrong)).mean()

    assert costs["always yes"] == pytest.approx(mean(np.ones(400)))
    assert costs["never yes"] == pytest.approx(mean(np.zeros(400)))
    assert costs["at .5"] == pytest.approx(mean(p > 0.5))
    decided = rule.apply(predictions.probability, row_costs)
    assert set(decided) == {0, 1, 2}
    assert costs["chosen"] == pytest.approx(mean(decided))
    assert costs["tuned"] == pytest.approx(min(mean(p >= t) for t in [*p, 2.0]))
    assert costs["chosen"] < min(costs[name] for name in ("always yes", "never yes", "at .5"))


def test_alternatives_of_many_classes():
    task = Task("y", ("a", "b", "c"), (0.3, 0.3, 0.4), None, "log_loss", (), ())
    truth = np.array([0, 1, 2, 2])
    probability = np.eye(3)[truth] * 0.7 + 0.1
    predictions = Predictions(task.classes, np.arange(4), truth, probability, "out-of-fold")
    costs = {a.name: a.expected_cost for a in alternatives(task, predictions, decide(task, predictions))}
    assert costs == {"always c": 0.5, "most probable": 0.0, "chosen": 0.0}


def test_a_curve_of_rows_without_a_positive_says_what_it_can() -> None:
    """Recall and F-beta of nothing are unknown at every threshold; with one positive they end at none found."""
    task = Task("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", (), ())
    p = np.array([0.2, 0.6, 0.4])
    for positives in (0, 1):
        truth = (np.arange(3) < positives).astype(np.int64)
        rows = Predictions(task.classes, np.arange(3), truth, np.column_stack([1 - p, p]), "valid")
        steps = curve(task, rows)
        assert steps.threshold[:-1].tolist() == [0.2, 0.4, 0.6]
        assert steps.threshold[-1] > 0.6
        assert np.isnan(steps.precision[-1])
        if positives:
            assert steps.recall.tolist() == [1.0, 0.0, 0.0, 0.0]
            assert steps.fbeta.tolist() == pytest.approx([0.5, 0.0, 0.0, 0.0])
            assert steps.precision[:-1].tolist() == pytest.approx([1 / 3, 0.0, 0.0])
        else:
            assert np.isnan(steps.recall).all()
            assert np.isnan(steps.fbeta[-1])
            assert steps.precision[:-1].tolist() == [0.0, 0.0, 0.0]
        assert steps.expected_cost.tolist() == pytest.approx(
            [(3 - positives) / 3, (2 + positives) / 3, (1 + positives) / 3, positives / 3]
        )
