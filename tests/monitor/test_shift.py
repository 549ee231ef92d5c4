"""Which kind of change is said of rows that were made to change so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sortal.core.arrays import Floats
from sortal.core.reliability import Reliability, cells
from sortal.monitor.estimate import GridDay
from sortal.monitor.shift import kind


def world(n: int, share: float, rng: np.random.Generator, spread: float = 1.0) -> tuple[Floats, Any]:
    """Two normal classes, two apart; the probability is the one of equal shares of both."""
    is_positive = rng.random(n) < share
    x = rng.normal(np.where(is_positive, 1.0, -1.0), spread)
    return 1 / (1 + np.exp(-2 * x)), is_positive


def grid(p: Floats, is_positive: Any, n_labelled: int) -> GridDay:
    cell, size = cells(p), 82
    is_labelled = np.arange(len(p)) < n_labelled
    rows, labelled_counts, positive_counts = (
        np.bincount(cell[mask], minlength=size) for mask in (slice(None), is_labelled, is_labelled & is_positive)
    )
    return GridDay(
        rows.tolist(), np.bincount(cell, p, size).tolist(), labelled_counts.tolist(), positive_counts.tolist()
    )


def kind_of_shift(p: Floats, is_positive: Any, n_labelled: int, seed: int = 0) -> str:
    test_sample = world(2_000, 0.5, np.random.default_rng(seed + 100))
    return kind(Reliability.of(*test_sample), grid(p, is_positive, n_labelled), "yes")


@pytest.mark.parametrize("seed", range(3))
def test_each_shift_is_called_by_its_name(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, is_positive = world(2_000, 0.8, rng)
    assert kind_of_shift(p, is_positive, 0, seed).startswith("label shift (yes in ")
    assert kind_of_shift(p, is_positive, 1_000, seed).startswith("label shift: rows of a class")
    x = rng.normal(0, 0.3, 2_000)
    middle = 1 / (1 + np.exp(-2 * x))
    assert kind_of_shift(middle, rng.random(2_000) < middle, 0, seed).startswith("covariate shift: no shares")
    assert kind_of_shift(middle, rng.random(2_000) < middle, 1_000, seed).startswith(
        "covariate shift: rows are of another mix"
    )
    p, is_positive = world(2_000, 0.5, rng)
    truth = is_positive ^ (rng.random(2_000) < np.where(p > 0.5, 0.4, 0.0))
    assert kind_of_shift(p, truth, 1_000, seed).startswith("concept shift: ")


def test_without_a_change_of_probabilities_that_is_said() -> None:
    p, is_positive = world(1_000, 0.5, np.random.default_rng(5))
    assert kind_of_shift(p, is_positive, 0).startswith("covariate shift that hardly moves the probabilities")
    assert kind_of_shift(p, is_positive, 500).startswith(
        "covariate shift: rows are as before in what the model makes of them"
    )


def test_of_few_rows_nothing_is_said() -> None:
    p, is_positive = world(20, 0.5, np.random.default_rng(6))
    assert kind_of_shift(p, is_positive, 0) == ""
    assert kind(Reliability((), (100,), (50.0,), (50,)), grid(p, is_positive, 0), "yes") == ""
