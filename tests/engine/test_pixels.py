"""Op ``pixels``: images to the colours of their fields, from 0 to 1."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from sortal.core.images import FIELDS
from sortal.core.items import Items, Memo
from sortal.engine import compile
from sortal.engine.pixels import looks
from sortal.engine.program import Program


def picture(fields: list[list[tuple[int, int, int]]], scale: int = 6) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.kron(np.array(fields, dtype=np.uint8), np.ones((scale, scale, 1), dtype=np.uint8))).save(
        file, "PNG"
    )
    return file.getvalue()


FLAG = [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (51, 102, 153)]]


def pixels(**settings: object) -> Program:
    return Program("pixels", {"column": "photo", "side": 2, "read": "colour", **settings})


def test_red_green_and_blue_row_by_row() -> None:
    colours = compile(pixels())({"photo": [picture(FLAG), None]})
    assert_allclose(colours[0], [1, 0, 0, 0, 1, 0, 0, 0, 1, 0.2, 0.4, 0.6], atol=1e-15)
    assert np.isnan(colours[1]).all()


def test_grey_is_the_mean_of_the_colours() -> None:
    colours = compile(pixels(read="grey"))({"photo": [picture(FLAG)]})
    assert_allclose(colours, [[1 / 3, 1 / 3, 1 / 3, 0.4]], atol=1e-15)


def test_one_field_is_the_mean_of_all() -> None:
    assert_allclose(compile(pixels(side=1))({"photo": [picture(FLAG)]}), [[0.3, 0.35, 0.4]], atol=1e-15)
    assert_allclose(compile(pixels(side=1, read="grey"))({"photo": [picture(FLAG)]}), [[0.35]], atol=1e-15)


def test_what_cannot_be_read_is_missing() -> None:
    assert np.isnan(compile(pixels())({"photo": [b"no picture"]})).all()


def test_a_series_a_list_and_what_is_remembered_are_alike() -> None:
    images = [picture([[(v, 2 * v, 255 - v)]]) for v in range(12)] + [None]
    run, expected = compile(pixels()), None
    for values in (images, pl.Series(images), Items("photo", pl.Series(images), np.arange(13), Memo())):
        output = run({"photo": values})
        expected = output if expected is None else expected
        assert_array_equal(output, expected)
    assert_array_equal(np.vstack([run({"photo": [image]}) for image in images]), expected)


def test_looks_are_taken_and_put_under_one_another() -> None:
    batch = looks([picture([[(v, v, v)]]) for v in (10, 20, 30)])
    both = batch.take(np.array([2, 0])).above(looks([None]))
    assert both.colours[:, 0, 0, 0].tolist() == [30, 10, 0]
    assert both.readable.tolist() == [True, True, False]
    assert batch.grey
    assert not looks([picture([[(1, 2, 3)]])]).grey
    assert batch.nbytes == 3 * (3 * FIELDS**2 + 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"side": 0}, "setting 'side' is 0"),
        ({"side": 3}, "setting 'side' is 3, expected one of 1, 2, 4, 8, 16"),
        ({"side": True}, "setting 'side' is True"),
        ({"read": "red"}, "setting 'read' is 'red'"),
        ({"column": 1}, "setting 'column' is 1"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile(pixels(**settings))


def test_the_largest_is_within_the_limits() -> None:
    assert compile(pixels(side=FIELDS)).step.outputs == 3 * FIELDS**2
