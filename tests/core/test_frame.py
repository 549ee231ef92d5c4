"""The one door for tables: any table in, the same canonical values out."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import math
import unicodedata

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.core.frame import conform, declared_kinds, from_any
from sortal.core.kinds.category import EXACT
from sortal.core.kinds.number import DURATION
from sortal.core.names import unique_names
from sortal.core.schema import Column, Schema, column_name
from sortal.core.table import FEW_COLUMNS, MANY_ROWS, Table
from sortal.core.values import MISSING

GIF = base64.b64decode("R0lGODdhAgACAIEAAP8AAAAAAAAAAAAAACwAAAAAAgACAAAIBgABCAQQEAA7")

quick = settings(max_examples=60)
words = st.text("ab1.0, ?-\t", max_size=6)
texts = words | st.sampled_from([*sorted(MISSING), "True", "FALSE", "1.0", "-0.0", "1e5", "inf"])


def one(kind: str, values: object, **more: object) -> list[object]:
    """The canonical values of one column."""
    schema = Schema((Column("c", kind, **more),))  # type: ignore[arg-type]
    frame = values.to_frame("c") if isinstance(values, pl.Series) else from_any({"c": values})
    return conform(frame, schema)["c"].to_list()


def schema_of(names: list[str]) -> Schema:
    """Columns of numbers that are called so."""
    return Schema(tuple(Column(name, "number") for name in names))


class TestConform:
    def test_numbers_of_32_bits_are_the_same_together_and_by_many_threads(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rng = np.random.default_rng(0)
        frame = pl.DataFrame({f"c{i}": rng.normal(size=500).astype(np.float32) for i in range(20)})
        schema = Schema(tuple(Column(name, "number") for name in frame.columns))
        result = conform(frame, schema)
        monkeypatch.setattr("sortal.core.frame.FEW_ROWS", 1)
        assert conform(frame, schema).equals(result)
        assert result["c3"][7] == float(str(frame["c3"].to_numpy()[7]))

    @quick
    @given(
        st.lists(
            st.lists(st.none() | st.floats(-1e38, 1e38) | st.just(math.nan), min_size=3, max_size=3)
            | st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
            min_size=1,
            max_size=5,
        ),
        st.integers(0, 3),
    )
    def test_numbers_of_many_columns_are_those_of_each(self, columns: list[list[float | None]], rows: int) -> None:
        """Few rows of many columns become floats together; more rows one column after another."""
        whole = [all(value is None or isinstance(value, int) for value in values) for values in columns]
        named_series = {
            f"c{i}": pl.Series(values[:rows], dtype=pl.Int64 if ints else pl.Float64)
            for i, (values, ints) in enumerate(zip(columns, whole, strict=True))
        }
        padding = {f"p{i}": pl.Series([0.5] * rows, dtype=pl.Float64) for i in range(FEW_COLUMNS)}
        result = conform(pl.DataFrame({**named_series, **padding}), schema_of([*named_series, *padding]))
        for name, series in named_series.items():
            assert result[name].to_list() == conform(series.to_frame(name), schema_of([name]))[name].to_list()

    def test_many_columns_cost_no_call_of_polars_each(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is done once for each of thousands of columns is most of a short run."""
        rng = np.random.default_rng(0)
        names = [*map(str, range(100)), "^p.*$", "*", "of text"]
        frame = pl.DataFrame({name: rng.normal(size=4).astype(np.float32) for name in names[:-1]})
        frame = frame.with_columns(pl.Series("of text", ["1,5", None, "?", "2"])).with_columns(
            pl.Series("7", [1.0, float("nan"), None, 4.0])
        )
        schema = Schema(tuple(Column(n, "number", format="," if n == "of text" else "") for n in reversed(names)))
        calls = []
        select = pl.DataFrame.select
        monkeypatch.setattr(pl.DataFrame, "select", lambda self, *e: calls.append(1) or select(self, *e))
        result = conform(frame, schema)
        assert len(calls) < 10
        assert result.columns == [*reversed(names)]
        assert result["of text"].to_list() == [1.5, None, None, 2.0]
        assert result["7"].to_list() == [1.0, None, None, 4.0]
        assert result["*"].to_list() == [float(str(value)) for value in frame["*"].to_numpy()]
        table = Table(schema, result, np.arange(4))
        all_columns = table.columns(names)
        assert all(np.array_equal(all_columns[n], table.columns([n])[n], equal_nan=True) for n in names)
        with pytest.raises(DataError, match=r"'\*'.*3"):
            conform(frame.with_columns(pl.Series("*", [1.0, 2.0, -1e300, 1e301])), schema)

    @quick
    @given(
        st.one_of(
            st.lists(texts | st.none()),
            st.lists(st.floats(allow_infinity=False) | st.none()),
            st.lists(st.integers(-(2**70), 2**70) | st.none()),
            st.lists(st.booleans() | st.none()),
            st.lists(st.datetimes() | st.none()),
        ).map(lambda values: from_any({"c": values}))
    )
    def test_conforming_twice_is_conforming_once(self, frame: pl.DataFrame) -> None:
        for kind in ("number", "boolean", "category", "datetime", "text"):
            schema = Schema((Column("c", kind),))  # type: ignore[arg-type]
            try:
                first = conform(frame, schema)
            except DataError:
                continue
            assert conform(first, schema).equals(first)

    @quick
    @given(st.lists(st.floats(-1e15, 1e15) | st.none(), min_size=1))
    def test_numbers_are_the_same_typed_and_as_text(self, values: list[float | None]) -> None:
        number_texts = [None if v is None else repr(v) for v in values]
        assert one("number", pl.Series(values, dtype=pl.Float64)) == values
        assert one("number", pl.Series(number_texts, dtype=pl.String)) == values
        decimal_comma = [None if v is None else repr(v).replace(".", ",") for v in values]
        assert one("number", pl.Series(decimal_comma, dtype=pl.String), format=",") == values

    @quick
    @given(st.lists(st.integers(-(10**15), 10**15), min_size=1))
    def test_categories_are_the_same_typed_and_as_text(self, values: list[int]) -> None:
        expected = [str(v) for v in values]
        assert one("category", pl.Series(values)) == expected
        assert one("category", pl.Series([float(v) for v in values])) == expected
        assert one("category", pl.Series([f" {v}.0" for v in values])) == expected

    def test_missing_has_one_notation(self) -> None:
        tokens = [*sorted(MISSING), *(f" {token}\t" for token in sorted(MISSING)), None]
        for kind in ("number", "category", "boolean", "datetime", "text"):
            assert one(kind, pl.Series(tokens)) == [None] * len(tokens)
        assert one("number", [1.0, math.nan, None]) == [1.0, None, None]
        assert one("number", ["None", "-", "1"]) == [None, None, 1.0]
        assert one("category", ["None", "-", "a"]) == ["None", "-", "a"]

    @pytest.mark.parametrize(
        ("text", "notation", "value"),
        [
            ("1,234.5", ".,", 1234.5),
            ("1.234.567,5", ",.", 1234567.5),
            ("1 234,5", ", ", 1234.5),
            ("1\u202f234", ", ", 1234.0),
            ("12'345.5", ".'", 12345.5),
            ("12,34,567", ".,", 1234567.0),
            ("-12 %", ".%", -12.0),
            ("$1,234", ".,$", 1234.0),
            ("- $5", ".$", -5.0),
            ("5 €", ",€", 5.0),
            ("\u22125", ".", -5.0),
            ("1e-3", ".", 0.001),
            (" 7 ", "", 7.0),
        ],
    )
    def test_numbers_are_read_in_their_notation(self, text: str, notation: str, value: float) -> None:
        assert one("number", [text], format=notation) == [value]

    @pytest.mark.parametrize(
        ("text", "notation"),
        [("1.5", ",."), ("1,5", ".,"), ("1,23", "."), ("0,123", ".,"), ("5", ".%"), ("5%", "."), ("1 2", ". ")],
    )
    def test_another_notation_is_no_number(self, text: str, notation: str) -> None:
        with pytest.raises(DataError, match="where a number"):
            one("number", ["", text], format=notation)

    def test_the_message_names_column_row_value_and_way_out(self) -> None:
        schema = Schema((Column("price", "number", format=",."),))
        frame = pl.DataFrame({"price": ["1,5", None, "abc", "x"]})
        with pytest.raises(DataError) as excinfo:
            conform(frame, schema, source="new.csv", first_row=1001)
        assert str(excinfo.value) == (
            "column 'price' of new.csv holds 'abc' in row 1,003 (and 1 more), where a number written like 1.234,5 "
            "is needed; correct it or leave it blank"
        )

    @pytest.mark.parametrize("values", [[0.0, math.inf], [0.0, -math.inf], ["0", "inf"], ["0", "-Infinity"]])
    def test_infinity_is_refused(self, values: list[object]) -> None:
        with pytest.raises(DataError, match=r"column 'c' .* \(infinity\) in row 2; put a number there"):
            one("number", values)

    def test_booleans(self) -> None:
        levels = ("No", "Yes")
        assert one("boolean", ["yes", "NO", " Yes ", "NA"], levels=levels) == [True, False, True, None]
        assert one("boolean", [True, None], levels=levels) == [True, None]
        assert one("boolean", [1, 0], levels=levels) == one("boolean", [1.0, 0.0]) == [True, False]
        assert one("boolean", ["true", "0"], levels=levels) == [True, False]
        assert one("boolean", ["t", "no", "on"]) == [True, False, True]
        assert one("boolean", ["Yes", "maybe"], levels=levels) == one("boolean", [1, 2], levels=levels) == [True, None]

    def test_dates_are_in_utc_without_a_zone(self) -> None:
        moment = dt.datetime(2017, 1, 1, 6, 0, 42)
        zoned = pl.Series([moment]).dt.replace_time_zone("Asia/Tokyo")
        assert one("datetime", zoned) == [moment - dt.timedelta(hours=9)]
        assert one("datetime", [moment.date()]) == [dt.datetime(2017, 1, 1)]
        for text in ("2017-01-01T06:00:42Z", "2017-01-01 07:00:42+01:00", "2017-01-01T04:00:42.000-02"):
            assert one("datetime", [text], format="%Y-%m-%d %H:%M:%S%.f%z") == [moment]

    def test_dates_may_have_another_time_of_day_than_at_training(self) -> None:
        dates = one("datetime", ["31-Jul-18", "01-Aug-18 13:30", "02-Aug-18 01:30 PM"], format="%d-%b-%y")
        assert dates == [dt.datetime(2018, 7, 31), dt.datetime(2018, 8, 1, 13, 30), dt.datetime(2018, 8, 2, 13, 30)]
        with pytest.raises(DataError, match="holds '2018-07-31' in row 1, where a date written like 31-Jul-18"):
            one("datetime", ["2018-07-31"], format="%d-%b-%y")

    @pytest.mark.parametrize(
        ("kind", "values"),
        [("number", [[1]]), ("number", [dt.date(2020, 1, 1)]), ("datetime", [1.5]), ("category", [b"x"])],
    )
    def test_values_that_can_never_be_of_the_kind(self, kind: str, values: list[object]) -> None:
        with pytest.raises(DataError, match="column 'c' of the data holds values of type"):
            one(kind, values)

    def test_other_types(self) -> None:
        assert one("number", [decimal.Decimal("1.50"), None]) == [1.5, None]
        assert one("number", [2**70]) == [2.0**70]
        assert one("number", [dt.timedelta(minutes=1), dt.timedelta(0)], format=DURATION) == [60.0, 0.0]
        assert one("number", [dt.time(0, 1)], format=DURATION) == [60.0]
        assert one("number", [True, None]) == [1.0, None]
        assert one("category", pl.Series(["a", "?"], dtype=pl.Categorical)) == ["a", None]
        assert one("category", pl.Series(["a"], dtype=pl.Enum(["a", "b"]))) == ["a"]
        assert one("image", [b"x", None]) == [None, None]
        assert one("image", [GIF, None]) == one("image", [base64.b64encode(GIF).decode(), ""]) == [GIF, None]
        assert one("number", pl.Series([None, None])) == [None, None]

    def test_columns_are_those_of_the_schema_in_its_order(self) -> None:
        schema = Schema((Column("b", "number"), Column("a", "category", "target"), Column("z", "text", "ignore")))
        frame = pl.DataFrame({"a": [True], "more": [1], "b": [1]})
        assert conform(frame, schema).to_dict(as_series=False) == {"b": [1.0], "a": ["true"]}
        assert conform(frame.drop("a"), schema, roles=("feature",)).columns == ["b"]
        with pytest.raises(DataError, match=r"^new.csv has no column 'b', which the model needs; did you mean 'B'\?"):
            conform(frame.rename({"b": "B"}), schema, source="new.csv")


