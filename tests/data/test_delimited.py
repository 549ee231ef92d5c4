"""Delimited text: what was written is what is read, however it was written; and damage is named by line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.data.delimited import find_separator, frames, inspect

ENCODINGS = {"utf-8": "äé漢 ", "utf-8-sig": "äé漢 ", "utf-16": "äé漢 ", "cp1252": "äé€ ", "latin-1": "é"}
quick = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


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
    return [tuple(value.strip(" ") for value in row) for row in rows]


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
    found = read_rows(path, block)
    if inspect(path).encoding in ("utf-8", "utf-8-sig", "utf-16") or encoding in ("cp1252", "latin-1"):
        assert found == bare(rows)


@quick
@given(body=st.text('a1",\n ', max_size=25))
def test_any_text_is_read_as_csv_does_or_refused(body: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("name0,name1\n" + body, newline="")
    rows = list(csv.reader(io.StringIO(body, newline=""), skipinitialspace=True))
    try:
        found = read_rows(path)
    except DataError:
        assert any(len(row) != 2 for row in rows) or '"' in body
    else:
        assert found[1:] == bare([row for row in rows if "".join(row).strip() or len(row) == 2])


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
    with pytest.raises(DataError) as raised:
        read_rows(path)
    assert message in str(raised.value)
    assert str(raised.value).startswith("table.csv")


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


def test_blank_lines_are_left_out_and_empty_rows_kept(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n\n,\n\r\n3,4\n\n\n")
    assert pl.concat(frames(inspect(path))).rows() == [("1", "2"), (None, None), ("3", "4")]
    path.write_text('a,b\n1,"2"\n\n,\n\n')
    assert pl.concat(frames(inspect(path))).rows() == [("1", "2"), (None, None)]


def test_old_mac_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\r1,2\r3,4\r")
    assert pl.concat(frames(inspect(path))).rows() == [("1", "2"), ("3", "4")]
