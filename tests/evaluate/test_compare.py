from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sortal.core import registry
from sortal.core.costs import CostColumn
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.compare import corrected_t, difference, excess_cost, row_values
from sortal.stats.sampling import Rates


@given(k=st.integers(3, 12), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_without_overlap_the_corrected_t_is_the_paired_t(k, seed):
    a, b = np.random.default_rng(seed).normal(size=(2, k))
    interval, p = corrected_t(a, b, train_share=1 - 1e-15)
    plain = stats.ttest_rel(a, b)
    assert p == pytest.approx(plain.pvalue, rel=1e-6)
    low, high = plain.confidence_interval(0.95)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-6)


def test_overlap_widens_the_interval_by_the_published_factor():
    a, b = np.random.default_rng(0).normal(size=(2, 10))
    plain, _ = corrected_t(a, b, train_share=1 - 1e-15)
    wide, p = corrected_t(a, b, train_share=0.9)
    factor = np.sqrt((1 / 10 + 0.1 / 0.9) / (1 / 10))
    assert (wide.high - wide.low) / (plain.high - plain.low) == pytest.approx(factor)
    assert (p < 0.05) == (wide.low > 0 or wide.high < 0)


def test_equal_models_do_not_differ():
    same = [0.1, 0.2, 0.3]
    interval, p = corrected_t(same, same, 0.8)
    assert (interval.low, interval.value, interval.high, p) == (0, 0, 0, 1)
    assert corrected_t([0.2, 0.3], [0.1, 0.2], 0.8)[1] == 0


def test_a_difference_of_symmetric_losses_is_about_the_paired_t():
    rng = np.random.default_rng(1)
    a = rng.normal(size=100)
    b = a + np.concatenate([np.linspace(-1, 1, 99) + 0.1, [0.1]])
    interval = difference(a, b)
    low, high = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert interval.value == pytest.approx(-0.1)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.01 * (high - low))


def test_pairing_sees_what_two_intervals_would_miss():
    rng = np.random.default_rng(2)
    hard = rng.exponential(size=2000)
    interval = difference(hard + 0.01 * rng.random(2000), hard)
    assert 0 < interval.low < interval.high < 0.01


def test_rows_that_belong_together_count_once():
    rng = np.random.default_rng(3)
    gap = np.repeat(rng.normal(size=50), 10)
    alone = difference(gap, np.zeros(500))
    together = difference(gap, np.zeros(500), groups=np.repeat(np.arange(50), 10))
    once = difference(gap[::10], np.zeros(50))
    assert together.high - together.low > 2.5 * (alone.high - alone.low)
    assert (together.low, together.high) == pytest.approx((once.low, once.high), abs=0.02 * (once.high - once.low))


@pytest.mark.parametrize("name", ["log_loss", "accuracy", "f1", "balanced_accuracy", "roc_auc", "average_precision"])
@pytest.mark.parametrize("classes", [2, 3])
def test_values_of_rows_have_the_score_as_their_mean_and_vary_as_the_jackknife_does(name, classes):
    rng, metric = np.random.default_rng(3), registry.load("sortal.metrics", name)
    labels = ("a", "b", "c")[:classes]
    task = Task("y", labels, (1 / classes,) * classes, "b" if classes == 2 else None, "log_loss", (), ())
    truth = rng.integers(classes, size=240)
    probability = rng.dirichlet(np.ones(classes), size=240) * 0.7 + 0.3 * np.eye(classes)[truth]
    rows = Predictions(labels, np.arange(240), truth, probability, "test")
    decided = probability.argmax(axis=1)
    score = metric.score(task, rows, decided)
    values = row_values(score, metric.sampling(task, rows, decided))
    assert values.mean() == pytest.approx(score, abs=2e-3)
    keep = ~np.eye(240, dtype=bool)
    left_out = np.array([metric.score(task, rows.take(k), decided[k]) for k in keep])
    jackknife = 239 / 240 * ((left_out - left_out.mean()) ** 2).sum()
    assert values.var(ddof=1) / 240 == pytest.approx(jackknife, rel=0.03)


def test_a_score_that_is_the_best_of_many_has_no_values_of_rows():
    assert row_values(0.5, None) is None


