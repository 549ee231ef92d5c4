"""The one loop in which networks learn, whatever they see: rows in batches, a schedule of the learning rate, early
stopping on rows that are no evidence, and the seconds of a fit."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from sortal.core.arrays import Floats
from sortal.core.errors import OptionError
from sortal.engine.focal import focal
from sortal.engine.program import Program
from sortal.models.boosting import Stopper, typical
from sortal.models.clock import Clock
from sortal.models.family import FitRequest, Fitted, Matrix, OutOfTime, Resources, Rows, Settings

PILOT_STEPS = 4
MARGIN = 0.9
"""Of the seconds, those that the epochs are planned to take."""
IMPORTING = 4.0
"""Seconds within which PyTorch is imported, on the machine of docs/benchmarks.md: two, or three from a cold disk."""
SMALLEST = 1e-15
"""Probabilities below this are read as this in a log-loss."""
SCORED = 4096
"""Rows that are scored at once."""
SCORING = 1 / 3
"""Of the time that a row takes to be learned from, what it takes to be scored."""


class Learns(Protocol):
    """A tensor that learns (``optimisers.py``)."""

    value: Any

    def step(self, gradient: Any, learning_rate: float, weight_decay: float, weight: float = 1.0) -> None: ...


class Learned(Protocol):
    """A network as it is used: its probabilities (n, K) of rows, as tensors."""

    def probability(self, x: Any) -> Any: ...


L_co = TypeVar("L_co", bound=Learned, covariant=True)


class Network(Protocol[L_co]):
    """What is trained. ``members``: networks side by side, each of which sees the rows in its own order; ``random``:
    the generator of all that is random in training.
    """

    members: int
    random: Any

    @property
    def parameters(self) -> Sequence[Learns]: ...

    def scores(self, x: Any, late: float) -> Any:
        """(members, b, K) of the batch (members, b, ...) in training. ``late``: 1, and less and less to the end."""
        ...

    def learned(self) -> L_co:
        """A copy of what it has learned so far."""
        ...


@dataclass(frozen=True)
class Tensors:
    """Rows to learn from: ``x`` (n, ...), ``y`` (n,) and ``weight`` (n,), 1 in the mean."""

    x: Any
    y: Any
    weight: Any

    @property
    def n(self) -> int:
        return len(self.y)

    @staticmethod
    def of(rows: Rows, x: Any, device: str) -> Tensors:
        """``x``: what the networks see of the rows, as a tensor."""
        import torch

        weight = np.ones(len(rows.y)) if rows.weight is None else rows.weight / rows.weight.mean()
        return Tensors(
            x.to(device),
            torch.tensor(rows.y, device=device),
            torch.tensor(weight, dtype=torch.float32, device=device),
        )


@dataclass(frozen=True)
class Loss:
    """Cross-entropy of the scores. ``gamma`` of the focal loss (Lin et al. 2017), under which rows that are easily told
    weigh less.
    """

    gamma: float = 0.0

    def __call__(self, scores: Any, y: Any) -> Any:
        """(n,) of (n, K) and (n,)."""
        from torch.nn.functional import cross_entropy

        losses = cross_entropy(scores, y, reduction="none")
        if not self.gamma:
            return losses
        of_truth = scores.softmax(1).gather(1, y[:, None])[:, 0]
        return losses * (1 - of_truth) ** self.gamma

    def honest(self, probability: Matrix) -> Matrix:
        """The probabilities of which the network's are those with the least loss."""
        return focal(probability, self.gamma) if self.gamma else probability

    def program(self, classes: int) -> tuple[Program, ...]:
        """The same as what follows the network's own program."""
        return (Program("focal", {"gamma": self.gamma, "classes": classes}),) if self.gamma else ()


@dataclass(frozen=True)
class Schedule:
    """Of the learning rate: its factor after so many steps of so many. ``open``: the share of the steps in which that
    is the same whatever the number of all steps, so that the clock may still say it.
    """

    factor: Callable[[int, int], float]
    open: float = 0.0


@dataclass(frozen=True)
class Learning:
    """How networks learn. ``epochs``: passes over the rows after which the learning rate has run its course;
    ``fewest``: below those they learn too little. ``batch``: rows of a step. ``patience``: of the epochs, those without
    improvement after which there are no more. ``averaged``: of all steps, those over which weights are averaged, 0 for
    none.
    """

    epochs: int
    fewest: int
    batch: int
    learning_rate: float
    weight_decay: float
    schedule: Schedule
    patience: float
    loss: Loss = Loss()
    averaged: float = 0.0


