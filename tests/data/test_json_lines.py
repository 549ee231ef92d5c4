"""Records: an absent key is a missing value, and a value means the same whatever stands beside it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.data import json_lines as module
from sortal.data.json_lines import json_lines, json_table
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


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=records(), block=st.integers(1, 60), array=st.booleans())
def test_a_value_means_the_same_whatever_stands_beside_it(
    rows: list[dict[str, object]], block: int, array: bool, tmp_path: Path
) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(rows) if array else "\n".join(map(json.dumps, rows)))
    table = read(path).frame
    if not array:
        types, frames = json_lines(path, "utf-8", block)
        parts = [fitted(frame, types) for frame in frames()]
        assert dict(types) == dict(table.schema)
        assert pl.concat(parts).select(table.columns).equals(table)
    names = dict.fromkeys(name for row in rows for name in row)
    assert set(table.columns) == set(names)
    assert table.columns[: len(rows[0])] == list(rows[0])
    for name in names:
        expected = meaning([row.get(name) for row in rows])
        texts = any(isinstance(value, str) for value in expected)
        assert [str(v) if texts and v is not None else v for v in table[name]] == expected
        assert {type(v) is bool for v in table[name] if v is not None} == {
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


@pytest.mark.parametrize("beside", ["", '{"a": 1}\n', '{"a": "x"}\n{"a": 1.5}\n'])
@pytest.mark.parametrize("form", ['{"a": 1, "a": 2}\n', '{"a" : 1, "\\u0061": null}\n'])
def test_a_name_that_is_there_twice_is_refused(form: str, beside: str, tmp_path: Path) -> None:
    """Readers take the first value, or the last."""
    path = tmp_path / "t.jsonl"
    path.write_text(beside + form)
    with pytest.raises(DataError, match=rf"^t.jsonl, line {beside.count(chr(10)) + 1} is no JSON: it names 'a' twice$"):
        read(path)
    path.write_text(f"[{form}]")
    with pytest.raises(DataError, match=r"^t.jsonl is no JSON: it names 'a' twice$"):
        read(path)


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
@pytest.mark.parametrize("bad_line", [1, 5, 1_203, 2_500])
def test_a_line_that_is_no_record_is_named_wherever_it_stands(size: int, bad_line: int, tmp_path: Path) -> None:
    """In a later block, and in a later piece of one."""
    lines = [f'{{"a": {i}}}' for i in range(2_500)]
    lines[bad_line - 1] = "[1"
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=rf"^t.jsonl, line {bad_line:,} is no JSON"):
        json_lines(tmp_path / "t.jsonl", "utf-8", size)


def test_plain_records_are_read_the_fast_way_with_blank_lines_between_or_not() -> None:
    for text in ('{"a": 1}\n{"a": 2}', '{"a": 1}\n{"a": 2}\n', '{"a": 1}\n\n \n{"a": 2}\n'):
        frame = module._by_polars(text.encode())
        assert frame is not None
        assert frame.rows() == [(1,), (2,)]


@pytest.mark.parametrize("digits", ["1.50", "1e5", "1E5", "-0.0", "12345678901234567890.10"])
@pytest.mark.parametrize("form", ['{{"v": {}}}\n{{"v": "x"}}\n', '[{{"v": {}}}, {{"v": "x"}}]'])
def test_beside_a_text_a_number_keeps_the_digits_that_were_written(digits: str, form: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(form.format(digits))
    assert read(tmp_path / "t.json").frame["v"].to_list() == [digits, "x"]


@pytest.mark.parametrize("size", [1, 5, 9, 1 << 20])
@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("a\nbb\nccc", [("a", 1), ("bb", 2), ("ccc", 3)]),
        ("a\n\n\nbb\n", [("a", 1), ("bb", 4)]),
        ("\n \na\n", [("a", 3)]),
        ("", []),
    ],
)
def test_blocks_are_whole_lines_and_know_the_first(
    text: str, whole: list[tuple[str, int]], size: int, tmp_path: Path
) -> None:
    (tmp_path / "t.jsonl").write_text(text)
    numbered_lines = []
    for block, first in module._whole_lines(tmp_path / "t.jsonl", "utf-8", size):
        numbered_lines += [(t.decode(), n) for n, t in enumerate(block.split(b"\n"), start=first) if t.strip()]
    assert numbered_lines == whole


def test_pieces_of_a_block_have_so_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_KEYS", 2)
    assert list(module._pieces(b"a\nb\nc\nd\ne\n", 7)) == [(b"a\nb\n", 7), (b"c\nd\n", 9), (b"e\n", 11)]
    assert list(module._pieces(b"a\nb\n\n\nc\nd", 1)) == [(b"a\nb\n", 1), (b"c\nd", 5)]
    assert list(module._pieces(b"a\nb\n", 1)) == [(b"a\nb\n", 1)]


@pytest.mark.parametrize(
    ("keys", "cells", "present", "is_refused"),
    [
        (5, 100, 0, False),
        (5, 101, 0, True),
        (5, 101, 25, True),
        (5, 101, 26, False),
        (5, 1_000, 250, False),
        (5, 1_001, 250, True),
        (6, 1, 1, True),
    ],
)
def test_how_few_of_all_keys_a_record_may_name(
    keys: int, cells: int, present: int, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"MOST_CELLS": 100, "MOST_EMPTY": 4, "MOST_COLUMNS": 5}.items():
        monkeypatch.setattr(module, name, value)
    if is_refused:
        with pytest.raises(DataError, match=rf"^t\.json has {keys} (different keys|columns)"):
            module._refuse_sparse("t.json", keys, cells, present)
    else:
        module._refuse_sparse("t.json", keys, cells, present)


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_cells_and_values_are_counted_over_all_pieces(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six records of a key of their own: of 1 + 2 + 3 + 4 + 5 + 6 cells when each is a piece, six have a value."""
    monkeypatch.setattr(module, "MANY_KEYS", 1)
    monkeypatch.setattr(module, "MOST_EMPTY", 1)
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f'{{"k{i}": {i}}}\n' for i in range(6)))
    for cells, is_refused in ((21, False), (20, True)):
        monkeypatch.setattr(module, "MOST_CELLS", cells)
        if is_refused:
            with pytest.raises(DataError, match=r"^t\.jsonl has 6 different keys, of which a record names hardly any"):
                json_lines(path, "utf-8", size)
        else:
            assert list(json_lines(path, "utf-8", size)[0]) == [f"k{i}" for i in range(6)]


