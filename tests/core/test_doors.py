"""The law of doors: the same rows have the same canonical values, whatever they were trained from and come in by."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sortal.core.columns import Origin
from sortal.core.door import rows_of
from sortal.core.errors import DataError
from sortal.core.frame import conform, declared_kinds, from_any
from sortal.core.infer import infer
from sortal.core.kinds.category import EXACT
from sortal.core.schema import Column, Schema
from sortal.data.read import read

Values = list[Any]
Door = Callable[[Values, Path], tuple[pl.DataFrame, bool]]
"""A raw frame with the column ``c``, and whether it came as records."""

MARKS = [None, float("nan"), pd.NA, pd.NaT]
NEW_YEAR = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def csv_file(values: Values, folder: Path) -> tuple[pl.DataFrame, bool]:
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["c", "n"], *(["" if v is None else str(v), i] for i, v in enumerate(values))])
    return read(folder / "rows.csv").frame, False


def pandas_csv(values: Values, folder: Path) -> tuple[pl.DataFrame, bool]:
    pandas(values).to_csv(folder / "rows.csv", index=False)
    return read(folder / "rows.csv").frame, False


def parquet(values: Values, folder: Path) -> tuple[pl.DataFrame, bool]:
    polars(values).write_parquet(folder / "rows.parquet")
    return read(folder / "rows.parquet").frame, False


def json_lines(values: Values, folder: Path) -> tuple[pl.DataFrame, bool]:
    rows = [{"n": i} | ({} if v is None else {"c": v}) for i, v in enumerate(values)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    source = read(folder / "rows.jsonl")
    return source.frame, source.records


def json_nulls(values: Values, folder: Path) -> tuple[pl.DataFrame, bool]:
    rows = [{"n": i, "c": v} for i, v in enumerate(values)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    source = read(folder / "rows.jsonl")
    return source.frame, source.records


def polars(values: Values) -> pl.DataFrame:
    return pl.DataFrame({"c": pl.Series(values, strict=False), "n": range(len(values))})


def pandas(values: Values, **options: Any) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.Series(values, **options), "n": range(len(values))})


def with_marks(values: Values) -> Values:
    return [MARKS[i % len(MARKS)] if v is None else v for i, v in enumerate(values)]


def numpy_objects(values: Values, _: Path) -> tuple[pl.DataFrame, bool]:
    array = np.empty((len(values), 2), dtype=object)
    array[:, 0], array[:, 1] = values, range(len(values))
    return from_any(array).rename({"x0": "c", "x1": "n"}), False


DOORS: dict[str, Door] = {
    "csv": csv_file,
    "csv of pandas": pandas_csv,
    "parquet": parquet,
    "json lines without keys": json_lines,
    "json lines": json_nulls,
    "arrow": lambda values, _: (from_any(pa.table({"c": values, "n": range(len(values))})), False),
    "polars": lambda values, _: (from_any(polars(values)), False),
    "pandas": lambda values, _: (from_any(pandas(values)), False),
    "pandas nullable": lambda values, _: (from_any(pandas(values).convert_dtypes()), False),
    "pandas arrow": lambda values, _: (from_any(pandas(values).convert_dtypes(dtype_backend="pyarrow")), False),
    "pandas objects": lambda values, _: (from_any(pandas(with_marks(values), dtype=object)), False),
    "numpy": numpy_objects,
    "dict": lambda values, _: (from_any({"c": values, "n": range(len(values))}), False),
    "list of dicts": lambda values, _: (from_any([{"c": v, "n": i} for i, v in enumerate(values)]), True),
    "list of dicts without keys": lambda values, _: (
        from_any([{"n": i} | ({} if v is None else {"c": v}) for i, v in enumerate(values)]),
        True,
    ),
}


@dataclass(frozen=True)
class Sort:
    """Values of one sort. ``anchors`` stand in every training column, so that text shows what the column is."""

    kind: str
    values: st.SearchStrategy[Any]
    anchors: Sequence[Any]
    override: str = ""
    whole: bool = False
    """pandas makes floats of whole numbers beside a missing value, which cannot hold codes."""


microseconds = st.integers(-(10**12), 10**12)
SORTS = {
    "floats": Sort("number", st.floats(-1e15, 1e15).filter(lambda x: x == 0 or abs(x) > 1e-5), [0.5, -2.25]),
    "whole numbers": Sort("number", st.integers(-(10**9), 10**9), [5, -70000]),
    "codes": Sort("category", st.integers(10**17, 10**18), [10**17, 10**17 + 1], whole=True),
    "codes below zero": Sort("category", st.integers(-(10**18), -(10**17)), [-(10**17), -(10**16)], whole=True),
    "booleans": Sort("boolean", st.booleans(), [True, False]),
    "ones and twos": Sort("boolean", st.sampled_from([1, 2]), [2, 1], override="boolean"),
    "levels": Sort("category", st.sampled_from(["max", "plus", "Basic"]), ["max", "basic"]),
    "numbers as categories": Sort("category", st.integers(-5, 5), [1, 2], override="category"),
    "dates": Sort("datetime", st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1)), [dt.date(2020, 1, 31)]),
    "moments": Sort(
        "datetime",
        st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),
        [dt.datetime(2020, 1, 31, 12, 30), dt.datetime(2020, 1, 31, 12, 30, 1)],
    ),
    "moments with a zone": Sort(
        "datetime", st.integers(0, 10**9).map(lambda s: NEW_YEAR + dt.timedelta(seconds=s)), [NEW_YEAR]
    ),
    "durations": Sort("number", microseconds.map(lambda us: dt.timedelta(microseconds=us)), [dt.timedelta(hours=1)]),
    "times": Sort("number", st.times(), [dt.time(1, 2, 3), dt.time(1, 2, 3, 4)]),
}


def schema_of(frame: pl.DataFrame, sort: Sort) -> Schema:
    return infer(frame, None, kinds={"c": sort.override} if sort.override else {}, ignore=["n"], source=Origin())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doors")


@pytest.mark.parametrize("name", SORTS)
@settings(max_examples=5)
@given(data=st.data())
def test_the_same_rows_have_the_same_values(name: str, folder: Path, data: st.DataObject) -> None:
    sort = SORTS[name]
    values = sort.values if sort.whole else sort.values | st.none()
    train_values = [*sort.anchors, *([] if sort.whole else [None]), *data.draw(st.lists(values, max_size=5))]
    new_values = data.draw(st.lists(values, min_size=1, max_size=5))
    by_door = {door: opener(new_values, folder) for door, opener in DOORS.items()}
    frames = {door: opener(train_values, folder)[0] for door, opener in DOORS.items()}
    columns = {door: schema_of(frame, sort)["c"] for door, frame in frames.items()}
    assert {(column.kind, column.role) for column in columns.values()} == {(sort.kind, "feature")}, columns
    results: list[list[Any]] = []
    for column in {replace(column, reason="", missing=0.0) for column in columns.values()}:
        schema = Schema((column, Column("n", "number")))
        results += [conform(raw, schema, allow_missing=records)["c"].to_list() for raw, records in by_door.values()]
    assert all(values == results[0] for values in results), dict(zip(by_door, results, strict=False))
    assert [v is None for v in results[0]] == [v is None for v in new_values]
    train_results = [conform(frame, Schema((columns[door],)))["c"].to_list() for door, frame in frames.items()]
    assert all(values == train_results[0] for values in train_results)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("column", [Column("c", kind) for kind in ("number", "category", "boolean", "datetime")])
def test_a_column_without_values_fits_every_kind(door: str, column: Column, folder: Path) -> None:
    frame, _ = DOORS[door]([None, None], folder)
    schema = Schema((column, Column("n", "number")))
    assert conform(frame, schema, allow_missing=True)["c"].to_list() == [None, None]


class TestOtherTypes:
    """Types that only some doors have mean what the common ones mean."""

    def values_of(self, values: Any, train_values: Any, override: str = "") -> list[Any]:
        schema = schema_of(
            from_any({"c": train_values, "n": range(len(train_values))}), Sort("", st.none(), [], override)
        )
        return conform(from_any({"c": values}), Schema((schema["c"],)))["c"].to_list()

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_floats_of_all_sizes(self, dtype: str) -> None:
        values = np.array([0.1, 0.5, np.nan], dtype=dtype)
        expected = [float(str(v)) for v in values[:2]] + [None]
        assert self.values_of(pa.array(values, from_pandas=True).to_numpy(False), [0.1, 2.5]) == expected
        assert self.values_of(list(values), [0.1, 2.5]) == expected
        assert self.values_of(values, [0.1, 2.5]) == expected
        assert self.values_of(pd.Series(values), ["0.1", "0.5"], "category") == [str(v) for v in values[:2]] + [None]

    @pytest.mark.parametrize(
        "dtype", ["uint8", "int8", "uint64", "int64", "UInt16", "Int64", "int32[pyarrow]", "float32"]
    )
    def test_whole_numbers_of_all_sizes(self, dtype: str) -> None:
        values = pd.Series([1, 2], dtype=dtype)
        assert self.values_of(values, ["1", "2", "1.0"]) == [1.0, 2.0]
        assert self.values_of(values, ["1", "2"], "category") == ["1", "2"]
        assert (
            self.values_of(values, [2, 1], "boolean") == self.values_of(values, ["1", "2"], "boolean") == [False, True]
        )

    def test_sparse_and_categories_and_intervals_and_periods_and_arrow(self) -> None:
        assert self.values_of(pd.Series([1.5, np.nan, 0], dtype="Sparse[float]"), [1.5]) == [1.5, None, 0.0]
        assert self.values_of(pd.Series([2, None, 1], dtype="category"), ["1", "2"], "category") == ["2", None, "1"]
        assert self.values_of(pd.Series([True, False], dtype="category"), ["False", "True", "?"]) == [True, False]
        intervals = pd.cut(pd.Series([1, 5]), [0, 2, 6])
        assert self.values_of(intervals, [str(v) for v in intervals]) == ["(0, 2]", "(2, 6]"]
        days = pd.Series(pd.period_range("2020-01-01", periods=2))
        assert self.values_of(days, ["2020-01-01", "2020-01-02"]) == [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)]
        assert self.values_of(pl.Series(["a", None], dtype=pl.Enum(["a", "b"])), ["a", "b"]) == ["a", None]
        assert self.values_of(pd.Series(["1", 2, None, 2.5], dtype=object), [1, 2, 2.5]) == [1.0, 2.0, None, 2.5]

    def test_a_pandas_category_of_numbers_is_a_category(self) -> None:
        frame = pd.DataFrame({"zip": pd.Categorical([7, 8]), "flag": pd.Categorical([True, False]), "s": ["a", "b"]})
        assert declared_kinds(frame) == {"zip": "category", "flag": "category"}
        assert declared_kinds(frame.to_dict()) == {}
        assert infer(from_any(frame), None, kinds=declared_kinds(frame))["zip"].kind == "category"

    @pytest.mark.parametrize(
        "text",
        [
            "1:30:00",
            "1:30",
            "01:30:00.000",
            "PT90M",
            "PT1H30M",
            "P0DT1H30M0S",
            "0 days 01:30:00",
            "PT5400S",
            "+1:30:00",
        ],
    )
    def test_durations_in_words(self, text: str) -> None:
        assert self.values_of([text], [dt.timedelta(hours=1)]) == [5400.0]
        assert self.values_of([dt.timedelta(minutes=90)], [text]) == [5400.0]

    def test_negative_durations(self) -> None:
        texts = ["-1 day, 23:00:00", "-1 days +23:00:00", "-PT1H", "-1:00:00", "5 days"]
        assert self.values_of(texts, texts) == [-3600.0] * 4 + [432000.0]

    @pytest.mark.parametrize("values", [[3600], ["3600"], ["an hour"]])
    def test_a_bare_number_is_no_duration(self, values: list[object]) -> None:
        with pytest.raises(DataError, match="where a duration or a time such as 1:30:00"):
            self.values_of(values, [dt.timedelta(hours=1)])

    def test_a_duration_is_no_bare_number(self) -> None:
        for values in ([dt.timedelta(hours=1)], ["1:00:00"]):
            with pytest.raises(DataError, match="where a number"):
                self.values_of(values, ["1", "2"])
        with pytest.raises(DataError, match="where a category is needed"):
            self.values_of([dt.timedelta(hours=1)], ["a", "b"])

    def test_one_row_is_read_as_the_same_row_of_many(self) -> None:
        values = [dt.timedelta(seconds=3723, microseconds=500), dt.timedelta(0)]
        assert self.values_of(values[:1], values) == self.values_of(values, values)[:1] == [3723.0005]


class TestMissing:
    """What a person says is no value is none in any notation, from files and from typed columns."""

    @settings(max_examples=20)
    @example(-999, "-999")
    @given(st.integers(-(10**6), 10**6), st.sampled_from(["{}", "{}.0"]))
    def test_a_number_that_means_no_value(self, number: int, form: str) -> None:
        marker = form.format(number)
        for notation, texts in {
            "": [f"{number}", f"{number}.0", f"{number}.00", f" {number}"],
            ",": [f"{number}", f"{number},0"],
            ",.": [f"{number:,}".replace(",", "."), f"{number},00"],
            ".$": [f"{number}$", f"{number}.0 $"],
        }.items():
            schema = Schema((Column("c", "number", format=notation, absent=(marker,)),))
            for values in (texts, [number], [float(number)]):
                assert conform(from_any({"c": values}), schema)["c"].null_count() == len(values)
                np.testing.assert_array_equal(rows_of({"c": values}, schema).columns["c"], np.nan)
        for column in (Column("c", "category", absent=(marker,)), Column("c", "boolean", absent=(marker,))):
            for values in ([f"{number}", f"{number}.0"], [number], [float(number)]):
                assert conform(from_any({"c": values}), Schema((column,)))["c"].null_count() == len(values)
                assert pd.isna(list(rows_of({"c": values}, Schema((column,))).columns["c"])).all()

    def test_it_is_counted_as_no_value(self) -> None:
        for values in (["1,5", "-999,0", "-999"], [1.5, -999.0, -999.0]):
            column = infer(from_any({"c": values}), None, source=Origin(missing=("-999",)))["c"]
            assert (column.kind, round(column.missing, 2)) == ("number", 0.67)
            assert column.reason.startswith("all 1 values are numbers")

    def test_what_is_near_it_is_a_value(self) -> None:
        column = Column("c", "number", format=",.", absent=("9",))
        assert conform(pl.DataFrame({"c": ["9.000", "0,9", "90", "9,01"]}), Schema((column,)))["c"].to_list() == [
            *(9000.0, 0.9, 90.0, 9.01)
        ]
        column = Column("c", "category", absent=("9",))
        assert conform(pl.DataFrame({"c": ["09", "9.5", "9"]}), Schema((column,)))["c"].to_list() == ["09", "9.5", None]
        column = Column("c", "category", format=EXACT, absent=("9",))
        assert conform(pl.DataFrame({"c": ["9.0", "9"]}), Schema((column,)))["c"].to_list() == ["9.0", None]


@pytest.mark.parametrize("values", [[20200131, 20200201], [20200131, None], ["20200131", None]], ids=str)
def test_days_in_digits(values: Values, folder: Path) -> None:
    """pandas makes floats of whole numbers beside a missing one."""
    sort = Sort("datetime", st.none(), [], override="datetime:%Y%m%d")
    expected = [None if value is None else dt.datetime.strptime(str(value), "%Y%m%d") for value in values]
    for door in ("pandas", "polars", "arrow", "dict", "json lines"):
        column = schema_of(DOORS[door](values, folder)[0], sort)["c"]
        assert conform(DOORS[door](values, folder)[0], Schema((column,)))["c"].to_list() == expected, door


class TestRecords:
    schema = Schema((Column("age", "number"), Column("plan", "category")))

    def test_a_key_that_no_record_has_is_missing(self) -> None:
        assert conform(from_any([{"age": 1}]), self.schema, allow_missing=True).rows() == [(1.0, None)]

    @pytest.mark.parametrize("records", [[{"age": 1, "Plan": "max"}], [{"other": 1}], [{}]])
    def test_another_spelling_and_no_key_at_all_are_refused(self, records: list[dict[str, object]]) -> None:
        with pytest.raises(DataError, match="has no column"):
            conform(from_any(records), self.schema, allow_missing=True)

    def test_a_table_needs_its_columns(self) -> None:
        with pytest.raises(DataError, match="the data has no column 'plan', which the model needs"):
            conform(pl.DataFrame({"age": [1]}), self.schema)
