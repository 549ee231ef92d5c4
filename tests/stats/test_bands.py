from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sortal.stats.bands import each_confidence


def test_one_point_alone_and_the_same_point_again_need_no_more():
    assert each_confidence(np.zeros(0), 0.95) == pytest.approx(0.95)
    assert each_confidence(np.ones(50), 0.9) == pytest.approx(0.9)


def test_unrelated_points_need_bonferronis():
    assert each_confidence(np.zeros(99), 0.95) == pytest.approx(1 - 0.05 / 100)


@pytest.mark.parametrize("correlation", [0.5, 0.9, 0.99])
def test_a_path_of_related_points_stays_within_as_often_as_said(correlation):
    rng, points, runs = np.random.default_rng(0), 80, 20_000
    noise = rng.normal(size=(points, runs))
    path = noise.copy()
    for i in range(1, points):
        path[i] = correlation * path[i - 1] + np.sqrt(1 - correlation**2) * noise[i]
    confidence = each_confidence(np.full(points - 1, correlation), 0.95)
    coverage = (np.abs(path).max(axis=0) <= stats.norm.ppf(0.5 + confidence / 2)).mean()
    assert 0.945 <= coverage <= 0.98
    assert confidence <= 1 - 0.05 / points + 1e-9
