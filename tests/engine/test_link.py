"""A row alone has the probabilities that it has among others, to the bit, and no sum of it is too large."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from sortal.engine.link import OVERFLOW, sigmoid


@given(st.floats())
@example(OVERFLOW)
@example(-OVERFLOW)
@example(np.nextafter(OVERFLOW, 1e9))
@example(-800.0)
@example(float("inf"))
@example(float("nan"))
def test_a_row_alone_is_as_among_others(z: float) -> None:
    alone, among = sigmoid(np.array([z])), sigmoid(np.array([0.5, z, -3.0]))
    assert alone.tobytes() == among[1:2].tobytes()
