"""ResNet (He et al. 2015, https://arxiv.org/abs/1512.03385) as an ONNX network, from weights of timm or torchvision.

How many blocks there are, how wide they are and in how many groups (ResNeXt) is seen from the weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count

from sortal.engine.onnx_file import Graph, Spec
from sortal.engine.program import Array
from sortal.prepare.graph_builder import GraphBuilder

STAGES, STEM = 4, 7
"""Groups of blocks, and the points on a side of the first kernel."""
EPSILON = 1e-5
"""Of batch normalisation."""
LEFT_OUT = re.compile(r"fc\.(weight|bias)")
"""What tells the classes that it was trained on."""


def network(weights: Mapping[str, Array], side: int) -> Graph:
    """(1, 3, side, side) -> (1, k): the mean of the last map of features.

    Raises KeyError where a weight is not there, and ValueError for those of another network.
    """
    build = _Builder(weights)
    if build.kernel("conv1") != STEM:
        raise ValueError("it is no ResNet with a first kernel of 7 x 7 points")
    x = build.add("Relu", build.conv("x", "conv1", "bn1", stride=2))
    x = build.add("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
    for stage in range(1, STAGES + 1):
        for number in count():
            name = f"layer{stage}.{number}"
            if f"{name}.conv1.weight" not in weights:
                break
            x = build.block(x, name, stride=2 if stage > 1 and number == 0 else 1)
    x = build.add("Flatten", build.add("GlobalAveragePool", x))
    build.refuse_unused(LEFT_OUT, "ResNet")
    return build.graph({"x": Spec("float32", (1, 3, side, side))}, x)


class _Builder(GraphBuilder):
    def kernel(self, name: str) -> int:
        """Points on its side."""
        return int(self.take(f"{name}.weight").shape[-1])

    def block(self, x: str, name: str, stride: int) -> str:
        """Two convolutions, or three where the middle one has fewer channels; what comes in is added to them."""
        deep = f"{name}.conv3.weight" in self.weights
        y = self.add("Relu", self.conv(x, f"{name}.conv1", f"{name}.bn1", 1 if deep else stride))
        y = self.conv(y, f"{name}.conv2", f"{name}.bn2", stride if deep else 1)
        if deep:
            y = self.conv(self.add("Relu", y), f"{name}.conv3", f"{name}.bn3")
        if f"{name}.downsample.0.weight" in self.weights:
            x = self.conv(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        return self.add("Relu", self.add("Add", y, x))

    def conv(self, x: str, name: str, norm: str, stride: int = 1) -> str:
        """A convolution with its normalisation folded in."""
        pad, (weight, bias) = self.kernel(name) // 2, self.fold(name, norm, EPSILON)
        pads, strides, group = (pad,) * 4, (stride, stride), self.groups(name)
        return self.add("Conv", x, weight, bias, pads=pads, strides=strides, group=group)

    def groups(self, name: str) -> int:
        """Of channels that a convolution keeps apart: only that in the middle of a block has some."""
        if not name.endswith(".conv2"):
            return 1
        before = self.take(f"{name.removesuffix('2')}1.weight").shape[0]
        return int(before // self.take(f"{name}.weight").shape[1])
