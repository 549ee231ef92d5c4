"""ONNX files as plain data: a reader and a writer of the part of the format that the engine runs.

The format is Protocol Buffers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); the numbers below are those of
its fields. What is read is written anew before a runtime gets it, so that nothing reaches it that is not known here: no
external data, functions, subgraphs, operators of others, or bytes that two readers could take for different things.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from sortal.engine.program import Array

Attribute = int | float | str | tuple[int, ...]

OPSET, IR_VERSION = 17, 8
"""Of the operators, and of the files of that time (ONNX 1.12, 2022): every runtime since reads them."""
DTYPES = {1: "float32", 3: "int8", 7: "int64", 10: "float16"}
"""Of tensors, by the number that a file has for them."""
MOST_NODES = 4_096
"""Of a graph: ten times those of a network of a hundred layers."""
MOST_RANK = 6
"""Dimensions of a tensor."""


@dataclass(frozen=True)
class Node:
    """An operator, the names of the tensors that it takes and of the one that it gives, and its settings."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """What a tensor is: its dtype, and its shape, in which None is a length that differs from call to call."""

    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: ``nodes`` in the order in which they are computed, ``constants`` by name, ``inputs`` by name, and the
    name of its one ``output``, which is of floats.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: Mapping[str, Spec]
    output: str


def write(graph: Graph, shape: tuple[int, ...]) -> bytes:
    """An ONNX file; ``shape``: of the output."""
    parts: list[bytes | memoryview] = [_message(1, _node(node)) for node in graph.nodes]
    parts.append(_text(2, "network"))
    for name, array in sorted(graph.constants.items()):
        parts += _tensor(name, array)
    parts += [_message(11, _port(name, spec)) for name, spec in graph.inputs.items()]
    parts.append(_message(12, _port(graph.output, Spec("float32", shape))))
    version = _message(8, _integer(2, OPSET))
    # Joined once, since constants may be half a gigabyte.
    return b"".join([_integer(1, IR_VERSION), version, _head(7, sum(map(len, parts))), *parts])


def read(content: bytes | memoryview, opsets: Sequence[int] = (OPSET,)) -> Graph:
    """The network in an ONNX file, of operators of one of these versions. Names of nodes, notes and declared shapes in
    between are passed over, and nodes that only hold a constant become one.

    Raises ValueError, in a few words, for what is no ONNX file, is of another version, or has what the engine does not
    run.
    """
    try:
        return _graph(_model(memoryview(content), opsets))
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"is no ONNX file ({error})") from None


def constants(content: bytes) -> dict[str, Array]:
    """The constants of a network that somebody else wrote, whatever else it has: those of a known dtype, by name."""
    model = _only("model", _fields(memoryview(content)), {7: "graph"}, ignored=range(1, 30))
    graph = _only("graph", _fields(_part("a graph", model["graph"])), {5: "constant"}, ignored=range(1, 30))
    parts = [_part("a tensor", [each]) for each in graph["constant"]]
    return dict(_read_tensor(part) for part in parts if _is_known(part))


def _is_known(tensor: memoryview) -> bool:
    return any(tag == 2 and value in DTYPES for tag, value in _fields(tensor))


_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
"""How a field is laid out."""
_FLOAT32, _INT64 = 1, 7
_A_FLOAT, _AN_INT, _A_TEXT, _INTS = 1, 2, 3, 7
"""Types of attributes."""
Field = tuple[int, int | float | memoryview]


def _number(number: int) -> bytes:
    """A number of variable length: seven bits a byte, the lowest first; negative ones as 64 bits."""
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _integer(tag: int, value: int) -> bytes:
    return _number(tag << 3 | _VARINT) + _number(value)


def _head(tag: int, length: int) -> bytes:
    """What stands before a message of so many bytes."""
    return _number(tag << 3 | _BYTES) + _number(length)


def _message(tag: int, content: bytes) -> bytes:
    return _head(tag, len(content)) + content


def _text(tag: int, value: str) -> bytes:
    return _message(tag, value.encode())


def _node(node: Node) -> bytes:
    parts = [_text(1, name) for name in node.inputs]
    parts += [_text(2, node.output), _text(4, node.op)]
    parts += [_message(5, _attribute(name, value)) for name, value in sorted(node.attributes.items())]
    return b"".join(parts)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        encoded, kind = _text(4, value), _A_TEXT
    elif isinstance(value, float):
        encoded, kind = _number(2 << 3 | _FLOAT) + struct.pack("<f", value), _A_FLOAT
    elif isinstance(value, tuple):
        encoded, kind = b"".join(_integer(8, each) for each in value), _INTS
    else:
        encoded, kind = _integer(3, value), _AN_INT
    return _text(1, name) + encoded + _integer(20, kind)


def _code(dtype: str) -> int:
    return next(code for code, name in DTYPES.items() if name == dtype)


def _tensor(name: str, array: Array) -> tuple[bytes, memoryview]:
    """A constant of a graph: what is said of its numbers, and these."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    dims = b"".join(_integer(1, length) for length in array.shape)
    told = dims + _integer(2, _code(array.dtype.name)) + _text(8, name) + _head(9, plain.nbytes)
    return _head(5, len(told) + plain.nbytes) + told, plain.reshape(-1).view(np.uint8).data


