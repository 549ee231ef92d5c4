"""What is measured of an image, so that images that come in can be compared with those of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.images import UnreadableError, look, map_in_threads

BRIGHTNESS, ASPECT, SIZE = "brightness", "width to height", "pixels on the longer side"
KINDS: Mapping[str, str] = {BRIGHTNESS: "number", ASPECT: "number", SIZE: "number"}
"""The measures, and what kind of column each would be. The size is of what is kept: 256 for all larger images."""


def measures(images: Sequence[bytes | None]) -> dict[str, Floats]:
    """By name, what is measured of each image, NaN where there is none. Brightness is 0 for black and 1 for white."""
    figures = np.array(map_in_threads(_of_one, images), dtype=np.float64).reshape(-1, 3)
    return dict(zip(KINDS, figures.T, strict=True))


def _of_one(image: bytes | None) -> tuple[float, float, float]:
    try:
        view = None if image is None else look(image)
    except UnreadableError:
        view = None
    if view is None:
        return (float("nan"),) * 3
    return float(view.colours.mean()) / 255, view.width / view.height, max(view.width, view.height)