class TestTable:
    schema = Schema(
        (Column("n", "number"), Column("b", "boolean"), Column("d", "datetime"), Column("c", "category", "target"))
    )
    frame = pl.DataFrame(
        {
            "n": [1.5, None, 3.0],
            "b": [True, None, False],
            "d": [dt.datetime(1970, 1, 1, 0, 0, 1, 500000), None, dt.datetime(2000, 1, 1)],
            "c": ["x", None, "y"],
        }
    )

    def test_columns_are_plain(self) -> None:
        table = Table(self.schema, conform(self.frame, self.schema), np.arange(3))
        columns = table.columns(["d", "n", "b", "c"])
        assert list(columns) == ["d", "n", "b", "c"]
        np.testing.assert_array_equal(columns["n"], [1.5, np.nan, 3.0])
        np.testing.assert_array_equal(columns["b"], [1.0, np.nan, 0.0])
        np.testing.assert_array_equal(columns["d"], [1.5, np.nan, 946684800.0])
        assert {columns[name].dtype for name in "nbd"} == {np.dtype(np.float64)}  # type: ignore[union-attr]
        assert columns["c"] == ["x", None, "y"]

    @quick
    @given(st.lists(st.integers(0, 2), max_size=9))
    def test_take(self, index: list[int]) -> None:
        table = Table(self.schema, conform(self.frame, self.schema), np.array([10, 20, 30]))
        subset = table.take(np.array(index, dtype=np.int64))
        assert len(subset) == len(index)
        assert subset.rows.tolist() == [(i + 1) * 10 for i in index]
        assert subset.frame.rows() == [table.frame.row(i) for i in index]

    def test_rows_and_ids_go_together(self) -> None:
        with pytest.raises(ValueError, match="3 rows, but row ids"):
            Table(self.schema, self.frame, np.arange(2))


