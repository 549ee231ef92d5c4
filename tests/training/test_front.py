"""Which candidates none is both better and faster than."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortal.training.front import front


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_the_front_is_what_no_other_beats_on_both(points):
    losses, seconds = np.array(points, dtype=float).T
    indices = front(losses, seconds)
    assert indices == sorted(indices, key=lambda i: (losses[i], seconds[i]))

    def is_dominated(i):
        return any(
            losses[j] <= losses[i] and seconds[j] <= seconds[i] and points[j] != points[i] for j in range(len(points))
        )

    assert {points[i] for i in indices} == {points[i] for i in range(len(points)) if not is_dominated(i)}
    assert len({points[i] for i in indices}) == len(indices)


@pytest.mark.parametrize("undefined", [np.inf, np.nan])
def test_what_has_no_score_is_on_no_front(undefined):
    assert front(np.array([undefined, 0.2]), np.array([1.0, 2.0])) == [1]
