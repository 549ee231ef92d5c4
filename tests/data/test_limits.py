"""No file hangs the reader or fills the machine: it is read, or refused in a sentence, in a process of little memory
and time."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import mmap
import os
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.core.frame import from_any
from sortal.core.names import unique_names
from sortal.data import arrow, parquet
from sortal.data.blocks import raw_blocks, utf8_blocks
from sortal.data.declared import declared
from sortal.data.limits import memory_left, too_many_columns
from sortal.data.read import batches, read
from sortal.data.standard_input import spooled

Walk = Callable[[mmap.mmap], Iterator[int]]
GENES = 20_000
DEEP = 2_000
FLOOD = 1 << 27


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as excinfo:
        read(path)
    assert "\n" not in str(excinfo.value)
    return str(excinfo.value)


def file_of(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# Ordinary, and wide or long


def test_as_many_columns_as_genes(tmp_path: Path) -> None:
    names = [f"gene_with_a_name_{i}" for i in range(GENES)]
    row = ",".join(["0.1234"] * GENES)
    path = file_of(tmp_path / "t.csv", (",".join(names) + "\n" + f"{row}\n" * 3).encode())
    frame = read(path).frame
    assert frame.columns == names
    assert frame.height == 3


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_long_text(quote: str, tmp_path: Path) -> None:
    text = "word " * 40_000
    path = file_of(tmp_path / "t.csv", f"id;text\n1;{quote}{text}{quote}\n2;x\n".encode())
    assert read(path).frame.rows() == [("1", text), ("2", "x")]


def test_equal_names_are_told_apart_in_linear_time() -> None:
    same = unique_names(["a"] * GENES)[0]
    assert same == ["a", *(f"a_{i}" for i in range(2, GENES + 1))]
    assert unique_names([""] * GENES)[0] == [f"column_{i}" for i in range(1, GENES + 1)]
    names = unique_names([*["a"] * GENES, *(f"a_{i}" for i in range(GENES))])[0]
    assert len(set(names)) == 2 * GENES


def test_a_record_of_many_keys_is_one_of_json_lines(tmp_path: Path) -> None:
    record = json.dumps({f"key{i}": i for i in range(GENES)})
    assert read(file_of(tmp_path / "t.jsonl", f"{record}\n{record}\n".encode())).frame.shape == (2, GENES)


# Records


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_deep_json(name: str, tmp_path: Path) -> None:
    value = b"[" * DEEP + b"]" * DEEP
    text = b'{"a":' + value + b"}"
    message = refusal(file_of(tmp_path / name, b"[" + text + b"]" if name == "t.json" else text + b"\n" + text))
    assert "more than 64 brackets within each other" in message
    assert "brackets" in refusal(file_of(tmp_path / name, b'{"b":1}\n' + text))


def test_brackets_in_texts_are_not_deep(tmp_path: Path) -> None:
    rows = [{"a": '[{"\\' * 100}, {"a": "x"}]
    for name, text in (("t.json", json.dumps(rows)), ("t.jsonl", "\n".join(map(json.dumps, rows)))):
        assert read(file_of(tmp_path / name, text.encode())).frame.to_dicts() == rows


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00", "x\\uD83D!", "\\ude00\\ud83d"])
@pytest.mark.parametrize("form", ['{{"a":"{}"}}\n{{"a":"y"}}', '[{{"a":"{}"}}]', '{{"{}":1}}\n{{"b":2}}'])
def test_half_a_character(half: str, form: str, tmp_path: Path) -> None:
    assert "half a character" in refusal(file_of(tmp_path / "t.json", form.format(half).encode()))


def test_both_halves_are_a_character(tmp_path: Path) -> None:
    path = file_of(tmp_path / "t.jsonl", b'{"a":"\\ud83d\\ude00"}\n{"a":"y"}\n')
    assert read(path).frame["a"].to_list() == ["\U0001f600", "y"]


@pytest.mark.parametrize("joint", ["\n", ","])
def test_a_key_of_its_own_in_each_record(joint: str, tmp_path: Path) -> None:
    text = joint.join(f'{{"k{i}":{i}}}' for i in range(GENES))
    message = refusal(file_of(tmp_path / "t.json", (text if joint == "\n" else f"[{text}]").encode()))
    assert "a record names hardly any" in message


# Texts


@pytest.mark.parametrize("separator", ["é", "||", '"', "::", "\U0001f600"])
def test_a_separator_that_cannot_be(separator: str, tmp_path: Path) -> None:
    text = f"sep={separator}\na{separator}b\n1{separator}2\n"
    assert "separates the fields" in refusal(file_of(tmp_path / "t.csv", text.encode()))


def test_too_many_columns(tmp_path: Path) -> None:
    path = file_of(tmp_path / "t.csv", b"," * 200_000 + b"\n" + b"," * 200_000 + b"\n")
    assert "200,001 columns, and 100,000 is the most" in refusal(path)


def test_a_flood_in_a_small_file(tmp_path: Path) -> None:
    path = file_of(tmp_path / "t.csv", gzip.compress(b"a,b\n" + b"\n" * FLOOD))
    assert "unpacks to more than 100 times its size" in refusal(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_every_packing_has_a_limit(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = file_of(tmp_path / "t.csv", pack(b"a,b\n" + b"x" * (1 << 22)))
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        list(raw_blocks(path, size=1 << 16, free=1 << 20))


def test_what_repeats_itself_is_unpacked(tmp_path: Path) -> None:
    path = file_of(tmp_path / "t.csv", gzip.compress(b"a,b\n" + b"1,2\n" * 100_000))
    assert read(path).frame.height == 100_000
    with pytest.raises(DataError, match="100 times"):
        list(raw_blocks(path, free=1_000))


def test_memory_that_xz_asks_for(tmp_path: Path) -> None:
    path = file_of(tmp_path / "t.csv", lzma.compress(b"a,b\n1,2\n"))
    content = bytearray(path.read_bytes())
    # The size of the dictionary stands in the header of the first block, which has a checksum.
    head = content[12 : 12 + (content[12] + 1) * 4 - 4]
    head[4] = 40
    content[12 : 12 + len(head) + 4] = head + struct.pack("<I", zlib.crc32(bytes(head)))
    assert "Memory usage limit exceeded" in refusal(file_of(path, bytes(content)))


def test_a_line_has_an_end(tmp_path: Path) -> None:
    path = file_of(tmp_path / "t.csv", b"a,b\n1,2\n" + b"x" * 1_000 + b"\n3,4\n")
    assert b"".join(utf8_blocks(path, "utf-8", size=10, longest=1_000)) == path.read_bytes()
    with pytest.raises(DataError, match=r"line 3 has more than 999 bytes"):
        list(utf8_blocks(path, "utf-8", size=10, longest=999))


# What is no file


def test_only_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "s"))
        for path in (tmp_path / "pipe.csv", tmp_path / "s", Path("/dev/zero")):
            assert "is no file that can be read twice" in refusal(path)
            with pytest.raises(DataError, match="cannot be opened"):
                list(raw_blocks(path))


def test_zeros_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open() as zeros:
        monkeypatch.setattr(sys, "stdin", zeros)
        with pytest.raises(DataError, match="nothing but NUL"), spooled(["-"]):
            pass


def test_a_flood_through_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortal.data.standard_input.MOST_PIPED", 0.0)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))
    with pytest.raises(DataError, match="is longer than 0 bytes"), spooled(["-"]):
        pass


# Times that are none

DAYS = pl.Series("d", np.array([2**31 - 1, -(2**31), 0, 2_932_896, -719_162], dtype=np.int32)).cast(pl.Date)


@pytest.mark.parametrize("dtype", [pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("us", "UTC"), pl.Duration("ms")])
def test_extreme_times_can_be_shown(dtype: pl.DataType, tmp_path: Path) -> None:
    times = pl.Series("d", [2**63 - 1, 0, -(2**63) + 1]).cast(dtype)
    pl.DataFrame([times]).write_parquet(tmp_path / "t.parquet")
    source = read(tmp_path / "t.parquet")
    assert source.frame["d"].is_null().to_list() == [True, False, True]
    assert len(source.frame["d"].to_list()) == 3
    assert source.notes == ("d: 2 times outside the years 1 to 9999 are read as missing",)


def test_a_day_that_stands_for_none_is_missing_at_every_door(tmp_path: Path) -> None:
    frame = pl.DataFrame([DAYS])
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ipc(tmp_path / "t.arrow")
    notes: list[str] = []
    for table in (read(tmp_path / "t.parquet").frame, read(tmp_path / "t.arrow").frame, from_any(frame, notes.append)):
        assert [None if day is None else day.isoformat() for day in table["d"].to_list()] == [
            *(None, None, "1970-01-01"),
            *("9999-12-31", "0001-01-01"),
        ]
    assert notes == ["d: 2 times outside the years 1 to 9999 are read as missing"]


def test_numpy_does_not_wrap_around() -> None:
    days = np.array([2**40, 0, "NaT"], dtype="M8[D]")
    assert from_any({"d": days})["d"].is_null().to_list() == [True, False, True]
    assert from_any({"d": np.array([2**62, 1], dtype="m8[s]")})["d"].is_null().to_list() == [True, False]


# Damage

TABLE = pl.DataFrame(
    {
        "n": np.arange(200) / 7,
        "i": range(200),
        "s": ["a text that is long enough"] * 100 + [None] * 100,
        "l": [[1]] * 200,
    }
)


def compressed_table(kind: str, method: str) -> bytes:
    file = io.BytesIO()
    {"parquet": TABLE.write_parquet, "arrow": TABLE.write_ipc, "stream": TABLE.write_ipc_stream}[kind](
        file, compression=method
    )
    return file.getvalue()


ASK = (2**31 - 1, 2**40, 2**47, 2**63 - 1, -1)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["parquet", "arrow", "stream"]),
    method=st.sampled_from(["zstd", "lz4", "uncompressed"]),
    places=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([*ASK, *range(256)])), min_size=1, max_size=3),
)
def test_damage_is_a_sentence_and_quiet(
    kind: str, method: str, places: list[tuple[float, int]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(compressed_table(kind, method))
    for share, value in places:
        at = int(share * (len(content) - 9)) // 8 * 8
        content[at : at + 8] = value.to_bytes(8, "little", signed=True)
    path = file_of(tmp_path / f"t.{kind}", bytes(content))
    message = ""
    try:
        for frame in batches(path):
            frame.rows()
    except DataError as error:
        message = str(error)
    assert "\n" not in message
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("method", ["zstd", "lz4"])
@pytest.mark.parametrize(("kind", "walk"), [("arrow", arrow.walk_file), ("stream", arrow.walk_stream)])
def test_a_buffer_of_terabytes(kind: str, walk: Walk, method: str, tmp_path: Path) -> None:
    content = bytearray(compressed_table(kind, method))
    for at in range(0, len(content) - 8, 8):
        if int.from_bytes(content[at : at + 8], "little") == 1_600:  # 200 numbers of 8 bytes, before they were packed
            content[at : at + 8] = (140 * 2**40).to_bytes(8, "little")
    path = file_of(tmp_path / "t.arrow", bytes(content))
    with pytest.raises(DataError, match="cannot hold 153,931,627,888,640"):
        declared(path, walk)
    assert "cannot hold" in refusal(path)


def test_a_compression_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    TABLE.write_parquet(path, compression="zstd")
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    # The codec is the fourth field of a column's metadata, an i32 in zigzag: 6 is 0x0c, and 60 would be 0x78.
    unknown = content[footer:].replace(b"\x15\x0c", b"\x15\x78")
    assert unknown != content[footer:]
    refusal(file_of(path, content[:footer] + unknown))
    assert declared(path, parquet.walk).total > 0  # what it would take is known all the same


@pytest.mark.parametrize("write", ["write_ipc", "write_ipc_stream"])
def test_an_arrow_file_declares_the_memory_of_its_values_and_no_more(write: str, tmp_path: Path) -> None:
    getattr(pl.DataFrame({"i": range(100)}, schema={"i": pl.Int64}), write)(tmp_path / "t.arrow")
    walk = arrow.walk_file if write == "write_ipc" else arrow.walk_stream
    assert declared(tmp_path / "t.arrow", walk).total == 800


def test_more_than_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    TABLE.write_parquet(path, row_group_size=50)
    size = declared(path, parquet.walk)
    assert size.total > 2 * size.largest > 0
    monkeypatch.setattr("sortal.data.declared.memory_left", lambda: size.total - 1)
    assert "bytes of memory, and" in refusal(path)
    assert sum(frame.height for frame in batches(path)) == 200


def test_two_billion_rows_in_a_kilobyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({"x": pl.repeat(1.0, 1_000_000, eager=True)}).write_parquet(tmp_path / "t.parquet")
    monkeypatch.setattr("sortal.data.declared.FREELY_DECODED", 1 << 20)
    assert "when they are unpacked" in refusal(tmp_path / "t.parquet")


def test_a_panic_is_an_error_and_other_words_are_kept() -> None:
    code = """
import os, polars as pl
from sortal.data.untrusted import untrusted
with untrusted(), untrusted():
    os.write(2, b"said")
try:
    with untrusted():
        pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date).to_list()
except pl.exceptions.PolarsError as error:
    print(error)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (process.stdout, process.stderr) == ("out-of-range date\n", "said")


@pytest.mark.parametrize("name", ["x" * 300, "loop"])
def test_a_path_that_the_system_refuses(name: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert name[:20] in refusal(tmp_path / name / "t.csv")


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has taken is told by /proc, which is Linux's")
def test_what_a_process_has_taken_of_its_own_limit_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (used_bytes + 2**29, resource.RLIM_INFINITY))
    assert memory_left() == pytest.approx(2**29, rel=0.1)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert memory_left() > 2**29


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_limit_above_the_memory_of_the_machine_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in (resource.RLIM_INFINITY, 1 << 60):
        monkeypatch.setattr(resource, "getrlimit", lambda kind, most=limit: (most, resource.RLIM_INFINITY))
        assert memory_left() == machine
    assert str(too_many_columns("t.csv", 123_456)) == (
        "t.csv has 123,456 columns, and 100,000 is the most that sortal reads; leave some out"
    )
