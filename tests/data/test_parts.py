"""Several files, and blocks of one: every value under its own name and with its own meaning, whichever format it came
in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.core.frame import conform
from sortal.core.schema import Column, Schema
from sortal.data.parts import Part, common_type, common_types, fitted
from sortal.data.read import batches, holds_records, read
from sortal.data.write import SUFFIXES, writer

PEOPLE = pl.DataFrame({"age": [44, 71], "fee": [79.5, 34.25], "plan": ["max", "basic"]})
WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "csv": pl.DataFrame.write_csv,
    "parquet": pl.DataFrame.write_parquet,
    "arrow": pl.DataFrame.write_ipc,
    "feather": pl.DataFrame.write_ipc_stream,
    "jsonl": pl.DataFrame.write_ndjson,
    "json": pl.DataFrame.write_json,
}
HEADERS = ("csv", "parquet", "arrow", "feather")
formats = st.sampled_from(list(WRITERS))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.tuples(formats, st.permutations(PEOPLE.columns)), min_size=1, max_size=4),
    size=st.integers(1, 5),
    suffix=st.sampled_from(SUFFIXES),
)
def test_every_value_stays_under_its_own_name(
    parts: list[tuple[str, list[str]]], size: int, suffix: str, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{k}.{kind}" for k, (kind, _) in enumerate(parts)]
    for path, (kind, order) in zip(paths, parts, strict=True):
        WRITERS[kind](PEOPLE.select(order), path)
    table = read(paths).frame
    assert table.columns == parts[0][1]
    values = [[str(value).removesuffix(".0") for value in row] for row in table.select(PEOPLE.columns).rows()]
    assert values == [["44", "79.5", "max"], ["71", "34.25", "basic"]] * len(parts)
    frames = list(batches(paths, size))
    assert all(frame.schema == table.schema for frame in frames)
    assert pl.concat(frames).equals(table)
    with writer(tmp_path / f"out{suffix}") as out:
        for frame in frames:
            out.write(frame)
    copy = read(tmp_path / f"out{suffix}").frame
    assert copy.columns == table.columns
    assert copy.cast(pl.String).equals(table.cast(pl.String))


@pytest.mark.parametrize("first", HEADERS)
@pytest.mark.parametrize("second", HEADERS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("fee"), "1.{first} has a column 'fee' that 2.{second} lacks"),
        (lambda frame: frame.with_columns(more=1), "2.{second} has a column 'more' that 1.{first} lacks"),
        (lambda frame: frame.rename({"fee": "Fee"}), "2.{second} has a column 'Fee' that 1.{first} lacks"),
    ],
)
def test_a_file_with_a_header_has_the_columns_of_the_first(
    first: str, second: str, change: Callable[[pl.DataFrame], pl.DataFrame], message: str, tmp_path: Path
) -> None:
    paths = [tmp_path / f"1.{first}", tmp_path / f"2.{second}"]
    WRITERS[first](PEOPLE, paths[0])
    WRITERS[second](change(PEOPLE), paths[1])
    for attempt in (read, lambda p: next(batches(p))):
        with pytest.raises(DataError) as excinfo:
            attempt(paths)
        assert message.format(first=first, second=second) in str(excinfo.value)


def test_records_may_lack_what_a_header_has_but_add_nothing_to_it(tmp_path: Path) -> None:
    PEOPLE.write_csv(tmp_path / "1.csv")
    PEOPLE.drop("fee").write_ndjson(tmp_path / "2.jsonl")
    paths = [tmp_path / "1.csv", tmp_path / "2.jsonl"]
    assert read(paths).frame["fee"].to_list() == ["79.5", "34.25", None, None]
    assert read(paths[::-1]).frame.columns == ["age", "plan", "fee"]
    PEOPLE.with_columns(more=1).write_ndjson(tmp_path / "2.jsonl")
    for given_paths in (paths, paths[::-1]):
        with pytest.raises(DataError, match=r"2.jsonl has a column 'more' that 1.csv lacks"):
            read(given_paths)


def test_records_bring_keys_in_any_file(tmp_path: Path) -> None:
    PEOPLE.drop("fee").write_ndjson(tmp_path / "1.jsonl")
    PEOPLE.write_json(tmp_path / "2.json")
    table = read([tmp_path / "1.jsonl", tmp_path / "2.json"]).frame
    assert table.rows() == [(44, "max", None), (71, "basic", None), (44, "max", 79.5), (71, "basic", 34.25)]
    assert pl.concat(batches([tmp_path / "1.jsonl", tmp_path / "2.json"], 1)).equals(table)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_source_says_what_it_is(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"1.{kind}"
    WRITERS[kind](PEOPLE, path)
    source = read(path)
    assert source.records == holds_records(path) == (kind in ("json", "jsonl"))
    assert source.separator == ("," if kind == "csv" else "")


def test_notes_name_the_part(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\na,b\n")
    (tmp_path / "2.csv").write_bytes(b"a;b\n1;\xe9\n")
    assert read(tmp_path).notes == (
        "1.csv: 1 row is the header again: left out",
        "2.csv: not UTF-8 (see line 2): read as Windows-1252",
        "2.csv: fields are separated by ';'",
    )
    notes: list[str] = []
    list(batches(tmp_path, note=notes.append))
    assert tuple(notes) == read(tmp_path).notes


@pytest.mark.parametrize("kind", WRITERS)
def test_names_have_one_form_in_every_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"1.{kind}"
    WRITERS[kind](
        pl.DataFrame({" gro\u0308\u00dfe": ["1"], "gr\u00f6\u00dfe ": ["2"], "*": ["3"], "^p.*$": ["4"]}), path
    )
    source = read(path)
    assert source.frame.to_dicts() == [{"gr\u00f6\u00dfe": "1", "gr\u00f6\u00dfe_2": "2", "*": "3", "^p.*$": "4"}]
    assert source.notes == ("column 2 is a second 'gr\u00f6\u00dfe': 'gr\u00f6\u00dfe_2'",)


@pytest.mark.parametrize(
    ("types", "common"),
    [
        ([pl.Int32, pl.UInt8], pl.Int32),
        ([pl.Null, pl.Boolean], pl.Boolean),
        ([pl.Boolean, pl.Int64], pl.String),
        ([pl.Date(), pl.Int64()], pl.String),
        ([pl.Date(), pl.Datetime("ms")], pl.Datetime("us")),
        ([pl.Datetime("us", "UTC"), pl.Datetime("us")], pl.String),
        ([pl.Categorical, pl.String], pl.String),
        ([pl.Enum(["a"]), pl.Enum(["b"])], pl.String),
        ([pl.List(pl.Int64), pl.Int64], pl.String),
        ([pl.Struct({"a": pl.Int64}), pl.List(pl.Int64)], pl.String),
    ],
)
def test_a_type_that_keeps_what_values_mean(types: list[pl.DataType], common: pl.DataType) -> None:
    assert common_type(types) == common_type(types[::-1]) == common


def test_a_yes_is_no_one_and_a_date_no_number(tmp_path: Path) -> None:
    pl.DataFrame({"a": [True], "b": ["2020-01-31"]}).with_columns(pl.col("b").str.to_date()).write_parquet(
        tmp_path / "1.parquet"
    )
    pl.DataFrame({"a": [1], "b": [20200131]}).write_parquet(tmp_path / "2.parquet")
    assert read(tmp_path).frame.rows() == [("true", "2020-01-31"), ("1", "20200131")]


@pytest.mark.parametrize("few", ["Float16", "Float32"])
@pytest.mark.parametrize("many", [[0.1, 10008.0], [1, 10008], ["0.1", "10008"]], ids=str)
def test_a_number_of_few_bits_in_one_part_is_that_of_the_others(few: str, many: list[object], tmp_path: Path) -> None:
    if not hasattr(pl, few):
        pytest.skip(f"this polars has no {few}")
    paths = [tmp_path / "few.parquet", tmp_path / "many.parquet"]
    pl.DataFrame({"a": [0.1, 10008.0, None]}).cast(getattr(pl, few)).write_parquet(paths[0])
    pl.DataFrame({"a": many}).write_parquet(paths[1])
    for order in (paths, paths[::-1]):
        values = conform(read(order).frame, Schema((Column("a", "number"),)))["a"].to_list()
        assert sorted(values[-3:] if order == paths[::-1] else values[:3], key=str) == [0.1, 10008.0, None]


def test_fitted_fills_what_is_absent() -> None:
    types = {"b": pl.Float64(), "a": pl.String(), "c": pl.Null()}
    assert fitted(pl.DataFrame({"a": [[1, 2]], "b": [1]}), types).rows() == [(1.0, "[1, 2]", None)]


@pytest.mark.parametrize("kind", WRITERS)
def test_names_that_polars_takes_for_patterns_are_names(kind: str, tmp_path: Path) -> None:
    people = pl.DataFrame({"^p.*$": ["^p.*$", "b", None], "*": ["*", "[1]", "c"], "^.*$": [1.5, None, 2.0]})
    WRITERS[kind](people, tmp_path / f"people.{kind}")
    table = read(tmp_path / f"people.{kind}").frame
    assert table.columns == people.columns
    assert table[:, 0].alias("").to_list() == ["^p.*$", "b", None]


def test_a_column_that_some_records_lack_has_the_type_of_the_others() -> None:
    parts = [
        Part(Path("1"), {"a": pl.Int64()}, iter, records=True),
        Part(Path("2"), {"b": pl.String(), "a": pl.Float64()}, iter, records=True),
        Part(Path("3"), {"c": pl.Boolean(), "b": pl.String()}, iter, records=True),
    ]
    assert list(common_types(parts).items()) == [
        ("a", pl.Float64()), ("b", pl.String()), ("c", pl.Boolean()),
    ]  # fmt: skip
    with_header = [Part(Path("0"), {"a": pl.Int64(), "b": pl.String()}, iter), parts[0]]
    assert list(common_types(with_header)) == ["a", "b"]
    with pytest.raises(
        DataError, match=r"^the parts differ: 3 has a column 'c' that 0 lacks; give files with the same"
    ):
        common_types([*with_header, parts[2]])


@pytest.mark.parametrize(
    ("types", "common"),
    [
        ([], pl.Null),
        ([pl.Null], pl.Null),
        ([pl.Int64, pl.Int64], pl.Int64),
        ([pl.Int64, pl.Float32], pl.Float64),
        ([pl.Datetime("ns"), pl.Datetime("ms")], pl.Datetime("us")),
        ([pl.Datetime("ns", "UTC"), pl.Datetime("ms", "UTC")], pl.Datetime("us", "UTC")),
        ([pl.Date(), pl.Date()], pl.Date),
        ([pl.List(pl.Int64), pl.List(pl.Float64)], pl.List(pl.Float64)),
        ([pl.List(pl.Int64), pl.List(pl.String)], pl.List(pl.String)),
        ([pl.String(), pl.Binary()], pl.Binary),
        ([pl.Int64, pl.String], pl.String),
        ([pl.Time, pl.Date], pl.String),
    ],
)
def test_the_type_of_all(types: list[pl.DataType], common: pl.DataType) -> None:
    assert common_type(types) == common_type(types[::-1]) == common


def test_what_is_fitted_keeps_its_values_and_its_height() -> None:
    frame = pl.DataFrame({"a": [{"x": 1}, None], "b": [1, 2]})
    result = fitted(frame, {"z": pl.Int64(), "b": pl.Float64(), "a": pl.String()})
    assert result.schema == {"z": pl.Int64, "b": pl.Float64, "a": pl.String}
    assert result.rows() == [(None, 1.0, "{'x': 1}"), (None, 2.0, None)]
    assert fitted(frame, {"b": pl.Int64()}).columns == ["b"]


def test_bytes_that_are_no_text_beside_numbers_are_refused_in_a_sentence(tmp_path: Path) -> None:
    for name, value in (("1", b"\xff\xfe"), ("2", 7), ("3", b"text")):
        pl.DataFrame({"a": [value]}).write_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(
        DataError, match=r"^column 'a' is Binary in one part and cannot be String as in all: invalid utf8"
    ):
        read([tmp_path / "1.parquet", tmp_path / "2.parquet"])
    assert read([tmp_path / "3.parquet", tmp_path / "2.parquet"]).frame["a"].to_list() == ["text", "7"]
