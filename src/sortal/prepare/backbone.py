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

import numpy as np

from sortal.core.errors import OptionError
from sortal.core.plain import quoted
from sortal.core.schema import Column
from sortal.engine import compile as compile_program
from sortal.engine.once import digest
from sortal.engine.onnx import MOST_OPERATIONS, MOST_TOKENS, PLACES, TOKENS, network
from sortal.engine.onnx_file import Graph
from sortal.engine.onnx_shapes import trace
from sortal.engine.program import Array, Program
from sortal.prepare import bert, foreign, resnet
from sortal.prepare.checkpoint import CONFIG, WEIGHTS, content, count, description, weights
from sortal.prepare.embedding import encoded
from sortal.prepare.half_precision import difference, halved, is_same
from sortal.prepare.view import EncodedColumn, Labels, View

USUAL_TOKENS = 128
"""Of a text, where the folder says nothing: as many as most networks for sentences were trained with."""
LENGTHS = (MOST_TOKENS, 192, 128, 96, 64)
"""Of a text, the most tokens that are read: as many as the network was trained with and as fit into a second."""
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
        weights = (path / WEIGHTS).is_file()
        if "model_type" in config and weights:
            backbone = _text_network(path, config)
        elif "resne" in str(config.get("architecture")) and weights:
            backbone = _resnet(path, config)
        elif len(graphs) == 1:
            backbone = _image_network(path, graphs[0], config)
        else:
            raise ValueError(
                f"it has {len(graphs)} ONNX files and no {WEIGHTS} with a {CONFIG} that is known; give a folder of a "
                "BERT for texts, and of a ResNet of timm or with one ONNX file for images"
            )
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


def _text_network(path: Path, config: dict[str, Any]) -> Backbone:
    if config["model_type"] != "bert" or config.get("hidden_act", "gelu") != "gelu":
        kind = f"{config['model_type']} with {config.get('hidden_act', 'gelu')}"
        raise ValueError(f"it is a {kind}, and of the networks of transformers a bert with gelu is run")
    if not description(path, "tokenizer_config.json").get("do_lower_case", True):
        raise ValueError("it tells upper from lower case, and only networks for lower case are run")
    try:
        graph = bert.network(_named(weights(path)), _bert_shape(path, config))
        most = _fitting(graph, min(_most_tokens(path), MOST_TOKENS, count(config, "max_position_embeddings")))
        reader = Program("tokens", {"most": most}, {"vocabulary": _vocabulary(path)})
        return _backbone(path, "text", reader, graph, most, f"reads {most} tokens of a text")
    except (TypeError, AttributeError):
        raise ValueError(f"{CONFIG} or another description in it has not the form of transformers") from None
    except IndexError:
        raise ValueError(f"a tensor in {WEIGHTS} has another shape than that of a bert") from None


def _fitting(graph: Graph, most: int) -> int:
    """As many tokens, or as fit into a second. Raises ValueError where that are too few to tell anything."""
    lengths = (most, *(each for each in LENGTHS if each < most))
    for length in lengths:
        try:
            if trace(graph, {TOKENS: (1, length), PLACES: (length,)}).operations <= MOST_OPERATIONS:
                return length
        except ValueError:  # it takes too much memory, or does not fit together at all
            if length == lengths[-1]:
                raise
    raise ValueError(f"it takes more than a second for {lengths[-1]} tokens of a text; give a smaller one")


def _bert_shape(path: Path, config: dict[str, Any]) -> bert.BertShape:
    """With what sentence-transformers makes of the vectors of tokens; without a word of that, their mean."""
    pooling, unit = description(path, "1_Pooling/config.json"), True
    first = pooling.get("pooling_mode_cls_token", False)
    if pooling and not first and not pooling.get("pooling_mode_mean_tokens", False):
        raise ValueError("1_Pooling/config.json asks for another vector than the mean of all tokens, or the first")
    modules = description(path, "modules.json")
    if modules:
        kinds = [str(each.get("type", "")).rpartition(".")[2] for each in modules]
        if unknown := [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]:
            raise ValueError(f"modules.json has a module {unknown[0]!r}, which is not run")
        unit = "Normalize" in kinds
    return bert.BertShape(
        layers=count(config, "num_hidden_layers"),
        heads=count(config, "num_attention_heads"),
        width=count(config, "hidden_size"),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        pooling="first" if first else "mean",
        unit=unit,
    )


def _named(tensors: dict[str, Array]) -> dict[str, Array]:
    """Weights without what a class around the network puts before their names."""
    return {name.removeprefix("bert.").removeprefix("encoder.layer."): array for name, array in tensors.items()}


def _most_tokens(path: Path) -> int:
    return int(description(path, "sentence_bert_config.json").get("max_seq_length") or USUAL_TOKENS)


def _vocabulary(path: Path) -> Array:
    """The words in the order of their numbers, a line each, as bytes."""
    if (path / "vocab.txt").is_file():
        content = (path / "vocab.txt").read_bytes().replace(b"\r\n", b"\n")
    else:
        model = description(path, "tokenizer.json").get("model", {})
        if model.get("type") != "WordPiece":
            raise ValueError("it has no vocab.txt, and no tokenizer.json of WordPiece")
        content = "\n".join(sorted(model["vocab"], key=model["vocab"].__getitem__)).encode()
    return np.frombuffer(content, dtype=np.uint8)
