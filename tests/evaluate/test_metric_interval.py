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
    given: list[Any] = []

    def stand_in(*arguments: Any) -> Interval:
        given.append(arguments)
        return Interval(0.2, -1.0, 0.9)

    monkeypatch.setattr(module, "sampling_interval", stand_in)
    asked: list[Any] = []
    told = replace(BRIER, sampling=lambda *a: asked.append(a) or "sampling", score=lambda *a: 0.2)
    found = interval(told, TASK, ROWS, DECIDED, confidence=0.8)
    ((value, sampling, clusters, confidence, strata),) = given
    assert (value, sampling, confidence, strata) == (0.2, "sampling", 0.8, None)
    assert clusters.tolist() == [2, 2, 0, 0, 1, 1]
    assert asked == [(TASK, ROWS, DECIDED)]
    assert (found.low, found.high) == (0.0, 0.9)  # no further than the span of the metric
    interval(told, TASK, ROWS, DECIDED)
    assert given[-1][3] == 0.95
    interval(told, TASK, replace(ROWS, groups=None), DECIDED)
    assert given[-1][2] is None
    interval(told, TASK, replace(ROWS, drawn_from=np.array([6, 6])), DECIDED)
    assert given[-1][4].code is ROWS.truth
    assert given[-1][4].share_left == 0.5


def test_any_other_is_scored_on_rows_that_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def resample(score: Any, *more: Any) -> str:
        given.append((score, *more))
        return "scores"

    def percentile(*arguments: Any) -> Interval:
        given.append(arguments)
        return Interval(0.4, 0.3, 5.0)

    monkeypatch.setattr(module, "resample", resample)
    monkeypatch.setattr(module, "percentile_interval", percentile)
    share = replace(
        BRIER, sampling=None, score=lambda task, rows, decided: float((rows.truth == decided).sum() + rows.rows[0])
    )
    found = interval(share, TASK, ROWS, DECIDED, seed=5, confidence=0.9, repeats=70)
    (score, n, clusters, seed, repeats), (value, scores, confidence, its) = given
    assert (n, seed, repeats, confidence, scores) == (6, 5, 70, 0.9, "scores")
    assert clusters.tolist() == its.tolist() == [2, 2, 0, 0, 1, 1]
    assert value == 4.0
    assert score(np.array([5, 5, 1])) == 52.0  # two are right, and the first row is that with id 50
    assert found.high == 2.0  # the end of its span
    interval(share, TASK, ROWS, DECIDED)
    assert (given[2][3], given[2][4]) == (0, 1000)


@pytest.mark.parametrize("undefined", [np.nan, np.inf])
def test_what_is_undefined_has_no_interval(undefined: float) -> None:
    nothing = replace(BRIER, score=lambda *a: undefined, sampling=lambda *a: pytest.fail("described"))
    found = interval(nothing, TASK, ROWS, DECIDED)
    assert np.isnan([found.low, found.high]).all()
    assert not np.isfinite(found.value)


def test_of_several_groups_it_is_wider_and_repeats_by_its_seed() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(60)
    rows = Predictions(
        TASK.classes, np.arange(60), (rng.random(60) < p).astype(np.int64), np.column_stack([1 - p, p]), "test"
    )
    twice = rows.take(np.repeat(np.arange(60), 4))
    grouped = replace(twice, groups=np.repeat(np.arange(60), 4))
    bare = replace(BRIER, sampling=None)
    alone, together = (interval(bare, TASK, each, each.truth, seed=1, repeats=300) for each in (twice, grouped))
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
    found = costs_within(COSTS, np.array(truth), np.array(decided))
    assert found.values.tolist() == values
    wanted = Mean.within(np.array(values), *ends)
    assert (found.low, found.high) == (wanted.low, wanted.high)


def test_costs_of_rows_bound_each_row_by_itself() -> None:
    costs = np.stack([COSTS, 10 * COSTS])
    found = costs_within(costs, np.array([1, 0]), np.array([0, 1]))
    assert found.values.tolist() == [8.0, 10.0]
    wanted = Mean.within(found.values, np.array([0.0, 0.0]), np.array([8.0, 80.0]))
    assert (found.low, found.high) == (wanted.low, wanted.high)
