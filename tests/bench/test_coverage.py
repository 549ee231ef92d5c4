from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench import coverage
from bench.coverage import NAIVE, PROTOCOLS, Cell, Population
from sortal.core import registry


@pytest.fixture(scope="module")
def population() -> Population:
    return coverage.made_up(0, rows=6_000)


def cell(n_held: int, **changes: object) -> Cell:
    return replace(Cell("t", 200, PROTOCOLS[0], "roc_auc", 500, n_held, 0.0, 0.0), **changes)  # type: ignore[arg-type]


def test_samples_hold_enough_positives_and_the_share_of_the_population(population: Population) -> None:
    rare = replace(population, truth=np.where(np.arange(6_000) % 10, 0, population.truth))
    rng = np.random.default_rng(0)
    counts = [int(rare.positive[rare.draw(200, rng)].sum()) for _ in range(300)]
    assert min(counts) >= coverage.POSITIVES
    assert np.mean(counts) == pytest.approx(coverage.EXPECTED, abs=1.5)
    shares = [population.positive[population.draw(1_000, rng)].mean() for _ in range(300)]
    assert np.mean(shares) == pytest.approx(population.positive.mean(), abs=0.005)


@pytest.mark.parametrize("metric", coverage.METRICS)
def test_the_truth_is_what_samples_estimate(population: Population, metric: str) -> None:
    measure, rng = registry.load("sortal.metrics", metric), np.random.default_rng(1)
    rare = replace(population, truth=np.where(np.arange(6_000) % 5, 0, population.truth))
    scores = [measure.score(*rare.of(3, rare.draw(400, rng))) for _ in range(150)]
    error = np.std(scores) / np.sqrt(150)
    assert abs(np.mean(scores) - rare.true(measure, 3, 400)) < 4 * error


def test_a_cell_may_miss_by_two_standard_errors() -> None:
    assert [cell(n_held).holds for n_held in (455, 456, 475, 494, 495)] == [False, True, True, True, False]


def test_intervals_are_counted_for_every_protocol(population: Population) -> None:
    cells = list(coverage.measure(population, 200, reps=25, seed=0))
    assert {(c.protocol, c.metric) for c in cells} == {(p, m) for p in (*PROTOCOLS, NAIVE) for m in coverage.METRICS}
    assert min(c.coverage for c in cells if c.protocol != NAIVE) >= 0.8
    own = {c.metric: c for c in cells if c.protocol == PROTOCOLS[2]}
    assert own["roc_auc"].uncorrected > max(own["roc_auc"].bias, 0)
    assert own["log_loss"].uncorrected < min(own["log_loss"].bias, 0)


def test_a_bad_cell_fails_its_goal_only(population: Population) -> None:
    cells = [cell(475, protocol=p) for p in (*PROTOCOLS, NAIVE)]
    result = coverage.outcome(cells, 500, [population] * 3, [])
    assert result.holds
    bad_result = coverage.outcome([*cells, cell(430, protocol=PROTOCOLS[1])], 500, [population] * 3, [])
    assert [g.holds for g in bad_result.goals] == [True, True, False, True]
    naive_result = coverage.outcome([*cells, cell(300, protocol=NAIVE)], 500, [population] * 2, [])
    assert [g.holds for g in naive_result.goals] == [False, True, True, True]


def test_tables_that_are_no_population_are_left_out_with_a_reason(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=4_500)
    leak = pl.DataFrame({"x": x, "y": np.where(x > 1, "yes", "no"), "three": np.digitize(x, [-1, 1])})
    leak.write_parquet(tmp_path / "leak.parquet")
    assert "almost perfectly" in str(coverage.trained(tmp_path / "leak.parquet", "y"))
    assert coverage.trained(tmp_path / "leak.parquet", "three") == "not two classes"
