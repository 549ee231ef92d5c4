"""What boosters share, by hand: when to stop, how fast to learn, and how many threads."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from sortal.core import registry
from sortal.models import boosting
from sortal.models.boosting import Stopper, learning_rate, threads, typical
from sortal.models.family import FitRequest, OutOfTime, Resources, Rows


def test_it_stops_after_as_many_rounds_without_a_better_one_as_patience_says() -> None:
    stopper = Stopper(patience=3)
    for rounds, (loss, is_over) in enumerate(
        [(0.5, False), (0.4, False), (0.4, False), (0.45, False), (0.41, True), (0.39, False)], start=1
    ):
        stopper.see(rounds, loss)
        assert stopper.waited(rounds) == is_over, rounds
    assert (stopper.best_round, stopper.best_loss) == (6, 0.39)


def test_before_any_round_there_is_nothing_to_wait_for() -> None:
    stopper = Stopper(patience=1)
    for rounds in (1, 2, 9):
        stopper.see(rounds, math.nan)
        assert not stopper.waited(rounds)


@pytest.mark.parametrize(
    ("round_seconds", "seconds", "rate"),
    [
        (0.01, 5.0, 0.04),  # 500 rounds
        (0.01, 4.0, 0.05),  # 400 rounds
        (0.01, 1.0, 0.2),  # 100 rounds
        (0.01, 0.5, 0.2),  # 50 rounds: no faster than that
        (0.01, 0.301, 0.2),  # 30 rounds
        (0.01, 0.2, 0.3),  # 20 rounds: their rates sum to as much
        (0.01, 0.151, 0.397),
        (1.0, math.inf, 0.04),
    ],
)
def test_fewer_rounds_learn_faster(round_seconds: float, seconds: float, rate: float) -> None:
    assert learning_rate(0.04, round_seconds, seconds) == pytest.approx(rate)


def test_too_few_rounds_are_none() -> None:
    with pytest.raises(OutOfTime) as short:
        learning_rate(0.04, 0.5, 7.4)
    assert short.value.needed == pytest.approx(7.5)


def test_a_typical_round_is_the_mean_without_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 9.0, 10.0, 11.0, 20.0, 22.0, 30.0, 36.0])
    monkeypatch.setattr(boosting.time, "perf_counter", lambda: next(moments))
    rounds: list[int] = []
    assert typical(lambda: rounds.append(1), 3) == pytest.approx((1 + 2 + 6) / 3)
    assert len(rounds) == 4


@pytest.mark.parametrize(("rows", "expected"), [(1_999, 1), (2_000, 7)])
def test_only_large_matrices_are_worth_more_than_a_thread(rows: int, expected: int) -> None:
    train = Rows(np.zeros((rows, 1_000)), np.zeros(rows, dtype=np.int64))
    assert threads(FitRequest(train, 2, seed=0, resources=Resources(threads=7))) == expected


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_what_a_fit_begins_with_is_a_part_of_it(name: str) -> None:
    rng = np.random.default_rng(0)
    train = Rows(rng.normal(size=(300, 200)), rng.integers(0, 2, 300))
    family, began = registry.load("sortal.models", name), time.monotonic()
    fitted = family.fit(FitRequest(train, 2, seed=0, stop=train), {"rounds": 3, "learning_rate": 0.1})
    assert 0 < fitted.setup_seconds < time.monotonic() - began
