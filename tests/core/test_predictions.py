from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.core.predictions import Predictions, weighted_mean

RIGHT: dict[str, Any] = {
    "classes": ("a", "b", "c"),
    "rows": np.array([4, 9]),
    "truth": np.array([0, 2]),
    "probability": np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]),
    "part": "test",
}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"truth": np.array([0, 3])}, "class codes must lie in 0..2"),
        ({"truth": np.array([-1, 2])}, "class codes must lie in 0..2"),
        ({"truth": np.array([0])}, "shapes differ"),
        ({"probability": np.full((2, 2), 0.5)}, "shapes differ"),
        ({"probability": np.array([[0.5, 0.25, 0.2500021], [0.0, 0.0, 1.0]])}, "sum to one"),
        ({"probability": np.array([[0.5, 0.25, 0.2499979], [0.0, 0.0, 1.0]])}, "sum to one"),
        ({"probability": np.array([[np.nan, 0.5, 0.5], [0.0, 0.0, 1.0]])}, "must be finite"),
        ({"groups": np.array([1])}, "groups of shape"),
        ({"drawn_from": np.array([9, 1])}, "classes of shape"),
    ],
)
def test_what_is_no_prediction_is_refused(wrong: dict[str, Any], message: str) -> None:
    assert len(Predictions(**RIGHT)) == 2
    with pytest.raises(ValueError, match=message):
        Predictions(**RIGHT | wrong)


def test_some_rows_keep_all_that_belongs_to_them() -> None:
    whole = Predictions(
        **RIGHT, row_costs=np.array([[1.0], [2.0]]), groups=np.array([7, 5]), drawn_from=np.array([9, 9, 9])
    )
    for index in (np.array([1]), np.array([False, True])):
        part = whole.take(index)
        assert (part.rows.tolist(), part.truth.tolist(), part.groups.tolist()) == ([9], [2], [5])
        assert (part.probability.tolist(), part.row_costs.tolist()) == ([[0.0, 0.0, 1.0]], [[2.0]])
        assert part.drawn_from is None  # they have no shares of classes that anybody dealt
    assert whole.clusters.tolist() == [1, 0]
    assert whole.descending(2).tolist() == [1, 0]


def test_one_row_of_each_group_is_any_of_them() -> None:
    """Not always the first: rows may be in an order."""
    n = 600
    groups = np.repeat(np.arange(n // 3), 3)
    probability = np.full((n, 3), 1 / 3)
    whole = Predictions(("a", "b", "c"), np.arange(n), np.zeros(n, dtype=np.int64), probability, "valid", groups=groups)
    rows = whole.one_a_group(0).rows
    assert groups[rows].tolist() == list(range(n // 3))
    assert (np.bincount(rows % 3) > 40).all()
    assert not np.array_equal(rows, whole.one_a_group(1).rows)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=7), st.booleans())
def test_a_weighted_mean_of_ones_is_no_more_than_one(weights: list[float], by_row: bool) -> None:
    shares = [w / sum(weights) for w in weights]
    mean = weighted_mean(
        [np.array([[w]]) for w in shares] if by_row else shares, [np.array([[1.0, 0.0]])] * len(shares)
    )
    assert mean.shape == (1, 2)
    assert mean.max() <= 1
    np.testing.assert_allclose(mean, [[1.0, 0.0]], rtol=1e-12)
