"""ONNX files as plain data: a reader and a writer of the part of the format that the engine runs.

The format is Protocol Buffers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); the numbers below are those of
its fields. What is read is written anew before a runtime gets it, so that nothing reaches it that is not known here: no
external data, functions, subgraphs, operators of others, or bytes that two readers could take for different things.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from sortal.engine.program import Array
from sortal.engine.protobuf import (
    Value,
    bytes_of,
    fields_by_name,
    fields_of,
    fraction,
    head,
    integer,
    message,
    single,
    text,
    text_of,
    texts_of,
    whole_of,
    wholes_of,
)

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
    parts: list[bytes | memoryview] = [message(1, _node(node)) for node in graph.nodes]
    parts.append(text(2, "network"))
    for name, array in sorted(graph.constants.items()):
        parts += _tensor(name, array)
    parts += [message(11, _port(name, spec)) for name, spec in graph.inputs.items()]
    parts.append(message(12, _port(graph.output, Spec("float32", shape))))
    version = message(8, integer(2, OPSET))
    # Joined once, since constants may be half a gigabyte.
    return b"".join([integer(1, IR_VERSION), version, head(7, sum(map(len, parts))), *parts])


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
    any_other = range(1, 30)
    model = fields_by_name("model", fields_of(memoryview(content)), {7: "graph"}, any_other)
    graph = fields_by_name("graph", fields_of(bytes_of("a graph", model["graph"])), {5: "constant"}, any_other)
    parts = [bytes_of("a tensor", [value]) for value in graph["constant"]]
    return dict(_read_tensor(part) for part in parts if _is_known(part))


def _is_known(tensor: memoryview) -> bool:
    return any(tag == 2 and value in DTYPES for tag, value in fields_of(tensor))


_A_FLOAT, _AN_INT, _A_TEXT, _INTS = 1, 2, 3, 7
"""Types of attributes."""


def _node(node: Node) -> bytes:
    parts = [text(1, name) for name in node.inputs]
    parts += [text(2, node.output), text(4, node.op)]
    parts += [message(5, _attribute(name, value)) for name, value in sorted(node.attributes.items())]
    return b"".join(parts)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        encoded, kind = text(4, value), _A_TEXT
    elif isinstance(value, float):
        encoded, kind = fraction(2, value), _A_FLOAT
    elif isinstance(value, tuple):
        encoded, kind = b"".join(integer(8, number) for number in value), _INTS
    else:
        encoded, kind = integer(3, value), _AN_INT
    return text(1, name) + encoded + integer(20, kind)


def _code(dtype: str) -> int:
    return next(code for code, name in DTYPES.items() if name == dtype)


def _tensor(name: str, array: Array) -> tuple[bytes, memoryview]:
    """A constant of a graph: what is said of its numbers, and these."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    dims = b"".join(integer(1, length) for length in array.shape)
    header = dims + integer(2, _code(array.dtype.name)) + text(8, name) + head(9, plain.nbytes)
    return head(5, len(header) + plain.nbytes) + header, plain.reshape(-1).view(np.uint8).data


def _port(name: str, spec: Spec) -> bytes:
    dims = b"".join(message(1, text(2, "n") if length is None else integer(1, length)) for length in spec.shape)
    return text(1, name) + message(2, message(1, integer(1, _code(spec.dtype)) + message(2, dims)))


def _model(content: memoryview, opsets: Sequence[int]) -> memoryview:
    """The graph of a model, whose operators are those of ONNX."""
    fields = fields_by_name("model", fields_of(content), {7: "graph", 8: "opset"}, ignored=(1, 2, 3, 4, 5, 6, 14))
    for opset in fields["opset"]:
        version = fields_by_name("opset", fields_of(bytes_of("opset", [opset])), {1: "domain", 2: "version"})
        if any(len(bytes_of("a domain", [domain])) for domain in version["domain"]):
            raise ValueError("it has operators that are not of ONNX")
        if (number := whole_of("a version", version["version"])) not in opsets:
            opset_range = " to ".join(dict.fromkeys((str(opsets[0]), str(opsets[-1]))))
            raise ValueError(f"its operators are of opset {number}, and those of opset {opset_range} are run")
    single("an opset", fields["opset"])
    return bytes_of("a graph", fields["graph"])


def _graph(content: memoryview) -> Graph:
    fields = fields_by_name(
        "graph", fields_of(content), {1: "node", 5: "constant", 11: "input", 12: "output"}, ignored=(2, 10, 13, 16)
    )
    if len(fields["node"]) > MOST_NODES:
        raise ValueError(f"it has {len(fields['node']):,} nodes, more than the {MOST_NODES:,} of any network")
    parts = [bytes_of("a node", [value]) for value in fields["node"]]
    nodes = [_read_node(part) for part in parts if not _is_constant(part)]
    constants = [_read_tensor(bytes_of("a tensor", [value])) for value in fields["constant"]]
    constants += [_read_constant(part) for part in parts if _is_constant(part)]
    names = {name for name, _ in constants}
    inputs = [_read_port(bytes_of("an input", [value])) for value in fields["input"]]
    # Old files list constants as inputs too, which one could then put others in the place of.
    output, _ = _read_port(bytes_of("an output", fields["output"]))
    names |= {name for name, _ in inputs} | {node.output for node in nodes}
    if len(names) != len(nodes) + len(constants) + len(inputs) or "" in names:
        raise ValueError("two of its tensors have the same name, or one has none")
    return Graph(tuple(nodes), dict(constants), dict(inputs), output)