def _port(name: str, spec: Spec) -> bytes:
    dims = b"".join(_message(1, _text(2, "n") if length is None else _integer(1, length)) for length in spec.shape)
    return _text(1, name) + _message(2, _message(1, _integer(1, _code(spec.dtype)) + _message(2, dims)))


def _read_number(content: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value & (2**64 - 1), at
        if shift > 63:
            raise ValueError("is no ONNX file (a number without end)")


def _fields(content: memoryview) -> Iterator[Field]:
    """The fields of a message, in their order."""
    at = 0
    while at < len(content):
        key, at = _read_number(content, at)
        tag, layout = key >> 3, key & 7
        value: int | float | memoryview
        if layout == _VARINT:
            value, at = _read_number(content, at)
        elif layout == _BYTES:
            length, at = _read_number(content, at)
            if length > len(content) - at:
                raise ValueError("is no ONNX file (it is cut off)")
            value, at = content[at : at + length], at + length
        elif layout == _FLOAT:
            (value,), at = struct.unpack_from("<f", content, at), at + 4
        elif layout == _DOUBLE:
            (value,), at = struct.unpack_from("<d", content, at), at + 8
        else:
            raise ValueError("is no ONNX file (a field of an unknown layout)")
        yield tag, value


def _only(
    what: str, fields: Iterable[Field], known: Mapping[int, str], ignored: Iterable[int] = ()
) -> dict[str, list[int | float | memoryview]]:
    """Fields by name. Raises ValueError for those that are neither known nor to be ignored."""
    values_of: dict[str, list[int | float | memoryview]] = {name: [] for name in known.values()}
    passed = set(ignored)
    for tag, value in fields:
        if tag in known:
            values_of[known[tag]].append(value)
        elif tag not in passed:
            raise ValueError(f"its {what} has a field {tag}, which the engine does not run")
    return values_of


def _one(what: str, values: list[int | float | memoryview]) -> int | float | memoryview:
    if len(values) != 1:
        raise ValueError(f"it has {len(values)} times {what}, where one is needed")
    return values[0]


def _part(what: str, values: list[int | float | memoryview]) -> memoryview:
    value = _one(what, values)
    if not isinstance(value, memoryview):
        raise ValueError(f"is no ONNX file ({what} is a number)")
    return value


def _name(what: str, values: list[int | float | memoryview]) -> str:
    return bytes(_part(what, values)).decode()


def _names(values: list[int | float | memoryview]) -> tuple[str, ...]:
    return tuple(_name("a name", [value]) for value in values)


def _whole(what: str, values: list[int | float | memoryview]) -> int:
    value = _one(what, values)
    if not isinstance(value, int):
        raise ValueError(f"is no ONNX file ({what} is no whole number)")
    return _signed(value)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _wholes(values: list[int | float | memoryview]) -> tuple[int, ...]:
    """Repeated whole numbers, one a field or packed together."""
    out: list[int] = []
    for value in values:
        if isinstance(value, memoryview):
            at = 0
            while at < len(value):
                number, at = _read_number(value, at)
                out.append(_signed(number))
        elif isinstance(value, int):
            out.append(_signed(value))
        else:
            raise ValueError("is no ONNX file (a fraction where a whole number is needed)")
    return tuple(out)


def _model(content: memoryview, opsets: Sequence[int]) -> memoryview:
    """The graph of a model, whose operators are those of ONNX."""
    fields = _only("model", _fields(content), {7: "graph", 8: "opset"}, ignored=(1, 2, 3, 4, 5, 6, 14))
    for each in fields["opset"]:
        version = _only("opset", _fields(_part("opset", [each])), {1: "domain", 2: "version"})
        if any(len(_part("a domain", [domain])) for domain in version["domain"]):
            raise ValueError("it has operators that are not of ONNX")
        if (number := _whole("a version", version["version"])) not in opsets:
            known = " to ".join(dict.fromkeys((str(opsets[0]), str(opsets[-1]))))
            raise ValueError(f"its operators are of opset {number}, and those of opset {known} are run")
    _one("an opset", fields["opset"])
    return _part("a graph", fields["graph"])


def _graph(content: memoryview) -> Graph:
    fields = _only(
        "graph", _fields(content), {1: "node", 5: "constant", 11: "input", 12: "output"}, ignored=(2, 10, 13, 16)
    )
    if len(fields["node"]) > MOST_NODES:
        raise ValueError(f"it has {len(fields['node']):,} nodes, more than the {MOST_NODES:,} of any network")
    parts = [_part("a node", [each]) for each in fields["node"]]
    nodes = [_read_node(part) for part in parts if not _is_constant(part)]
    constants = [_read_tensor(_part("a tensor", [each])) for each in fields["constant"]]
    constants += [_read_constant(part) for part in parts if _is_constant(part)]
    names = {name for name, _ in constants}
    inputs = [_read_port(_part("an input", [each])) for each in fields["input"]]
    # Old files list constants as inputs too, which one could then put others in the place of.
    output, _ = _read_port(_part("an output", fields["output"]))
    names |= {name for name, _ in inputs} | {node.output for node in nodes}
    if len(names) != len(nodes) + len(constants) + len(inputs) or "" in names:
        raise ValueError("two of its tensors have the same name, or one has none")
    return Graph(tuple(nodes), dict(constants), dict(inputs), output)


def _read_node(content: memoryview) -> Node:
    fields = _only(
        "node", _fields(content), {1: "input", 2: "output", 4: "op", 5: "attribute", 7: "domain"}, ignored=(3, 6, 9)
    )
    op = _name("an operator", fields["op"])
    if any(len(_part("a domain", [domain])) for domain in fields["domain"]):
        raise ValueError(f"operator {op[:40]!r} is not of ONNX")
    attributes = [_read_attribute(op, _part("an attribute", [each])) for each in fields["attribute"]]
    if len(dict(attributes)) != len(attributes):
        raise ValueError(f"operator {op[:40]!r} has a setting twice")
    return Node(op, _names(fields["input"]), _name("an output", fields["output"]), dict(attributes))


def _is_constant(node: memoryview) -> bool:
    return any(
        tag == 4 and isinstance(value, memoryview) and bytes(value) == b"Constant" for tag, value in _fields(node)
    )


def _read_constant(content: memoryview) -> tuple[str, Array]:
    """A node that takes nothing and gives a tensor that stands in it."""
    fields = _only("constant", _fields(content), {2: "output", 4: "op", 5: "attribute"}, ignored=(3, 6, 9))
    attribute = _part("a setting of a constant", fields["attribute"])
    held = _only("constant", _fields(attribute), {1: "name", 5: "tensor"}, ignored=(13, 20))
    return _name("an output", fields["output"]), _read_tensor(_part("a tensor", held["tensor"]))[1]


def _read_attribute(op: str, content: memoryview) -> tuple[str, Attribute]:
    known = {1: "name", 2: "float", 3: "int", 4: "text", 8: "ints", 20: "type"}
    fields = _only(f"operator {op[:40]!r}", _fields(content), known, ignored=(13,))
    name, kind = _name("a name", fields["name"]), _whole("a type", fields["type"])
    if kind == _A_FLOAT:
        value = _one("a number", fields["float"])
        if not isinstance(value, float):
            raise ValueError("is no ONNX file (a setting is no fraction)")
        return name, value
    if kind == _AN_INT:
        return name, _whole("a number", fields["int"])
    if kind == _A_TEXT:
        return name, _name("a text", fields["text"])
    if kind == _INTS:
        return name, _wholes(fields["ints"])
    raise ValueError(f"operator {op[:40]!r} has a setting of a type that the engine does not run")


def _read_tensor(content: memoryview) -> tuple[str, Array]:
    known = {1: "dims", 2: "type", 4: "floats", 7: "ints", 8: "name", 9: "raw"}
    fields = _only("tensor", _fields(content), known, ignored=(12,))
    name, dtype = _name("a name", fields["name"]) if fields["name"] else "", _dtype(fields["type"])
    shape = _shape(_wholes(fields["dims"]))
    if fields["floats"] or fields["ints"]:
        if dtype.name == "float32":
            array = np.concatenate([_packed_floats(value) for value in fields["floats"]] or [np.zeros(0, np.float32)])
        else:
            array = np.array(_wholes(fields["ints"]), dtype=dtype)
        if fields["raw"]:
            raise ValueError("a tensor has its numbers twice")
    elif fields["raw"]:
        raw = _part("numbers", fields["raw"])
        if len(raw) % dtype.itemsize:
            raise ValueError("a tensor has part of a number")
        array = np.frombuffer(raw, dtype=dtype)
    else:
        array = np.zeros(0, dtype)
    if array.size != prod(shape):
        raise ValueError(f"a tensor of {prod(shape):,} numbers has {array.size:,}")
    return name, array.reshape(shape)


def _packed_floats(value: int | float | memoryview) -> Array:
    return np.frombuffer(value, dtype="<f4") if isinstance(value, memoryview) else np.array([value], dtype=np.float32)


def _dtype(values: list[int | float | memoryview]) -> np.dtype[np.generic]:
    code = _whole("a dtype", values)
    if code not in DTYPES:
        raise ValueError(f"a tensor has the dtype {code}, which the engine does not run")
    return np.dtype(DTYPES[code])


def _shape(dims: tuple[int, ...]) -> tuple[int, ...]:
    if len(dims) > MOST_RANK or any(length < 0 for length in dims):
        raise ValueError("a tensor has more dimensions than any, or a length below zero")
    return dims


def _read_port(content: memoryview) -> tuple[str, Spec]:
    fields = _only("input or output", _fields(content), {1: "name", 2: "type"}, ignored=(3, 4))
    kind = _only("type", _fields(_part("a type", fields["type"])), {1: "tensor"}, ignored=(6,))
    tensor = _only("type", _fields(_part("a tensor type", kind["tensor"])), {1: "dtype", 2: "shape"})
    dims = _only("shape", _fields(_part("a shape", tensor["shape"])), {1: "length"})["length"]
    lengths: list[int | None] = []
    for each in dims:
        length = _only("shape", _fields(_part("a length", [each])), {1: "value", 2: "name"}, ignored=(3,))
        lengths.append(_whole("a length", length["value"]) if length["value"] else None)
    _shape(tuple(length or 0 for length in lengths))
    return _name("a name", fields["name"]), Spec(_dtype(tensor["dtype"]).name, tuple(lengths))
