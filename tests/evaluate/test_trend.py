from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress

from sortal.core import registry
from sortal.core.predictions import Predictions
from sortal.core.task import Task
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import per_row_log_loss
from sortal.evaluate.trend import along_line, in_blocks, trend

TASK = Task("y", ("no", "yes"), (0.7, 0.3), "yes", "log_loss", ("roc_auc",), ())
LOG_LOSS, ROC_AUC = (registry.load("sortal.metrics", name) for name in ("log_loss", "roc_auc"))


def drifting(n: int, drift: float, seed: int) -> tuple[Predictions, np.ndarray]:
    """Rows of which the newest are told worse, in no order; with their times."""
    rng = np.random.default_rng(seed)
    times = rng.permutation(n)
    score = 1 / (1 + np.exp(-rng.normal(-1, 1.5, size=n)))
    truth = (rng.random(n) < np.clip(score + drift * times / n, 0, 1)).astype(np.int64)
    return Predictions(TASK.classes, np.arange(n), truth, np.column_stack([1 - score, score]), "test"), times


def test_a_line_is_that_of_least_squares_with_students_interval() -> None:
    x, y = np.array([0.0, 1, 2, 4, 5]), np.array([0.3, 0.35, 0.34, 0.5, 0.48])
    fit, change = linregress(x, y), along_line(x, y)
    assert change.value == pytest.approx(5 * fit.slope)
    assert change.high - change.value == pytest.approx(5 * 3.182446 * fit.stderr)
    assert change.value - change.low == pytest.approx(5 * 3.182446 * fit.stderr)


def test_rows_of_one_time_stay_together() -> None:
    times = np.array([7, 7, 7, 7, 7, 7, 1, 2, 3, 9])
    assert in_blocks(times, 5).tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 1, 4]


def test_the_blocks_are_the_metric_of_their_rows_in_order_of_time() -> None:
    rows, times = drifting(900, 0.3, seed=0)
    result = trend(LOG_LOSS, TASK, rows, rows.probability.argmax(axis=1), times, seed=0)
    assert result is not None
    assert (result.metric, result.rows) == ("log_loss", (90,) * 10)
    oldest = np.argsort(times)[:90]
    assert result.blocks[0].value == pytest.approx(per_row_log_loss(rows)[oldest].mean())
    assert all(block.low < block.value < block.high for block in result.blocks)
    assert result.change.value == pytest.approx(
        9 * linregress(np.arange(10), [block.value for block in result.blocks]).slope
    )
    assert result.change.low > 0


def test_a_block_without_a_class_is_left_out_and_too_few_blocks_tell_nothing() -> None:
    rows, times = drifting(600, 0.0, seed=1)
    decided = rows.probability.argmax(axis=1)
    one_class = np.where(times < 60, 0, rows.truth)
    rows = Predictions(rows.classes, rows.rows, one_class, rows.probability, "test")
    result = trend(ROC_AUC, TASK, rows, decided, times, seed=0)
    assert result is not None
    assert len(result.blocks) == 9
    few = np.arange(140)
    assert trend(LOG_LOSS, TASK, rows.take(few), decided[few], times[few], seed=0) is None
    assert trend(LOG_LOSS, TASK, rows, decided, np.zeros(600, dtype=np.int64), seed=0) is None


def test_without_drift_a_trend_is_said_as_seldom_as_was_promised() -> None:
    """Also where rows of a time share an error, which blocks of time carry whole."""
    false, runs = 0, 200
    rng = np.random.default_rng(2)
    for _ in range(runs):
        rows, times = drifting(400, 0.0, seed=int(rng.integers(1 << 30)))
        effect = rng.normal(0, 0.8, size=50)[times // 8]
        score = (
            rows.probability[:, 1] * np.exp(effect) / (rows.probability[:, 0] + rows.probability[:, 1] * np.exp(effect))
        )
        truth = (rng.random(400) < score).astype(np.int64)
        rows = Predictions(TASK.classes, rows.rows, truth, rows.probability, "test")
        change = trend(LOG_LOSS, TASK, rows, truth, times, seed=0).change
        false += change.low > 0 or change.high < 0
    assert false <= runs * 0.05 + 2 * np.sqrt(runs * 0.05 * 0.95)


@pytest.mark.parametrize("name", ["accuracy", "f1", "expected_cost"])
def test_each_block_has_the_decisions_of_its_own_rows(name: str) -> None:
    """Decided by chance, so that those of other rows would give another figure; times are in no order."""
    metric = registry.load("sortal.metrics", name)
    rows, times = drifting(300, 0.0, seed=3)
    decided = np.random.default_rng(4).integers(2, size=300)
    grouped = Predictions(
        rows.classes,
        rows.rows,
        rows.truth,
        rows.probability,
        "test",
        groups=np.random.default_rng(5).permutation(300) // 3,
    )
    result = trend(metric, TASK, grouped, decided, times, seed=7)
    assert result is not None
    order = np.argsort(times)
    for number, block in enumerate(result.blocks):
        subset = order[30 * number : 30 * number + 30]
        expected = interval(metric, TASK, grouped.take(subset), decided[subset], seed=7)
        assert (block.value, block.low, block.high) == pytest.approx((expected.value, expected.low, expected.high))
