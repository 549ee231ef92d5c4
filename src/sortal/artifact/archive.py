"""The zip around a model: written with the same bytes for the same members, audited before it is believed."""

from __future__ import annotations

import hashlib
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sortal.artifact.manifest import FORMAT, PROTOCOL, Manifest, Member, read_manifest
from sortal.core.errors import ArtifactError
from sortal.core.packing import LEVEL, is_packed
from sortal.data.whole import replacing

MANIFEST = "manifest.json"
NAMES = re.compile(r"[a-z]+\.json|arrays/[0-9]{5}\.npy")
"""Nothing else is a member: no folders, no paths that lead elsewhere."""

MOST_BYTES = 2**30
"""Of a file, and of all that it unpacks to: 20 million nodes of trees need half of it."""
MOST_JSON_BYTES = 2**24
"""Of a part: 5,000 columns need a tenth of it, and its values take up to thirty times as much memory."""
MOST_LEVELS_BYTES, HOLDS_LEVELS = 2**26, ("program.json", "profile.json")
"""These name the levels of categories, of which there may be millions."""
MOST_MEMBERS = 10_000
"""Arrays, mostly: a table of 5,000 categories needs one each."""

MOST_RATIO = 200
"""Unpacked to packed. One-hot tables are nearly all zeros; other models are at 3 to 10."""
FREE_BYTES = 2**24
"""What a file of any size may unpack to; beyond that, MOST_RATIO times its size."""


def write(path: str | Path, members: Mapping[str, bytes], version: str) -> None:
    """Write the members and their manifest, whole or not at all. Raises OutputError where that is not possible."""
    members_listed = tuple(Member(name, _sha256(members[name]), len(members[name])) for name in sorted(members))
    manifest = Manifest(format=FORMAT, protocol=PROTOCOL, sortal=version, members=members_listed)
    everything = {**members, MANIFEST: msgspec.json.encode(manifest)}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(everything):
            method = zipfile.ZIP_DEFLATED if is_packed(everything[name]) else zipfile.ZIP_STORED
            archive.writestr(_entry(name), everything[name], method, LEVEL)


def _entry(name: str) -> zipfile.ZipInfo:
    """A member without clock, user or system in it."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    return entry


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(
    path: str | Path, approve: Callable[[bytes], None] = lambda content: None
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the content of every other member. ``approve`` sees the bytes of the file first, and may raise.

    Raises ArtifactError, in one sentence, for a file that is not there, is cut off, has a changed byte or an
    unknown protocol, unpacks to too much, or has members that are unsafe or that its manifest does not list.
    """
    file = Path(path).name
    content = _content(Path(path))
    approve(content)
    entries = _audited(_entries(content, file), len(content), file)
    manifest = read_manifest(_unpacked(content, entries.pop(MANIFEST), file), file)
    _check_members(entries, manifest, file)
    members = {name: _unpacked(content, entry, file) for name, entry in entries.items()}
    for member in manifest.members:
        if _sha256(members[member.name]) != member.sha256:
            raise ArtifactError(f"{file} was changed after it was saved: {member.name} has another SHA-256")
    return manifest, members


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ArtifactError(f"{path.name} has {size:,} bytes, more than the {MOST_BYTES:,} of any model")
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ArtifactError(f"the model file {str(path)!r} cannot be read: {reason}") from None


@dataclass(frozen=True)
class _Entry:
    """A member as the directory of the archive tells of it; ``start`` and ``packed``: where its bytes begin, and how
    many they are.
    """

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    start: int


_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")


