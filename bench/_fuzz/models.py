"""Spoilt model files. Sizes and hashes are corrected, so that the checks behind them are reached, too."""

from __future__ import annotations

import hashlib
import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from bench._fuzz.trees import DEEP, spoiled

Members = dict[str, bytes]
DTYPES = (
    "<f8",
    "<f4",
    "<i8",
    "<i4",
    "<i2",
    "|i1",
    "<u8",
    "<u4",
    "<u2",
    "|u1",
    ">f8",
    "|b1",
    "<c16",
    "<f2",
    "<U3",
    "|O",
)
EXTREME = (0, 1, -1, 2, 63, 64, 65, 255, 2**15, 2**31 - 1, -(2**31), 2**62)
NOT_FINITE = (float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 5e-324, 1e-300)
WEIGHTS = {
    "program": 6,
    "golden": 2,
    "schema": 3,
    "task": 3,
    "decision": 3,
    "sets": 2,
    "profile": 2,
    "card": 2,
    "metrics": 2,
}


def members_of(path: Path) -> Members:
    """What a model file holds, without its manifest."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def spoilt_model(rng: Random, members: Members, zeros: bytes, again: Callable[[bytes], Members | None]) -> bytes:
    """The bytes of a model file with one to three changes.

    ``zeros``: a deflated stream of very many. ``again``: the members of a file with its golden rows scored anew, or
    None.
    """
    spoilt = dict(members)
    manifest = json.loads(spoilt.pop("manifest.json"))
    if rng.random() < 0.08:
        return _spoilt_archive(rng, _archive(rng, spoilt, manifest), zeros)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        _spoil_member(rng, spoilt)
    content = _archive(rng, spoilt, manifest, rng.random() < 0.04)
    if rng.random() < 0.6 and (repaired := again(content)) is not None:
        repaired.pop("manifest.json")
        content = _archive(rng, repaired, manifest)
    return _spoilt_archive(rng, content, zeros) if rng.random() < 0.03 else content


def _archive(rng: Random, members: Members, manifest: dict[str, object], spoil: bool = False) -> bytes:
    entries = [{"name": n, "sha256": hashlib.sha256(c).hexdigest(), "size": len(c)} for n, c in members.items()]
    content = {**manifest, "members": entries}
    everything = {**members, "manifest.json": _json(spoiled(rng, content) if spoil else content)}
    file = io.BytesIO()
    kind = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(everything):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), everything[name], kind, 1)
    return file.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _spoil_member(rng: Random, members: Members) -> None:
    arrays = [name for name in members if name.endswith(".npy")]
    which = rng.random()
    if which < 0.4 and arrays:
        name = rng.choice(arrays)
        members[name] = _spoilt_array(rng, members[name])
    elif which < 0.9:
        name = f"{rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]}.json"
        if name in members:
            members[name] = _spoilt_json(rng, members[name])
    elif which < 0.94 and len(arrays) > 1:
        one, other = rng.sample(arrays, 2)
        members[one], members[other] = members[other], members[one]
    elif which < 0.96:
        del members[rng.choice(list(members))]
    elif which < 0.98:
        name = rng.choice(
            ["x.json", "arrays/99999.npy", "../x.json", "a/b", "x\x1b[31m.json", "arrays/00000.NPY", "con.json"]
        )
        members[name] = rng.choice(list(members.values()))
    else:
        one, other = rng.sample(list(members), 2)
        members[one] = members[other]


def _spoilt_json(rng: Random, content: bytes) -> bytes:
    if rng.random() < 0.05:
        return rng.choice(
            [
                *(b"", b"null", b"{}", b"[]", b"0", b'"x"', b"\xef\xbb\xbf" + content, content + b"x", content[:-1]),
                *(b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, content.replace(b'"', b'"\xff', 1)),
                *(
                    content.replace(b",", b",\x00", 1),
                    content.replace(b'":', b'":' + b"[" * DEEP + b"]" * DEEP + b"+", 1),
                ),
            ]
        )
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return content
    for _ in range(rng.choice([1, 1, 2])):
        tree = spoiled(rng, tree)
    return _json(tree)


@np.errstate(all="ignore")
def _spoilt_array(rng: Random, content: bytes) -> bytes:
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OverflowError, EOFError, SyntaxError, tokenize.TokenError):
        return content
    if array.dtype.kind not in "biuf":
        return _npy(array.astype("S3"))
    match rng.randrange(8):
        case 0 | 1 | 2 | 3 if array.size:
            array = array.copy()
            flat = array.reshape(-1)
            for _ in range(rng.choice([1, 1, 2, 5])):
                at = rng.randrange(len(flat))
                flat[at] = _value(rng, array, flat[rng.randrange(len(flat))])
            return _npy(array)
        case 4:
            return _spoilt_header(rng, content)
        case 5:
            return _npy(array.astype(rng.choice(DTYPES[:14])))
        case 6:
            return _npy(_another_shape(rng, array))
        case _:
            return _npy(np.full(array.shape, _value(rng, array, 0), array.dtype))


def _value(rng: Random, array: np.ndarray, near: object) -> object:
    if array.dtype.kind == "f":
        return rng.choice([near, rng.gauss(0, 10), *EXTREME, *NOT_FINITE])
    if array.dtype.kind == "b":
        return rng.random() < 0.5
    info = np.iinfo(array.dtype)
    values = [int(near), int(near) + 1, int(near) - 1, rng.randrange(max(2, array.size)), *EXTREME, info.min, info.max]
    return min(max(rng.choice(values), info.min), info.max)


def _another_shape(rng: Random, array: np.ndarray) -> np.ndarray:
    flat = array.reshape(-1)
    return rng.choice(
        [
            *(
                flat[:-1],
                flat[:0],
                flat,
                np.tile(flat, 2),
                np.tile(flat, 400),
                flat[:1].reshape(()) if flat.size else flat,
            ),
            *(array[None], array[..., None], array.T, flat[::-1], flat.reshape(-1, 1), np.sort(flat), flat[:1]),
        ]
    )


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _spoilt_header(rng: Random, content: bytes) -> bytes:
    """The same numbers behind another description of them."""
    length = int.from_bytes(content[8:10], "little")
    header, rest = content[10 : 10 + length], content[10 + length :]
    shape = rng.choice(
        ["()", "(0,)", "(-1,)", "(1" + "0" * 30 + ",)", "(True,)", "(2.0,)", "(1,)*9", "[3]", "(3,", "None", "(4, 4)"]
    )
    dtype = rng.choice(
        [repr(name) for name in DTYPES] + ["None", "[('a','<f8')]", "'<f8,<f8'", "'V'", "'<M8[s]'", "1", "'\\x1b[31m'"]
    )
    text = rng.choice(
        [
            f"{{'descr': {dtype}, 'fortran_order': False, 'shape': ({len(rest) // 8},), }}".encode(),
            (
                f"{{'descr': '<f8', 'fortran_order': {rng.choice(['True', '0', 'None', '[]'])}, "
                f"'shape': ({len(rest) // 8},), }}"
            ).encode(),
            f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode(),
            *(
                b"{}",
                b"",
                b"[" * 200,
                b"(" * 90 + b")" * 90,
                b"\xff\xfe",
                b"\x00" * 40,
                b"{'a': 1}",
                b"__import__('os').getpid()",
            ),
            *(
                header[: len(header) // 2],
                b"\t" + header,
                header.replace(b"'", b'"'),
                header.replace(b"shape", b"shap\x80"),
            ),
            header.replace(b":", b"", 1),
            bytes(rng.randrange(256) if rng.random() < 0.1 else b for b in header),
        ]
    )
    stated_length = rng.choice([len(text)] * 6 + [0, len(text) + 1, 65535])
    magic = rng.choice(
        [content[:8]] * 8 + [b"\x93NUMPY\x02\x00", b"\x93NUMPY\x03\x00", b"\x93NUMPY\x09\x09", b"\x93numpy\x01\x00"]
    )
    return magic + stated_length.to_bytes(2, "little") + text + rest


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
FIELDS = {
    LOCAL: ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)),
    CENTRAL: (
        (4, 2),
        (6, 2),
        (8, 2),
        (10, 2),
        (16, 4),
        (20, 4),
        (24, 4),
        (28, 2),
        (30, 2),
        (32, 2),
        (34, 2),
        (38, 4),
        (42, 4),
    ),
    END: ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)),
}
"""Where the fields of the headers of a zip stand, and how many bytes they have."""


def _spoilt_archive(rng: Random, content: bytes, zeros: bytes) -> bytes:
    """The same members in an archive that is none."""
    junk = rng.choice([b"\x00", b"PK\x03\x04", b"x" * 1000, content])
    at = rng.randrange(len(content))
    match rng.randrange(9):
        case 0 | 1 | 2:
            return _spoilt_field(rng, content)
        case 3:
            return rng.choice([junk + content, content + junk, content[:at] + junk + content[at:]])
        case 4:
            return rng.choice([content[:at], content[at:], content[:at] + content[at + rng.randrange(1, 40) :]])
        case 5:
            changed = bytearray(content)
            for _ in range(rng.choice([1, 1, 3, 20])):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            return bytes(changed)
        case 6:
            return _with_gap(content, junk)
        case _:
            return _with_bomb(rng, content, zeros)


def _spoilt_field(rng: Random, content: bytes) -> bytes:
    sign = rng.choice(list(FIELDS))
    places = [i for i in range(len(content)) if content.startswith(sign, i)]
    at = rng.choice(places)
    offset, size = rng.choice(FIELDS[sign])
    value = rng.choice([0, 1, 4, 8, 12, 14, 99, 2 ** (8 * size) - 1, rng.randrange(2 ** (8 * size))])
    return content[: at + offset] + value.to_bytes(size, "little") + content[at + offset + size :]


def _with_gap(content: bytes, junk: bytes) -> bytes:
    """Bytes between the members and their directory, which says where it stands."""
    end = content.rindex(END)
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    moved = (start + len(junk)).to_bytes(4, "little")
    return content[:start] + junk + content[start:end] + content[end : end + 16] + moved + content[end + 20 :]


def _with_bomb(rng: Random, content: bytes, zeros: bytes) -> bytes:
    """A member that says it is small and unpacks to very much."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([n for n in members if n.endswith(".npy")] or list(members))
    manifest = json.loads(members["manifest.json"])
    stated_size = rng.choice([4, 1_000, 10_000_000])
    start = bytes(min(stated_size, 10_000_000))
    entries = manifest.get("members") if isinstance(manifest, dict) else None  # it may be spoilt, too
    for member in entries if isinstance(entries, list) else []:
        if isinstance(member, dict) and member.get("name") == name:
            member["size"], member["sha256"] = stated_size, hashlib.sha256(start).hexdigest()
    members["manifest.json"], members[name] = _json(manifest), start
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(members):
            archive.writestr(
                zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), members[path] if path != name else b"", zipfile.ZIP_STORED
            )
    return _stored_to_deflated(file.getvalue(), name, zeros, stated_size, zlib.crc32(start))


