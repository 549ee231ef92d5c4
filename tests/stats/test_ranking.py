from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from sortal.stats import ranking
from sortal.stats.sampling import Spread


def draw(n: int, seed: int, levels: int):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    score = np.round((rng.normal(size=n) + positive) * levels) / levels
    return positive, score


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60))
@settings(max_examples=60)
def test_roc_auc_is_that_of_scikit_learn(rows):
    positive, score = np.array([p for p, _ in rows]), np.array([s / 6 for _, s in rows])
    assume(positive.any() and not positive.all())
    assert ranking.roc_auc(positive, score) == pytest.approx(roc_auc_score(positive, score))


@given(n=st.integers(3, 40), seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 1000]))
@settings(max_examples=40)
def test_placements_are_those_of_every_pair_less_their_mean(n, seed, levels):
    positive, score = draw(n, seed, levels)
    assume(positive.any() and not positive.all())
    pairs = np.sign(score[positive][:, None] - score[~positive][None, :]) / 2 + 0.5
    placements = ranking.placements(positive, score)
    assert placements[positive] == pytest.approx(pairs.mean(axis=1) - pairs.mean(), abs=1e-12)
    assert placements[~positive] == pytest.approx(pairs.mean(axis=0) - pairs.mean(), abs=1e-12)


def delong_variance(positive, score) -> float:
    """DeLong et al. (1988) as written: every pair of a positive and a negative row."""
    pairs = np.sign(score[positive][:, None] - score[~positive][None, :]) / 2 + 0.5
    m, n = pairs.shape
    return pairs.mean(axis=1).var(ddof=1) / m + pairs.mean(axis=0).var(ddof=1) / n


@given(n=st.integers(6, 60), seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 1000]))
@settings(max_examples=60)
def test_squared_effects_sum_to_delongs_variance(n, seed, levels):
    positive, score = draw(n, seed, levels)
    assume(1 < positive.sum() < n - 1)
    effect = ranking.roc_auc_effect(positive, score)
    assert effect @ effect == pytest.approx(delong_variance(positive, score), abs=1e-14)
    assert effect.sum() == pytest.approx(0, abs=1e-12)


@given(n=st.integers(5, 40), seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 1000]))
@settings(max_examples=60)
def test_squared_effects_sum_to_the_jackknife_variance(n, seed, levels):
    positive, score = draw(n, seed, levels)
    assume(positive.sum() > 1)
    without = np.array([ranking.average_precision(np.delete(positive, i), np.delete(score, i)) for i in range(n)])
    expected = (n - 1) / n * ((without - without.mean()) ** 2).sum()
    effect = ranking.average_precision_effect(positive, score)
    assert effect @ effect == pytest.approx(expected, rel=1e-9, abs=1e-14)


@given(n=st.integers(5, 40), seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 1000]))
@settings(max_examples=60)
def test_each_positive_is_judged_by_the_other_rows(n, seed, levels):
    positive, score = draw(n, seed, levels)
    hits = positive.sum()
    assume(hits > 1)
    stands_for = np.where(positive, hits / (hits - 1), 1.0)  # all positives, without the one that is judged

    def precision(row):
        others = np.arange(n) != row
        above = others & (score >= min(score[row], score[others].max()))
        return (stands_for * positive)[above].sum() / stands_for[above].sum()

    expected = np.mean([precision(row) for row in np.flatnonzero(positive)])
    assert ranking.average_precision_by_others(positive, score) == pytest.approx(expected, rel=1e-12)