class TestUniqueNames:
    @quick
    @given(st.lists(st.sampled_from(["a", "b", "a_2", "column_2", "", " ", " a", "a_2_2"]) | st.text(max_size=3)))
    def test_law(self, names: list[str]) -> None:
        unique, notes = unique_names(names)
        assert len(unique) == len(names) == len(set(unique))
        assert all(name and name == name.strip() for name in unique)
        clean_names = [column_name(name) for name in names]
        for position, name in enumerate(clean_names):
            if name and name not in clean_names[:position]:
                assert unique[position] == name
        assert len(notes) == sum(new != old for new, old in zip(unique, clean_names, strict=True))
        assert unique_names(unique) == (unique, [])

    @quick
    @given(st.text("eo\u0308\u0301\u00e9\u00f6 \ufeff\t\u00a0\u200b", max_size=6))
    def test_a_name_has_one_form(self, name: str) -> None:
        forms = {column_name(unicodedata.normalize(form, name)) for form in ("NFC", "NFD")}
        assert forms == {column_name(name)}
        assert column_name(f" \ufeff{column_name(name)}\t") == column_name(name)
        assert column_name(column_name(name)) == column_name(name) == column_name(name).strip()

    def test_names_that_become_the_same_are_told_apart(self) -> None:
        unique, notes = unique_names(["gro\u0308\u00dfe", "gr\u00f6\u00dfe", " gr\u00f6\u00dfe ", 3, "3"])
        assert unique == ["gr\u00f6\u00dfe", "gr\u00f6\u00dfe_2", "gr\u00f6\u00dfe_3", "3", "3_2"]
        assert len(notes) == 3


