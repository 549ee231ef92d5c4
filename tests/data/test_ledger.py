from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError, OutputError
from sortal.data import ledger
from sortal.data.ledger import Seal, verify

ROWS = pl.DataFrame({"x": [1.5, None, 3.0], "y": ["a", "ß", None]})
LAWS = settings(max_examples=100)


def seal_with_looks(folder: Path, times: int = 3) -> Seal:
    seal = Seal.close(folder, ROWS, by="test")
    for number in range(times):
        seal.open(f"look {number}", by="test")
    return seal


with TemporaryDirectory() as somewhere:
    LEDGER = seal_with_looks(Path(somewhere)).ledger.read_bytes()
HEAD: str = json.loads(LEDGER.splitlines()[-1])["hash"]


def is_refused(content: bytes, head: str | None = None) -> bool:
    with TemporaryDirectory() as folder:
        path = Path(folder, "ledger.jsonl")
        path.write_bytes(content)
        try:
            verify(path, {"somebody": head})
        except DataError:
            return True
    return False


class TestSealing:
    def test_gives_back_the_rows_and_records_the_look(self, tmp_path: Path) -> None:
        seal = Seal.close(tmp_path / "run", ROWS, by="sortal train")
        assert (seal.opens, seal.blind) == (0, True)
        assert seal.open("final evaluation", by="ann").equals(ROWS)
        assert (seal.opens, seal.blind) == (1, True)
        seal.open("a second look", by="bob")
        assert (seal.opens, seal.blind) == (2, False)
        assert [(e.index, e.event, e.by, e.rows) for e in seal.entries] == [
            (0, "sealed", "sortal train", 3),
            (1, "opened", "ann", 3),
            (2, "opened", "bob", 3),
        ]
        assert seal.entries[0].sha256 == hashlib.sha256(seal.path.read_bytes()).hexdigest()
        assert seal.head == seal.entries[-1].hash
        assert seal.entries[0].time.endswith("+00:00")

    def test_the_hash_can_be_checked_with_other_tools(self) -> None:
        lines = [json.loads(line) for line in LEDGER.splitlines()]
        for before, entry in zip([None, *lines[:-1]], lines, strict=True):
            for name, blank_fields in (("hash", {"time": "", "hash": "", "check": ""}), ("check", {"check": ""})):
                blank = json.dumps(entry | blank_fields, separators=(",", ":"), ensure_ascii=False)
                assert hashlib.sha256(blank.encode()).hexdigest() == entry[name]
            assert entry["previous"] == (before["hash"] if before else "0" * 64)

    def test_nothing_is_sealed_twice(self, tmp_path: Path) -> None:
        seal = seal_with_looks(tmp_path)
        before = seal.ledger.read_bytes()
        with pytest.raises(OutputError, match="has sealed rows already"):
            Seal.close(tmp_path, ROWS, by="test")
        assert seal.ledger.read_bytes() == before

    @pytest.mark.parametrize("part", ["ledger", "path"])
    def test_nothing_is_sealed_where_a_part_of_a_seal_is_left(self, tmp_path: Path, part: str) -> None:
        seal = seal_with_looks(tmp_path)
        getattr(seal, part).unlink()
        with pytest.raises(OutputError, match="has sealed rows already"):
            Seal.close(tmp_path, ROWS, by="test")
        assert not getattr(seal, part).exists()

    def test_a_folder_that_cannot_be_made_is_one_clear_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(OutputError, match=r"cannot seal the test rows in .*file"):
            Seal.close(tmp_path / "file", ROWS, by="test")

    def test_a_run_may_be_renamed(self, tmp_path: Path) -> None:
        seal_with_looks(tmp_path / "old")
        new_path = (tmp_path / "old").rename(tmp_path / "new")
        assert Seal(new_path).open("after the move", by="test").equals(ROWS)
        assert Seal(new_path).opens == 4