@dataclass(frozen=True)
class Trained(Generic[L_co]):
    """What was learned, the effort after which that was so, and how many epochs it took to see it."""

    learned: L_co
    effort: dict[str, float]
    epochs: float

    def fitted(
        self, predict_proba: Callable[[Matrix], Matrix], program: Callable[[], Program], importance: Floats
    ) -> Fitted:
        """The model that was made of what was learned, with what repeats the fit and what it took."""
        return Fitted(
            predict_proba=predict_proba,
            program=program,
            importance=importance,
            effort=self.effort,
            pace={"epochs": self.effort["epochs"]},
            useful_share=self.effort["best_epoch"] / self.epochs,
        )


class Steps:
    """Trains a network a step at a time; ``total`` is how many there are to be."""

    def __init__(self, network: Network[Any], learning: Learning, rows: Tensors, epochs: float) -> None:
        self._network, self._learning, self._rows = network, learning, rows
        self._batch = min(learning.batch, rows.n)
        self.an_epoch = rows.n // self._batch
        """Steps of it; the rows that are left over are others each time."""
        self.n_steps, self.total = 0, self.of(epochs)
        self._order: Any = None

    def of(self, epochs: float) -> int:
        """How many steps so many epochs are."""
        return max(1, round(epochs * self.an_epoch))

    @property
    def epochs(self) -> float:
        """So many are done."""
        return self.n_steps / self.an_epoch

    def step(self) -> None:
        """Learn from the next batch; each member meets the rows in an order of its own."""
        import torch

        at = self.n_steps % self.an_epoch
        if at == 0:
            size = self._network.members, self._rows.n
            self._order = torch.rand(*size, generator=self._network.random, device=self._rows.x.device).argsort(dim=1)
        self._learn(self._order[:, at * self._batch : (at + 1) * self._batch])

    def _learn(self, batch: Any) -> None:
        import torch

        network, learning = self._network, self._learning
        late = flat_cosine(self.n_steps / self.total)
        rate = learning.learning_rate * learning.schedule.factor(self.n_steps, self.total)
        self.n_steps += 1
        y, weight = self._rows.y[batch].flatten(), self._rows.weight[batch].flatten()
        with mixed_precision(self._rows.x.device.type):
            losses = learning.loss(network.scores(self._rows.x[batch], late).flatten(0, 1), y)
        # The sum of the members' mean losses, so that each learns as it would alone.
        loss = (losses * weight).sum() / batch.shape[1]
        gradients = torch.autograd.grad(loss, [parameter.value for parameter in network.parameters])
        share = min(1.0, 1 / (learning.averaged * self.total)) if learning.averaged else 1.0
        for parameter, gradient in zip(network.parameters, gradients, strict=True):
            parameter.step(gradient, rate, learning.weight_decay * late, share)

    def shorten(self, clock: Clock, started: float) -> None:
        """Let the learning rate run out now where it would not within the seconds that are left."""
        share = self._learning.schedule.open
        if not share or math.isinf(clock.seconds_left) or self.n_steps >= share * self.total:
            return
        soonest = math.ceil(self.n_steps / share)
        if (soonest - self.n_steps) * (time.monotonic() - started) / self.n_steps >= MARGIN * clock.seconds_left:
            self.total = max(soonest, self.n_steps + 1)


