"""A neural network for tables: the mean of some multilayer perceptrons (``network.py``), in numpy once it is fitted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sortal.core.quantiles import quantiles
from sortal.engine import compile as compile_program
from sortal.engine.program import Program
from sortal.models.clock import Clock
from sortal.models.family import Family, FitRequest, Fitted, Matrix, Rows, Settings, Size, Work
from sortal.models.network import Layers, Network, Shape, waves
from sortal.models.training_loop import (
    IMPORTING,
    Learning,
    Loop,
    Loss,
    Schedule,
    Tensors,
    device_of,
    import_torch,
    steepness,
    torch_threads,
)
from sortal.prepare.view import View

EPOCHS, FEWEST_EPOCHS = 64, 16
"""Passes over the rows, where there is time for them, and those below which networks learn too little."""
MEMBERS, WIDTH, HIDDEN = 2, 128, 3
DROPOUT = 0.15
LEARNING = {"batch": 256, "learning_rate": 0.04, "weight_decay": 0.1}
"""What RealMLP-TD has, but for the width (256, of one network) and the weight decay (.02): docs/portfolio.md."""
AVERAGED = 1 / 32
"""Of all steps, those over which the weights are averaged."""
PATIENCE = 0.5
"""Of the epochs, those without improvement after which there are no more. The last wave of the learning rate is about
as long, and only its end improves on that of the one before."""
PILOT: Settings = {"epochs": 2}
MOST_ROWS, MOST_COLUMNS, MOST_CLASSES = 20_000, 500, 100
CUT = 3.0
"""Of scaled numbers, beyond which none goes."""
NEIGHBOURS = 5
"""Rows whose mean is a quantile: no number of the model is the value of a row."""
IMPORTANCE_ROWS = 500


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    clock, rows = Clock(request.seconds), request.train
    import_torch(clock)
    before = scaling(rows.X)
    scaled = compile_program(before)
    # Threads meet some fifty times in a step of some milliseconds, and spin while they wait (see ``boosting.threads``):
    # on a busy machine a step of two threads took up to forty times that of one.
    with torch_threads(1):
        device, learning = device_of(request.resources), _learning(settings)

        def tensors(batch: Rows) -> Tensors:
            import torch

            return Tensors.of(batch, torch.tensor(scaled(batch.X), dtype=torch.float32), device)

        loop = Loop(request, settings, learning, clock, lambda: _network(request, settings, device))
        trained = loop.run(tensors(rows), None if request.stop is None else tensors(request.stop))
        layers = trained.learned.arrays()
        importance = steepness(layers.tensors().mean_scores, scaled(rows.X[:IMPORTANCE_ROWS]))

    def predict_proba(X: Matrix) -> Matrix:
        with torch_threads(1):
            return learning.loss.honest(layers.tensors().predict_proba(scaled(X)))

    return trained.fitted(
        predict_proba=predict_proba,
        program=lambda: before.then(program(layers), *learning.loss.program(request.n_classes)),
        importance=importance,
    )


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


def _learning(settings: Settings) -> Learning:
    values = {name: float(settings.get(name, value)) for name, value in LEARNING.items()}
    return Learning(
        epochs=EPOCHS,
        fewest=FEWEST_EPOCHS,
        batch=int(values.pop("batch")),
        **values,
        schedule=Schedule(waves),
        patience=PATIENCE,
        loss=Loss(gamma=float(settings.get("focal", 0.0))),
        averaged=AVERAGED,
    )


def _network(request: FitRequest, settings: Settings, device: str) -> Network:
    shape = Shape(
        columns=request.train.X.shape[1],
        classes=request.n_classes,
        index=_quantities(request.train.X),
        members=int(settings.get("members", MEMBERS)),
        width=int(settings.get("width", WIDTH)),
        hidden=int(settings.get("hidden", HIDDEN)),
    )
    counts = np.bincount(request.train.y, weights=request.train.weight, minlength=request.n_classes)
    shares = (counts + 1) / (counts.sum() + len(counts))
    return Network(shape, shares, request.seed, device, float(settings.get("dropout", DROPOUT)))


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
