"""Images as all of their points: of the size that most have, in the place that a network is told."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.engine import compile
from sortal.prepare import image
from sortal.prepare.table import fit
from sortal.prepare.view import ImageColumns, Labels, View

VIEW = View("imputed", "onehot", images="raster")


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> bytes:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def table(photos: list[bytes | None]) -> Table:
    frame = pl.DataFrame({"price": np.arange(len(photos), dtype=float), "photo": pl.Series(photos, dtype=pl.Binary)})
    return Table(Schema((Column("price", "number"), Column("photo", "image"))), frame, np.arange(len(photos)))


def labels(n: int) -> Labels:
    return Labels(np.arange(n) % 2, 2)


def test_a_network_is_told_where_the_points_of_its_images_stand() -> None:
    photos = [picture(20, 20, seed=seed) for seed in range(6)]
    preprocessor, X = fit(table(photos), labels(6), VIEW, 0)
    assert preprocessor.image == ImageColumns(1, 3, 20)
    assert X.shape == (6, 1 + 3 * 400)
    points = np.asarray(Image.open(io.BytesIO(photos[4])))
    assert_allclose(preprocessor.image.of(X)[4], points.transpose(2, 0, 1) / 255)
    assert preprocessor.names[1:3] == ("photo red 0,0", "photo red 0,1")
    assert set(preprocessor.sources[1:]) == {("photo",)}


def test_other_views_show_no_points() -> None:
    preprocessor, _ = fit(table([picture(20, 20)] * 4), labels(4), View("imputed", "onehot"), 0)
    assert preprocessor.image is None


def test_a_selection_of_columns_leaves_images_whole() -> None:
    preprocessor, X = fit(table([picture(16, 16, "L")] * 4), labels(4), VIEW, 0, select=2)
    assert preprocessor.image == ImageColumns(1, 1, 16)
    assert X.shape[1] == 257


def test_missing_images_are_grey() -> None:
    _, X = fit(table([picture(16, 16, "L"), None]), labels(2), VIEW, 0)
    assert_allclose(X[1, 1:], 0.5)


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(28, 28)] * 3, 28),
        ([(30, 17), (29, 12), (70, 4)], 32),
        ([(200, 100), (150, 90), (10, 10)], 64),
        ([(4, 4)] * 3, 16),
    ],
)
def test_points_on_a_side_are_those_of_most_images_in_fours(sizes: list[tuple[int, int]], side: int) -> None:
    column = Column("photo", "image")
    values = pl.Series([picture(*size) for size in sizes], dtype=pl.Binary)
    prepared = image.raster.fit(column, values, labels(len(sizes)), VIEW, 0)
    assert prepared.program.steps[0].settings["side"] == side
    assert compile(prepared.program)({"photo": values}).shape == (len(sizes), 3 * side**2)


def test_many_images_are_made_smaller_so_that_a_matrix_of_them_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MOST_POINTS", 3 * 5 * 23**2)
    values = pl.Series([picture(40, 40, seed=seed) for seed in range(5)], dtype=pl.Binary)
    prepared = image.raster.fit(Column("photo", "image"), values, labels(5), VIEW, 0)
    assert prepared.program.steps[0].settings["side"] == 20
