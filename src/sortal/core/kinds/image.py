"""Images: bytes of one, base64 of them, or the name of an image file. The value is what the image is, not its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sortal.core.cells import E, images
from sortal.core.columns import RawColumn, ignored, missing_words, share
from sortal.core.errors import OptionError
from sortal.core.images import NAME, fault, from_base64, is_image, map_in_threads
from sortal.core.kinds.kind import Kind
from sortal.core.raw import Sort
from sortal.core.schema import Column
from sortal.core.values import is_text

if TYPE_CHECKING:
    import polars as pl

LOOKED_AT = 100
"""Values that say what a column holds."""


class Image(Kind):
    """Bytes that begin like an image, texts that hold one in base64, or that all end like the name of an image file."""

    name = "image"
    noun = "an image"
    storage = "bytes"
    encoding = "image"
    strict = False

    def infer(self, raw: RawColumn) -> Column | None:
        if raw.sort == "bytes":
            if not all(is_image(data) for data in raw.series.drop_nulls().head(LOOKED_AT)):
                return None
            absent = share(raw.series.null_count(), len(raw.series))
            return Column(raw.name, "image", reason="bytes of images", missing=absent)
        if raw.sort != "text" or raw.texts.values.is_empty():
            return None
        texts, absent = raw.texts.values, raw.texts.missing_share
        few = texts.head(LOOKED_AT).to_list()
        if all(text.startswith("data:image/") or _holds_image(text) for text in few):
            reason = "images in base64" + missing_words(raw.texts.missing)
            return Column(raw.name, "image", reason=reason, missing=absent, absent=raw.origin.missing)
        if not are_image_names(texts):
            return None
        if not any(Path(name).is_file() for name in self.located(texts, raw.origin.folder)):
            where = f"in {raw.origin.folder!r} or " if raw.origin.folder else ""
            why = f"names of image files, of which none is there {where}in the working folder"
            return ignored(raw.name, "image", why, absent)
        reason = "names of image files" + missing_words(raw.texts.missing)
        return Column(raw.name, "image", reason=reason, missing=absent, absent=raw.origin.missing)

    def as_asked(self, raw: RawColumn, form: str = "") -> Column | None:
        """Unlike other kinds' values, images are read once, and not to see whether they are some."""
        if raw.sort == "bytes":
            missing = share(raw.series.null_count(), len(raw.series))
        elif is_text(raw.sort):
            missing = raw.texts.missing_share
            if raw.texts.values.is_empty():
                return None
        else:
            raise OptionError(
                f"column {raw.name!r} holds values of type {raw.series.dtype}: no image; choose another kind"
            )
        return Column(raw.name, self.name, format=form, missing=missing, absent=raw.origin.missing)

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        return images(values) if sort == "bytes" or is_text(sort) else None

    def located(self, values: pl.Series, folder: str) -> pl.Series:
        """Names of files that lie in this folder, with it; others, which are looked for in the working folder, and what
        is no name, as they are.
        """
        import polars as pl

        paths = {name: _located(name, folder) for name in values.unique().drop_nulls()} if folder else {}
        return pl.Series(values.name, [paths.get(name, name) for name in values], dtype=pl.String)

    def faults(self, values: list[str | bytes]) -> list[str]:
        """Why each of these is no value."""
        return map_in_threads(fault, values)


def are_image_names(texts: pl.Series) -> bool:
    """Whether all texts end like the name of an image file."""
    return bool(texts.str.contains(NAME).all())


def _holds_image(text: str) -> bool:
    return from_base64(text) is not None


def _located(name: str, folder: str) -> str:
    try:
        beside = Path(folder, name)
        return str(beside) if len(name) < LONGEST_NAME and beside.is_file() else name
    except (OSError, ValueError):
        return name


LONGEST_NAME = 4_096
"""Of a file, as Linux has it: what is longer is an image in base64."""
kind = Image()
