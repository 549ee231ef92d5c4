"""Several small networks that are trained side by side, and averaged (PyTorch).

Layers and training are those of RealMLP-TD (Holzmüller, Grinsztajn & Steinwart 2024, "Better by default", arXiv
2407.04491). That networks share the steps of one optimiser is from TabM (Gorishniy, Kotelnikov & Babenko 2024, arXiv
2410.24210); here each has all weights to itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sortal.models.family import Matrix, Rows

FREQUENCIES, EMBEDDING, FREQUENCY_SCALE = 16, 3, 0.1
BETAS, EPSILON = (0.9, 0.95), 1e-8
SLOWER, FASTER = 0.1, 6.0
"""Of the learning rate: for biases and embeddings, and for the factors of the inputs."""
AVERAGED = 1 / 32
"""Of all steps, those over which the weights are averaged."""
SMALLEST = 1e-15
"""Probabilities below this are read as this in a log-loss."""
SCORED = 4096
"""Rows that are scored at once."""


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

        found: Matrix = self.probability(torch.tensor(x)).numpy()
        return found

    def log_loss(self, rows: Tensors) -> float:
        """The mean log-loss by weight."""
        p = self.probability(rows.x).gather(1, rows.y[:, None])[:, 0]
        return float(-(rows.weight * p.clamp_min(SMALLEST).log()).mean())

    def steepness(self, x: Matrix) -> NDArray[np.float64]:
        """(d,) how far the log-probability of a row's most probable class moves with each column, in the mean."""
        import torch

        rows = torch.tensor(x, requires_grad=True)
        scores = self.scores(rows.expand(len(self.frequency), *rows.shape)).mean(0)
        torch.log_softmax(scores, -1).amax(1).sum().backward()
        slopes: NDArray[np.float64] = rows.grad.abs().mean(0).numpy() * x.std(axis=0)
        return slopes

    def arrays(self) -> Layers:
        """Of tensors: the same as arrays, which keep what the tensors hold now."""
        return self._each(lambda tensor: tensor.detach().cpu().numpy().copy())

    def tensors(self) -> Layers:
        """Of arrays: the same as tensors of double precision."""
        import torch

        def tensor(array: Any) -> Any:
            found = torch.tensor(array)
            return found.double() if found.is_floating_point() else found

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


@dataclass(frozen=True)
class Tensors:
    """Rows to learn from: ``x`` (n, d), ``y`` (n,) and ``weight`` (n,), 1 in the mean."""

    x: Any
    y: Any
    weight: Any

    @property
    def n(self) -> int:
        return len(self.y)

    @staticmethod
    def of(rows: Rows, x: Matrix, device: str) -> Tensors:
        """``x``: what the networks see of the rows."""
        import torch

        weight = np.ones(len(rows.y)) if rows.weight is None else rows.weight / rows.weight.mean()
        return Tensors(
            torch.tensor(x, dtype=torch.float32, device=device),
            torch.tensor(rows.y, device=device),
            torch.tensor(weight, dtype=torch.float32, device=device),
        )


class Parameter:
    """A tensor that AdamW learns (Loshchilov & Hutter 2019, arXiv 1711.05101), with what that remembers of it.

    ``part``: of the learning rate. ``average``: the mean of its last values, exponentially weighted. Written out, as
    ``torch.optim`` imports the compiler of PyTorch, which takes as long as PyTorch itself.
    """

    def __init__(self, value: Any, part: float = 1.0, decays: bool = False) -> None:
        import torch

        self.value, self.average = value.requires_grad_(True), value.detach().clone()
        self._part, self._decays = part, decays
        self._mean, self._square, self._steps = torch.zeros_like(value), torch.zeros_like(value), 0

    def step(self, gradient: Any, learning_rate: float, weight_decay: float, weight: float = 1.0) -> None:
        """``weight``: of the new value in the average."""
        import torch

        self._steps += 1
        rate, (first, second) = self._part * learning_rate, BETAS
        with torch.no_grad():
            self._mean.lerp_(gradient, 1 - first)
            self._square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
            root = (self._square / (1 - second**self._steps)).sqrt_().add_(EPSILON)
            if self._decays:
                self.value.mul_(1 - rate * weight_decay)
            self.value.addcdiv_(self._mean, root, value=-rate / (1 - first**self._steps))
            self.average.lerp_(self.value, weight)