class TestTampering:
    @given(st.data())
    @LAWS
    def test_any_changed_byte_is_seen(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(LEDGER) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda b: b != LEDGER[place]))
        assert is_refused(LEDGER[:place] + bytes([byte]) + LEDGER[place + 1 :])

    @given(st.integers(0, len(LEDGER)), st.integers(0, 255))
    @LAWS
    def test_any_added_byte_is_seen(self, place: int, byte: int) -> None:
        assert is_refused(LEDGER[:place] + bytes([byte]) + LEDGER[place:])

    @given(st.integers(0, len(LEDGER) - 1))
    @LAWS
    def test_any_removed_byte_is_seen(self, place: int) -> None:
        assert is_refused(LEDGER[:place] + LEDGER[place + 1 :])

    @given(st.lists(st.integers(0, 3), max_size=6))
    @LAWS
    def test_any_other_order_of_lines_is_seen(self, order: list[int]) -> None:
        lines = LEDGER.splitlines(keepends=True)
        content = b"".join(lines[i] for i in order)
        assert is_refused(content, HEAD) == (order != [0, 1, 2, 3])
        only_cut = order == list(range(len(order))) and len(order) > 0
        assert is_refused(content) == (not only_cut)

    @pytest.mark.parametrize(
        "edit",
        [
            lambda line: line.replace(b'"reason":"look 1"', b'"reason": "look 1"'),
            lambda line: line.replace(b"look 1", b"l\\u006fok 1"),
            lambda line: line.replace(b'"rows":3', b'"rows":3,"rows":3'),
            lambda line: line.replace(b'"index"', b'"more":1,"index"'),
            lambda line: line.replace(b"\n", b"\r\n"),
        ],
    )
    def test_other_notations_of_the_same_entry_are_seen(self, edit) -> None:  # type: ignore[no-untyped-def]
        lines = LEDGER.splitlines(keepends=True)
        assert edit(lines[2]) != lines[2]
        assert is_refused(b"".join([*lines[:2], edit(lines[2]), lines[3]]))

    def test_the_untouched_ledger_passes(self) -> None:
        assert not is_refused(LEDGER, HEAD)
        assert is_refused(LEDGER, "0" * 64)

    def test_messages_name_line_and_file(self, tmp_path: Path) -> None:
        seal = seal_with_looks(tmp_path)
        lines = LEDGER.splitlines(keepends=True)
        for content, words in [
            (lines[0] + lines[2] + lines[3], "line 2 of the ledger .*ledger.jsonl was changed"),
            (LEDGER[:-1], "last line of the ledger .* is incomplete"),
            (b"", "last line of the ledger"),
        ]:
            seal.ledger.write_bytes(content)
            with pytest.raises(DataError, match=words):
                seal.open("look", by="test")
            assert seal.ledger.read_bytes() == content

    def test_an_altered_file_stays_closed_and_no_look_is_recorded(self, tmp_path: Path) -> None:
        seal = seal_with_looks(tmp_path)
        ROWS.head(2).write_parquet(seal.path)
        with pytest.raises(DataError, match=r"test\.parquet was altered"):
            seal.open("look", by="test")
        assert seal.opens == 3

    def test_a_missing_file_or_ledger_is_told(self, tmp_path: Path) -> None:
        seal = seal_with_looks(tmp_path)
        seal.path.unlink()
        with pytest.raises(DataError, match=r"test\.parquet cannot be read"):
            seal.open("look", by="test")
        seal.ledger.unlink()
        with pytest.raises(DataError, match=r"ledger\.jsonl cannot be read"):
            _ = seal.opens

    def test_a_cut_tail_is_seen_by_its_head(self, tmp_path: Path) -> None:
        seal = seal_with_looks(tmp_path)
        head = seal.head
        seal.open("after the head was kept", by="test", heads={"a friend": head})
        seal.ledger.write_bytes(b"".join(seal.ledger.read_bytes().splitlines(keepends=True)[:2]))
        assert seal.opens == 1
        with pytest.raises(DataError, match=f"the entry {head[:12]}, which a friend knows, is gone"):
            seal.open("look", by="test", heads={"nobody": None, "a friend": head})


