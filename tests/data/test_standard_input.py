"""A dash is the standard input, wherever data are asked for."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest

from sortal.core.errors import DataError, OptionError
from sortal.data import standard_input
from sortal.data.read import read
from sortal.data.standard_input import spooled

TABLE = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})


def give(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize("kind", ["csv", "parquet", "ipc", "ndjson"])
def test_every_format_is_known_by_its_content_and_nothing_is_left(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    getattr(TABLE, f"write_{kind}")(data)
    give(data.getvalue(), monkeypatch)
    with spooled(["-"]) as paths:
        source = read(paths)
    assert source.name == "standard input"
    assert source.frame.cast(pl.String).equals(TABLE.cast(pl.String))
    assert not Path(paths[0]).parent.exists()


def test_it_is_a_part_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TABLE.write_csv(tmp_path / "t.csv")
    give(b"b,a\nz,3\n", monkeypatch)
    with spooled([str(tmp_path / "t.csv"), "-"]) as paths:
        assert paths[0] == str(tmp_path / "t.csv")
        assert read(paths).frame.rows() == [("1", "x"), ("2", "y"), ("3", "z")]


@pytest.mark.parametrize(
    ("data", "message"), [(b"", "^standard input is empty"), (b'a,b\n"x,1\n', "^standard input, line 2: a quote")]
)
def test_messages_name_it(data: bytes, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    give(data, monkeypatch)
    with pytest.raises(DataError, match=message), spooled(["-"]) as paths:
        read(paths)
    assert not Path(paths[0]).parent.exists()


def test_it_is_read_once() -> None:
    with pytest.raises(OptionError, match="only once"), spooled(["-", "-"]):
        pass
    with spooled(["a.csv"]) as paths:
        assert paths == ["a.csv"]


def test_of_many_blocks_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard_input, "BLOCK", 4)
    give(b"a,b\n1,2\n3,4\n\0\0\0\0", monkeypatch)  # zeros later on are no device of zeros
    with spooled(["x.csv", "-", "y.csv"]) as paths:
        assert [paths[0], paths[2]] == ["x.csv", "y.csv"]
        assert Path(paths[1]).read_bytes() == b"a,b\n1,2\n3,4\n\0\0\0\0"
    give(b"\0\0\0\0a", monkeypatch)
    with pytest.raises(DataError, match=r"^the standard input begins with nothing but NUL bytes"), spooled(["-"]):
        pass
    give(b"\0\0\0b", monkeypatch)
    with spooled(["-"]) as paths:
        assert Path(paths[0]).read_bytes() == b"\0\0\0b"


@pytest.mark.parametrize(("free", "is_refused"), [(16, False), (15, True), (14, True)])
def test_it_takes_half_of_the_room(free: int, is_refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    room = type("Usage", (), {"free": free})()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room)
    give(b"a,b\n1,2\n", monkeypatch)
    if is_refused:
        with (
            pytest.raises(DataError, match=r"the standard input is longer than 7 bytes, half of the room"),
            spooled(["-"]),
        ):
            pass
    else:
        with spooled(["-"]) as paths:
            assert Path(paths[0]).read_bytes() == b"a,b\n1,2\n"


def test_one_dash_among_others_is_it_and_two_are_one_too_many() -> None:
    with pytest.raises(OptionError, match="give it once"), spooled(["-", "a.csv", "-"]):
        pass
