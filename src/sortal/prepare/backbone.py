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

import msgspec
import numpy as np

from sortal.core.errors import OptionError
from sortal.core.plain import quoted
from sortal.core.schema import Column
from sortal.engine import compile as compile_program
from sortal.engine.once import digest
from sortal.engine.onnx import MOST_GRAPH, MOST_TOKENS, network
from sortal.engine.onnx_file import Graph
from sortal.engine.program import Array, Program
from sortal.prepare import bert, foreign, resnet
from sortal.prepare.embedding import encoded
from sortal.prepare.safetensors_file import read_tensors
from sortal.prepare.view import EncodedColumn, Labels, View

USUAL_TOKENS = 128
"""Of a text, where the folder says nothing: as many as most networks for sentences were trained with."""
MOST_SIDE = 512
MOST_JSON = 2**26
"""Bytes of a description; a tokenizer has some megabytes."""
CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class Backbone:
    """A network for a kind of column (``encoding``). ``reader``: the op, with its settings, that makes a value what the
    network takes, and its arrays.
    """

    name: str
    encoding: Literal["text", "image"]
    reader: Program
    network: Program

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
    config = _json(path, CONFIG)
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
    side, mean, std = _image_settings(_json(path, "preprocessor_config.json"), config)
    content = _content(file)
    try:
        return _of_images(path, foreign.read_graph(content), side, mean, std)
    except ValueError as error:
        raise ValueError(
            f"{file.name}: {error}; torch.onnx.export(model.eval(), (torch.zeros(1, 3, {side}, {side}),),"
            f" {file.name!r}, external_data=False) writes such files"
        ) from None


def _resnet(path: Path, config: dict[str, Any]) -> Backbone:
    side, mean, std = _image_settings(_json(path, "preprocessor_config.json"), config)
    try:
        graph = resnet.network(read_tensors(_content(path / WEIGHTS)), side)
    except (IndexError, AttributeError):
        raise ValueError(f"a tensor in {WEIGHTS} has another shape than that of a ResNet") from None
    return _of_images(path, graph, side, mean, std)


def _of_images(path: Path, graph: Graph, side: int, mean: list[float], std: list[float]) -> Backbone:
    program = network(foreign.image_network(graph, side, mean, std), 3 * side**2)
    return Backbone(_name(path, program), "image", Program("raster", {"side": side, "read": "colour"}), program)


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
    if not _json(path, "tokenizer_config.json").get("do_lower_case", True):
        raise ValueError("it tells upper from lower case, and only networks for lower case are run")
    try:
        graph = bert.network(_named(read_tensors(_content(path / WEIGHTS))), _bert_shape(path, config))
        most = min(_most_tokens(path), MOST_TOKENS, _count(config, "max_position_embeddings"))
        program = network(graph, most)
    except (TypeError, AttributeError):
        raise ValueError(f"{CONFIG} or another description in it has not the form of transformers") from None
    except IndexError:
        raise ValueError(f"a tensor in {WEIGHTS} has another shape than that of a bert") from None
    reader = Program("tokens", {"most": most}, {"vocabulary": _vocabulary(path)})
    return Backbone(_name(path, program), "text", reader, program)


def _bert_shape(path: Path, config: dict[str, Any]) -> bert.BertShape:
    """With what sentence-transformers makes of the vectors of tokens; without a word of that, their mean."""
    pooling, unit = _json(path, "1_Pooling/config.json"), True
    first = pooling.get("pooling_mode_cls_token", False)
    if pooling and not first and not pooling.get("pooling_mode_mean_tokens", False):
        raise ValueError("1_Pooling/config.json asks for another vector than the mean of all tokens, or the first")
    modules = _json(path, "modules.json")
    if modules:
        kinds = [str(each.get("type", "")).rpartition(".")[2] for each in modules]
        if unknown := [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]:
            raise ValueError(f"modules.json has a module {unknown[0]!r}, which is not run")
        unit = "Normalize" in kinds
    return bert.BertShape(
        layers=_count(config, "num_hidden_layers"),
        heads=_count(config, "num_attention_heads"),
        width=_count(config, "hidden_size"),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        pooling="first" if first else "mean",
        unit=unit,
    )


def _count(config: dict[str, Any], name: str) -> int:
    value = config.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(f"{CONFIG} does not say {name}")
    return value


def _named(tensors: dict[str, Array]) -> dict[str, Array]:
    """Weights without what a class around the network puts before their names."""
    return {name.removeprefix("bert.").removeprefix("encoder.layer."): array for name, array in tensors.items()}


def _most_tokens(path: Path) -> int:
    return int(_json(path, "sentence_bert_config.json").get("max_seq_length") or USUAL_TOKENS)


def _vocabulary(path: Path) -> Array:
    """The words in the order of their numbers, a line each, as bytes."""
    if (path / "vocab.txt").is_file():
        content = (path / "vocab.txt").read_bytes().replace(b"\r\n", b"\n")
    else:
        model = _json(path, "tokenizer.json").get("model", {})
        if model.get("type") != "WordPiece":
            raise ValueError("it has no vocab.txt, and no tokenizer.json of WordPiece")
        content = "\n".join(sorted(model["vocab"], key=model["vocab"].__getitem__)).encode()
    return np.frombuffer(content, dtype=np.uint8)


def _json(path: Path, name: str) -> Any:
    """What a description says; nothing where there is none."""
    file = path / name
    if not file.is_file():
        return {}
    if file.stat().st_size > MOST_JSON:
        raise OptionError(f"--backbone {quoted(str(path))}: {name} has more than {MOST_JSON:,} bytes")
    try:
        told = msgspec.json.decode(file.read_bytes())
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise OptionError(f"--backbone {quoted(str(path))}: {name} is no JSON ({str(error)[:100]})") from None
    if not isinstance(told, dict) and name != "modules.json":
        raise OptionError(f"--backbone {quoted(str(path))}: {name} is no JSON object")
    return told


def _content(file: Path) -> bytes:
    if (size := file.stat().st_size) > MOST_GRAPH:
        raise ValueError(f"{file.name} has {size:,} bytes, more than the {MOST_GRAPH:,} of a network that is run")
    return file.read_bytes()


def _name(path: Path, program: Program) -> str:
    """Of the folder and of what is in it: with other weights it is another network."""
    return f"{path.resolve().name} {digest(program).hex()[:8]}"
