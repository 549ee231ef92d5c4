"""The gate lets through what is better beyond noise, and nothing else, and says why."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.gate import errors
from sortal.evaluate.cuts import Cut
from sortal.retrain.gate import BETTER, SLICES, Losses, Reason, Terms, gate, log_evidence


def of_errors(gap: float, n: int, seed: int = 0) -> Losses:
    champion, challenger = errors(gap, 0.08, n, np.random.default_rng(seed))
    return Losses("errors", champion * 1.0, challenger * 1.0)


def test_a_better_challenger_passes_and_says_by_how_much() -> None:
    verdict = gate(of_errors(0.03, 4_000))
    assert verdict.promoted
    [reason] = verdict.reasons
    assert (reason.code, reason.holds) == (BETTER, True)
    assert reason.text.startswith("better: ")
    assert verdict.difference.value == pytest.approx(verdict.champion - verdict.challenger)  # type: ignore[operator]
    assert verdict.evidence >= verdict.needed == pytest.approx(20)


def test_a_worse_one_an_equal_one_and_one_without_labels_do_not_pass() -> None:
    assert not gate(of_errors(-0.03, 4_000)).promoted
    few = gate(of_errors(0.04, 150))
    assert not few.promoted
    assert "may be luck" in few.reasons[0].text
    none = gate(Losses("errors", np.zeros(0), np.zeros(0)))
    assert (none.promoted, none.rows, none.champion) == (False, 0, None)
    assert "no label has come yet" in none.reasons[0].text
    equal_losses = gate(Losses("errors", np.ones(9), np.ones(9)))
    assert (equal_losses.promoted, equal_losses.evidence) == (False, pytest.approx(1))


gains = arrays(np.float64, st.integers(0, 30), elements=st.floats(-1, 1))


@given(gains, st.floats(0, 0.2))
def test_a_gambler_expects_nothing_where_signs_are_a_coin_and_less_with_a_tolerance(
    gain: np.ndarray, tolerance: float
) -> None:
    """Over both signs of each row, one row at a time, the mean of the e-value is at most what it was."""
    before = np.exp(log_evidence(gain))
    for more in (0.3, 1.0):
        after = [np.exp(log_evidence(np.append(gain, sign * more))) for sign in (-1, 1)]
        assert np.mean(after) == pytest.approx(before, rel=1e-9)
    assert log_evidence(gain, tolerance) <= log_evidence(gain) + 1e-9


@given(gains)
def test_evidence_does_not_depend_on_units(gain: np.ndarray) -> None:
    zero = np.zeros(len(gain))
    small, large = Losses("cost", zero, -gain, -1, 0), Losses("cost", zero, -100 * gain, -100, 0)
    assert log_evidence(small.gain) == pytest.approx(log_evidence(large.gain), abs=1e-9)


def test_a_slice_that_is_worse_stops_a_challenger_that_is_better_on_the_whole() -> None:
    losses = of_errors(0.05, 4_000)
    is_north = np.arange(4_000) % 20 == 0
    region = Cut("region", ("= north", "others"), np.where(is_north, 0, 1))
    verdict = gate(Losses("errors", losses.champion, np.where(is_north, 1.0, 0.0)), [region])
    assert [(reason.code, reason.holds) for reason in verdict.reasons] == [(BETTER, True), (SLICES, False)]
    assert not verdict.promoted
    assert verdict.reasons[1].text.startswith("worse where region = north: 100 % errors instead of ")
    assert gate(losses, [region]).promoted
    assert gate(losses, [region]).reasons[1].text.startswith("none of 2 slices")


def test_what_is_worse_by_less_than_the_tolerance_is_let_through() -> None:
    n = 20_000
    champion = np.zeros(n)
    challenger = (np.arange(n) % 100 < 3) * 1.0  # three points worse
    region = Cut("region", ("= north",), np.zeros(n, dtype=np.int64))
    losses = Losses("errors", champion, challenger)
    strict_verdict, lenient_verdict = (gate(losses, [region], terms=Terms(tolerance=share)) for share in (0.01, 0.05))
    assert (strict_verdict.reasons[1].holds, lenient_verdict.reasons[1].holds) == (False, True)


def test_every_condition_has_to_hold() -> None:
    size = Reason("G402", False, "12 MB, of at most 5 MB")
    verdict = gate(of_errors(0.03, 4_000), conditions=[size])
    assert (verdict.promoted, verdict.reasons[-1]) == (False, size)
    assert list(verdict.lines())[-1] == "x G402 12 MB, of at most 5 MB"
    assert json.loads(verdict.to_json())["reasons"][-1] == {"code": "G402", "holds": False, "text": size.text}
