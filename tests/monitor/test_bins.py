"""The bins that columns are compared by."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.core.profile import ColumnProfile
from sortal.monitor.bins import Bins


@pytest.mark.parametrize("edges", [1, 21, 255, 256, 300])
def test_a_number_lies_behind_as_many_edges_as_are_below_it(edges: int) -> None:
    """However many a model file names."""
    quantiles = tuple(float(edge) for edge in range(edges))
    profile = ColumnProfile(
        "x", "number", rows=edges, missing=0, distinct=edges, quantiles=quantiles, reached=tuple(range(1, edges + 1))
    )
    numbers = np.array([-1.0, 0.0, 0.5, edges - 1.0, edges + 7.0, np.nan])
    expected = [1 + sum(edge < number for edge in quantiles) for number in numbers[:-1].tolist()]
    assert Bins(profile).codes(numbers).tolist() == [*expected, 0]