class TestRecording:
    def test_simultaneous_looks_are_all_recorded(self, tmp_path: Path) -> None:
        seal = Seal.close(tmp_path, ROWS, by="test")
        code = (
            "import sys; from pathlib import Path; from sortal.data.ledger import Seal\n"
            "for i in range(10): Seal(Path(sys.argv[1])).open(str(i), by=sys.argv[2])"
        )
        others = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"p{i}"]) for i in range(2)]
        with ThreadPoolExecutor(4) as threads:
            looks = list(threads.map(lambda i: seal.open(str(i), by="thread"), range(20)))
        assert [process.wait(timeout=50) for process in others] == [0, 0]
        assert all(rows.equals(ROWS) for rows in looks)
        assert seal.opens == 40

    def test_a_look_that_cannot_be_recorded_does_not_happen(self, tmp_path: Path) -> None:
        """A full disk, played by a limit on the size of files in another process."""
        seal = seal_with_looks(tmp_path)
        before = seal.ledger.read_bytes()
        code = (
            "import resource, sys; from pathlib import Path; from sortal.data.ledger import Seal\n"
            "limit = int(sys.argv[2])\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
            "Seal(Path(sys.argv[1])).open('look', by='test')"
        )
        limit = str(len(before) + 50)
        process = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), limit], capture_output=True, text=True, check=False
        )
        assert f"OutputError: cannot record the look in {seal.ledger} (File too large), so" in process.stderr
        assert seal.ledger.read_bytes() == before
        assert seal.opens == 3


class TestOpening:
    def test_a_look_is_noted_while_no_other_can_begin(self, tmp_path: Path) -> None:
        seal = Seal.close(tmp_path, ROWS, by="test")
        opens: list[int] = []
        rows = seal.open("look", "ann", note=lambda: opens.append(seal.opens))
        assert opens == [1]  # it is in the ledger already
        assert rows.equals(ROWS)
        assert [(entry.by, entry.reason, entry.sha256) for entry in seal.entries] == [
            ("test", "split before training", seal.entries[0].sha256),
            ("ann", "look", seal.entries[0].sha256),
        ]

    def test_nothing_is_noted_of_a_look_that_was_refused(self, tmp_path: Path) -> None:
        seal = seal_with_looks(tmp_path)
        with pytest.raises(DataError, match="which a friend knows, is gone"):
            seal.open("look", "test", {"a friend": "0" * 64}, note=lambda: pytest.fail("it was not opened"))
        assert seal.opens == 3

    def test_the_reason_for_sealing_is_kept(self, tmp_path: Path) -> None:
        assert Seal.close(tmp_path, ROWS, "test", reason="asked for").entries[0].reason == "asked for"

    def test_heads_of_every_entry_are_known(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.jsonl"
        path.write_bytes(LEDGER)
        hashes = [json.loads(line)["hash"] for line in LEDGER.splitlines()]
        entries = verify(path, {f"witness {k}": head for k, head in enumerate(hashes)} | {"nobody": None})
        assert [entry.hash for entry in entries] == hashes
        assert [entry.previous for entry in entries] == ["0" * 64, *hashes[:-1]]

    def test_the_owner_alone_is_let_in_again(self, tmp_path: Path) -> None:
        seal = Seal.close(tmp_path, ROWS, by="test")
        seal.path.chmod(0o644)
        seal.path.parent.chmod(0o755)
        seal.guard()
        assert [path.stat().st_mode & 0o777 for path in (seal.path, seal.path.parent)] == [0o600, 0o700]

    def test_looks_of_a_second_and_a_third_are_counted_and_blind_no_more(self, tmp_path: Path) -> None:
        seals = [seal_with_looks(tmp_path / str(times), times) for times in range(4)]
        assert [(seal.opens, seal.blind) for seal in seals] == [(0, True), (1, True), (2, False), (3, False)]

    def test_the_event_of_each_line_is_its_own(self, tmp_path: Path) -> None:
        """A second seal in a ledger, or a look as its first line, is no ledger of ours, though every hash is right."""
        for events in (["sealed", "sealed"], ["opened"], ["sealed", "opened", "sealed"]):
            entries: tuple[ledger.Entry, ...] = ()
            for event in events:
                entries += (ledger._next(entries, event, 3, "0" * 64, "test", "x"),)
            assert is_refused(b"".join(entry.line() for entry in entries))
        valid_entries: tuple[ledger.Entry, ...] = ()
        for event in ("sealed", "opened", "opened"):
            valid_entries += (ledger._next(valid_entries, event, 3, "0" * 64, "test", "x"),)
        assert not is_refused(b"".join(entry.line() for entry in valid_entries))
        assert is_refused(b"".join(replace(entry, index=entry.index + 1).chained().line() for entry in valid_entries))
