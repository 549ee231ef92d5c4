"""Results appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from sortal.core.errors import OptionError, OutputError
from sortal.data import write
from sortal.data.read import read
from sortal.data.write import SUFFIXES, writer
from tests.data.conftest import files_limited_to

TABLE = pl.DataFrame({"i": range(1000), "s": ['a,"b\n', None] * 500, "x": [0.1, 1e300] * 500})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_written_is_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table{suffix}"
    path.write_text("former")
    with writer(path) as out:
        out.write(TABLE[:300])
        assert path.read_text() == "former"
        out.write(TABLE[300:])
    table = read(path).frame
    assert table.cast(pl.String).equals(TABLE.cast(pl.String))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_after_an_error_all_is_as_it_was(suffix: str, error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / f"table{suffix}"
    path.write_text("former")

    def write_and_fail() -> None:
        with writer(path) as out:
            out.write(TABLE)
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert path.read_text() == "former"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_room_is_a_clear_sentence(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table{suffix}"

    def write() -> None:
        with files_limited_to(500), writer(path) as out:
            out.write(TABLE)
            out.write(TABLE)

    with pytest.raises(OutputError) as excinfo:
        write()
    assert str(excinfo.value) == (
        f"the file would be larger than is allowed here: {path.name!r} could not be written; nothing was changed"
    )
    assert os.listdir(tmp_path) == []


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"), writer(tmp_path / "none" / "t.csv") as out:
        out.write(TABLE)
    with pytest.raises(OptionError, match=r"'t.xlsx' names no format.*\.parquet"), writer(tmp_path / "t.xlsx"):
        pass


@pytest.mark.parametrize(
    ("suffix", "column"),
    [(".csv", pl.Series([[1]])), (".csv", pl.Series([b"\xff"])), (".jsonl", pl.Series([b"\xff"]))],
)
def test_values_that_a_format_cannot_hold(suffix: str, column: pl.Series, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"column 'c' of type .* cannot"), writer(tmp_path / f"t{suffix}") as out:
        out.write(pl.DataFrame({"c": column}))
    assert os.listdir(tmp_path) == []


def test_frames_may_have_their_columns_in_any_order(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"t{suffix}"
        with writer(path) as out:
            out.write(pl.DataFrame({"b": [1], "a": ["x"]}))
            out.write(pl.DataFrame({"a": ["y"], "b": [2]}))
            out.write(pl.DataFrame({"a": ["z"], "b": [3]}))
        table = read(path).frame
        assert table.columns == ["b", "a"]
        assert table.cast(pl.String).rows() == [("1", "x"), ("2", "y"), ("3", "z")]


@pytest.mark.parametrize(("suffix", "text"), [(".csv", 'a,b\n1,"x,y"\n'), (".tsv", "a\tb\n1\tx,y\n")])
def test_a_text_has_its_separator(suffix: str, text: str, tmp_path: Path) -> None:
    with writer(tmp_path / f"T{suffix.upper()}") as out:
        out.write(pl.DataFrame({"a": [1], "b": ["x,y"]}))
    assert (tmp_path / f"T{suffix.upper()}").read_text() == text


def test_without_a_path_it_goes_to_the_screen_when_all_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with writer(None) as out:
        out.write(pl.DataFrame({"a": ["ß"]}))
        assert capsys.readouterr().out == ""
        out.write(pl.DataFrame({"a": [None]}))
    assert capsys.readouterr().out == "a\nß\n\n"

    def write_and_fail() -> None:
        with writer(None) as other:
            other.write(pl.DataFrame({"a": ["x"]}))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert capsys.readouterr().out == ""


def test_what_is_being_read_is_spared(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("former")
    with pytest.raises(OutputError, match="is being read"), writer(tmp_path / "t.csv", [tmp_path / "t.csv"]) as out:
        out.write(TABLE)
    assert (tmp_path / "t.csv").read_text() == "former"


@pytest.mark.parametrize(
    ("dtype", "csv", "jsonl"),
    [
        (pl.Binary(), False, False),
        (pl.Object(), False, False),
        (pl.List(pl.Int64), False, True),
        (pl.Struct({"a": pl.Int64}), False, True),
        (pl.Duration("us"), False, True),
        (pl.String(), True, True),
        (pl.Datetime("us"), True, True),
    ],
)
def test_which_values_a_text_can_hold(dtype: pl.DataType, csv: bool, jsonl: bool) -> None:
    assert [write._unwritable(dtype, suffix) for suffix in (".csv", ".tsv", ".jsonl")] == [not csv, not csv, not jsonl]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_table_without_any_frame_is_written(suffix: str, tmp_path: Path) -> None:
    with writer(tmp_path / f"t{suffix}"):
        pass
    scan = pl.read_parquet if suffix == ".parquet" else pl.read_ipc
    assert scan(tmp_path / f"t{suffix}").shape == (0, 0)


def test_a_file_in_the_home_of_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with writer("~/t.csv") as out:
        out.write(pl.DataFrame({"a": [1]}))
    assert (tmp_path / "t.csv").read_text() == "a\n1\n"
