"""A model and the members of its file.

    schema.json  task.json  decision.json  sets.json
    metrics.json  card.json                  for people
    profile.json                             what training looked like, column by column
    scores.json                              what the model said of the test, class by class
    reliability.json                         what it said and what came, class by class
    golden.json                              rows and the probabilities that they get
    program.json                             nested ops and settings; arrays by the names of their members, and networks
                                             beside the file by their SHA-256 (``networks``)
    arrays/00000.npy ...                     numbers only

Nothing in a file is code, nothing is unpickled, and nothing in it is a name to import. ``archive`` audits the zip
and every SHA-256; here every JSON value is checked against its type and every array against the plain dtypes. Only
then is anything built.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sortal.artifact import archive, networks
from sortal.artifact.card import Card
from sortal.core.errors import ArtifactError
from sortal.core.interval import Estimate
from sortal.core.profile import ColumnProfile
from sortal.core.reliability import Reliability
from sortal.core.schema import Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.decide.sets import Sets
from sortal.engine.limits import DEEPEST
from sortal.engine.program import Array, Program
from sortal.version import __version__

Value = float | int | bool | str | None

DTYPES = frozenset({"<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1"})
Setting = str | int | float | bool | list[str] | None
"""What a file may hold as a setting of an op."""


@dataclass(frozen=True)
class Golden:
    """A few rows that a loaded model must score as the saved one did.

    ``rows``: a dict of canonical values each, as JSON holds them (a datetime is microseconds since 1970, UTC; a
    column that is not there is missing). ``probability``: (rows, K); empty until the model is saved.
    """

    rows: tuple[dict[str, Value], ...] = ()
    probability: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a model file holds.

    ``metrics``, the figures of each part by name, and ``card`` are for people; scoring needs none of them. ``profile``
    says what each feature looked like in training, which rows that come in are compared with, and ``scores`` by class
    what the model said of the test: of fresh rows like these it says alike. ``reliability``: by class how far that can
    be believed. ``version``: of the sortal that trained the model. ``embedded``: networks that others trained are in
    the file, and not in files of their own beside it.
    """

    schema: Schema
    task: Task
    decision: Decision
    program: Program
    sets: Sets | None = None
    metrics: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    profile: Mapping[str, ColumnProfile] = field(default_factory=dict)
    scores: Mapping[str, ColumnProfile] = field(default_factory=dict)
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    card: Card | None = None
    golden: Golden = Golden()
    version: str = __version__
    embedded: bool = True


@dataclass(frozen=True)
class _Node:
    """A program; its arrays are the names of members, or of networks beside the file (see ``networks``)."""

    op: str
    settings: dict[str, Setting]
    arrays: dict[str, str]
    steps: tuple[_Node, ...]


_PARTS: dict[str, msgspec.json.Decoder[Any]] = {
    "schema": msgspec.json.Decoder(Schema),
    "task": msgspec.json.Decoder(Task),
    "decision": msgspec.json.Decoder(Decision),
    "sets": msgspec.json.Decoder(Sets | None),
    "metrics": msgspec.json.Decoder(dict[str, dict[str, Estimate]]),
    "profile": msgspec.json.Decoder(dict[str, ColumnProfile]),
    "scores": msgspec.json.Decoder(dict[str, ColumnProfile]),
    "reliability": msgspec.json.Decoder(dict[str, Reliability]),
    "card": msgspec.json.Decoder(Card | None),
    "golden": msgspec.json.Decoder(Golden),
}
_NODE = msgspec.json.Decoder(_Node)


def as_written(contents: Contents) -> Contents:
    """The contents as they come back from a file. Raises TypeError and ValueError for what a file cannot hold."""
    return replace(
        contents,
        **{name: decoder.decode(msgspec.json.encode(getattr(contents, name))) for name, decoder in _PARTS.items()},
    )


def save(path: str | Path, contents: Contents) -> None:
    """Write a model file, whole or not at all; equal contents give equal bytes.

    Raises OutputError where it cannot be written, TypeError for values that JSON does not know, and ValueError
    for arrays that are not plain numbers.
    """
    members = {f"{name}.json": msgspec.json.encode(getattr(contents, name)) for name in _PARTS}
    beside = None if contents.embedded else Path(path).parent
    members["program.json"] = msgspec.json.encode(_pack(contents.program, members, count(), {}, beside))
    archive.write(path, members, contents.version)


def _pack(
    program: Program,
    members: dict[str, bytes],
    number: Iterator[int],
    shared: dict[bytes, str],
    beside: Path | None = None,
    once: bool = False,
) -> _Node:
    """The program as a node; its arrays become members, one that several members of an ensemble have but once.

    ``beside``: the folder in which networks within an op ``once`` become files of their own; None where they do not.
    """
    once = once or program.op == "once"
    if beside is not None and once and program.op == "onnx":
        reference = networks.put(np.asarray(program.arrays["graph"]).tobytes(), beside)
        return _Node(program.op, dict(program.settings), {"graph": reference}, ())
    names = {}
    for name, array in sorted(program.arrays.items()):
        content = _to_npy(program.op, name, array)
        member = shared.get(content) if _is_shared(program.op) else None
        names[name] = member or f"arrays/{next(number):05d}.npy"
        members[names[name]] = content
        if _is_shared(program.op):
            shared[content] = names[name]
    steps = tuple(_pack(step, members, number, shared, beside, once) for step in program.steps)
    return _Node(program.op, dict(program.settings), names, steps)