def test_by_the_others_average_precision_is_right_on_average():
    """That of a sample is too high by as much as the class is small, in every kind of ranking but a perfect one."""
    rng, share = np.random.default_rng(0), 0.1
    for shift, levels in ((0.0, 1), (0.0, 1000), (1.0, 1000), (1.0, 2)):

        def draw_rows(n, shift=shift, levels=levels):
            positive = np.arange(n) < share * n
            return positive, np.round((rng.normal(size=n) + shift * positive) * levels) / levels

        truth = ranking.average_precision(*draw_rows(100_000))
        samples = [draw_rows(150) for _ in range(300)]
        fair = np.array([ranking.average_precision_by_others(*sample) for sample in samples])
        assert fair.mean() == pytest.approx(truth, abs=3 * fair.std() / np.sqrt(300) + 0.003)
        if levels == 1000:
            assert np.mean([ranking.average_precision(*sample) for sample in samples]) > truth + 0.02


def test_what_a_fresh_row_is_expected_to_have_needs_a_second_positive():
    score = np.array([0.4, 0.3, 0.2, 0.1])
    for hits, expected in (([1, 0, 0, 0], 1.0), ([0, 1, 0, 0], 0.5), ([1, 1, 0, 0], 1.0), ([1, 1, 1, 1], 1.0)):
        assert ranking.average_precision_by_others(np.array(hits) == 1, score) == expected
    # The first is judged at the second row's threshold, 0 of 1; the third by 2 (for the first) of 2 + 1.
    assert ranking.average_precision_by_others(np.array([1, 0, 1, 0]) == 1, score) == pytest.approx((0 + 2 / 3) / 2)


@given(n=st.integers(5, 40), seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 1000]))
@settings(max_examples=60)
def test_cuts_around_positives_are_those_that_matter(n, seed, levels):
    positive, score = draw(n, seed, levels)
    assume(positive.any())
    hits, rows = ranking.best_cut(positive, score, 0.6).counts
    every = [(np.count_nonzero(positive & (score >= cut)), np.count_nonzero(score >= cut)) for cut in np.unique(score)]
    assert set(zip(hits, rows, strict=True)) <= set(every)
    for count in np.unique(hits):
        least, most = (pick(r for h, r in every if h == count) for pick in (min, max))
        assert set(rows[hits == count]) == ({least, most} if count else {most})
    assert (hits[-1], rows[-1]) == (positive.sum(), n)
    most_hits = np.max(hits, initial=0, where=hits >= 0.6 * rows - 1e-9)
    assert most_hits / hits[-1] == pytest.approx(ranking.recall_at_precision(positive, score, 0.6))


def test_of_many_cuts_evenly_many_are_left():
    positive, score = draw(30_000, 0, 10**9)
    best = ranking.best_cut(positive, score, 0.6)
    hits, rows = best.counts
    assert len(hits) == ranking.CUTS
    assert np.diff(hits).max() <= 2 * positive.sum() / ranking.CUTS
    assert (hits[-1], rows[-1]) == (positive.sum(), 30_000)
    recall, precision = best.shares(400)
    assert (recall.shares[0], precision.shares[0]) == (hits[400] / positive.sum(), hits[400] / rows[400])


def test_one_class_alone_is_undefined():
    score = np.array([0.1, 0.2])
    assert np.isnan(ranking.roc_auc(np.array([True, True]), score))
    assert np.isnan(ranking.average_precision(np.array([False, False]), score))
    assert np.isnan(ranking.recall_at_precision(np.array([False, False]), score))
    assert np.isnan(ranking.roc_auc_effect(np.array([True, False]), score)).all()
    assert np.isnan(ranking.average_precision_effect(np.array([True, False]), score)).all()
    for alone in (np.array([True, True]), np.array([False, False])):
        assert np.isnan(ranking.placements(alone, score)).all()
        assert np.isnan(ranking.roc_auc_effect(alone, score)).all()


OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def test_delongs_own_example():
    """Ovarian cancer patients of DeLong et al. (1988): albumin, total protein, K-G score, and whether surgery helped.

    As published with these data in the SAS/STAT user's guide, "Comparing Receiver Operating Characteristic Curves":
    areas, their standard errors, and the chi-square of the hypothesis that the three are equal.
    """
    albumin, protein, score, outcome = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4).T
    positive, tests = outcome == 1, (albumin, protein, 10 - score)
    area = np.array([ranking.roc_auc(positive, t) for t in tests])
    effect = np.array([ranking.roc_auc_effect(positive, t) for t in tests])
    covariance = effect @ effect.T
    assert area.round(4).tolist() == [0.7366, 0.6478, 0.7258]
    assert np.sqrt(np.diag(covariance)).round(4).tolist() == [0.0927, 0.1000, 0.1028]
    contrast = np.array([[1, 0, -1], [0, 1, -1]])
    gap = contrast @ area
    assert gap @ np.linalg.solve(contrast @ covariance @ contrast.T, gap) == pytest.approx(2.5340, abs=5e-5)


def test_no_rows_have_no_effect():
    assert ranking.roc_auc_effect(np.zeros(0, dtype=bool), np.zeros(0)).shape == (0,)


def test_the_mean_of_rankings_varies_by_what_each_row_adds_to_each():
    """Two rankings of five rows, of which the second has a class of one row, and adds nothing that is known."""
    first, second = np.array([1, 1, 0, 0, 0]) == 1, np.array([0, 0, 0, 0, 1]) == 1
    score, order = np.arange(5.0), np.array([4, 3, 2, 1, 0])
    adds = {2: np.array([0.3, 0.1, -0.2, -0.1, 0.1]), 1: np.array([0.1, 0.1, 0.1, 0.1, np.nan])}
    calls = []

    def value(positive, score, order):
        calls.append((positive.sum(), score.tolist(), order.tolist()))
        return 0.9 if positive.sum() == 2 else 0.6

    influence = ranking.influence(
        [(first, score, order), (second, score, order)],
        value,
        lambda positive, score, order: adds[int(positive.sum())].copy(),
        lambda positive: positive.mean(),
    )
    assert calls == [(2, score.tolist(), order.tolist()), (1, score.tolist(), order.tolist())]
    assert influence.effect == pytest.approx(adds[2] / 2)
    pair, three = (0.3**2 + 0.1**2) / 2, (0.2**2 + 0.1**2 + 0.1**2) / 3
    assert influence.expected == pytest.approx([pair, pair, three, three, three])
    (one, spreads), (other, alone) = influence.figures
    assert (one, other, len(spreads), len(alone)) == (0.9, 0.6, 3, 2)
    own, rest, between = spreads
    for spread, rows, chance in ((own, first, 0.4), (rest, ~first, 0.4)):
        expected = Spread.around(0.9, adds[2][rows], chance)
        assert (spread.value.tolist(), spread.count.tolist()) == (expected.value.tolist(), expected.count.tolist())
        assert (spread.low, spread.high) == (expected.low, expected.high)
    # The mean of each class is what changes with how many rows are of it: .2 of the two, -.2 / 3 of the others.
    means = Spread.around(0.9, np.array([0.2, 0.2, -0.2 / 3, -0.2 / 3, -0.2 / 3]), 0.9)
    assert between.value == pytest.approx(means.value)
    assert (between.count.tolist(), between.low, between.high) == ([3, 2], 0.9, 1.0)
    assert alone[0].variance == alone[1].variance == 0


def test_the_others_vary_with_the_share_of_a_class_only_where_its_rows_add_up_to_something():
    positive, score = draw(60, 1, 1000)
    rankings = [(positive, score, None)]
    by_pairs = ranking.influence(rankings, ranking.roc_auc, ranking.roc_auc_effect, lambda positive: 1 / 3)
    assert len(by_pairs.figures[0][1]) == 2
    assert by_pairs.effect @ by_pairs.effect == pytest.approx(delong_variance(positive, score))
    figures = ranking.average_precision_by_others, ranking.average_precision_effect
    by_hits = ranking.influence(rankings, *figures, lambda positive: positive.mean())
    assert len(by_hits.figures[0][1]) == 3
    assert by_hits.figures[0][0] == ranking.average_precision_by_others(positive, score)
