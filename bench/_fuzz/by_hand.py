"""Models of ops that no trained seed has, written as the families and the encodings write them, with random numbers:
a small network of columns, their products and ratios; and what a network says of texts.
"""

from __future__ import annotations

import numpy as np

from sortal.artifact.model import Model
from sortal.core.schema import Column, Schema
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program
from sortal.engine.onnx import network
from sortal.engine.onnx_file import Graph, Node, Spec

CLASSES = ("no", "yes")
TOKENS = 6
"""Of a text."""
VOCABULARY = b"[CLS]\n[SEP]\n[UNK]\ngood\npoor\nlate\nto\n##ly"


def of_columns(rng: np.random.Generator) -> Program:
    """Ops ``arithmetic``, ``levels``, ``squash``, ``periodic``, ``dense``, ``pick``, ``spread``, ``monotone`` and
    ``constant``.
    """
    columns, embedded, hidden = 7, 3, 4
    embedding = {
        "index": integers(0, 1),
        "frequency": rng.normal(size=(2, 4)),
        "phase": rng.normal(size=(2, 4)),
        "weight": rng.normal(size=(2, 4, embedded)),
        "bias": rng.normal(size=(2, embedded)),
    }
    steps = (
        numbers("age", "paid"),
        filled(2, 40.0),
        Program(
            "arithmetic",
            {"columns": 2},
            {"left": integers(0, 0, 1), "right": integers(1, 0, 0), "operation": integers(0, 0, 1)},
        ),
        Program(
            "levels",
            {"columns": 5},
            {
                "left": integers(0, 0),
                "right": integers(0, 1),
                "first": np.array([30.0, 40.0, 30.0]),
                "second": np.array([30.0, 40.0, 1.5]),
                "stop": integers(2, 3),
                "table": rng.normal(size=(5, 1)),
            },
        ),
        filled(columns, 1.0),
        Program("scale", arrays={"mean": np.full(columns, 40.0), "scale": np.full(columns, 30.0)}),
        Program("squash", arrays={"cut": np.full(columns, 3.0)}),
        Program("periodic", {"columns": columns}, embedding),
        Program(
            "dense",
            arrays={"weight": rng.normal(size=(columns + 2 * embedded, hidden)), "bias": rng.normal(size=hidden)},
        ),
        Program("pick", arrays={"index": integers(3, 1, 0)}),
        softmax(rng, 3),
        Program("spread", {"classes": 2}, {"index": integers(0, 1)}),
        Program(
            "monotone",
            {"between": "linear"},
            {"knot": np.array([0.1, 0.5, 0.9]), "value": np.array([0.2, 0.4, 0.7])},
        ),
    )
    usual = Program("chain", steps=(numbers("age"), Program("constant", arrays={"probability": np.array([0.7, 0.3])})))
    return Program("average", {}, {"weight": np.array([0.75, 0.25])}, (Program("chain", steps=steps), usual))


def of_texts(rng: np.random.Generator) -> Program:
    """Ops ``tokens``, ``onnx`` and ``once``."""
    tokens = Program(
        "tokens", {"column": "note", "most": TOKENS}, {"vocabulary": np.frombuffer(VOCABULARY, dtype=np.uint8)}
    )
    layers = (Node("MatMul", ("x", "w"), "h"), Node("Relu", ("h",), "y"))
    weights = {"w": rng.normal(size=(TOKENS, 3)).astype(np.float32)}
    inner = Program(
        "chain", steps=(tokens, network(Graph(layers, weights, {"x": Spec("float32", (1, TOKENS))}, "y"), TOKENS))
    )
    read = Program("table", steps=(Program("once", {"column": "note"}, steps=(inner,)), number("paid")))
    return Program("chain", steps=(read, filled(4, 0.0), softmax(rng, 4)))


def models() -> dict[str, Model]:
    """By name; all read columns of ``seeds.table``."""
    rng = np.random.default_rng(0)
    columns = (Column("age", "number"), Column("paid", "number"), Column("note", "text"))
    return {
        name: Model(
            schema=Schema((*columns, Column("y", "category", role="target"))),
            task=Task("y", CLASSES, (0.6, 0.4), "yes", "log_loss", ("accuracy",), ()),
            decision=Decision("argmax", CLASSES, "yes"),
            program=program,
        )
        for name, program in (("network", of_columns(rng)), ("texts", of_texts(rng)))
    }


def number(column: str) -> Program:
    return Program("number", {"column": column})


def numbers(*columns: str) -> Program:
    return Program("table", steps=tuple(map(number, columns)))


def integers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def filled(columns: int, value: float) -> Program:
    return Program("fill", arrays={"value": np.full(columns, value), "indicator": integers()})


def softmax(rng: np.random.Generator, columns: int) -> Program:
    arrays = {"coef": rng.normal(size=(2, columns)), "intercept": rng.normal(size=2)}
    return Program("linear", {"link": "softmax"}, arrays)
