"""The op ``levels``: a row of a table for a value, or for a pair of values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sortal.engine import Program, compile

NAN = np.nan


def levels(columns: int, keys: list[tuple[int, int, dict[tuple[float, float], list[float]], list[float]]]) -> Program:
    """Of keys: two columns, the figures of their pairs, and those of any other."""
    pairs = [sorted(by_pair.items()) for _, _, by_pair, _ in keys]
    table = [figures for of_key in pairs for _, figures in of_key] + [other for *_, other in keys]
    flat = [pair for of_key in pairs for pair, _ in of_key]
    arrays = {
        "left": np.array([left for left, *_ in keys], dtype=np.int32),
        "right": np.array([right for _, right, *_ in keys], dtype=np.int32),
        "first": np.array([first for first, _ in flat], dtype=np.float64),
        "second": np.array([second for _, second in flat], dtype=np.float64),
        "stop": np.cumsum([len(of_key) for of_key in pairs], dtype=np.int32),
        "table": np.array(table, dtype=np.float64),
    }
    return Program("levels", {"columns": columns}, arrays)


def test_a_value_a_pair_and_whatever_is_neither():
    program = levels(
        2,
        [
            (0, 0, {(1.0, 1.0): [0.1, 5.0], (3.5, 3.5): [0.2, 6.0]}, [0.9, 0.0]),
            (1, 0, {(7.0, 1.0): [0.3, 8.0], (7.0, 3.5): [0.4, 9.0], (8.0, 1.0): [0.5, 7.0]}, [0.8, 0.0]),
            (1, 1, {}, [0.7, 0.0]),
        ],
    )
    x = np.array([[1.0, 7.0], [3.5, 7.0], [1.0, 8.0], [3.5, 8.0], [2.0, 7.0], [NAN, 7.0], [1.0, NAN], [-9.0, 99.0]])
    matrix = compile(program)(x)
    assert_array_equal(matrix[:, :2], x)
    assert_array_equal(matrix[:, 2:4], [[0.1, 5], [0.2, 6], [0.1, 5], [0.2, 6], [0.9, 0], [0.9, 0], [0.1, 5], [0.9, 0]])
    assert_array_equal(matrix[:, 4:6], [[0.3, 8], [0.4, 9], [0.5, 7], *[[0.8, 0]] * 5])
    assert_array_equal(matrix[:, 6:], [[0.7, 0.0]] * 8)


def test_nothing_is_lost_or_filled_and_so_many_columns_come():
    step = compile(levels(3, [(0, 1, {(0.0, 1.0): [1.0]}, [2.0])])).step
    assert (step.inputs, step.outputs, step.loses, step.fills, step.needs) == (3, 4, False, False, False)


numbers = st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5, -3.0, 1e100, NAN])
pairs = st.tuples(numbers, numbers).filter(lambda pair: not np.isnan(pair).any())


@settings(max_examples=200)
@given(
    st.lists(st.dictionaries(pairs, st.floats(-9, 9).map(lambda figure: [figure]), max_size=8), min_size=1, max_size=3),
    st.lists(st.tuples(numbers, numbers), max_size=9),
)
@example([{(0.0, 1.0): [1.0]}], [(-0.0, 1.0), (NAN, 1.0)])
def test_a_row_alone_is_as_in_a_batch_and_as_in_a_dictionary(tables, rows):
    program = levels(2, [(0, 1, table, [-1.0]) for table in tables])
    run = compile(program)
    x = np.array(rows, dtype=np.float64).reshape(-1, 2)
    matrix = run(x)
    expected = [[table.get(pair, [-1.0])[0] for table in tables] for pair in rows]
    assert_array_equal(matrix[:, 2:], np.array(expected).reshape(-1, len(tables)))
    one = run.step.one
    assert one is not None
    for row, together in zip(rows, matrix, strict=True):
        assert_array_equal(one(list(row)), together)


def damaged(**changes: object) -> Program:
    program = levels(2, [(0, 0, {(1.0, 1.0): [0.1], (2.0, 2.0): [0.2]}, [0.5]), (0, 1, {(1.0, 4.0): [0.3]}, [0.6])])
    return Program("levels", {"columns": 2}, {**program.arrays, **{n: np.array(a) for n, a in changes.items()}})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"left": [2, 0]}, "outside"),
        ({"right": [0]}, "'right'"),
        ({"stop": [2, 2]}, "does not part"),
        ({"stop": [3, 2]}, "does not part"),
        ({"stop": [2, 4]}, "outside"),
        ({"first": [2.0, 1.0, 1.0]}, "ascending"),
        ({"first": [1.0, 1.0, 1.0], "second": [1.0, 1.0, 4.0]}, "ascending"),
        ({"second": [1.0, 2.0, NAN]}, "not finite"),
        ({"second": [1.0, 2.0]}, "'second'"),
        ({"table": [[0.1], [0.2], [0.3], [0.5]]}, "'table'"),
        ({"table": [[0.1], [0.2], [0.3], [0.5], [NAN]]}, "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(changes, reason):
    assert compile(damaged()).step.outputs == 4
    with pytest.raises(ValueError, match=f"op 'levels': .*{reason}"):
        compile(damaged(**changes))
