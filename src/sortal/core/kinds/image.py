"""Images: bytes of one, or names of image files; recognised, and not used yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortal.core.cells import E
from sortal.core.columns import RawColumn, ignored, share
from sortal.core.kinds.category import UNREADABLE, one_form, text_of
from sortal.core.kinds.kind import Kind
from sortal.core.raw import Sort
from sortal.core.schema import Column

if TYPE_CHECKING:
    import polars as pl

IMAGE_NAME = r"(?i)\.(png|jpe?g|gif|webp|bmp|tiff?)$"
IMAGE_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")


class Image(Kind):
    """Bytes that begin like an image, or texts that all end like the name of an image file."""

    name = "image"
    noun = "an image"
    storage = "bytes"

    def infer(self, raw: RawColumn) -> Column | None:
        if raw.sort == "bytes" and all(is_image(data) for data in raw.series.drop_nulls().head(100)):
            missing = share(raw.series.null_count(), len(raw.series))
            return ignored(raw.name, "image", f"images; {self.not_yet}", missing)
        if raw.sort == "text" and not raw.texts.values.is_empty() and are_image_names(raw.texts.values):
            reason = f"names of image files; {self.not_yet}"
            return ignored(raw.name, "image", reason, raw.texts.missing_share)
        return None

    def canonical(self, column: Column, values: E, sort: Sort) -> E | None:
        if sort == "bytes":
            return values
        return None if sort in UNREADABLE else one_form(text_of(values, sort, exact=True))


def are_image_names(texts: pl.Series) -> bool:
    """Whether all texts end like the name of an image file."""
    return bool(texts.str.contains(IMAGE_NAME).all())


def is_image(data: bytes) -> bool:
    """Whether bytes begin like a PNG, JPEG, GIF, WEBP, BMP or TIFF file.

    >>> is_image(b"\\x89PNG...."), is_image(b"PK....")
    (True, False)
    """
    if data.startswith(b"RIFF"):
        return data[8:12] == b"WEBP"
    return data.startswith(IMAGE_STARTS)


kind = Image()
