"""Results appear whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from sortal.core.errors import OptionError, OutputError
from sortal.data.read import read
from sortal.data.write import SUFFIXES, new_folder, replacing, writer

TABLE = pl.DataFrame({"i": range(1000), "s": ['a,"b\n', None] * 500, "x": [0.1, 1e300] * 500})


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """A small disk, as far as this process is concerned."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "no permission to write in"),
        (errno.EACCES, "no permission to write in"),
    ],
)
def test_errors_of_the_system_are_told(code: int, reason: str, tmp_path: Path) -> None:
    def fail() -> None:
        with replacing(tmp_path / "model.bin") as temporary:
            temporary.write_text("half")
            raise OSError(code, os.strerror(code), str(temporary))

    with pytest.raises(OutputError, match=rf"^{reason}.*'model.bin' could not be written; nothing was changed$"):
        fail()
    assert os.listdir(tmp_path) == []


def test_errors_about_other_files_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "model.bin"):
        (tmp_path / "other").read_text()
    with pytest.raises(ConnectionError), replacing(tmp_path / "model.bin"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"), writer(tmp_path / "none" / "t.csv") as out:
        out.write(TABLE)
    with pytest.raises(OutputError, match="is a folder"), replacing(tmp_path):
        pass
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


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("former")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with replacing(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "first"
    with new_folder(path) as temporary:
        (temporary / "report").write_text("x")
        assert temporary.parent == path.parent
        assert temporary.name == f".first.partial-{os.getpid()}"
        assert not path.exists()
    assert os.listdir(path) == ["report"]
    with pytest.raises(OutputError, match="exists already"), new_folder(path):
        pass
    assert os.listdir(path.parent) == ["first"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, SystemExit])
def test_a_folder_that_was_not_finished_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def interrupted() -> None:
        with new_folder(tmp_path / "runs" / "first") as temporary:
            (temporary / "report").write_text("x")
            raise error

    with pytest.raises(error):
        interrupted()
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_no_folder(tmp_path: Path) -> None:
    def fill() -> None:
        with files_limited_to(100), new_folder(tmp_path / "first") as temporary:
            (temporary / "report").write_text("x" * 1000)

    with pytest.raises(OutputError, match="'first' could not be written"):
        fill()
    assert os.listdir(tmp_path) == []
