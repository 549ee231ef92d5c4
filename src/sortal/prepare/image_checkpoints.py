"""Networks for images as timm and transformers save them, or as an ONNX file, made ones for points from 0 to 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sortal.engine.onnx_file import Graph
from sortal.prepare import convnext, foreign, resnet, vit
from sortal.prepare.checkpoint import WEIGHTS, content, count, description, weights

MOST_SIDE = 512
TRANSFORMERS = ("vit", "deit", "dinov2", "dinov2_with_registers", "convnext")
"""What the description calls networks of transformers (``model_type``)."""
TIMM = ("vit_", "deit", "convnext", "resnet", "resnext", "wide_resnet", "seresnet")
"""How the names of networks of timm begin (``architecture``) that are looked at."""


def is_known(config: dict[str, Any]) -> bool:
    """Whether weights of this description are tried; those of others are not."""
    return config.get("model_type") in TRANSFORMERS or str(config.get("architecture", "")).startswith(TIMM)


def image_network(path: Path, config: dict[str, Any]) -> tuple[Graph, int]:
    """The network with the weights in a folder, and the points on a side of what it takes.

    Raises ValueError, in a few words, for what is not run, and KeyError for weights that are not there.
    """
    side, mean, std = _image_settings(description(path, "preprocessor_config.json"), config)
    kind = "vision transformer"
    try:
        if "convnext" in (config.get("model_type"), str(config.get("architecture"))[:8]):
            kind = "ConvNeXt"
            graph = convnext.network(weights(path), side, float(config.get("layer_norm_eps", convnext.EPSILON)))
        elif config.get("model_type") in TRANSFORMERS:
            if config.get("hidden_act", "gelu") != "gelu":
                raise ValueError(
                    f"its layers have the activation {config['hidden_act']!r}, and those with 'gelu' are run"
                )
            heads, epsilon = count(config, "num_attention_heads"), float(config.get("layer_norm_eps", 1e-12))
            graph = vit.network(weights(path), vit.VitShape(side, heads, epsilon))
        elif "resne" in str(config.get("architecture")):
            kind = "ResNet"
            graph = resnet.network(weights(path), side)
        else:
            graph = vit.network(weights(path), vit.VitShape(side))
    except (IndexError, AttributeError, TypeError):
        raise ValueError(f"a tensor in {WEIGHTS} has another shape than that of a {kind}") from None
    return foreign.image_network(graph, side, mean, std), side


def exported_network(path: Path, file: Path, config: dict[str, Any]) -> tuple[Graph, int]:
    """The network in an ONNX file, likewise."""
    side, mean, std = _image_settings(description(path, "preprocessor_config.json"), config)
    exported = content(file)
    try:
        return foreign.image_network(foreign.read_graph(exported), side, mean, std), side
    except ValueError as error:
        raise ValueError(
            f"{file.name}: {error}; torch.onnx.export(model.eval(), (torch.zeros(1, 3, {side}, {side}),),"
            f" {file.name!r}, external_data=False) writes such files"
        ) from None


def _image_settings(preprocessor: dict[str, Any], config: dict[str, Any]) -> tuple[int, list[float], list[float]]:
    """Points on a side, and what is taken off colours from 0 to 1 and what they are divided by."""
    timm = config.get("pretrained_cfg", config)
    size: Any = preprocessor.get("crop_size", preprocessor.get("size", timm.get("input_size")))
    if isinstance(size, dict):
        size = size.get("height", size.get("shortest_edge"))
    size = size[-1] if isinstance(size, list) and size else size
    normalised = preprocessor.get("do_normalize", True)
    mean, std = preprocessor.get("image_mean", timm.get("mean")), preprocessor.get("image_std", timm.get("std"))
    mean, std = ([0.0] * 3, [1.0] * 3) if not normalised else (mean, std)
    if type(size) is not int or not 1 <= size <= MOST_SIDE or not _colours(mean) or not _colours(std) or 0 in std:
        raise ValueError(
            "nothing says how its network takes images: write a preprocessor_config.json beside it, for example "
            '{"size": 224, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}'
        )
    return size, mean, std


def _colours(values: Any) -> bool:
    return isinstance(values, list) and len(values) == 3 and all(isinstance(value, int | float) for value in values)