def _read_node(content: memoryview) -> Node:
    fields = fields_by_name(
        "node", fields_of(content), {1: "input", 2: "output", 4: "op", 5: "attribute", 7: "domain"}, ignored=(3, 6, 9)
    )
    op = text_of("an operator", fields["op"])
    if any(len(bytes_of("a domain", [domain])) for domain in fields["domain"]):
        raise ValueError(f"operator {op[:40]!r} is not of ONNX")
    attributes = [_read_attribute(op, bytes_of("an attribute", [value])) for value in fields["attribute"]]
    if len(dict(attributes)) != len(attributes):
        raise ValueError(f"operator {op[:40]!r} has a setting twice")
    return Node(op, texts_of(fields["input"]), text_of("an output", fields["output"]), dict(attributes))


def _is_constant(node: memoryview) -> bool:
    return any(
        tag == 4 and isinstance(value, memoryview) and bytes(value) == b"Constant" for tag, value in fields_of(node)
    )


def _read_constant(content: memoryview) -> tuple[str, Array]:
    """A node that takes nothing and gives a tensor that stands in it."""
    fields = fields_by_name("constant", fields_of(content), {2: "output", 4: "op", 5: "attribute"}, ignored=(3, 6, 9))
    attribute = bytes_of("a setting of a constant", fields["attribute"])
    attribute_fields = fields_by_name("constant", fields_of(attribute), {1: "name", 5: "tensor"}, ignored=(13, 20))
    return text_of("an output", fields["output"]), _read_tensor(bytes_of("a tensor", attribute_fields["tensor"]))[1]


def _read_attribute(op: str, content: memoryview) -> tuple[str, Attribute]:
    names = {1: "name", 2: "float", 3: "int", 4: "text", 8: "ints", 20: "type"}
    fields = fields_by_name(f"operator {op[:40]!r}", fields_of(content), names, ignored=(13,))
    name, kind = text_of("a name", fields["name"]), whole_of("a type", fields["type"])
    if kind == _A_FLOAT:
        value = single("a number", fields["float"])
        if not isinstance(value, float):
            raise ValueError("is no ONNX file (a setting is no fraction)")
        return name, value
    if kind == _AN_INT:
        return name, whole_of("a number", fields["int"])
    if kind == _A_TEXT:
        return name, text_of("a text", fields["text"])
    if kind == _INTS:
        return name, wholes_of(fields["ints"])
    raise ValueError(f"operator {op[:40]!r} has a setting of a type that the engine does not run")


def _read_tensor(content: memoryview) -> tuple[str, Array]:
    names = {1: "dims", 2: "type", 4: "floats", 7: "ints", 8: "name", 9: "raw"}
    fields = fields_by_name("tensor", fields_of(content), names, ignored=(12,))
    name, dtype = text_of("a name", fields["name"]) if fields["name"] else "", _dtype(fields["type"])
    shape = _shape(wholes_of(fields["dims"]))
    if fields["floats"] or fields["ints"]:
        if dtype.name == "float32":
            array = np.concatenate([_packed_floats(value) for value in fields["floats"]] or [np.zeros(0, np.float32)])
        else:
            array = np.array(wholes_of(fields["ints"]), dtype=dtype)
        if fields["raw"]:
            raise ValueError("a tensor has its numbers twice")
    elif fields["raw"]:
        raw = bytes_of("numbers", fields["raw"])
        if len(raw) % dtype.itemsize:
            raise ValueError("a tensor has part of a number")
        array = np.frombuffer(raw, dtype=dtype)
    else:
        array = np.zeros(0, dtype)
    if array.size != prod(shape):
        raise ValueError(f"a tensor of {prod(shape):,} numbers has {array.size:,}")
    return name, array.reshape(shape)


def _packed_floats(value: Value) -> Array:
    return np.frombuffer(value, dtype="<f4") if isinstance(value, memoryview) else np.array([value], dtype=np.float32)


def _dtype(values: list[Value]) -> np.dtype[np.generic]:
    code = whole_of("a dtype", values)
    if code not in DTYPES:
        raise ValueError(f"a tensor has the dtype {code}, which the engine does not run")
    return np.dtype(DTYPES[code])


def _shape(dims: tuple[int, ...]) -> tuple[int, ...]:
    if len(dims) > MOST_RANK or any(length < 0 for length in dims):
        raise ValueError("a tensor has more dimensions than any, or a length below zero")
    return dims


def _read_port(content: memoryview) -> tuple[str, Spec]:
    fields = fields_by_name("input or output", fields_of(content), {1: "name", 2: "type"}, ignored=(3, 4))
    kind = fields_by_name("type", fields_of(bytes_of("a type", fields["type"])), {1: "tensor"}, ignored=(6,))
    tensor = fields_by_name("type", fields_of(bytes_of("a tensor type", kind["tensor"])), {1: "dtype", 2: "shape"})
    dims = fields_by_name("shape", fields_of(bytes_of("a shape", tensor["shape"])), {1: "length"})["length"]
    lengths: list[int | None] = []
    for dim in dims:
        length = fields_by_name("shape", fields_of(bytes_of("a length", [dim])), {1: "value", 2: "name"}, ignored=(3,))
        lengths.append(whole_of("a length", length["value"]) if length["value"] else None)
    _shape(tuple(length or 0 for length in lengths))
    return text_of("a name", fields["name"]), Spec(_dtype(tensor["dtype"]).name, tuple(lengths))
