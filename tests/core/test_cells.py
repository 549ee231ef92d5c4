"""One meaning, two interpreters: what ``core.cells`` makes of values is what polars makes of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from itertools import product
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sortal.core.cells import Cells
from sortal.core.kinds import kind_of
from sortal.core.kinds.category import EXACT
from sortal.core.kinds.datetime import DATE_PARTS, TIME_PARTS, any_time, datetime_from_text
from sortal.core.kinds.number import NUMBER_NOTATIONS, SIGNS, duration_from_text, number_from_text, seconds
from sortal.core.moments import RarePatternError, day_of
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.core.values import MISSING_AMONG_VALUES, evaluated

thorough = settings(max_examples=12)
Rule = Callable[[Any], Any]

EPOCH = dt.datetime(1970, 1, 1)


def plain(column: Column, values: Any, sort: Sort) -> Any:
    return kind_of(column.kind).plain(column, values, sort)


def canonical(column: Column, values: Any, sort: Sort) -> Any:
    return kind_of(column.kind).canonical(column, values, sort)


def by_polars(rule: Rule, values: list[Any], dtype: Any = pl.String) -> list[Any]:
    series = pl.Series(values, dtype=dtype)
    result = evaluated(series, rule)
    if isinstance(result.dtype, pl.Datetime):
        assert result.dtype == pl.Datetime("us")
        return result.dt.epoch("us").to_list()
    return result.to_list()


def by_cells(rule: Rule, values: list[Any]) -> list[Any]:
    return list(rule(Cells(values)).values)


def assert_one_meaning(rule: Rule, values: list[Any], dtype: Any = pl.String, cells: list[Any] | None = None) -> None:
    expected, actual = by_polars(rule, values, dtype), by_cells(rule, values if cells is None else cells)
    # As texts, since -0.0 is not 0.0 and NaN is no other.
    assert list(map(repr, actual)) == list(map(repr, expected)), [
        (v, f, e) for v, f, e in zip(values, actual, expected, strict=True) if repr(f) != repr(e)
    ]


def digits(most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=1, max_size=most)


numbers = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.floats(allow_nan=False).map(lambda x: f"{x:,.2f}"),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:,.2f}".translate(str.maketrans(",.", ".,"))),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:,.1f}".replace(",", "'")),
    st.floats(0, 1e6).map(lambda x: f"({x:.2f})"),
    st.floats(0, 1e6).map(lambda x: f"{x:.2f}-"),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:,.1f}".replace(",", "\u202f")),
)
signed_numbers = st.builds(
    lambda x, sign, first: f"{sign} {x}" if first else f"{x}{sign}", numbers, st.sampled_from(SIGNS), st.booleans()
)
odd = st.text("0123456789.,'’ -+−()eE_xinfa%$€\u00a0\u2009٣\x1c\x85", max_size=8)
any_number = st.one_of(numbers, signed_numbers, odd, st.none())


NOTATIONS = [notation + sign for notation in NUMBER_NOTATIONS for sign in ("", "$", "%")]
ODD_NUMBERS = [
    *("1_000", "1e5", "1e", ".5", "5.", ".", "+1", "-+1", "0x10", "١", "nan", "-nan", "inf", "-Infinity", "infinit", "1e400", "1,5", "1.5"),
    *("−5", "(5)", "5-", "-5-", "(-5)", "$5", "$ 5", "-$5", "5$", "5 $", "- 5$", "$-5", "+ $5", "5 %", "$", "$$5", "-0.0%", "(5.50$)"),
    *("1,234", "1.234", "1,234.5", "1.234,5", "12,34,567", "0,123", "1\u2009234", "1 234,5", "1'234", "1’234.5", "1,23", "1,234,56", None),
]  # fmt: skip


def test_odd_numbers() -> None:
    for notation in NOTATIONS:
        assert_one_meaning(lambda text, n=notation: number_from_text(text, n), ODD_NUMBERS)


@thorough
@given(st.sampled_from(NOTATIONS), st.lists(any_number, min_size=1, max_size=9))
def test_numbers(notation: str, texts: list[str | None]) -> None:
    assert_one_meaning(lambda text: number_from_text(text, notation), texts)


clocks = st.builds(
    lambda sign, h, m, s: f"{sign}{h}:{m:02d}" + ("" if s is None else f":{s:05.2f}"),
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 99),
    st.integers(0, 61),
    st.none() | st.floats(0, 61),
)
durations = st.one_of(
    st.timedeltas().map(str),
    st.timedeltas(-dt.timedelta(9), dt.timedelta(9)).map(str),
    clocks,
    st.text("PTHMSDdays 0123456789.:-+,", max_size=16),
    st.builds(lambda s, d, h, m, sec: f"{s}P{d}T{h}{m}{sec}", st.sampled_from(["", "-"]), *[
        st.just("") | st.builds(lambda n, u=unit: f"{n}{u}", digits(7) | st.just("1.5")) for unit in "DHMS"
    ]),
    st.none(),
)  # fmt: skip


@thorough
@given(st.lists(durations, min_size=1, max_size=20))
def test_durations(texts: list[str | None]) -> None:
    odd = [
        "1:30:00",
        "1:30",
        "-1 day, 23:00:00",
        "-1 days +23:00:00",
        "5 days",
        "P",
        "PT",
        "1:00:00.0000005",
        "1:00:00.0000015",
    ]
    assert_one_meaning(duration_from_text, [*odd, *texts])


@thorough
@given(st.integers(0, 99))
def test_a_month_is_no_minute(count: int) -> None:
    assert by_polars(duration_from_text, [f"PT{count}M", f"P{count}M", f"P1D{count}S"]) == [60.0 * count, None, None]


def date_text(moment: dt.datetime, pattern: str, zone: str, digits: int) -> str:
    fraction = f".{moment.microsecond:06d}789"[: digits + 1] if digits else ""
    return moment.strftime(pattern.replace("%.f", fraction).replace("%z", zone))


moments = st.datetimes(dt.datetime(900, 1, 1), dt.datetime(9999, 12, 31))
zones = st.sampled_from(["+00:00", "Z", "UTC", "+01", "-0930", "+23:59", "+24:00", "+01:60", "−01:00", "+1:00", ""])
PATTERNS = [day + time for day, time in product(DATE_PARTS, TIME_PARTS)]


def corrupt(text: str, at: int, replacement: str) -> str:
    return text[: at % (len(text) + 1)] + replacement + text[(at + 1) % (len(text) + 1) :]


dates = st.builds(date_text, moments, st.sampled_from(PATTERNS), zones, st.integers(0, 9))
damages = st.sampled_from(
    ["", " ", "  ", "0", "9", "31", "T", "x", ":", "-", "/", ".", "٥", "\u2003", "\x1c", "Sept", "60", "am"]
)
any_date = st.one_of(dates, st.builds(corrupt, dates, st.integers(0, 30), damages), st.none())


@thorough
@given(st.sampled_from(PATTERNS), st.data())
def test_dates(pattern: str, data: st.DataObject) -> None:
    own = st.builds(date_text, moments, st.just(pattern), zones, st.integers(0, 9))
    texts = st.one_of(own, st.builds(corrupt, own, st.integers(0, 30), damages), any_date)
    values = data.draw(st.lists(texts, min_size=1, max_size=9))
    assert_one_meaning(lambda text: datetime_from_text(text, pattern), values)


@thorough
@example("1:30:00", "\u0660")
@example("PT9M", "\uff10")
@given(durations.filter(bool) | any_number.filter(bool) | any_date.filter(bool), st.sampled_from("\u0660\u0966\uff10"))
def test_digits_of_other_scripts_are_no_numbers(text: str, zero: str) -> None:
    """A part that is no number must not count as nothing, so that the rest is read alone."""
    other = text.translate({ord("0") + digit: ord(zero) + digit for digit in range(10)})
    rules = [duration_from_text, *(lambda t, n=notation: number_from_text(t, n) for notation in NUMBER_NOTATIONS)]
    for rule in [
        *rules,
        *(lambda t, p=pattern: datetime_from_text(t, p) for pattern in ("%Y-%m-%d", "%d/%m/%y %H:%M")),
    ]:
        assert other == text or by_cells(rule, [other]) == by_polars(rule, [other]) == [None]


def test_dates_with_any_time_of_day() -> None:
    moment = dt.datetime(2020, 2, 29, 23, 5, 7, 120_000)
    for day in DATE_PARTS:
        texts = [
            date_text(moment, day + time, zone, n)
            for time in TIME_PARTS
            for zone, n in (("Z", 0), ("+01", 3), ("-0930", 7))
        ]
        assert_one_meaning(lambda text, d=day: any_time(d, text), [*texts, "x", None])


ODD_DATES = {
    "%Y-%m-%d": ["2020-1-5", "+2020-01-05", "-020-01-05", "20200-01-05", "202-01-05", "+12020-01-01", "2020- 1-05", "2020-02-30"],
    "%d/%m/%y": ["5/1/20", "05/01/2020", "05/01/69", "05/01/70", "5/1/7", "05/01/2x", "05/01/2/", "05/01/0 ", "05/01/ 7"],
    "%d.%m.%y %H:%M": ["05.01.2x 10:11", "05.01.2 10:11", "05.01.2  10:11"], "%y-%m-%d": ["2x-01-05", "7-01-05"],
    "day %d/%m/%y": ["day 5/1/20", "day 5/1/2x"], "%d%y%m": ["052001", "052x01"],
    "%d-%b-%y": ["05-JAN-20", "05-january-20", "05-Sept-20", "05-May-70"],
    "%d %B %Y": ["5 January 2020", "05 jan 2020", "5 Januar 2020", "5  January 2020", "5January2020"],
    "%a, %d %b %Y": ["Sun, 05 Jan 2020", "Mon, 05 Jan 2020", "Sunday, 05 Jan 2020", "sun, 5 jan 2020"],
    "%Y%m%d": ["20200105", "2020105", "202015", "2020011", "020200105", "2020 1 5", "202001051"],
    "%Y-%m-%d %H:%M:%S%.f": ["2020-01-05 23:59:60", "2020-01-05 23:59:60.5", "2020-01-05 10:11:12.1234567891", "2020-01-05 10:11:12.",
                             "1960-01-05 10:11:12.9999999", "2020-01-0510:11:12", "2020-01-05 24:00:00", "2020-01-05T10:11:12"],
    "%m/%d/%Y %I:%M %p": ["1/5/2020 12:11 am", "1/5/2020 00:11 AM", "1/5/2020 13:11 PM", "1/5/2020 10:11PM", "1/5/2020 10:11 pM"],
    "%j %Y": ["5 2020", "366 2020", "366 2021", "0 2020"],
    "%F %T": ["2020-01-05 10:11:12"], "%D": ["01/05/20", "01/05/2x", "01/05/2"], "%F %R": ["2020-01-05 10:11"], "%Y-%m": ["2020-01"], "%Y": ["2020"],
    "%e.%m.%Y": [" 5.01.2020"], "%Y年%m月%d日": ["2020年1月5日"], "%%%Y-%m-%d": ["%2020-01-05"], "%A %d %h %Y": ["sunday 5 JAN 2020"],
    "%Y-%m-%dT%H:%M:%SZ": ["2020-01-05T10:11:12Z", "2020-01-05t10:11:12z"], "%y%m%d": ["200105", "2x0105", "2001 5", "20010x", "70105"],
}  # fmt: skip


def test_odd_dates() -> None:
    for pattern, odd in ODD_DATES.items():
        assert_one_meaning(lambda text, p=pattern: datetime_from_text(text, p), [*odd, None, ""])


@pytest.mark.parametrize("pattern", ["%U %Y", "%s", "%Y-%m-%d %m", "%Y-%m-%d %H:%M:%S%.3f"])
def test_rare_patterns_are_left_to_polars(pattern: str) -> None:
    with pytest.raises(RarePatternError, match="cannot be read without polars"):
        datetime_from_text(Cells(["2020-01-05"]), pattern)


@thorough
@given(st.lists(st.integers(-(10**17), 10**17) | st.none(), min_size=1))
def test_moments_as_categories(ticks: list[int | None]) -> None:
    assert_one_meaning(lambda values: canonical(Column("c", "category"), values, "moment"), ticks, pl.Datetime("us"))
    for tick in ticks:
        if tick is not None and abs(tick) < 5 * 10**16:
            day = EPOCH + dt.timedelta(microseconds=tick)
            assert day_of(tick) == (day.year, day.month, day.day)


times = st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)) | st.times()


@thorough
@given(st.lists(times, min_size=1))
def test_times_as_categories(values: list[dt.time]) -> None:
    ticks = [((t.hour * 60 + t.minute) * 60 + t.second) * 10**9 + t.microsecond * 1000 for t in values]
    rule = lambda values: canonical(Column("c", "category"), values, "time")  # noqa: E731
    assert_one_meaning(rule, values, pl.Time, ticks)


floats = (
    st.floats()
    | st.integers(-(2**70), 2**70).map(float)
    | st.floats(-1e-3, 1e-3)
    | st.sampled_from([1e16, 1e15, 2.0**63])
)


@thorough
@example([0.0, -0.0])
@example([-0.0])
@given(st.lists(floats | st.none(), min_size=1))
def test_floats(values: list[float | None]) -> None:
    for kind, form in product(("number", "category", "boolean", "text"), ("", EXACT)):
        column = Column("c", kind, format="" if kind == "number" else form)  # type: ignore[arg-type]
        rule = lambda v, c=column: canonical(c, plain(c, v, "number"), "number")  # noqa: E731
        assert_one_meaning(rule, values, pl.Float64)
    absent_column = Column("c", "number", absent=("-1", "99", "x"))
    assert_one_meaning(lambda v: plain(absent_column, v, "number"), [*values, -1.0, 99.0], pl.Float64)


@thorough
@given(st.lists(st.floats(width=32), min_size=1))
def test_floats_of_32_bits(values: list[float]) -> None:
    assert_one_meaning(lambda v: plain(Column("c", "number"), v, "single"), values, pl.Float32)


@thorough
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1))
def test_whole_numbers(values: list[int | None]) -> None:
    for kind in ("number", "category", "boolean", "text"):
        column = Column("c", kind, absent=("-1",))  # type: ignore[arg-type]
        assert_one_meaning(lambda v, c=column: canonical(c, plain(c, v, "whole"), "whole"), values, pl.Int64)
    column = Column("c", "datetime", format="%Y%m%d")
    days = [20180731, 20181331, 1, *values]
    assert_one_meaning(lambda v: canonical(column, v, "whole"), days, pl.Int64)


BLANK = st.text(" \t\n\v\f\r\u00a0\u200b\ufeff\u3000\u2003\x1c\x85", max_size=2)
words = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=6),
    st.sampled_from(
        [
            *MISSING_AMONG_VALUES,
            "True",
            "FALSE",
            "1.0",
            "-3.0",
            "1.0\n",
            "Yes",
            "no",
            "ON",
            "0",
            "1",
            "Ko\u0308ln",
            "0000-00-00",
        ]
    ),
    any_number.filter(bool),
    any_date.filter(bool),
)
texts = st.builds(lambda before, word, after: before + word + after, BLANK, words, BLANK) | st.none()
COLUMNS = [
    Column("c", "category"), Column("c", "category", format=EXACT), Column("c", "category", absent=("x", "1")), Column("c", "text"),
    Column("c", "boolean", levels=("no", "yes")), Column("c", "boolean", levels=("1", "2")), Column("c", "boolean", levels=("m", "f")),
    Column("c", "boolean"), Column("c", "number"), Column("c", "number", format=","), Column("c", "number", format=".,$"),
    Column("c", "number", format=", "), Column("c", "number", format=".'"), Column("c", "number", format="duration"),
    Column("c", "number", absent=("-", "0")), Column("c", "datetime"), Column("c", "datetime", format="%d/%m/%Y %H:%M"),
]  # fmt: skip


ODD_TEXTS = [
    *MISSING_AMONG_VALUES, *("True", "FALSE", "1.0", "-3.0", "1.0\n", " Yes ", "no", "ON", "0", "1", "M", "Ko\u0308ln", "K\u00f6ln", "\u200bx"),
    *("0000-00-00", "0001-01-01", "2020-01-31", "31/01/2020 10:11", "31/01/2020", "1:30", "$5", "1 234,5", "\x1c5\x1c", "\u20035", None),
]  # fmt: skip


def test_odd_texts() -> None:
    for column in COLUMNS:
        rule = lambda v, c=column: canonical(c, plain(c, v, "text"), "text")  # noqa: E731
        assert_one_meaning(rule, ODD_TEXTS)


@thorough
@given(st.sampled_from(COLUMNS), st.lists(texts, min_size=1, max_size=9))
def test_texts(column: Column, values: list[str | None]) -> None:
    assert_one_meaning(lambda v: canonical(column, plain(column, v, "text"), "text"), values)


def test_numpy_computes_a_missing_value_as_none() -> None:
    assert seconds(Cells([1_500_000, None]), 1e6).values == [1.5, None]
