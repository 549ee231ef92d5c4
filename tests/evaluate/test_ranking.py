from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sortal.evaluate import ranking


def draw(n: int, seed: int, levels: int):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    score = np.round((rng.normal(size=n) + positive) * levels) / levels
    return positive, score


def delong_variance(positive, score) -> float:
    """DeLong et al. (1988) as written: every pair of a positive and a negative row."""
    pairs = np.sign(score[positive][:, None] - score[~positive][None, :]) / 2 + 0.5
    m, n = pairs.shape
    return pairs.mean(axis=1).var(ddof=1) / m + pairs.mean(axis=0).var(ddof=1) / n


@given(n=st.integers(6, 60), seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 1000]))
@settings(deadline=None, max_examples=60)
def test_squared_effects_sum_to_delongs_variance(n, seed, levels):
    positive, score = draw(n, seed, levels)
    assume(1 < positive.sum() < n - 1)
    effect = ranking.roc_auc_effect(positive, score)
    assert effect @ effect == pytest.approx(delong_variance(positive, score), abs=1e-14)
    assert effect.sum() == pytest.approx(0, abs=1e-12)


@given(n=st.integers(5, 40), seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 1000]))
@settings(deadline=None, max_examples=60)
def test_squared_effects_sum_to_the_jackknife_variance(n, seed, levels):
    positive, score = draw(n, seed, levels)
    assume(positive.sum() > 1)
    without = np.array([ranking.average_precision(np.delete(positive, i), np.delete(score, i)) for i in range(n)])
    expected = (n - 1) / n * ((without - without.mean()) ** 2).sum()
    effect = ranking.average_precision_effect(positive, score)
    assert effect @ effect == pytest.approx(expected, rel=1e-9, abs=1e-14)


@given(n=st.integers(5, 40), seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 1000]))
@settings(deadline=None, max_examples=60)
def test_recall_from_cell_counts_is_recall_from_rows(n, seed, levels):
    positive, score = draw(n, seed, levels)
    assume(positive.any())
    cells = ranking.recall_at_precision_cells(positive, score, 0.6)
    rows = np.random.default_rng(seed).integers(n, size=n)
    assume(positive[rows].any())
    counts = np.bincount(cells.cell[rows], minlength=cells.size)[None, :]
    expected = ranking.recall_at_precision(positive[rows], score[rows], 0.6)
    assert cells.score(counts)[0] == pytest.approx(expected, abs=1e-12)


def test_many_positives_share_cells_and_lose_little():
    positive, score = draw(30_000, 0, 10**9)
    cells = ranking.recall_at_precision_cells(positive, score, 0.6)
    assert cells.size <= 2 * (ranking.CUTS + 1)
    counts = np.bincount(cells.cell, minlength=cells.size)[None, :]
    exact = ranking.recall_at_precision(positive, score, 0.6)
    assert exact - 1 / ranking.CUTS <= cells.score(counts)[0] <= exact


def test_one_class_alone_is_undefined():
    score = np.array([0.1, 0.2])
    assert np.isnan(ranking.roc_auc(np.array([True, True]), score))
    assert np.isnan(ranking.average_precision(np.array([False, False]), score))
    assert np.isnan(ranking.recall_at_precision(np.array([False, False]), score))
    assert np.isnan(ranking.roc_auc_effect(np.array([True, False]), score)).all()
    assert np.isnan(ranking.average_precision_effect(np.array([True, False]), score)).all()