def _is_shared(op: str) -> bool:
    """Whether its arrays, a network or its vocabulary, are large and alike in several members of an ensemble."""
    return op in ("onnx", "tokens")


def _to_npy(op: str, name: str, array: Array) -> bytes:
    plain = np.asarray(array, order="C")
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    if plain.dtype.str not in DTYPES:
        raise ValueError(f"program op '{op}': a model file holds no array of dtype {array.dtype} ('{name}')")
    file = io.BytesIO()
    np.lib.format.write_array(file, plain, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def load_contents(path: str | Path, approve: Callable[[bytes], None] = lambda content: None) -> Contents:
    """Read a model file. ``approve`` sees its bytes first, and may raise.

    Raises ArtifactError, in one sentence, for a file that is not there or damaged, of another kind or protocol,
    unsafe to unpack, or that holds anything but what ``save`` writes.
    """
    file = Path(path).name
    manifest, members = archive.read(path, approve)
    parts = {name: _decoded(decoder, f"{name}.json", members, file) for name, decoder in _PARTS.items()}
    node = _decoded(_NODE, "program.json", members, file)
    apart = {name: _bytes_of(networks.find(name, Path(path))) for name in _check_arrays(node, members, file)}
    program = _unpack(node, members, apart, file)
    return Contents(program=program, version=manifest.sortal, embedded=not apart, **parts)


def _bytes_of(content: bytes) -> Array:
    return np.frombuffer(content, dtype=np.uint8)


def _decoded(decoder: msgspec.json.Decoder[Any], name: str, members: Mapping[str, bytes], file: str) -> Any:
    if name not in members:
        raise ArtifactError(f"{file} is no sortal model: it has no {name}")
    try:
        return decoder.decode(members[name])
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{file} is no sortal model: its {name} does not fit ({str(error)[:160]})") from None


def _check_arrays(node: _Node, members: Mapping[str, bytes], file: str) -> set[str]:
    """Every array belongs to one place of the program, but for networks, and the program is not nested without end.

    The networks that stand beside the file.
    """
    used: list[str] = []
    shared: set[str] = set()
    level = [node]
    for _ in range(DEEPEST):
        used += [name for inner in level for name in inner.arrays.values() if not _is_shared(inner.op)]
        shared |= {name for inner in level for name in inner.arrays.values() if _is_shared(inner.op)}
        level = [step for inner in level for step in inner.steps]
    if level:
        raise ArtifactError(f"{file} is unsafe: its program is nested deeper than {DEEPEST} levels")
    apart = {name for name in shared if networks.REFERENCE.fullmatch(name)}
    if sorted([*used, *(shared - apart)]) != sorted(name for name in members if name.startswith("arrays/")):
        raise ArtifactError(f"{file} is no sortal model: its program does not name its arrays once each")
    return apart


def _unpack(node: _Node, members: Mapping[str, bytes], apart: Mapping[str, Array], file: str) -> Program:
    arrays = {
        name: apart[member] if member in apart else _from_npy(members[member], f"{file}: {member}")
        for name, member in node.arrays.items()
    }
    steps = tuple(_unpack(step, members, apart, file) for step in node.steps)
    return Program(node.op, node.settings, arrays, steps)


_MAGIC = b"\x93NUMPY\x01\x00"
_LENGTH = rb"\d{1,12}"
_HEADER = re.compile(
    rb"\{'descr': '([<|][fiu][1248])', 'fortran_order': False, "
    rb"'shape': \((|LENGTH,|LENGTH(?:, LENGTH)+)\), \} *\n".replace(b"LENGTH", _LENGTH)
)
"""What numpy writes before the numbers of a plain array, letter by letter; nothing in it is evaluated."""


def _from_npy(content: bytes, where: str) -> Array:
    """The array in a member, read-only."""
    start = len(_MAGIC) + 2
    if content[: len(_MAGIC)] != _MAGIC or len(content) < start:
        raise ArtifactError(f"{where} is no array")
    start += struct.unpack_from("<H", content, len(_MAGIC))[0]
    header = _HEADER.fullmatch(content, len(_MAGIC) + 2, start)
    dtype = header and header[1].decode()
    if header is None or dtype not in DTYPES:
        raise ArtifactError(f"{where} is an array of another form than sortal writes")
    shape = tuple(int(length) for length in header[2].split(b",") if length.strip())
    if prod(shape) * np.dtype(dtype).itemsize != len(content) - start:
        raise ArtifactError(f"{where} has a shape that does not fit its size")
    return np.frombuffer(content, dtype=dtype, offset=start).reshape(shape)
