from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.costs import CostColumn
from sortal.core.predictions import Predictions
from sortal.core.task import Capacity
from sortal.decide.policy import Decision, best

YES_NO = ("no", "yes")
ABC = ("a", "b", "c")
FREE = ((0.0, 1.0), (0.0, 0.0))
"""A missed yes costs what a column holds."""


def two(*p: float) -> np.ndarray:
    """Probabilities of no and yes."""
    return np.column_stack([1 - np.array(p), p])


def test_a_threshold_includes_itself():
    p = np.array([[0.7, 0.3], [0.70001, 0.29999], [0.0, 1.0]])
    assert Decision("threshold", YES_NO, "yes", 0.3).apply(p).tolist() == [1, 0, 1]
    assert Decision("threshold", YES_NO, "no", 0.7).apply(p).tolist() == [0, 0, 1]


def test_of_equals_the_first_class_is_decided():
    p = np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])
    assert Decision("argmax", ABC).apply(p).tolist() == [0, 1]
    indifferent = ((1.0, 1.0, 1.0),) * 3
    assert Decision("cost", ABC, cost=indifferent).apply(p).tolist() == [0, 0]


@given(k=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_deciding_by_cost_is_never_dearer_than_any_other_decision(k, seed):
    rng = np.random.default_rng(seed)
    cost, p = rng.integers(0, 20, size=(k, k)).astype(float), rng.dirichlet(np.ones(k), size=30)
    rule = Decision("cost", tuple(map(str, range(k))), cost=tuple(map(tuple, cost.tolist())))
    expected = p @ cost
    chosen_cost = expected[np.arange(30), rule.apply(p)]
    assert (chosen_cost[:, None] <= expected + 1e-12).all()


@given(k=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_equal_costs_decide_the_most_probable_class(k, seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(k), size=30)
    classes = tuple(map(str, range(k)))
    by_cost = Decision("cost", classes, cost=tuple(map(tuple, (1 - np.eye(k)).tolist())))
    np.testing.assert_array_equal(by_cost.apply(p), Decision("argmax", classes).apply(p))


@pytest.mark.parametrize(
    "rule",
    [
        Decision("argmax", ABC),
        Decision("threshold", YES_NO, "yes", 1 / 9, ((0.0, 1.0), (8.0, 0.0))),
        Decision("cost", ABC, cost=((0.0, 1.0, 2.0),) * 3),
        Decision("cost", YES_NO, "yes", cost=FREE, cost_columns=(CostColumn(1, 0, "amount"),), reject_cost=0.5),
        Decision("capacity", YES_NO, "yes", float(np.nextafter(0.0, 1.0)), FREE, capacity=Capacity(0.2, 500)),
    ],
)
def test_it_survives_json(rule):
    text = msgspec.json.encode(rule)
    assert msgspec.convert(json.loads(text), Decision) == rule


def test_a_row_is_left_to_a_person_where_that_is_expected_to_cost_least():
    rule = Decision("cost", YES_NO, "yes", cost=((0.0, 1.0), (8.0, 0.0)), reject_cost=0.4)
    # Deciding no costs 8 p, deciding yes 1 - p: rejecting is cheaper where .05 < p < .6.
    assert rule.apply(two(0.0, 0.04, 0.06, 0.59, 0.61, 1.0)).tolist() == [0, 0, 2, 2, 1, 1]
    dear = Decision("cost", YES_NO, "yes", cost=((0.0, 1.0), (8.0, 0.0)), reject_cost=1.0)
    assert 2 not in dear.apply(two(*np.linspace(0, 1, 50)))


@given(k=st.integers(2, 4), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_the_dearer_rejecting_the_fewer_rows_are_rejected(k, seed):
    rng = np.random.default_rng(seed)
    p, cost = rng.dirichlet(np.ones(k), size=60), tuple(map(tuple, rng.random((k, k)).tolist()))
    rules = [Decision("cost", tuple(map(str, range(k))), cost=cost, reject_cost=r) for r in (0.0, 0.1, 0.3, 1.1)]
    n_rejected = [int((rule.apply(p) == k).sum()) for rule in rules]
    assert n_rejected == sorted(n_rejected, reverse=True)
    assert n_rejected[0] == 60
    assert n_rejected[-1] == 0


def test_costs_in_the_rows_decide_row_by_row():
    rule = Decision("cost", YES_NO, "yes", cost=FREE, cost_columns=(CostColumn(1, 0, "amount"),))
    p, row_costs = two(0.1, 0.1, 0.1), np.array([[5.0], [9.5], [100.0]])
    # Yes costs .9; no costs .1 of the amount.
    assert rule.apply(p, row_costs).tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match="costs of each row"):
        rule.apply(p)
    with pytest.raises(ValueError, match="beyond the 2"):
        Decision("cost", YES_NO, "yes", cost=FREE, cost_columns=(CostColumn(2, 0, "amount"),))
    for truth in (-1, 0, 1, 2):
        for decided in (-1, 0, 1, 2):
            columns = (CostColumn(truth, decided, "amount"),)
            if {truth, decided} <= {0, 1}:
                assert Decision("cost", YES_NO, "yes", cost=FREE, cost_columns=columns).cost_columns == columns
            else:
                with pytest.raises(ValueError, match="beyond the 2"):
                    Decision("cost", YES_NO, "yes", cost=FREE, cost_columns=columns)


def test_the_priority_is_the_probability_or_the_cost_that_is_spared():
    p, row_costs = two(0.1, 0.5), np.array([[100.0], [10.0]])
    one = Capacity(0.5, 1)
    by_chance = Decision("capacity", YES_NO, "yes", 0.5, capacity=one)
    by_cost = Decision("capacity", YES_NO, "yes", 0.0, FREE, (CostColumn(1, 0, "amount"),), capacity=one)
    assert by_chance.priority(p).tolist() == [0.1, 0.5]
    np.testing.assert_allclose(by_cost.priority(p, row_costs), [10 - 0.9, 5 - 0.5])
    assert by_chance.apply(p).tolist() == [0, 1]
    assert by_cost.apply(p, row_costs).tolist() == [1, 0]


SCORES = st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(-1, 1), max_size=40).map(np.array)


@given(priority=SCORES, most=st.integers(0, 45), paying=st.booleans())
@settings(max_examples=150)
def test_exactly_the_best_are_taken_and_of_equal_ones_the_first(priority, most, paying):
    order = sorted(range(len(priority)), key=lambda i: (-priority[i], i))[:most]
    expected = {i for i in order if not paying or priority[i] > 0}
    assert set(np.flatnonzero(best(priority, most, paying)).tolist()) == expected


@given(n=st.integers(0, 80), levels=st.integers(1, 6), percent=st.integers(1, 99), costs=st.booleans())
@settings(max_examples=60)
def test_a_share_is_that_of_each_batch_rounded_down_whatever_is_tied(n, levels, percent, costs):
    p = two(*np.random.default_rng(n).integers(1, levels + 1, size=n) / (levels + 1))
    always_pays = ((0.0, 0.0), (4.0, 0.0)) if costs else None
    rule = Decision("capacity", YES_NO, "yes", 0.9, always_pays, capacity=Capacity(percent / 100))
    assert (rule.apply(p) == 1).sum() == percent * n // 100


def test_a_part_of_the_data_gets_its_share_of_a_number_and_a_fresh_batch_all_of_it():
    rule = Decision("capacity", YES_NO, "yes", 0.5, capacity=Capacity(0.1, count=30))
    for part, count in (("fresh", 30), ("test", 6), ("out-of-fold", 6), ("valid", 6)):
        rows = Predictions(YES_NO, np.arange(60), np.zeros(60, dtype=np.int64), two(*np.full(60, 0.5)), part)
        assert rule.decide(rows).tolist() == [1] * count + [0] * (60 - count)


def test_a_capacity_says_how_many():
    with pytest.raises(ValueError, match="how many"):
        Decision("capacity", YES_NO, "yes", 0.7)
    with pytest.raises(ValueError, match="how many"):
        Decision("threshold", YES_NO, "yes", 0.7, capacity=Capacity(0.1))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="two classes"):
        Decision("threshold", ABC, "a", 0.5)
    with pytest.raises(ValueError, match="two classes"):
        Decision("threshold", YES_NO, "maybe", 0.5)
    with pytest.raises(ValueError, match="costs of a decision are 3 x 3"):
        Decision("cost", ABC, cost=((0.0, 1.0), (1.0, 0.0)))
    with pytest.raises(ValueError, match=r"expected \(n, 3\)"):
        Decision("argmax", ABC).apply(np.ones((2, 2)))


