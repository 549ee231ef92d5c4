"""Which method a metric gets its interval by, and what the method is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sortal.core import registry
from sortal.core.interval import Interval
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate import metric_interval as module
from sortal.evaluate.costs import costs_within
from sortal.evaluate.metric_interval import interval
from sortal.stats.sampling import Mean

TASK = Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", (), ())
BRIER = registry.load("sortal.metrics", "brier")
ROWS = Predictions(
    TASK.classes,
    np.arange(6) * 10,
    np.array([0, 1, 0, 1, 1, 0]),
    np.column_stack([1 - np.linspace(0.1, 0.6, 6), np.linspace(0.1, 0.6, 6)]),
    "test",
    groups=np.array([7, 7, 3, 3, 5, 5]),
)
DECIDED = np.array([0, 0, 1, 1, 1, 0])


def test_a_metric_that_tells_how_it_varies_gets_the_interval_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def stand_in(*arguments: Any) -> Interval:
        calls.append(arguments)
        return Interval(0.2, -1.0, 0.9)

    monkeypatch.setattr(module, "sampling_interval", stand_in)
    sampling_calls: list[Any] = []
    metric = replace(BRIER, sampling=lambda *a: sampling_calls.append(a) or "sampling", score=lambda *a: 0.2)
    estimate = interval(metric, TASK, ROWS, DECIDED, confidence=0.8)
    ((value, sampling, clusters, confidence, strata),) = calls
    assert (value, sampling, confidence, strata) == (0.2, "sampling", 0.8, None)
    assert clusters.tolist() == [2, 2, 0, 0, 1, 1]
    assert sampling_calls == [(TASK, ROWS, DECIDED)]
    assert (estimate.low, estimate.high) == (0.0, 0.9)  # no further than the span of the metric
    interval(metric, TASK, ROWS, DECIDED)
    assert calls[-1][3] == 0.95
    interval(metric, TASK, replace(ROWS, groups=None), DECIDED)
    assert calls[-1][2] is None
    interval(metric, TASK, replace(ROWS, drawn_from=np.array([6, 6])), DECIDED)
    assert calls[-1][4].code is ROWS.truth
    assert calls[-1][4].share_left == 0.5


def test_any_other_is_scored_on_rows_that_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def resample(score: Any, *more: Any) -> str:
        calls.append((score, *more))
        return "scores"

    def percentile(*arguments: Any) -> Interval:
        calls.append(arguments)
        return Interval(0.4, 0.3, 5.0)

    monkeypatch.setattr(module, "resample", resample)
    monkeypatch.setattr(module, "percentile_interval", percentile)
    share = replace(
        BRIER, sampling=None, score=lambda task, rows, decided: float((rows.truth == decided).sum() + rows.rows[0])
    )
    estimate = interval(share, TASK, ROWS, DECIDED, seed=5, confidence=0.9, repeats=70)
    (score, n, clusters, seed, repeats), (value, scores, confidence, cluster_ids) = calls
    assert (n, seed, repeats, confidence, scores) == (6, 5, 70, 0.9, "scores")
    assert clusters.tolist() == cluster_ids.tolist() == [2, 2, 0, 0, 1, 1]
    assert value == 4.0
    assert score(np.array([5, 5, 1])) == 52.0  # two are right, and the first row is that with id 50
    assert estimate.high == 2.0  # the end of its span
    interval(share, TASK, ROWS, DECIDED)
    assert (calls[2][3], calls[2][4]) == (0, 1000)


@pytest.mark.parametrize("undefined", [np.nan, np.inf])
def test_what_is_undefined_has_no_interval(undefined: float) -> None:
    nothing = replace(BRIER, score=lambda *a: undefined, sampling=lambda *a: pytest.fail("described"))
    estimate = interval(nothing, TASK, ROWS, DECIDED)
    assert np.isnan([estimate.low, estimate.high]).all()
    assert not np.isfinite(estimate.value)


def test_of_several_groups_it_is_wider_and_repeats_by_its_seed() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(60)
    rows = Predictions(
        TASK.classes, np.arange(60), (rng.random(60) < p).astype(np.int64), np.column_stack([1 - p, p]), "test"
    )
    twice = rows.take(np.repeat(np.arange(60), 4))
    grouped = replace(twice, groups=np.repeat(np.arange(60), 4))
    bare = replace(BRIER, sampling=None)
    alone, together = (interval(bare, TASK, sample, sample.truth, seed=1, repeats=300) for sample in (twice, grouped))
    assert together.high - together.low > 1.6 * (alone.high - alone.low)
    assert interval(bare, TASK, rows, rows.truth, seed=1, repeats=50) == interval(
        bare, TASK, rows, rows.truth, seed=1, repeats=50
    )
    assert interval(bare, TASK, rows, rows.truth, seed=1, repeats=50) != interval(
        bare, TASK, rows, rows.truth, seed=2, repeats=50
    )


COSTS = np.array([[0.0, 1.0, 2.0], [8.0, 0.5, 2.0]])


@pytest.mark.parametrize(
    ("truth", "decided", "values", "ends"),
    [
        # What nobody is decided to be costs nothing that could happen.
        ([0, 1, 1], [0, 0, 0], [0.0, 8.0, 8.0], (0.0, 8.0)),
        ([0, 1, 1], [1, 1, 1], [1.0, 0.5, 0.5], (0.5, 1.0)),
        ([0, 1, 0], [0, 1, 0], [0.0, 0.5, 0.0], (0.0, 8.0)),
        ([0, 1, 1], [2, 2, 2], [2.0, 2.0, 2.0], (2.0, 2.0)),
    ],
)
def test_costs_vary_between_those_of_the_decisions_that_were_made(
    truth: list[int], decided: list[int], values: list[float], ends: tuple[float, float]
) -> None:
    mean = costs_within(COSTS, np.array(truth), np.array(decided))
    assert mean.values.tolist() == values
    expected = Mean.within(np.array(values), *ends)
    assert (mean.low, mean.high) == (expected.low, expected.high)


def test_costs_of_rows_bound_each_row_by_itself() -> None:
    costs = np.stack([COSTS, 10 * COSTS])
    mean = costs_within(costs, np.array([1, 0]), np.array([0, 1]))
    assert mean.values.tolist() == [8.0, 10.0]
    expected = Mean.within(mean.values, np.array([0.0, 0.0]), np.array([8.0, 80.0]))
    assert (mean.low, mean.high) == (expected.low, expected.high)
