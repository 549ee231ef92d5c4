"""Files and folders appear whole or not at all, nothing can be planted in their way, and nothing else is removed."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from sortal.core.errors import OutputError
from sortal.data import whole
from sortal.data.whole import PRIVATE, PRIVATE_FOLDER, abandoned, claimed, is_taken, new_folder, replacing
from tests.data.conftest import files_limited_to


@contextmanager
def mask(bits: int) -> Iterator[None]:
    before = os.umask(bits)
    try:
        yield
    finally:
        os.umask(before)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


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


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("former")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with replacing(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_file_in_a_linked_folder_keeps_the_name_that_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "real" / "taken").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with (
        pytest.raises(OutputError, match=re.escape(str(tmp_path / "link" / "taken"))),
        replacing(tmp_path / "link" / "taken"),
    ):
        pass


def test_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "first"
    with new_folder(path) as temporary:
        (temporary / "report").write_text("x")
        assert temporary.parent == path.parent
        assert re.fullmatch(r"\.first\.partial-[0-9a-f]{16}", temporary.name)
        assert not path.exists()
    assert os.listdir(path) == ["report"]
    with pytest.raises(OutputError, match="exists already"), new_folder(path):
        pass
    assert os.listdir(path.parent) == ["first"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, SystemExit])
def test_a_folder_that_was_not_finished_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def write_and_fail() -> None:
        with new_folder(tmp_path / "runs" / "first") as temporary:
            (temporary / "report").write_text("x")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_no_folder(tmp_path: Path) -> None:
    def fill() -> None:
        with files_limited_to(100), new_folder(tmp_path / "first") as temporary:
            (temporary / "report").write_text("x" * 1000)

    with pytest.raises(OutputError, match="'first' could not be written"):
        fill()
    assert os.listdir(tmp_path) == []


def test_a_folder_is_no_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"), replacing(tmp_path):
        pass


def test_what_is_no_ordinary_file_is_not_replaced(tmp_path: Path) -> None:
    """Who writes to /dev/null as root would have no /dev/null any more."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="is no ordinary file"), replacing(tmp_path / "pipe"):
        pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_long_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("ß" * 125 + ".txt")
    with replacing(path) as partial:
        partial.write_text("x")
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_what_is_being_read_is_not_replaced(link, tmp_path: Path) -> None:
    """By whatever name it is called."""
    data = tmp_path / "data.csv"
    data.write_text("x")
    link(data, tmp_path / "same.csv")
    for path in (data, tmp_path / "same.csv", tmp_path / ".." / tmp_path.name / "data.csv"):
        with pytest.raises(OutputError, match="is being read"), replacing(path, sparing=["missing", str(data)]):
            pass
    assert data.read_text() == "x"


def test_a_name_is_taken_while_it_is_being_made(tmp_path: Path) -> None:
    """Two runs at once would else both be run-1, and the second to finish would be lost."""
    path = tmp_path / "runs" / "run-1"
    assert not is_taken(path)
    with new_folder(path):
        assert is_taken(path)
        assert not is_taken(path.with_name("run-10"))
    assert is_taken(path)


class TestNothingIsPlanted:
    @pytest.mark.parametrize("name", ["first", "model.bin"])
    def test_names_cannot_be_told_in_advance(self, name: str, tmp_path: Path) -> None:
        names = set()
        for _ in range(20):
            with claimed(tmp_path, name) as claim:
                names.add(claim.path.name)
        assert len(names) == 20

    def test_a_planted_link_or_folder_stops_and_loses_nothing(self, tmp_path: Path, monkeypatch) -> None:
        """Even where somebody guessed the name: what is there is neither used, followed nor removed."""
        monkeypatch.setattr("secrets.token_hex", lambda size: "0" * 2 * size)
        treasure = tmp_path / "treasure"
        treasure.mkdir()
        (treasure / "gold").write_text("gold")
        name = ".model.bin.partial-" + "0" * 16
        for plant in (
            lambda path: path.symlink_to(treasure),
            lambda path: path.mkdir(),
            lambda path: path.write_text("x"),
        ):
            place = tmp_path / "place"
            place.mkdir()
            plant(place / name)
            for way in (replacing, new_folder):
                with pytest.raises(OutputError, match=r"'model\.bin' could not be written"), way(place / "model.bin"):
                    pytest.fail("nothing may be written here")
            assert os.listdir(place) == [name]
            assert (treasure / "gold").read_text() == "gold"
            place.rename(tmp_path / f"after {len(os.listdir(tmp_path))}")

    def test_a_planted_partial_file_of_the_old_kind_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "other").write_text("mine")
        (tmp_path / f".t.bin.partial-{os.getpid()}").symlink_to(tmp_path / "other")
        (tmp_path / f".run.partial-{os.getpid()}").mkdir()
        with replacing(tmp_path / "t.bin") as partial:
            partial.write_text("x")
        with new_folder(tmp_path / "run"):
            pass
        assert (tmp_path / "other").read_text() == "mine"
        assert (tmp_path / f".run.partial-{os.getpid()}").is_dir()

    def test_only_what_was_made_here_is_removed(self, tmp_path: Path) -> None:
        def exchange() -> None:
            with new_folder(tmp_path / "run") as folder:
                folder.rename(tmp_path / "moved")
                folder.mkdir()
                (folder / "gold").write_text("of another")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            exchange()
        (gold,) = tmp_path.glob(".run.partial-*/gold")
        assert gold.read_text() == "of another"

    def test_folders_above_stay_where_something_came_into_them(self, tmp_path: Path) -> None:
        def disturb() -> None:
            with new_folder(tmp_path / "a" / "b" / "run"):
                (tmp_path / "a" / "other").touch()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            disturb()
        assert os.listdir(tmp_path / "a") == ["other"]

    def test_a_copy_of_the_process_removes_nothing(self, tmp_path: Path) -> None:
        with claimed(tmp_path, "run") as claim:
            child = os.fork()
            if not child:
                claim.remove()
                os._exit(0)
            os.waitpid(child, 0)
            assert claim.path.is_dir()
        assert os.listdir(tmp_path) == []


