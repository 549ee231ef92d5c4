"""The loop in which networks learn, with a network of one matrix: what it minimises, when it ends, and what it keeps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sortal.core.errors import OptionError
from sortal.engine import compile
from sortal.models import training_loop
from sortal.models.clock import Clock
from sortal.models.family import FitRequest, OutOfTime, Resources, Rows
from sortal.models.optimisers import Parameter
from sortal.models.training_loop import (
    Learning,
    Loop,
    Loss,
    Schedule,
    Steps,
    Tensors,
    Trained,
    device_of,
    log_loss,
    require_graphics_processor,
)

FLAT = Schedule(lambda step, total: 1.0)
CLOSING = Schedule(lambda step, total: min(1.0, (total - step) / (0.5 * total)), open=0.5)
LEARNING = Learning(epochs=20, fewest=2, batch=10, learning_rate=0.05, weight_decay=0.0, schedule=FLAT, patience=1.0)


@dataclass(frozen=True)
class Weights:
    weight: Any

    def probability(self, x: Any) -> Any:
        return torch.softmax(x @ self.weight, -1)


class Linear:
    """Scores x @ weight; ``rates`` are the learning rates of its steps."""

    members = 1

    def __init__(self) -> None:
        self.random = torch.Generator().manual_seed(0)
        self.weight = Parameter(torch.zeros(2, 2))
        self.late: list[float] = []

    @property
    def parameters(self) -> Sequence[Parameter]:
        return [self.weight]

    def scores(self, x: Any, late: float) -> Any:
        self.late.append(late)
        return x @ self.weight.value

    def learned(self) -> Weights:
        return Weights(self.weight.average.clone())


def rows(n: int, seed: int = 0, noise: bool = False) -> Rows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    y = (X[:, 0] > 0).astype(np.int64)
    return Rows(X, rng.permutation(y) if noise else y)


def tensors(data: Rows) -> Tensors:
    return Tensors.of(data, torch.tensor(data.X, dtype=torch.float32), "cpu")


def run(
    train: Rows, stop: Rows | None = None, seconds: float = math.inf, learning: Learning = LEARNING, **settings: float
) -> Trained[Weights]:
    request = FitRequest(train, 2, seed=0, stop=stop, seconds=seconds)
    loop = Loop(request, settings, learning, Clock(seconds), Linear)
    return loop.run(tensors(train), None if stop is None else tensors(stop))


def test_the_loss_is_cross_entropy_and_the_focal_one_by_its_formula() -> None:
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    likelihood = torch.softmax(scores, 1).gather(1, y[:, None])[:, 0]
    assert_allclose(Loss()(scores, y).numpy(), -likelihood.log().numpy(), rtol=1e-5)
    assert_allclose(
        Loss(gamma=2.0)(scores, y).numpy(), (-((1 - likelihood) ** 2) * likelihood.log()).numpy(), rtol=1e-5
    )


def test_probabilities_of_a_focal_loss_are_made_honest_in_the_program_as_in_the_model() -> None:
    shares, gamma = np.array([0.7, 0.2, 0.1]), 2.0
    # A network without inputs that has learned the focal loss of these shares.
    scores = torch.zeros(3, requires_grad=True)
    search = torch.optim.LBFGS([scores], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        risk = (torch.tensor(shares) * Loss(gamma=gamma)(scores.expand(3, 3), torch.arange(3))).sum()
        risk.backward()
        return risk

    search.step(loss)
    learned = torch.softmax(scores, 0).detach().double().numpy()[None]
    assert np.abs(learned - shares).max() > 0.1
    assert_allclose(Loss(gamma=gamma).honest(learned)[0], shares, atol=1e-5)
    (step,) = Loss(gamma=gamma).program(3)
    assert_allclose(compile(step)(learned), Loss(gamma=gamma).honest(learned))
    assert Loss().program(3) == ()
    assert_allclose(Loss().honest(learned), learned)


def test_every_row_is_seen_once_an_epoch_but_for_those_that_fill_no_batch() -> None:
    network, train = Linear(), rows(33)
    batches: list[Any] = []
    network.scores = lambda x, late: (batches.append(x[0]), x @ network.weight.value)[1]  # type: ignore[method-assign]
    steps = Steps(network, LEARNING, tensors(train), epochs=2)
    assert (steps.an_epoch, steps.total) == (3, 6)
    for _ in range(3):
        steps.step()
    batch_rows = {tuple(row) for batch in batches for row in batch.tolist()}
    assert len(batch_rows) == 30
    assert batch_rows < {tuple(row) for row in train.X.astype(np.float32).tolist()}


def test_weights_of_rows_are_weights_of_their_losses() -> None:
    """Rows of weight 0 are as rows that are not there."""
    train, junk = rows(20), rows(20, 1, noise=True)
    both = Rows(np.vstack([train.X, junk.X]), np.append(train.y, junk.y), np.repeat([1.0, 0.0], 20))
    whole = replace(LEARNING, batch=40, averaged=0.0)
    one, two = run(train, learning=whole, epochs=15), run(both, learning=whole, epochs=15)
    # Adam does not mind the factor that weights of one in the mean have.
    assert_allclose(one.learned.weight.numpy(), two.learned.weight.numpy(), atol=1e-4)


def test_early_stopping_keeps_the_best_epoch_and_its_effort_repeats_it() -> None:
    train, stop = rows(30, noise=True), rows(30, 1)
    learning = replace(LEARNING, patience=0.2, learning_rate=0.3)
    first = run(train, stop, learning=learning)
    best = first.effort["best_epoch"]
    assert first.effort["epochs"] == 20
    assert best < first.epochs <= best + 4
    again = run(train, learning=learning, **first.effort)
    assert torch.equal(again.learned.weight, first.learned.weight)
    others = [run(train, learning=learning, epochs=20, best_epoch=at) for at in range(1, round(first.epochs) + 1)]
    losses = [log_loss(fit.learned, tensors(stop)) for fit in others]
    assert int(np.argmin(losses)) + 1 == best


def test_without_a_clock_a_share_of_the_work_is_a_share_of_the_epochs() -> None:
    train = rows(30)
    request = FitRequest(train, 2, seed=0, share=0.25)
    assert Loop(request, {}, LEARNING, Clock(math.inf), Linear).run(tensors(train), None).epochs == 5


@pytest.mark.parametrize("schedule", [FLAT, CLOSING])
def test_the_clock_says_how_many_epochs_there_are(schedule: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_loop, "typical", lambda step, times: 1.0)
    learning = replace(LEARNING, schedule=schedule)
    with pytest.raises(OutOfTime) as short:
        run(rows(30), seconds=5.0, learning=learning)
    # Two epochs of three steps, of a second each.
    assert short.value.needed == pytest.approx(2 * 3 / training_loop.MARGIN, abs=0.1)
    epochs = run(rows(30), seconds=10.5, learning=learning).effort["epochs"]
    # An open schedule begins with all epochs, as only the steps themselves tell how long they take.
    assert epochs == (3 if schedule is FLAT else 20)


def test_an_open_schedule_runs_out_within_the_seconds_and_its_effort_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that only steps move, by a hundredth of a second."""
    train, stop = rows(100), rows(30, 1)
    learning = replace(LEARNING, schedule=CLOSING, epochs=1_000)
    now, a_step = [0.0], Steps.step

    def slow(self: Steps) -> None:
        now[0] += 0.01
        a_step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "step", slow)
        patch.setattr(training_loop, "typical", lambda step, times: 0.01)
        patch.setattr(time, "monotonic", lambda: now[0])
        first = run(train, stop, seconds=1.0, learning=learning)
    # After 48 of 100 steps that there is time for, another 48 take nine tenths of what is left.
    assert first.effort["epochs"] == first.epochs == 9.6
    again = run(train, learning=learning, **first.effort)
    assert torch.equal(again.learned.weight, first.learned.weight)


