"""All figures of some rows, and those of each class: by hand, and with Wilson's limits as SciPy has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from sortal.core import registry
from sortal.core.interval import Estimate
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.figures import figures, per_class, share
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import metrics_for

TASK = Task("y", ("no", "yes"), (0.8, 0.2), "yes", "log_loss", ("recall", "expected_cost", "fbeta"), ())
COSTLY = replace(TASK, cost=((0.0, 1.0), (8.0, 0.0)))
NAMES = {metric.name for metric in metrics_for(TASK)}


def draw(n: int = 60) -> tuple[Predictions, np.ndarray]:
    rng = np.random.default_rng(0)
    p = rng.beta(1, 2, size=n)
    truth = (rng.random(n) < p).astype(np.int64)
    predictions = Predictions(
        TASK.classes, np.arange(n), truth, np.column_stack([1 - p, p]), "test", groups=np.arange(n) // 2
    )
    return predictions, (p > 0.4).astype(np.int64)


@pytest.mark.parametrize(
    ("task", "first", "without"),
    [
        (TASK, ["recall"], {"expected_cost", "fbeta"}),
        (COSTLY, ["recall", "expected_cost"], {"fbeta"}),
        (replace(TASK, beta=2.0), ["recall", "fbeta"], {"expected_cost"}),
    ],
)
def test_every_metric_that_says_something_stands_once_the_headline_first(task, first, without):
    predictions, decided = draw()
    estimates = figures(task, predictions, decided, seed=3)
    assert list(estimates)[: len(first)] == first
    assert set(estimates) == NAMES - without
    for name, estimate in estimates.items():
        metric = registry.load("sortal.metrics", name)
        assert estimate == Estimate.of(interval(metric, task, predictions, decided, seed=3))


def wilson(hits: int, rows: int) -> tuple[float, float, float]:
    bounds = stats.binomtest(hits, rows).proportion_ci(method="wilson")
    return hits / rows, bounds.low, bounds.high


def limits(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def test_each_class_by_hand():
    """Six of a, three of b, none of c; of the last two rows one is left to a person."""
    task = replace(TASK, classes=("a", "b", "c"), prevalence=(0.6, 0.3, 0.1), positive=None, reject_cost=0.2)
    truth = np.array([0, 0, 0, 0, 1, 1, 0, 1, 0])
    decided = np.array([0, 0, 0, 1, 1, 0, 2, 3, 3])
    a, b, c = per_class(task, truth, decided)
    assert (a.label, a.support, b.label, b.support, c.label, c.support) == ("a", 6, "b", 3, "c", 0)
    assert limits(a.precision) == pytest.approx(wilson(3, 4))
    assert limits(a.recall) == pytest.approx(wilson(3, 5))
    assert limits(b.precision) == pytest.approx(wilson(1, 2))
    assert limits(b.recall) == pytest.approx(wilson(1, 2))
    assert (a.f1, b.f1, c.f1) == (pytest.approx(2 * 3 / (5 + 4)), pytest.approx(2 / 4), None)
    assert limits(a.rejected) == pytest.approx(wilson(1, 6))
    assert limits(b.rejected) == pytest.approx(wilson(1, 3))
    assert (c.recall, c.rejected) == (Estimate(None), Estimate(None))
    assert limits(c.precision) == pytest.approx(wilson(0, 1))
    assert {score.rejected for score in per_class(replace(task, reject_cost=None), truth, decided)} == {None}


def test_a_share_of_no_rows_may_be_anything_and_groups_widen_it():
    hits = np.array([True, True, False, False] * 10)
    assert limits(share(np.zeros(4, dtype=bool), np.zeros(4, dtype=bool))) == (0.0, 0.0, 1.0)
    alone, pairs = share(np.ones(40, dtype=bool), hits), share(np.ones(40, dtype=bool), hits, np.arange(40) // 2)
    assert limits(alone) == pytest.approx(wilson(20, 40))
    assert pairs.high - pairs.low > 1.3 * (alone.high - alone.low)


def test_every_share_of_a_class_is_less_sure_where_rows_stand_there_twice():
    task = replace(TASK, reject_cost=0.2)
    rng = np.random.default_rng(1)
    truth, decided = rng.integers(2, size=60), rng.integers(3, size=60)
    twice = np.repeat(np.arange(60), 2)
    once, together, apart = (
        per_class(task, truth[rows], decided[rows], clusters)
        for rows, clusters in ((np.arange(60), None), (twice, twice), (twice, None))
    )
    for one, pairs, rows in zip(once, together, apart, strict=True):
        for name in ("precision", "recall", "rejected"):
            few, own, many = (limits(getattr(score, name)) for score in (one, pairs, rows))
            assert own[0] == many[0] == few[0]
            assert own[2] - own[1] > 1.3 * (many[2] - many[1])
            assert own == pytest.approx(few, abs=0.03)
