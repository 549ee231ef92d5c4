"""BERT (Devlin et al. 2018, https://arxiv.org/abs/1810.04805) as an ONNX network that makes one vector of a text, and
what differs from it only in where its weights stand (RoBERTa, DistilBERT) or in how tokens know of places (MPNet, Song
et al. 2020, https://arxiv.org/abs/2004.09297).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sortal.engine.onnx import MOST_TOKENS
from sortal.engine.onnx_file import Graph, Spec
from sortal.engine.program import Array
from sortal.prepare.graph_builder import GraphBuilder

Pooling = Literal["mean", "first"]
DENSE = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
"""The matrices of a layer."""
BUCKETS, FARTHEST = 32, 128
"""How finely MPNet tells how far a token is from another, and from where on all are as far (those of T5)."""


@dataclass(frozen=True)
class BertShape:
    """``epsilon``: of layer normalisation. ``pooling``: the vector of a text is the mean of those of its tokens, or
    that of the first. ``unit``: it is made one of length one. ``first``: rows in the table of places before that of the
    first token.
    """

    layers: int
    heads: int
    width: int
    epsilon: float
    pooling: Pooling = "mean"
    unit: bool = True
    first: int = 0


def network(weights: Mapping[str, Array], shape: BertShape) -> Graph:
    """The network: tokens (1, n) and their places (n,) -> (1, width).

    ``weights``: those of a layer after its number (``0.output.dense.weight``), as PyTorch has them (out, in). Where
    whole numbers of eight bits stand for a matrix, it is called ``.q`` in the place of ``.weight``, is (in, out), and
    has a ``.scale``; for a table, ``weight_q`` and ``weight_scale``. Raises KeyError where one is not there.
    """
    build = _Builder(weights, shape)
    x = build.add("Add", build.rows("word", "tokens"), build.rows("position", "places"))
    x = build.norm(build.add("Add", x, build.kind()), "embeddings")
    for layer in range(shape.layers):
        x = build.norm(build.add("Add", build.attention(x, f"{layer}"), x), f"{layer}.attention.output")
        x = build.norm(build.add("Add", build.inner(x, f"{layer}"), x), f"{layer}.output")
    y = build.pooled(x)
    inputs = {"tokens": Spec("int64", (1, None)), "places": Spec("int64", (None,))}
    return build.graph(inputs, y)


@dataclass
class _Builder(GraphBuilder):
    shape: BertShape

    def __post_init__(self) -> None:
        heads, width = self.shape.heads, self.shape.width
        self.constants["heads"] = np.array([1, -1, heads, width // heads])
        self.constants["together"] = np.array([1, -1, width])

        self.apart = self.distances() if "relative_attention_bias.weight" in self.weights else ""

    def weight(self, name: str) -> str:
        self.constants[name] = self.weights[name]
        if name == "embeddings.position_embeddings.weight":
            self.constants[name] = self.weights[name][self.shape.first :]
        return name

    def kind(self) -> str:
        """Says that it is the first of two texts; networks that never saw two have nothing to say."""
        table = self.weights.get("embeddings.token_type_embeddings.weight")
        self.constants["kind"] = np.zeros(self.shape.width, np.float32) if table is None else table[0]
        return "kind"

    def distances(self) -> str:
        """(heads, n, n) what is added for how far a token is from another."""
        places = np.arange(MOST_TOKENS)
        buckets = bucket(places[None, :] - places[:, None])
        table = self.weights["relative_attention_bias.weight"]
        self.constants["distances"] = np.ascontiguousarray(table[buckets].transpose(2, 0, 1))
        return self.add("Gather", self.add("Gather", "distances", "places", axis=1), "places", axis=2)

    def rows(self, table: str, places: str) -> str:
        name = f"embeddings.{table}_embeddings.weight"
        if name in self.weights:
            return self.add("Gather", self.weight(name), places)
        whole = self.add("Cast", self.add("Gather", self.weight(f"{name}_q"), places), to=1)
        return self.add("Mul", whole, self.add("Gather", self.weight(f"{name}_scale"), places))

    def norm(self, x: str, name: str) -> str:
        weight, bias = (self.weight(f"{name}.LayerNorm.{part}") for part in ("weight", "bias"))
        return self.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=self.shape.epsilon)

    def dense(self, x: str, name: str) -> str:
        return self.add("Add", self.add("MatMul", x, self.matrix(name)), self.weight(f"{name}.bias"))

    def matrix(self, name: str) -> str:
        if f"{name}.q" not in self.weights:
            self.constants[f"{name}.weight"] = np.ascontiguousarray(self.weights[f"{name}.weight"].T)
            return f"{name}.weight"
        whole = self.add("Cast", self.weight(f"{name}.q"), to=1)
        return self.add("Mul", whole, self.weight(f"{name}.scale"))

    def attention(self, x: str, layer: str) -> str:
        """Each token as a mean of all, by what its key has in common with a query (Vaswani et al. 2017)."""
        parts = [self.dense(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value")]
        query, key, value = (self.add("Reshape", part, "heads") for part in parts)
        query, value = (self.add("Transpose", part, perm=(0, 2, 1, 3)) for part in (query, value))
        alike = self.add("MatMul", query, self.add("Transpose", key, perm=(0, 2, 3, 1)))
        alike = self.add("Mul", alike, self.number(1 / math.sqrt(self.shape.width // self.shape.heads)))
        alike = self.add("Add", alike, self.apart) if self.apart else alike
        mixed = self.add("MatMul", self.add("Softmax", alike, axis=-1), value)
        together = self.add("Reshape", self.add("Transpose", mixed, perm=(0, 2, 1, 3)), "together")
        return self.dense(together, f"{layer}.attention.output.dense")

    def inner(self, x: str, layer: str) -> str:
        return self.dense(self.gelu(self.dense(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense")

    def pooled(self, x: str) -> str:
        """(1, n, width) -> (1, width)."""
        if self.shape.pooling == "mean":
            y = self.add("ReduceMean", x, axes=(1,), keepdims=0)
        else:
            self.constants["first"] = np.array(0)
            y = self.add("Gather", x, "first", axis=1)
        return self.add("Div", y, self.add("ReduceL2", y, axes=(1,), keepdims=1)) if self.shape.unit else y


def bucket(distance: Array) -> Array:
    """The row of MPNet's table for each distance: half of the rows are for tokens that come later, and of each half
    one for each near place, and the others ever wider.
    """
    half, near = BUCKETS // 2, BUCKETS // 4
    away = np.abs(distance)
    wide = np.log(np.maximum(away, 1).astype(np.float32) / near) / np.float32(math.log(FARTHEST / near))
    far = np.minimum(near + (wide * (half - near)).astype(np.int64), half - 1)
    return np.where(distance > 0, half, 0) + np.where(away < near, away, far)
