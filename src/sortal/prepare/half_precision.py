"""Networks of half the bytes: weights are kept in 16 bits, and what is computed is computed in 32.

Each weight is rounded by one part in 2,048 at most. A network that was saved in 16 bits loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine import compile as compile_program
from sortal.engine.onnx import NUMBERS, TOKENS, network
from sortal.engine.onnx_file import Graph, Node
from sortal.engine.program import Array

FEW = 4_096
"""Numbers of an array that is left as it is: what is added, and what normalises."""
LARGEST = 65_504
"""The largest number of 16 bits."""
PROBES, PROBE_TOKENS = 2, 16
"""Rows of random tokens or colours on which both forms of a network are compared."""


def halved(graph: Graph) -> Graph:
    """Tables are looked up before their rows become floats of 32 bits, and other weights become such once, before the
    first row. Raises ValueError for weights that 16 bits do not hold.
    """
    large = {name: array for name, array in graph.constants.items() if _is_large(array)}
    if any(np.abs(array).max() > LARGEST for array in large.values()):
        raise ValueError(f"it is kept in 16 bits, and has weights beyond {LARGEST:,}, or that are no numbers")
    small = {_half(name): array.astype(np.float16) for name, array in large.items()}
    tables = {node.inputs[0] for node in graph.nodes if _looks_up(node, graph)} & large.keys()
    nodes = [Node("Cast", (_half(name),), name, {"to": 1}) for name in large if name not in tables]
    for node in graph.nodes:
        if _looks_up(node, graph) and node.inputs[0] in tables:
            table, places = node.inputs
            nodes.append(replace(node, inputs=(_half(table), places), output=_half(node.output)))
            nodes.append(Node("Cast", (_half(node.output),), node.output, {"to": 1}))
        else:
            nodes.append(node)
    rest = {name: array for name, array in graph.constants.items() if name not in large}
    return replace(graph, nodes=tuple(nodes), constants={**rest, **small})


def is_same(graph: Graph, other: Graph) -> bool:
    """Whether ``other``, which is ``graph`` halved, has the same numbers, all of them."""
    large = {name: array for name, array in graph.constants.items() if _is_large(array)}
    return all(np.array_equal(array, other.constants[_half(name)]) for name, array in large.items())


def difference(graph: Graph, other: Graph, columns: int) -> float:
    """How far apart the vectors are that two networks make of the same rows, at most: as a share of their length."""
    one, two = (_vectors(each, columns) for each in (graph, other))
    return float((np.linalg.norm(one - two, axis=1) / np.maximum(np.linalg.norm(one, axis=1), 1e-30)).max())


def _vectors(graph: Graph, columns: int) -> Floats:
    rng = np.random.default_rng(0)
    if NUMBERS in graph.inputs:
        return compile_program(network(graph, columns))(rng.random((PROBES, columns)))
    tables = {node.inputs[0] for node in graph.nodes if _looks_up(node, graph) and node.inputs[1] == TOKENS}
    length = min(PROBE_TOKENS, columns)
    tokens = rng.integers(0, min(len(graph.constants[name]) for name in tables), PROBES * length)
    # A table of these words alone takes a thousandth of the memory.
    constants: Mapping[str, Array] = {**graph.constants, **{name: graph.constants[name][tokens] for name in tables}}
    rows = np.arange(len(tokens), dtype=float).reshape(PROBES, length)
    return compile_program(network(replace(graph, constants=constants), length))(rows)


def _is_large(array: Array) -> bool:
    return array.dtype == np.float32 and array.size > FEW


def _looks_up(node: Node, graph: Graph) -> bool:
    """Whether it takes rows of a table, at places that come in."""
    return node.op == "Gather" and node.inputs[0] in graph.constants and node.inputs[1] in graph.inputs


def _half(name: str) -> str:
    return f"{name} in 16 bits"
