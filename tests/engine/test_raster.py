"""Op ``raster``: all points of images, as networks take them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from sortal.core.items import Items, Memo
from sortal.engine import compile
from sortal.engine.program import Program
from sortal.engine.raster import Raster


def picture(colours: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "PNG")
    return file.getvalue()


def raster(**settings: object) -> Program:
    return Program("raster", {"column": "photo", "side": 4, "read": "colour", **settings})


COLOURS = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)


def test_all_red_points_then_all_green_and_all_blue() -> None:
    points = compile(raster())({"photo": [picture(COLOURS), None, b"no picture"]})
    assert_array_equal(points[0], COLOURS.transpose(2, 0, 1).ravel() / 255)
    assert np.isnan(points[1:]).all()


def test_grey_has_one_channel() -> None:
    grey = COLOURS[..., 0]
    assert_array_equal(compile(raster(read="grey"))({"photo": [picture(grey)]}), grey.reshape(1, -1) / 255)


def test_other_sizes_and_shapes_become_square() -> None:
    half = np.zeros((10, 40, 3), dtype=np.uint8)
    half[:, 20:] = 255
    points = compile(raster(side=2))({"photo": [picture(half)]}).reshape(3, 2, 2)
    assert_allclose(points[:, :, 0], 0, atol=0.15)
    assert_allclose(points[:, :, 1], 1, atol=0.15)


def test_what_is_remembered_is_the_same() -> None:
    images = [picture(np.full((5, 5, 3), v, dtype=np.uint8)) for v in range(20)]
    memo = Memo()
    run = compile(raster())
    points = run({"photo": Items("photo", images, np.arange(20), memo)})
    assert_array_equal(points, run({"photo": images}))
    assert_array_equal(run({"photo": Items("photo", images[5:9], np.arange(5, 9), memo)}), points[5:9])
    assert Raster(4, True) == Raster(4, True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"side": 257}, "more than the 256"), ({"side": 0}, "'side'"), ({"read": "red"}, "'read'")],
)
def test_settings_that_are_none_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile(raster(**settings))
