"""Folders of tiny networks with random weights, as model hubs have them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

EXPORTED = Path(__file__).parent / "networks" / "exported.onnx"
"""A network for images of 16 x 16 points as ``torch.onnx.export`` (PyTorch 2.13) writes it: Conv2d, BatchNorm2d, ReLU6,
MaxPool2d, Conv2d, SiLU, the mean of what is left, Linear and GELU, which give twelve numbers."""
SIDE, MEAN, STD = 16, [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "##s", "a", "the", "was", ".")
WIDTH, LAYERS, HEADS, PLACES = 8, 2, 2, 24


def image_folder(folder: Path) -> Path:
    """A network for images with what says how it takes them."""
    folder.mkdir()
    shutil.copy(EXPORTED, folder / "model.onnx")
    config = {"size": {"height": SIDE, "width": SIDE}, "image_mean": MEAN, "image_std": STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


def bert_folder(folder: Path, **config: object) -> Path:
    """A BERT as sentence-transformers saves it."""
    folder.mkdir()
    defaults = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": PLACES,
        "layer_norm_eps": 1e-6,
    }
    (folder / "config.json").write_text(json.dumps({**defaults, **config}))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "model.safetensors").write_bytes(safetensors(weights()))
    return folder


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Of a BERT, by the names that transformers gives them."""
    rng = np.random.default_rng(seed)
    tensors = {
        f"embeddings.{name}_embeddings.weight": rng.normal(size=(rows, WIDTH))
        for name, rows in (("word", len(WORDS)), ("position", PLACES), ("token_type", 2))
    }
    shapes = {"attention.output.dense": (WIDTH, WIDTH), "intermediate.dense": (16, WIDTH), "output.dense": (WIDTH, 16)}
    shapes |= {f"attention.self.{name}": (WIDTH, WIDTH) for name in ("query", "key", "value")}
    norms = ["embeddings"]
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            tensors[f"encoder.layer.{layer}.{name}.weight"] = rng.normal(size=shape)
            tensors[f"encoder.layer.{layer}.{name}.bias"] = rng.normal(size=shape[0])
        norms += [f"encoder.layer.{layer}.attention.output", f"encoder.layer.{layer}.output"]
    for name in norms:
        tensors[f"{name}.LayerNorm.weight"] = rng.normal(size=WIDTH)
        tensors[f"{name}.LayerNorm.bias"] = rng.normal(size=WIDTH)
    return {name: array.astype(np.float32) for name, array in tensors.items()}


def safetensors(tensors: dict[str, np.ndarray], dtype: str = "F32") -> bytes:
    """A file of them. ``dtype``: what it says that they are."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, array in tensors.items():
        stop = at + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, stop]}
        at = stop
    header_bytes = json.dumps(header).encode()
    return (
        len(header_bytes).to_bytes(8, "little") + header_bytes + b"".join(array.tobytes() for array in tensors.values())
    )


def resnet_folder(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A ResNet as timm saves it."""
    folder.mkdir()
    config = {"architecture": "resnet10", "pretrained_cfg": {"input_size": [3, 32, 32], "mean": MEAN, "std": STD}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    return folder


def resnet_weights(deep: bool) -> dict[str, np.ndarray]:
    """A block in each stage, of two convolutions or (``deep``) of three, of which the middle one has two groups."""
    rng = np.random.default_rng(0)
    tensors: dict[str, np.ndarray] = {"fc.weight": rng.normal(size=(10, 8)), "fc.bias": rng.normal(size=10)}

    def conv(name: str, norm: str, out: int, into: int, side: int) -> None:
        tensors[f"{name}.weight"] = rng.normal(size=(out, into, side, side)) / side / into**0.5
        tensors.update({f"{norm}.{part}": rng.normal(size=out) for part in ("weight", "bias", "running_mean")})
        tensors[f"{norm}.running_var"] = rng.random(out) + 0.5

    conv("conv1", "bn1", 4, 3, 7)
    before = 4
    for stage in (1, 2, 3, 4):
        at, wide = f"layer{stage}.0", 4 if stage == 1 and not deep else 8
        if deep:
            conv(f"{at}.conv1", f"{at}.bn1", 4, before, 1)
            conv(f"{at}.conv2", f"{at}.bn2", 4, 2, 3)
            conv(f"{at}.conv3", f"{at}.bn3", wide, 4, 1)
        else:
            conv(f"{at}.conv1", f"{at}.bn1", wide, before, 3)
            conv(f"{at}.conv2", f"{at}.bn2", wide, wide, 3)
        if stage > 1 or deep:
            conv(f"{at}.downsample.0", f"{at}.downsample.1", wide, before, 1)
        before = wide
    return {name: array.astype(np.float32) for name, array in tensors.items()}
