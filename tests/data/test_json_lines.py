"""Records: an absent key is a missing value, and a value means the same whatever stands beside it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.data import json_lines as json_lines_module
from sortal.data.json_lines import json_lines
from sortal.data.parts import fitted
from sortal.data.read import read

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from([1.0, 2.5, 1e300])
    | st.sampled_from(["1", "1.0", "a", "true", ""])
)
PLAIN = [
    st.none() | st.integers(-9, 9),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(["1", "b"]),
    st.none() | st.floats(-9, 9),
    VALUES,
]


@st.composite
def records(draw: st.DrawFn) -> list[dict[str, object]]:
    kinds = {name: draw(st.sampled_from(PLAIN)) for name in "abc"}
    one = st.fixed_dictionaries({}, optional=kinds)
    return draw(st.lists(one, min_size=1, max_size=15).filter(any))


def meaning(values: list[object]) -> list[object]:
    """A column of values: as they are where they are of one sort, else as they are written."""
    sorts = {
        float if isinstance(v, float | int) and not isinstance(v, bool) else type(v) for v in values if v is not None
    }
    return values if len(sorts) < 2 else [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=records(), block=st.integers(1, 60), array=st.booleans())
def test_a_value_means_the_same_whatever_stands_beside_it(
    rows: list[dict[str, object]], block: int, array: bool, tmp_path: Path
) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(rows) if array else "\n".join(map(json.dumps, rows)))
    found = read(path).frame
    if not array:
        types, frames = json_lines(path, "utf-8", block)
        parts = [fitted(frame, types) for frame in frames()]
        assert dict(types) == dict(found.schema)
        assert pl.concat(parts).select(found.columns).equals(found)
    names = dict.fromkeys(name for row in rows for name in row)
    assert set(found.columns) == set(names)
    assert found.columns[: len(rows[0])] == list(rows[0])
    for name in names:
        expected = meaning([row.get(name) for row in rows])
        texts = any(isinstance(value, str) for value in expected)
        assert [str(v) if texts and v is not None else v for v in found[name]] == expected
        assert {type(v) is bool for v in found[name] if v is not None} == {
            type(v) is bool for v in expected if v is not None
        }


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_numbers_beside_texts_are_as_they_are_written(block: int, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"v": 1.0}\n{"v": 1}\n{"v": "1.0b"}\n{"v": true}\n{"v": [1.50, "x"]}\n{"v": NaN}\n{}\n')
    types, frames = json_lines(path, "utf-8", block)
    values = pl.concat([fitted(frame, types) for frame in frames()])["v"].to_list()
    assert values == ["1.0", "1", "1.0b", "true", '[1.5, "x"]', None, None]


def test_numbers_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"i": {2**63}, "x": 1e400, "n": {10**50}}}\n{{"i": 1, "x": -Infinity, "n": 1}}\n')
    assert read(path).frame.rows() == [(2**63, float("inf"), str(10**50)), (1, float("-inf"), "1")]


@pytest.mark.parametrize("block", [1, 5, 1 << 20])
def test_records_without_any_key_are_rows(block: int, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{}\n{"a": 1}\n{}\n\n{}\n{"a": NaN}\n')
    types, frames = json_lines(path, "utf-8", block)
    assert pl.concat([fitted(frame, types) for frame in frames()])["a"].to_list() == [None, 1, None, None, None]
    path.write_text('[{}, {"a": 1}]')
    assert read(path).frame["a"].to_list() == [None, 1]


def test_columns_of_different_lengths_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"a": [1, 2], "b": [1]}')
    with pytest.raises(DataError, match=r"t.json has 1 values in column 'b', but 2 in 'a'"):
        read(path)


@pytest.mark.parametrize("indent", [None, 1])
def test_an_object_of_columns_and_an_object_that_is_a_record(indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"a": [1, 2.5], "b": [1, "x"]}, indent=indent))
    assert read(path).frame.rows() == [(1.0, "1"), (2.5, "x")]
    path.write_text(json.dumps({"a": 1, "b": "x"}, indent=indent))
    assert read(path).frame.rows() == [(1, "x")]
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"a": [1, 2], "b": [3]}')
    assert read(lines).frame.rows() == [([1, 2], [3])]


@pytest.mark.parametrize("size", [48, 1 << 20])
@pytest.mark.parametrize("broken", [1, 5, 1_203, 2_500])
def test_a_line_that_is_no_record_is_named_wherever_it_stands(size: int, broken: int, tmp_path: Path) -> None:
    """In a later block, and in a later piece of one."""
    lines = [f'{{"a": {i}}}' for i in range(2_500)]
    lines[broken - 1] = "[1"
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=rf"^t.jsonl, line {broken:,} is no JSON"):
        json_lines(tmp_path / "t.jsonl", "utf-8", size)


def test_plain_records_are_read_the_fast_way_with_blank_lines_between_or_not() -> None:
    for text in ('{"a": 1}\n{"a": 2}', '{"a": 1}\n{"a": 2}\n', '{"a": 1}\n\n \n{"a": 2}\n'):
        frame = json_lines_module._by_polars(text.encode())
        assert frame is not None
        assert frame.rows() == [(1,), (2,)]
