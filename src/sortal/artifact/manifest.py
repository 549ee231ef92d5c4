"""The table of contents of a ``.sortal`` file, and which protocols this sortal reads."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from sortal.core.errors import ArtifactError
from sortal.version import __version__

FORMAT = "sortal model"
PROTOCOL = 1
"""Rises when an older sortal could not read, or would misread, what this one writes."""

READS = (1,)
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!_-]{0,39}")
"""What a version of sortal looks like."""


@dataclass(frozen=True)
class Member:
    """A file in the archive: its name, its SHA-256 (hex) and its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What every protocol keeps, so that any sortal can say who wrote a file."""

    format: str
    protocol: int
    sortal: str


@dataclass(frozen=True, kw_only=True)
class Manifest(Origin):
    """The protocol of the file, the version of the sortal that trained the model, and every other member."""

    members: tuple[Member, ...]


_ORIGIN = msgspec.json.Decoder(Origin)
_MANIFEST = msgspec.json.Decoder(Manifest)


def read_manifest(content: bytes, file: str) -> Manifest:
    """The manifest in ``content``, the JSON of ``manifest.json``; ``file`` is named in messages.

    Raises ArtifactError for another kind of file, and for a protocol that this sortal does not read.
    """
    try:
        origin = _ORIGIN.decode(content)
        if origin.format == FORMAT and VERSION.fullmatch(origin.sortal) is None:
            raise ArtifactError(
                f"{file} is no sortal model: it was written by {origin.sortal[:40]!r}, which is no version"
            )
        if origin.format == FORMAT and origin.protocol in READS:
            return _MANIFEST.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        reason = str(error)[:160]
        raise ArtifactError(f"{file} is no sortal model: its manifest.json does not fit ({reason})") from None
    if origin.format != FORMAT:
        raise ArtifactError(f"{file} is no sortal model: its format is {origin.format[:40]!r}")
    protocols = ", ".join(str(number) for number in READS)
    raise ArtifactError(
        f"{file} was written by sortal {origin.sortal} with protocol {origin.protocol}, and this sortal "
        f"{__version__} reads protocol {protocols}; load it with the version that wrote it"
    )
