"""When a quote is a quotation mark, when it is a letter, and when a person has to say."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest

from sortal.core.errors import DataError
from sortal.data import quotes
from sortal.data.delimited import frames, inspect
from sortal.data.limits import LONGEST_LINE
from sortal.data.quotes import Habits, Row, in_doubt, lines_of, rows, split

SIZES = "size,age,plan\n7 inch,47,max\n3 inch,49,basic\n"
"""No quote is in use here, and ``age`` holds numbers."""


def read_rows(text: str, folder: Path, block: int = 1 << 20) -> list[tuple[str | None, ...]]:
    path = folder / "t.csv"
    path.write_bytes(text.encode())
    return pl.concat(frames(inspect(path), block)).rows()


MULTILINE_TEXTS = {
    "a text with newlines, as wide as a row in no line": SIZES + '"first\nsecond, with ""quotes""",76,max\n',
    "two columns, other values in quotes as well": 'text,mood\n"a, b",good\n"one, two\nthree",bad\n',
    "two columns, the only row": 'text,mood\n"one, two\nthree",bad\n',
    "a word where the column holds numbers": 'text,stars\nfine,5\n"one, two\nthree",4\n',
    "a word where the column holds dates": 'day,text\n2021-05-01,fine\n2021-05-02,"bad\nin short, ugly"\n',
    "one column, all in quotes": 'text\n"a"\n"b\nc"\n',
    "one column, the only row": 'text\n"b\nc"\n',
    "one column, others in quotes": 'text\n"a, b"\nplain\n"b\nc"\n',
    "newlines around a text": 'text\n"a, b"\nplain\n"\nb\nc\n"\n',
    "numbers as in rows, but all values of the column in quotes": 'text,stars\n"fine",5\n"I say, 5\nthree",4\n',
    "blank lines within": 'text,mood\n"a, b",good\n"one, two\n\nthree",bad\n',
}
DOUBTFUL = {
    "ditto marks": ('item,colour\nnut,red\n",blue\n",green\nbolt,red\n', 3, 4),
    "ditto marks beside quotes": ('item,colour\n"nut, small",red\nbolt,red\n",blue\n",green\n', 4, 5),
    "ditto marks in the last column": ('item,colour\nnut,red\nbolt,"\nnail,"\n', 3, 4),
    "an inch before, an inch behind": (SIZES + '"7 inch,71,max\n5 inch,44,basic\n7",33,plus\n', 4, 6),
    "with blank lines between": (SIZES + '"7 inch,71,max\n\n5 inch,44,basic\n7",33,plus\n', 4, 7),
    "in the middle column": ('age,size,plan\n47,7 inch,max\n49,"3,basic\n50,4,max\n51,5",max\n', 3, 5),
    "numbers alone": ('score\n80\n"20\n30\n75"\n', 3, 5),
    "speech over rows": ('text\nHe left.\n"I never said that.\nIt was fine."\n', 3, 4),
    "no other row, but numbers": ('size,age\n"7 inch,71\n7",33\n', 2, 3),
}
BROKEN_TEXTS = {
    "a quote begins two fields": (SIZES + '"7 inch,71,max\n5 inch,44,basic\n"7 inch,33,plus\n', 4, "never closed"),
    "a quote begins one field": (SIZES + '"7 inch,71,max\n5 inch,44,basic\n', 4, "never closed"),
    "quotes within quotes": (SIZES + '"the "best" one",1,max\n', 4, "goes on after the quote that closes it"),
    "quotes within quotes by backslash": (SIZES + '"the \\"best\\" one",1,max\n', 4, "goes on after the quote"),
    "closed before the end": (SIZES + '"7" inch,1,max\n', 4, "goes on after the quote that closes it"),
    "a footer that is quoted": (SIZES + '"3 rows, in all"\n', 4, "1 field"),
    "in the header": ('"size,age\n1,2\n', 1, "never closed"),
}


def test_which_fields_stood_in_quotes_is_known_over_several_lines() -> None:
    parsed_rows = list(rows(['a,"b', 'c",d,"e', 'f",g,"h"', "i,j"], ",", "t.csv"))
    assert [row.values for row in parsed_rows] == [["a", "b\nc", "d", "e\nf", "g", "h"], ["i", "j"]]
    assert [list(row.quoted) for row in parsed_rows] == [[1, 3, 5], []]


@pytest.mark.parametrize("block", [1, 13, 1 << 20])
@pytest.mark.parametrize("text", MULTILINE_TEXTS.values(), ids=MULTILINE_TEXTS.keys())
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_text_of_several_lines_stays_one(text: str, newline: str, block: int, tmp_path: Path) -> None:
    text = text.replace("\n", newline)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="," if "," in text.split("\n")[0] else "\x1f")
    assert read_rows(text, tmp_path, block) == [tuple(row) for row in reader][1:]


