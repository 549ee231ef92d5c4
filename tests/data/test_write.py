"""Results appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from sortal.core.errors import OptionError, OutputError
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
    found = read(path).frame
    assert found.cast(pl.String).equals(TABLE.cast(pl.String))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_after_an_error_all_is_as_it_was(suffix: str, error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / f"table{suffix}"
    path.write_text("former")

    def interrupted() -> None:
        with writer(path) as out:
            out.write(TABLE)
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "former"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_room_is_a_clear_sentence(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table{suffix}"

    def write() -> None:
        with files_limited_to(500), writer(path) as out:
            out.write(TABLE)
            out.write(TABLE)

    with pytest.raises(OutputError) as raised:
        write()
    assert str(raised.value) == (
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
