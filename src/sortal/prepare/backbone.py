"""``--backbone FOLDER``: a network of the user's own, trained elsewhere, that reads texts or images.

A folder as model hubs have them: of a BERT (``config.json``, ``model.safetensors`` and ``vocab.txt`` of transformers or
sentence-transformers), or of images (a ResNet of timm or torchvision with ``config.json`` and ``model.safetensors``, or
an ONNX file with ``preprocessor_config.json`` or ``config.json``).
Nothing in it is run as code, and nothing is fetched from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sortal.core.errors import OptionError
from sortal.core.plain import quoted
from sortal.core.schema import Column
from sortal.engine import compile as compile_program
from sortal.engine.once import digest
from sortal.engine.onnx import network
from sortal.engine.onnx_file import Graph
from sortal.engine.program import Program
from sortal.prepare import foreign, resnet
from sortal.prepare.checkpoint import CONFIG, WEIGHTS, content, description, weights
from sortal.prepare.embedding import encoded
from sortal.prepare.half_precision import difference, halved, is_same
from sortal.prepare.text_checkpoints import LAYOUTS, text_network
from sortal.prepare.view import EncodedColumn, Labels, View

RUN = f"what is run: for texts {', '.join(LAYOUTS)}; for images a ResNet of timm, or any network in one ONNX file"
WHOLE = 2**27
"""Bytes of weights that are kept as they are; of more, 16 bits a number are."""
MOST_DIFFERENCE = 0.01
"""Of the vectors of a network in 16 bits from those in 32, as a share of their length; .001 is usual."""
MOST_SIDE = 512


@dataclass(frozen=True)
class Backbone:
    """A network for a kind of column (``encoding``). ``reader``: the op, with its settings, that makes a value what the
    network takes, and its arrays. ``note``: what it is and how it is run, for people.
    """

    name: str
    encoding: Literal["text", "image"]
    reader: Program
    network: Program
    note: str

    def program(self, column: str) -> Program:
        """Of a column the vectors of its values, each made once."""
        settings = {**self.reader.settings, "column": column}
        reader = Program(self.reader.op, settings, self.reader.arrays)
        return Program("once", {"column": column}, steps=(reader.then(self.network),))

    @property
    def row_seconds(self) -> float:
        """What a value takes at most, by the operations that it costs."""
        return compile_program(self.network).step.cost.row * 1e-9


@dataclass(frozen=True)
class BackbonePreparer:
    """The numbers that the network in the view's folder makes of a text or an image."""

    def program(self, column: str, view: View) -> Program:
        return read(view.backbone).program(column)

    def fit(self, column: Column, values: Any, labels: Labels, view: View, seed: int) -> EncodedColumn:
        return encoded(column, self.program(column.name, view))


preparer = BackbonePreparer()


