"""Several small networks for tables that are trained side by side, and averaged (PyTorch).

Layers and schedule are those of RealMLP-TD (Holzmüller, Grinsztajn & Steinwart 2024, "Better by default", arXiv
2407.04491). That networks share the steps of one optimiser is from TabM (Gorishniy, Kotelnikov & Babenko 2024, arXiv
2410.24210); here each has all weights to itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.models.family import Matrix
from sortal.models.optimisers import Parameter
from sortal.models.training_loop import SCORED

FREQUENCIES, EMBEDDING, FREQUENCY_SCALE = 16, 3, 0.1
SLOWER, FASTER = 0.1, 6.0
"""Of the learning rate: for biases and embeddings, and for the factors of the inputs."""


@dataclass(frozen=True)
class Shape:
    """Of a group of networks: ``members``, with ``hidden`` layers of ``width`` each. ``index``: columns that are
    embedded.
    """

    columns: int
    classes: int
    index: NDArray[np.int64]
    members: int
    width: int
    hidden: int

    @property
    def sizes(self) -> list[int]:
        """Numbers that go into each layer: the columns with their embeddings, then what the layer before gives."""
        return [self.columns + len(self.index) * EMBEDDING, *[self.width] * self.hidden]


@dataclass(frozen=True)
class Layers:
    """Weights as they are used, of m members: tensors, or arrays.

    ``frequency``, ``phase`` (m, k, f), ``mix`` (m, k, f, e) and ``shift`` (m, k, e): embeddings of the columns
    ``index`` (see op ``periodic``). ``weights`` (m, inputs, outputs) and ``biases`` (m, 1, outputs): a layer each.
    """

    index: Any
    frequency: Any
    phase: Any
    mix: Any
    shift: Any
    weights: tuple[Any, ...]
    biases: tuple[Any, ...]

    def scores(self, x: Any, dropped: Any = None) -> Any:
        """(m, n, K) of tensors (m, n, d). ``dropped``: what is done with the outputs of each hidden layer."""
        import torch

        if len(self.index):
            cosine = torch.cos(2 * math.pi * (x[..., self.index, None] * self.frequency[:, None] + self.phase[:, None]))
            embedded = torch.einsum("mnkf,mkfe->mnke", cosine, self.mix) + self.shift[:, None]
            x = torch.cat([x, embedded.flatten(2)], dim=-1)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = torch.selu(torch.baddbmm(bias, x, weight))
            x = x if dropped is None else dropped(x)
        return torch.baddbmm(self.biases[-1], x, self.weights[-1])

    def probability(self, x: Any) -> Any:
        """(n, K) of a tensor (n, d): the mean over the members."""
        import torch

        m = len(self.frequency)
        with torch.no_grad():
            parts = [torch.softmax(self.scores(part.expand(m, *part.shape)), -1).mean(0) for part in x.split(SCORED)]
        return torch.cat(parts)

    def predict_proba(self, x: Matrix) -> Matrix:
        """The same of an array."""
        import torch

        probability: Matrix = self.probability(torch.tensor(x)).numpy()
        return probability

    def mean_scores(self, x: Any) -> Any:
        """(n, K) of a tensor (n, d): the mean over the members."""
        return self.scores(x.expand(len(self.frequency), *x.shape)).mean(0)

    def copied(self) -> Layers:
        """The same with tensors of its own."""
        return self._each(lambda tensor: tensor.detach().clone())

    def arrays(self) -> Layers:
        """Of tensors: the same as arrays, which keep what the tensors hold now."""
        return self._each(lambda tensor: tensor.detach().cpu().numpy().copy())

    def tensors(self) -> Layers:
        """Of arrays: the same as tensors of double precision."""
        import torch

        def tensor(array: Any) -> Any:
            value = torch.tensor(array)
            return value.double() if value.is_floating_point() else value

        return self._each(tensor)

    def _each(self, change: Callable[[Any], Any]) -> Layers:
        return Layers(
            index=change(self.index),
            frequency=change(self.frequency),
            phase=change(self.phase),
            mix=change(self.mix),
            shift=change(self.shift),
            weights=tuple(map(change, self.weights)),
            biases=tuple(map(change, self.biases)),
        )


class Network:
    """The parameters that are learned.

    A weight is a normal number at first, and divided by the root of its layer's inputs where it is used, so that one
    learning rate suits layers of any size (neural tangent parametrisation).
    """

    def __init__(
        self, shape: Shape, shares: NDArray[np.float64], seed: int, device: str, left_out: float = 0.0
    ) -> None:
        """``shares`` of the classes: what the networks say at first. ``left_out``: the share of the outputs of hidden
        layers that a step does without.
        """
        import torch

        self._left_out = left_out
        self.members, self.random = shape.members, torch.Generator(device).manual_seed(seed)

        def normal(*size: int) -> Any:
            return torch.randn(shape.members, *size, generator=self.random, device=device)

        def zeros(*size: int) -> Any:
            return torch.zeros(shape.members, *size, device=device)

        k, sizes = len(shape.index), shape.sizes
        self.index = torch.tensor(shape.index, device=device)
        self.frequency = Parameter(FREQUENCY_SCALE * normal(k, FREQUENCIES), SLOWER)
        phase = torch.rand(shape.members, k, FREQUENCIES, generator=self.random, device=device) - 0.5
        self.phase = Parameter(phase, SLOWER)
        self.mix = Parameter(normal(k, FREQUENCIES, EMBEDDING), SLOWER)
        self.shift = Parameter(zeros(k, EMBEDDING), SLOWER)
        self.factor = Parameter(zeros(sizes[0], 1) + 1, FASTER)
        weights = [*(normal(a, shape.width) for a in sizes[:-1]), zeros(sizes[-1], shape.classes)]
        self.weights = [Parameter(weight, decays=True) for weight in weights]
        start = torch.tensor(np.log(shares), dtype=torch.float32, device=device)
        biases = [*(normal(1, shape.width) for _ in range(shape.hidden)), zeros(1, shape.classes) + start]
        self.biases = [Parameter(bias, SLOWER) for bias in biases]
        embedding = [self.frequency, self.phase, self.mix, self.shift] if k else []
        self.parameters = [*self.weights, *embedding, *self.biases, self.factor]

    def scores(self, x: Any, late: float) -> Any:
        """(m, b, K) of the batch (m, b, d) in training."""
        return self.layers(averaged=False).scores(x, lambda h: dropout(h, self._left_out * late, self.random))

    def learned(self) -> Layers:
        """A copy of the layers as they are now."""
        return self.layers().copied()

    def layers(self, averaged: bool = True) -> Layers:
        """As they are at the last step, or ``averaged`` over some steps, which is what is used in the end."""

        def now(parameter: Parameter) -> Any:
            return parameter.average if averaged else parameter.value

        weights = [now(weight) / math.sqrt(weight.value.shape[1]) for weight in self.weights]
        weights[0] = now(self.factor) * weights[0]
        return Layers(
            self.index,
            now(self.frequency),
            now(self.phase),
            now(self.mix) / math.sqrt(FREQUENCIES),
            now(self.shift),
            tuple(weights),
            tuple(map(now, self.biases)),
        )


def dropout(x: Any, share: float, random: Any) -> Any:
    """Leaves this share of the numbers out, to a 256th, and makes the others larger for it.

    A byte for each number: PyTorch's own takes a fifth of a step.
    """
    import torch

    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
    bytes_ = words.random_(-(2**63), None, generator=random).view(torch.uint8)[: x.numel()].view(x.shape)
    least = round(256 * share)
    return x * (bytes_ >= least).to(x.dtype).mul_(256 / (256 - least))


def waves(step: int, total: int) -> float:
    """Of the learning rate: four waves, each twice as long as the one before (RealMLP's coslog4).

    >>> [round(waves(at, 300), 3) for at in (0, 10, 20, 90, 300)]
    [0.0, 0.93, 0.0, 0.984, 0.0]
    """
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * (step / total))))