@pytest.mark.parametrize("block", [1, 13, 1 << 20])
@pytest.mark.parametrize(("text", "first", "last"), DOUBTFUL.values(), ids=DOUBTFUL.keys())
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_quotes_that_may_be_letters_are_refused(
    text: str, first: int, last: int, newline: str, block: int, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as excinfo:
        read_rows(text.replace("\n", newline), tmp_path, block)
    assert str(excinfo.value) == (
        f"t.csv, line {first}: a quote is opened that is closed in line {last}, but each line could be a row for "
        "itself; "
        "double the quotes if they are letters, or put all values of the column in quotes"
    )


@pytest.mark.parametrize("block", [1, 13, 1 << 20])
@pytest.mark.parametrize(("text", "line", "message"), BROKEN_TEXTS.values(), ids=BROKEN_TEXTS.keys())
def test_quotes_that_break_their_field_are_refused(
    text: str, line: int, message: str, block: int, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"^t.csv, line {line}\b.*{message}"):
        read_rows(text, tmp_path, block)


def test_quotes_within_other_fields_are_letters(tmp_path: Path) -> None:
    text = 'a,b\n5" pipe,=""1""\n x"y ,\'z\n "q, r" ,""\n'
    expected = [('5" pipe', '=""1""'), (' x"y ', "'z"), ("q, r", None)]
    assert read_rows(text, tmp_path) == read_rows(text, tmp_path, 1) == expected


def test_the_words_to_put_it_right_put_it_right(tmp_path: Path) -> None:
    assert read_rows(SIZES + '"""7 inch",71,max\n5 inch,44,basic\n"7""",33,plus\n', tmp_path)[2:] == [
        ('"7 inch', "71", "max"),
        ("5 inch", "44", "basic"),
        ('7"', "33", "plus"),
    ]
    assert read_rows('size,age\n"3 inch",49\n"7 inch,71\n7",33\n', tmp_path)[1] == ("7 inch,71\n7", "33")


def test_values_of_any_length(tmp_path: Path) -> None:
    long = "x" * 200_000
    assert read_rows(f'a,b\n{long},1\n"{long}\n{long}",2\n3" {long},3\n', tmp_path) == [
        (long, "1"),
        (f"{long}\n{long}", "2"),
        (f'3" {long}', "3"),
    ]
    assert read_rows(f"{long}\n1\n", tmp_path) == [("1",)]


def test_a_quote_that_is_never_closed_is_given_up() -> None:
    lines = ("x" * 1000 for _ in range(LONGEST_LINE))
    with pytest.raises(DataError, match="line 2: a quote is opened and never closed"):
        list(
            rows(
                (f"{mark}{line}" for mark, line in zip(["", '"', *[""] * LONGEST_LINE], lines, strict=False)), ",", "t"
            )
        )


@pytest.mark.parametrize(
    ("text", "values", "quoted_fields", "open_text"),
    [
        ("a,b", ["a", "b"], [], None),
        ("a,b\r", ["a", "b"], [], None),
        ("", [""], [], None),
        ('"a",b', ["a", "b"], [0], None),
        ('a,"b"', ["a", "b"], [1], None),
        ('a,"b"\r', ["a", "b"], [1], None),
        ('a, "b, c" ,d', ["a", "b, c", "d"], [1], None),
        ('"a ""b""",c', ['a "b"', "c"], [0], None),
        ('"",""', ["", ""], [0, 1], None),
        ('x"y,z"', ['x"y', 'z"'], [], None),
        ('x"y,z\r', ['x"y', "z"], [], None),
        ('"a",', ["a", ""], [0], None),
        ('a,"b', ["a"], [], "b"),
        ('"a","b ""c', ["a"], [0], 'b ""c'),
        (' "', [], [], ""),
    ],
)
def test_the_fields_of_a_line(text: str, values: list[str], quoted_fields: list[int], open_text: str | None) -> None:
    fields = split(text, ",")
    assert (fields.values, list(fields.quoted), fields.open) == (values, quoted_fields, open_text)


@pytest.mark.parametrize(
    ("text", "values", "quoted_fields"),
    [
        ('a,"b', ["a", '"b'], []),
        ('"a","b', ["a", '"b'], [0]),
        ('"a,b"', ["a,b"], [0]),
        ('"a,b\r', ['"a', "b"], []),
        ('"a"x,b', ['"a"x', "b"], []),
    ],
)
def test_of_a_line_alone_a_quote_that_stays_open_is_a_letter(
    text: str, values: list[str], quoted_fields: list[int]
) -> None:
    fields = split(text, ",", alone=True)
    assert (fields.values, list(fields.quoted), fields.open) == (values, quoted_fields, None)


def test_rows_have_the_numbers_and_lines_of_the_file() -> None:
    lines = ["a,b", '1,"x', "", 'y"', "2,z", '"3', '4","5', '6"']
    parsed_rows = list(rows(lines, ",", "t.csv", first_line=10))
    assert [(row.line, list(row.lines), row.values) for row in parsed_rows] == [
        (10, ["a,b"], ["a", "b"]),
        (11, ['1,"x', "", 'y"'], ["1", "x\n\ny"]),
        (14, ["2,z"], ["2", "z"]),
        (15, ['"3', '4","5', '6"'], ["3\n4", "5\n6"]),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a", '"b" c'], "line 6: a field goes on after the quote that closes it"),
        (["a", '"b', "c"], "line 6: a quote is opened and never closed"),
        (["a", '"b', 'c"d'], "line 6: a quote is opened and never closed"),
        (["a", '"b', 'c","d'], "line 6: a quote is opened and never closed"),
    ],
)
def test_a_row_that_breaks_the_rule_is_named_by_its_first_line(lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=f"^t.csv, {message}"):
        list(rows(lines, ",", "t.csv", 5))