def test_an_array_is_counted_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_EMPTY", 1)
    path = tmp_path / "t.json"
    path.write_text('[{"a": 1}, {"b": 2}, {"a": 3, "b": 4}]')
    for cells, present, is_refused in ((6, 1, False), (5, 1, True), (3, 2, False)):
        monkeypatch.setattr(module, "MOST_CELLS", cells)
        monkeypatch.setattr(module, "MOST_EMPTY", present)
        if is_refused:
            with pytest.raises(DataError, match="has 2 different keys"):
                read(path)
        else:
            assert read(path).frame.rows() == [(1, None), (None, 2), (3, 4)]


@pytest.mark.parametrize("form", ['{{"a": {}}}', '[{{"a": {}}}]', '{{"b": "]]", "a": {}}}\n{{"a": 1}}'])
def test_so_many_brackets_within_each_other_are_read_and_one_more_is_not(form: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    around = form.index("{}") and (2 if form.startswith("[") else 1)
    for more, is_refused in ((64 - around, False), (65 - around, True)):
        path.write_text(form.format("[" * more + "]" * more))
        if is_refused:
            with pytest.raises(DataError, match="it has more than 64 brackets within each other"):
                read(path)
        else:
            assert read(path).frame.height >= 1


@pytest.mark.parametrize(
    ("text", "depth"),
    [(b"{}", 1), (b"[[], [], {}]", 2), (b'{"a[[[": [{"]": "\\"[["}]}', 3), (b"[]{}", 1), (b"1", 0), (b"}}[", 0)],
)
def test_the_depth_is_that_of_brackets_outside_of_texts(text: bytes, depth: int) -> None:
    assert module._depth(text) == max(depth, 0)


def test_what_is_no_json_is_said_in_our_words() -> None:
    with pytest.raises(ValueError, match=r"^it holds a number of more than 4,300 digits; put it in quotes$"):
        module.decoded(b"[" + b"1" * 4_301 + b"]")
    assert module.decoded(b"[" + b"1" * 4_300 + b"]") == [int("1" * 4_300)]
    with pytest.raises(json.JSONDecodeError, match="Expecting value"):
        module.decoded(b"[1,")
    with pytest.raises(ValueError, match=r"^it holds '\\ud83d', which is half a character$"):
        module.decoded(b'["a\\ud83d"]')
    assert module.decoded(b'[Infinity, -Infinity, NaN, 1.5, "\\ud83d\\ude00"]') == [
        float("inf"), float("-inf"), None, 1.5, "\U0001f600",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "is_mixed"),
    [
        ([1, 2, None], False),
        ([2**127 - 1, -(2**127) + 1], False),
        ([2**127], True),
        ([-(2**127), 0], True),
        ([0, None], False),
        ([1, 2.5], False),
        ([2**127, 2.5], False),
        ([1, True], True),
        (["a", 1], True),
        (["a", None], False),
        ([[1], {"a": 1}], True),
        ([None], False),
        ([], False),
    ],
)
def test_of_how_many_sorts_values_are(values: list[object], is_mixed: bool) -> None:
    assert module._is_mixed(values) == is_mixed


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, None, 3], pl.Int64, [1, None, 3]),
        ([1, 2.5, None], pl.Float64, [1.0, 2.5, None]),
        ([True, None], pl.Boolean, [True, None]),
        (["a", None], pl.String, ["a", None]),
        (["a", 1, True, None], pl.String, ["a", "1", "true", None]),
        ([[1, 2], None], pl.List(pl.Int64), [[1, 2], None]),
        ([{"a": 1}, None], pl.Struct({"a": pl.Int64}), [{"a": 1}, None]),
        ([None, None], pl.Null, [None, None]),
    ],
)
def test_the_type_of_a_column_is_that_of_its_values(
    values: list[object], dtype: pl.DataType, expected: list[object]
) -> None:
    series = module._series("v", values)
    assert (series.name, series.dtype, series.to_list()) == ("v", dtype, expected)


