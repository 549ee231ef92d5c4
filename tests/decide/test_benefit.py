from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from sortal.core.costs import incurred
from sortal.decide.benefit import _neighbours, _worths, net_benefit, weight_in_words
from sortal.stats.clusters import worth_of_rows

GRID = np.linspace(0, 0.98, 50)


def draw(n: int, seed: int, levels: int = 10**6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = np.round(rng.beta(1, 4, size=n) * levels) / levels
    return rng.random(n) < score, score


def test_net_benefit_is_that_of_the_published_example() -> None:
    """Family history and cancer in 750 patients: 105 cancers, 24 of 115 with family history.

    Figures of the R package dcurves 0.3, which go with the tutorial of Memorial Sloan Kettering.
    """
    history = np.r_[np.ones(115), np.zeros(635)]
    cancer = np.zeros(750, dtype=bool)
    cancer[:24] = cancer[115 : 115 + 81] = True
    at = np.array([0.01, 0.05, 0.1, 0.2, 0.21, 0.5])
    curve = net_benefit(cancer, history, at)
    expected = [0.030774410774, 0.025614035088, 0.018518518519, 0.001666666667, -0.000253164557, -0.089333333333]
    np.testing.assert_allclose(curve.model, expected, atol=1e-11)
    always = [0.131313131313, 0.094736842105, 0.044444444444, -0.075, -0.088607594937, -0.72]
    np.testing.assert_allclose(curve.always, always, atol=1e-11)


@given(n=st.integers(1, 80), seed=st.integers(0, 10_000), levels=st.sampled_from([2, 10, 10**6]))
@settings(max_examples=40)
def test_net_benefit_is_counted_from_the_confusion_matrix(n: int, seed: int, levels: int) -> None:
    positive, score = draw(n, seed, levels)
    at = np.array([0.0, 0.1, 0.25, 0.5, 0.9])
    curve = net_benefit(positive, score, at)
    for i, t in enumerate(at):
        _, fp, _, tp = confusion_matrix(positive, score >= t, labels=[False, True]).ravel()
        assert curve.model[i] == pytest.approx(tp / n - fp / n * t / (1 - t))
    assert (curve.low <= curve.model).all()
    assert (curve.model <= curve.high).all()


@given(
    cost=st.tuples(*[st.floats(-5, 20)] * 4),
    code=st.integers(0, 1),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=100)
def test_net_benefit_is_what_the_model_saves_against_never(cost, code: int, seed: int) -> None:
    costs = np.array(cost).reshape(2, 2)
    false_alarm = costs[1 - code, code] - costs[1 - code, 1 - code]
    benefit = costs[code, 1 - code] - costs[code, code]
    if false_alarm < 0 or benefit < 1e-6:
        return  # no threshold follows: being right costs more than being wrong
    threshold = false_alarm / (false_alarm + benefit)
    positive, score = draw(300, seed)
    truth = np.where(positive, code, 1 - code)
    decisions = np.where(score >= threshold, code, 1 - code)
    never, always = (incurred(costs, truth, np.full(300, c)).mean() for c in (1 - code, code))
    curve = net_benefit(positive, score, np.array([threshold]))
    assert benefit * curve.model[0] == pytest.approx(never - incurred(costs, truth, decisions).mean(), abs=1e-9)
    assert benefit * curve.always[0] == pytest.approx(never - always, abs=1e-9)


def test_the_curve_begins_with_the_share_of_positives_and_never_beats_it() -> None:
    positive, score = draw(500, 3)
    curve = net_benefit(positive, score, GRID)
    assert curve.model[0] == curve.always[0] == positive.mean()
    assert curve.model.max() <= positive.mean()
    # True probabilities are worth more than either constant decision wherever it matters.
    positive, score = draw(100_000, 4)
    curve = net_benefit(positive, score, GRID)
    assert (curve.model >= np.maximum(curve.always, 0) - 1e-3).all()


def test_the_least_gain_is_a_lower_limit_of_what_the_model_brings() -> None:
    at, runs = np.array([0.02, 0.05, 0.1, 0.3]), 1500
    positive, score = draw(1_000_000, 5)
    all_rows = net_benefit(positive, score, at)
    true = all_rows.model - np.maximum(all_rows.always, 0)
    assert (true > 0).all()
    rng = np.random.default_rng(12)
    above = np.zeros(len(at))
    for _ in range(runs):
        rows = rng.integers(len(score), size=400)
        curve = net_benefit(positive[rows], score[rows], at)
        assert (curve.least_gain <= curve.model - np.maximum(curve.always, 0)).all()
        above += curve.least_gain > true
    assert (above / runs < 0.025 + 0.01).all()


def test_useful_though_the_limits_hold_always() -> None:
    """The share of positives moves both, so that limits of one say little about the difference."""
    positive, score = draw(2000, 13)
    curve = net_benefit(positive, score, np.array([0.1]))
    assert curve.low[0] < curve.always[0] < curve.model[0]
    assert curve.least_gain[0] > 0
    luck = np.random.default_rng(14).random(2000)
    assert (net_benefit(positive, luck, GRID).least_gain < 0).all()


@pytest.mark.parametrize("n", [100, 1000])
def test_limits_cover_the_true_net_benefit(n: int) -> None:
    at, runs = np.array([0.02, 0.1, 0.2, 0.4, 0.6]), 1500
    positive, score = draw(1_000_000, 5)
    true = net_benefit(positive, score, at).model
    rng = np.random.default_rng(6)
    n_covered = np.zeros(len(at))
    for _ in range(runs):
        rows = rng.integers(len(score), size=n)
        curve = net_benefit(positive[rows], score[rows], at)
        n_covered += (curve.low <= true) & (true <= curve.high)
    assert (n_covered / runs > 0.93).all()
    assert (n_covered[:4] / runs < 0.975).all()  # beyond, hardly any row counts, and limits are on the safe side


def test_limits_for_all_thresholds_together_hold_at_all_of_them() -> None:
    at, runs, joint, single = np.linspace(0.02, 0.5, 60), 300, 0, 0
    positive, score = draw(1_000_000, 5)
    true = net_benefit(positive, score, at).model
    rng = np.random.default_rng(21)
    for _ in range(runs):
        rows = rng.integers(len(score), size=400)
        for together in (True, False):
            curve = net_benefit(positive[rows], score[rows], at, together=together)
            inside = bool(((curve.low <= true) & (true <= curve.high)).all())
            joint, single = (joint + inside, single) if together else (joint, single + inside)
    assert 0.93 <= joint / runs <= 0.99
    assert single / runs < 0.9


def test_limits_together_are_no_wider_than_bonferronis_and_of_one_threshold_the_same() -> None:
    positive, score = draw(500, 22)
    single, together = (net_benefit(positive, score, GRID, together=t) for t in (False, True))
    bonferroni = net_benefit(positive, score, GRID, confidence=1 - 0.05 / len(GRID))
    assert (together.low < single.low).all()
    assert (together.low >= bonferroni.low - 1e-12).all()
    assert (together.least_gain <= single.least_gain).all()
    one = [net_benefit(positive, score, GRID[9:10], together=t) for t in (False, True)]
    assert one[0].low == pytest.approx(one[1].low)


def test_limits_are_those_of_the_standard_error_where_rows_are_many() -> None:
    positive, score = draw(200_000, 7)
    curve = net_benefit(positive, score, GRID[:30])
    worth = np.where(positive[:, None], 1.0, -GRID[:30] / (1 - GRID[:30])) * (score[:, None] >= GRID[:30])
    half = 1.959964 * worth.std(axis=0) / np.sqrt(len(score))
    np.testing.assert_allclose(curve.high - curve.model, half, rtol=0.03)
    np.testing.assert_allclose(curve.model - curve.low, half, rtol=0.03)


def test_nobody_decided_positive_is_not_known_for_sure() -> None:
    curve = net_benefit(np.zeros(50, dtype=bool), np.full(50, 0.1), np.array([0.5]))
    assert curve.model[0] == 0
    assert curve.low[0] < -0.02
    assert curve.high[0] > 0.02


def test_more_confidence_is_wider() -> None:
    positive, score = draw(200, 8)
    narrow, wide = (net_benefit(positive, score, GRID, confidence=c) for c in (0.8, 0.99))
    assert (wide.low < narrow.low).all()
    assert (wide.high > narrow.high).all()


def test_limits_cover_where_rows_come_in_groups() -> None:
    at, rng, runs = np.array([0.1, 0.3]), np.random.default_rng(9), 600
    size, groups = 10, 60

    def draw_groups(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        score = rng.beta(1, 3, size=count)  # one for each group, whose rows share a fate in half of all cases
        fate, shared = rng.random(count), rng.random((count, size)) < 0.7
        luck = np.where(shared, fate[:, None], rng.random((count, size)))
        positive = luck < score[:, None]
        return positive.ravel(), np.repeat(score, size), np.repeat(np.arange(count), size)

    positive, score, _ = draw_groups(100_000)
    true = net_benefit(positive, score, at).model
    n_covered = np.zeros((2, 2))
    for _ in range(runs):
        positive, score, group = draw_groups(groups)
        for i, ids in enumerate((group, None)):
            curve = net_benefit(positive, score, at, groups=ids)
            n_covered[i] += (curve.low <= true) & (true <= curve.high)
    assert (n_covered[0] / runs > 0.92).all()
    assert (n_covered[1] / runs < 0.85).all()


@given(n=st.integers(2, 40), seed=st.integers(0, 10_000), groups=st.integers(1, 8))
@settings(max_examples=40)
def test_rows_are_worth_what_their_sums_over_groups_say(n: int, seed: int, groups: int) -> None:
    positive, score = draw(n, seed, 10)
    code = np.unique(np.random.default_rng(seed).integers(groups, size=n), return_inverse=True)[1]
    at = np.array([0.1, 0.4])
    worths = _worths(positive, score, at, code)
    for j, side in enumerate((score[:, None] >= at, score[:, None] < at)):
        adds = np.where(positive[:, None], 1.0, -at / (1 - at)) * side
        for i in range(2):
            away = (adds[:, i] - adds[:, i].mean()).round(12)
            like = np.zeros(n)
            for rows in (side[:, i], ~side[:, i]):
                like[rows] = (away[rows] ** 2).sum() / max(rows.sum(), 1)
            expected = worth_of_rows(away, code, expected=like)
            assert worths[j][i].design == pytest.approx(expected.design, rel=1e-6)
            assert worths[j][i].groups == pytest.approx(expected.groups, rel=1e-6)


def test_groups_of_one_row_change_nothing_much() -> None:
    positive, score = draw(400, 10)
    alone, grouped = (net_benefit(positive, score, GRID, groups=g) for g in (None, np.arange(400)))
    np.testing.assert_allclose(alone.low[:20], grouped.low[:20], atol=2e-3)
    assert (grouped.low <= alone.low + 1e-12).all()  # few rows are decided positive by the last thresholds


@pytest.mark.clock
def test_ten_thousand_rows_and_a_hundred_thresholds_are_quick() -> None:
    positive, score = draw(10_000, 11)
    at = np.linspace(0, 0.99, 100)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        net_benefit(positive, score, at, groups=np.arange(10_000) // 5)
        best = min(best, time.perf_counter() - start)
    assert best < 0.05


def test_what_cannot_be_used_is_refused() -> None:
    positive, score = draw(10, 0)
    for at in ([1.0], [-0.1], [float("nan")]):
        with pytest.raises(ValueError, match="thresholds"):
            net_benefit(positive, score, np.array(at))
    for truth, p in ((positive[:5], score), (positive[:0], score[:0])):
        with pytest.raises(ValueError, match="rows"):
            net_benefit(truth, p, GRID)


def test_neighbouring_thresholds_go_together_as_their_rows_do() -> None:
    """The correlation of what each row adds, by numpy."""
    positive, score = draw(300, 15)
    at = np.array([0.02, 0.05, 0.1, 0.15, 0.2])
    weight = at / (1 - at)
    adds = np.where(positive[:, None], 1.0, -weight) * (score[:, None] >= at)
    true, false = ((score[rows][:, None] >= at).sum(axis=0) / 300 for rows in (positive, ~positive))
    correlations = _neighbours(true, false, weight)
    expected = [np.corrcoef(adds[:, i], adds[:, i + 1])[0, 1] for i in range(4)]
    assert correlations == pytest.approx(expected)
    # What never varies goes with what never varies, and with nothing else.
    nothing, half = np.zeros(3), np.array([0.0, 0.0, 0.5])
    assert _neighbours(half, nothing, np.ones(3)).tolist() == [1.0, 0.0]


def test_about_even_weights_are_said_to_be_even() -> None:
    assert weight_in_words(0.4999, "churn") == weight_in_words(0.5001, "churn")
    assert weight_in_words(0.5, "churn") == "as if a missed churn cost one false alarm"
    assert weight_in_words(0.49, "churn") == "as if a missed churn cost 1.04 false alarms"
    assert weight_in_words(0.51, "churn") == "as if a false alarm cost 1.04 missed churn"
