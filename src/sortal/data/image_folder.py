"""A folder of class folders, or a zip archive of one: a table of one column of images, and the class that each lies in.

photos/cat/1.jpg          image photos/cat/1.jpg, label cat
photos/train/cat/1.jpg    and part train, where the folders at the top are called like parts
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

import polars as pl

from sortal.core.errors import DataError
from sortal.core.images import MOST_FILE, NAME, canonical_or_none, map_in_threads
from sortal.core.option_values import PART_WORDS
from sortal.core.writing import listing
from sortal.data.parts import Part

IMAGE, LABEL, PART = "image", "label", "part"
"""The columns of such a table."""
_NAMES = re.compile(NAME)
_AT_ONCE = 512
"""Images of an archive that are in memory as they came."""


Steps = tuple[str, ...]
"""A name below a folder: the folders on the way, and the file."""


def holds_images(path: Path) -> bool:
    """Whether there is an image in a folder or in those in it, or in a zip archive of such."""
    return any(_NAMES.search(steps[-1]) for steps in _names(path))


def image_folder(path: Path) -> Part:
    """The images of a folder, or of a zip archive of it, as a part of a table: names of files, or what is in the
    archive, and their classes where they lie in folders.
    """
    names = list(_names(path))
    images = [steps for steps in names if _NAMES.search(steps[-1])]
    others = Counter(Path(steps[-1]).suffix.lower() or steps[-1] for steps in names if not _NAMES.search(steps[-1]))
    parts = _parts(images)
    deep = 2 if parts else 1
    notes = [*_of_others(others), *_of_parts(parts)]
    inside = [steps for steps in images if len(steps) > deep]
    if inside and len(inside) < len(images):
        notes.append(_of_loose([steps for steps in images if len(steps) <= deep]))
    table: dict[str, list[str]] = {}
    if inside:
        table[LABEL] = [steps[deep - 1] for steps in inside]
    if inside and parts:
        table[PART] = [steps[0] for steps in inside]
    selected, beside = inside or images, pl.DataFrame(table)
    types = {IMAGE: pl.String() if path.is_dir() else pl.Binary(), **beside.schema}
    return Part(path, types, lambda note: _frames(path, selected, beside), tuple(notes))


def _frames(path: Path, images: Sequence[Steps], beside: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The names of images with their folder; of an archive the images themselves, made small at once."""
    if path.is_dir():
        names = pl.Series(IMAGE, [str(Path(path, *steps)) for steps in images], dtype=pl.String)
        yield pl.DataFrame([names, *beside.iter_columns()])
        return
    with ZipFile(path) as archive:
        for first in range(0, len(images), _AT_ONCE):
            chunk = [_unpacked(archive, steps) for steps in images[first : first + _AT_ONCE]]
            small = [image or data for image, data in zip(map_in_threads(canonical_or_none, chunk), chunk, strict=True)]
            column = pl.Series(IMAGE, small, dtype=pl.Binary)
            yield pl.DataFrame([column, *beside[first : first + _AT_ONCE].iter_columns()])


def _unpacked(archive: ZipFile, steps: Steps) -> bytes:
    """What is in a member; nothing, which is no image, where it cannot be unpacked."""
    try:
        member = archive.getinfo("/".join(steps))
        return archive.read(member) if member.file_size <= MOST_FILE else b""
    except Exception:  # noqa: BLE001 - what is wrong with an archive is of any kind, and the image is named by its row
        return b""


def own_target(data: object) -> str | None:
    """The column of classes, where ``data`` is the path of a folder of class folders or of arrays of images; None for
    anything else.

    Raises DataError for a folder of images that are in no folders of classes, and for a path of nothing.
    """
    path = data[0] if isinstance(data, list | tuple) and len(data) == 1 else data
    if isinstance(path, str | Path) and str(path) != "-" and not Path(path).expanduser().exists():
        raise DataError(f"there is no file and no folder {str(path)!r}")
    if not isinstance(path, str | Path) or not (Path(path).is_dir() or is_zip(Path(path))):
        return None
    if is_npz(Path(path)):
        return LABEL
    if not holds_images(Path(path)):
        return None
    if LABEL not in image_folder(Path(path)).types:
        raise DataError(
            f"the folder {str(path)!r} holds images, but not in folders of classes; make one for each class, or give "
            "a table with a column of their names and one of their classes"
        )
    return LABEL


def is_zip(path: Path) -> bool:
    """Whether a file is a zip archive that can be read, and no document, which may hold images, too."""
    if not path.is_file() or not is_zipfile(path):
        return False
    try:
        with ZipFile(path) as archive:
            return _DOCUMENT.isdisjoint(archive.namelist())
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def is_npz(path: Path) -> bool:
    """Whether a file is an archive of arrays as numpy saves them."""
    if not path.is_file() or not is_zipfile(path):
        return False
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


_DOCUMENT = frozenset({"[Content_Types].xml", "mimetype"})
"""Members of Office's and of OpenDocument's files."""


def _names(path: Path) -> Iterator[Steps]:
    """The files below a folder, or in an archive, in order; without what is hidden."""
    if path.is_dir():
        for place, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if _is_shown(name))
            yield from ((*Path(place).relative_to(path).parts, name) for name in sorted(files) if _is_shown(name))
        return
    with ZipFile(path) as archive:
        members = sorted(tuple(member.filename.split("/")) for member in archive.infolist() if not member.is_dir())
    yield from (steps for steps in members if all(map(_is_shown, steps)))


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "__"))


def _parts(images: Sequence[Steps]) -> list[str]:
    """The folders at the top, where all are called like parts."""
    top = sorted({steps[0] for steps in images if len(steps) > 1})
    part_words = {word for words in PART_WORDS.values() for word in words}
    return top if len(top) > 1 and part_words.issuperset(name.lower() for name in top) else []


def _of_parts(parts: Sequence[str]) -> list[str]:
    if not parts:
        return []
    return [f"the folders {listing(parts)} are the column {PART!r}; --split {PART} takes them as the split"]


def _of_others(others: Counter[str]) -> list[str]:
    if not others:
        return []
    kinds = [f"{count:,} {ending}" for ending, count in others.most_common(5)]
    count = sum(others.values())
    what = "file that is no image was" if count == 1 else "files that are no images were"
    return [f"{count:,} {what} left out: {', '.join(kinds)}"]


def _of_loose(loose: Sequence[Steps]) -> str:
    what = "image lies in no folder of a class and was" if len(loose) == 1 else "images lie in no class and were"
    return f"{len(loose):,} {what} left out, such as {'/'.join(loose[0])!r}"
