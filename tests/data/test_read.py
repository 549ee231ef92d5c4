"""Files of every format become the same raw table; what is no table is refused in a sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather

from sortal.core.errors import DataError
from sortal.data import read as read_module
from sortal.data.read import batches, files_of, folder_of, holds_records, read

TABLE = pl.DataFrame({"n": [1, 2, 3], "x": [0.5, None, 2.0], "s": ["a", "b,c", None]})
WRITERS: dict[str, Callable[[Path], object]] = {
    "table.parquet": TABLE.write_parquet,
    "table.arrow": TABLE.write_ipc,
    "stream.arrow": TABLE.write_ipc_stream,
    "table.feather": TABLE.write_ipc,
    "table.jsonl": TABLE.write_ndjson,
    "table.json": TABLE.write_json,
}


def zip_of(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, "x")
    return data.getvalue()


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("disguise", [False, True])
def test_formats_are_known_by_content(name: str, disguise: bool, tmp_path: Path) -> None:
    path = tmp_path / ("table.csv" if disguise else name)
    WRITERS[name](path)
    source = read(path)
    assert source.frame.equals(TABLE)
    assert source.name == path.name
    assert source.notes == ()
    assert pl.concat(batches(path, size=2)).equals(TABLE)
    assert [frame.height for frame in batches(path, size=2)] == [2, 1]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_text(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "table.csv.packed"
    path.write_bytes(pack(b"a,b\n1,x\n"))
    assert read(path).frame.to_dicts() == [{"a": "1", "b": "x"}]


def test_csv_is_text_throughout(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    TABLE.write_csv(path)
    assert read(path).frame.rows() == [("1", "0.5", "a"), ("2", None, "b,c"), ("3", "2.0", None)]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(
        st.fixed_dictionaries(
            {"a": st.none() | st.integers(-9, 9) | st.text("ab", max_size=3)},
            optional={"b": st.none() | st.floats(-9, 9) | st.booleans()},
        ),
        min_size=1,
        max_size=20,
    )
)
def test_json_lines_keep_every_value(records: list[dict[str, object]], tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records))
    frame = read(path).frame
    assert frame.height == len(records)
    for record, row in zip(records, frame.to_dicts(), strict=True):
        for name in ("a", "b"):
            value = record.get(name)
            assert (row.get(name) is None) == (value is None)
            if isinstance(value, str) or isinstance(row.get(name), int | float):
                assert row[name] == value


def test_json_of_mixed_types_and_nan(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text('{"a": 1}\n\n{"a": [1]}\n{"a": NaN, "b": true}\n')
    assert read(path).frame.rows() == [("1", None), ("[1]", None), (None, True)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "t.csv is empty"),
        ("t.csv", b"a,b\n", "t.csv has a header but no rows"),
        ("t.csv", b"a,b", "t.csv has a header but no rows"),
        ("t.csv", zip_of("xl/workbook.xml"), "an Excel workbook; save the sheet as CSV"),
        ("t.csv", zip_of("a.csv"), "a zip archive; unpack it"),
        ("t.csv", b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel or Office file"),
        ("t.csv", b"%PDF-1.7", "a PDF document"),
        ("t.csv", b"\x89PNG\r\n\x1a\n", "a PNG image"),
        ("t.csv", b"\x80\x04\x95\x00\x00", "a pickle"),
        ("t.csv", b"\n<!DOCTYPE html><html></html>", "a web page"),
        ("t.csv", b"a,b\n\x00\x01,2\n", "a binary file (a NUL byte in line 2)"),
        ("t.csv", b"\x28\xb5\x2f\xfd....", "compressed with zstd"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "damaged and cannot be unpacked"),
        ("t.parquet", b"a,b\n1,2\n", "named like a Parquet file, but its content is none"),
        ("t.json", b"hello", "named like a JSON file, but begins with 'hello'"),
        ("t.json", b"[1, 2]", "holds JSON, but no table"),
        ("t.jsonl", b'{"a": 1}\n{"a":\n', "line 2 is no JSON"),
        ("t.jsonl", b'{"a": 1}\n3\n', "line 2 is no record"),
    ],
)
def test_what_is_no_table_is_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for attempt in (read, lambda p: list(batches(p))):
        with pytest.raises(DataError) as excinfo:
            attempt(path)
        assert message in str(excinfo.value)
        assert name in str(excinfo.value)


@pytest.mark.parametrize("name", ["table.parquet", "table.arrow", "stream.arrow"])
def test_a_file_that_was_cut_off(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"damaged or cut off"):
        read(path)


@pytest.mark.parametrize("writer", [pq.write_table, feather.write_feather], ids=["parquet", "feather"])
def test_times_in_a_zone_without_a_name_are_no_damage(writer: Any, tmp_path: Path) -> None:
    """pyarrow and pandas write +05:45, and polars reads names alone."""
    path = tmp_path / "table"
    writer(pa.table({"a": pa.array([0], pa.timestamp("us", tz="+05:45"))}), str(path))
    with pytest.raises(DataError, match=r"^table has times in the zone '\+05:45', .*; save them in UTC$"):
        read(path)


def test_a_missing_file_is_answered_with_near_names(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"no file 'chrun.csv' .*did you mean 'churn.csv'\?"):
        read(tmp_path / "chrun.csv")
    with pytest.raises(DataError, match="there is no folder"):
        read(tmp_path / "nowhere" / "churn.csv")
    with pytest.raises(DataError, match="no file was given"):
        read([])


def test_a_folder_of_parts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no data files"):
        read(tmp_path)
    (tmp_path / "part-1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "part-2.csv").write_text("b,a\n3,4\n")
    for name in ("_SUCCESS", ".hidden.csv", "notes.md"):
        (tmp_path / name).write_text("x")
    source = read(tmp_path)
    assert source.frame.rows() == [("1", "2"), ("4", "3")]
    assert source.notes == ("left out of the folder: notes.md",)
    assert source.name == tmp_path.name
    several = read([tmp_path / "part-2.csv", tmp_path / "part-1.csv"])
    assert (several.name, several.frame.rows()) == ("part-2.csv and 1 more", [("3", "4"), ("2", "1")])
    (tmp_path / "part-3.csv").write_text("a,c\n5,6\n")
    for attempt in (read, lambda p: list(batches(p))):
        with pytest.raises(DataError, match=r"part-3.csv has a column 'c' that part-1.csv lacks"):
            attempt(tmp_path)


def test_parts_of_other_types_and_empty_parts(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1], "b": [1]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"a": [], "b": []}, schema={"a": pl.Float64, "b": pl.Int64}).write_parquet(tmp_path / "2.parquet")
    pl.DataFrame({"a": [2.5], "b": [["x"]]}).write_parquet(tmp_path / "3.parquet")
    frame = read(tmp_path / "1.parquet").frame
    assert read([tmp_path / "1.parquet", tmp_path / "2.parquet"]).frame.equals(frame.cast({"a": pl.Float64}))
    assert read(tmp_path).frame.rows() == [(1.0, "1"), (2.5, "['x']")]


def test_names_are_trimmed_in_every_format(tmp_path: Path) -> None:
    table = pl.DataFrame({" a ": [1], "": [2]})
    table.write_csv(tmp_path / "t.csv")
    table.write_parquet(tmp_path / "t.parquet")
    table.write_ndjson(tmp_path / "t.jsonl")
    for path in tmp_path.iterdir():
        assert read(path).frame.columns == ["a", "column_2"]


def test_batches_are_the_rows_of_a_larger_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"i": np.arange(30_000), "x": rng.normal(size=30_000), "s": rng.choice(["a", "b\nc"], 30_000)})
    for name, write in (("t.csv", table.write_csv), ("t.parquet", table.write_parquet)):
        write(tmp_path / name)
        parts = list(batches(tmp_path / name, size=7_000))
        assert max(part.height for part in parts) <= 7_000
        assert pl.concat(parts).equals(read(tmp_path / name).frame)
    assert pl.concat(batches(tmp_path / "t.csv"))["i"].cast(pl.Int64).equals(table["i"])


def names(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).write_text("a,b\n1,2\n")
    return folder


@pytest.mark.parametrize(
    ("files", "parts", "expected"),
    [
        (["b.csv", "a.csv"], ["a.csv", "b.csv"], None),
        (["a.csv", "notes.md", "z.pdf"], ["a.csv"], "left out of the folder: notes.md, z.pdf"),
        (["part-1", "part-0"], ["part-0", "part-1"], None),
        (["part-0", "a.csv"], ["a.csv"], "left out of the folder: part-0"),
        (["part-0", "x.md"], ["part-0"], "left out of the folder: x.md"),
        (
            ["a.CSV.gz", "b.txt.bz2", "c.tsv.xz", "d.gz"],
            ["a.CSV.gz", "b.txt.bz2", "c.tsv.xz"],
            "left out of the folder: d.gz",
        ),
        ([".hidden.csv", "_part.csv", "a.tab"], ["a.tab"], None),
    ],
)
def test_the_parts_of_a_folder(files: list[str], parts: list[str], expected: str | None, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    assert [file.name for file in files_of(names(tmp_path, *files))] == parts
    notes = [note for note in read(tmp_path).notes if "left out" in note]
    assert notes == ([] if expected is None else [expected])
    assert read(tmp_path).frame.rows() == [("1", "2")] * len(parts)


def test_files_are_named_in_the_order_that_they_were_given_in(tmp_path: Path) -> None:
    names(tmp_path, "b.csv", "a.csv", "c.csv")
    paths = [tmp_path / "c.csv", str(tmp_path / "a.csv"), tmp_path / "b.csv"]
    assert [file.name for file in files_of(paths)] == ["c.csv", "a.csv", "b.csv"]
    assert read(paths).name == "c.csv and 2 more"
    assert read(paths[:1]).name == "c.csv"


def test_a_file_in_the_home_of_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(names(tmp_path, "t.csv")))
    assert read("~/t.csv").frame.height == 1


def test_where_a_folder_is_empty_no_name_is_near(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^no file 't\.csv' in .*; the folder is empty$"):
        read(tmp_path / "t.csv")
    names(tmp_path, ".t.csv")
    with pytest.raises(DataError, match=r"; the folder is empty$"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("files", "folder", "separator"),
    [(["a.csv"], True, ","), (["a.csv", "b.csv"], True, ","), (["a.csv", "c.csv"], True, ""), (["c.csv"], True, ";")],
)
def test_what_separates_is_said_where_all_parts_agree(
    files: list[str], folder: bool, separator: str, tmp_path: Path
) -> None:
    names(tmp_path, "a.csv", "b.csv")
    (tmp_path / "c.csv").write_text("a;b\n3;4\n")
    source = read([tmp_path / file for file in files])
    assert (source.separator, source.folder, source.part, source.ordered) == (separator, str(tmp_path), "", True)


def test_records_are_so_where_all_parts_are(tmp_path: Path) -> None:
    names(tmp_path, "a.csv")
    (tmp_path / "b.jsonl").write_text('{"a": "1", "b": "2"}\n')
    for files, records in ((["b.jsonl"], True), (["a.csv", "b.jsonl"], False), (["a.csv"], False)):
        paths = [tmp_path / file for file in files]
        assert holds_records(paths) == read(paths).records == records == holds_records(read(paths))
        assert folder_of(read(paths)) == folder_of(paths) == str(tmp_path)


def test_a_table_that_was_read_is_given_out_with_its_notes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n" + "1;2\n" * 5)
    source = read(tmp_path / "t.csv")
    for way in (source, tmp_path / "t.csv"):
        notes: list[str] = []
        assert [frame.height for frame in batches(way, 2, notes.append)] == [2, 2, 1]
        assert notes == ["fields are separated by ';'"]
    assert [frame.height for frame in batches(source)] == [5]
    large = replace(source, frame=pl.DataFrame({"a": range(65_537)}))
    assert [frame.height for frame in batches(large)] == [65_536, 1]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_as_many_columns_as_are_read_and_one_more(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"t.{kind}"
    {"csv": TABLE.write_csv, "jsonl": TABLE.write_ndjson, "parquet": TABLE.write_parquet}[kind](path)
    for most in (3, 2):
        monkeypatch.setattr(read_module, "MOST_COLUMNS", most)
        if most == 3:
            assert read(path).frame.width == 3
        else:
            with pytest.raises(DataError, match=r"^t\.\w+ has 3 columns"):
                read(path)


def test_the_memory_of_all_parts_is_needed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(read_module, "refuse_beyond_memory", lambda name, size: calls.append((name, size)))
    for name in ("1.arrow", "2.arrow"):
        pl.DataFrame({"i": range(100)}, schema={"i": pl.Int64}).write_ipc(tmp_path / name)
    read([tmp_path / "1.arrow", tmp_path / "2.arrow"])
    assert calls == [("1.arrow and 1 more", 1_600)]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("t.json", b'{"a": 1}\n{"a": 2}\n', "json lines"),
        ("t.json", b'{"a": 1}', "json lines"),
        ("t.json", b'{"a": [1]}', "json"),
        ("t.jsonl", b'{"a": [1]}', "json lines"),
        ("t.ndjson", b'{"a": [1]}\n', "json lines"),
        ("t.json", b'{"a": [1]}\n{"a": [2]}\n', "json lines"),
        ("t.json", b'{\n"a": 1}', "json"),
        ("t.json", b'[{"a": 1}]', "json"),
        ("t.csv", b'[\n {"a": 1}]', "json"),
        ("t.csv", b'{ "a": 1}', "json lines"),
        ("t.csv", b"{a},b\n1,2\n", "delimited"),
        ("t.csv", b"[a],b\n1,2\n", "delimited"),
        ("t.json", b"\xef\xbb\xbf\n [1]", "json"),
        ("t.csv", b'\xef\xbb\xbf{"a": 1}\n', "json lines"),
        ("t.json", b'{"a": {"b": 1}}', "json lines"),
        ("t.json.gz", gzip.compress(b'{"a": 1}', mtime=0), "json lines"),
        ("t", b"a,b", "delimited"),
        ("t.json", b'{"a": 1}  \r\n', "json lines"),
        ("t.json", b'{"a": 1,\n"b": 2}', "json"),
    ],
)
def test_the_format_is_that_of_the_content(name: str, content: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_module._format(tmp_path / name) == kind


def test_a_record_that_is_longer_than_the_head_is_one(tmp_path: Path) -> None:
    record = json.dumps({"a": "x" * 70_000, "b": 1})
    for text, kind in ((record, "json lines"), (f"{record}\n{record}", "json lines"), (f"[{record}]", "json")):
        (tmp_path / "t.json").write_text(text)
        assert read_module._format(tmp_path / "t.json") == kind
        assert read(tmp_path / "t.json").frame["b"][0] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are texts")
def test_a_name_that_is_not_in_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9"))
    TABLE.write_csv(tmp_path / "t.csv")
    path.write_bytes((tmp_path / "t.csv").read_bytes())
    assert read(path).frame.height == 3
    TABLE.write_parquet(tmp_path / "t.parquet")
    path.write_bytes((tmp_path / "t.parquet").read_bytes())
    with pytest.raises(DataError, match="has a name that is not in UTF-8, and Parquet files are opened by it; rename"):
        read(path)


def test_images_beside_their_bytes_are_bytes_and_other_pairs_are_not(tmp_path: Path) -> None:
    pair, other = pl.Struct({"bytes": pl.Binary, "path": pl.String}), pl.Struct({"bytes": pl.Binary, "size": pl.Int64})
    frame = pl.DataFrame(
        {
            "n": [1, 2],
            "a": [{"bytes": b"1", "path": "p"}, None],
            "b": [{"bytes": b"2", "path": None}] * 2,
            "c": [{"bytes": b"3", "size": 4}] * 2,
        },
        schema={"n": pl.Int64, "a": pair, "b": pair, "c": other},
    )
    frame.write_parquet(tmp_path / "t.parquet")
    table = read(tmp_path / "t.parquet").frame
    assert table.schema == {"n": pl.Int64, "a": pl.Binary, "b": pl.Binary, "c": other}
    assert table.rows() == [(1, b"1", b"2", {"bytes": b"3", "size": 4}), (2, None, b"2", {"bytes": b"3", "size": 4})]


def test_notes_beside_images_are_no_table_of_them(tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for note in ("notes.txt", "about.json"):
        (tmp_path / note).write_text("{}")
        source = read(tmp_path)
        assert (source.frame["label"].to_list(), source.ordered) == (["cat", "dog"], False)
    (tmp_path / "notes.txt").unlink()
    (tmp_path / "about.json").unlink()
    names(tmp_path, "labels.tsv")  # a table is the data
    assert read(tmp_path).frame.columns == ["a", "b"]