class TestPermissions:
    @pytest.mark.parametrize("bits", [0o022, 0o077, 0o000])
    def test_private_while_partial_and_usual_after(self, bits: int, tmp_path: Path) -> None:
        with mask(bits):
            with replacing(tmp_path / "file") as partial, new_folder(tmp_path / "folder") as folder:
                assert permissions(partial) == PRIVATE
                assert permissions(partial.parent) == permissions(folder) == PRIVATE_FOLDER
                partial.write_text("x")
            assert permissions(tmp_path / "file") == 0o666 & ~bits
            assert permissions(tmp_path / "folder") == 0o777 & ~bits

    def test_as_asked(self, tmp_path: Path) -> None:
        with replacing(tmp_path / "file", PRIVATE), new_folder(tmp_path / "folder", PRIVATE_FOLDER):
            pass
        assert (permissions(tmp_path / "file"), permissions(tmp_path / "folder")) == (PRIVATE, PRIVATE_FOLDER)

    def test_a_file_that_was_private_stays_so(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.touch(PRIVATE)
        with replacing(path) as partial:
            partial.write_text("x")
        assert (path.read_text(), permissions(path)) == ("x", PRIVATE)


LEAVE = """
import sys, time
from pathlib import Path
from sortal.data.whole import new_folder, replacing
with new_folder(Path(sys.argv[1], "run")) as folder, replacing(Path(sys.argv[1], "t.csv")) as partial:
    (folder / "rows").write_text("x")
    print("there", flush=True)
    time.sleep(600)
"""


class TestKilledProcesses:
    def test_what_they_left_is_named_and_kept(self, tmp_path: Path) -> None:
        """While the process lives, its files are its own; once it was killed, the system has given back its locks."""
        other = subprocess.Popen([sys.executable, "-c", LEAVE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        assert abandoned(tmp_path) == []
        other.send_signal(signal.SIGKILL)
        other.communicate()
        names = sorted(path.name for path in tmp_path.iterdir())
        assert [name.rsplit("-", 1)[0] for name in names] == [".run.partial", ".t.csv.partial"]
        notes = abandoned(tmp_path)
        assert [name in sentence for name, sentence in zip(names, notes, strict=True)] == [True, True]
        assert "was left unfinished by a process that was killed" in notes[0]
        with new_folder(tmp_path / "run") as folder:
            (folder / "rows").write_text("new")
        assert abandoned(tmp_path) == notes
        assert sorted(path.name for path in tmp_path.iterdir()) == [*names, "run"]

    def test_many_are_counted(self, tmp_path: Path) -> None:
        for i in range(8):
            folder = tmp_path / f".run.partial-{i:016x}"
            folder.mkdir()
            (folder / "file").touch()
        notes = abandoned(tmp_path)
        assert len(notes) == 6
        assert notes[-1] == f"and 3 more in {str(tmp_path)!r}"

    def test_names_alone_prove_nothing(self, tmp_path: Path) -> None:
        """Files, links and empty folders of such names, and other names, are no results that were left."""
        digits = "0123456789abcdef"
        (tmp_path / f".a.partial-{digits}").touch()
        (tmp_path / f".b.partial-{digits}").symlink_to("/etc")
        (tmp_path / f".c.partial-{digits}").mkdir()
        for name in (f"d.partial-{digits}", ".e.partial-123", ".f"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").touch()
        with claimed(tmp_path, "mine") as claim:
            (claim.path / "file").touch()
            assert abandoned(tmp_path) == []
        assert abandoned(tmp_path / "missing") == []


def test_of_a_name_as_much_is_repeated_as_there_is_room_for() -> None:
    assert whole._stem("run") == ".run.partial-"
    assert whole._stem("x" * 200) == f".{'x' * 200}.partial-"
    assert whole._stem("x" * 201) == f".{'x' * 200}.partial-"
    assert whole._stem("x" + "ß" * 150) == f".x{'ß' * 99}.partial-"  # half a letter is none


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "x"), errno.ENOSPC),
        (OSError("no number"), None),
        (OSError("said by polars (os error 13)"), 13),
        (pl.exceptions.ComputeError("No space left (os error 28)"), 28),
        (pl.exceptions.ComputeError("parquet: transport error"), errno.ENOSPC),
        (pl.exceptions.ComputeError("something else"), None),
        (ValueError("x (os error 28)"), None),
        (ValueError("transport error"), None),
    ],
)
def test_the_number_of_an_error_of_the_system(error: Exception, code: int | None) -> None:
    assert whole._code(error) == code