def read(folder: str) -> Backbone:
    """The network in a folder; read again only where a file in it has changed.

    Raises OptionError, with what to do, where there is none that is run.
    """
    path = Path(folder)
    if not path.is_dir():
        raise OptionError(
            f"--backbone {quoted(folder)} is no folder here, and no network is fetched from a hub: fetch it once (hf "
            f"download NAME --local-dir FOLDER), and give that folder"
        )
    files = sorted(each for each in (*path.glob("*"), *path.glob("1_Pooling/*")) if each.is_file())
    return _read(path, tuple((str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in files))


@cache
def _read(path: Path, files: tuple[tuple[str, int, int], ...]) -> Backbone:
    """``files``: as they are now."""
    graphs = [Path(name) for name, *_ in files if name.endswith(".onnx")]
    config = description(path, CONFIG)
    try:
        whole = (path / WEIGHTS).is_file()
        if config.get("model_type") in LAYOUTS and whole:
            reader, graph, most = text_network(path, config)
            backbone = _backbone(path, "text", reader, graph, most, f"reads {most} tokens of a text")
        elif "resne" in str(config.get("architecture")) and whole:
            backbone = _resnet(path, config)
        elif len(graphs) == 1:
            backbone = _image_network(path, graphs[0], config)
        else:
            named = config.get("model_type", config.get("architecture"))
            what = (
                f"its network is a {str(named)[:40]!r}" if named and whole else f"it has no {WEIGHTS} with a {CONFIG}"
            )
            raise ValueError(f"{what}, and {len(graphs)} ONNX files; {RUN}")
        compile_program(backbone.program("x"))
    except (ValueError, KeyError, OSError) as error:
        reason = f"lacks the weights {error}" if isinstance(error, KeyError) else str(error)
        raise OptionError(f"--backbone {quoted(str(path))} cannot be used: {reason}") from None
    return backbone


def _image_network(path: Path, file: Path, config: dict[str, Any]) -> Backbone:
    side, mean, std = _image_settings(description(path, "preprocessor_config.json"), config)
    exported = content(file)
    try:
        return _of_images(path, foreign.read_graph(exported), side, mean, std)
    except ValueError as error:
        raise ValueError(
            f"{file.name}: {error}; torch.onnx.export(model.eval(), (torch.zeros(1, 3, {side}, {side}),),"
            f" {file.name!r}, external_data=False) writes such files"
        ) from None


def _resnet(path: Path, config: dict[str, Any]) -> Backbone:
    side, mean, std = _image_settings(description(path, "preprocessor_config.json"), config)
    try:
        graph = resnet.network(weights(path), side)
    except (IndexError, AttributeError):
        raise ValueError(f"a tensor in {WEIGHTS} has another shape than that of a ResNet") from None
    return _of_images(path, graph, side, mean, std)


def _of_images(path: Path, graph: Graph, side: int, mean: list[float], std: list[float]) -> Backbone:
    reader = Program("raster", {"side": side, "read": "colour"})
    made = foreign.image_network(graph, side, mean, std)
    return _backbone(path, "image", reader, made, 3 * side**2, f"reads images of {side} by {side} points")


def _backbone(
    path: Path, encoding: Literal["text", "image"], reader: Program, graph: Graph, columns: int, reads: str
) -> Backbone:
    """A network with weights of 32 bits, or, where they are many, of 16. Raises ValueError where these do not do."""
    size, precision = sum(array.nbytes for array in graph.constants.values()), ""
    if size > WHOLE:
        small = halved(graph)
        apart = 0.0 if is_same(graph, small) else difference(graph, small, columns)
        if not apart <= MOST_DIFFERENCE:
            raise ValueError(f"its vectors differ by {apart:.1%} in 16 bits from those in 32, for which it is too big")
        precision = f": vectors differ by {apart:.2%} from those in 32" if apart else ", as it was saved"
        graph, precision = small, f" in 16 bits{precision}"
    program = network(graph, columns)
    name = f"{path.resolve().name} {digest(program).hex()[:8]}"  # with other weights it is another network
    million = sum(array.size for array in graph.constants.values()) / 1e6
    stored = program.arrays["graph"].nbytes / 1e6
    note = f"backbone {name} {reads}, has {million:.3g} million weights and {stored:.3g} MB{precision}"
    return Backbone(name, encoding, reader, program, note)


def _image_settings(told: dict[str, Any], config: dict[str, Any]) -> tuple[int, list[float], list[float]]:
    """Points on a side, and what is taken off colours from 0 to 1 and what they are divided by."""
    timm = config.get("pretrained_cfg", config)
    size: Any = told.get("crop_size", told.get("size", timm.get("input_size")))
    if isinstance(size, dict):
        size = size.get("height", size.get("shortest_edge"))
    size = size[-1] if isinstance(size, list) and size else size
    normalised = told.get("do_normalize", True)
    mean, std = told.get("image_mean", timm.get("mean")), told.get("image_std", timm.get("std"))
    mean, std = ([0.0] * 3, [1.0] * 3) if not normalised else (mean, std)
    if type(size) is not int or not 1 <= size <= MOST_SIDE or not _colours(mean) or not _colours(std) or 0 in std:
        raise ValueError(
            "nothing says how its network takes images: write a preprocessor_config.json beside it, for example "
            '{"size": 224, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}'
        )
    return size, mean, std


def _colours(values: Any) -> bool:
    return isinstance(values, list) and len(values) == 3 and all(isinstance(each, int | float) for each in values)
