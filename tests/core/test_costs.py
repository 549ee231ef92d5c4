from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.costs import CostColumn, costs_of, expected, incurred

TWO = ((0.0, 1.0), (8.0, -20.0))


def test_rejecting_is_one_more_decision_that_costs_the_same_whatever_is_true():
    assert costs_of(TWO).tolist() == [[0, 1], [8, -20]]
    assert costs_of(TWO, reject=0.5).tolist() == [[0, 1, 0.5], [8, -20, 0.5]]


def test_a_cost_of_nothing_for_rejecting_is_still_a_decision():
    assert costs_of(TWO, reject=0.0).shape == (2, 3)


def test_columns_put_the_amounts_of_each_row_into_the_matrix():
    columns = (CostColumn(1, 0, "amount"), CostColumn(1, 1, "gain"))
    row_costs = np.array([[100.0, -3.0], [7.0, 0.0]])
    costs = costs_of(TWO, 0.5, columns, row_costs)
    assert costs[0].tolist() == [[0, 1, 0.5], [100, -3, 0.5]]
    assert costs[1].tolist() == [[0, 1, 0.5], [7, 0, 0.5]]
    assert TWO == ((0.0, 1.0), (8.0, -20.0))


def test_no_rows_have_no_costs():
    assert costs_of(TWO, None, (CostColumn(1, 0, "amount"),), np.empty((0, 1))).shape == (0, 2, 2)


@pytest.mark.parametrize("row_costs", [None, np.ones(3), np.ones((3, 2))])
def test_the_amounts_of_all_cost_columns_are_needed(row_costs):
    with pytest.raises(ValueError, match="the costs of each row in 1 cost columns"):
        costs_of(TWO, None, (CostColumn(1, 0, "amount"),), row_costs)


def draw(k: int, decisions: int, seed: int, by_row: bool):
    """Costs, truth, decisions and probabilities of 25 rows."""
    rng = np.random.default_rng(seed)
    costs = rng.normal(size=(25, k, decisions) if by_row else (k, decisions))
    return costs, rng.integers(k, size=25), rng.integers(decisions, size=25), rng.dirichlet(np.ones(k), size=25)


@given(k=st.integers(2, 5), more=st.integers(0, 1), seed=st.integers(0, 1000), by_row=st.booleans())
@settings(max_examples=40)
def test_costs_are_those_of_a_loop_over_rows(k, more, seed, by_row):
    costs, truth, decisions, p = draw(k, k + more, seed, by_row)

    def cost_of_row(row: int, t: int, d: int) -> float:
        return costs[row, t, d] if by_row else costs[t, d]

    loop_costs = [cost_of_row(row, truth[row], decisions[row]) for row in range(25)]
    loop_means = [
        [sum(p[row, t] * cost_of_row(row, t, d) for t in range(k)) for d in range(k + more)] for row in range(25)
    ]
    np.testing.assert_allclose(incurred(costs, truth, decisions), loop_costs)
    np.testing.assert_allclose(expected(costs, p), loop_means)


@given(k=st.integers(2, 5), seed=st.integers(0, 1000), by_row=st.booleans())
@settings(max_examples=20)
def test_what_is_certain_is_expected_to_cost_what_it_costs(k, seed, by_row):
    costs, truth, decisions, _ = draw(k, k, seed, by_row)
    certain = expected(costs, np.eye(k)[truth])
    np.testing.assert_allclose(certain[np.arange(25), decisions], incurred(costs, truth, decisions))