def _stored_to_deflated(content: bytes, name: str, packed: bytes, size: int, crc: int) -> bytes:
    """Put a packed stream in the place of an empty member."""
    head = content.index(name.encode()) - 30
    after = head + 30 + len(name)
    fields = crc.to_bytes(4, "little") + len(packed).to_bytes(4, "little") + size.to_bytes(4, "little")
    local = (
        content[head : head + 8]
        + (8).to_bytes(2, "little")
        + content[head + 10 : head + 14]
        + fields
        + content[head + 26 : after]
    )
    changed = bytearray(content[:head] + local + packed + content[after:])
    end = changed.rindex(END)
    start = int.from_bytes(changed[end + 16 : end + 20], "little") + len(packed)
    changed[end + 16 : end + 20] = start.to_bytes(4, "little")
    at = start
    while changed[at : at + 4] == CENTRAL:
        length = int.from_bytes(changed[at + 28 : at + 30], "little")
        offset = int.from_bytes(changed[at + 42 : at + 46], "little")
        if changed[at + 46 : at + 46 + length] == name.encode():
            changed[at + 10 : at + 12], changed[at + 16 : at + 28] = (8).to_bytes(2, "little"), fields
        elif offset > head:
            changed[at + 42 : at + 46] = (offset + len(packed)).to_bytes(4, "little")
        at += 46 + length
    return bytes(changed)