def test_importing_it_needs_numpy_alone():
    code = "import sys, sortal.decide.policy; print(*{name.partition('.')[0] for name in sys.modules})"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scipy", "sklearn", "polars", "lightgbm", "xgboost"} & set(process.stdout.split())


def test_the_most_probable_class_is_taken_whichever_is_positive():
    probability = np.array([[0.6, 0.4], [0.5, 0.5], [0.2, 0.8]])
    for positive in (None, "no", "yes"):
        assert Decision("argmax", YES_NO, positive).apply(probability).tolist() == [0, 0, 1]


def test_within_a_capacity_only_what_pays_is_taken_where_errors_cost():
    probability = np.column_stack([1 - (p := np.array([0.9, 0.05, 0.3, 0.15])), p])
    rule = Decision("capacity", YES_NO, "yes", 0.0, capacity=Capacity(0.75))
    costly = replace(rule, cost=((0.0, 1.0), (4.0, 0.0)))  # it pays from .2 on
    assert rule.apply(probability).tolist() == [1, 0, 1, 1]
    assert costly.apply(probability).tolist() == [1, 0, 1, 0]
    assert costly.priority(probability) == pytest.approx([4 * 0.9 - 0.1, 0.2 - 0.95, 1.2 - 0.7, 0.6 - 0.85])


def test_predictions_bring_the_costs_of_their_rows():
    p = np.array([0.4, 0.4])
    rows = Predictions(
        YES_NO, np.arange(2), np.array([0, 1]), np.column_stack([1 - p, p]), "valid", row_costs=np.array([[1.0], [9.0]])
    )
    rule = Decision("cost", YES_NO, "yes", cost=((0.0, 1.0), (0.0, 0.0)), cost_columns=(CostColumn(1, 0, "amount"),))
    assert rule.decide(rows).tolist() == [0, 1]
