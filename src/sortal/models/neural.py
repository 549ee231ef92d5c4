"""A neural network for tables: the mean of some multilayer perceptrons (``network.py``), in numpy once it is fitted."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from sortal.core.quantiles import quantiles
from sortal.engine import compile as compile_program
from sortal.engine.program import Program
from sortal.models.boosting import Stopper, typical
from sortal.models.clock import Clock
from sortal.models.family import Family, FitRequest, Fitted, Matrix, OutOfTime, Resources, Settings, Size, Work
from sortal.models.network import Layers, Learning, Network, Shape, Tensors, Trainer, one_thread
from sortal.prepare.view import View

EPOCHS, FEWEST_EPOCHS = 64, 16
"""Passes over the rows, where there is time for them, and those below which networks learn too little."""
MEMBERS, WIDTH, HIDDEN = 2, 128, 3
LEARNING = {"batch": 256, "learning_rate": 0.04, "weight_decay": 0.1, "dropout": 0.15}
"""What RealMLP-TD has, but for the width (256, of one network) and the weight decay (.02): docs/portfolio.md."""
PATIENCE = 0.5
"""Of the epochs, those without improvement after which there are no more. The last wave of the learning rate is about
as long, and only its end improves on that of the one before."""
PILOT: Settings = {"epochs": 2}
PILOT_STEPS = 4
MARGIN = 0.9
"""Of the seconds, those that the epochs are planned to take."""
IMPORTING = 4.0
"""Seconds within which PyTorch is imported, on the machine of docs/benchmarks.md: two, or three from a cold disk."""
MOST_ROWS, MOST_COLUMNS, MOST_CLASSES = 20_000, 500, 100
CUT = 3.0
"""Of scaled numbers, beyond which none goes."""
NEIGHBOURS = 5
"""Rows whose mean is a quantile: no number of the model is the value of a row."""
IMPORTANCE_ROWS = 500


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    clock, rows = Clock(request.seconds), request.train
    _import_torch(clock)
    before = scaling(rows.X)
    scaled = compile_program(before)
    with one_thread():
        layers, effort, done = _Fit(request, settings, scaled, clock).train()
        importance = layers.tensors().steepness(scaled(rows.X[:IMPORTANCE_ROWS]))

    def predict_proba(X: Matrix) -> Matrix:
        with one_thread():
            return layers.tensors().predict_proba(scaled(X))

    return Fitted(
        predict_proba=predict_proba,
        program=lambda: before.then(program(layers)),
        importance=importance,
        effort=effort,
        pace={"epochs": effort["epochs"]},
        useful_share=effort["best_epoch"] / done,
    )


def _import_torch(clock: Clock) -> None:
    """In a thread of its own, where no signal reaches it: what is half imported cannot be imported again.

    Raises OutOfTime where there may be no time for it.
    """
    if "torch" in sys.modules:
        return
    if clock.left < IMPORTING:
        raise OutOfTime(IMPORTING)
    executor = ThreadPoolExecutor(1)
    try:
        executor.submit(import_module, "torch").result()
    finally:
        executor.shutdown(wait=False)


def scaling(X: Matrix) -> Program:
    """What the networks see of each column: its distance from the median in interquartile ranges, and never more than
    ``CUT``. The standard deviation takes the place of a range that is 0.
    """
    n, d = X.shape
    center, spread = np.empty(d), np.empty(d)
    for at in range(d):
        column = X[:, at]
        low, center[at], high = quantiles(np.sort(column), (0.25, 0.5, 0.75), min(NEIGHBOURS, (n + 2) // 3))
        spread[at] = high - low or column.std() or 1.0
    scale = Program("scale", arrays={"mean": center, "scale": spread})
    return scale.then(Program("squash", arrays={"cut": np.full(d, CUT)}))


@dataclass(frozen=True)
class _Fit:
    """One fit of the networks. ``scaled``: what they see of a matrix."""

    request: FitRequest
    settings: Settings
    scaled: Callable[[Matrix], Matrix]
    clock: Clock

    def train(self) -> tuple[Layers, dict[str, int], int]:
        """Epochs until they are done or the time is over, up to the one that is best on the stopping rows; that effort;
        and how many epochs it took.

        One is made in any case.
        """
        rows, device = self.request.train, _device(self.request.resources)
        tensors = Tensors.of(rows, self.scaled(rows.X), device)
        epochs = self._epochs(tensors, device)
        last = int(self.settings.get("best_epoch", epochs))
        network = self._network(tensors, device)
        trainer = Trainer(network, self._learning(epochs), tensors)
        stop_loss = self._stop_loss()
        stopper, best, done, usual = Stopper(math.ceil(PATIENCE * epochs)), None, 0, 0.0
        while done < last and not stopper.waited(done) and (done == 0 or self.clock.left > usual):
            start = time.monotonic()
            trainer.epoch()
            done += 1
            if stop_loss is not None:
                stopper.see(done, stop_loss(network.layers()))
                if stopper.best_round == done:
                    best = network.layers().arrays()
            usual = time.monotonic() - start
        effort = {"epochs": epochs, "best_epoch": stopper.best_round or done}
        return network.layers().arrays() if best is None else best, effort, done

    def _epochs(self, tensors: Tensors, device: str) -> int:
        """As many as are set; else as many as there is time or work for, at most ``EPOCHS``.

        Raises OutOfTime where that is fewer than ``FEWEST_EPOCHS``.
        """
        if "epochs" in self.settings:
            return int(self.settings["epochs"])
        if math.isinf(self.clock.left):
            return round(EPOCHS * self.request.share)
        trainer = Trainer(self._network(tensors, device), self._learning(EPOCHS), tensors)
        stop = 0 if self.request.stop is None else len(self.request.stop.y)
        # What is only scored takes a third of what is learned from.
        an_epoch = typical(trainer.pilot, PILOT_STEPS) * trainer.steps * (1 + stop / (3 * tensors.n))
        affordable = MARGIN * self.clock.left / an_epoch
        if affordable < FEWEST_EPOCHS:
            raise OutOfTime(self.clock.spent + FEWEST_EPOCHS * an_epoch / MARGIN)
        return min(EPOCHS, int(affordable))

    def _network(self, tensors: Tensors, device: str) -> Network:
        request, told = self.request, self.settings
        shape = Shape(
            columns=request.train.X.shape[1],
            classes=request.n_classes,
            index=_quantities(request.train.X),
            members=int(told.get("members", MEMBERS)),
            width=int(told.get("width", WIDTH)),
            hidden=int(told.get("hidden", HIDDEN)),
        )
        counts = np.bincount(request.train.y, weights=request.train.weight, minlength=request.n_classes)
        return Network(shape, (counts + 1) / (counts.sum() + len(counts)), request.seed, device)

    def _learning(self, epochs: int) -> Learning:
        told = {name: float(self.settings.get(name, value)) for name, value in LEARNING.items()}
        return Learning(epochs, int(told.pop("batch")), **told)

    def _stop_loss(self) -> Callable[[Layers], float] | None:
        """The log-loss on the stopping rows, where there are any."""
        stop = self.request.stop
        if stop is None:
            return None
        tensors = Tensors.of(stop, self.scaled(stop.X), _device(self.request.resources))
        return lambda layers: layers.log_loss(tensors)


def _device(resources: Resources) -> str:
    import torch

    if resources.device != "auto":
        return resources.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _quantities(X: Matrix) -> NDArray[np.int64]:
    """Columns of more than two values."""
    first, last = X.min(axis=0), X.max(axis=0)
    return np.flatnonzero(((first != X) & (last != X)).any(axis=0))


def program(layers: Layers) -> Program:
    """The mean of the members; each embeds, goes through its hidden layers, and ends in a softmax."""
    members = [_member(layers, at) for at in range(len(layers.frequency))]
    if len(members) == 1:
        return members[0]
    return Program("average", arrays={"weight": np.full(len(members), 1 / len(members))}, steps=tuple(members))


def _member(layers: Layers, at: int) -> Program:
    columns = layers.weights[0].shape[1] - layers.shift[0].size
    arrays = {
        "index": layers.index,
        "frequency": layers.frequency[at],
        "phase": layers.phase[at],
        "weight": layers.mix[at],
        "bias": layers.shift[at],
    }
    embedding = (Program("periodic", {"columns": columns}, arrays),) if len(layers.index) else ()
    *hidden, (weight, bias) = [(w[at], b[at, 0]) for w, b in zip(layers.weights, layers.biases, strict=True)]
    steps = [Program("dense", arrays={"weight": w, "bias": b}) for w, b in hidden]
    last = Program("linear", {"link": "softmax"}, {"coef": np.ascontiguousarray(weight.T), "intercept": bias})
    return Program("chain", steps=(*embedding, *steps, last))


family = Family(
    "mlp",
    View("imputed", "onehot"),
    complexity=6,
    fit=_fit,
    early_stopping=True,
    interruptible=True,
    largest=Size(MOST_ROWS, MOST_COLUMNS, MOST_CLASSES),
    library="torch",
    extra="neural",
    import_seconds=IMPORTING,
    pilot=PILOT,
    pilot_share=2 / EPOCHS,
    least_share=FEWEST_EPOCHS / EPOCHS,
    work=Work(fixed=0.1, row=1.8e-3, cell=3e-5),
)
