"""Arrays of images and of their classes are a table of images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from sortal.core.errors import DataError
from sortal.core.sheets import GoalOptions, RowOptions
from sortal.data.image_folder import own_target
from sortal.data.problem import frame_problem
from sortal.data.read import read

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
COLOURED = RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def save(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def pixels(frame: pl.DataFrame) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(image))) for image in frame["image"]])


def test_keras_mnist(tmp_path: Path) -> None:
    names = {"x_train": GREY, "y_train": LABELS.astype(np.uint8), "x_test": GREY[:2], "y_test": LABELS[:2]}
    source = read(save(tmp_path / "mnist.npz", **names))
    assert source.frame.schema == {"image": pl.Binary, "label": pl.Int64, "part": pl.String}
    assert np.array_equal(pixels(source.frame), np.concatenate([GREY, GREY[:2]]))
    assert source.frame["label"].to_list() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert source.frame["part"].to_list() == ["train"] * 6 + ["test"] * 2
    assert (source.part, source.ordered) == ("part", True)
    assert source.notes == ("the arrays of train, test are the column 'part'; --split part takes them as the split",)
    assert own_target(tmp_path / "mnist.npz") == "label"


def test_medmnist_has_labels_in_a_column_and_three_parts(tmp_path: Path) -> None:
    parts = ("train", "val", "test")
    names = {f"{part}_images": COLOURED for part in parts} | {f"{part}_labels": LABELS[:, None] for part in parts}
    frame = read(save(tmp_path / "path.npz", **names)).frame
    assert frame["part"].unique(maintain_order=True).to_list() == list(parts)
    assert np.array_equal(pixels(frame), np.concatenate([COLOURED] * 3))
    assert frame["label"].to_list() == LABELS.tolist() * 3


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (COLOURED / 255, COLOURED),
        (COLOURED.astype(np.float32), COLOURED),
        (GREY[..., None], GREY),
        (GREY.astype(np.uint16) * 256 + 7, GREY),
        (GREY > 100, (GREY > 100) * np.uint8(255)),
        (GREY.astype(np.int64) - 5, np.maximum(GREY.astype(int) - 5, 0).astype(np.uint8)),
    ],
)
def test_numbers_of_every_sort_become_eight_bits(images: np.ndarray, expected: np.ndarray, tmp_path: Path) -> None:
    source = read(save(tmp_path / "a.npz", images=images, labels=np.array(list("abcabc")), made=np.arange(3.0)))
    assert np.array_equal(pixels(source.frame), expected)
    assert source.frame["label"].to_list() == list("abcabc")
    assert source.frame.columns == ["image", "label"]
    assert source.notes == ("arrays that are neither images nor their labels were left out: made",)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((6, 20)), "y": LABELS}, r"holds no array of images.*there are x \(6, 20\), y \(6,\)"),
        ({"x": GREY, "y": LABELS[:5]}, "x needs one array of as many labels"),
        ({"x": GREY}, "x needs one array of as many labels"),
        ({"x": GREY, "y": LABELS, "z": LABELS}, "x needs one array of as many labels"),
        ({"x": GREY, "x2": GREY, "y": LABELS}, "x needs one array of as many labels"),
        ({"x": GREY, "y": np.array([{}] * 6)}, "x needs one array of as many labels"),
    ],
)
def test_what_is_no_pair_is_refused(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", allow_pickle=True, **arrays)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.npz")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", images=GREY, labels=LABELS)
    data = bytearray(path.read_bytes())
    data[200:230] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.npz is damaged or cut off"):
        read(path)


def test_they_are_a_problem_like_any_other(tmp_path: Path) -> None:
    parts = {"x_train": GREY, "y_train": LABELS, "x_test": GREY[::-1], "y_test": LABELS}
    problem = frame_problem(save(tmp_path / "a.npz", **parts), GoalOptions("label"), RowOptions(split="part"))
    assert problem.task.classes == ("0", "1", "2")
    assert {column.name: (column.kind, column.role) for column in problem.table.schema.columns} == {
        "image": ("image", "feature"),
        "label": ("category", "target"),
        "part": ("category", "split"),
    }
    assert problem.codes.tolist() == LABELS.tolist() * 2
