from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sortal.core.coded import Coded
from sortal.engine import Program, compile
from sortal.engine.single import FEW

PARTS = ["year", "month", "day", "weekday", "hour", "minute", "day_of_year", "total_seconds"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

moments = st.datetimes(
    min_value=datetime(1, 1, 1),
    max_value=datetime(9999, 12, 31),
    timezones=st.just(UTC),
).map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))


def parts_of(seconds: list[float]) -> np.ndarray:
    program = Program("datetime", {"column": "t", "parts": PARTS})
    return compile(program)({"t": np.array(seconds)})


@settings(max_examples=200)
@given(st.lists(moments, min_size=1, max_size=20))
def test_datetime_parts_are_those_of_python(times):
    seconds = [(t - EPOCH) / timedelta(seconds=1) for t in times]
    expected = [
        (t.year, t.month, t.day, t.weekday(), t.hour, t.minute, t.timetuple().tm_yday, s)
        for t, s in zip(times, seconds, strict=True)
    ]
    assert_array_equal(parts_of(seconds), np.array(expected, dtype=float))


@settings(max_examples=50)
@given(st.lists(st.integers(-(2**36), 2**37), min_size=1, max_size=50))
def test_datetime_parts_are_those_of_polars(seconds):
    time = (pl.Series(seconds, dtype=pl.Int64) * 1_000_000).cast(pl.Datetime("us")).dt
    expected = [time.year(), time.month(), time.day(), time.weekday() - 1]
    expected += [time.hour(), time.minute(), time.ordinal_day(), pl.Series(seconds)]
    parts = parts_of([float(s) for s in seconds])
    assert_array_equal(parts, np.column_stack([e.cast(pl.Float64).to_numpy() for e in expected]))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1.0, [1969, 12, 31, 2, 23, 59, 365, -1.0]),
        (951_782_400.0, [2000, 2, 29, 1, 0, 0, 60, 951_782_400.0]),  # 400 divides 2000
        (-2_203_891_200.0, [1900, 3, 1, 3, 0, 0, 60, -2_203_891_200.0]),  # 1900 was no leap year
        (1_735_603_199.5, [2024, 12, 30, 0, 23, 59, 365, 1_735_603_199.5]),
    ],
)
def test_datetime_at_the_edges_of_the_calendar(seconds, expected):
    assert_array_equal(parts_of([seconds])[0], expected)


def test_all_parts_of_a_missing_or_unreachable_time_are_missing():
    parts = parts_of([np.nan, np.inf, -np.inf, 1e300, 0.0])
    assert np.isnan(parts[:4]).all()
    assert_array_equal(parts[4], [1970, 1, 1, 3, 0, 0, 1, 0.0])


def test_lookup_knows_missing_from_unseen():
    table = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    program = Program("lookup", {"column": "c", "categories": ["a", "b"]}, {"table": table})
    run = compile(program)
    assert_array_equal(run({"c": ["b", None, "z", "a", ""]}), table[[1, 2, 3, 0, 3]])
    assert_array_equal(run({"c": []}), np.empty((0, 2)))


@settings(max_examples=50)
@given(st.lists(st.text(), unique=True), st.lists(st.none() | st.text()))
def test_lookup_of_any_text(categories, values):
    table = np.arange(len(categories) + 2, dtype=float)[:, None]
    run = compile(Program("lookup", {"column": "c", "categories": categories}, {"table": table}))
    missing, unseen = len(categories), len(categories) + 1
    codes = {**{c: float(i) for i, c in enumerate(categories)}, None: float(missing)}
    assert run({"c": values}).ravel().tolist() == [codes.get(v, float(unseen)) for v in values]


def test_table_stands_side_by_side_and_a_missing_column_is_named():
    program = Program(
        "table",
        steps=(
            Program("number", {"column": "x"}),
            Program("lookup", {"column": "c", "categories": ["a"]}, {"table": np.array([[1.0], [0.0], [0.5]])}),
        ),
    )
    run = compile(program)
    matrix = run({"x": np.array([1.0, np.nan]), "c": ["a", "b"]})
    assert_array_equal(matrix, [[1.0, 1.0], [np.nan, 0.5]])
    with pytest.raises(ValueError, match="column 'c'"):
        run({"x": np.array([1.0])})


def test_fill_scale_pick():
    x = np.array([[1.0, np.nan, np.nan], [np.nan, 4.0, np.nan]])
    fill = Program("fill", {}, {"value": np.array([9.0, 8.0, np.nan]), "indicator": np.array([1, 0])})
    filled = compile(fill)(x)
    assert_array_equal(filled, [[1, 8, np.nan, 1, 0], [9, 4, np.nan, 0, 1]])
    scale = Program("scale", {}, {"mean": np.array([1.0, 2.0, 0.0]), "scale": np.array([2.0, 4.0, 1.0])})
    assert_array_equal(compile(scale)(np.array([[3.0, 2.0, 5.0]])), [[1.0, 0.0, 5.0]])
    pick = Program("pick", {}, {"index": np.array([2, 0], dtype=np.int32)})
    assert_array_equal(compile(pick)(np.array([[3.0, 2.0, 5.0, 6.0]])), [[5.0, 3.0]])
    chain = Program("chain", steps=(fill, Program("pick", {}, {"index": np.array([4])})))
    assert_array_equal(compile(chain)(x), [[0.0], [1.0]])
    assert np.isnan(x).sum() == 4, "the input was changed"


def test_codes_of_levels_are_looked_up_as_the_texts_they_stand_for():
    rng = np.random.default_rng(0)
    levels = ("a", "b", "never seen", None)
    coded = Coded(levels, rng.integers(len(levels), size=50))
    look_up = compile(
        Program("lookup", {"column": "c", "categories": ["b", "a"]}, {"table": np.arange(8.0).reshape(4, 2)})
    )
    assert np.array_equal(look_up({"c": coded}), look_up({"c": list(coded)}))
    assert len(np.unique(look_up({"c": coded})[:, 0])) == len(levels)


@given(rows=st.integers(1, 2 * FEW), seed=st.integers(0, 99))
def test_a_table_of_few_rows_is_that_of_many(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = Program(
        "table",
        steps=(
            Program("number", {"column": "n"}),
            Program("lookup", {"column": "c", "categories": ["a", "b"]}, {"table": rng.normal(size=(4, 2))}),
            Program("datetime", {"column": "d", "parts": ["year", "day"]}),
            Program("number", {"column": "m"}),
        ),
    )
    columns = {
        "n": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
        "c": [["a", "b", None, "z"][at] for at in rng.integers(4, size=rows)],
        "d": rng.integers(0, 2_000_000_000, size=rows).astype(np.float64),
        "m": rng.integers(0, 2, size=rows).astype(np.float64),
    }
    many = {name: values * 20 if isinstance(values, list) else np.tile(values, 20) for name, values in columns.items()}
    assert_array_equal(compile(program)(columns), compile(program)(many)[:rows])
