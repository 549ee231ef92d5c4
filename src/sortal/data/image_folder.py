"""A folder of class folders: a table of one column of images, and the class that each lies in.

photos/cat/1.jpg          image photos/cat/1.jpg, label cat
photos/train/cat/1.jpg    and part train, where the folders at the top are called like parts
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sortal.core.errors import DataError
from sortal.core.images import NAME
from sortal.core.option_values import PART_WORDS
from sortal.core.writing import listing
from sortal.data.parts import Part

IMAGE, LABEL, PART = "image", "label", "part"
"""The columns of such a table."""
_NAMES = re.compile(NAME)


@dataclass(frozen=True)
class _Files:
    """Names of files below a folder, in parts: of images, and how many others there are by ending."""

    images: tuple[tuple[str, ...], ...]
    others: Counter[str]


def holds_images(folder: Path) -> bool:
    """Whether there is an image in a folder or in those in it."""
    return any(_NAMES.search(name) for _, _, names in _walk(folder) for name in names)


def image_folder(folder: Path) -> Part:
    """The images of a folder as a part of a table: names of files, and their classes where they lie in folders."""
    files = _files(folder)
    parts = _parts(files.images)
    deep = 2 if parts else 1
    loose = [path for path in files.images if len(path) <= deep]
    classes = Counter(path[deep - 1] for path in files.images if len(path) > deep)
    notes = [*_other_files(files.others), *_of_parts(parts)]
    images = list(files.images)
    if loose and classes:
        one = len(loose) == 1
        what = "image lies in no folder of a class and was" if one else "images lie in no folder of a class and were"
        notes.append(f"{len(loose):,} {what} left out, such as {str(Path(*loose[0]))!r}")
        images = [path for path in images if len(path) > deep]
    table: dict[str, Sequence[str]] = {IMAGE: [str(Path(folder, *path)) for path in images]}
    if classes:
        table[LABEL] = [path[deep - 1] for path in images]
    if classes and parts:
        table[PART] = [path[0] for path in images]
    frame = pl.DataFrame(table)
    return Part(folder, frame.schema, lambda note: iter([frame]), tuple(notes))


def own_target(data: object) -> str | None:
    """The column of classes, where ``data`` is the path of a folder of class folders; None for anything else.

    Raises DataError for a folder of images that are in no folders of classes.
    """
    given = data[0] if isinstance(data, list | tuple) and len(data) == 1 else data
    if not isinstance(given, str | Path) or not Path(given).is_dir() or not holds_images(Path(given)):
        return None
    if LABEL not in image_folder(Path(given)).types:
        raise DataError(
            f"the folder {str(given)!r} holds images, but not in folders of classes; make one for each class, or give "
            "a table with a column of their names and one of their classes"
        )
    return LABEL


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """As ``os.walk``, in the order of names; without what is hidden."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        yield place, folders, sorted(name for name in names if not name.startswith("."))


def _files(folder: Path) -> _Files:
    images, others = [], Counter[str]()
    for place, _, names in _walk(folder):
        above = Path(place).relative_to(folder).parts
        for name in names:
            if _NAMES.search(name):
                images.append((*above, name))
            else:
                others[Path(name).suffix.lower() or name] += 1
    return _Files(tuple(images), others)


def _parts(images: Sequence[tuple[str, ...]]) -> list[str]:
    """The folders at the top, where all are called like parts."""
    top = sorted({path[0] for path in images if len(path) > 1})
    known = {word for words in PART_WORDS.values() for word in words}
    return top if len(top) > 1 and known.issuperset(name.lower() for name in top) else []


def _of_parts(parts: Sequence[str]) -> list[str]:
    if not parts:
        return []
    return [f"the folders {listing(parts)} were read as one; --split {PART} takes them as the parts that they are"]


def _other_files(others: Counter[str]) -> list[str]:
    if not others:
        return []
    kinds = [f"{count:,} {ending}" for ending, count in others.most_common(5)]
    count = sum(others.values())
    what = "file that is no image was" if count == 1 else "files that are no images were"
    return [f"{count:,} {what} left out: {', '.join(kinds)}"]
