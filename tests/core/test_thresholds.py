from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.thresholds import threshold_counts


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30))
@settings(max_examples=80)
def test_counts_are_those_of_every_threshold(rows):
    positive = np.array([p for p, _ in rows])
    score = np.array([s for _, s in rows], dtype=np.float64)
    thresholds, true, false = threshold_counts(positive, score)
    assert thresholds.tolist() == sorted(set(score.tolist()), reverse=True)
    assert true.tolist() == [np.sum(positive & (score >= t)) for t in thresholds]
    assert false.tolist() == [np.sum(~positive & (score >= t)) for t in thresholds]