class Network:
    """The parameters that are learned.

    A weight is a normal number at first, and divided by the root of its layer's inputs where it is used, so that one
    learning rate suits layers of any size (neural tangent parametrisation).
    """

    def __init__(self, shape: Shape, shares: NDArray[np.float64], seed: int, device: str) -> None:
        """``shares`` of the classes: what the networks say at first."""
        import torch

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
        self.weights = [Parameter(each, decays=True) for each in weights]
        start = torch.tensor(np.log(shares), dtype=torch.float32, device=device)
        biases = [*(normal(1, shape.width) for _ in range(shape.hidden)), zeros(1, shape.classes) + start]
        self.biases = [Parameter(each, SLOWER) for each in biases]
        embedding = [self.frequency, self.phase, self.mix, self.shift] if k else []
        self.parameters = [*self.weights, *embedding, *self.biases, self.factor]

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


@dataclass(frozen=True)
class Learning:
    """How the networks learn. ``epochs``: passes over the rows after which the learning rate has run its course.
    ``batch``: rows of a step. ``dropout``: share of the outputs of hidden layers that a step does without.
    """

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    dropout: float


class Trainer:
    """Trains networks an epoch at a time."""

    def __init__(self, network: Network, learning: Learning, rows: Tensors) -> None:
        self._network, self._learning, self._rows = network, learning, rows
        self._batch = min(learning.batch, rows.n)
        self.steps = rows.n // self._batch
        """Of an epoch; the rows that are left over are others each time."""
        self._done = 0

    def epoch(self) -> None:
        """One pass over the rows, in which each member meets them in an order of its own."""
        order = self._order()
        for start in range(0, self.steps * self._batch, self._batch):
            self._step(order[:, start : start + self._batch])

    def pilot(self) -> None:
        """A single step."""
        self._step(self._order()[:, : self._batch])

    def _order(self) -> Any:
        import torch

        size = self._network.members, self._rows.n
        return torch.rand(*size, generator=self._network.random, device=self._rows.x.device).argsort(dim=1)

    def _step(self, batch: Any) -> None:
        import torch

        network, learning = self._network, self._learning
        progress = self._done / (learning.epochs * self.steps)
        self._done += 1
        late = flat_cosine(progress)
        x, y, weight = self._rows.x[batch], self._rows.y[batch].flatten(), self._rows.weight[batch].flatten()
        scores = network.layers(averaged=False).scores(x, lambda h: dropout(h, learning.dropout * late, network.random))
        losses = torch.nn.functional.cross_entropy(scores.flatten(0, 1), y, reduction="none")
        # The sum of the members' mean losses, so that each learns as it would alone.
        loss = (losses * weight).sum() / batch.shape[1]
        gradients = torch.autograd.grad(loss, [each.value for each in network.parameters])
        weight = min(1.0, 1 / (AVERAGED * learning.epochs * self.steps))
        for parameter, gradient in zip(network.parameters, gradients, strict=True):
            parameter.step(gradient, learning.learning_rate * waves(progress), learning.weight_decay * late, weight)


def dropout(x: Any, share: float, random: Any) -> Any:
    """Leaves this share of the numbers out, to a 256th, and makes the others larger for it.

    A byte for each number: PyTorch's own takes a fifth of a step.
    """
    import torch

    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
    bytes_ = words.random_(-(2**63), None, generator=random).view(torch.uint8)[: x.numel()].view(x.shape)
    least = round(256 * share)
    return x * (bytes_ >= least).to(x.dtype).mul_(256 / (256 - least))


def waves(progress: float) -> float:
    """Of the learning rate: four waves, each twice as long as the one before (RealMLP's coslog4).

    >>> [round(waves(at), 3) for at in (0, 1 / 30, 1 / 15, 0.3, 1)]
    [0.0, 0.93, 0.0, 0.984, 0.0]
    """
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * progress)))


def flat_cosine(progress: float) -> float:
    """1 up to the half, and down to 0 from there.

    >>> [round(flat_cosine(at), 3) for at in (0, 0.5, 0.75, 1)]
    [1, 1.0, 0.5, 0.0]
    """
    return 1 if progress < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * progress - 1)))


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of PyTorch in the block, and then as many as before.

    Threads meet some fifty times in a step of some milliseconds, and spin while they wait (see ``boosting.threads``):
    on a busy machine a step of two threads took up to forty times that of one.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
