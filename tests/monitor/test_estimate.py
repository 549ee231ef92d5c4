"""Losses without labels: what is expected is what comes, as far as probabilities are as they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from sortal.core.arrays import Floats
from sortal.core.interval import Interval
from sortal.core.reliability import Reliability
from sortal.monitor.estimate import EstimateDays, Estimator, FigureEstimate
from sortal.monitor.losses import LabelPair, wrong

COST = {("no", "yes"): 1.0, ("yes", "no"): 8.0}


def cost(row: LabelPair) -> float:
    return COST.get(row, 0.0)


def an_estimator(p: Floats, is_positive: np.ndarray, blocks: np.ndarray | None = None) -> Estimator:
    return Estimator(
        ("no", "yes"), {"errors": (wrong, 1.0), "cost": (cost, 8.0)}, {"yes": Reliability.of(p, is_positive, blocks)}
    )


def decisions(p: Floats) -> list[str]:
    return np.where(p >= 1 / 9, "yes", "no").tolist()


def both(p: Floats) -> Floats:
    return np.stack([1 - p, p], axis=1)


def figures(
    estimator: Estimator, days: EstimateDays, end: int = 99, confidence: float = 0.95
) -> dict[str, FigureEstimate]:
    return {figure.name: figure for figure in estimator.between(days, 0, end, confidence)}


def present(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_without_gaps_it_is_the_expectation_under_the_probabilities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.5, 1.5, 400)
    estimator = replace(
        an_estimator(p, rng.random(400) < p), reliability={"yes": Reliability((), (400,), (80.0,), (80,))}
    )
    days = EstimateDays()
    estimator.count(0, both(p), decisions(p), days)
    estimates = figures(estimator, days)
    is_yes = p >= 1 / 9
    assert present(estimates["errors"].expected).value == pytest.approx(np.where(is_yes, 1 - p, p).mean())
    assert present(estimates["cost"].expected).value == pytest.approx(np.where(is_yes, 1 - p, 8 * p).mean())
    draws = [roc_auc_score(rng.random(400) < p, p) for _ in range(60)]
    assert present(estimates["ROC-AUC"].expected).value == pytest.approx(np.mean(draws), abs=0.02)


@given(st.lists(st.integers(0, 3), min_size=30, max_size=60), st.integers(0, 99))
@settings(max_examples=20)
def test_rows_count_alike_in_one_part_or_many(day: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.5, 1.5, len(day))
    truth = np.where(rng.random(len(day)) < p, "yes", "no").tolist()
    estimator = an_estimator(rng.random(200), rng.random(200) < 0.5)
    one_day, many_days = EstimateDays(), EstimateDays()
    estimator.count(0, both(p), decisions(p), one_day)
    estimator.count_labels(0, both(p), decisions(p), truth, one_day)
    for at, number in enumerate(day):
        row = p[at : at + 1]
        estimator.count_labels(number, both(row), decisions(row), truth[at : at + 1], many_days)
        estimator.count(number, both(row), decisions(row), many_days)
    for one, other in zip(figures(estimator, one_day).values(), figures(estimator, many_days).values(), strict=True):
        assert (one.rows, one.labelled) == (other.rows, other.labelled)
        for a, b in ((one.expected, other.expected), (one.seen, other.seen)):
            if a is None or b is None:
                assert a is b
            else:
                assert [a.value, a.low, a.high] == pytest.approx([b.value, b.low, b.high])


def test_intervals_hold_what_comes_also_of_probabilities_that_were_wrong() -> None:
    """The truth bends the probabilities; sealed rows show it, and fresh rows are of another mix."""
    rng = np.random.default_rng(1)
    coverage, errors, raw_errors = np.zeros(3), np.zeros(3), np.zeros(3)
    trials = 200
    for _ in range(trials):
        test_p, fresh_p = rng.beta(1, 3, 2_000), rng.beta(2, 2, 500)
        estimator = an_estimator(test_p, rng.random(2_000) < test_p**1.4)
        days = EstimateDays()
        truth = np.where(rng.random(500) < fresh_p**1.4, "yes", "no").tolist()
        estimator.count(0, both(fresh_p), decisions(fresh_p), days)
        estimator.count_labels(0, both(fresh_p), decisions(fresh_p), truth, days)
        raw = replace(estimator, reliability={"yes": Reliability((), (1,), (0.0,), (0,))})
        for at, figure in enumerate(figures(estimator, days, confidence=0.9).values()):
            expected, observed = present(figure.expected), present(figure.seen).value
            coverage[at] += expected.low <= observed <= expected.high
            errors[at] += abs(expected.value - observed)
            raw_errors[at] += abs(
                present(list(figures(raw, raw_days(days), confidence=0.9).values())[at].expected).value - observed
            )
    assert (coverage >= 0.85 * trials).all()
    assert (errors[:2] < raw_errors[:2] * 0.9).all()


def raw_days(days: EstimateDays) -> EstimateDays:
    """As if there was one bin of no gap."""
    figures_of_one_bin = {
        name: [replace(day, slopes=[sum(day.slopes)]) for day in figure] for name, figure in days.figures.items()
    }
    return EstimateDays(figures_of_one_bin, days.grid)


def test_more_than_two_classes_and_rows_that_are_left_to_a_person() -> None:
    rng = np.random.default_rng(2)
    classes = ("a", "b", "c")
    p = rng.dirichlet([0.5, 1, 2], 3_000)
    codes = np.array([rng.choice(3, p=row) for row in p])
    estimator = Estimator(
        classes, {"errors": (wrong, 1.0)}, {c: Reliability.of(p[:, k], codes == k) for k, c in enumerate(classes)}
    )
    row_decisions = ["reject" if row.max() < 0.5 else classes[int(row.argmax())] for row in p]
    days = EstimateDays()
    estimator.count(3, p, row_decisions, days)
    estimator.count_labels(3, p, row_decisions, [classes[code] for code in codes], days)
    [errors] = estimator.between(days, 0, 4)
    assert errors.rows == errors.labelled == sum(decision != "reject" for decision in row_decisions)
    assert present(errors.expected).low <= present(errors.seen).value <= present(errors.expected).high
    assert [(figure.expected, figure.seen) for figure in estimator.between(days, 0, 3)] == [(None, None)]


def test_without_the_sealed_test_nothing_is_expected_and_labels_still_say_what_came() -> None:
    p = np.linspace(0.01, 0.99, 50)
    estimator = Estimator(("no", "yes"), {"errors": (wrong, 1.0)}, {})
    days = EstimateDays()
    estimator.count(0, both(p), decisions(p), days)
    estimator.count_labels(0, both(p), decisions(p), ["yes"] * 25 + ["no"] * 24 + ["other"], days)
    estimates = figures(estimator, days)
    assert all(figure.expected is None for figure in estimates.values())
    assert estimates["errors"].labelled == 49
    assert present(estimates["ROC-AUC"].seen).value == 0.0
