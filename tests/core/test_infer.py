"""Kinds are inferred as a careful colleague would, and the reason says why."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.columns import Origin
from sortal.core.errors import OptionError, TaskError
from sortal.core.frame import conform
from sortal.core.infer import infer
from sortal.core.kinds.datetime import DATE_PARTS, date_pattern, datetime_from_text
from sortal.core.kinds.number import NUMBER_NOTATIONS, number_from_text, number_notation
from sortal.core.schema import Column

quick = settings(max_examples=40)


def look(values: object, kind: str | None = None) -> Column:
    """What is said of one column."""
    series = values if isinstance(values, pl.Series) else pl.Series(values)
    return infer(series.to_frame("c"), None, kinds={"c": kind} if kind else {})["c"]


def canonical(values: object, kind: str | None = None) -> list[object]:
    series = values if isinstance(values, pl.Series) else pl.Series(values)
    frame = series.to_frame("c")
    return conform(frame, infer(frame, None, kinds={"c": kind} if kind else {}))["c"].to_list()


class TestNumbers:
    @pytest.mark.parametrize(
        ("values", "notation", "numbers"),
        [
            (["1", "2.5", "-3e2"], ".", [1.0, 2.5, -300.0]),
            (["1.234", "2.345"], ".", [1.234, 2.345]),
            (["1,234", "2,345", "999"], ".,", [1234.0, 2345.0, 999.0]),
            (["1,234", "1234"], ",", [1.234, 1234.0]),
            (["1,234", "0,345"], ",", [1.234, 0.345]),
            (["1,234", "1,5"], ",", [1.234, 1.5]),
            (["1,234", "1,234,567", "4444"], ".,", [1234.0, 1234567.0, 4444.0]),
            (["1.234,5", "7"], ",.", [1234.5, 7.0]),
            (["1.234.567"], ",.", [1234567.0]),
            (["1 234", "1"], ". ", [1234.0, 1.0]),
            (["1 234,5"], ", ", [1234.5]),
            (["1'234.50"], ".'", [1234.5]),
            (["$1,234.50", "$5"], ".,$", [1234.5, 5.0]),
            (["5,5 %", "7%"], ",%", [5.5, 7.0]),
        ],
    )
    def test_the_notation_is_decided_from_the_whole_column(
        self, values: list[str], notation: str, numbers: list[float]
    ) -> None:
        column = look(values)
        assert (column.kind, column.role, column.format) == ("number", "feature", notation)
        assert canonical(values) == numbers

    @quick
    @given(
        numbers=st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=20),
        notation=st.sampled_from(NUMBER_NOTATIONS),
    )
    def test_numbers_are_found_again_however_they_are_written(
        self, numbers: list[decimal.Decimal], notation: str
    ) -> None:
        mark, thousands = notation[0], notation[1:]
        proof = decimal.Decimal("1234567.89")
        english = [f"{number:,.2f}" if thousands else f"{number:.2f}" for number in [proof, *numbers]]
        texts = pl.Series([text.translate(str.maketrans(",.", (thousands or ",") + mark)) for text in english])
        assert number_notation(texts.unique(maintain_order=True)) == notation
        result = texts.to_frame("t").select(number_from_text(pl.col("t"), notation))["t"].to_list()
        assert result == [float(proof), *map(float, numbers)]

    def test_the_reason_counts_values_and_names_what_is_missing(self) -> None:
        assert look(["1", "2", "", " ", None]).reason == "all 2 values are numbers, 3 blank"
        assert look(["1,5", "?", "?", "None"]).reason == "all 1 values are numbers (1,5 is 1.5), 2 '?', 1 'None'"
        assert look(pl.Series([1.0, float("nan"), None])).reason == "all 1 values are numbers, 2 blank"
        assert look(["1", "2", "", "?"]).missing == 0.5

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            (["00501", "98101"], "leading zeros"),
            (["12345678901234567890", "12345678901234567891"], "more than 16 digits"),
        ],
    )
    def test_codes_are_no_numbers(self, values: list[str], reason: str) -> None:
        column = look(values)
        assert column.kind == "category"
        assert column.reason == f"2 values: {', '.join(values)}; numbers with {reason} are codes"
        assert canonical(values) == values

    @pytest.mark.parametrize("values", [["1.5", "1,5"], ["1.5", "abc"], ["12/5"], ["1.2.3"], ["5%", "5"], ["1 2"]])
    def test_one_value_that_is_no_number_decides(self, values: list[str]) -> None:
        assert look(values).kind != "number"

    def test_zero_and_one_stay_numbers(self) -> None:
        assert look(["0", "1"]).kind == look([0, 1]).kind == "number"

    def test_a_late_word_is_seen(self) -> None:
        column = look([*map(str, range(5000)), "unknown"] * 2)
        assert column.kind == "category"
        assert column.reason == "5,001 values; 10,000 of 10,002 are numbers, but 'unknown' is not"

    @pytest.mark.parametrize(
        ("values", "separator", "notation", "doubt"),
        [
            (["1,234", "950"], "", ".,", "1,234 is read as 1234; if it is 1.234, say --kind c=number:,"),
            (["1,234", "950"], ";", ",", "1,234 is read as 1.234; if it is 1234, say --kind c=number:."),
            (["0,950", "1,250"], ";", ",", ""),
            (["1.234", "950"], ";", ".", "1.234 is read as 1.234; if it is 1234, say --kind c=number:,"),
            (["1,234.5", "950"], ";", ".,", ""),
            (["1.234", "0.5"], "", ".", ""),
            (["1.5", "2"], "", ".", ""),
        ],
    )
    def test_another_reading_is_told(self, values: list[str], separator: str, notation: str, doubt: str) -> None:
        column = infer(pl.DataFrame({"c": values}), None, source=Origin(separator=separator))["c"]
        assert (column.format, column.doubt) == (notation, doubt)

    def test_the_decimal_mark_can_be_told(self) -> None:
        assert canonical(["1,234", "950"], "number:,") == [1.234, 950.0]
        assert canonical(["1.234", "950"], "number:,") == [1234.0, 950.0]
        assert canonical(["1,234", "950"], "number:.") == [1234.0, 950.0]
        assert look(["1,234", "950"], "number:,").doubt == ""
        with pytest.raises(OptionError, match=r"row 1 holds '1\.5'"):
            look(["1.5"], "number:,")

    def test_a_comma_means_the_same_in_a_new_file(self) -> None:
        schema = infer(pl.DataFrame({"c": ["6,096", "1,328"]}), None, source=Origin(separator=";"))
        assert conform(pl.DataFrame({"c": ["3", "3,000", "3,5"]}), schema)["c"].to_list() == [3.0, 3.0, 3.5]

    @quick
    @given(st.lists(st.decimals(-(10**6), 10**6, places=2), min_size=1, max_size=9), st.sampled_from(["", "$", "€"]))
    def test_accounts_write_negative_numbers_in_two_more_ways(self, numbers: list[decimal.Decimal], sign: str) -> None:
        expected = [0.0, *(float(n) for n in numbers)]
        for negative in (f"({sign}{{}})", f"{sign}{{}}-", f"{sign}({{}})"):
            texts = [f"{sign}{n}" if n >= 0 else negative.format(-n) for n in (decimal.Decimal("0.00"), *numbers)]
            assert canonical(texts) == expected

    def test_accounts_are_shown(self) -> None:
        assert look(["(12.50)", "3"]).reason == "all 2 values are numbers ((12.50) is -12.5)"
        assert look(["12.50-", "3"]).reason == "all 2 values are numbers (12.50- is -12.5)"
        assert look(["2-", "3"]).doubt == "2- is read as -2; if it is no number, say --kind c=category"
        assert look(["(-5)", "3"]).kind == look(["(5", "3"]).kind == "category"

    def test_durations_are_seconds(self) -> None:
        column = look(["1:30:00", "0:15:00", "?"])
        assert (column.kind, column.format) == ("number", "duration")
        assert column.reason == "all 2 values are durations or times of day, in seconds (1:30:00 is 5400), 1 '?'"
        assert canonical(["1:30:00", "0:15:00", "?"]) == [5400.0, 900.0, None]
        assert column.doubt == look(["PT1H"]).doubt == look(["1 day"]).doubt == ""
        assert look(["2:10"]).doubt == "2:10 is read as 7800 seconds; if it is no number, say --kind c=category"
        assert look(["1:30:00", "16:9"]).kind == look(["1:30", "7"]).kind == "category"


class TestDates:
    @pytest.mark.parametrize("day", DATE_PARTS)
    @pytest.mark.parametrize("time", ["", " %H:%M", " %H:%M:%S", " %I:%M %p"])
    def test_dates_are_found_again_however_they_are_written(self, day: str, time: str) -> None:
        moments = [dt.datetime(2018, 7, 31, 14, 30), dt.datetime(2019, 2, 28, 3, 5), dt.datetime(2001, 12, 13)]
        moments = moments if time else [moment.replace(hour=0, minute=0) for moment in moments]
        texts = pl.Series([moment.strftime(day + time) for moment in moments])
        date_format = date_pattern(texts)
        assert date_format is not None
        dates = texts.to_frame("t").select(datetime_from_text(pl.col("t"), date_format.pattern))["t"].to_list()
        assert (dates, date_format.other) == (moments, None)

    @pytest.mark.parametrize(
        ("values", "pattern", "first"),
        [
            (["13/02/2020", "01/02/2020"], "%d/%m/%Y", dt.datetime(2020, 2, 13)),
            (["02/13/2020", "01/02/2020"], "%m/%d/%Y", dt.datetime(2020, 2, 13)),
            (["1/2/2020", "3/4/2020"], "%m/%d/%Y", dt.datetime(2020, 1, 2)),
            (["1.2.2020", "3.4.2020"], "%d.%m.%Y", dt.datetime(2020, 2, 1)),
            (["1-2-20", "31-4-20", "30-4-20"], "", None),
            (["2017-01-01T06:00:42Z"], "%Y-%m-%d %H:%M:%S%.f%z", dt.datetime(2017, 1, 1, 6, 0, 42)),
            (["2017-01-01T06:00+02:00"], "%Y-%m-%d %H:%M%z", dt.datetime(2017, 1, 1, 4)),
            (["2016-08-24 02:30", "2016-08-25", "2016-08-26 12:00"], "%Y-%m-%d %H:%M", dt.datetime(2016, 8, 24, 2, 30)),
            (["31-Jul-18", "-"], "%d-%b-%y", dt.datetime(2018, 7, 31)),
        ],
    )
    def test_the_notation_is_decided_from_the_whole_column(
        self, values: list[str], pattern: str, first: dt.datetime | None
    ) -> None:
        column = look(values)
        assert column.format == pattern
        assert (column.kind == "datetime") == bool(pattern)
        if first is not None:
            assert canonical(values)[0] == first

    def test_a_doubt_is_told(self) -> None:
        assert look(["1/2/2020", "3/4/2020"]).reason == (
            "all 2 values are dates (1/2/2020 is 2 January 2020; day and month could be swapped)"
        )
        assert "swapped" not in look(["1/2/2020", "13/4/2020"]).reason
        assert "swapped" not in look(["1/1/2020", "4/4/2020"]).reason

    @pytest.mark.parametrize("step", [1, -1])
    def test_rows_in_the_order_of_time_decide(self, step: int) -> None:
        values = [f"{day:02}/{month:02}/2021" for month in (1, 2, 3) for day in (2, 5, 9)][::step]
        column = look(values)
        assert column.format == "%d/%m/%Y"
        assert "if it is" in column.doubt
        assert canonical(values)[values.index("05/01/2021")] == dt.datetime(2021, 1, 5)
        assert infer(pl.DataFrame({"c": values}), None, time="c")["c"].format == "%d/%m/%Y"

    def test_a_time_that_can_be_read_in_two_ways_is_asked_for(self) -> None:
        frame = pl.DataFrame({"a day": ["05/02/2021", "07/01/2021", "03/04/2021"]})
        assert infer(frame, None)["a day"].format == "%m/%d/%Y"
        assert infer(frame, None)["a day"].doubt == (
            "05/02/2021 is read as 2 May 2021; if it is 5 February 2021, say --kind 'a day=datetime:%d/%m/%Y'"
        )
        with pytest.raises(
            OptionError, match=r"two ways: .* say --kind 'a day=datetime:%d/%m/%Y'; else say .*%m/%d/%Y'"
        ):
            infer(frame, None, time="a day")
        column = infer(frame, None, time="a day", kinds={"a day": "datetime:%d/%m/%Y"})["a day"]
        assert (column.format, column.doubt) == ("%d/%m/%Y", "")

    @pytest.mark.parametrize(
        ("values", "pattern", "first"),
        [
            (["05/02/2021 10:30", "06/02/2021 11:00"], "%d/%m/%Y", dt.datetime(2021, 2, 5, 10, 30)),
            (["05|02|2021"], "%d|%m|%Y", dt.datetime(2021, 2, 5)),
            ([20210205], "%Y%d%m", dt.datetime(2021, 5, 2)),
            ([dt.date(2021, 2, 5)], "%d/%m/%Y", dt.datetime(2021, 2, 5)),
        ],
    )
    def test_the_way_a_date_is_written_can_be_told(
        self, values: list[object], pattern: str, first: dt.datetime
    ) -> None:
        assert canonical(values, f"datetime:{pattern}")[0] == first

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("datetime:%Y-%d-%m", "cannot be of kind datetime: row 1 holds '05/02/2021'"),
            ("datetime:%Hh", "'%Hh' is no way to write a date"),
            ("datetime:iso", "cannot be of kind 'datetime:iso'; a format is the decimal mark"),
            ("category:%d", "cannot be of kind 'category:%d'"),
            ("number:x", "cannot be of kind 'number:x'"),
        ],
    )
    def test_a_format_that_does_not_fit_is_refused(self, kind: str, message: str) -> None:
        with pytest.raises(OptionError) as excinfo:
            look(["05/02/2021"], kind)
        assert message in str(excinfo.value)
        assert "\n" not in str(excinfo.value)

    @pytest.mark.parametrize(
        "zero",
        [
            "0000-00-00",
            "0000-00-00 00:00:00",
            "0001-01-01",
            "0001-01-01T00:00:00",
            "00/00/0000",
            "0000/00/00",
            "1/1/0001",
        ],
    )
    def test_dates_of_zeros_are_missing_and_said(self, zero: str) -> None:
        column = look(["2020-01-31", zero, zero])
        assert (column.kind, column.missing) == ("datetime", pytest.approx(2 / 3))
        assert column.reason == f"all 1 values are dates (2020-01-31 is 31 January 2020), 2 {zero!r}"
        assert column.doubt == f"2 {zero!r} is read as no date"
        assert canonical(["2020-01-31", zero]) == [dt.datetime(2020, 1, 31), None]

    def test_typed_dates_of_the_year_one_are_missing_too(self) -> None:
        column = look([dt.date(2020, 1, 31), dt.date(1, 1, 1)])
        assert (column.missing, column.doubt) == (0.5, "1 '0001-01-01' is read as no date")
        assert canonical([dt.date(2020, 1, 31), dt.date(1, 1, 1)]) == [dt.datetime(2020, 1, 31), None]
        assert look([dt.date(1, 1, 1)]).role == "ignore"

    def test_typed_dates(self) -> None:
        assert look([dt.date(2020, 1, 1), None]).reason == "all 1 values are dates, 1 blank"
        assert look([dt.datetime(2020, 1, 1)]).kind == "datetime"


class TestTexts:
    @pytest.mark.parametrize(
        ("values", "levels"),
        [
            (["Yes", "No", "?"], ("No", "Yes")),
            (["t", "f"], ("f", "t")),
            (["TRUE", "False"], ("False", "TRUE")),
            (["N", "Y", "y"], ("N", "Y")),
            (["on", "off"], ("off", "on")),
        ],
    )
    def test_yes_and_no(self, values: list[str], levels: tuple[str, str]) -> None:
        column = look(values)
        assert (column.kind, column.levels) == ("boolean", levels)
        assert {True, False} <= set(canonical(values))

    @pytest.mark.parametrize("values", [["m", "f"], ["yes"], ["yes", "no", "maybe"], ["yes", "false"]])
    def test_other_pairs_are_categories(self, values: list[str]) -> None:
        assert look(values).kind == "category"

    def test_categories_show_their_values(self) -> None:
        assert look(["b", "a", "a", None]).reason == "2 values: a, b; 1 blank"
        assert look(["x"]).reason == "1 value: x"
        assert look(list("abcdefgh") * 9).reason == "8 values"
        assert look(["2", "3", "5more", "2"]).reason == "3 values: 2, 3, 5more; 3 of 4 are numbers, but '5more' is not"
        assert look(pl.Series(["7", "8"], dtype=pl.Categorical)).kind == "category"

    def test_what_identifies_rows_is_ignored(self) -> None:
        column = look([f"C-{i}" for i in range(100)])
        assert (column.kind, column.role) == ("category", "ignore")
        assert column.reason == "100 different values in 100 rows: it identifies rows"
        assert look([f"C-{i // 2}" for i in range(100)]).role == "feature"
        assert look([f"C-{i}" for i in range(10)]).role == "feature"

    def test_several_words_are_text(self) -> None:
        column = look([f"the {i}th sentence of many" for i in range(30)])
        assert (column.kind, column.role, column.format) == ("text", "feature", "")
        assert column.reason == "5 words on average, 100 % distinct"
        chinese = look([f"商务大床房房间很大床有{i}米宽整体感觉经济实惠不错" for i in range(30)])
        assert (chinese.kind, chinese.format) == ("text", "unspaced")
        assert chinese.reason.endswith(
            "written without blanks between words: short sequences of characters stand for words"
        )
        assert look(["agree with the statement in full", "do not agree with it at all"] * 30).kind == "category"

    def test_images(self) -> None:
        assert look([b"\x89PNG....", b"\xff\xd8\xff...", None]).kind == "image"
        assert look([b"\x89PNG...."]).role == "feature"
        assert look([b"plain"]).reason == "bytes that are no image"
        nowhere = look(["a/1.PNG", "b/2.jpeg"])
        assert (nowhere.kind, nowhere.role) == ("image", "ignore")
        assert nowhere.reason == "names of image files, of which none is there in the working folder"

    @pytest.mark.parametrize("values", [[None, None], ["", "?"], [float("nan")]])
    def test_all_missing(self, values: list[object]) -> None:
        column = look(values)
        assert column.role == "ignore"
        assert column.reason.startswith("all values are missing")
        assert column.missing == 1.0

    def test_tables_within_columns_are_ignored(self) -> None:
        assert look([[1], [2]]).reason == "values of type List(Int64) are not used"
        assert look([{"a": 1}]).role == "ignore"


class TestOtherTypes:
    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([True, None], "boolean"),
            ([decimal.Decimal("1.5")], "number"),
            ([2**40], "number"),
            ([2**70], "category"),
            ([dt.timedelta(1)], "number"),
            ([dt.time(1)], "number"),
            (pl.Series(["a"], dtype=pl.Enum(["a"])), "category"),
            (np.array([1, 2], dtype=np.uint8), "number"),
        ],
    )
    def test_kinds(self, values: object, kind: str) -> None:
        assert look(values).kind == kind
        assert len(canonical(values)) == len(pl.Series(values))  # type: ignore[arg-type]


class TestEveryTable:
    texts = st.sampled_from(
        ["1", "2,5", "1,234", "007", "yes", "No", "31/12/2020", "2020-01-01", "abc", "?", "None", "5%"]
    )

    @quick
    @given(st.lists(texts | st.text("01a,.-/ :%", max_size=8) | st.none(), max_size=30))
    def test_what_is_inferred_can_be_read(self, values: list[str | None]) -> None:
        frame = pl.DataFrame({"c": values}, schema={"c": pl.String})
        schema = infer(frame, None)
        series = conform(frame, schema, roles=("feature", "ignore"))["c"]
        missing = series.null_count() / max(1, len(values))
        assert schema["c"].reason
        assert missing == pytest.approx(schema["c"].missing) or not values
        assert infer(frame, None) == schema

    @quick
    @given(st.lists(texts | st.none(), max_size=9), st.sampled_from(["number", "boolean", "category", "datetime"]))
    def test_what_is_asked_can_be_read_or_is_refused(self, values: list[str | None], kind: str) -> None:
        frame = pl.DataFrame({"c": values}, schema={"c": pl.String})
        try:
            schema = infer(frame, None, kinds={"c": kind})
        except OptionError as error:
            refusal = str(error)
        else:
            refusal = ""
            conform(frame, schema, roles=("feature", "ignore"))
        assert refusal == "" or f"cannot be of kind {kind}: row" in refusal


class TestAsAsked:
    def test_kinds(self) -> None:
        assert look([98101, 98102], "category").reason == "as asked; 2 values: 98101, 98102"
        assert canonical([98101.0, None], "category") == canonical(["98101", "?"], "category") == ["98101", None]
        assert canonical(["007", "1,5"], "number") == [7.0, 1.5]
        assert canonical(["m", "f", "m"], "boolean") == [True, False, True]
        assert canonical([0.0, 1.0], "boolean") == [False, True]
        assert canonical([20180731, None], "datetime") == [dt.datetime(2018, 7, 31), None]
        assert look([f"C-{i}" for i in range(100)], "category").role == "feature"
        assert look(["a", "b"], "text").reason == "as asked"
        assert look(["a", "b"], "text").role == "feature"

    @pytest.mark.parametrize(
        ("values", "kind", "message"),
        [
            (["1", "", "abc", "x"], "number", "column 'c' cannot be of kind number: row 3 holds 'abc'"),
            (["1,5", "2", "abc"], "number", "row 3 holds 'abc'"),
            (["2020-01-01", "soon"], "datetime", "cannot be of kind datetime: row 2 holds 'soon'"),
            ([20180731, 5], "datetime", "row 2 holds 5"),
            (["a", "b", "c"], "boolean", "cannot be of kind boolean: row 3 holds 'c'"),
            ([0, 1, 2], "boolean", "row 3 holds 2"),
            ([dt.date(2020, 1, 1)], "number", "holds values of type Date: no number"),
            ([[1]], "category", "holds values of type List(Int64), which cannot be a category"),
        ],
    )
    def test_impossible_kinds_are_refused(self, values: list[object], kind: str, message: str) -> None:
        with pytest.raises(OptionError) as excinfo:
            look(values, kind)
        assert message in str(excinfo.value)


class TestLevels:
    @pytest.mark.parametrize("train_values", [["2", "1", "2"], [2, 1, 2], [2.0, 1.0, None], ["2.0", "1.0"]])
    @pytest.mark.parametrize("new_values", [["1", "2"], [1, 2], [1.0, 2.0], ["1.0", "2.0"], [False, True]])
    def test_levels_belong_to_the_column(self, train_values: list[object], new_values: list[object]) -> None:
        schema = infer(pl.DataFrame({"c": train_values}), None, kinds={"c": "boolean"})
        assert schema["c"].levels == ("1", "2")
        assert conform(pl.DataFrame({"c": new_values}), schema)["c"].to_list() == [False, True]

    def test_words_for_yes_and_no_do_not_overrule_levels(self) -> None:
        schema = infer(pl.DataFrame({"c": ["m", "f"]}), None, kinds={"c": "boolean"})
        frame = pl.DataFrame({"c": ["f", "M", "true", "1", "0", "yes", "other"]})
        assert conform(frame, schema)["c"].to_list() == [False, True, True, True, False, None, None]

    def test_numbers_stand_in_their_order(self) -> None:
        assert look(["10", "9"], "boolean").levels == look([10, 9], "boolean").levels == ("9", "10")
        assert look([1, 1], "boolean").levels == look(["1", "1"], "boolean").levels == ("0", "1")
        with pytest.raises(OptionError, match="row 1 holds 7"):
            look([7, 7], "boolean")
        with pytest.raises(OptionError, match="row 3 holds 'c'"):
            look(["A", "b", "c", "a"], "boolean")

    def test_texts_that_would_become_one_are_kept_apart(self) -> None:
        assert canonical(["TRUE", "true", "x"]) == ["TRUE", "true", "x"]
        assert canonical(["1.0", "1", "x"]) == ["1.0", "1", "x"]
        assert canonical(["True", "False", "x"]) == ["true", "false", "x"]
        assert canonical(["Ko\u0308ln", "K\u00f6ln", "True", "x"]) == ["K\u00f6ln", "K\u00f6ln", "true", "x"]
        assert canonical(["Ko\u0308ln", "K\u00f6ln", "TRUE", "true"]) == ["K\u00f6ln", "K\u00f6ln", "TRUE", "true"]
        schema = infer(pl.DataFrame({"c": ["True", "False", "x"]}), None)
        assert conform(pl.DataFrame({"c": [True, False]}), schema)["c"].to_list() == ["true", "false"]


class TestMissing:
    def test_what_is_told_replaces_what_is_usual(self) -> None:
        frame = pl.DataFrame({"n": ["1", "999", "2"], "c": ["NA", "x", "999"], "d": ["2020-01-01", "", "999"]})
        schema = infer(frame, None, source=Origin(missing=("999",)))
        assert [(c.kind, round(c.missing, 2)) for c in schema.columns] == [
            ("number", 0.33),
            ("category", 0.33),
            ("datetime", 0.67),
        ]
        table = conform(pl.DataFrame({"n": ["999"], "c": ["NA"], "d": ["999"]}), schema)
        assert table.rows() == [(None, "NA", None)]
        assert conform(pl.DataFrame({"n": [999], "c": ["?"], "d": [None]}), schema).rows() == [(None, "?", None)]

    def test_typed_values_are_missing_as_text_is(self) -> None:
        schema = infer(pl.DataFrame({"n": [1, 999, 2]}), None, source=Origin(missing=("999",)))
        assert schema["n"].missing == pytest.approx(1 / 3)
        assert conform(pl.DataFrame({"n": [999.0, 3.0]}), schema)["n"].to_list() == [None, 3.0]

    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            (["EU", "NA", "AS", "null", ""], ["EU", "NA", "AS", "null", None]),
            (["yes", "no", "NA"], ["yes", "no", None]),
            (["0", "1", "?"], ["0", "1", None]),
            (["NA", "nan"], [None, None]),
        ],
    )
    def test_among_words_every_label_is_a_class(self, labels: list[str], expected: list[str | None]) -> None:
        frame = pl.DataFrame({"y": labels})
        assert conform(frame, infer(frame, "y"))["y"].to_list() == expected
        schema = infer(frame, "y", source=Origin(missing=()))
        assert conform(frame, schema)["y"].to_list() == [label or None for label in labels]


class TestRoles:
    frame = pl.DataFrame({"id": [1, 2], "churn": ["no", "yes"], "day": ["2020-01-01", "2020-01-02"], "who": [7, 8]})

    def test_roles(self) -> None:
        schema = infer(self.frame, "churn", time="day", group="who", ignore=["id"])
        assert [(c.name, c.kind, c.role) for c in schema.columns] == [
            ("id", "number", "ignore"),
            ("churn", "category", "target"),
            ("day", "datetime", "time"),
            ("who", "category", "group"),
        ]
        assert schema["churn"].reason == "2 values: no, yes"
        assert schema["id"].reason == "left out, as asked"
        assert [c.role for c in infer(self.frame, None).columns] == ["feature"] * 4

    @pytest.mark.parametrize(
        ("target", "labels"),
        [
            ([0, 1], ["0", "1"]),
            ([0.0, 1.0], ["0.0", "1.0"]),
            (["0", "1.0"], ["0", "1.0"]),
            (["True", "False"], ["True", "False"]),
            (["1.0", "1.5"], ["1.0", "1.5"]),
            ([True, None], ["true", None]),
        ],
    )
    def test_labels_stay_as_they_are_written(self, target: list[object], labels: list[object]) -> None:
        frame = pl.DataFrame({"y": target})
        assert conform(frame, infer(frame, "y"))["y"].to_list() == labels

    def test_no_such_target(self) -> None:
        with pytest.raises(TaskError) as excinfo:
            infer(self.frame, "chrun", source=Origin("churn.csv"))
        assert str(excinfo.value) == (
            "no column 'chrun' in churn.csv; did you mean 'churn'? (there are: id, churn, day, who)"
        )

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"kinds": {"idd": "number"}}, "no column 'idd' in the data; did you mean 'id'?"),
            ({"ignore": ["nothing"]}, "no column 'nothing' in the data"),
            ({"time": "dya"}, "no column 'dya' in the data; did you mean 'day'?"),
            ({"kinds": {"id": "numeric"}}, "no kind 'numeric' (asked for column 'id'); did you mean 'number'?"),
            ({"ignore": ["churn"]}, "column 'churn' cannot be both target and ignore"),
            ({"time": "day", "group": "day"}, "column 'day' cannot be both time and group"),
            ({"time": "churn"}, "column 'churn' cannot be both target and time"),
            ({"kinds": {"churn": "boolean"}}, "column 'churn' is the target, which is always a category"),
            ({"time": "who", "kinds": {"who": "category"}}, "column 'who' cannot be the time"),
        ],
    )
    def test_contradictions(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(OptionError) as excinfo:
            infer(self.frame, "churn", **options)  # type: ignore[arg-type]
        assert message in str(excinfo.value)

    def test_a_wide_table(self) -> None:
        frame = pl.DataFrame({f"x{j}": ["1", "2"] for j in range(2000)})
        schema = infer(frame, "x0")
        assert len(schema.features) == 1999
        assert conform(frame, schema).width == 2000
