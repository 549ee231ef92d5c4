from __future__ import annotations

import json
import subprocess
import sys

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.decide.policy import Decision

YES_NO = ("no", "yes")
ABC = ("a", "b", "c")


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
@settings(deadline=None, max_examples=40)
def test_deciding_by_cost_is_never_dearer_than_any_other_decision(k, seed):
    rng = np.random.default_rng(seed)
    cost, p = rng.integers(0, 20, size=(k, k)).astype(float), rng.dirichlet(np.ones(k), size=30)
    rule = Decision("cost", tuple(map(str, range(k))), cost=tuple(map(tuple, cost.tolist())))
    expected = p @ cost
    chosen = expected[np.arange(30), rule.apply(p)]
    assert (chosen[:, None] <= expected + 1e-12).all()


@given(k=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
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
    ],
)
def test_it_survives_json(rule):
    text = msgspec.json.encode(rule)
    assert msgspec.convert(json.loads(text), Decision) == rule


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="two classes"):
        Decision("threshold", ABC, "a", 0.5)
    with pytest.raises(ValueError, match="two classes"):
        Decision("threshold", YES_NO, "maybe", 0.5)
    with pytest.raises(ValueError, match="3 x 3 costs"):
        Decision("cost", ABC, cost=((0.0, 1.0), (1.0, 0.0)))
    with pytest.raises(ValueError, match=r"expected \(n, 3\)"):
        Decision("argmax", ABC).apply(np.ones((2, 2)))


def test_importing_it_needs_numpy_alone():
    loaded = "import sys, sortal.decide.policy; print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert not {"scipy", "sklearn", "polars", "lightgbm", "xgboost"} & set(found.stdout.split())
