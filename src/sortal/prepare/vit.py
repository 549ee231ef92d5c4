"""Vision transformers (ViT, Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929) as ONNX networks: an image is a
text of patches. Also DeiT, whose second token learnt from a teacher, and DINOv2, whose layers are scaled and which has
tokens to write on (registers).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np

from sortal.engine.onnx_file import Graph, Spec
from sortal.engine.program import Array
from sortal.prepare.graph_builder import GraphBuilder, renamed

HEAD = 64
"""Numbers of a head of attention, in all networks of timm."""
EPSILON = 1e-6
"""Of layer normalisation, in timm."""
NAMES = (
    (r"^(vit|deit|dinov2|dinov2_with_registers)\.", ""),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.distillation_token$", "dist_token"),
    (r"^embeddings\.register_tokens$", "reg_token"),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"^layernorm\.", "norm."),
)
"""Names of transformers, and those of timm for the same weights."""
PARTS = ("query", "key", "value")
LEFT_OUT = re.compile(r"(head|head_dist|pooler|classifier|cls_classifier|distillation_classifier)\..*|.*mask_token")
"""What tells the classes that it was trained on, or hides patches in training."""


@dataclass(frozen=True)
class VitShape:
    """``side``: points of an image. ``heads``: of attention; None where each has 64 numbers."""

    side: int
    heads: int | None = None
    epsilon: float = EPSILON


def network(weights: Mapping[str, Array], shape: VitShape) -> Graph:
    """(1, 3, side, side) -> (1, width): what the token of the whole image knows in the end; the mean of it and of that
    of the teacher where there is one, and of the patches where there is none.

    Raises KeyError where a weight is not there, and ValueError for those of another network.
    """
    build = _Builder(_named(weights), shape)
    x, before = build.tokens()
    for number in count():
        name = f"blocks.{number}"
        if f"{name}.norm1.weight" not in build.weights:
            break
        x = build.plus(x, build.attention(build.norm(x, f"{name}.norm1"), f"{name}.attn"), f"{name}.ls1.gamma")
        x = build.plus(x, build.inner(build.norm(x, f"{name}.norm2"), f"{name}.mlp"), f"{name}.ls2.gamma")
    x = build.pooled(x, before)
    build.refuse_unused(LEFT_OUT, "vision transformer")
    return build.graph({"x": Spec("float32", (1, 3, shape.side, shape.side))}, x)


def _named(weights: Mapping[str, Array]) -> dict[str, Array]:
    """By the names of timm, but for the three matrices of attention, which are apart as in transformers."""
    by_name: dict[str, Array] = {}
    for source_name, array in weights.items():
        name = renamed(source_name, NAMES)
        start, joined, end = name.rpartition(".qkv.")
        if joined:
            by_name |= {f"{start}.{part}.{end}": block for part, block in zip(PARTS, np.split(array, 3), strict=True)}
        else:
            by_name[name] = array
    return by_name


@dataclass
class _Builder(GraphBuilder):
    shape: VitShape

    def __post_init__(self) -> None:
        self.width = self.take("patch_embed.proj.weight").shape[0]
        self.heads = self.shape.heads or self.width // HEAD
        if not self.heads or self.width % self.heads:
            raise ValueError(f"its {self.width} numbers are not divisible among {self.heads} heads")
        self.constants["heads"] = np.array([1, -1, self.heads, self.width // self.heads])
        self.constants["together"] = np.array([1, -1, self.width])

    def tokens(self) -> tuple[str, int]:
        """(1, n, width): tokens of the whole image, then patches; each with its place. How many come before these."""
        patch = self.take("patch_embed.proj.weight").shape[-1]
        grid = self.shape.side // patch
        special = [self.take(name)[0] for name in ("cls_token", "dist_token", "reg_token") if name in self.weights]
        before = np.concatenate([np.zeros((0, self.width), np.float32), *special])
        places = self.take("pos_embed")[0]
        # Of the places the first are those of tokens; the others are a square, for images of whatever size it was.
        square = math.isqrt(len(places))
        n_special = len(places) - square**2 if len(places) - square**2 <= len(before) else 0
        before[:n_special] += places[:n_special]
        weight, bias = self.weight("patch_embed.proj.weight"), self.weight("patch_embed.proj.bias")
        x = self.add("Conv", "x", weight, bias, strides=(patch, patch))
        self.constants["row"] = np.array([1, self.width, -1])
        x = self.add("Transpose", self.add("Reshape", x, "row"), perm=(0, 2, 1))
        self.constants["places"] = resized(places[n_special:], grid)[None]
        x = self.add("Add", x, "places")
        if len(before):
            self.constants["before"] = before[None]
            x = self.add("Concat", "before", x, axis=1)
        return x, len(before)

    def norm(self, x: str, name: str) -> str:
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=self.shape.epsilon)

    def dense(self, x: str, name: str) -> str:
        self.constants[f"{name}.weight"] = np.ascontiguousarray(self.take(f"{name}.weight").T)
        y = self.add("MatMul", x, f"{name}.weight")
        return self.add("Add", y, self.weight(f"{name}.bias")) if f"{name}.bias" in self.weights else y

    def attention(self, x: str, name: str) -> str:
        query, key, value = (self.add("Reshape", self.dense(x, f"{name}.{part}"), "heads") for part in PARTS)
        query, value = (self.add("Transpose", part, perm=(0, 2, 1, 3)) for part in (query, value))
        alike = self.add("MatMul", query, self.add("Transpose", key, perm=(0, 2, 3, 1)))
        alike = self.add("Mul", alike, self.number(1 / math.sqrt(self.width // self.heads)))
        mixed = self.add("MatMul", self.add("Softmax", alike, axis=-1), value)
        together = self.add("Reshape", self.add("Transpose", mixed, perm=(0, 2, 1, 3)), "together")
        return self.dense(together, f"{name}.proj")

    def inner(self, x: str, name: str) -> str:
        return self.dense(self.gelu(self.dense(x, f"{name}.fc1")), f"{name}.fc2")

    def plus(self, x: str, y: str, scale: str) -> str:
        """What came in, and what a layer adds to it."""
        return self.add("Add", x, self.add("Mul", y, self.weight(scale)) if scale in self.weights else y)

    def pooled(self, x: str, before: int) -> str:
        of_patches = "fc_norm.weight" in self.weights or not before
        x = self.norm(x, "norm") if "norm.weight" in self.weights else x
        if of_patches:
            patches = self.constants["places"].shape[1]
            self.constants["patches"] = np.arange(before, before + patches)
            y = self.add("ReduceMean", self.add("Gather", x, "patches", axis=1), axes=(1,), keepdims=0)
            return self.norm(y, "fc_norm") if "fc_norm.weight" in self.weights else y
        self.constants["whole"] = np.arange(2 if "dist_token" in self.weights else 1)
        return self.add("ReduceMean", self.add("Gather", x, "whole", axis=1), axes=(1,), keepdims=0)


def resized(places: Array, grid: int) -> Array:
    """Places of a square of patches for one of ``grid`` by ``grid``: (n, width) -> (grid * grid, width), by cubic
    interpolation as PyTorch has it (a = -.75).

    >>> resized(np.array([[1.0], [1.0], [1.0], [1.0]], dtype=np.float32), 3).ravel().tolist() == [1.0] * 9
    True
    """
    side = math.isqrt(len(places))
    if side**2 != len(places):
        raise ValueError(f"its {len(places)} places are no square")
    if side == grid:
        return places
    weight = np.zeros((grid, side))
    for at in range(grid):
        center = (at + 0.5) * side / grid - 0.5
        for near in range(math.floor(center) - 1, math.floor(center) + 3):
            weight[at, min(max(near, 0), side - 1)] += _cubic(abs(center - near))
    square = places.reshape(side, side, -1)
    result: Array = np.einsum("ik,jl,klw->ijw", weight, weight, square).astype(np.float32)
    return result.reshape(grid * grid, -1)


def _cubic(x: float) -> float:
    """Keys 1981."""
    a = -0.75
    return (a + 2) * x**3 - (a + 3) * x**2 + 1 if x <= 1 else a * (x**3 - 5 * x**2 + 8 * x - 4)
