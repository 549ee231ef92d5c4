"""A folder of class folders is a table of images and their classes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from sortal.core.errors import DataError
from sortal.data.image_folder import own_target
from sortal.data.read import batches, folder_of, read


def made(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix in (".png", ".JPG"):
            Image.new("RGB", (2, 2)).save(file, "PNG")
        else:
            file.write_text("something else")
    return folder


def test_names_and_classes_in_order(tmp_path: Path) -> None:
    folder = made(tmp_path / "photos", ["dog/b.png", "cat/2.JPG", "cat/1.png", "dog/more/a.png"])
    source = read(folder)
    assert source.name == "photos"
    assert source.frame.to_dict(as_series=False) == {
        "image": [str(folder / name) for name in ("cat/1.png", "cat/2.JPG", "dog/b.png", "dog/more/a.png")],
        "label": ["cat", "cat", "dog", "dog"],
    }
    assert (source.notes, source.part, source.folder) == ((), "", "")
    assert next(batches([str(folder)])).equals(source.frame)
    assert own_target(folder) == own_target([str(folder)]) == "label"


def test_what_is_hidden_and_what_is_no_image(tmp_path: Path) -> None:
    names = ["cat/1.png", "dog/2.png", ".cache/3.png", "dog/.4.png", "dog/Thumbs.db", "dog/notes.txt", "README.txt"]
    source = read(made(tmp_path, [*names, "__MACOSX/cat/5.png"]))
    assert source.frame["label"].to_list() == ["cat", "dog"]
    assert source.notes == ("3 files that are no images were left out: 2 .txt, 1 .db",)


@pytest.mark.parametrize("tops", [("train", "test"), ("Training", "val", "testing")])
def test_parts(tmp_path: Path, tops: tuple[str, ...]) -> None:
    source = read(made(tmp_path, [f"{top}/{kind}/1.png" for top in tops for kind in ("cat", "dog")]))
    assert source.part == "part"
    assert source.frame["label"].to_list() == ["cat", "dog"] * len(tops)
    assert set(source.frame["part"]) == set(tops)
    assert source.notes == (
        f"the folders {', '.join(sorted(tops))} were read as one; --split part takes them as the parts that they are",
    )


def test_classes_called_like_parts_among_others(tmp_path: Path) -> None:
    assert set(read(made(tmp_path, ["train/1.png", "bus/2.png"])).frame["label"]) == {"train", "bus"}


def test_images_in_no_class(tmp_path: Path) -> None:
    folder = made(tmp_path, ["cat/1.png", "dog/2.png", "loose.png"])
    source = read(folder)
    assert source.frame["label"].to_list() == ["cat", "dog"]
    assert source.notes == ("1 image lies in no folder of a class and was left out, such as 'loose.png'",)
    source = read(made(tmp_path / "kaggle", ["train/cat/1.png", "train/dog/2.png", "test/3.png", "test/4.png"]))
    assert source.frame["part"].to_list() == ["train", "train"]
    assert source.notes[-1] == "2 images lie in no folder of a class and were left out, such as 'test/3.png'"


def test_without_classes(tmp_path: Path) -> None:
    folder = made(tmp_path, ["1.png", "2.png"])
    assert read(folder).frame.columns == ["image"]
    with pytest.raises(DataError, match="holds images, but not in folders of classes"):
        own_target(folder)


def test_a_table_beside_images_is_the_data(tmp_path: Path) -> None:
    folder = made(tmp_path, ["cat/1.png"])
    (folder / "labels.csv").write_text("file,label\ncat/1.png,cat\n")
    assert read(folder).frame.columns == ["file", "label"]
    assert folder_of(folder) == str(folder)
    assert own_target(tmp_path / "labels.csv") is own_target({"a": [1]}) is own_target(["a", "b"]) is None


def test_a_folder_without_any_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no data files"):
        read(made(tmp_path, ["cat/1.pdf"]))
