"""Images with a part covered, and small pictures of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from sortal.core.image_patches import GRID, SIDE, covered, small
from sortal.core.images import UnreadableError, canonical


def png_of(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def read(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image)))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_each_field_is_covered_once_and_nothing_else_changes() -> None:
    pixels = noise(15, 30)
    pictures = covered(png_of(pixels))
    assert len(pictures) == GRID**2
    differs = np.array([(read(picture) != pixels).any(axis=2) for picture in pictures])
    assert differs.sum(axis=0).max() == 1
    assert differs.any(axis=0).mean() > 0.98  # a pixel of the mean colour changes nothing
    mean = pixels.mean(axis=(0, 1)).round()
    for picture, mask in zip(pictures, differs, strict=True):
        assert_array_equal(read(picture)[mask], np.broadcast_to(mean, (mask.sum(), 3)))
    rows, columns = np.nonzero(differs[0])
    assert (rows.max(), columns.max()) == (1, 3)


def test_a_covered_image_is_kept_as_it_is() -> None:
    image = canonical(png_of(noise(256, 256)))
    first = covered(image)[0]
    assert canonical(first) == first


def test_grey_and_tiny_images_can_be_covered() -> None:
    grey = np.random.default_rng(1).integers(0, 256, (8, 9), dtype=np.uint8)
    assert read(covered(png_of(grey))[3]).shape == (8, 9)
    assert len(covered(png_of(noise(1, 1)))) == GRID**2


@pytest.mark.parametrize(("height", "width"), [(10, 20), (300, 40), (128, 128), (1, 500)])
def test_a_small_picture_has_the_shape_of_the_image(height: int, width: int) -> None:
    picture = read(small(png_of(noise(height, width))))
    scale = SIDE / max(height, width)
    assert picture.shape == (max(1, round(scale * height)), max(1, round(scale * width)), 3)


def test_heat_is_orange_where_it_is_above_zero_and_blue_below() -> None:
    grey = png_of(np.full((70, 70), 128, dtype=np.uint8))
    heat = np.zeros((GRID, GRID))
    heat[0, :], heat[-1, :] = 1.0, -1.0
    plain, coloured = read(small(grey)).astype(int), read(small(grey, heat)).astype(int)
    assert np.abs(plain - 128).max() <= 3
    top, middle, bottom = (coloured[at].mean(axis=0) for at in (2, 64, 125))
    assert top[0] > top[1] > top[2]
    assert bottom[2] > bottom[1] > bottom[0]
    assert np.abs(middle - 128).max() <= 6


def test_what_is_no_image_says_so() -> None:
    for ask in (covered, small):
        with pytest.raises(UnreadableError, match="no image"):
            ask(b"nothing")
