"""Holm's p-values: by hand, and by the definition step by step."""

from __future__ import annotations

import numpy as np
import pytest

from sortal.stats.multiplicity import holm


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.02], [0.02, 0.02]),
        ([0.04, 0.001, 0.03], [0.06, 0.003, 0.06]),
        ([0.6, 0.5, 0.9], [1.0, 1.0, 1.0]),
    ],
)
def test_by_hand(p_values, expected):
    np.testing.assert_allclose(holm(np.array(p_values)), expected)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_rejected_is_what_the_steps_of_the_paper_reject(seed):
    p_values = np.random.default_rng(seed).beta(0.2, 4, size=25)
    rejections, n_left = set(), 25
    for i in np.argsort(p_values):
        if p_values[i] > 0.05 / n_left:
            break
        rejections.add(int(i))
        n_left -= 1
    assert 0 < len(rejections) < 25
    assert set(np.flatnonzero(holm(p_values) <= 0.05).tolist()) == rejections
