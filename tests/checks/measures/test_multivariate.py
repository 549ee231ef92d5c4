from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from sortal.checks.context import AuditContext
from sortal.checks.measures.multivariate import influence, multivariate
from sortal.checks.measures.power import auc
from sortal.testing.checks import typed

N = 1200


def three_columns(seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, N)
    strong, weak = codes + rng.normal(size=N), codes + 3 * rng.normal(size=N)
    return pl.DataFrame({"strong": strong, "weak": weak, "noise": rng.normal(size=N)}), codes


def test_columns_together_are_judged_out_of_fold() -> None:
    frame, codes = three_columns()
    assert multivariate(typed(frame), codes, [], seed=0).auc == 0.5
    assert multivariate(typed(frame), codes, ["strong", "weak"], seed=0).auc > 0.7
    assert multivariate(typed(frame), codes, ["noise"], seed=0).auc == pytest.approx(0.5, abs=0.06)


def test_shuffling_a_column_costs_what_it_tells() -> None:
    frame, codes = three_columns()
    result = multivariate(typed(frame), codes, frame.columns, 0, shuffled=["strong", "noise"])
    assert result.drops["strong"] > 0.15
    assert abs(result.drops["noise"]) < 0.03


def test_a_lift_is_the_difference_and_knows_its_error() -> None:
    frame, codes = three_columns()
    case = AuditContext(typed(frame), codes, ["a", "b"])
    strong, noise = case.lift("strong"), case.lift("noise")
    assert strong.value > 5 * strong.error
    assert abs(noise.value) < 3 * noise.error
    assert strong.value == case.reach() - case.reach(["strong"])


@pytest.mark.parametrize("classes", [2, 4])
def test_influence_gives_the_error_of_a_bootstrap(classes: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.choice(classes, 500, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    score = rng.dirichlet(np.ones(classes), 500) + 0.3 * np.eye(classes)[codes]
    draws = [rng.integers(0, 500, 500) for _ in range(400)]
    bootstrap_error = np.std([auc(codes[rows], score[rows]) for rows in draws])
    assert np.sqrt((influence(codes, score) ** 2).sum()) == pytest.approx(bootstrap_error, rel=0.15)


def test_of_two_classes_the_rarer_one_has_more_of_the_sample() -> None:
    codes = np.repeat([0, 1], [20_000, 700])
    table = typed(pl.DataFrame({"x": np.arange(20_700.0)}))
    result = multivariate(table, codes, [], seed=0)
    assert np.bincount(result.codes).tolist() == [2300, 700]
    assert (codes[result.table.rows] == result.codes).all()


def test_rows_with_a_date_are_judged_by_blocks_in_time() -> None:
    """Rows of one hour are alike: at random folds a sensor would be learnt by heart."""
    rng = np.random.default_rng(0)
    hours = np.arange(N) // 40
    codes = rng.integers(0, 2, N // 40)[hours]
    frame = pl.DataFrame({"level": rng.normal(size=N // 40)[hours] + rng.normal(scale=0.01, size=N)})
    day = pl.Series("day", [datetime(2020, 1, 1) + timedelta(minutes=i) for i in range(N)])
    assert multivariate(typed(frame), codes, ["level"], 0).auc > 0.95
    assert multivariate(typed(frame.with_columns(day)), codes, ["level"], 0).auc < 0.75
