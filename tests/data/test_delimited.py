"""Delimited text: what was written is what is read, however it was written; and damage is named by line."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.data import delimited
from sortal.data.delimited import find_separator, frames, inspect
from sortal.data.read import read

ENCODINGS = {"utf-8": "äé漢 ", "utf-8-sig": "äé漢 ", "utf-16": "äé漢 ", "cp1252": "äé€ ", "latin-1": "é"}
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], str, bytes]:
    """Rows (the header first), and the bytes of a file that holds them."""
    encoding = draw(st.sampled_from(sorted(ENCODINGS)))
    letters = "ab1,;|\t\"'.- \n" + ENCODINGS[encoding]
    width, height = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    header = [f"name{j}" for j in range(width)]
    value = st.text(letters, max_size=6)
    rows = draw(st.lists(st.lists(value, min_size=width, max_size=width), min_size=height, max_size=height))
    text = io.StringIO(newline="")
    csv.writer(
        text,
        delimiter=draw(st.sampled_from(",;\t|")),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    ).writerows([header, *rows])
    return [header, *rows], encoding, text.getvalue().encode(encoding)


def bare(rows: list[list[str]]) -> list[tuple[str, ...]]:
    return [tuple(value.strip(" \r") for value in row) for row in rows]


def read_rows(path: Path, block: int = 1 << 20) -> list[tuple[str, ...]]:
    layout = inspect(path)
    table = pl.concat(frames(layout, block))
    assert set(table.dtypes) == {pl.String}
    return [tuple(layout.names), *bare(table.fill_null("").rows())]


@quick
@given(table=tables(), block=st.integers(1, 200))
def test_what_was_written_is_read(table: tuple[list[list[str]], str, bytes], block: int, tmp_path: Path) -> None:
    rows, encoding, data = table
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    try:
        parsed_rows = read_rows(path, block)
    except DataError as error:
        assume("could be a row for itself" not in str(error))
        raise
    # A few bytes of Windows-1252 can be valid UTF-8, and mean something else there.
    if data.decode(inspect(path).encoding) == data.decode(encoding):
        assert parsed_rows == bare(rows)


class BrokenError(Exception):
    """A text that breaks RFC 4180."""


def strictly(text: str) -> list[tuple[list[str], str]]:
    """RFC 4180, letter by letter: the fields of each row, and its text. Blanks around quotes are allowed."""
    rows, fields, value, state, begin = [], [], "", "start", 0
    for i, letter in enumerate(text if text.endswith("\n") or not text else text + "\n"):
        ends_line = letter == "\n"
        if state == "quoted":
            if letter == '"':
                state = "maybe closed"
            else:
                value += letter
        elif letter == '"' and state == "start" and not value.strip(" "):
            state, value = "quoted", ""
        elif letter == '"' and state == "maybe closed":
            state, value = "quoted", value + '"'
        elif letter == "," or ends_line:
            if ends_line and state == "start":
                value = value.removesuffix("\r")
            fields.append(value)
            state, value = "start", ""
            if ends_line:
                rows.append((fields, text[begin:i]))
                fields, begin = [], i + 1
        elif state in ("maybe closed", "closed"):
            if letter not in " \r" or (letter == "\r" and text[i + 1 : i + 2] not in ("", "\n")):
                raise BrokenError
            state = "closed"
        else:
            value += letter
    if state == "quoted":
        raise BrokenError
    return rows


def field_count(line: str) -> int:
    """The fields of a line for itself, where a quote that breaks the rule is a letter."""
    count, at = 1, 0
    while at < len(line):
        rest = line[at:]
        for end in [i for i, letter in enumerate(rest + ",") if letter == ","]:
            try:
                whole = len(strictly(rest[:end])) == 1 and strictly(rest[:end])[0][0] if '"' in rest[:end] else None
            except BrokenError:
                whole = None
            if whole and len(whole) == 1 and rest[:end].strip(" \r").startswith('"'):
                break
        else:
            end = (rest + ",").index(",")
        at += end + 1
        count += at <= len(line)
    return count


LETTERS = 'a1",\n\r '
lines = st.lists(
    st.sampled_from(
        [
            "a,1",
            '"a",1',
            'a,"1"',
            '"a',
            'a"',
            '"',
            '"a,1',
            '1",a',
            '",1',
            'a,"',
            "",
            " ",
            ",",
            "name0,name1",
            '"a ""b"",',
            "Total: 2",
            "1",
        ]
    )
    | st.text('a1", ', max_size=6),
    max_size=8,
)


@settings(quick, max_examples=400)
@given(
    body=st.text(LETTERS, max_size=25) | lines.map("\n".join) | lines.map("\r\n".join),
    width=st.integers(1, 3),
    end=st.sampled_from(["", "\n", "\r\n", "\n\n"]),
    block=st.integers(1, 40),
)
def test_rows_read_are_the_rows_of_the_file_or_a_line_is_named(
    body: str, width: int, end: str, block: int, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    header = ",".join(f"name{j}" for j in range(width))
    body = body + end
    if width == 1:
        body = body.replace(",", ";")
    path.write_text(header + "\n" + body, newline="")
    try:
        expected = strictly(body)
    except BrokenError:
        expected = None
    else:
        expected = [(row, text) for row, text in expected if width == 1 or len(row) > 1 or text.strip()]
        if any(len(row) != width for row, _ in expected):
            expected = None
    try:
        parsed_rows = read_rows(path, block)[1:]
    except DataError as error:
        parsed_rows, message = None, str(error)
    if parsed_rows is not None:
        assert expected is not None
        expected_rows = [row for row, _ in expected if width == 1 or [v.strip() for v in row] != header.split(",")]
        assert parsed_rows == bare(expected_rows)
        assert read_rows(path)[1:] == parsed_rows
        return
    assert re.match(r"table.csv, line \d+", message)
    if "could be a row for itself" in message:
        doubts = [text.split("\n") for _, text in expected or [] if "\n" in text]
        assert expected is None or any(all(field_count(x) == width for x in d if x not in ("", "\r")) for d in doubts)
    else:
        assert expected is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 fields, but the header has 2"),
        ("a,b\n1,2\n3\n5,6\n", "line 3 has 1 field, but the header has 2"),
        ('a,b\n"1",2\n"x\ny",4\n3\n', "line 5 has 1 field"),
        ('a,b\n1,"2\n3,4\n', "line 2: a quote is opened and never closed"),
        ('a,b\n1,2\n3,"x\n', "line 3: a quote is opened and never closed"),
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b\n1,\0\n", "a binary file (a NUL byte in line 2)"),
    ],
)
def test_damage_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError) as excinfo:
        read_rows(path)
    assert message in str(excinfo.value)
    assert str(excinfo.value).startswith("table.csv")


@pytest.mark.parametrize("block", [7, 64, 1 << 20])
def test_a_line_is_named_across_blocks(block: int, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + '"x\ny",1\n' * 50 + "1,2,3\n")
    with pytest.raises(DataError, match="line 102 has 3 fields"):
        read_rows(path, block)


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a;b\n1,5;2,5\n", ";"),
        ('"a,b";c\n1;2\n', ";"),
        ("a|b\n1|2\n", "|"),
        ("a,b\n1;2,3\n", ","),
        ("a\n1,5\n2,5\n", "\x1f"),
        ("a\tb,c\n1\t2,3\n4\t5\n", "\t"),
    ],
)
def test_the_separator_is_found(text: str, separator: str) -> None:
    assert find_separator(text) == separator


def test_what_is_unusual_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"sep=;\r\na;a;\r\n\xe9;2;3\r\n")
    layout = inspect(path)
    assert layout.names == ("a", "a_2", "column_3")
    assert layout.notes == (
        "not UTF-8 (see line 3): read as Windows-1252",
        "fields are separated by ';'",
        "column 2 is a second 'a': 'a_2'",
        "column 3 has no name: 'column_3'",
    )
    assert pl.concat(frames(layout)).rows() == [("é", "2", "3")]


def test_a_missing_header_is_suspected(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("1,2.5\n3,4\n")
    assert "is the header missing?" in inspect(path).notes[0]


def read_with_notes(text: str, path: Path, block: int = 1 << 20) -> tuple[list[tuple[str | None, ...]], list[str]]:
    path.write_text(text, newline="")
    notes: list[str] = []
    return pl.concat(frames(inspect(path), block, notes.append)).rows(), notes


def test_blank_lines_are_left_out_and_empty_rows_kept(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n\n,\n\r\n3,4\n\n\n")
    assert pl.concat(frames(inspect(path))).rows() == [("1", "2"), (None, None), ("3", "4")]
    path.write_text('a,b\n1,"2"\n\n,\n\n')
    assert pl.concat(frames(inspect(path))).rows() == [("1", "2"), (None, None)]


@pytest.mark.parametrize("block", [1, 5, 1 << 20])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_blank_lines_of_one_column_are_rows(quote: str, newline: str, block: int, tmp_path: Path) -> None:
    text = f"score\n80\n\n{quote}20{quote}\n\n\n75\n\n".replace("\n", newline)
    parsed_rows, notes = read_with_notes(text, tmp_path / "t.csv", block)
    assert parsed_rows == [("80",), (None,), ("20",), (None,), (None,), ("75",), (None,)]
    assert notes == ["4 rows are blank in the only column: a missing value each"]
    assert read_with_notes("score\n80\n20", tmp_path / "t.csv", block) == ([("80",), ("20",)], [])


@pytest.mark.parametrize("block", [1, 9, 1 << 20])
@pytest.mark.parametrize("header", ["a,b\n", "a , b\n", '"a","b"\r\n', "\ufeffa,b\n"])
def test_a_header_within_the_file_is_no_row(header: str, block: int, tmp_path: Path) -> None:
    parsed_rows, notes = read_with_notes(f"a,b\n{header}1,2\n{header}a,1\n3,b\n{header}", tmp_path / "t.csv", block)
    assert parsed_rows == [("1", "2"), ("a", "1"), ("3", "b")]
    assert notes == ["3 rows are the header again: left out"]


def test_a_word_like_the_only_name_is_a_value(tmp_path: Path) -> None:
    assert read_with_notes("word\nfirst\nword\n", tmp_path / "t.csv") == ([("first",), ("word",)], [])


def test_a_header_in_another_order_within_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds its header again after row 2, with the columns in another order"):
        read_with_notes("age,fee,plan\n1,2,x\n3,4,y\nplan,age,fee\nz,5,6\n", tmp_path / "t.csv")


@pytest.mark.parametrize("separator", ["||", "§", '"'])
def test_a_separator_that_cannot_be_is_refused_with_the_name_of_the_file(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"sep={separator}\na{separator}b\n1{separator}2\n", "utf-8")
    with pytest.raises(DataError, match=r"^mine\.csv says in its first line that .* separates the fields"):
        read(path)


@pytest.mark.parametrize(
    ("line", "separator"),
    [
        *(("sep=;", ";"), ("sep=;\r", ";"), ("sep=,", ","), ("sep=|", "|"), ("sep=\t", "\t"), ("sep= ", " ")),
        *(("sep=~", "~"), ("sep=", ""), ("sep=a,b", ""), ("x sep=;", ""), ("sep=;;,x", ""), ("a;b", ""), ("", "")),
    ],
)
def test_the_first_line_may_say_what_separates(line: str, separator: str) -> None:
    assert delimited._stated_separator(line, "t.csv") == separator


@pytest.mark.parametrize("line", ["sep=ab", "sep=::", "sep=é", 'sep="', "sep=tab\r"])
def test_what_cannot_separate_is_refused(line: str) -> None:
    with pytest.raises(DataError, match=r"^t\.csv says in its first line that"):
        delimited._stated_separator(line, "t.csv")


@pytest.mark.parametrize(
    ("text", "prefer", "separator"),
    [
        ("a,b;c\n1,2;3\n", ",", ","),
        ("a,b;c\n1,2;3\n", ";", ";"),  # as many rows under either: the usual one
        ("a,b;c;d\n1,2;3;4\n", "\t", ";"),  # then the one of more fields
        ("a,b;c\n1,2;3\n1;3\n1;3\n", ",", ";"),  # first of all that of which most rows have as many
        ("a|b\n1|2\n\n\n\n", ",", "|"),  # blank lines are no rows
        ('a;b\n"x;y";2\n"z', ",", ";"),  # up to a quote that stays open
        ("a\n1\n", ",", "\x1f"),
        ("", ",", "\x1f"),
    ],
)
def test_the_separator_under_which_most_rows_are_alike(text: str, prefer: str, separator: str) -> None:
    assert find_separator(text, prefer) == separator


def test_a_hundred_rows_tell_the_separator() -> None:
    lines = ["a,b"] * 150
    assert delimited._counts(lines, ",") == [2] * 100
    assert delimited._counts(lines, ",", 3) == [2] * 3
    assert delimited._counts(["a,b", "", "1,2,3", '"x'], ",") == [2, 3]
    assert find_separator("\n".join(["a;b"] * 100 + ["a;b,c,d"] * 900)) == ";"


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("t.txt", ","), ("t.TSV", "\t"), ("t.tab", "\t")])
def test_the_ending_of_a_name_says_what_is_usual(name: str, separator: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a,b\tc\n1,2\t3\n")
    layout = inspect(tmp_path / name)
    assert layout.separator == separator
    assert layout.notes == ()


@pytest.mark.parametrize(
    ("text", "names", "skip", "rows"),
    [
        ("a,b\n1,2\n", ("a", "b"), 1, [("1", "2")]),
        ("\n \na,b\n1,2\n", ("a", "b"), 3, [("1", "2")]),
        ("sep=;\na;b\n1;2\n", ("a", "b"), 2, [("1", "2")]),
        ("\nsep=;\na;b\n1;2\n", ("a", "b"), 3, [("1", "2")]),
        ('"a\nb",c\n1,2\n3,4\n', ("a\nb", "c"), 2, [("1", "2"), ("3", "4")]),
        ('\nsep=;\n"a\n\nb";c\n1;2\n', ("a\n\nb", "c"), 5, [("1", "2")]),
        ("a\n1\n", ("a",), 1, [("1",)]),
    ],
)
@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_lines_before_the_first_row_are_skipped(
    text: str, names: tuple[str, ...], skip: int, rows: list[tuple[str, ...]], block: int, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    layout = inspect(path)
    assert (layout.names, layout.skip) == (names, skip)
    assert pl.concat(frames(layout, block)).rows() == rows


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("1,2.5", True),
        ("-1, +2,5", True),
        (" 1 ;3.", True),
        ("1,a", False),
        ("1,", False),
        ("1e5,2", False),
        ("7", True),
    ],
)
def test_a_header_of_numbers_is_none(header: str, missing: bool, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n{header}\n")
    notes = [note for note in inspect(path).notes if "is the header missing?" in note]
    assert len(notes) == missing
    if header == "1,2.5":
        assert notes == ["the first line holds only numbers (1, 2.5): is the header missing?"]


def test_of_a_header_of_many_numbers_three_are_shown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("1,2,3,4\n5,6,7,8\n")
    assert inspect(tmp_path / "t.csv").notes == ("the first line holds only numbers (1, 2, 3): is the header missing?",)


def test_a_first_line_that_is_longer_than_the_head_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"name{i}" for i in range(50)]
    (tmp_path / "t.csv").write_text("\n" + ",".join(names) + "\n" + ",".join("1" * 50) + "\n")
    monkeypatch.setattr(delimited, "_HEAD", 20)
    assert list(inspect(tmp_path / "t.csv").names) == names
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 50)
    assert delimited._head(tmp_path / "t.csv", "utf-8") == ["a,b", *["1,2"] * 4, ""]


def test_most_columns_are_just_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MOST_COLUMNS", 3)
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,3\n")
    assert inspect(tmp_path / "t.csv").names == ("a", "b", "c")
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,2,3,4\n")
    with pytest.raises(DataError, match=r"^t\.csv has 4 columns"):
        inspect(tmp_path / "t.csv")


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_the_row_after_which_the_header_comes_again_is_that_of_the_file(block: int, tmp_path: Path) -> None:
    text = "a,b,c\n" + "1,2,3\n" * 5 + "b,a,c\n4,5,6\n"
    with pytest.raises(DataError, match="again after row 5, with the columns in another order"):
        read_with_notes(text, tmp_path / "t.csv", block)


@pytest.mark.parametrize(
    ("text", "rows", "notes"),
    [
        ("a,b\nb,a\n", [("b", "a")], []),  # of two names each may be the value of the other
        ("a,a,b\n1,2,3\na,a,b\n", [("1", "2", "3")], ["1 row is the header again: left out"]),
        ("a,b\n1,2\na,b\na,b\n", [("1", "2")], ["2 rows are the header again: left out"]),
        ("a,b,c\na,b,\n", [("a", "b", None)], []),
        ("a\n\n1\n", [(None,), ("1",)], ["1 row is blank in the only column: a missing value each"]),
    ],
)
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_what_is_the_header_again(
    text: str, rows: list[tuple[str | None, ...]], notes: list[str], block: int, tmp_path: Path
) -> None:
    assert read_with_notes(text, tmp_path / "t.csv", block) == (rows, notes)


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", 0),
        (b"a,b", 0),
        (b"a\nb", 2),
        (b"a\nb\n", 4),
        (b'"a\nb', 0),
        (b'x\n"a\nb', 2),
        (b'x\n"a\nb"\n', 8),
        (b'x\n"a\nb"\n"c\n', 8),
        (b'x\n"a\nb",1\ny\nz,"c\nd\n', 12),
        (b'"a\n"\n"b\n"\n"c\n', 10),
        (b'"a\n""\nb\n', 0),
    ],
)
def test_the_last_whole_row_ends_outside_of_quotes(data: bytes, end: int) -> None:
    assert delimited._end_of_rows(data) == end


@pytest.mark.parametrize(
    ("data", "has_stray"),
    [
        (b'"a",1\n', False),
        (b'1,"a"\n', False),
        (b'1,"a"\r\n', False),
        (b'1,"a"', False),
        (b'"a""b",1\n', False),
        (b'"a";1\n', True),
        (b'x"a",1\n', True),
        (b'"a"x,1\n', True),
        (b' "a",1\n', True),
        (b'"a" ,1\n', True),
        (b'1,"a"\rx\n', True),
        (b'5" pipe,1\n', True),
        (b'"a","b"x\n', True),
        (b'"a",y"b"\n', True),
    ],
)
def test_a_quote_stands_between_separators_or_it_is_stray(data: bytes, has_stray: bool) -> None:
    assert delimited._has_stray_quotes(data, ",") == has_stray


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\n\nb\n", b"a\nb\n"),
        (b"\n\na\n", b"a\n"),
        (b"\r\na\r\n\r\n\r\nb\r\n", b"a\nb\r\n"),
        (b"a\n\n\n", b"a\n"),
        (b"a\nb\n", b"a\nb\n"),
    ],
)
def test_blank_lines_go(data: bytes, expected: bytes) -> None:
    assert delimited._without_blank_lines(data, quoted=False) == expected
    assert delimited._without_blank_lines(b'"a\n\nb"\n\n\r\n', quoted=True) == b'"a\n\nb"\n'


@pytest.mark.parametrize(
    ("text", "rectangular"),
    [
        ('"1",2\n"3",4\n', True),
        ('"1",2\n"3,4",\n', True),
        ('"1",2\n"3"\n', False),
        ('"1",2\n"3,\n4",\n"5"\n', False),
        ('"1",2\n3\n', False),
        ('"1\n1",\n"2",\n', True),
    ],
)
def test_every_row_has_a_field_for_every_column(text: str, rectangular: bool) -> None:
    frame = pl.read_csv(io.BytesIO(b"0,1\n" + text.encode()), infer_schema=False, null_values=[""])
    assert delimited._is_rectangular(frame, text.encode(), ",", quoted=True) == rectangular


def test_rows_are_read_slowly_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_ROWS_AT_A_TIME", 2)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f'{i}" pipe,{i}\n' for i in range(5)))
    parts = list(frames(inspect(path)))
    assert [frame.height for frame in parts] == [2, 2, 1]
    assert pl.concat(parts).rows() == [(f'{i}" pipe', str(i)) for i in range(5)]
    for width, name in ((0, "0 fields"), (1, "1 field"), (3, "3 fields")):
        advice = "put values that contain the separator in quotes" if width > 2 else "add the missing ones"
        error = delimited._ragged(inspect(path), 1_234, width)
        assert str(error) == f"t.csv, line 1,234 has {name}, but the header has 2 (separated by ','); {advice}"


@pytest.mark.parametrize(("longest", "read_at_once"), [(40, True), (8, False)])
def test_a_row_without_an_end_is_read_line_by_line(
    longest: int, read_at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no row ends in as many bytes as a line may have, there is no use in reading on before looking closer."""
    path = tmp_path / "t.csv"
    path.write_text('a,b\n"x\ny\nz, and so on",1\n2,3\n')
    layout = inspect(path)
    slow_lines: list[int] = []
    slowly = delimited._parse_slowly
    monkeypatch.setattr(
        delimited, "_parse_slowly", lambda blocks, layout, line: slow_lines.append(line) or slowly(blocks, layout, line)
    )
    monkeypatch.setattr(delimited, "LONGEST_LINE", longest)
    assert pl.concat(frames(layout, 4)).rows() == [("x\ny\nz, and so on", "1"), ("2", "3")]
    assert slow_lines == ([] if read_at_once else [2])


def test_what_is_quoted_at_the_top_is_no_habit_of_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"a","b"\nx,1\ny,2\n"z",3\n')
    habits = inspect(path).habits
    assert (habits.rows, habits.numbers, habits.some_quoted, habits.all_quoted) == (
        3,
        (False, True),
        (True, False),
        (False, False),
    )
