"""Rows that were dealt class by class: by hand, against the variance in textbooks, and in simulated parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.compare import excess_cost
from sortal.evaluate.figures import per_class
from sortal.evaluate.intervals import mean_interval, strata_of
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import accuracy, average_precision, expected_cost, log_loss, recall, roc_auc
from sortal.stats.clusters import LEAST, worth_of_rows
from sortal.stats.sampling import Mean
from sortal.stats.strata import Strata

TASK = Task("y", ("no", "yes"), (0.9, 0.1), "yes", "log_loss", (), (), cost=((0.0, 1.0), (9.0, 0.0)))


def halves(values: list[float], of: int) -> tuple[np.ndarray, Strata]:
    """Effects of rows of two classes of equal size, dealt from ``of`` times as many."""
    code = np.repeat([0, 1], len(values) // 2)
    strata = Strata.of(code, np.bincount(code) * of)
    assert strata is not None
    return np.array(values) - np.mean(values), strata


def test_rows_that_came_one_by_one_have_no_strata():
    assert Strata.of(np.array([0, 1]), None) is None
    assert Strata.of(np.zeros(0, dtype=np.int64), np.array([4, 4])) is None


def test_by_hand():
    """Around their classes the effects are 1, -1, 1, -1, between them -3, -3, 3, 3, of which a tenth is left; and one
    row more of each class adds 2 / 2 + 9."""
    effect, strata = halves([1.0, -1.0, 7.0, 5.0], of=10)
    assert strata.share_left == pytest.approx(0.1)
    first, second = strata.parts(effect)
    assert first @ first + second @ second == pytest.approx(4 + 36 / 10)
    assert strata.unseen(effect) == pytest.approx(2 * (1 + 9))
    many, more = halves([1.0, -1.0] * 50 + [7.0, 5.0] * 50, of=10)
    worth = worth_of_rows(many, None, strata=more)
    assert worth.design == pytest.approx((200 + 1800 / 10 + 2 * (1 + 9)) / 2000)


@given(seed=st.integers(0, 10_000), classes=st.integers(1, 4), of=st.integers(1, 50), grouped=st.booleans())
@settings(max_examples=60)
def test_never_worth_less_than_rows_that_came_one_by_one(seed, classes, of, grouped):
    rng = np.random.default_rng(seed)
    code = rng.integers(classes, size=40)
    effect = rng.normal(size=40) + code
    effect -= effect.mean()
    strata = Strata.of(code, np.bincount(code, minlength=classes) * of)
    assert strata is not None
    assert 0 < strata.share_left <= 1
    first, second = strata.parts(effect)
    between = np.array([effect[code == c].mean() for c in range(classes) for _ in range(np.sum(code == c))])
    within = effect @ effect - between @ between
    assert first @ first + second @ second == pytest.approx(within + strata.share_left * (between @ between))
    if not grouped:
        assert LEAST <= worth_of_rows(effect, None, strata=strata).design <= 1


def test_with_all_rows_in_the_part_nothing_is_known_beyond_them():
    values, code = np.random.default_rng(0).lognormal(size=60), np.repeat([0, 1, 2], 20)
    whole = Strata.of(code, np.bincount(code))
    for clusters in (None, np.arange(60) // 4):
        assert mean_interval(Mean(values), clusters, strata=whole) == mean_interval(Mean(values), clusters)


def test_groups_that_could_not_be_dealt_in_proportion():
    """22 of 100 where 10 were wished: 16 times as far off as independent rows are on average."""
    far = Strata.of(np.repeat([0, 1], [78, 22]), np.array([900, 100]))
    assert far is not None
    assert far.share_left == 1.0
    absent = Strata.of(np.repeat([0, 1], [90, 10]), np.array([900, 100, 5]))
    assert absent is not None
    assert absent.share_left == pytest.approx(100 / 1005)


def test_of_groups_only_what_differs_within_classes_varies_with_them():
    """Two classes, each row as its class: groups of one class each are no less alike, and the figure is known."""
    code = np.arange(40) // 20
    effect = np.where(code == 1, 1.0, -1.0)
    groups = np.arange(40) // 4
    plain = worth_of_rows(effect, groups)
    with_strata = worth_of_rows(effect, groups, strata=Strata.of(code, np.array([200, 200])))
    assert plain.design == pytest.approx(40 / 9 * 1.0)
    assert with_strata.design == pytest.approx(plain.design / 10)
    assert with_strata.groups == plain.groups
    copies = np.repeat(np.random.default_rng(0).normal(size=10), 4)
    copies -= np.array([copies[code == c].mean() for c in (0, 1)])[code]
    alike = worth_of_rows(copies, groups, strata=Strata.of(code, np.array([200, 200])))
    assert alike.design == pytest.approx(worth_of_rows(copies, groups).design)


def part(rng: np.random.Generator, of: int, n: int) -> Predictions:
    """n rows dealt in proportion from ``of`` rows, a tenth of which are positive; the model is calibrated."""
    hits = rng.binomial(of, 0.1)
    truth = np.repeat([0, 1], [n - round(n * hits / of), round(n * hits / of)])
    score = rng.normal(size=n) + truth
    p = 1 / (1 + np.exp(0.5 - score) * 9)
    of_classes = np.array([of - hits, hits])
    return Predictions(TASK.classes, np.arange(n), truth, np.column_stack([1 - p, p]), "test", drawn_from=of_classes)


TRUE = {"log_loss": 0.2823, "accuracy": 0.8908, "expected_cost": 0.7507, "average_precision": 0.2932}
"""Of four million rows; decisions at .3."""


@pytest.mark.parametrize("metric", [log_loss, accuracy, expected_cost, average_precision])
def test_intervals_of_a_dealt_part_hold_and_are_narrower(metric):
    rng = np.random.default_rng(7)
    reps, n_covered, plain, strata_width = 300, 0, 0.0, 0.0
    for _ in range(reps):
        rows = part(rng, 2000, 300)
        decided = (rows.probability[:, 1] >= 0.3).astype(np.int64)
        figure = interval(metric, TASK, rows, decided)
        every = interval(metric, TASK, rows.take(np.arange(300)), decided)
        n_covered += figure.low <= TRUE[metric.name] <= figure.high
        plain, strata_width = plain + every.high - every.low, strata_width + figure.high - figure.low
        assert every.low - 1e-9 <= figure.low <= figure.value <= figure.high <= every.high + 1e-9
        assert figure.value == every.value
    assert 0.925 <= n_covered / reps <= 0.985
    assert strata_width < 0.97 * plain


def test_figures_of_one_class_are_as_they_were():
    """Recall and ROC-AUC take each class by itself."""
    rows = part(np.random.default_rng(3), 2000, 300)
    decided = (rows.probability[:, 1] >= 0.3).astype(np.int64)
    one_by_one = rows.take(np.arange(300))
    for metric in (recall, roc_auc):
        with_strata, plain = (interval(metric, TASK, sample, decided) for sample in (rows, one_by_one))
        assert (with_strata.low, with_strata.high) == (pytest.approx(plain.low), pytest.approx(plain.high))


def test_what_else_is_told_of_a_dealt_part_knows_of_it():
    rows = part(np.random.default_rng(4), 2000, 300)
    decided = (rows.probability[:, 1] >= 0.3).astype(np.int64)
    with_strata, plain = (excess_cost(TASK, sample, decided, 0) for sample in (rows, rows.take(np.arange(300))))
    assert with_strata.high - with_strata.low < plain.high - plain.low
    strata = strata_of(rows)
    scores, as_ever = per_class(TASK, rows.truth, decided, None, strata), per_class(TASK, rows.truth, decided)
    assert scores[1].recall == as_ever[1].recall
    assert scores[0].precision.low > as_ever[0].precision.low
