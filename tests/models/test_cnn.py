"""The small network for images: its layers against PyTorch's modules, what it learns, and its program."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sortal.engine import compile
from sortal.models.cnn import family, program, trapezium
from sortal.models.convolutional import EPSILON, ConvLayers, ConvNetwork, ConvShape, unit, whitening
from sortal.models.family import FitRequest, Rows, Size
from sortal.models.training_loop import Loss
from sortal.prepare.view import ImageColumns

SMALL = {"epochs": 6, "width": 8}


def bars(n: int, seed: int, channels: int = 1, side: int = 16) -> Rows:
    """Bars that lie or stand, anywhere, in noise: no point tells which."""
    rng = np.random.default_rng(seed)
    images = rng.random((n, channels, side, side)) * 0.5
    y = rng.integers(2, size=n)
    for image, stands, at, start in zip(
        images, y, rng.integers(side, size=n), rng.integers(side // 2, size=n), strict=True
    ):
        line = image[:, :, at] if stands else image[:, at]
        line[:, start : start + side // 2] = 1.0
    return Rows(np.rint(255 * images).reshape(n, -1) / 255, y)


def request(train: Rows, channels: int = 1, side: int = 16, classes: int = 2) -> FitRequest:
    return FitRequest(train, classes, seed=0, image=ImageColumns(0, channels, side))


def network(channels: int = 3, side: int = 18, classes: int = 3, width: int = 4) -> tuple[ConvNetwork, torch.Tensor]:
    images = torch.randint(0, 256, (40, channels, side, side), generator=torch.Generator().manual_seed(1)).byte()
    shape = ConvShape(channels, side, classes, width)
    return ConvNetwork(shape, images, np.full(classes, 1 / classes), seed=0, left_out=0.0, mirrors=True), images


def trained(model: ConvNetwork, images: torch.Tensor) -> ConvLayers:
    """After some steps, so that no factor is one and no mean zero, and with a last layer that makes much of it."""
    for _ in range(5):
        scores = model.scores(images[None], 1.0)[0]
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(len(images)) % scores.shape[1])
        gradients = torch.autograd.grad(loss, [parameter.value for parameter in model.parameters])
        for parameter, gradient in zip(model.parameters, gradients, strict=True):
            parameter.step(gradient, 0.3, 0.1)
    learned = model.learned()
    features = learned.features(unit(images, torch.float32))
    weight = torch.randn(learned.weight.shape, generator=model.random) / features.std(dim=0).mean()
    return replace(learned, weight=weight, bias=-features.mean(dim=0) @ weight.T)


def as_modules(layers: ConvLayers) -> torch.nn.Sequential:
    """The same from PyTorch's own layers, of double precision."""
    first = torch.nn.Conv2d(*layers.white.shape[1::-1], layers.white.shape[2], stride=layers.stride)
    first.weight.data, first.bias.data = layers.white, layers.offset
    modules: list[torch.nn.Module] = [first, torch.nn.ReLU()]
    for block in layers.blocks:
        conv = torch.nn.Conv2d(*block.kernel.shape[1::-1], 3, padding=1, bias=False)
        norm = torch.nn.BatchNorm2d(len(block.kernel), eps=EPSILON)
        conv.weight.data = block.kernel
        norm.weight.data, norm.bias.data = block.norm.weight, block.norm.bias
        norm.running_mean, norm.running_var = block.norm.mean, block.norm.variance
        modules += [conv, torch.nn.MaxPool2d(2), norm, torch.nn.ReLU()]
    last = torch.nn.Linear(*layers.weight.shape[::-1])
    last.weight.data, last.bias.data = layers.weight, layers.bias
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), last, torch.nn.Softmax(1)]
    return torch.nn.Sequential(*modules, *head).double().eval()


@pytest.mark.parametrize(("channels", "side"), [(1, 16), (3, 18), (3, 44)])
def test_the_network_and_its_program_are_the_layers_of_pytorch(channels: int, side: int) -> None:
    model, images = network(channels, side)
    layers = trained(model, images)
    assert layers.stride == (2 if side == 44 else 1)
    x = unit(images, torch.float64)
    expected = as_modules(layers)(x).detach().numpy()
    assert np.ptp(expected, axis=0).max() > 0.05
    # Sums of 32 bits beside those of 64: of scores up to 20 the sixth digit, of probabilities near a half the fifth.
    assert_allclose(layers.probability(images).numpy(), expected, atol=3e-5)
    # Between other columns, as they stand in a table of more than images.
    X = np.hstack([np.zeros((40, 2)), x.reshape(40, -1).numpy(), np.ones((40, 1))])
    where = ImageColumns(2, channels, side)
    assert_allclose(compile(program(layers, where, X.shape[1], Loss()))(X), expected, atol=3e-5)


