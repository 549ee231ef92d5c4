"""Forms with files (``multipart/form-data``, RFC 7578): one row, a part a field.

The body is in memory already, and within its limit, so that a part is a search for the next boundary. What is no plain
form is refused: a strict reader of forty lines has no state in which to be kept busy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sortal.artifact.model import Model
from sortal.core.kinds import kind_of
from sortal.serve.http import HttpError, Request
from sortal.serve.limits import Limits

MOST_PARTS = 2_000
"""More than columns of a table that somebody fills in by hand."""
MOST_HEADER = 2_048
"""Bytes of what stands before a part."""
_BOUNDARY = re.compile(r'(?i)\bboundary=("?)([0-9a-z\'()+_,./:=? -]{0,69}[0-9a-z\'()+_,./:=?-])\1\s*(?:;|$)')
_NAME = re.compile(r'(?i)(?:^|;)\s*name="((?:[^"\\\r\n]|\\.)*)"')
_FILE = re.compile(r"(?i)(?:^|;)\s*filename\*?=")


def row_of(request: Request, model: Model, limits: Limits) -> dict[str, Any]:
    """The row that a form holds. Texts are read as those of a file are; what comes as a file is bytes where the column
    holds images, else text. Raises HttpError.
    """
    boundary = _BOUNDARY.search(request.headers.get("content-type", ""))
    if boundary is None:
        raise _refusal("The content type names no boundary")
    schema, row = model.schema, {}
    for name, is_file, content in _parts(request.body, boundary[2].encode()):
        if name in row:
            raise _refusal("A field is there twice")
        in_bytes = is_file and name in schema and kind_of(schema[name].kind).storage == "bytes"
        # Where nobody chose a file, browsers send one without a name or content.
        row[name] = None if is_file and not content else content if in_bytes else _text(content)
    return row


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, bool, bytes]]:
    """Name, whether it is a file, and content of each part."""
    delimiter = b"\r\n--" + boundary
    whole = b"\r\n" + body
    end = whole.find(delimiter)
    if end != 0:
        raise _refusal("It does not begin with its boundary")
    for _ in range(MOST_PARTS):
        start = end + len(delimiter)
        if whole[start : start + 2] == b"--":
            if whole[start + 2 :].strip():
                raise _refusal("Something follows its end")
            return
        end = whole.find(delimiter, start)
        head = whole.find(b"\r\n\r\n", start, start + MOST_HEADER)
        if whole[start : start + 2] != b"\r\n" or end < 0 or not 0 <= head <= end:
            raise _refusal("A part has no end, or no header")
        name, is_file = _disposition(whole[start + 2 : head])
        yield name, is_file, whole[head + 4 : end]
    raise _refusal(f"It has more than {MOST_PARTS:,} parts")


def _disposition(head: bytes) -> tuple[str, bool]:
    """The name that the header of a part gives it, and whether it is a file."""
    for line in _text(head).split("\r\n"):
        header, _, value = line.partition(":")
        if header.strip().lower() == "content-disposition" and value.strip().lower().startswith("form-data"):
            name = _NAME.search(value)
            if name is not None:
                # As browsers write quotes and breaks of a name, and as others do.
                plain = name[1].replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
                return re.sub(r"\\(.)", r"\1", plain), _FILE.search(value) is not None
    raise _refusal("A part has no name")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise _refusal("A part that is text is no UTF-8") from None


def _refusal(detail: str) -> HttpError:
    return HttpError(400, "The body is no form", detail, code="malformed-form")
