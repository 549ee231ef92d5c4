"""AdamW against PyTorch's own, Muon against the singular values that it stands for."""

from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose

from sortal.models.optimisers import Filters, Parameter, orthogonal


def test_a_parameter_learns_as_adamw_of_pytorch_does() -> None:
    start, gradients = (
        torch.linspace(-1, 2, 6).reshape(2, 3),
        torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0)),
    )
    ours, theirs = Parameter(start.clone(), part=0.5, decays=True), start.clone().requires_grad_(True)
    optimiser = torch.optim.AdamW([theirs], lr=0.05, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.2)
    for gradient in gradients:
        ours.step(gradient, learning_rate=0.1, weight_decay=0.2)
        theirs.grad = gradient
        optimiser.step()
    assert_allclose(ours.value.detach().numpy(), theirs.detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize("shape", [(8, 3, 2, 2), (30, 2, 2, 2), (5, 5)])
def test_a_step_of_muon_has_the_directions_of_the_gradient_and_singular_values_near_one(shape: tuple[int, ...]) -> None:
    gradient = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    # What is left of the step in the singular vectors of the gradient is a diagonal.
    inside = u.T @ orthogonal(gradient).flatten(1) @ v.T
    assert_allclose((inside - torch.diag(inside.diagonal())).numpy(), 0.0, atol=1e-4)
    assert 0.3 < float(inside.diagonal().min()) < float(inside.diagonal().max()) < 1.3
    assert orthogonal(gradient).shape == shape


def test_filters_keep_their_length_and_go_against_the_gradient() -> None:
    start = torch.randn(16, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    filters, gradient = Filters(start.clone(), part=0.5), torch.ones(16, 4, 3, 3)
    filters.step(gradient, learning_rate=0.1, weight_decay=0.0, weight=0.25)
    scaled = start * (4.0 / start.norm())
    expected = scaled - 0.05 * orthogonal(gradient)
    assert_allclose(filters.value.detach().numpy(), expected.numpy(), atol=1e-5)
    # Ones are a matrix of one direction, of which the step has one sign.
    assert float((filters.value.detach() - scaled).max()) < 0
    assert_allclose(filters.average.numpy(), (start + 0.25 * (filters.value.detach() - start)).numpy(), atol=1e-5)