def test_a_fit_without_any_time_has_made_an_epoch_or_of_an_open_schedule_a_step() -> None:
    assert run(rows(30), seconds=1e-6, epochs=20).epochs == 1
    assert run(rows(30), seconds=1e-6, learning=replace(LEARNING, schedule=CLOSING), epochs=20).epochs == 1 / 3


def test_what_is_kept_is_the_average_of_the_last_steps_where_that_is_asked_for() -> None:
    averaged = replace(LEARNING, averaged=0.5)
    # Of ten steps, each value counts a fifth in the average.
    network = Linear()
    steps, mean = Steps(network, averaged, tensors(rows(10)), epochs=10), torch.zeros(2, 2)
    for _ in range(10):
        steps.step()
        mean = mean + (network.weight.value.detach() - mean) / 5
    assert_allclose(network.learned().weight.numpy(), mean.numpy(), atol=1e-6)
    assert network.late[:5] == [1] * 5
    assert network.late[-1] < 0.2


def test_a_graphics_processor_that_was_asked_for_and_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(Resources(device="auto")) == "cpu"
    with pytest.raises(OptionError, match="finds no graphics processor; give auto or cpu"):
        require_graphics_processor()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    require_graphics_processor()
    assert [device_of(Resources(device=name)) for name in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]
    monkeypatch.setattr(training_loop, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"pip install 'sortal\[neural\]'"):
        require_graphics_processor()
