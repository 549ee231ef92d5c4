"""Images of every sort are read as one: small, upright, opaque, of eight bits; what cannot be read says why."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from sortal.core.image_measures import measures
from sortal.core.images import (
    FIELDS,
    LARGEST,
    MOST_BYTES,
    canonical,
    canonical_or_none,
    fault,
    from_base64,
    look,
    map_in_threads,
)

RED, BLACK, WHITE = [255, 0, 0], [0, 0, 0], [255, 255, 255]


def fields(image: bytes, side: int) -> np.ndarray:
    """(side, side, 3) mean colours."""
    k = FIELDS // side
    return np.rint(look(image).colours.reshape(side, k, side, k, 3).mean(axis=(1, 3))).astype(int)


def encode(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def left_red() -> Image.Image:
    """Red on the left, black on the right."""
    image = Image.new("RGB", (40, 20))
    image.paste(tuple(RED), (0, 0, 20, 20))
    return image


def with_orientation(image: Image.Image, form: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image, form, exif=exif, **({"quality": 100, "subsampling": 0} if form == "JPEG" else {}))


def bomb(width: int, height: int) -> bytes:
    """A PNG file that says it has so many pixels, and has none."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


class TestCanonical:
    @pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
    def test_a_small_one_keeps_its_bytes(self, form: str) -> None:
        data = encode(noise(60, 40), form)
        assert canonical(data) == data

    @pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "TIFF"])
    def test_a_large_one_is_made_small_once_and_for_all(self, form: str) -> None:
        data = encode(noise(60, 40).resize((300, 200)), form)
        content = canonical(data)
        assert Image.open(io.BytesIO(content)).size == (LARGEST, round(LARGEST * 2 / 3))
        assert canonical(content) == content == canonical(data)
        assert len(content) < MOST_BYTES

    def test_noise_at_its_largest_is_kept_as_it_is_made(self) -> None:
        content = canonical(encode(noise(2 * LARGEST, 2 * LARGEST)))
        assert canonical(content) == content

    def test_a_small_one_of_many_bytes_is_stored_anew(self) -> None:
        many = encode(noise(200, 200)) + bytes(MOST_BYTES)
        content = canonical(many)
        assert len(content) < MOST_BYTES
        assert canonical(content) == content

    def test_name_bytes_and_base64_are_the_same(self, tmp_path) -> None:
        data = encode(left_red())
        (tmp_path / "a.png").write_bytes(data)
        text = base64.b64encode(data).decode()
        urlsafe = base64.urlsafe_b64encode(data).decode()
        text_in_lines = "\n".join(text[i : i + 40] for i in range(0, len(text), 40))
        for value in (str(tmp_path / "a.png"), text, urlsafe, text_in_lines, f"data:image/png;base64,{text}"):
            assert canonical(value) == data

    def test_one_line_is_one_line_whatever_its_shape(self) -> None:
        assert Image.open(io.BytesIO(canonical(encode(noise(2000, 1))))).size == (LARGEST, 1)

    def test_no_base64(self) -> None:
        assert from_base64("a" * 64) is None
        assert from_base64("cat.png") is None
        assert from_base64("data:image/png;base64,!!!") is None


