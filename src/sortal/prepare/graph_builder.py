"""Writing an ONNX network node by node, from weights that were trained elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sortal.engine.onnx_file import Attribute, Graph, Node, Spec
from sortal.engine.program import Array


@dataclass
class GraphBuilder:
    """``weights``: by their names where they were trained; ``used``: the names of those that were asked for."""

    weights: Mapping[str, Array]
    nodes: list[Node] = field(default_factory=list, init=False)
    constants: dict[str, Array] = field(default_factory=dict, init=False)
    used: set[str] = field(default_factory=set, init=False)

    def add(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """A node more; returns the name of its output."""
        self.nodes.append(Node(op, inputs, f"t{len(self.nodes)}", attributes))
        return self.nodes[-1].output

    def number(self, value: float) -> str:
        """The name of a constant."""
        self.constants[f"{value:g}"] = np.array(value, dtype=np.float32)
        return f"{value:g}"

    def gelu(self, x: str) -> str:
        """x / 2 * (1 + erf(x / sqrt 2)) (Hendrycks & Gimpel 2016)."""
        cdf = self.add("Add", self.add("Erf", self.add("Div", x, self.number(math.sqrt(2)))), self.number(1.0))
        return self.add("Mul", self.add("Mul", x, cdf), self.number(0.5))

    def take(self, name: str) -> Array:
        """Raises KeyError where there is no such weight."""
        self.used.add(name)
        return self.weights[name]

    def weight(self, name: str) -> str:
        """The name of a weight that is a constant as it is."""
        self.constants[name] = self.take(name)
        return name

    def refuse_unused(self, left_out: re.Pattern[str], what: str) -> None:
        """Raises ValueError where weights were not asked for, but for those that are ``left_out``: it is no plain
        ``what``.
        """
        unknown = sorted(name for name in self.weights.keys() - self.used if not left_out.fullmatch(name))
        if unknown:
            raise ValueError(f"it is no plain {what}: it has weights {unknown[0]!r}")

    def fold(self, name: str, norm: str, epsilon: float) -> tuple[str, str]:
        """The names of a convolution's kernel and bias, with the batch normalisation after it folded in."""
        parts = ("weight", "bias", "running_mean", "running_var")
        scale, shift, mean, var = (self.take(f"{norm}.{part}") for part in parts)
        scale = scale / np.sqrt(var + epsilon)
        kernel = self.take(f"{name}.weight") * scale[:, None, None, None]
        self.constants[f"{name}.w"] = kernel.astype(np.float32)
        self.constants[f"{name}.b"] = (shift - mean * scale).astype(np.float32)
        return f"{name}.w", f"{name}.b"

    def graph(self, inputs: Mapping[str, Spec], output: str) -> Graph:
        """All that was added."""
        return Graph(tuple(self.nodes), self.constants, inputs, output)


def renamed(name: str, names: Sequence[tuple[str, str]]) -> str:
    """A weight's name with each pattern of ``names`` replaced in turn."""
    for pattern, other in names:
        name = re.sub(pattern, other, name)
    return name
