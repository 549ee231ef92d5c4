from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sortal.engine import Program, compile

NAN = np.nan


def test_products_and_ratios_are_appended_in_their_order():
    arrays = {"left": np.array([0, 1, 0, 1]), "right": np.array([1, 0, 1, 1]), "operation": np.array([1, 1, 0, 0])}
    x = np.array([[6.0, 3.0], [-1.0, 0.0], [NAN, 2.0], [0.0, 0.0]])
    matrix = compile(Program("arithmetic", {"columns": 2}, arrays))(x)
    assert_array_equal(matrix[:, :2], x)
    expected = [[2.0, 0.5, 18.0, 9.0], [NAN, 0.0, 0.0, 0.0], [NAN, NAN, NAN, 4.0], [NAN, NAN, 0.0, 0.0]]
    assert_array_equal(matrix[:, 2:], expected)


def test_ratios_are_missing_values_to_what_comes_after():
    """Whatever was filled before them: a step that cannot do with missing values is refused, until they are filled."""
    linear = Program("linear", {"link": "sigmoid"}, {"coef": np.ones((1, 2)), "intercept": np.zeros(1)})

    def of(operation: int, *after: Program) -> Program:
        places = {"left": np.array([0]), "right": np.array([0]), "operation": np.array([operation])}
        return Program("chain", steps=(fill(1), Program("arithmetic", {"columns": 1}, places), *after))

    def fill(width: int) -> Program:
        return Program("fill", {}, {"value": np.zeros(width), "indicator": np.zeros(0, dtype=int)})

    assert compile(of(0)).step.fills
    assert not compile(of(0)).step.loses
    assert not compile(of(1)).step.fills
    assert compile(of(1)).step.loses
    assert_allclose(compile(of(0, linear))(np.array([[NAN]])), [[0.5, 0.5]])
    assert_allclose(compile(of(1, fill(2), linear))(np.array([[NAN]])), [[0.5, 0.5]])
    for nested in (of(1, linear), Program("chain", steps=(of(1), linear))):
        with pytest.raises(ValueError, match="missing values reach step 'linear'"):
            compile(nested)


def test_what_would_be_too_large_is_cut_off():
    arrays = {"left": np.array([0, 0]), "right": np.array([1, 1]), "operation": np.array([0, 1])}
    run = compile(Program("arithmetic", {"columns": 2}, arrays))
    assert_array_equal(run(np.array([[1e100, -1e90]]))[0, 2:], [-1e100, -1e10])
    assert_array_equal(run(np.array([[-1e100, 1e-300]]))[0, 2:], [-1e100 * 1e-300, -1e100])
    far = {"number": [0], "group": [1], "stop": [1]}
    arrays = {name: np.array(place) for name, place in far.items()} | {
        "middle": np.array([1e100]),
        "spread": np.array([1e-9]),
    }
    assert_array_equal(compile(Program("within", {"columns": 2}, arrays))(np.array([[0.0, 0.0]]))[0, 2], -1e100)


def test_a_number_against_its_group():
    """Two pairs: one of two levels, one of a single one. What is no level of a pair has its last row."""
    arrays = {
        "number": np.array([0, 0]),
        "group": np.array([1, 2]),
        "stop": np.array([3, 5]),
        "middle": np.array([10.0, 20.0, 0.0, 1.0, 2.0]),
        "spread": np.array([1.0, 2.0, 4.0, 1.0, 1.0]),
    }
    run = compile(Program("within", {"columns": 3}, arrays))
    x = np.array([[12.0, 0, 0], [12.0, 1, 1], [12.0, 2, NAN], [12.0, -1, -5], [12.0, NAN, 1e99], [NAN, 0, 0]])
    assert_array_equal(run(x)[:, :3], x)
    assert_array_equal(run(x)[:, 3], [2.0, -4.0, 3.0, 3.0, 3.0, NAN])
    assert_array_equal(run(x)[:, 4], [11.0, 10.0, 10.0, 10.0, 10.0, NAN])
    alone = np.vstack([run(row[None, :]) for row in x])
    assert_array_equal(alone, run(x))


def test_standard_scores_by_group_are_those_of_polars():
    rng = np.random.default_rng(0)
    code, value = rng.integers(4, size=200), rng.normal(size=200)
    frame = pl.DataFrame({"code": code, "value": value})
    figures = frame.group_by("code").agg(m=pl.col("value").mean(), s=pl.col("value").std(ddof=0)).sort("code")
    arrays = {
        "number": np.array([1]),
        "group": np.array([0]),
        "stop": np.array([5]),
        "middle": np.append(figures["m"].to_numpy(), 0.0),
        "spread": np.append(figures["s"].to_numpy(), 1.0),
    }
    scores = compile(Program("within", {"columns": 2}, arrays))(np.column_stack([code, value]))[:, 2]
    v = pl.col("value")
    expected = frame.select((v - v.mean().over("code")) / v.std(ddof=0).over("code")).to_series().to_numpy()
    assert_allclose(scores, expected, rtol=1e-12)


PLACES = {"number": np.array([0, 1]), "group": np.array([1, 2]), "stop": np.array([3, 5])}
WITHIN = Program("within", {"columns": 3}, PLACES | {"middle": np.arange(5.0), "spread": np.ones(5)})
PAIRS = {"left": np.array([0, 1, 2]), "right": np.array([1, 2, 0]), "operation": np.array([0, 1, 1])}
ODD = (-1, 0, 1, 2, 3, 4, 5, 6, 2**31, -(2**63), 2**63 - 1, NAN, np.inf, -np.inf, 1e101, -1e-300)


@settings(max_examples=300)
@given(st.data())
def test_a_spoilt_program_is_refused_or_computes_numbers(data):
    program = data.draw(st.sampled_from([WITHIN, Program("arithmetic", {"columns": 3}, PAIRS)]))
    name = data.draw(st.sampled_from(sorted(program.arrays)))
    values = program.arrays[name].copy()
    value = data.draw(st.sampled_from(ODD))
    if values.dtype.kind == "f" or (np.isfinite(value) and float(value).is_integer() and abs(value) < 2**63):
        values[data.draw(st.integers(0, len(values) - 1))] = value
    if data.draw(st.booleans()):
        values = data.draw(st.sampled_from([values[1:], values[:, None], np.tile(values, 2), values.astype(float)]))
    spoilt = Program(program.op, program.settings, {**program.arrays, name: values})
    x = np.array([[0.0, 1.0, 2.0], [NAN, -1.0, 1e100], [-1e100, 1e100, NAN], [0.5, 1e-300, -1e-300]])
    try:
        run = compile(spoilt)
    except ValueError:
        return
    output = run(x)
    assert output.shape == (4, run.step.outputs)
    assert not np.isinf(output).any()
