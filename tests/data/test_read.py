"""Files of every format become the same raw table; what is no table is refused in a sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sortal.core.errors import DataError
from sortal.data.read import batches, read

TABLE = pl.DataFrame({"n": [1, 2, 3], "x": [0.5, None, 2.0], "s": ["a", "b,c", None]})
WRITERS: dict[str, Callable[[Path], object]] = {
    "table.parquet": TABLE.write_parquet,
    "table.arrow": TABLE.write_ipc,
    "stream.arrow": TABLE.write_ipc_stream,
    "table.feather": TABLE.write_ipc,
    "table.jsonl": TABLE.write_ndjson,
    "table.json": TABLE.write_json,
}


def zipped(name: str) -> bytes:
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


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    for record, found in zip(records, frame.to_dicts(), strict=True):
        for name in ("a", "b"):
            value = record.get(name)
            assert (found.get(name) is None) == (value is None)
            if isinstance(value, str) or isinstance(found.get(name), int | float):
                assert found[name] == value


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
        ("t.csv", zipped("xl/workbook.xml"), "an Excel workbook; save the sheet as CSV"),
        ("t.csv", zipped("a.csv"), "a zip archive; unpack it"),
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
        with pytest.raises(DataError) as raised:
            attempt(path)
        assert message in str(raised.value)
        assert name in str(raised.value)


@pytest.mark.parametrize("name", ["table.parquet", "table.arrow", "stream.arrow"])
def test_a_file_that_was_cut_off(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"damaged or cut off"):
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
