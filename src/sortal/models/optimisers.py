"""Parameters that learn from their gradients: by AdamW, or by Muon.

Written out, as ``torch.optim`` imports the compiler of PyTorch, which takes as long as PyTorch itself.
"""

from __future__ import annotations

import math
from typing import Any

BETAS, EPSILON = (0.9, 0.95), 1e-8
MOMENTUM, ROUNDS, QUINTIC = 0.6, 3, (3.4445, -4.7750, 2.0315)
"""Of Muon: its momentum and the rounds of Newton and Schulz as airbench94_muon has them for small convolutions (Jordan
2024), and the polynomial of Muon (Jordan et al. 2024), which takes singular values to about 1."""


class Parameter:
    """A tensor that AdamW learns (Loshchilov & Hutter 2019, arXiv 1711.05101), with what that remembers of it.

    ``part``: of the learning rate. ``average``: the mean of its last values, exponentially weighted.
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


class Filters:
    """The filters (outputs, ...) of a convolution, which Muon learns (Jordan et al. 2024): each step is the nearest
    orthogonal matrix to the gradient, so that rare directions are learned as fast as common ones.

    The filters keep the length that they have at first, a root of their number: a batch norm follows, which makes up
    for any other. ``part`` and ``average`` as in ``Parameter``.
    """

    def __init__(self, value: Any, part: float = 1.0) -> None:
        import torch

        self.value, self.average = value.requires_grad_(True), value.detach().clone()
        self._part, self._momentum = part, torch.zeros_like(value)

    def step(self, gradient: Any, learning_rate: float, weight_decay: float, weight: float = 1.0) -> None:
        """``weight_decay`` has no meaning where the length stays."""
        import torch

        with torch.no_grad():
            self._momentum.mul_(MOMENTUM).add_(gradient)
            update = orthogonal(gradient.add(self._momentum, alpha=MOMENTUM))
            self.value.mul_(math.sqrt(len(self.value)) / (self.value.norm() + EPSILON))
            self.value.add_(update, alpha=-self._part * learning_rate)
            self.average.lerp_(self.value, weight)


def orthogonal(gradient: Any) -> Any:
    """About the nearest orthogonal matrix to (outputs, ...), by the iteration of Newton and Schulz: its singular values
    lie around 1.
    """
    x = gradient.flatten(1)
    x = x / (x.norm() + EPSILON)
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    a, b, c = QUINTIC
    for _ in range(ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if is_tall else x).reshape(gradient.shape)