def _entries(content: bytes, file: str) -> list[_Entry]:
    """The members in their order: an archive that begins with the first byte, has nothing between its parts, and ends
    with the last.

    Only one way to write a zip is read, the one of ``write`` and of Python: no comments, extra fields, disks or sizes
    behind the data. So no two programs can see different members in it.
    """
    if not content.startswith(b"PK\x03\x04"):
        raise ArtifactError(f"{file} is no sortal model; give the .sortal file of a run")
    at_end = len(content) - _END.size
    mark, *disks, count, total, length, directory, comment = _END.unpack_from(content, max(at_end, 0))
    if mark != b"PK\x05\x06" or disks != [0, 0] or comment or count != total or directory + length != at_end:
        raise ArtifactError(f"{file} is cut off, or has bytes after its end or between its parts; copy it again")
    entries, at, start = [], directory, 0
    for _ in range(count):
        if at + _CENTRAL.size > at_end:
            raise _damaged(file, "its directory is cut off")
        mark, _, *local, extra, remark, disk, _, attributes, offset = _CENTRAL.unpack_from(content, at)
        _, flags, method, _, _, crc, packed, size, named = local
        name = content[at + _CENTRAL.size : at + _CENTRAL.size + named]
        if mark != b"PK\x01\x02" or extra or remark or disk or offset != start:
            raise _damaged(file, "there are bytes between its members, or extra fields")
        if content[start : start + _LOCAL.size + named] != _LOCAL.pack(b"PK\x03\x04", *local, 0) + name:
            raise _damaged(file, "a member is not what the directory says")
        start += _LOCAL.size + named
        entries.append(_Entry(name.decode("latin-1"), flags, method, crc, packed, size, attributes >> 16, start))
        at, start = at + _CENTRAL.size + named, start + packed
    if at != at_end or start != directory:
        raise _damaged(file, "there are bytes that belong to no member")
    return entries


def _damaged(file: str, reason: str) -> ArtifactError:
    return ArtifactError(f"{file} is damaged ({reason}); copy it again")


def _unpacked(content: bytes, entry: _Entry, file: str) -> bytes:
    """The bytes of a member. Never more than it says is inflated, and nothing may be left."""
    packed = memoryview(content)[entry.start : entry.start + entry.packed]
    if entry.method == zipfile.ZIP_STORED:
        unpacked, whole = bytes(packed[: entry.size + 1]), True
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            unpacked = inflater.decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise _damaged(file, f"{entry.name}: {error}") from None
        whole = inflater.eof and not inflater.unused_data
    if len(unpacked) != entry.size or not whole or zlib.crc32(unpacked) != entry.crc:
        raise _damaged(file, f"{entry.name} does not unpack to the {entry.size:,} bytes that it should")
    return unpacked


def _audited(listed: list[_Entry], size: int, file: str) -> dict[str, _Entry]:
    """The members by name, if unpacking them is safe; nothing has been unpacked yet."""
    if len(listed) > MOST_MEMBERS:
        raise ArtifactError(f"{file} is unsafe: it has more than {MOST_MEMBERS:,} members")
    entries = {entry.name: entry for entry in listed}
    if len(entries) < len(listed):
        raise ArtifactError(f"{file} is unsafe: it has two members of the same name")
    for entry in listed:
        reason = _objection(entry)
        if reason:
            raise ArtifactError(f"{file} is unsafe: member {entry.name[:80]!r} {reason}")
    if MANIFEST not in entries:
        raise ArtifactError(f"{file} is no sortal model: it has no {MANIFEST}")
    unpacked = sum(entry.size for entry in listed)
    if unpacked > min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * size)):
        raise ArtifactError(f"{file} is unsafe: its {size:,} bytes would unpack to {unpacked:,}")
    return entries


def _objection(entry: _Entry) -> str:
    """Why a member must not be unpacked; empty if it may."""
    if NAMES.fullmatch(entry.name) is None:
        return "has a name that no model file needs"
    if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG):
        return "is a link or a folder"
    if entry.flags & 0x1:
        return "is encrypted"
    if entry.flags or entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in another way than model files are"
    most = MOST_LEVELS_BYTES if entry.name in HOLDS_LEVELS else MOST_JSON_BYTES
    if entry.name.endswith(".json") and entry.size > most:
        return f"would unpack to {entry.size:,} bytes of JSON"
    return ""


def _check_members(entries: Mapping[str, _Entry], manifest: Manifest, file: str) -> None:
    """What the manifest lists is what is there."""
    sizes = {member.name: member.size for member in manifest.members}
    if len(sizes) < len(manifest.members):
        raise ArtifactError(f"{file} was changed after it was saved: its manifest lists a member twice")
    for name in sorted(sizes.keys() ^ entries.keys()):
        what = f"lacks {name[:80]!r}" if name in sizes else f"has {name!r}, which its manifest does not list"
        raise ArtifactError(f"{file} was changed after it was saved: it {what}")
    for name, entry in entries.items():
        if entry.size != sizes[name]:
            raise ArtifactError(f"{file} was changed after it was saved: {name} has another size")