def test_a_column_that_is_text_elsewhere_is_text_here() -> None:
    assert module._series("v", [1, None, "a", "ß", [1, "ß"]], as_text=True).to_list() == [
        "1",
        None,
        "a",
        "ß",
        '[1, "ß"]',
    ]
    frame = module._frame([{"a": 1}, {"b": 2, "a": "x"}, {}], ["c", "b"], {"b"})
    assert frame.rows() == [(None, None, "1"), (None, "2", "x"), (None, None, None)]
    assert frame.columns == ["c", "b", "a"]


@pytest.mark.parametrize("text", ["1", "-1.5", "1e5", "-inf", "true", "false", "[1]", "{x"])
def test_a_text_like_json_beside_nothing_else_is_a_text(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"v": text, "w": 1}) + "\n" + json.dumps({"v": "plain", "w": 2}) + "\n")
    assert read(path).frame.rows() == [(text, 1), ("plain", 2)]


def test_many_keys_go_the_slow_way_with_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1, "b": "x"}\n{"b": "y", "c": 2.5}\n')
    types, plain = json_lines(path, "utf-8")
    expected = pl.concat([fitted(frame, types) for frame in plain()])
    calls: list[bytes] = []
    quick = module._by_polars
    monkeypatch.setattr(module, "_by_polars", lambda data: calls.append(data) or quick(data))
    for most, times in ((3, 2), (2, 1)):  # once for the types, and once for the rows where keys are few
        monkeypatch.setattr(module, "MANY_KEYS", most)
        calls.clear()
        types, frames = json_lines(path, "utf-8")
        assert pl.concat([fitted(frame, types) for frame in frames()]).equals(expected)
        assert len(calls) == times


def test_records_that_name_nothing_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("{}\n{}\n\n{}\n")
    with pytest.raises(DataError, match=r"^t\.jsonl has 3 records, and none of them names a value$"):
        read(tmp_path / "t.jsonl")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1], "b": {"c": 1}}', "t.json holds JSON, but no table; give an array of records or JSON Lines"),
        ('[{"a": 1}, 2]', "t.json holds JSON, but no table; give an array of records or JSON Lines"),
        ("[]", "t.json holds JSON, but no table; give an array of records or JSON Lines"),
        ('{"a": [1], "b": 2}', "t.json holds JSON, but no table; give an array of records or JSON Lines"),
        ('{"a": [1, 2', "t.json is no JSON: Expecting ',' delimiter: line 1 column 12 (char 11)"),
        ('{"a": [1, 2, 3], "bb": [1], "c": []}', "t.json has 0 values in column 'c', but 3 in 'a'"),
    ],
)
def test_other_json_is_no_table(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(DataError) as excinfo:
        json_table(tmp_path / "t.json", "utf-8")
    assert str(excinfo.value).startswith(message)


@pytest.mark.parametrize("place", [3, 101, 150, 999])
def test_what_comes_late_is_read_the_fast_way_too(place: int) -> None:
    """A fraction, and a key of its own, far below the lines that a library looks at for types."""
    lines = ['{"a": 1}'] * 1_000
    lines[place] = '{"a": 2.5, "b": "x"}'
    frame = module._by_polars("\n".join(lines).encode())
    assert frame is not None
    assert frame.schema == {"a": pl.Float64, "b": pl.String}
    assert frame.row(place) == (2.5, "x")
    assert frame.null_count().row(0) == (0, 999)
