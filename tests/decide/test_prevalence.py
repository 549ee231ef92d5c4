from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.core.errors import OptionError
from sortal.decide.prevalence import class_shares, label_shift
from sortal.engine import compile

THREE = ("a", "b", "c")
shares_of_three = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(lambda w: tuple(x / sum(w) for x in w))


def test_the_odds_grow_as_those_of_the_shares():
    p = np.array([[0.8, 0.2], [0.1, 0.9], [0.5, 0.5]])
    posterior = compile(label_shift((0.75, 0.25), (0.9, 0.1)))(p)
    odds = p[:, 1] / p[:, 0] * (0.1 / 0.9) / (0.25 / 0.75)
    np.testing.assert_allclose(posterior[:, 1], odds / (1 + odds), rtol=1e-12)


@given(shares_of_three, shares_of_three, st.integers(0, 99))
def test_the_posterior_of_a_known_mixture_is_that_of_bayes(before, after, seed):
    """Likelihoods of rows within each class do not move: what the shift gives is what Bayes' rule gives."""
    likelihood = np.random.default_rng(seed).uniform(0.05, 1, size=(20, 3))
    posterior, expected = ((likelihood * s) / (likelihood * s).sum(axis=1, keepdims=True) for s in (before, after))
    np.testing.assert_allclose(compile(label_shift(before, after))(posterior), expected, atol=1e-12)


def test_shares_stand_in_the_order_of_the_classes():
    assert class_shares({"c": 0.2, "a": 0.5, "b": 0.3}, THREE) == (0.5, 0.3, 0.2)
    assert class_shares({True: 0.25}, ("False", "True")) == (0.75, 0.25)


@pytest.mark.parametrize(
    ("shares", "classes", "message"),
    [
        ({"d": 0.2, "a": 0.8}, THREE, "'d' is no class; "),
        ({"a": 0.2, "b": 0.8}, THREE, "leave out 'c'; name every class"),
        ({"a": 0.2, "b": 0.7, "c": 0.2}, THREE, "sum to 1.1; they have to sum to 1"),
        ({"yes": 1.0}, ("no", "yes"), "the share of 'yes' must lie strictly between 0 and 1, not 1.0"),
        ({"no": float("nan")}, ("no", "yes"), "the share of 'no' must lie strictly between 0 and 1, not nan"),
    ],
)
def test_shares_that_are_none_are_refused(shares, classes, message):
    with pytest.raises(OptionError, match=message):
        class_shares(shares, classes)