@pytest.mark.parametrize(("longest", "is_read"), [(6, True), (5, False)])
def test_a_row_over_lines_has_an_end(longest: int, is_read: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lines of two letters stand behind the first; more than the longest would be a quote that stays open."""
    monkeypatch.setattr(quotes, "LONGEST_LINE", longest)
    lines = ['"a', "bb", "cc", "dd", 'e"']
    if is_read:
        assert next(rows(lines, ",", "t")).values == ["a\nbb\ncc\ndd\ne"]
        return
    with pytest.raises(DataError, match="line 1: a quote is opened and never closed"):
        list(rows(lines, ",", "t"))


@pytest.mark.parametrize(
    ("values", "quoted_fields", "blank"),
    [([""], [], True), ([" "], [], True), (["a"], [], False), ([""], [0], False), (["", ""], [], False)],
)
def test_a_blank_row_has_nothing_and_no_quotes(values: list[str], quoted_fields: list[int], blank: bool) -> None:
    assert Row(1, [""], values, quoted_fields).blank == blank


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["1"] * 9 + ["x"], True),
        (["1"] * 8 + ["x"] * 2, False),
        (["1", " ", ""], True),
        (["", " "], False),
        ([], False),
        (["2021-05-01", "$ 5", "-1.5", "12:30", "7 %"], True),
        (["5 kg", "6 kg"], False),
    ],
)
def test_nine_of_ten_values_make_a_column_of_numbers(values: list[str], numbers: bool) -> None:
    assert quotes._are_numbers(values) == numbers


def test_habits_are_those_of_whole_rows_of_one_line() -> None:
    lines = ['"a",1', "b,2", '"c\nd",3', "e", "", '"f",4', "g,5"]
    text = [part for line in lines for part in line.split("\n")]
    habits = Habits.of(text, ",", 2)
    assert (habits.rows, habits.numbers) == (4, (False, True))
    assert (habits.some_quoted, habits.all_quoted) == ((True, False), (False, False))
    first = Habits.of(text, ",", 2, most=1)
    assert (first.rows, first.some_quoted, first.all_quoted) == (1, (True, False), (True, False))
    assert Habits.of([*text, '"open'], ",", 2).rows == 4  # the damage ends it
    none = Habits.of([], ",", 2)
    assert (none.rows, none.numbers, none.some_quoted, none.all_quoted) == (0, (False,) * 2, (False,) * 2, (True,) * 2)
    assert Habits.of(["x,1"] * 2_500, ",", 2).rows == 2_000


@pytest.mark.parametrize(
    ("value", "ditto"),
    [(",blue\n,", True), (",blue\n", True), ("\nblue,", True), ("\nblue\n", False), ("a\n,", False), (",a\nb", False)],
)
def test_ditto_marks_stand_alone_between_separators(value: str, ditto: bool) -> None:
    assert quotes._is_ditto(value, ",") == ditto


@pytest.mark.parametrize(
    ("habits", "doubt"),
    [
        (Habits(0, (), (), ()), True),  # nothing else is known, and the second column holds numbers
        (Habits(5, (False, True), (False, False), (False, False)), True),
        (Habits(5, (False, True), (True, False), (False, False)), True),
        (Habits(5, (False, True), (True, False), (True, False)), False),  # all others are quoted as well
        (Habits(5, (False, False), (True, False), (False, False)), False),  # some are, and there are no numbers
        (Habits(5, (False, False), (False, False), (False, False)), True),
        (Habits(5, (True, True), (False, False), (False, False)), False),  # a word where there are numbers
    ],
)
def test_whether_a_quote_over_lines_is_one_hangs_on_the_other_rows(habits: Habits, doubt: bool) -> None:
    (row,) = rows(['"one,5', 'two",6'], ",", "t")
    assert in_doubt(row, ",", 2, lambda: habits) == doubt


@pytest.mark.parametrize("lines", [["a,b"], ['"one,5', 'two",6,7'], ['"one', 'two",6']])
def test_a_row_that_cannot_be_several_is_never_in_doubt(lines: list[str]) -> None:
    def unused_habits() -> Habits:
        raise AssertionError("the file is looked at only where it matters")

    (row,) = rows(lines, ",", "t")
    assert not in_doubt(row, ",", 2, unused_habits)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_of_blocks_are_whole_whatever_the_blocks(size: int) -> None:
    text = "ä\n\n€ b\nlast ß".encode()
    blocks = [text[at : at + size] for at in range(0, len(text), size)]
    assert list(lines_of(blocks)) == ["ä", "", "€ b", "last ß"]
    assert list(lines_of([b"a\n"])) == ["a"]
    assert list(lines_of([])) == []