class TestUpright:
    @pytest.mark.parametrize("form", ["PNG", "JPEG"])
    @pytest.mark.parametrize(
        ("orientation", "corner"), [(1, "left"), (3, "right"), (2, "right"), (6, "top"), (8, "bottom"), (5, "top"), (7, "bottom"), (4, "left")]
    )  # fmt: skip
    def test_as_the_camera_was_held(self, form: str, orientation: int, corner: str) -> None:
        red = fields(with_orientation(left_red(), form, orientation), 2)[:, :, 0] > 128
        expected = {
            "left": [[1, 0], [1, 0]],
            "right": [[0, 1], [0, 1]],
            "top": [[1, 1], [0, 0]],
            "bottom": [[0, 0], [1, 1]],
        }
        assert_array_equal(red, expected[corner])

    def test_a_large_one_is_upright_when_it_is_kept(self) -> None:
        content = canonical(with_orientation(left_red().resize((800, 400)), "JPEG", 6))
        assert Image.open(io.BytesIO(content)).size == (LARGEST // 2, LARGEST)
        assert (fields(content, 2)[:, :, 0] > 128).tolist() == [[True, True], [False, False]]

    def test_damaged_notes_of_a_camera_do_no_harm(self) -> None:
        data = encode(left_red(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff rubbish", quality=100)
        assert map_in_threads(canonical, [data]) == [data]


class TestColours:
    def test_mean_colours_of_fields(self) -> None:
        assert fields(encode(left_red()), 2).tolist() == [[RED, BLACK], [RED, BLACK]]
        assert fields(encode(left_red()), 1).tolist() == [[[128, 0, 0]]]

    def test_what_is_transparent_is_white(self) -> None:
        clear = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
        palette = left_red().quantize(2)
        black = palette.getpixel((39, 0))
        assert fields(encode(clear), 1).tolist() == [[WHITE]]
        assert fields(encode(clear.convert("LA")), 1).tolist() == [[WHITE]]
        assert fields(encode(palette, transparency=black), 2).tolist() == [[RED, WHITE], [RED, WHITE]]

    def test_cmyk(self) -> None:
        data = encode(left_red().convert("CMYK"), "JPEG", quality=100, subsampling=0)
        assert np.abs(fields(data, 2).astype(int) - [[RED, BLACK], [RED, BLACK]]).max() < 12

    def test_the_first_frame_of_an_animation(self) -> None:
        data = encode(left_red(), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 20), "blue")])
        assert fields(data, 2).tolist() == [[RED, BLACK], [RED, BLACK]]

    @pytest.mark.parametrize(
        ("values", "form"),
        [
            (np.full((6, 6), 128 * 257, dtype=np.uint16), "PNG"),
            (np.full((6, 6), 128 * 257, dtype=np.uint16), "TIFF"),
            (np.full((6, 6), 128 * 256, dtype=np.int32), "TIFF"),
            (np.full((6, 6), 128, dtype=np.int32), "TIFF"),
            (np.full((6, 6), 128 / 255, dtype=np.float32), "TIFF"),
            (np.full((6, 6), 128, dtype=np.float32), "TIFF"),
            (np.full((6, 6), 128, dtype=np.uint8), "PNG"),
        ],
    )
    def test_of_more_bits_the_upper_eight(self, values: np.ndarray, form: str) -> None:
        assert fields(encode(Image.fromarray(values), form), 1).tolist() == [[[128, 128, 128]]]

    def test_black_and_white(self) -> None:
        assert fields(encode(left_red().convert("L").point(lambda v: 255 * (v > 9)).convert("1")), 2)[0].tolist() == [
            WHITE,
            BLACK,
        ]

    def test_brightness_and_size(self) -> None:
        white, rotated_image = (
            encode(Image.new("L", (30, 20), 255)),
            with_orientation(Image.new("RGB", (30, 20)), "PNG", 6),
        )
        result = measures([white, rotated_image, None])
        assert_array_equal(result["brightness"], [1, 0, np.nan])
        assert_array_equal(result["width to height"], [1.5, 2 / 3, np.nan])
        assert_array_equal(result["pixels on the longer side"], [30, 30, np.nan])


class TestUnreadable:
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("nowhere.png", "no such file"),
            ("http://example.org/a.png", "an address; images are not fetched"),
            ("a\0.png", "no name of a file"),
            ("x" * 5_000, "file name too long"),
            ("/", "it is no file that can be read twice"),
            (b"", "no image"),
            (b"no picture", "no image"),
            (b"\x89PNG\r\n\x1a\n", "damaged or cut off"),
            (encode(noise(60, 60), "JPEG")[:2000], "damaged or cut off"),
            (encode(noise(60, 60))[:2000], "damaged or cut off"),
            (bomb(60_000, 60_000), "more than 89,478,485 pixels"),
            (bomb(10_000, 10_000), "more than 89,478,485 pixels"),
            (bomb(100, 100), "damaged or cut off"),
        ],
    )
    def test_says_why(self, value: str | bytes, reason: str) -> None:
        assert fault(value) == reason
        assert canonical_or_none(value) is None

    def test_never_anything_else(self) -> None:
        """Whatever byte is wrong: an image, or an UnreadableError."""
        rng = np.random.default_rng(0)
        for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"):
            data = encode(noise(12, 9), form)
            for _ in range(25):
                content = bytearray(data)
                content[int(rng.integers(len(data)))] = int(rng.integers(256))
                (result,) = map_in_threads(canonical_or_none, [bytes(content)])
                assert result is None or look(result).colours.shape == (FIELDS, FIELDS, 3)


def test_many_in_the_order_in_which_they_came() -> None:
    assert map_in_threads(lambda v: 2 * v, list(range(300))) == [2 * v for v in range(300)]