def decided_rows(hits: int, alarms: int, n: int) -> tuple[Predictions, np.ndarray]:
    """Rows of which ``hits`` are yes and said so, and ``alarms`` are no but said yes; all others are no and said so."""
    decided = (np.arange(n) < hits + alarms).astype(np.int64)
    truth = (np.arange(n) < hits).astype(np.int64)
    return Predictions(("no", "yes"), np.arange(n), truth, np.full((n, 2), 0.5), "test"), decided


def test_errors_saved_against_deciding_all_alike_have_tangos_interval():
    """Of 50 pairs 12 speak for one side and 2 for the other: Tango's score interval with Student's quantile."""
    task = Task("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", (), ())
    excess = excess_cost(task, *decided_rows(12, 2, 50), 0)
    assert excess.value == pytest.approx(-0.2)
    t2, n = stats.t.ppf(0.975, 49) ** 2, 50
    for limit in (excess.low, excess.high):
        b = -12 - 2 + (2 * n - 12 + 2) * -limit
        c = -2 * -limit * (1 + limit)
        q = (np.sqrt(b * b - 8 * n * c) - b) / (4 * n)
        assert (10 + n * limit) ** 2 / (n * (2 * q - limit * (1 + limit))) == pytest.approx(t2, rel=1e-6)


def test_a_rule_that_is_never_wrong_may_still_be() -> None:
    cost = ((0.0, 1.0), (30.0, 0.0))
    task = Task("y", ("no", "yes"), (0.9, 0.1), "yes", "log_loss", (), (), "cost", cost)
    excess = excess_cost(task, *decided_rows(0, 20, 200), 0)
    t2 = stats.t.ppf(0.975, 199) ** 2
    # Against never saying yes: of 20 rows said yes none was. A row could have been, which spares a miss.
    assert excess.value == pytest.approx(0.1)
    assert excess.low == pytest.approx(0.1 - 30.1 * t2 / (200 + t2))


def test_a_rule_that_decides_all_like_its_rival_is_no_other() -> None:
    task = Task("y", ("no", "yes"), (0.9, 0.1), "yes", "log_loss", (), (), "cost", ((0.0, 1.0), (30.0, 0.0)))
    excess = excess_cost(task, *decided_rows(0, 0, 200), 0)
    assert (excess.low, excess.value, excess.high) == (0, 0, 0)


def test_costs_that_stand_in_the_rows_bound_what_may_differ():
    task = Task(
        *("y", ("no", "yes"), (0.9, 0.1), "yes", "log_loss", (), (), "cost", ((0.0, 1.0), (0.0, 0.0))),
        cost_columns=(CostColumn(1, 0, "amount"),),
    )
    rows, decided = decided_rows(0, 1, 200)
    amounts = np.where(np.arange(200) < 100, 10.0, 30.0)[:, None]
    excess = excess_cost(task, replace(rows, row_costs=amounts), decided, 0)
    t2 = stats.t.ppf(0.975, 199) ** 2
    # One row said yes is none. Others could have been 10 or 30 cheaper: those of 30 count three times as much.
    rooms = np.array([10.0, 30.0]) + 1 / 200
    far = (rooms @ rooms + (11**2 - 10**2) / 100) / (rooms.sum() + 1 / 100)
    assert excess.low == pytest.approx(excess.value - far * t2 / (200 + t2), rel=1e-3)


def test_shares_of_no_row_have_no_values_of_rows() -> None:
    assert row_values(float("nan"), Rates([])) is None


def test_errors_of_rows_that_stand_there_four_times_tell_no_more_than_once() -> None:
    task = Task("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", (), (), "cost", ((0.0, 1.0), (4.0, 0.0)))
    rng = np.random.default_rng(2)
    truth, decided, four = rng.integers(2, size=60), rng.integers(2, size=60), np.repeat(np.arange(60), 4)
    once = Predictions(("no", "yes"), np.arange(60), truth, np.full((60, 2), 0.5), "test")
    many = once.take(four)
    for code in (0, 1):
        single, alone, together = (
            excess_cost(task, rows, codes, code)
            for rows, codes in (
                (once, decided),
                (many, decided[four]),
                (replace(many, groups=four * 3 + 1), decided[four]),
            )
        )
        assert single.value == pytest.approx(alone.value) == pytest.approx(together.value)
        assert together.high - together.low > 1.8 * (alone.high - alone.low)
        assert (together.low, together.high) == pytest.approx((single.low, single.high), abs=0.05)
