"""A small convolutional network for images (``convolutional.py``), which onnxruntime runs once it is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from sortal.core.arrays import Floats
from sortal.engine import compile as compile_program
from sortal.engine.onnx import network as onnx_network
from sortal.engine.onnx_file import Graph, Node, Spec
from sortal.engine.program import Array, Program
from sortal.models.clock import Clock
from sortal.models.constant import class_shares
from sortal.models.convolutional import EPSILON, ConvLayers, ConvNetwork, ConvShape, unit
from sortal.models.family import Family, FitRequest, Fitted, Matrix, Rows, Settings, Size, Work
from sortal.models.linear import linear_program
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
from sortal.prepare.view import ImageColumns, View

EPOCHS, FEWEST_EPOCHS = 16, 3
"""Passes over the images, where there is time for them, and those below which the network learns too little."""
WIDTH = 32
"""Filters of the first block."""
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 0.05, 0.1, 0.1
LARGEST_BATCH, SMALLEST_BATCH, STEPS = 128, 16, 64
"""Images of a step; fewer where an epoch would else have fewer than so many steps."""
WARM, CLOSING = 30, 0.5
"""Steps until the learning rate is whole, and of all steps, those in which it falls to nothing."""
PATIENCE = 0.5
"""Of the epochs: the last half of them, in which the rate falls, mostly improves on all before."""
PILOT: Settings = {"epochs": 1}
IMPORTANCE_ROWS = 100


def _fit(request: FitRequest, settings: Settings) -> Fitted:
    where = request.image
    if where is None:
        return class_shares(request)
    clock = Clock(request.seconds)
    import_torch(clock)
    shape = ConvShape(where.channels, where.side, request.n_classes, int(settings.get("width", WIDTH)))
    # Of two threads each would wait for the other some thirty times in a step: on a busy machine for most of the time.
    with torch_threads(1):
        device, learning = device_of(request.resources), _learning(len(request.train.y), settings)
        train = _tensors(request.train, where, device)
        stop = None if request.stop is None else _tensors(request.stop, where, device)
        loop = Loop(request, settings, learning, clock, lambda: _network(request, shape, train.x))
        trained = loop.run(train, stop)
        layers = trained.learned.each(lambda tensor: tensor.cpu())
        importance = _importance(layers, where, request.train.X)
    scoring = program(layers, where, request.train.X.shape[1], learning.loss)
    return trained.fitted(
        # Sums of 32 bits differ in the sixth digit from one library to another: what is judged is what ships.
        predict_proba=compile_program(scoring),
        program=lambda: scoring,
        importance=importance,
    )


def _learning(rows: int, settings: Settings) -> Learning:
    return Learning(
        epochs=EPOCHS,
        fewest=FEWEST_EPOCHS,
        batch=max(SMALLEST_BATCH, min(LARGEST_BATCH, rows // STEPS)),
        learning_rate=float(settings.get("learning_rate", LEARNING_RATE)),
        weight_decay=WEIGHT_DECAY,
        schedule=Schedule(trapezium, open=1 - CLOSING),
        patience=PATIENCE,
        loss=Loss(gamma=float(settings.get("focal", 0.0))),
    )


def trapezium(step: int, total: int) -> float:
    """Of the learning rate: up within some steps, then the same, and down to nothing in the last half.

    >>> [round(trapezium(at, 100), 2) for at in (0, 14, 40, 50, 75, 99)]
    [0.03, 0.5, 1.0, 1.0, 0.5, 0.02]
    """
    return min(1.0, (step + 1) / WARM) * min(1.0, (total - step) / (CLOSING * total))


def _tensors(rows: Rows, where: ImageColumns, device: str) -> Tensors:
    """Images as bytes, an eighth of what numbers take."""
    import torch

    return Tensors.of(rows, torch.tensor(np.rint(255 * where.of(rows.X)).astype(np.uint8)), device)


def _network(request: FitRequest, shape: ConvShape, images: Any) -> ConvNetwork:
    """Grey images are not mirrored: figures and letters mean something else then."""
    counts = np.bincount(request.train.y, weights=request.train.weight, minlength=request.n_classes)
    shares = (counts + 1) / (counts.sum() + len(counts))
    return ConvNetwork(shape, images, shares, request.seed, DROPOUT, mirrors=shape.colour)


def _importance(layers: ConvLayers, where: ImageColumns, X: Matrix) -> Floats:
    """(d,) how far the log-probability of the likeliest class moves with each point."""
    importance = np.zeros(X.shape[1])
    images = where.of(X[:IMPORTANCE_ROWS])

    def scores(flat: Any) -> Any:
        return layers.scores(unit(flat.reshape(images.shape), layers.bias.dtype))

    importance[where.columns] = steepness(scores, images.reshape(len(images), -1))
    return importance


def program(layers: ConvLayers, where: ImageColumns, columns: int, loss: Loss) -> Program:
    """The points of the images, the network up to its features, and its last layer as a linear model."""
    index = np.arange(columns)[where.columns]
    pick = (Program("pick", arrays={"index": index}),) if len(index) < columns else ()
    graph = onnx_network(_graph(layers.each(lambda tensor: tensor.contiguous()), where), len(index))
    weight, bias = (tensor.double().numpy() for tensor in (layers.weight, layers.bias))
    steps = (*pick, graph, _softmax(weight, bias), *loss.program(len(bias)))
    return Program("chain", steps=steps)


def _softmax(weight: Floats, bias: Floats) -> Program:
    if len(bias) == 2:
        return linear_program(weight[1:] - weight[:1], bias[1:] - bias[:1])
    return linear_program(weight, bias)


def _graph(layers: ConvLayers, where: ImageColumns) -> Graph:
    """(1, channels, side, side) to (1, features)."""
    constants: dict[str, Array] = {"white": layers.white.numpy(), "offset": layers.offset.numpy()}
    strides = (layers.stride, layers.stride)
    nodes = [Node("Conv", ("x", "white", "offset"), "patches", {"strides": strides}), Node("Relu", ("patches",), "h0")]
    for at, block in enumerate(layers.blocks):
        norm = block.norm
        constants |= {
            f"kernel{at}": block.kernel.numpy(),
            f"weight{at}": norm.weight.numpy(),
            f"bias{at}": norm.bias.numpy(),
            f"mean{at}": norm.mean.numpy(),
            f"variance{at}": norm.variance.numpy(),
        }
        names = (f"pooled{at}", f"weight{at}", f"bias{at}", f"mean{at}", f"variance{at}")
        nodes += [
            Node("Conv", (f"h{at}", f"kernel{at}"), f"filtered{at}", {"pads": (1, 1, 1, 1)}),
            Node("MaxPool", (f"filtered{at}",), f"pooled{at}", {"kernel_shape": (2, 2), "strides": (2, 2)}),
            Node("BatchNormalization", names, f"normed{at}", {"epsilon": EPSILON}),
            Node("Relu", (f"normed{at}",), f"h{at + 1}"),
        ]
    last = f"h{len(layers.blocks)}"
    nodes += [Node("GlobalAveragePool", (last,), "average"), Node("Flatten", ("average",), "features")]
    return Graph(tuple(nodes), constants, {"x": Spec("float32", (1, *where.shape))}, "features")


family = Family(
    "cnn",
    View("imputed", "onehot", images="raster"),
    complexity=7,
    fit=_fit,
    early_stopping=True,
    interruptible=True,
    precision="float32",
    largest=Size(classes=1_000),
    sees="image",
    library="torch",
    weights="onnxruntime",
    extra="neural",
    import_seconds=IMPORTING,
    pilot=PILOT,
    pilot_share=1 / EPOCHS,
    least_share=FEWEST_EPOCHS / EPOCHS,
    work=Work(fixed=1.0, row=0.025),
)
