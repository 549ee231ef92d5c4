"""E-values: their mean is one where nothing has changed, whatever the day."""

from __future__ import annotations

from itertools import product
from math import comb, exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.monitor import drift, evidence, risk
from sortal.monitor.evidence import likeliest_start, log_evidence


@given(st.integers(1, 6), st.floats(0.05, 0.9), st.floats(0.0, 1.0))
@settings(max_examples=60)
def test_of_losses_within_the_promise_the_mean_e_value_is_at_most_one(rows: int, level: float, share: float) -> None:
    """Over every sequence of losses 0 and 1, a day each, weighted by its probability."""
    p = level * share
    mean = 0.0
    for losses in product((0.0, 1.0), repeat=rows):
        daily = np.array([risk.gains(np.array([loss]), level) for loss in losses])
        mean += p ** sum(losses) * (1 - p) ** (rows - sum(losses)) * exp(log_evidence(daily, risk.log_wealth))
    assert mean <= 1 + 1e-9
    assert share < 1 or mean == pytest.approx(1)


@pytest.mark.parametrize("rows", [1, 4, 9])
def test_of_uniform_places_the_mean_e_value_is_one(rows: int) -> None:
    """Over every way in which rows fall into the first bin of places and the others together, all on one day."""
    width = float(drift.WIDTHS[4])
    rest = np.where(np.arange(len(drift.WIDTHS)) == 4, 0, drift.WIDTHS) / (1 - width)
    mean = 0.0
    for counts in compositions(rows, 3):
        # Three bins stand for all: the wealth depends on the counts by bin alone.
        bins = np.zeros(len(drift.WIDTHS))
        bins[[4, 5, 6]] = counts
        widths = drift.WIDTHS[[4, 5, 6]]
        ways = comb(rows, counts[0]) * comb(rows - counts[0], counts[1])
        mean += ways * float(np.prod(widths ** np.array(counts))) * exp(float(drift.log_wealth(bins[None])[0]))
    assert rest.sum() == pytest.approx(1)
    whole = sum(
        exp(float(drift.log_wealth(np.bincount(places, minlength=len(drift.WIDTHS))[None].astype(float))[0]))
        * float(np.prod(drift.WIDTHS[list(places)]))
        for places in product(range(len(drift.WIDTHS)), repeat=2)
    )
    assert whole == pytest.approx(1)
    assert mean <= 1


def compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    return [counts for counts in product(range(total + 1), repeat=parts) if sum(counts) == total]


def test_who_has_not_started_still_has_a_share() -> None:
    nothing = np.zeros((3, 2))
    assert log_evidence(nothing, lambda counts: np.full(len(counts), -np.inf)) == pytest.approx(
        np.log((evidence.YEAR - 3) / evidence.YEAR)
    )
    assert log_evidence(np.zeros((0, 2)), lambda counts: counts.sum(axis=1)) == 0


def test_a_late_change_costs_the_logarithm_of_a_year_and_its_day_is_named() -> None:
    rng = np.random.default_rng(0)
    loss = [(rng.random(20) < (0.1 if day < 200 else 0.5)).astype(float) for day in range(230)]
    daily = np.array([risk.gains(day_loss, 0.1) for day_loss in loss])
    recent_evidence = log_evidence(daily[200:], risk.log_wealth)
    late_evidence = log_evidence(daily, risk.log_wealth)
    assert late_evidence > np.log(1 / 0.01)
    assert abs(late_evidence - recent_evidence) < np.log(evidence.YEAR)
    assert likeliest_start(daily, risk.log_wealth) == pytest.approx(200, abs=5)
    assert log_evidence(daily[:200], risk.log_wealth) < np.log(1 / 0.01)
