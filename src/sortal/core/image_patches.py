"""Images with a part covered, and small pictures of them for a page."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.images import Pixels, upright

if TYPE_CHECKING:
    from PIL.Image import Image

GRID = 7
"""Fields on a side: as many as networks of the usual 224 pixels have in their last layer."""
SIDE = 128
"""Pixels on the longer side of what is shown."""
QUALITY = 80
STRONGEST = 0.65
"""How far the strongest colour of a heat map covers what is below."""
FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""Orange and blue of Okabe & Ito (2008)."""


def covered(image: bytes) -> list[bytes]:
    """The image, each time with another of ``GRID`` by ``GRID`` fields, line by line, in its mean colour. Raises
    UnreadableError.
    """
    pixels = np.asarray(upright(image))
    mean = pixels.mean(axis=(0, 1)).round().astype(np.uint8)
    rows, columns = (np.linspace(0, size, GRID + 1).round().astype(int) for size in pixels.shape[:2])
    images = []
    for top, bottom in pairwise(rows.tolist()):
        for left, right in pairwise(columns.tolist()):
            changed = pixels.copy()
            changed[top:bottom, left:right] = mean
            images.append(_bmp_bytes(changed))
    return images


def _bmp_bytes(pixels: Pixels) -> bytes:
    """Without loss and without packing, which would take longer than all else."""
    from PIL import Image as Pillow

    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "BMP")
    return file.getvalue()


def small(image: bytes, heat: Floats | None = None) -> bytes:
    """A JPEG of ``SIDE`` pixels on the longer side; with ``heat``, (g, g) from -1 to 1, in grey under its colours:
    orange above zero, blue below. Raises UnreadableError.
    """
    from PIL import Image as Pillow
    from PIL.Image import Resampling

    picture = upright(image).convert("RGB")
    scale = SIDE / max(picture.size)
    way = Resampling.NEAREST if scale > 1 else Resampling.LANCZOS
    picture = picture.resize((max(1, round(scale * picture.width)), max(1, round(scale * picture.height))), way)
    if heat is not None:
        over = Pillow.fromarray(heat.astype(np.float32)).resize(picture.size, Resampling.BICUBIC)
        picture = Pillow.fromarray(
            _coloured(np.asarray(picture.convert("L").convert("RGB")), np.asarray(over, dtype=np.float64))
        )
    return _jpeg(picture)


def _coloured(pixels: Pixels, heat: Floats) -> Pixels:
    share = STRONGEST * np.clip(np.abs(heat), 0, 1)[..., None]
    colour = np.where(heat[..., None] > 0, FOR, AGAINST)
    return np.asarray(((1 - share) * pixels + share * colour).round(), dtype=np.uint8)


def _jpeg(image: Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
