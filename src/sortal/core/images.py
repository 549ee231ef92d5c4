"""Images as bytes: read from whatever a value says, kept small, and seen upright as a few pixels.

What an image *is* here are the bytes of an image file, of at most ``LARGEST`` pixels on its longer side: whether it
came by name, as bytes or as base64 does not matter, and a table of them fits into memory. Pillow is imported when the
first image is read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from sortal.core.errors import OptionError
from sortal.core.files import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image, Transpose

Pixels = NDArray[np.uint8]
T = TypeVar("T")
R = TypeVar("R")

LARGEST = 256
"""Pixels on the longer side that are kept: more than networks of the usual 224 see."""
MOST_BYTES = 2**18
"""Of an image that is kept as it is: one of ``LARGEST`` by ``LARGEST`` pixels of noise takes 160,000 as JPEG."""
MOST_PIXELS = 2**30 // 4 // 3
"""Pillow's own limit, beyond which an image is taken for a bomb: a quarter of a gibibyte of three bytes each."""
MOST_FILE = 2**30
"""Bytes of an image file."""
QUALITY = 95
"""Of what is made smaller, as JPEG with all of its colours: differences that no eye sees."""
FIELDS = 16
"""Of a look at an image, on a side: enough to tell one image from another, and for the plainest of models."""
MOST_LOOKS = 2**17
"""Looks that are remembered: a hundred megabytes."""
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
"""What is read; Pillow knows many more, which nobody sends and somebody may attack."""
STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
NAME = r"(?i)\.(png|jpe?g|gif|webp|bmp|tiff?)$"
"""How the names of image files end."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]{32,}={0,2}\s*")
_AT_ONCE = 16
"""Values that a thread reads in turn: small images take hardly longer than it takes to hand one over."""
_FEW = 8
"""Up to so many are read sooner by one thread."""
_ORIENTATION = 0x0112
"""The tag of EXIF that says how a camera was held."""


class UnreadableError(Exception):
    """A value that is no image, or none that can be read: the message says why, in a few words."""


def is_image(data: bytes) -> bool:
    """Whether bytes begin like a PNG, JPEG, GIF, WEBP, BMP or TIFF file.

    >>> is_image(b"\\x89PNG...."), is_image(b"PK....")
    (True, False)
    """
    if data.startswith(b"RIFF"):
        return data[8:12] == b"WEBP"
    return data.startswith(STARTS)


def from_base64(text: str) -> bytes | None:
    """The image that a text holds, in base64 or as a ``data:`` address; None where it holds none.

    >>> from_base64("cat.png"), from_base64("data:image/gif;base64,R0lGODlhAQABAAAAACw=")
    (None, b'GIF89a\\x01\\x00\\x01\\x00\\x00\\x00\\x00,')
    """
    if text.startswith("data:"):
        head, _, body = text.partition(",")
        if not head.endswith(";base64"):
            from urllib.parse import unquote_to_bytes

            return unquote_to_bytes(body)
    elif _BASE64.fullmatch(text):
        body = text
    else:
        return None
    try:
        data = base64.b64decode("".join(body.split()).translate(_URL_SAFE), validate=True)
    except binascii.Error:
        return None
    return data if is_image(data) else None


_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, eq=False)
class Look:
    """One look at an image: the mean colours of ``FIELDS`` by ``FIELDS`` fields of it, (FIELDS, FIELDS, 3) red, green
    and blue, and its width and height in pixels when it is upright.
    """

    colours: Pixels
    width: int
    height: int


_looks: dict[bytes, Look] = {}
"""By the digest of an image that is kept as it is: an image is decoded where it comes in, and not again where it is
scored and compared."""


def canonical(value: str | bytes) -> bytes:
    """The image that a value is or names, as it is kept; the same again for what is kept already.

    One of at most ``LARGEST`` pixels keeps its bytes. A larger one is turned upright, laid on white where it is
    transparent, and made smaller; of an animation that is the first frame. Raises UnreadableError.
    """
    data = value if isinstance(value, bytes) else _content(value)
    digest = _digest(data)
    if digest in _looks:
        return data
    with _decoding(data) as opened:
        keeps = max(opened.size) <= LARGEST and len(data) <= MOST_BYTES
        image = _upright(opened)
        if keeps:
            _remember(digest, _look(image))
            return data
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def look(image: bytes) -> Look:
    """One look at an image that is kept as it is; another is decoded as it is. Raises UnreadableError."""
    digest = _digest(image)
    view = _looks.get(digest)
    if view is None:
        with _decoding(image) as opened:
            keeps = max(opened.size) <= LARGEST and len(image) <= MOST_BYTES
            view = _look(_upright(opened))
        if keeps:
            _remember(digest, view)
    return view


def pixels_of(image: bytes) -> int:
    """How many pixels an image says that it has, which is read without decoding it; 0 for what is no image."""
    try:
        with _decoding(image) as opened:
            return opened.width * opened.height
    except UnreadableError:
        return 0


def upright(image: bytes) -> Image:
    """The picture itself, grey or coloured, as a camera meant it. Raises UnreadableError."""
    with _decoding(image) as opened:
        return _upright(opened)


def points(image: bytes, side: int, colour: bool) -> Pixels:
    """(channels, side, side) an image as so many points: of grey, or of red, green and blue. Raises UnreadableError."""
    from PIL.Image import Resampling

    with _decoding(image) as opened:
        pixels = np.asarray(
            _upright(opened).convert("RGB" if colour else "L").resize((side, side), Resampling.BILINEAR)
        )
    return np.moveaxis(pixels, 2, 0) if colour else pixels[None]


def sample_image(number: int, side: int = 16) -> bytes:
    """A small image of nothing (PNG, red, green and blue), another for each number and always the same.

    >>> is_image(sample_image(0)), sample_image(0) == sample_image(1)
    (True, False)
    """
    rng = np.random.default_rng(number)
    fields = np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((side // 4, side // 4, 1), dtype=np.int64))
    lines = np.concatenate([np.zeros((side, 1), np.int64), fields.reshape(side, -1)], axis=1).astype(np.uint8)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes())),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(a)) + kind + a + struct.pack(">I", zlib.crc32(kind + a)) for kind, a in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _look(image: Image) -> Look:
    from PIL.Image import Resampling

    small = image.resize((FIELDS, FIELDS), Resampling.BOX).convert("RGB")
    return Look(np.asarray(small), image.width, image.height)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _remember(digest: bytes, view: Look) -> None:
    if len(_looks) >= MOST_LOOKS:
        _looks.clear()
    _looks[digest] = view


def canonical_or_none(value: str | bytes | None) -> bytes | None:
    """None for what is missing or cannot be read."""
    if value is None:
        return None
    try:
        return canonical(value)
    except UnreadableError:
        return None


def fault(value: str | bytes) -> str:
    """Why a value cannot be read, in a few words."""
    try:
        canonical(value)
    except UnreadableError as error:
        return str(error)
    return "it can be read now"


def map_in_threads(of_one: Callable[[T], R], values: Sequence[T]) -> list[R]:
    """What a function makes of each value, in threads: while one image is decoded, so is another."""
    # Pillow warns of what it makes the best of, such as odd notes of a camera.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    if len(values) <= _FEW:
        return [of_one(value) for value in values]
    from concurrent.futures import ThreadPoolExecutor

    def of_chunk(first: int) -> list[R]:
        return [of_one(value) for value in list(values[first : first + _AT_ONCE])]

    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None) as threads:
        return [result for chunk in threads.map(of_chunk, range(0, len(values), _AT_ONCE)) for result in chunk]


def _content(text: str) -> bytes:
    """What a text holds, or what is in the file that it names."""
    data = from_base64(text)
    if data is not None:
        return data
    if re.match(r"[a-z]+://", text):
        raise UnreadableError("an address; images are not fetched")
    try:
        with open_regular(Path(text)) as file:
            if os.fstat(file.fileno()).st_size > MOST_FILE:
                raise UnreadableError("a file of more than a gibibyte")
            return file.read()
    except FileNotFoundError:
        raise UnreadableError("no such file") from None
    except (OSError, ValueError) as error:
        raise UnreadableError((getattr(error, "strerror", None) or "no name of a file").lower()) from None


@contextmanager
def _decoding(data: bytes) -> Iterator[Image]:
    """A block that decodes an image. Whatever goes wrong in it is an UnreadableError."""
    library = pillow()
    try:
        with library.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise UnreadableError(_TOO_MANY)
            yield opened
    except UnreadableError:
        raise
    except (library.DecompressionBombError, library.DecompressionBombWarning):
        raise UnreadableError(_TOO_MANY) from None
    except Exception:  # noqa: BLE001 - what a decoder raises of damaged bytes is of any kind
        raise UnreadableError("damaged or cut off" if is_image(data) else "no image") from None


_TOO_MANY = f"more than {MOST_PIXELS:,} pixels"


def pillow() -> ModuleType:
    """Pillow's ``Image``. Raises OptionError where it is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise OptionError("images need Pillow, which is not installed: pip install 'sortal[image]'") from None
    return Image


