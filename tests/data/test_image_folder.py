"""A folder of class folders is a table of images and their classes."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import polars as pl
import pytest
from PIL import Image

from sortal.core.errors import DataError
from sortal.data import image_folder
from sortal.data.image_folder import own_target
from sortal.data.read import batches, folder_of, read


def make_folder(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix in (".png", ".JPG"):
            Image.new("RGB", (2, 2)).save(file, "PNG")
        else:
            file.write_text("something else")
    return folder


def test_names_and_classes_in_order(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", ["dog/b.png", "cat/2.JPG", "cat/1.png", "dog/more/a.png"])
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
    source = read(make_folder(tmp_path, [*names, "__MACOSX/cat/5.png"]))
    assert source.frame["label"].to_list() == ["cat", "dog"]
    assert source.notes == ("3 files that are no images were left out: 2 .txt, 1 .db",)


@pytest.mark.parametrize("tops", [("train", "test"), ("Training", "val", "testing")])
def test_parts(tmp_path: Path, tops: tuple[str, ...]) -> None:
    source = read(make_folder(tmp_path, [f"{top}/{kind}/1.png" for top in tops for kind in ("cat", "dog")]))
    assert source.part == "part"
    assert source.frame["label"].to_list() == ["cat", "dog"] * len(tops)
    assert set(source.frame["part"]) == set(tops)
    assert source.notes == (
        f"the folders {', '.join(sorted(tops))} are the column 'part'; --split part takes them as the split",
    )


def test_classes_called_like_parts_among_others(tmp_path: Path) -> None:
    assert set(read(make_folder(tmp_path, ["train/1.png", "bus/2.png"])).frame["label"]) == {"train", "bus"}


def test_images_in_no_class(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, ["cat/1.png", "dog/2.png", "loose.png"])
    source = read(folder)
    assert source.frame["label"].to_list() == ["cat", "dog"]
    assert source.notes == ("1 image lies in no folder of a class and was left out, such as 'loose.png'",)
    source = read(make_folder(tmp_path / "kaggle", ["train/cat/1.png", "train/dog/2.png", "test/3.png", "test/4.png"]))
    assert source.frame["part"].to_list() == ["train", "train"]
    assert source.notes[-1] == "2 images lie in no class and were left out, such as 'test/3.png'"


def test_without_classes(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, ["1.png", "2.png"])
    assert read(folder).frame.columns == ["image"]
    with pytest.raises(DataError, match="holds images, but not in folders of classes"):
        own_target(folder)


def test_a_table_beside_images_is_the_data(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, ["cat/1.png"])
    (folder / "labels.csv").write_text("file,label\ncat/1.png,cat\n")
    assert read(folder).frame.columns == ["file", "label"]
    assert folder_of(folder) == str(folder)
    assert own_target(tmp_path / "labels.csv") is own_target({"a": [1]}) is own_target(["a", "b"]) is None


def test_a_folder_without_any_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no data files"):
        read(make_folder(tmp_path, ["cat/1.pdf"]))


def test_images_as_hugging_face_stores_them(tmp_path: Path) -> None:
    rows = {"image": [{"bytes": b"GIF8", "path": "a.gif"}, {"bytes": None, "path": None}], "label": [0, 1]}
    types = {"image": pl.Struct({"bytes": pl.Binary, "path": pl.String}), "label": pl.Int64}
    pl.DataFrame(rows, schema=types).write_parquet(tmp_path / "train.parquet")
    assert read(tmp_path / "train.parquet").frame.rows() == [(b"GIF8", 0), (None, 1)]


def test_a_zip_archive_of_a_folder_has_the_images_themselves(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path / "photos", ["dog/b.png", "cat/1.png", ".hidden/2.png", "cat/notes.txt", "train/3.png"]
    )
    file = shutil.make_archive(str(tmp_path / "photos"), "zip", folder)
    source, names = read(file), read(folder)
    assert source.frame["label"].to_list() == names.frame["label"].to_list() == ["cat", "dog", "train"]
    assert source.frame["image"].to_list() == [Path(name).read_bytes() for name in names.frame["image"]]
    assert source.notes == names.notes
    assert own_target(file) == "label"


def test_a_damaged_member_of_an_archive_is_no_image(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", ["dog/b.png", "cat/1.png"])
    file = Path(shutil.make_archive(str(tmp_path / "photos"), "zip", folder))
    data = bytearray(file.read_bytes())
    at = data.index(b"cat/1.png") + 20
    data[at : at + 20] = bytes(20)
    file.write_bytes(data)
    contents = read(file).frame["image"].to_list()
    assert contents[0] == b""
    assert contents[1] == (folder / "dog" / "b.png").read_bytes()


def test_other_archives_are_refused(tmp_path: Path) -> None:
    workbook = make_folder(tmp_path / "book", ["xl/media/1.png", "[Content_Types].xml"])
    with pytest.raises(DataError, match="it looks like an Excel workbook"):
        read(shutil.make_archive(str(tmp_path / "book"), "zip", workbook))
    file = shutil.make_archive(str(tmp_path / "tables"), "zip", make_folder(tmp_path / "tables", ["a/notes.txt"]))
    with pytest.raises(DataError, match="a zip archive; unpack it"):
        read(file)


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["a/1.png"], [("a", None)]),
        (["train/a/1.png"], [("train", None)]),  # one folder alone is no split
        (["train/a/1.png", "test/b/2.png"], [("b", "test"), ("a", "train")]),
        (["train/a/x/1.png", "test/b/2.png"], [("b", "test"), ("a", "train")]),
        (["Train/a/1.png", "TEST/b/2.png"], [("b", "TEST"), ("a", "Train")]),
        (["train/a/1.png", "other/b/2.png"], [("other", None), ("train", None)]),
    ],
)
@pytest.mark.parametrize("is_zipped", [False, True])
def test_classes_and_parts_are_the_folders(
    names: list[str], rows: list[tuple[str, str | None]], is_zipped: bool, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "all", names)
    source = read(shutil.make_archive(str(tmp_path / "all"), "zip", folder) if is_zipped else folder)
    parts = source.frame["part"].to_list() if "part" in source.frame.columns else [None] * source.frame.height
    assert list(zip(source.frame["label"], parts, strict=True)) == rows
    assert source.frame.schema["image"] == (pl.Binary if is_zipped else pl.String)


def test_what_lies_beside_classes_is_told_with_one_of_it(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a", ["cat/1.png", "z.png", "b.png"])
    assert read(folder).notes == ("2 images lie in no class and were left out, such as 'b.png'",)
    folder = make_folder(
        tmp_path / "b", ["train/cat/1.png", "test/2.png", "0.png", "x.dat", "y.dat", "LICENSE", "z.Txt"]
    )
    assert read(folder).notes == (
        "4 files that are no images were left out: 2 .dat, 1 LICENSE, 1 .txt",
        "the folders test, train are the column 'part'; --split part takes them as the split",
        "2 images lie in no class and were left out, such as '0.png'",
    )


def test_the_five_commonest_of_other_files_are_named(tmp_path: Path) -> None:
    names = [f"{n}.{ending}" for ending, count in zip("abcdefg", range(7, 0, -1), strict=True) for n in range(count)]
    (note,) = read(make_folder(tmp_path, ["cat/1.png", *names])).notes
    assert note == "28 files that are no images were left out: 7 .a, 6 .b, 5 .c, 4 .d, 3 .e"
    (note,) = read(make_folder(tmp_path / "one", ["cat/1.png", "x.a"])).notes
    assert note == "1 file that is no image was left out: 1 .a"


@pytest.mark.parametrize("at_once", [1, 2, 3, 512])
def test_an_archive_is_read_some_at_a_time(at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "all"
    for number, name in enumerate(["b/1.png", "a/2.png", "b/3.png", "a/4.png", "a/5.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), number).save(folder / name)
    monkeypatch.setattr(image_folder, "_AT_ONCE", at_once)
    file = shutil.make_archive(str(folder), "zip", folder)
    frames = list(image_folder.image_folder(Path(file)).frames(lambda note: None))
    assert [frame.height for frame in frames] == [min(at_once, 5 - first) for first in range(0, 5, at_once)]
    rows = [(int(np.asarray(Image.open(io.BytesIO(image)))[0, 0]), label) for image, label in pl.concat(frames).rows()]
    assert rows == [(1, "a"), (3, "a"), (4, "a"), (0, "b"), (2, "b")]


def test_a_member_may_be_as_large_as_an_image_and_no_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "all", ["a/1.png"])
    file = shutil.make_archive(str(folder), "zip", folder)
    size = (folder / "a/1.png").stat().st_size
    for most, content in ((size, (folder / "a/1.png").read_bytes()), (size - 1, b"")):
        monkeypatch.setattr(image_folder, "MOST_FILE", most)
        assert read(file).frame["image"].to_list() == [content]


def test_whose_target_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = make_folder(tmp_path / "photos", ["a/1.png"])
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    make_folder(tmp_path / "texts", ["a/notes.txt"])
    archive = shutil.make_archive(str(tmp_path / "texts"), "zip", tmp_path / "texts")
    for source, target in [
        *((folder, "label"), (str(folder), "label"), ((folder,), "label"), ([folder, folder], None), (table, None)),
        *(("-", None), (tmp_path / "texts", None), (archive, None), ([1], None)),
    ]:
        assert own_target(source) == target
    with pytest.raises(DataError, match=r"^there is no file and no folder 'gone'$"):
        own_target("gone")
    with pytest.raises(DataError, match=r"^there is no file and no folder 'gone'$"):
        own_target(["gone"])


def test_archives_of_documents_and_of_arrays_are_told_apart(tmp_path: Path) -> None:
    files = {
        "plain": (["a/1.png"], True, False),
        "office": (["a/1.png", "[Content_Types].xml"], False, False),
        "open": (["a/1.png", "mimetype"], False, False),
        "arrays": (["x.npy", "y.npy"], True, True),
        "both": (["x.npy", "y.png"], True, False),
        "none": ([], True, False),
    }
    for name, (members, is_zip, is_npz) in files.items():
        path = tmp_path / name
        with ZipFile(path, "w") as archive:
            for member in members:
                archive.writestr(member, "x")
        assert (image_folder.is_zip(path), image_folder.is_npz(path)) == (is_zip, is_npz), name
    (tmp_path / "text").write_text("PK")
    for path in (tmp_path / "text", tmp_path, tmp_path / "gone"):
        assert not image_folder.is_zip(path)
        assert not image_folder.is_npz(path)
