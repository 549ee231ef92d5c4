"""A network for images that somebody else wrote as an ONNX file, made one that the engine runs.

Only its form changes: names, what a newer version of the format writes in another way, and what comes before and after
it. What the engine does not run is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sortal.engine.onnx import NUMBERS
from sortal.engine.onnx_file import Attribute, Graph, Node, Spec, read
from sortal.engine.onnx_shapes import trace
from sortal.engine.program import Array

OPSETS = range(13, 22)
"""Versions of the operators (2020 to 2024) in which those that the engine runs do the same, but for what is
rewritten here."""

USUAL: Mapping[tuple[str, str], Attribute] = {
    ("MaxPool", "storage_order"): 0,
    ("MaxPool", "dilations"): (1, 1),
    ("AveragePool", "dilations"): (1, 1),
    ("ReduceMean", "noop_with_empty_axes"): 0,
    ("ReduceL2", "noop_with_empty_axes"): 0,
    ("Reshape", "allowzero"): 0,
}
"""Settings that the engine does not know, and what they are where nothing is said."""


def read_graph(content: bytes) -> Graph:
    """The network in an ONNX file of any version that is known here. Raises ValueError as ``image_network`` does."""
    return read(content, OPSETS)


def image_network(graph: Graph, side: int, mean: Sequence[float], std: Sequence[float]) -> Graph:
    """A network for images of ``side`` by ``side`` points, red, green and blue from 0 to 1, of which ``mean`` is
    taken and which are divided by ``std``: (1, 3, side, side) -> (1, k).

    Of maps of features, and of the vectors of patches, the mean is taken. Raises ValueError, in a few words, for a
    network that the engine does not run.
    """
    shape = (1, 3, side, side)
    if len(graph.inputs) != 1 or not _takes(next(iter(graph.inputs.values())), shape):
        raise ValueError(f"does not take one image as floats of shape {shape}")
    names = [*graph.constants, *(node.output for node in graph.nodes)]
    inner = dict.fromkeys(graph.inputs, "scaled") | {name: f"{name}'" for name in names}
    constants: dict[str, Array] = {inner[name]: array for name, array in graph.constants.items()}
    before = [Node("Sub", (NUMBERS, "mean"), "centred"), Node("Div", ("centred", "std"), "scaled")]
    for name, values in (("mean", mean), ("std", std)):
        constants[name] = np.asarray(values, dtype=np.float32).reshape(1, 3, 1, 1)
    nodes = [part for node in graph.nodes for part in _rewritten(_renamed(node, inner), constants)]
    inputs = {NUMBERS: Spec("float32", shape)}
    network = Graph((*before, *nodes), constants, inputs, inner.get(graph.output, graph.output))
    return _pooled(network, trace(network, {NUMBERS: shape}).shape)


def _takes(spec: Spec, shape: tuple[int, ...]) -> bool:
    fits = all(length in (None, size) for length, size in zip(spec.shape, shape, strict=False))
    return spec.dtype == "float32" and len(spec.shape) == len(shape) and fits


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    return replace(node, inputs=tuple(names.get(name, name) for name in node.inputs), output=names[node.output])


def _rewritten(node: Node, constants: dict[str, Array]) -> Iterator[Node]:
    """A node as opset 17 has it, without what it says of what is usual anyway."""
    attributes = {name: value for name, value in node.attributes.items() if USUAL.get((node.op, name)) != value}
    node = replace(node, attributes=attributes)
    if node.op == "Gelu":
        yield from _gelu(node, constants)
    elif node.op in ("ReduceMean", "ReduceL2") and len(node.inputs) == 2 and node.inputs[1] in constants:
        axes = tuple(int(axis) for axis in constants[node.inputs[1]].ravel())
        yield replace(node, inputs=node.inputs[:1], attributes={**attributes, "axes": axes})
    else:
        yield node


def _gelu(node: Node, constants: dict[str, Array]) -> Iterator[Node]:
    """x / 2 * (1 + erf(x / sqrt 2)), an operator by itself since opset 20."""
    if node.attributes.get("approximate", "none") != "none" or len(node.inputs) != 1:
        raise ValueError("has an operator 'Gelu' that is approximate, which is not run")
    for name, value in (("root", math.sqrt(2)), ("one", 1.0), ("half", 0.5)):
        constants[name] = np.array(value, dtype=np.float32)
    (x,), y = node.inputs, node.output
    yield Node("Div", (x, "root"), f"{y} a")
    yield Node("Erf", (f"{y} a",), f"{y} b")
    yield Node("Add", (f"{y} b", "one"), f"{y} c")
    yield Node("Mul", (x, f"{y} c"), f"{y} d")
    yield Node("Mul", (f"{y} d", "half"), y)


def _pooled(graph: Graph, shape: tuple[int, ...]) -> Graph:
    """With one vector of an image as its output."""
    mean = Node("ReduceMean", (graph.output,), "vector", {"axes": (1,), "keepdims": 0})
    pool = Node("GlobalAveragePool", (graph.output,), "pooled"), Node("Flatten", ("pooled",), "vector")
    more = {3: (mean,), 4: pool}.get(len(shape), ())
    if len(shape) not in (2, 3, 4):
        raise ValueError(f"gives numbers of shape {shape}, of which no vector is made")
    return replace(graph, nodes=(*graph.nodes, *more), output="vector" if more else graph.output)
