from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from sortal.engine import Program, compile
from sortal.engine.monotone import bend, linear, stairs

GRID = np.linspace(0, 1, 501)
BOTH = np.column_stack([1 - GRID, GRID])


def table(between: str, knot, value) -> Program:
    return Program("monotone", {"between": between}, {"knot": np.array(knot, float), "value": np.array(value, float)})


def quadratic(intercept: float, ends, slope) -> Program:
    arrays = {"intercept": np.array([intercept]), "ends": np.array(ends, float), "slope": np.array(slope, float)}
    return Program("quadratic", arrays=arrays)


def places(low: float, high: float) -> st.SearchStrategy[float]:
    """Not nearer to each other than the oracle can integrate between."""
    return st.floats(low, high).map(lambda x: round(x, 9))


@given(
    z=places(-20, 20),
    ends=st.tuples(places(-8, 8), places(0.1, 9)).map(lambda e: np.array([e[0], e[0] + e[1]])),
    slope=st.tuples(st.floats(0.01, 5), st.floats(0.01, 5)).map(np.array),
)
@settings(max_examples=60)
def test_bend_is_the_integral_of_its_slope(z, ends, slope):
    breaks = sorted({0.0, z, *(e for e in ends if min(0, z) < e < max(0, z))})
    integral = sum(quad(lambda t: np.interp(t, ends, slope), a, b)[0] for a, b in itertools.pairwise(breaks))
    assert bend(np.array([z]), ends, slope)[0] == pytest.approx(np.sign(z) * integral, rel=1e-6, abs=1e-6)


def test_equal_slopes_of_one_change_nothing():
    p = np.array([[0.2, 0.8], [0.999999, 0.000001]])
    np.testing.assert_allclose(compile(quadratic(0.0, [-1, 3], [1, 1]))(p), p, rtol=1e-9)


@given(
    intercept=st.floats(-5, 5),
    ends=st.tuples(st.floats(-8, 8), st.floats(0.1, 9)).map(lambda e: [e[0], e[0] + e[1]]),
    slope=st.tuples(st.floats(0.01, 9), st.floats(0.01, 9)),
)
@settings(max_examples=60)
def test_quadratic_never_falls(intercept, ends, slope):
    q = compile(quadratic(intercept, ends, slope))(BOTH)
    assert np.diff(q[:, 1]).min() >= 0
    np.testing.assert_allclose(q.sum(axis=1), 1)


@given(
    steps=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12),
    between=st.sampled_from(["linear", "stairs"]),
)
@settings(max_examples=60)
def test_tables_never_fall_and_hold_at_their_knots(steps, between):
    knot = np.unique([s[0] for s in steps])
    levels = np.sort([v for s in steps for v in s[1:]] + [0.5])
    value = levels[: len(knot)] if between == "linear" else levels[: 2 * len(knot) + 1]
    run = compile(table(between, knot, value))
    q = run(np.column_stack([1 - GRID, GRID]))[:, 1]
    assert np.diff(q).min() >= 0
    at = run(np.column_stack([1 - knot, knot]))[:, 1]
    np.testing.assert_allclose(at, value if between == "linear" else value[1::2])


def test_stairs_are_level_between_knots_and_take_their_own_value_there():
    knot, value = np.array([0.2, 0.6]), np.array([0.1, 0.15, 0.3, 0.4, 0.9])
    levels = stairs(np.array([0.0, 0.2, 0.21, 0.59, 0.6, 1.0]), knot, value)
    assert levels.tolist() == [0.1, 0.15, 0.3, 0.3, 0.4, 0.9]
    assert linear(np.array([0.4]), knot, np.array([0.0, 1.0])).tolist() == [pytest.approx(0.5)]


def average(weight, *steps: Program) -> Program:
    return Program("average", {}, {"weight": np.array(weight, dtype=float)}, tuple(steps))


def test_an_average_is_the_weighted_mean_of_its_steps():
    one, two = quadratic(0.5, [0, 1], [1, 2]), table("linear", [0.2, 0.8], [0.1, 0.7])
    output = compile(average([0.25, 0.75], one, two))(BOTH)
    np.testing.assert_allclose(output, 0.25 * compile(one)(BOTH) + 0.75 * compile(two)(BOTH))


IDENTITY = Program("logit_affine", {}, {"weight": np.eye(2), "bias": np.zeros(2)})
WIDER = Program("logit_affine", {}, {"weight": np.eye(3), "bias": np.zeros(3)})
NUMBER = Program("number", {"column": "x"})
BAD = {
    "no knot": table("linear", [], []),
    "falling knots": table("linear", [0.5, 0.2], [0.1, 0.2]),
    "equal knots": table("linear", [0.5, 0.5], [0.1, 0.2]),
    "falling values": table("linear", [0.2, 0.5], [0.2, 0.1]),
    "above one": table("linear", [0.2, 0.5], [0.2, 1.1]),
    "below zero": table("linear", [0.2, 0.5], [-0.1, 0.1]),
    "too few stairs": table("stairs", [0.2, 0.5], [0.1, 0.2]),
    "NaN": table("linear", [0.2, 0.5], [0.1, np.nan]),
    "neither linear nor stairs": table("cubic", [0.2, 0.5], [0.1, 0.2]),
    "ends turned around": quadratic(0.0, [1, -1], [1, 1]),
    "a slope of zero": quadratic(0.0, [-1, 1], [0, 1]),
    "three slopes": quadratic(0.0, [-1, 1], [1, 1, 1]),
    "no steps": average([]),
    "a weight too many": average([0.5, 0.5], IDENTITY),
    "a negative weight": average([1.5, -0.5], IDENTITY, IDENTITY),
    "weights beyond one": average([0.9, 0.9], IDENTITY, IDENTITY),
    "steps of two widths": average([0.5, 0.5], IDENTITY, WIDER),
    "named columns beside an array": average([0.5, 0.5], IDENTITY, NUMBER),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_program_that_does_not_fit_is_refused_with_the_name_of_its_op(fault):
    with pytest.raises(ValueError, match=f"program op '{BAD[fault].op}'"):
        compile(BAD[fault])


def test_only_two_classes_are_taken():
    with pytest.raises(ValueError, match="takes 2 columns, not 3"):
        compile(table("linear", [0.5], [0.5]))(np.full((1, 3), 1 / 3))
