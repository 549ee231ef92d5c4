"""Images of a table that is learned from: which are read, which are lost, and how many there is time for."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from sortal.core.disclosure import Disclosure
from sortal.core.errors import DataError
from sortal.core.frame import conform
from sortal.core.schema import Column, Schema
from sortal.data import images
from sortal.data.images import PILOT, Images, affordable, with_images
from sortal.data.read import Source

SCHEMA = Schema((Column("photo", "image", "feature"), Column("x", "number", "feature")))


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (3, 3), shade).save(file, "PNG")
    return file.getvalue()


def looked_at(source: Source, private: bool = False, schema: Schema = SCHEMA) -> Images:
    frame = conform(source.frame, schema, source=source.name, folder=source.folder)
    return with_images(source, schema, frame, Disclosure(5, private=private))


def of_bytes(*values: bytes | None) -> Source:
    frame = pl.DataFrame({"photo": values, "x": range(len(values))}, schema={"photo": pl.Binary, "x": pl.Int64})
    return Source(frame, "t.parquet")


def test_names_are_kept_aside_and_images_take_their_place(tmp_path: Path) -> None:
    for shade in (10, 20):
        (tmp_path / f"{shade}.png").write_bytes(png(shade))
    source = Source(pl.DataFrame({"photo": ["20.png", None, "10.png"], "x": [1, 2, 3]}), "t.csv", folder=str(tmp_path))
    result = looked_at(source)
    assert result.columns == ("photo",)
    assert result.names["photo"].to_list() == [str(tmp_path / "20.png"), None, str(tmp_path / "10.png")]
    assert result.raw.columns == ["photo", "x"]
    assert result.raw["photo"].to_list() == [png(20), None, png(10)]
    assert result.unread.to_list() == [False] * 3
    assert result.notes == ()


def test_bytes_have_no_names() -> None:
    result = looked_at(of_bytes(png(1), png(2)))
    assert result.names.shape == (0, 0)
    assert result.raw["photo"].to_list() == [png(1), png(2)]


def test_what_could_not_be_read_is_named_and_what_is_missing_is_not() -> None:
    result = looked_at(of_bytes(png(1), b"no image", None, png(2)))
    assert result.unread.to_list() == [False, True, False, False]
    (note,) = result.notes
    assert "row 2" in note
    assert note.endswith("; its row was left out")
    (note,) = looked_at(of_bytes(png(1), b"no image", b"none", png(2))).notes
    assert note.endswith("; their rows were left out")


def test_a_row_is_lost_with_any_of_its_images() -> None:
    schema = Schema((Column("a", "image", "feature"), Column("b", "image", "feature"), Column("c", "image", "ignore")))
    frame = pl.DataFrame(
        {"a": [png(1), b"x", png(2), png(3)], "b": [b"x", png(4), png(5), png(6)], "c": [b"x"] * 4},
        schema=dict.fromkeys("abc", pl.Binary),
    )
    result = looked_at(Source(frame, "t.parquet"), schema=schema)
    assert result.columns == ("a", "b")
    assert result.unread.to_list() == [True, True, False, False]
    assert len(result.notes) == 2
    assert result.raw["c"].to_list() == [b"x"] * 4


def test_where_none_can_be_read_that_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^no image of t\.parquet can be read: "):
        looked_at(of_bytes(b"x", None, b"y"))
    assert looked_at(of_bytes(None, None)).unread.to_list() == [False, False]


def test_a_private_run_quotes_no_name(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(png(1))
    source = Source(pl.DataFrame({"photo": ["good.png", "Smith.png"], "x": [1, 2]}), "t.csv", folder=str(tmp_path))
    assert "Smith" in looked_at(source).notes[0]
    assert "Smith" not in looked_at(source, private=True).notes[0]


@pytest.mark.parametrize(
    ("rows", "seconds", "pilot_seconds", "readable"),
    [
        (1_000, 10.0, 1.0, 640),
        (1_000, 10.0, 2.0, 320),
        (1_000, 20.0, 1.0, 1_000),
        (1_000, 0.5, 1.0, PILOT),  # what was read already
        (1_000, math.inf, 1.0, 1_000),
        (PILOT, 0.0, 1.0, PILOT),
        (PILOT + 1, 0.0, 1.0, PILOT),
    ],
)
def test_as_many_images_as_a_few_say_there_is_time_for(
    rows: int, seconds: float, pilot_seconds: float, readable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 100.0 + pilot_seconds])
    monkeypatch.setattr(images.time, "monotonic", lambda: next(clock))
    counts: list[int] = []
    monkeypatch.setattr(images, "map_in_threads", lambda reader, values: counts.append(len(values)))
    frame = pl.DataFrame({"photo": [png(1)] * rows, "x": np.arange(rows)})
    assert affordable(Source(frame, "t"), SCHEMA, seconds) == readable
    assert counts == ([PILOT] if rows > PILOT and math.isfinite(seconds) else [])


def test_a_table_without_images_is_read_whole() -> None:
    schema = Schema((Column("photo", "image", "ignore"), Column("x", "number", "feature")))
    assert affordable(of_bytes(*[png(1)] * 100), schema, 0.0) == 100


def test_the_few_are_drawn_from_everywhere_and_read_with_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_paths: list[str] = []
    monkeypatch.setattr(images, "map_in_threads", lambda reader, values: read_paths.extend(values))
    names = [f"{k}.png" for k in range(500)]
    for name in names:
        (tmp_path / name).touch()
    frame = pl.DataFrame({"photo": names, "x": np.arange(500)})
    affordable(Source(frame, "t", folder=str(tmp_path)), SCHEMA, 1.0)
    assert {Path(name).parent for name in read_paths} == {tmp_path}
    numbers = [int(Path(name).stem) for name in read_paths]
    assert len(set(numbers)) == PILOT
    assert min(numbers) < 50
    assert max(numbers) > 450
