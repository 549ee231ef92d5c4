"""Small files that a person writes: a recipe, a table of costs."""

from __future__ import annotations

from pathlib import Path

from sortal.core.files import open_regular


class Unreadable(Exception):  # noqa: N818 - a reason, which who asked puts into a sentence
    """Why a file gives no text."""


def text_of(path: str | Path, most: int) -> str:
    """The text in a file of at most ``most`` bytes, UTF-8 with or without a mark.

    A pipe or a device, which may never end, is not waited for. Raises Unreadable.
    """
    try:
        file = open_regular(Path(path))
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    except ValueError as error:
        raise Unreadable("no file can have this name") from error
    with file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Unreadable(f"it has more than {most:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("it is no text in UTF-8") from error
