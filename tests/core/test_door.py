"""The law of the door: rows on their way without polars are, to the bit, what polars makes of them; or both say the
same sentence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sortal.core import door
from sortal.core.arrow import arrow_table
from sortal.core.costs import CostColumn
from sortal.core.door import MOST_ROWS, Rows, read_rows, rows_of, rows_of_frame
from sortal.core.errors import DataError, ForkError
from sortal.core.frame import from_any
from sortal.core.kinds.category import EXACT
from sortal.core.kinds.number import DURATION
from sortal.core.raw import RawTable, is_records, raw_table
from sortal.core.schema import Column, Schema

COLUMNS = (
    *(Column("c", "number", format=form) for form in ("", ".", ",", ".,", ",.$", DURATION)),
    *(Column("c", "category", format=form) for form in ("", EXACT)),
    *(Column("c", "boolean", levels=levels) for levels in ((), ("no", "yes"), ("1", "2"), ("f", "m"))),
    *(Column("c", "datetime", format=form) for form in ("", "%Y-%m-%d", "%d/%m/%Y %H:%M", "%Y%m%d", "%Y-%m-%d %H:%M:%S%.f%z")),
    *(Column("c", "number", absent=("-1", "x")), Column("c", "category", absent=("-1", "?")), Column("c", "text")),
)  # fmt: skip

moments = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 30))
zoned = st.datetimes(
    dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1), timezones=st.sampled_from([ZoneInfo("Europe/Berlin"), dt.UTC])
)
durations = st.timedeltas(dt.timedelta(-99999), dt.timedelta(99999))
SORTS: dict[str, st.SearchStrategy[Any]] = {
    "texts": st.sampled_from(
        ["", " ", "NA", "?", "None", "nan", "-NAN", " 5", "-1", "x", "1.5", "1,5", "1.234,5", "7$", "(3)", "1e5", "True", "yes", "NO", "2", "1.0", "m",
         "2020-01-31", "20200131", "31/01/2020", "31/01/2020 10:00", "2020-01-31T10:00:01.5Z", "0000-00-00", "1:30", "2 days", "Ko\u0308ln", "\u00a0a\u200b"]
    ),
    "words": st.text(max_size=4),
    "whole": st.integers(-(10**6), 10**6) | st.sampled_from([-1, 0, 1, 2, 20200131, 20209931, 2**53 + 1]),
    "large": st.integers(-(2**126), 2**128),
    "floats": st.floats() | st.sampled_from([-1.0, 0.0, 1.0, 2.0, 1e38, 4e38]),
    "booleans": st.booleans(),
    "decimals": st.decimals(-(10**9), 10**9, places=4) | st.just(Decimal("NaN")),
    "moments": moments,
    "zoned": zoned,
    "dates": st.dates(),
    "durations": durations,
    "times": st.times(),
    "bytes": st.binary(max_size=2),
    "lists": st.lists(st.integers(0, 3), max_size=1),
    "numpy": st.one_of(
        st.floats(width=32).map(np.float32),
        st.integers(0, 9).map(np.int8),
        st.booleans().map(np.bool_),
        st.sampled_from(["a", "1"]).map(np.str_),
        st.integers(-(10**12), 10**12).map(lambda us: np.datetime64(us, "us")),
        st.integers(-(10**12), 10**12).map(lambda us: np.timedelta64(us, "us")),
    ),
    "pandas": st.sampled_from([pd.Timestamp("2020-01-31 10:00", tz="UTC"), pd.Timedelta("1h"), pd.NA, pd.NaT]),
}  # fmt: skip
SORTS["anything"] = st.one_of(*SORTS.values())
MISSING = st.sampled_from([None, float("nan"), None])


def outcome(data: Any, schema: Schema, allow_missing: bool, by_polars: bool) -> Any:
    """The columns, to the bit, or the sentence."""
    try:
        if by_polars:
            rows = rows_of_frame(from_any(data), schema, allow_missing=allow_missing)
        else:
            table = raw_table(data) or arrow_table(data, None)
            assert table is not None
            rows = door._conformed(table, schema, allow_missing)
    except DataError as error:
        return str(error)
    return bits(rows)


def bits(rows: Rows) -> tuple[int, tuple[str, ...], Mapping[str, Any]]:
    columns = {n: _bytes(v) if isinstance(v, np.ndarray) else list(v) for n, v in rows.columns.items()}
    return len(rows), rows.absent, columns


def _bytes(values: np.ndarray[Any, Any]) -> bytes:
    """A missing value is one, whatever the other bits of its NaN."""
    return np.where(np.isnan(values), np.nan, values).tobytes()


def forms(values: list[Any]) -> dict[str, Any]:
    """The same values in what people hold; what a library does not take is left out."""
    tables: dict[str, Any] = {
        "columns": {"c": values, "n": list(range(len(values)))},
        "records": [{"c": value, "n": i} for i, value in enumerate(values)],
        "sparse records": [{"n": i} | ({} if value is None else {"c": value}) for i, value in enumerate(values)],
        "objects": {"c": np.fromiter(values, dtype=object, count=len(values)), "n": np.arange(len(values))},
        "pandas objects": pd.DataFrame({"c": pd.Series(values, dtype=object), "n": range(len(values))}),
    }
    makers = {
        "pandas": lambda: pd.DataFrame({"c": values, "n": range(len(values))}),
        "pandas nullable": lambda: pd.DataFrame({"c": values, "n": range(len(values))}).convert_dtypes(),
        "pandas category": lambda: pd.DataFrame({"c": pd.Categorical(values), "n": range(len(values))}),
        "arrow": lambda: pa.table({"c": values, "n": range(len(values))}),
    }
    if any(isinstance(value, np.datetime64) for value in values):
        del makers["arrow"]  # pyarrow 26 breaks the process where another scalar of numpy follows a moment
    for name, make in makers.items():
        try:
            tables[name] = make()
        except (TypeError, ValueError, OverflowError, RuntimeWarning, pa.ArrowException):
            continue
    return tables


@pytest.mark.parametrize("sort", SORTS)
@settings(max_examples=6)
@given(data=st.data())
def test_rows_are_what_polars_makes_of_them(sort: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(SORTS[sort] | MISSING, min_size=1, max_size=5))
    column = data.draw(st.sampled_from(COLUMNS))
    schema = Schema((column, Column("n", "number")))
    for name, given_as in forms(values).items():
        if any(raw.sort == "mixed" for raw in (raw_table(given_as) or RawTable({}, 0)).columns.values()):
            continue  # polars has no such columns: see the next law
        try:
            expected = outcome(given_as, schema, is_records(given_as), by_polars=True)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            continue  # nested values that polars cannot hold together
        assert outcome(given_as, schema, is_records(given_as), by_polars=False) == expected, name


@settings(max_examples=60)
@example([-1001], "m8[ns]")
@given(
    st.lists(st.integers(-(2**62), 2**62) | st.integers(-5000, 5000), min_size=1, max_size=4),
    st.sampled_from(["m8[ns]", "M8[ns]"]),
)
def test_parts_of_a_microsecond_are_cut_off_alike(ticks: list[int], dtype: str) -> None:
    times = np.array(ticks).astype(dtype)
    kind = Column("c", "datetime") if dtype[0] == "M" else Column("c", "number", format=DURATION)
    objects = pd.DataFrame({"c": pd.Series(list(pd.Series(times)), dtype=object)})
    ways = [{"c": times}, {"c": list(times)}, pd.DataFrame({"c": times}), objects, pa.table({"c": times})]
    expected = rows_of(pl.DataFrame({"c": pl.Series(times)}), Schema((kind,))).columns["c"]
    for way in ways:
        np.testing.assert_array_equal(rows_of(way, Schema((kind,))).columns["c"], expected)


def cells(rows: Rows) -> list[Any]:
    return list(map(repr, rows.columns["c"]))  # NaN is no other


@settings(max_examples=60)
@example([1.234, "1,5"], Column("c", "number", format=",."))
@example([1e-5, "x", Decimal("2.00"), dt.date(2020, 1, 31), True], Column("c", "category"))
@example([2**53 + 1, 0.5, float("nan")], Column("c", "category", absent=("x",)))
@example(["-NAN", " 5"], Column("c", "number"))
@given(
    st.lists(SORTS["anything"] | MISSING, min_size=2, max_size=5),
    # As written, a whole number beside others has a fraction as these have: 0 is 0.0.
    st.sampled_from([column for column in COLUMNS if column.format != EXACT and column.kind != "text"]),
)
def test_a_value_means_the_same_whatever_stands_beside_it(values: list[Any], column: Column) -> None:
    schema = Schema((column,))
    for many in (
        {"c": values},
        [{"c": value} for value in values],
        pd.DataFrame({"c": pd.Series(values, dtype=object)}),
    ):
        try:
            together: Any = cells(read_rows(many, schema))
        except DataError:
            together = None
        try:
            alone: Any = [cells(read_rows({"c": [value]}, schema))[0] for value in values]
        except DataError:
            alone = None
        assert together == alone


def test_a_mixed_column_of_many_rows_is_read_as_one_of_few() -> None:
    schema = Schema((Column("c", "number", format=",."),))
    assert list(read_rows({"c": [1.234, "1,5"] * MOST_ROWS}, schema).columns["c"]) == [1.234, 1.5] * MOST_ROWS


@pytest.mark.parametrize(
    "values",
    [
        np.array(["20000-01-01", "2020-01-01", "NaT"], dtype="M8[us]"),
        [np.datetime64("20000-01-01"), dt.date(2020, 1, 1), None],
        [pd.Timestamp(np.datetime64("20000-01-01", "s")), pd.Timestamp("2020-01-01"), None],
        [dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), dt.datetime(2020, 1, 1), None],
        pa.array([2**31 - 1, 18262, None], pa.date32()),
        pa.array([2**60, 1577836800, None], pa.timestamp("s")),
        pa.array([-(2**62), 1577836800_000_000, None], pa.timestamp("us")),
    ],
    ids=str,
)
def test_a_day_that_no_calendar_has_is_missing_and_reported(values: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"c": values}) if isinstance(values, pa.Array) else {"c": values}
    for most in (MOST_ROWS, -1):
        monkeypatch.setattr(door, "MOST_ROWS", most)
        with pytest.warns(UserWarning, match="^c: 1 times outside the years 1 to 9999 are read as missing$"):
            rows = rows_of(table, Schema((Column("c", "datetime"),)))
        np.testing.assert_array_equal(rows.columns["c"], [np.nan, 1577836800.0, np.nan])


NUMPY = [
    np.array([[1, 2], [3, 4]], dtype=dtype)
    for dtype in ("int8", "uint64", "float16", "float32", "float64", "bool", "U3", "S3", "M8[D]", "m8[s]", object)
]


@pytest.mark.parametrize("array", NUMPY, ids=lambda a: str(a.dtype))
@pytest.mark.parametrize("kind", ["number", "category", "boolean", "datetime"])
def test_arrays_of_numpy(array: Any, kind: Any) -> None:
    schema = Schema((Column("x1", kind), Column("x0", "category")))
    assert outcome(array, schema, False, by_polars=False) == outcome(array, schema, False, by_polars=True)


ARROW = {
    "ns": pa.array([-1, -1001, 1001, None], pa.timestamp("ns")),
    "zone": pa.array([1, 2, -3, None], pa.timestamp("s", tz="Europe/Berlin")),
    "zone without a name": pa.array([1, 2, -3, None], pa.timestamp("us", tz="+05:45")),
    "day": pa.array([1, -2, None, 0], pa.date32()),
    "date64": pa.array([86_400_000, None, 0, 0], pa.date64()),
    "time": pa.array([1, 2, 3, 86_399_999_999_999], pa.time64("ns")),
    "time32": pa.array([1, 2, None, 86_399], pa.time32("s")),
    "no time": pa.array([-1, 86_400_000_000, 0, None], pa.time64("us")),
    "duration": pa.array([-1, -1001, 1001, None], pa.duration("ns")),
    "decimal": pa.array([Decimal("0.1"), Decimal("12345678901234567890.12345678"), Decimal("-1234567890123456.7"), None], pa.decimal128(38, 8)),
    "levels": pa.array(["a", "b", None, "1.0"]).dictionary_encode(),
    "codes": pa.array([1, 2, 1, None]).dictionary_encode(),
    "half": pa.array(np.array([0.1, 1, 2, 3], dtype=np.float16)),
    "single": pa.array([0.1, None, 2, 3], pa.float32()),
    "bool": pa.array([True, None, False, True]),
    "uint": pa.array([2**64 - 1, None, 0, 1], pa.uint64()),
    "view": pa.array(["a", None, "1", "x"], pa.string_view()),
    "bytes": pa.array([b"x", None, b"", b"y"], pa.large_binary()),
    "list": pa.array([[1], None, [], [2]]),
    "nothing": pa.nulls(4),
}  # fmt: skip


@pytest.mark.parametrize("name", ARROW)
def test_types_of_arrow(name: str) -> None:
    table = pa.table({"c": ARROW[name]})
    for column in COLUMNS:
        schema = Schema((column,))
        expected = outcome(table, schema, False, by_polars=True)
        assert outcome(table, schema, False, by_polars=False) == expected, column


SCHEMA = Schema((Column("age", "number"), Column("plan", "category"), Column("since", "datetime", format="%Y-%m-%d")))


@pytest.mark.parametrize(
    "rows",
    [
        {"age": 1, "plan": "a", "more": 1},
        {"age": [1, 2], "plan": ["a", "b"], "since": ["2020-01-31", None]},
        {"age": [1, 2], "plan": ["a", "b"]},
        {"age": [], "plan": [], "since": []},
        {"Age": 1, "plan": "a"},
        {"other": 1},
        {},
        [{"age": "old"}, {"age": "x"}],
        [{"age": 1e300, "since": "March"}],
        {"age": [1], "plan": [1, 2]},
        {"age": "a", "plan": [1]},
        [[1, "a", "2020-01-31"]],
        [[1], [2, 3]],
        {" age ": 1, "age": 2, "plan": 1.0, "since": 0},
        np.zeros((2, 3)),
        np.zeros(3),
        "rows.csv",
        3,
        None,
        pd.DataFrame({"age": [1], "plan": ["a"]}),
        pd.DataFrame([[1, 2]], columns=["age", "age"]),
    ],
    ids=repr,
)
def test_tables_that_fit_and_others_have_one_outcome(rows: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows_or_message() -> Any:
        try:
            return bits(rows_of(rows, SCHEMA))
        except DataError as error:
            return str(error)

    few = rows_or_message()
    monkeypatch.setattr(door, "MOST_ROWS", -1)
    assert few == rows_or_message()


def test_a_number_that_signals_is_none() -> None:
    rows = rows_of({"c": [Decimal("sNaN"), Decimal("1.5")]}, Schema((Column("c", "number"),)))
    np.testing.assert_array_equal(rows.columns["c"], [np.nan, 1.5])


def test_half_a_character_is_refused_where_polars_would_hold_it() -> None:
    with pytest.raises(DataError, match=r"^column 'c' holds '\\ud800', which is half a character; take it out$"):
        rows_of({"c": ["a", "\ud800"] * MOST_ROWS}, Schema((Column("c", "category"),)))


def test_texts_that_repeat_are_looked_at_once() -> None:
    values = ["a", None, "1.0", " b ", "NA"] * 50
    rows = rows_of({"c": values}, Schema((Column("c", "category"),)))
    assert rows.columns["c"] == ["a", None, "1", "b", None] * 50


def test_costs_of_rows() -> None:
    rows = rows_of([{"age": 1}, {"age": 2}], Schema((Column("age", "number", "cost"), Column("plan", "category"))))
    np.testing.assert_array_equal(rows.row_costs([CostColumn(1, 0, "age")]), [[1.0], [2.0]])
    assert rows.row_costs([]) is None
    assert (len(rows), rows.absent) == (2, ("plan",))


@pytest.mark.parametrize("n", [3, 2 * MOST_ROWS], ids=["few", "many"])
def test_some_of_the_rows_keep_their_numbers(n: int) -> None:
    """Those of a file that were labelled: what is said of one of them names it as the file counts."""
    schema = Schema((Column("age", "number", "cost"), Column("plan", "category")))
    rows = rows_of({"age": [1, None, 3] + [4] * (n - 3), "plan": ["a", "b", None] + ["b"] * (n - 3)}, schema)
    labelled_rows = rows.take(np.array([2, 0]))
    assert (labelled_rows.columns["age"].tolist(), list(labelled_rows.columns["plan"]), labelled_rows.ids.tolist()) == (
        [3, 1],
        [None, "a"],
        [2, 0],
    )
    with pytest.raises(DataError, match="no value in row 2,"):
        rows.take(np.array([2, 1])).row_costs([CostColumn(1, 0, "age")])


@pytest.mark.parametrize(
    "rows",
    [
        {"a": ["1", "x"], "b": ["?", "2"], "c": ["y", "3"]},
        {"a": [None, None], "b": [b"1", None], "c": [b"2", b"3"]},
        {"a": ["1,5", "2"], "b": ["nAn", "2"], "c": ["nAn", "x"]},
        {"a": [1, 2], "b": [1e300, 2], "c": [3, -1e300]},
        {"a": ["", None], "b": ["1", "2"], "c": [1, 2.5]},
    ],
    ids=repr,
)
def test_columns_that_are_read_as_one_keep_their_own_values_and_faults(rows: Any) -> None:
    schema = Schema(tuple(Column(name, "number") for name in "abc"))
    assert outcome(rows, schema, False, by_polars=False) == outcome(rows, schema, False, by_polars=True)


class TestInAForkedProcess:
    @pytest.fixture(autouse=True)
    def threads_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sortal.core.fork._threads_missing", True)

    def test_any_number_of_rows_does_without_polars(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pl, "DataFrame", None)
        n = MOST_ROWS + 1
        rows = rows_of(pd.DataFrame({"age": range(n), "plan": "a", "since": "2020-01-31"}), SCHEMA)
        assert len(rows) == n

    @pytest.mark.parametrize("rows", [pl.DataFrame({"age": [1]}), {"age": pl.Series([1])}])
    def test_polars_is_refused(self, rows: object) -> None:
        with pytest.raises(ForkError, match='"spawn" or "forkserver"') as excinfo:
            rows_of(rows, SCHEMA)
        assert isinstance(excinfo.value, RuntimeError)

    def test_what_polars_alone_can_read_is_refused(self) -> None:
        with pytest.raises(DataError, match="cannot be read without polars"):
            rows_of({"day": "5 2020"}, Schema((Column("day", "datetime", format="%U %Y"),)))