def test_the_first_layer_gives_patterns_that_vary_alike_and_have_nothing_to_do_with_each_other() -> None:
    rng = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.avg_pool2d(torch.rand(50, 3, 20, 20, generator=rng), 3, stride=1)
    kernel, offset = whitening(smooth, 2)
    assert kernel.shape == (24, 3, 2, 2)
    patterns = torch.nn.functional.conv2d(smooth, kernel, offset).transpose(0, 1).flatten(1)
    assert_allclose(patterns[12:].numpy(), -patterns[:12].numpy(), atol=1e-4)
    covariance = (patterns[:12] @ patterns[:12].T / patterns.shape[1]).numpy()
    # A little less than one where a pattern hardly varies, by what is added to its variance.
    assert_allclose(covariance, np.diag(np.diag(covariance)), atol=5e-3)
    assert 0.7 < np.diag(covariance).min() <= np.diag(covariance).max() < 1.01


def test_it_learns_what_no_single_point_tells() -> None:
    train, fresh = bars(300, 0), bars(300, 1)
    fitted = family.fit(replace(request(train), stop=bars(60, 2)), SMALL)
    assert (fitted.predict_proba(fresh.X).argmax(1) == fresh.y).mean() > 0.9
    assert fitted.effort["epochs"] == 6
    assert fitted.importance.shape == (256,)
    assert fitted.importance.min() > 0


@pytest.mark.parametrize("mirrors", [True, False])
def test_a_batch_is_moved_and_mirrored_as_a_whole(mirrors: bool) -> None:
    model, _ = network(channels=3, side=28)
    model._mirrors = mirrors
    x = torch.rand(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    moves = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    plain = {at: x[:, :, 4 + at[0] : 24 + at[0], 4 + at[1] : 24 + at[1]] for at in moves}
    draws = []
    for _ in range(60):
        middle = model._moved(x)[:, :, 4:24, 4:24]
        draws += [(at, False) for at in moves if torch.equal(middle, plain[at])]
        draws += [(at, True) for at in moves if torch.equal(middle.flip(3), plain[at])]
    assert len(draws) == 60
    assert len({at for at, _ in draws}) > 15
    assert (15 < sum(mirrored for _, mirrored in draws) < 45) if mirrors else not any(m for _, m in draws)


def test_which_images_mirror_is_a_matter_of_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror_flags: list[bool] = []

    class Spy(ConvNetwork):
        def __init__(self, *arguments: object, mirrors: bool) -> None:
            mirror_flags.append(mirrors)
            super().__init__(*arguments, mirrors=mirrors)  # type: ignore[arg-type]

    monkeypatch.setattr("sortal.models.cnn.ConvNetwork", Spy)
    family.fit(request(bars(30, 0)), {"epochs": 1, "width": 4})
    family.fit(request(bars(30, 0, channels=3), channels=3), {"epochs": 1, "width": 4})
    assert mirror_flags == [False, True]


def test_with_the_focal_loss_its_probabilities_are_made_honest() -> None:
    train = bars(200, 0)
    fitted = family.fit(request(train), {**SMALL, "focal": 2.0})
    assert [step.op for step in fitted.program().steps] == ["onnx", "linear", "focal"]
    likelihood = fitted.predict_proba(train.X)[np.arange(200), train.y]
    assert -np.log(likelihood).mean() < 0.4


def test_the_rate_rises_stays_and_falls() -> None:
    rates = [trapezium(at, 200) for at in range(200)]
    assert_allclose(rates[:30], np.arange(1, 31) / 30)
    assert set(rates[30:101]) == {1.0}
    assert_allclose(np.diff(rates[100:]), -0.01)
    # Whatever all steps are, the first half is the same: the clock may shorten what follows.
    assert_array_equal(rates[:100], [trapezium(at, 1_000) for at in range(100)])
    assert math.isclose(rates[-1], 0.01)


def test_a_table_without_images_is_not_for_it() -> None:
    assert family.refusal(Size(100, 5, 2, images=0)) == "sees images alone, and the table has none"
    assert family.refusal(Size(100, 5, 2, images=1)) == ""
    rows = Rows(np.zeros((10, 2)), np.arange(10) % 2)
    assert_allclose(family.fit(FitRequest(rows, 2, seed=0), {}).predict_proba(rows.X), 0.5)
