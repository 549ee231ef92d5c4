"""Images and texts as what a network that was trained on many others makes of them (transfer learning).

Nothing is learned here: of each value a vector is made once, whatever the fold (op ``once``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, runtime_checkable

from sortal.core.schema import Column
from sortal.engine import compile as compile_program
from sortal.engine.onnx import network
from sortal.engine.program import Program
from sortal.prepare import efficientnet, minilm
from sortal.prepare.view import EncodedColumn, Labels, View

SIDE, SMALL_SIDE = 160, 96
"""Points of an image on a side: details, or three times as fast (docs/images.md)."""

MOST_TOKENS = 128
"""Of a text: as many as MiniLM was trained with, some hundred words."""


@runtime_checkable
class Embedding(Protocol):
    """A preparer that learns nothing: ``program`` makes the vectors of a column, each once."""

    def program(self, column: str, view: View) -> Program: ...


@dataclass(frozen=True)
class ImageEmbedding:
    """The 1,280 numbers that EfficientNet-Lite0 sees in an image of ``side`` by ``side`` points."""

    side: int

    def program(self, column: str, view: View) -> Program:
        raster = Program("raster", {"column": column, "side": self.side, "read": "colour"})
        return Program("once", {"column": column}, steps=(raster.then(_efficientnet(self.side)),))

    def fit(self, column: Column, values: Any, labels: Labels, view: View, seed: int) -> EncodedColumn:
        return encoded(column, self.program(column.name, view))


@cache
def _efficientnet(side: int) -> Program:
    file = efficientnet.weights_file()
    assert file is not None, "a family that needs weights is not begun without them"
    return network(efficientnet.network(side, file), 3 * side**2)


@dataclass(frozen=True)
class SentenceEmbedding:
    """The 384 numbers that MiniLM makes of the first ``most`` words and parts of words of a text."""

    most: int

    def program(self, column: str, view: View) -> Program:
        settings = {"column": column, "most": self.most}
        tokens = Program("tokens", settings, {"vocabulary": minilm.vocabulary()})
        return Program("once", {"column": column}, steps=(tokens.then(_minilm(self.most)),))

    def fit(self, column: Column, values: Any, labels: Labels, view: View, seed: int) -> EncodedColumn:
        return encoded(column, self.program(column.name, view))


@cache
def _minilm(most: int) -> Program:
    file = minilm.weights_file()
    assert file is not None, "a family that needs weights is not begun without them"
    return network(minilm.network(file), most)


def encoded(column: Column, program: Program) -> EncodedColumn:
    """The numbers of a vector, which are quantities."""
    width = compile_program(program).step.outputs
    names = tuple(f"{column.name} embedding {i + 1}" for i in range(width))
    return EncodedColumn(program=program, names=names, numeric=True, categorical=(False,) * width)


image = ImageEmbedding(SIDE)
small_image = ImageEmbedding(SMALL_SIDE)
sentence = SentenceEmbedding(MOST_TOKENS)
