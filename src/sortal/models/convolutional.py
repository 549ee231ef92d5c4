"""A small convolutional network for images, in its textbook shape: blocks of convolution, max pooling, batch norm and
ReLU, global average pooling, dropout and a linear layer (PyTorch).

That the first layer whitens small patches and is frozen, that Muon learns the filters, and that a batch is moved and
mirrored as a whole is from airbench94 (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv
2404.00498).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from sortal.core.arrays import Floats
from sortal.models.network import dropout
from sortal.models.optimisers import Filters, Parameter
from sortal.models.training_loop import SCORED, Learns

BLOCKS = 3
"""Each halves the sides of the image, and has twice the filters of the one before."""
PATCH, WHITENED, SMALLEST_VARIANCE = 2, 12, 5e-4
"""Points of a patch on a side; patterns that are kept of it, each with its negative; and what is added to their
variance, as in airbench94."""
GREY_PATCH = 3
"""Without colours, as four points hold only four patterns."""
LARGE = 40
"""Points on a side from which patches lie side by side, and do not overlap: the network sees half as many."""
WHITENING_IMAGES = 1_000
MOMENTUM, EPSILON = 0.1, 1e-5
"""Of the batch norm: of each batch in its running mean and variance, and what is added to the variance."""
SHIFTED = 14
"""An image is moved by up to one point in so many."""
FILTERS, OTHERS = 1.0, 0.1
"""Of the learning rate: for filters, and for the batch norm and the linear layer."""


@dataclass(frozen=True)
class ConvShape:
    """Of a network for images (channels, side, side) of so many classes, with ``width`` filters in its first block."""

    channels: int
    side: int
    classes: int
    width: int

    @property
    def widths(self) -> list[int]:
        return [self.width * 2**at for at in range(BLOCKS)]

    @property
    def colour(self) -> bool:
        return self.channels > 1

    @property
    def patch(self) -> int:
        return PATCH if self.colour else GREY_PATCH

    @property
    def stride(self) -> int:
        return PATCH if self.side >= LARGE else 1


@dataclass(frozen=True)
class BatchNorm:
    """Tensors (channels,): what the numbers of a channel are multiplied with and what is added when they have zero mean
    and unit variance; and the mean and variance that they have in training.
    """

    weight: Any
    bias: Any
    mean: Any
    variance: Any

    def __call__(self, x: Any, training: bool) -> Any:
        from torch.nn.functional import batch_norm

        return batch_norm(x, self.mean, self.variance, self.weight, self.bias, training, MOMENTUM, EPSILON)


@dataclass(frozen=True)
class Block:
    """``kernel`` (outputs, inputs, 3, 3) of a convolution, and the batch norm behind it."""

    kernel: Any
    norm: BatchNorm

    def __call__(self, x: Any, training: bool) -> Any:
        """(b, outputs, h / 2, w / 2) of (b, inputs, h, w).

        The largest of four is taken before they are normalised, so that there are a quarter as many: where the factor
        is positive, which it is at first, that is the same.
        """
        from torch.nn.functional import conv2d, max_pool2d, relu

        return relu(self.norm(max_pool2d(conv2d(x, self.kernel, padding=1), 2), training))


@dataclass(frozen=True)
class ConvLayers:
    """The network as it is used. ``white`` (patterns, channels, patch, patch) and ``offset`` (patterns,): the first
    layer, of images from 0 to 1. ``weight`` (classes, features) and ``bias``: the last one.
    """

    white: Any
    offset: Any
    stride: int
    blocks: tuple[Block, ...]
    weight: Any
    bias: Any

    def features(self, x: Any, training: bool = False) -> Any:
        """(b, features) of images (b, channels, side, side) from 0 to 1."""
        from torch.nn.functional import conv2d, relu

        x = relu(conv2d(x, self.white, self.offset, stride=self.stride))
        for block in self.blocks:
            x = block(x, training)
        return x.mean(dim=(2, 3))

    def scores(self, x: Any) -> Any:
        """(b, classes) of the same."""
        return self.features(x) @ self.weight.T + self.bias

    def probability(self, x: Any) -> Any:
        """(n, classes) of images (n, channels, side, side) of bytes, or of numbers from 0 to 1."""
        import torch

        with torch.no_grad():
            parts = [torch.softmax(self.scores(unit(part, self.bias.dtype)), -1) for part in x.split(SCORED // 8)]
        return torch.cat(parts)

    def each(self, change: Callable[[Any], Any]) -> ConvLayers:
        """The same with a change to each tensor."""
        blocks = [
            Block(change(b.kernel), BatchNorm(*map(change, (b.norm.weight, b.norm.bias, b.norm.mean, b.norm.variance))))
            for b in self.blocks
        ]
        white, offset, weight, bias = map(change, (self.white, self.offset, self.weight, self.bias))
        return ConvLayers(white, offset, self.stride, tuple(blocks), weight, bias)


def unit(images: Any, dtype: Any) -> Any:
    """Images of bytes as numbers from 0 to 1, the channels of a point side by side, as convolutions are faster then."""
    import torch

    numbers = images.to(dtype) / 255 if images.dtype == torch.uint8 else images.to(dtype)
    return numbers.contiguous(memory_format=torch.channels_last)


class ConvNetwork:
    """The network as it is trained. ``images`` (n, channels, side, side) bytes: those that it learns the patterns of
    its first layer from. ``shares`` of the classes: what it says at first. ``mirrors``: left and right mean the same.
    """

    members = 1

    def __init__(
        self, shape: ConvShape, images: Any, shares: Floats, seed: int, left_out: float, mirrors: bool
    ) -> None:
        import torch

        device = images.device
        self.random = torch.Generator(device).manual_seed(seed)
        self._left_out, self._mirrors, self._stride = left_out, mirrors, shape.stride
        self._shift = max(1, shape.side // SHIFTED)
        self._white, self._offset = whitening(unit(images[:WHITENING_IMAGES], torch.float32), shape.patch)
        widths = shape.widths
        sizes = [len(self._white), *widths]
        self._filters = [
            Filters(torch.randn(b, a, 3, 3, generator=self.random, device=device), FILTERS) for a, b in pairwise(sizes)
        ]
        self._factors = [Parameter(torch.ones(width, device=device), OTHERS) for width in widths]
        self._shifts = [Parameter(torch.zeros(width, device=device), OTHERS) for width in widths]
        self._weight = Parameter(torch.zeros(shape.classes, widths[-1], device=device), OTHERS, decays=True)
        self._bias = Parameter(torch.tensor(np.log(shares), dtype=torch.float32, device=device), OTHERS)
        self._mean = [torch.zeros(width, device=device) for width in widths]
        self._variance = [torch.ones(width, device=device) for width in widths]

    @property
    def parameters(self) -> Sequence[Learns]:
        return [*self._filters, *self._factors, *self._shifts, self._weight, self._bias]

    def scores(self, x: Any, late: float) -> Any:
        """(1, b, classes) of the batch (1, b, channels, side, side) in training."""
        import torch

        layers = self._layers(lambda parameter: parameter.value)
        images = self._moved(unit(x[0], torch.float32)).contiguous(memory_format=torch.channels_last)
        features = dropout(layers.features(images, training=True), self._left_out * late, self.random)
        return (features @ layers.weight.T + layers.bias)[None]

    def _moved(self, x: Any) -> Any:
        """The images of a batch, all moved by some points, and mirrored where that means the same."""
        import torch
        from torch.nn.functional import pad

        k, (height, width) = self._shift, x.shape[2:]
        down, right, mirrored = torch.randint(
            0, 2 * k + 1, (3,), generator=self.random, device=self.random.device
        ).tolist()
        x = pad(x, (k, k, k, k), mode="reflect")[:, :, down : down + height, right : right + width]
        return x.flip(3) if self._mirrors and mirrored % 2 else x

    def learned(self) -> ConvLayers:
        """A copy of the layers as they are now."""
        return self._layers(lambda parameter: parameter.average).each(lambda tensor: tensor.detach().clone())

    def _layers(self, now: Callable[[Any], Any]) -> ConvLayers:
        norms = map(BatchNorm, map(now, self._factors), map(now, self._shifts), self._mean, self._variance)
        blocks = tuple(map(Block, map(now, self._filters), norms))
        return ConvLayers(self._white, self._offset, self._stride, blocks, now(self._weight), now(self._bias))


def whitening(images: Any, patch: int) -> tuple[Any, Any]:
    """The first layer, (patterns, channels, patch, patch) and (patterns,): the patterns that make most of the patches
    of images (n, channels, side, side) from 0 to 1, each divided by how much it varies, and their negatives.
    """
    import torch
    from torch.nn.functional import unfold

    channels = images.shape[1]
    mean = images.mean(dim=(0, 2, 3), keepdim=True)
    deviation = images.std(dim=(0, 2, 3), keepdim=True).clamp_min(1 / 255)
    patches = unfold((images - mean) / deviation, patch).transpose(1, 2).flatten(0, 1).double()
    variance, patterns = torch.linalg.eigh(patches.T @ patches / len(patches))
    whitened = (patterns / torch.sqrt(variance.clamp_min(0) + SMALLEST_VARIANCE)).T.flip(0)[:WHITENED]
    kernel = whitened.reshape(-1, channels, patch, patch).float() / deviation
    kernel = torch.cat([kernel, -kernel])
    return kernel, -(kernel * mean).sum(dim=(1, 2, 3))
