"""The zip around a model: written with the same bytes for the same members, audited before it is believed."""

from __future__ import annotations

import hashlib
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from sortal.artifact.manifest import FORMAT, PROTOCOL, Manifest, Member, read_manifest
from sortal.core.errors import ArtifactError

MANIFEST = "manifest.json"
NAMES = re.compile(r"[a-z]+\.json|arrays/[0-9]{5}\.npy")
"""Nothing else is a member: no folders, no paths that lead elsewhere."""

LEVEL = 2
"""Of compression: level 6 takes four times as long to make a forest 6 % smaller."""

MOST_BYTES = 2**30
MOST_JSON_BYTES = 2**26
MOST_MEMBERS = 10_000

MOST_RATIO = 200
FREE_BYTES = 2**24
"""What a file of any size may unpack to; beyond that, MOST_RATIO times its size."""


def write(path: str | Path, members: Mapping[str, bytes], version: str) -> None:
    """Write the members and their manifest, whole or not at all. Raises OutputError where that is not possible."""
    from sortal.data.write import replacing  # it needs polars, and who reads a model does not

    told = tuple(Member(name, _sha256(members[name]), len(members[name])) for name in sorted(members))
    manifest = Manifest(format=FORMAT, protocol=PROTOCOL, sortal=version, members=told)
    everything = {**members, MANIFEST: msgspec.json.encode(manifest)}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(everything):
            archive.writestr(_entry(name), everything[name], zipfile.ZIP_DEFLATED, LEVEL)


def _entry(name: str) -> zipfile.ZipInfo:
    """A member without clock, user or system in it."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    return entry


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(path: str | Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the content of every other member.

    Raises ArtifactError, in one sentence, for a file that is not there, is cut off, has a changed byte or an
    unknown protocol, unpacks to too much, or has members that are unsafe or that its manifest does not list.
    """
    file = Path(path).name
    content = _content(Path(path))
    _check_ends(content, file)
    try:
        with zipfile.ZipFile(io.BytesIO(content), metadata_encoding="utf-8") as archive:
            entries = _audited(archive.infolist(), len(content), file)
            manifest = read_manifest(archive.read(entries.pop(MANIFEST)), file)
            _check_members(entries, manifest, file)
            members = {name: archive.read(entry) for name, entry in entries.items()}
    except ArtifactError:
        raise
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise ArtifactError(f"{file} is damaged ({reason}); copy it again") from None
    for member in manifest.members:
        if _sha256(members[member.name]) != member.sha256:
            raise ArtifactError(f"{file} was changed after it was saved: {member.name} has another SHA-256")
    return manifest, members


_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, OverflowError, ValueError, OSError),
)
"""What Python's zipfile raises for bytes that it cannot make sense of."""


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ArtifactError(f"{path.name} has {size:,} bytes, more than the {MOST_BYTES:,} of any model")
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ArtifactError(f"the model file {str(path)!r} cannot be read: {reason}") from None


def _check_ends(content: bytes, file: str) -> None:
    """The first and the last bytes are those of an archive without anything before, after or beside it."""
    if not content.startswith(b"PK\x03\x04"):
        raise ArtifactError(f"{file} is no sortal model; give the .sortal file of a run")
    end = content[-22:]
    if not end.startswith(b"PK\x05\x06") or end[4:8] != bytes(4) or end[20:] != bytes(2):
        raise ArtifactError(f"{file} is cut off, or has bytes after its end; copy it again")


def _audited(found: list[zipfile.ZipInfo], size: int, file: str) -> dict[str, zipfile.ZipInfo]:
    """The members by name, if unpacking them is safe; nothing has been unpacked yet."""
    entries = {entry.filename: entry for entry in found}
    if len(entries) < len(found):
        raise ArtifactError(f"{file} is unsafe: it has two members of the same name")
    if len(entries) > MOST_MEMBERS:
        raise ArtifactError(f"{file} is unsafe: it has more than {MOST_MEMBERS:,} members")
    for entry in found:
        reason = _objection(entry)
        if reason:
            raise ArtifactError(f"{file} is unsafe: member {entry.orig_filename[:80]!r} {reason}")
    if MANIFEST not in entries:
        raise ArtifactError(f"{file} is no sortal model: it has no {MANIFEST}")
    unpacked = sum(entry.file_size for entry in found)
    if unpacked > min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * size)):
        raise ArtifactError(f"{file} is unsafe: its {size:,} bytes would unpack to {unpacked:,}")
    return entries


def _objection(entry: zipfile.ZipInfo) -> str:
    """Why a member must not be unpacked; empty if it may."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if NAMES.fullmatch(entry.filename) is None or entry.orig_filename != entry.filename:
        return "has a name that no model file needs"
    if kind not in (0, stat.S_IFREG):
        return "is a link or a folder"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in another way than model files are"
    if entry.filename.endswith(".json") and entry.file_size > MOST_JSON_BYTES:
        return f"would unpack to {entry.file_size:,} bytes of JSON"
    return ""


def _check_members(entries: Mapping[str, zipfile.ZipInfo], manifest: Manifest, file: str) -> None:
    """What the manifest lists is what is there."""
    listed = {member.name: member.size for member in manifest.members}
    if len(listed) < len(manifest.members):
        raise ArtifactError(f"{file} was changed after it was saved: its manifest lists a member twice")
    for name in sorted(listed.keys() ^ entries.keys()):
        what = f"lacks {name[:80]!r}" if name in listed else f"has {name!r}, which its manifest does not list"
        raise ArtifactError(f"{file} was changed after it was saved: it {what}")
    for name, entry in entries.items():
        if entry.file_size != listed[name]:
            raise ArtifactError(f"{file} was changed after it was saved: {name} has another size")