@dataclass(frozen=True)
class Loop(Generic[L_co]):
    """The training of a network. ``begin`` makes a new one. ``settings``: a fit that was told ``epochs`` makes so many,
    and one that was told ``best_epoch`` ends with it.
    """

    request: FitRequest
    settings: Settings
    learning: Learning
    clock: Clock
    begin: Callable[[], Network[L_co]]

    def run(self, rows: Tensors, stop: Tensors | None) -> Trained[L_co]:
        """Train until the epochs are done or the time is over, and take what is best on the rows to stop by.

        An epoch is made in any case, or of an open schedule a step. Raises OutOfTime where there is no time for the
        fewest epochs.
        """
        epochs = self._epochs(rows, stop)
        network = self.begin()
        steps = Steps(network, self.learning, rows, epochs)
        best_epoch = self.settings.get("best_epoch")
        last = None if best_epoch is None else steps.of(float(best_epoch))
        stopper = Stopper(math.ceil(self.learning.patience * epochs))
        best: L_co | None = None
        started = time.monotonic()
        over = False
        while not over:
            steps.step()
            if "epochs" not in self.settings:
                steps.shorten(self.clock, started)
            over = self._over(steps, last, started)
            if stop is not None and (over or steps.n_steps % steps.an_epoch == 0):
                learned, at = network.learned(), math.ceil(steps.epochs)
                stopper.see(at, log_loss(learned, stop, self.learning.loss))
                over = over or stopper.waited(at)
                if stopper.best_round == at:
                    best, best_epochs = learned, steps.epochs
        if best is None:
            best, best_epochs = network.learned(), steps.epochs
        effort = {"epochs": steps.total / steps.an_epoch, "best_epoch": best_epochs}
        return Trained(best, effort, steps.epochs)

    def _over(self, steps: Steps, last: int | None, started: float) -> bool:
        """Whether all steps are done, or there is no time for more: of an open schedule for a step, which is long then,
        else for a whole epoch.
        """
        if steps.n_steps >= (steps.total if last is None else last):
            return True
        turn = 1 if self.learning.schedule.open else steps.an_epoch
        if steps.n_steps % turn:
            return False
        return self.clock.seconds_left <= (time.monotonic() - started) * turn / steps.n_steps

    def _epochs(self, rows: Tensors, stop: Tensors | None) -> float:
        """As many as are set; else as many as there is time or work for, at most those of the learning."""
        most, fewest = self.learning.epochs, self.learning.fewest
        if "epochs" in self.settings:
            return float(self.settings["epochs"])
        if math.isinf(self.clock.seconds_left):
            return max(1, round(most * self.request.share))
        steps = Steps(self.begin(), self.learning, rows, most)
        scored = 0 if stop is None else SCORING * stop.n / rows.n
        an_epoch = typical(steps.step, PILOT_STEPS) * steps.an_epoch * (1 + scored)
        affordable = MARGIN * self.clock.seconds_left / an_epoch
        if affordable < fewest:
            raise OutOfTime(self.clock.spent + fewest * an_epoch / MARGIN)
        return most if self.learning.schedule.open else min(most, int(affordable))


def log_loss(learned: Learned, rows: Tensors, loss: Loss = Loss()) -> float:
    """The mean log-loss by weight, of honest probabilities."""
    import torch

    p = learned.probability(rows.x)
    if loss.gamma:
        p = torch.tensor(loss.honest(p.double().cpu().numpy()), device=rows.weight.device)
    of_truth = p.gather(1, rows.y[:, None])[:, 0]
    return float(-(rows.weight * of_truth.clamp_min(SMALLEST).log()).mean())


def steepness(scores: Callable[[Any], Any], x: Matrix) -> Floats:
    """(d,) how far the log-probability of a row's most probable class moves with each column, in the mean."""
    import torch

    rows = torch.tensor(x, requires_grad=True)
    torch.log_softmax(scores(rows), -1).amax(1).sum().backward()
    slopes: Floats = rows.grad.abs().mean(0).double().cpu().numpy() * x.std(axis=0)
    return slopes


def flat_cosine(progress: float) -> float:
    """1 up to the half, and down to 0 from there.

    >>> [round(flat_cosine(at), 3) for at in (0, 0.5, 0.75, 1)]
    [1, 1.0, 0.5, 0.0]
    """
    return 1 if progress < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * progress - 1)))


def import_torch(clock: Clock) -> None:
    """In a thread of its own, where no signal reaches it: what is half imported cannot be imported again.

    Raises OutOfTime where there may be no time for it.
    """
    if "torch" in sys.modules:
        return
    if clock.seconds_left < IMPORTING:
        raise OutOfTime(IMPORTING)
    executor = ThreadPoolExecutor(1)
    try:
        executor.submit(import_module, "torch").result()
    finally:
        executor.shutdown(wait=False)


def device_of(resources: Resources) -> str:
    """Where networks are trained."""
    import torch

    if resources.device != "auto":
        return resources.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def require_graphics_processor() -> None:
    """Raises OptionError where PyTorch finds none."""
    if find_spec("torch") is None:
        raise OptionError("device cuda needs PyTorch, which is not installed: pip install 'sortal[neural]'")
    if not import_module("torch").cuda.is_available():
        raise OptionError("device cuda was asked for, and PyTorch finds no graphics processor; give auto or cpu")


def mixed_precision(device: str) -> AbstractContextManager[Any]:
    """Products of 16 bits on a graphics processor; on other processors they take longer than those of 32."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16) if device == "cuda" else nullcontext()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads of PyTorch in the block, and then as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
