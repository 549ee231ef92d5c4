"""Images as columns: of colours, or of grey; missing ones are of middling colours."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
from numpy.testing import assert_allclose
from PIL import Image

from sortal.core.schema import Column
from sortal.engine import compile
from sortal.prepare.image import colour, thumbnail
from sortal.prepare.view import EncodedColumn, Labels, View

VIEW = View("raw", "codes")


def plain(*colours: tuple[int, int, int]) -> list[bytes]:
    images = []
    for rgb in colours:
        file = io.BytesIO()
        Image.new("RGB", (16, 16), rgb).save(file, "PNG")
        images.append(file.getvalue())
    return images


def fitted(preparer, images: list[bytes | None], view: View = VIEW) -> tuple[EncodedColumn, np.ndarray]:
    values = pl.Series(images, dtype=pl.Binary)
    prepared = preparer.fit(Column("photo", "image"), values, Labels(np.arange(len(images)) % 2, 2), view, 0)
    return prepared, compile(prepared.program)({"photo": values})


def test_the_mean_colour() -> None:
    prepared, matrix = fitted(colour, plain((255, 0, 51), (0, 102, 0)))
    assert prepared.names == ("photo red", "photo green", "photo blue")
    assert prepared.numeric
    assert_allclose(matrix, [[1, 0, 0.2], [0, 0.4, 0]])


def test_without_a_colour_in_training_there_is_one_column_a_field() -> None:
    prepared, matrix = fitted(thumbnail, plain((51, 51, 51), (255, 255, 255)))
    assert len(prepared.names) == 64
    assert prepared.names[:2] == ("photo grey 1,1", "photo grey 1,2")
    assert_allclose(matrix, np.repeat([[0.2], [1.0]], 64, axis=1))
    later = compile(prepared.program)({"photo": plain((0, 0, 153))})
    assert_allclose(later, np.full((1, 64), 0.2))


def test_missing_ones_have_a_column_and_the_median_colour() -> None:
    prepared, matrix = fitted(colour, [*plain((0, 0, 0), (51, 255, 102), (255, 255, 255)), None])
    assert prepared.names[-1] == "photo is missing"
    assert_allclose(matrix[3], [0.2, 1.0, 0.4, 1])
    assert_allclose(matrix[:3, 3], 0)
    prepared, _ = fitted(colour, plain((0, 51, 0)))
    assert_allclose(compile(prepared.program)({"photo": [None]}), [[0, 0.2, 0]])


def test_the_median_is_no_single_images() -> None:
    images = [*plain((0, 51, 0), (255, 255, 255), (9, 0, 0)), None]
    _, matrix = fitted(colour, images, View("raw", "codes", smallest_count=5))
    assert_allclose(matrix[3], [0.5, 0.5, 0.5, 1])


def test_without_any_image() -> None:
    prepared, matrix = fitted(thumbnail, [None, None])
    assert_allclose(matrix[:, :-1], 0.5)
    assert len(prepared.names) == matrix.shape[1]