@pytest.mark.parametrize(
    ("file", "code", "about"),
    [
        (None, errno.ENOSPC, True),
        (None, errno.ECONNRESET, False),
        ("/a/b/t.csv", errno.ECONNRESET, True),
        ("/a/b", errno.ENOENT, True),  # a folder above
        ("/a", errno.ENOENT, True),
        ("/a/b/other", errno.ENOSPC, False),
        ("/a/b/.t.csv.partial-0123456789abcdef/t.csv", errno.ENOSPC, True),
        ("/a/b/.t.csv.partial-0123/t.csv", errno.ENOSPC, False),
        ("/c/.t.csv.partial-0123456789abcdef/t.csv", errno.ENOSPC, False),
    ],
)
def test_which_errors_are_about_what_is_written(file: str | None, code: int, about: bool) -> None:
    error = OSError(code, "x") if file is None else OSError(code, "x", file)
    assert whole._is_about(Path("/a/b/t.csv"), error, code) == about


def test_reasons_name_the_folder_and_others_are_those_of_the_system(tmp_path: Path) -> None:
    for code, reason in (
        (errno.EPERM, f"no permission to write in {str(tmp_path)!r}"),
        (errno.ENOTDIR, f"there is no folder {str(tmp_path)!r}"),
        (errno.EFBIG, "the file would be larger than is allowed here"),
        (errno.EIO, os.strerror(errno.EIO)),
    ):

        def fail(code: int = code) -> None:
            with replacing(tmp_path / "t.csv") as partial:
                raise OSError(code, "x", str(partial))

        with pytest.raises(OutputError) as excinfo:
            fail()
        assert str(excinfo.value) == f"{reason}: 't.csv' could not be written; nothing was changed"


def test_what_a_killed_process_left_of_one_result_is_given_the_oldest_first(tmp_path: Path) -> None:
    for age, (name, digit) in enumerate([("run", "b"), ("run", "a"), ("other", "c"), ("run-1", "d"), ("run", "e")]):
        folder = tmp_path / f".{name}.partial-{digit * 16}"
        folder.mkdir()
        (folder / "file").touch()
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / f".run.partial-{'f' * 16}").mkdir()  # empty
    folders = whole.unfinished(tmp_path / "run")
    assert [path.name[-1] for path in folders] == ["e", "a", "b"]
    with new_folder(tmp_path / "run") as own_folder:
        (own_folder / "file").touch()
        assert len(whole.unfinished(tmp_path / "run")) == 3
    assert whole.unfinished(tmp_path / "missing" / "run") == []


@pytest.mark.parametrize("count", [5, 6])
def test_five_that_were_left_are_named(count: int, tmp_path: Path) -> None:
    for i in range(count):
        (tmp_path / f".run.partial-{i:016x}").mkdir()
        (tmp_path / f".run.partial-{i:016x}" / "file").touch()
    notes = abandoned(tmp_path)
    assert [f"{i:016x}" in sentence for i, sentence in enumerate(notes[:5])] == [True] * 5
    assert notes[5:] == ([f"and 1 more in {str(tmp_path)!r}"] if count == 6 else [])


def test_a_name_in_the_home_of_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with replacing("~/t.txt") as partial:
        partial.write_text("x")
    with new_folder("~/run"):
        pass
    assert sorted(os.listdir(tmp_path)) == ["run", "t.txt"]


def test_a_link_into_another_folder_is_written_there(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "t.txt").symlink_to(tmp_path / "there" / "t.txt")
    with replacing(tmp_path / "t.txt") as partial:
        assert partial.parent.parent == tmp_path / "there"
        partial.write_text("x")
    assert os.listdir(tmp_path / "there") == ["t.txt"]


def test_a_file_that_everybody_may_write_stays_so_and_special_bits_do_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o4777)
    with replacing(path) as partial:
        partial.write_text("x")
    assert permissions(path) == 0o777


def test_a_place_among_the_temporary_files_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    claim = whole.temporary_folder()
    assert claim.path.parent == tmp_path
    assert claim.path.name.startswith(".sortal.partial-")
    claim.remove()
    claim.remove()  # it is gone, and that is all
    assert os.listdir(tmp_path) == []
