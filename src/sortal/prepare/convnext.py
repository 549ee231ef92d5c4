"""ConvNeXt (Liu et al. 2022, https://arxiv.org/abs/2201.03545) as an ONNX network, from weights of timm or of
transformers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count

import numpy as np

from sortal.engine.onnx_file import Graph, Spec
from sortal.engine.program import Array
from sortal.prepare.graph_builder import GraphBuilder, renamed

EPSILON = 1e-6
"""Of layer normalisation."""
NAMES = (
    (r"^convnext\.", ""),
    (r"^embeddings\.patch_embeddings\.", "stem.0."),
    (r"^embeddings\.layernorm\.", "stem.1."),
    (r"^encoder\.stages\.", "stages."),
    (r"\.downsampling_layer\.", ".downsample."),
    (r"\.layers\.", ".blocks."),
    (r"\.dwconv\.", ".conv_dw."),
    (r"\.layernorm\.", ".norm."),
    (r"\.pwconv([12])\.", r".mlp.fc\1."),
    (r"\.layer_scale_parameter$", ".gamma"),
    (r"^layernorm\.", "head.norm."),
)
"""Names of transformers, and those of timm for the same weights."""
LEFT_OUT = re.compile(r"head\.fc\..*|classifier\..*")
"""What tells the classes that it was trained on."""


def network(weights: Mapping[str, Array], side: int, epsilon: float = EPSILON) -> Graph:
    """(1, 3, side, side) -> (1, k): the mean of the last map of features, normalised with ``epsilon``.

    Raises KeyError where a weight is not there, and ValueError for those of another network.
    """
    build = _Builder({renamed(name, NAMES): array for name, array in weights.items()})
    x = build.norm(build.conv("x", "stem.0"), "stem.1")
    for stage in count():
        if f"stages.{stage}.blocks.0.conv_dw.weight" not in build.weights:
            break
        if f"stages.{stage}.downsample.1.weight" in build.weights:
            x = build.conv(build.norm(x, f"stages.{stage}.downsample.0"), f"stages.{stage}.downsample.1")
        for number in count():
            name = f"stages.{stage}.blocks.{number}"
            if f"{name}.conv_dw.weight" not in build.weights:
                break
            x = build.block(x, name)
    x = build.last(build.add("Flatten", build.add("GlobalAveragePool", x)), "head.norm", epsilon)
    build.refuse_unused(LEFT_OUT, "ConvNeXt")
    return build.graph({"x": Spec("float32", (1, 3, side, side))}, x)


class _Builder(GraphBuilder):
    def conv(self, x: str, name: str) -> str:
        """Of patches that lie side by side."""
        stride = self.take(f"{name}.weight").shape[-1]
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("Conv", x, weight, bias, strides=(stride, stride))

    def last(self, x: str, name: str, epsilon: float = EPSILON) -> str:
        """Normalised along the last axis."""
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=epsilon)

    def norm(self, x: str, name: str) -> str:
        """Each point over its channels."""
        y = self.last(self.add("Transpose", x, perm=(0, 2, 3, 1)), name)
        return self.add("Transpose", y, perm=(0, 3, 1, 2))

    def dense(self, x: str, name: str) -> str:
        """Over channels; some networks have it as a convolution of single points."""
        weight = self.take(f"{name}.weight")
        self.constants[f"{name}.weight"] = np.ascontiguousarray(weight.reshape(len(weight), -1).T)
        return self.add("Add", self.add("MatMul", x, f"{name}.weight"), self.weight(f"{name}.bias"))

    def block(self, x: str, name: str) -> str:
        """Each channel by itself over its neighbours, then each point by itself over its channels."""
        kernel = self.take(f"{name}.conv_dw.weight")
        weight, bias, pad = (
            self.weight(f"{name}.conv_dw.weight"),
            self.weight(f"{name}.conv_dw.bias"),
            kernel.shape[-1] // 2,
        )
        y = self.add("Conv", x, weight, bias, pads=(pad,) * 4, group=len(kernel))
        y = self.last(self.add("Transpose", y, perm=(0, 2, 3, 1)), f"{name}.norm")
        y = self.dense(self.gelu(self.dense(y, f"{name}.mlp.fc1")), f"{name}.mlp.fc2")
        y = self.add("Mul", y, self.weight(f"{name}.gamma")) if f"{name}.gamma" in self.weights else y
        return self.add("Add", x, self.add("Transpose", y, perm=(0, 3, 1, 2)))
