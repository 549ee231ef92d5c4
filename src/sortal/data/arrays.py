"""Images and their classes as arrays in an ``.npz`` file, as Keras and MedMNIST give them.

x_train (n, 28, 28), y_train (n,), x_test, y_test          -> image, label, part
train_images (n, 28, 28, 3), train_labels (n, 1), ...      -> the same
images, labels                                             -> image, label
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sortal.core.errors import DataError
from sortal.core.images import canonical_or_none, map_in_threads, pillow
from sortal.core.option_values import PART_WORDS
from sortal.core.writing import listing
from sortal.data.image_folder import IMAGE, LABEL, PART
from sortal.data.parts import Part, Types

_AT_ONCE = 512
"""Images that are in memory as they come and as PNG."""
_CHANNELS = (1, 3, 4)
_WORDS = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class _Array:
    """A member of the file: what its header says."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def part(self) -> str:
        """The word of its name that is called like a part."""
        part_words = {word for words in PART_WORDS.values() for word in words}
        return next((word for word in _WORDS.findall(self.name.lower()) if word in part_words), "")

    @property
    def holds_images(self) -> bool:
        """(n, height, width) or (n, height, width, channels), numbers."""
        grey = len(self.shape) == 3
        coloured = len(self.shape) == 4 and self.shape[3] in _CHANNELS
        return (grey or coloured) and min(self.shape[1:3]) > 1 and self.dtype.kind in "buif"

    @property
    def holds_labels(self) -> bool:
        """(n,) or (n, 1), numbers or texts."""
        return (len(self.shape) == 1 or self.shape[1:] == (1,)) and self.dtype.kind in "buiUS"

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class _Pair:
    part: str
    images: _Array
    labels: _Array


def arrays(path: Path) -> Part:
    """The images of an ``.npz`` file as a part of a table: the image as PNG, its class, and the part where the names of
    the arrays say one. Raises DataError where arrays of images and of as many labels are not there, or not in pairs.
    """
    members = _members(path)
    pairs = _pairs(path, members)
    parts = [pair.part for pair in pairs]
    used_names = {array.name for pair in pairs for array in (pair.images, pair.labels)}
    others = [member.name for member in members if member.name not in used_names]
    notes = [f"arrays that are neither images nor their labels were left out: {listing(others)}"] if others else []
    if parts != [""]:
        notes.append(f"the arrays of {listing(parts)} are the column {PART!r}; --split {PART} takes them as the split")
    kinds = {pair.labels.dtype.kind in "US" for pair in pairs}
    label = pl.String() if True in kinds else pl.Int64()
    types = {IMAGE: pl.Binary(), LABEL: label, **({PART: pl.String()} if parts != [""] else {})}
    size = sum(pair.images.nbytes for pair in pairs)
    return Part(path, types, lambda note: _frames(path, pairs, types), tuple(notes), size=size)


def _members(path: Path) -> list[_Array]:
    members = []
    try:
        with ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    version = np.lib.format.read_magic(file)
                    read_header = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = read_header(file)
                members.append(_Array(name.removesuffix(".npy"), shape, dtype))
    except Exception as error:  # what is wrong with an archive is of any kind
        raise _damaged(path, error) from error
    return members


def _pairs(path: Path, members: list[_Array]) -> list[_Pair]:
    """In the order of the file."""
    there = listing([f"{member.name} {member.shape}" for member in members])
    images = [member for member in members if member.holds_images]
    if not images:
        raise DataError(
            f"{path.name} holds no array of images, which is one of (images, height, width) or (images, height, width, "
            f"3); there are {there}. Save a table as Parquet or CSV"
        )
    pairs = []
    for array in images:
        of_it = [m for m in members if m.holds_labels and m.part == array.part and m.shape[0] == array.shape[0]]
        if len(of_it) != 1 or sum(other.part == array.part for other in images) > 1:
            raise DataError(
                f"{path.name}: {array.name} needs one array of as many labels, called alike (x_train and y_train, "
                f"images and labels); there are {there}"
            )
        pairs.append(_Pair(array.part, array, of_it[0]))
    return pairs


def _frames(path: Path, pairs: list[_Pair], types: Types) -> Iterator[pl.DataFrame]:
    """A few hundred images at a time."""
    for pair in pairs:
        try:
            with np.load(path, allow_pickle=False) as file:
                images, labels = file[pair.images.name], file[pair.labels.name].reshape(-1)
        except Exception as error:  # as above
            raise _damaged(path, error) from error
        if labels.dtype.kind == "S":
            labels = np.char.decode(labels, "utf-8", "replace")
        scale = 255.0 if images.dtype.kind == "f" and np.nanmax(images, initial=0) <= 1 else 1.0
        for first in range(0, len(images), _AT_ONCE):
            chunk = images[first : first + _AT_ONCE]
            png = [canonical_or_none(data) for data in map_in_threads(_png, list(_eight_bits(chunk, scale)))]
            columns = [
                pl.Series(IMAGE, png, dtype=pl.Binary),
                pl.Series(LABEL, labels[first : first + _AT_ONCE].tolist()).cast(types[LABEL]),
            ]
            if PART in types:
                columns.append(pl.repeat(pair.part, len(chunk), eager=True, dtype=pl.String).alias(PART))
            yield pl.DataFrame(columns)


def _eight_bits(images: NDArray[np.generic], scale: float) -> NDArray[np.uint8]:
    """Fractions from 0 to 1 by ``scale``, 16 bits by their upper eight, all others from 0 to 255."""
    if images.dtype == np.uint8:
        return images.view(np.uint8)
    if images.dtype == np.bool_:
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype == np.uint16:
        return (images.astype(np.uint16) >> 8).astype(np.uint8)
    numbers = np.nan_to_num(images.astype(np.float64)) * scale
    return np.clip(np.rint(numbers), 0, 255).astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Grey, coloured, or coloured and transparent; packed quickly rather than well."""
    file = io.BytesIO()
    plain = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    pillow().fromarray(np.ascontiguousarray(plain)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _damaged(path: Path, error: Exception) -> DataError:
    if "pickle" in str(error).lower():
        return DataError(
            f"{path.name} holds Python objects, which can run code and are never loaded; save plain arrays"
        )
    return DataError(f"{path.name} is damaged or cut off: {str(error).splitlines()[0] if str(error) else error!r}")