def _upright(image: Image) -> Image:
    """Grey, or red, green and blue, of at most ``LARGEST`` pixels on the longer side; the first frame."""
    from PIL.Image import Resampling

    turn = _turn(image)
    if max(image.size) > LARGEST:
        # A JPEG is decoded at once to as few pixels as leave a choice.
        image.draft(None, (2 * LARGEST, 2 * LARGEST))
    plain = _opaque(image)
    scale = LARGEST / max(plain.size)
    if scale < 1:
        width, height = (max(1, round(scale * pixels)) for pixels in plain.size)
        plain = plain.resize((width, height), Resampling.BICUBIC, reducing_gap=3.0)
    return plain if turn is None else plain.transpose(turn)


def _turn(image: Image) -> Transpose | None:
    """What makes it upright, as its camera notes; None where nothing has to."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        return turns.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - damaged notes of a camera are no damage of the image
        return None


def _opaque(image: Image) -> Image:
    """Of eight bits, grey ("L") or coloured ("RGB"); on white where it is transparent."""
    from PIL import Image as Pillow

    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        over = image.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", over.size, "white"), over).convert("RGB")
    if image.mode[0] in "IF":
        return Pillow.fromarray(_eight_bits(np.asarray(image)))
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _eight_bits(values: NDArray[np.generic]) -> Pixels:
    """Grey of 16 bits by its upper eight, of fractions from 0 to 1; others from 0 to 255."""
    numbers = np.nan_to_num(values.astype(np.float64))
    if values.dtype.itemsize == 2 or (values.dtype.kind in "iu" and numbers.max() > 255):
        numbers //= 256
    elif values.dtype.kind == "f" and numbers.max() <= 1:
        numbers *= 255
    return np.clip(np.rint(numbers), 0, 255).astype(np.uint8)