@pytest.mark.parametrize("kind", ["category", "text"])
def test_a_value_is_the_same_in_any_form_of_its_letters(kind: str) -> None:
    values = ["Köln", "größe", "plain", None]
    forms = [[v and unicodedata.normalize(form, v) for v in values] for form in ("NFC", "NFD")]
    assert one(kind, forms[0]) == one(kind, forms[1]) == one(kind, pl.Series(forms[1])) == forms[0]
    assert [one("category", form, format=EXACT) for form in forms] == [forms[0]] * 2
    assert [one("category", form, format=EXACT, role="target") for form in forms] == forms  # as they are written


class TestFromAny:
    expected = pl.DataFrame({"i": [1, 2], "x": [0.5, None], "s": ["a", None]})

    @pytest.mark.parametrize(
        "data",
        [
            expected,
            expected.lazy(),
            pa.table({"i": [1, 2], "x": [0.5, None], "s": ["a", None]}),
            pd.DataFrame({"i": [1, 2], "x": [0.5, None], "s": ["a", None]}, index=[7, 7]),
            pd.DataFrame({"i": [1, 2], "x": [0.5, None], "s": ["a", None]}).convert_dtypes(),
            {"i": np.array([1, 2]), "x": [0.5, None], "s": ("a", None)},
            [{"i": 1, "x": 0.5, "s": "a"}, {"i": 2, "x": math.nan}],
        ],
        ids=["polars", "lazy", "pyarrow", "pandas", "pandas nullable", "dict", "records"],
    )
    def test_the_same_table(self, data: object) -> None:
        assert from_any(data).fill_nan(None).equals(self.expected)

    def test_numpy(self) -> None:
        assert from_any(np.array([[1, 2], [3, 4]])).rows() == [(1, 2), (3, 4)]
        assert from_any(np.eye(2, dtype=np.float32)).columns == ["x0", "x1"]
        assert from_any(np.array([[1, "a"], [2.5, None]], dtype=object)).rows() == [(1.0, "a"), (2.5, None)]
        assert from_any(np.array([["2020-01-01", "NaT"]], dtype="M8[ns]")).rows() == [(dt.datetime(2020, 1, 1), None)]
        assert from_any({"a": [2**130, None]}).rows() == [(str(2**130),), (None,)]
        assert from_any([[1, "a"], [2, "b"]]).rows() == [(1, "a"), (2, "b")]
        assert from_any(np.array([(1, "a")], dtype=[("n", "i8"), ("s", "U1")])).to_dicts() == [{"n": 1, "s": "a"}]

    def test_pandas_columns_of_every_kind(self) -> None:
        day = pd.Timestamp("2020-01-01")
        frame = pd.DataFrame(
            {
                "mixed": [1, "x", None],
                "category": pd.Categorical(["u", None, "v"]),
                "codes": pd.Categorical([2, 1, 2]),
                "naive": [day, None, day],
                "zoned": pd.Series([day, None, day]).dt.tz_localize("Europe/Berlin"),
                "flag": pd.array([True, None, False], dtype="boolean"),
                "flags": [True, None, False],
                "whole": pd.array([2**62 + 1, None, 3], dtype="Int64"),
                "date": [dt.date(2020, 1, 1), None, dt.date(2020, 1, 2)],
            }
        )
        table = from_any(frame)
        assert table["mixed"].to_list() == ["1", "x", None]
        assert table["category"].to_list() == ["u", None, "v"]
        assert table["codes"].to_list() == [2, 1, 2]
        assert declared_kinds(frame) == {"category": "category", "codes": "category"}
        assert table["naive"].to_list() == [dt.datetime(2020, 1, 1), None, dt.datetime(2020, 1, 1)]
        assert table["zoned"].to_list() == [dt.datetime(2019, 12, 31, 23), None, dt.datetime(2019, 12, 31, 23)]
        assert table["flag"].to_list() == table["flags"].to_list() == [True, None, False]
        assert table["whole"].to_list() == [2**62 + 1, None, 3]
        assert table["date"].to_list() == [dt.datetime(2020, 1, 1), None, dt.datetime(2020, 1, 2)]

    def test_names_become_unique_texts(self) -> None:
        frame = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", "", 5])
        assert from_any(frame).columns == ["a", "a_2", "column_3", "5"]
        assert from_any(pd.DataFrame({("a", "b"): [1]})).columns == ["a_b"]
        assert from_any(pa.table([[1], [2]], names=["a", "a"])).columns == ["a", "a_2"]

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (3, "type int is not a table"),
            (None, "type NoneType is not a table"),
            ("churn.csv", "'churn.csv' is a path or a text, not a table"),
            ([1, 2], "type list is not a table"),
            ([[1, 2], [3]], "the rows of this list differ in length"),
            (np.zeros(3), "this array has 1. Reshape your data"),
            (np.zeros((2, 2), dtype=complex), "Complex data not supported"),
            (pd.Series([1]), "type Series is not a table; give .to_frame() of it"),
            (pl.Series([1]), "type Series is not a table; give .to_frame() of it"),
            ({"a": 1}, "'a' of this dict is 1, not a column"),
            ({"a": [1], "b": [1, 2]}, "column 'a' has 1 values, but 'b' has 2"),
        ],
    )
    def test_what_is_no_table(self, data: object, message: str) -> None:
        with pytest.raises(DataError) as excinfo:
            from_any(data)
        assert message in str(excinfo.value)


@pytest.mark.parametrize("levels", [3, 5_000])
def test_many_texts_are_handed_over_as_codes_of_what_they_are(levels):
    texts = [None if i % 7 == 0 else f"v{i * 31 % levels}" for i in range(MANY_ROWS * 2)]
    table = Table(Schema((Column("c", "category"),)), pl.DataFrame({"c": texts}), np.arange(len(texts)))
    assert list(table.columns(["c"])["c"]) == texts
