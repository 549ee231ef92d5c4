"""A file is known to be sealed by its place, or by its mark."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError, OutputError
from sortal.data import sealed
from sortal.data.ledger import Seal
from sortal.data.read import batches, files_of, holds_records, read
from sortal.data.sealed import MARK, is_kept, is_marked, is_sealed, run_of
from sortal.data.whole import replacing
from sortal.data.write import writer

ROWS = pl.DataFrame({"x": [1.5, None, 3.0], "y": ["a", "ß", None]})


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    return Seal.close(tmp_path / "run", ROWS, by="test")


def test_by_its_place(seal: Seal, tmp_path: Path) -> None:
    other = seal.path.with_name("other.csv")
    other.write_text("x\n1\n")
    (tmp_path / "link.parquet").symlink_to(seal.path)
    (tmp_path / "folder").symlink_to(seal.path.parent)
    for path in (seal.path, other, tmp_path / "link.parquet", tmp_path / "folder" / "other.csv"):
        assert run_of(path) == seal.folder.resolve()
        assert is_sealed(path)
    (tmp_path / "sealed").mkdir()
    ROWS.write_parquet(tmp_path / "sealed" / "mine.parquet")
    assert not is_sealed(tmp_path / "sealed" / "mine.parquet")


@pytest.mark.parametrize("witness", ["ledger.jsonl", "run.json"])
def test_a_run_that_lost_a_witness_is_still_one(witness: str, seal: Seal) -> None:
    (seal.folder / "run.json").touch()
    (seal.folder / witness).unlink()
    assert run_of(seal.path) == seal.folder.resolve()


def test_a_copy_by_its_mark(seal: Seal, tmp_path: Path) -> None:
    copy, hard, same_rows = tmp_path / "innocent", tmp_path / "hard.csv", tmp_path / "alike.parquet"
    shutil.copy(seal.path, copy)
    hard.hardlink_to(seal.path)
    ROWS.write_parquet(same_rows)
    assert [is_sealed(path) for path in (copy, hard, same_rows, tmp_path / "missing", tmp_path)] == [True, True] + 3 * [
        False
    ]
    assert read(same_rows).frame.equals(ROWS)


@given(
    st.dictionaries(st.text(max_size=5), st.lists(st.none() | st.text(max_size=3), min_size=3, max_size=3), max_size=30)
)
@settings(max_examples=30)
def test_copies_of_any_rows_are_known(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, list[str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    frame = pl.DataFrame(
        {"x": [1, 2, 3], **columns}, schema={"x": pl.Int64, **dict.fromkeys(columns, pl.String)}, strict=False
    )
    seal = Seal.close(folder / "run", frame, by="test")
    assert is_marked(seal.path.rename(folder / "copy"))
    frame.write_parquet(folder / "plain")
    assert not is_marked(folder / "plain")


@given(
    st.binary(max_size=40),
    st.sampled_from([b"", b"PAR1", b"\xff\xff\xff\xffPAR1", b"\x05\x00\x00\x00PAR1", b"\x00\x00\x00\x00PAR1"]),
)
@settings(max_examples=60)
def test_any_other_bytes_have_no_mark(tmp_path_factory: pytest.TempPathFactory, head: bytes, end: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(head + end)
    assert not is_marked(path)


@pytest.mark.parametrize("way", [read, files_of, holds_records, lambda path: list(batches(path))])
@pytest.mark.parametrize("name", ["run/sealed/test.parquet", "copy.parquet", "run/sealed"])
def test_every_way_to_read_is_closed(way, name: str, seal: Seal, tmp_path: Path) -> None:
    shutil.copy(seal.path, tmp_path / "copy.parquet")
    with pytest.raises(
        DataError, match=r"parquet' holds the sealed test of a run, and nothing may be learned from it: give"
    ):
        way(tmp_path / name)
    (tmp_path / "fine.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match="holds the sealed test"):
        way([tmp_path / "fine.csv", tmp_path / name])


def test_nothing_writes_over_them(seal: Seal, tmp_path: Path) -> None:
    (tmp_path / "link.parquet").symlink_to(seal.path)
    before = seal.path.read_bytes(), seal.ledger.read_bytes()
    for path in (seal.path, seal.ledger, seal.path.with_name("new.csv"), tmp_path / "link.parquet"):
        assert is_kept(path)
        with pytest.raises(OutputError, match="belongs to the sealed test of a run"), writer(path) as out:
            out.write(ROWS)
    assert (seal.path.read_bytes(), seal.ledger.read_bytes()) == before
    (tmp_path / "ledger.jsonl").touch()
    for path in (tmp_path / "ledger.jsonl", seal.folder / "scored.csv"):
        with replacing(path) as partial:
            partial.write_text("x")


def test_sealed_rows_are_their_owners(seal: Seal) -> None:
    modes = {path: path.stat().st_mode & 0o777 for path in (seal.path.parent, seal.path, seal.ledger)}
    assert list(modes.values()) == [0o700, 0o600, 0o600]


def footer_file(footer: bytes, before: bytes = b"", length: int | None = None) -> bytes:
    return before + footer + (len(footer) if length is None else length).to_bytes(4, "little") + b"PAR1"


((KEY, VALUE),) = MARK.items()
BOTH = f"{KEY} {VALUE}".encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (footer_file(BOTH), True),
        (footer_file(BOTH, b"rows"), True),
        (footer_file(BOTH, length=len(BOTH) + 1), False),  # more than the file has
        (footer_file(BOTH, b"x", length=len(BOTH) + 1), True),
        (footer_file(BOTH, length=len(BOTH) - 1), False),  # its first letter is cut off
        (footer_file(KEY.encode()), False),
        (footer_file(VALUE.encode()), False),
        (footer_file(b"x", BOTH), False),  # beside the footer
        (footer_file(BOTH)[:-1] + b"2", False),
        (b"PAR1", False),
        (b"\0\0\0PAR1", False),
        (b"", False),
    ],
)
def test_the_mark_stands_in_the_footer(content: bytes, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert is_marked(tmp_path / "file") == expected


def test_a_footer_without_measure_is_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(footer_file(BOTH))
    for most, expected in ((len(BOTH), True), (len(BOTH) - 1, False)):
        monkeypatch.setattr(sealed, "MOST_FOOTER", most)
        assert is_marked(tmp_path / "file") == expected


def test_a_ledger_is_kept_beside_a_run_and_alone_it_is_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    (tmp_path / "sealed").mkdir()
    assert not is_kept(path)  # there is none
    path.touch()
    assert is_kept(path)
    (tmp_path / "sealed").rmdir()
    assert not is_kept(path)
    (tmp_path / "run.json").touch()
    assert is_kept(path)
    assert not is_kept(tmp_path / "run.json")


def test_a_file_in_the_home_of_a_person_is_known(seal: Seal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(seal.folder))
    assert is_sealed(Path("~/sealed/test.parquet"))
    assert run_of(seal.path.parent / "deeper" / "file") is None
