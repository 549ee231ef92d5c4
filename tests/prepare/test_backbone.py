"""Networks of the user's own, from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sortal.core.errors import OptionError
from sortal.core.images import sample_image
from sortal.core.schema import Column
from sortal.engine import compile
from sortal.prepare import backbone
from sortal.prepare.safetensors_file import read_tensors
from sortal.prepare.view import Labels, View
from tests.prepare.checkpoints import (
    EXPORTED,
    LAYERS,
    MEAN,
    SIDE,
    STD,
    WIDTH,
    bert_folder,
    image_folder,
    resnet_folder,
    resnet_weights,
    safetensors,
    weights,
)

LABELS = Labels(np.array([0, 1]), 2)
TOKENS = np.array([2, 4, 6, 7, 11, 3])
"""Of "Good films."."""


def by_pytorch(tokens: np.ndarray) -> np.ndarray:
    """(n, width) what layers of PyTorch make of the tokens with the same weights."""
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(array) for name, array in weights().items()}

    def put(module, prefix: str) -> None:
        module.weight.data, module.bias.data = tensors[f"{prefix}.weight"], tensors[f"{prefix}.bias"]

    table = "embeddings.{}_embeddings.weight"
    x = tensors[table.format("word")][tokens] + tensors[table.format("position")][: len(tokens)]
    norm = torch.nn.LayerNorm(WIDTH, eps=1e-6)
    put(norm, "embeddings.LayerNorm")
    x = norm(x + tensors[table.format("token_type")][0])[None]
    for number in range(LAYERS):
        at = f"encoder.layer.{number}"
        layer = torch.nn.TransformerEncoderLayer(WIDTH, 2, 16, 0.0, "gelu", 1e-6, batch_first=True)
        parts = [f"{at}.attention.self.{name}" for name in ("query", "key", "value")]
        layer.self_attn.in_proj_weight.data = torch.cat([tensors[f"{part}.weight"] for part in parts])
        layer.self_attn.in_proj_bias.data = torch.cat([tensors[f"{part}.bias"] for part in parts])
        put(layer.self_attn.out_proj, f"{at}.attention.output.dense")
        put(layer.norm1, f"{at}.attention.output.LayerNorm")
        put(layer.linear1, f"{at}.intermediate.dense")
        put(layer.linear2, f"{at}.output.dense")
        put(layer.norm2, f"{at}.output.LayerNorm")
        x = layer(x)
    return x[0].detach().numpy()


def test_a_bert_gives_what_the_layers_of_pytorch_give(tmp_path: Path) -> None:
    states, texts = by_pytorch(TOKENS), {"t": ["Good films.", None]}
    mean = states.mean(axis=0)
    vectors = compile(backbone.read(str(bert_folder(tmp_path / "mean"))).program("t"))(texts)
    assert_allclose(vectors[0], mean / np.linalg.norm(mean), atol=1e-5)
    assert np.isnan(vectors[1]).all()
    first = bert_folder(tmp_path / "first")
    (first / "1_Pooling").mkdir()
    (first / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    old = compile(backbone.read(str(first)).program("t"))(texts)
    (first / "1_Pooling" / "config.json").write_text('{"embedding_dimension": 8, "pooling_mode": "cls"}')
    assert_array_equal(compile(backbone.read(str(first)).program("t"))(texts), old)
    (first / "modules.json").write_text('[{"type": "sentence_transformers.models.Transformer"}, {"type": "a.Pooling"}]')
    (first / "model.safetensors").write_bytes(safetensors({f"bert.{k}": v for k, v in weights().items()}))
    assert_allclose(compile(backbone.read(str(first)).program("t"))(texts)[0], states[0], atol=1e-5)


def test_a_network_that_pytorch_exported_gives_what_its_own_file_gives(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(EXPORTED.read_bytes())
    rows = np.random.default_rng(0).random((4, 3, SIDE, SIDE))
    scaled = (rows - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    (name,) = (node.name for node in session.get_inputs())
    expected = np.vstack([session.run(None, {name: row[None].astype(np.float32)})[0] for row in scaled])
    own = backbone.read(str(image_folder(tmp_path / "net")))
    assert_allclose(compile(own.network)(rows.reshape(4, -1)), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1


@pytest.mark.parametrize("deep", [False, True])
def test_a_resnet_gives_what_layers_of_pytorch_give(tmp_path: Path, deep: bool) -> None:
    torch = pytest.importorskip("torch")
    tensors = resnet_weights(deep)
    parameters = {name: torch.tensor(array) for name, array in tensors.items()}

    def conv(x, name: str, norm: str, stride: int = 1, groups: int = 1):
        weight = parameters[f"{name}.weight"]
        x = torch.nn.functional.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, groups)
        mean, var, scale, shift = (parameters[f"{norm}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
        return torch.nn.functional.batch_norm(x, mean, var, scale, shift, eps=1e-5)

    rows = np.random.default_rng(0).random((2, 3, 32, 32))
    x = torch.tensor((rows - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1)), dtype=torch.float32)
    x = torch.nn.functional.max_pool2d(torch.relu(conv(x, "conv1", "bn1", 2)), 3, 2, 1)
    for stage in (1, 2, 3, 4):
        at, stride = f"layer{stage}.0", 1 if stage == 1 else 2
        y = torch.relu(conv(x, f"{at}.conv1", f"{at}.bn1", 1 if deep else stride))
        y = conv(y, f"{at}.conv2", f"{at}.bn2", stride if deep else 1, 2 if deep else 1)
        y = conv(torch.relu(y), f"{at}.conv3", f"{at}.bn3") if deep else y
        x = torch.relu(y + (conv(x, f"{at}.downsample.0", f"{at}.downsample.1", stride) if stage > 1 or deep else x))
    folder = resnet_folder(tmp_path / "net", tensors)
    features = compile(backbone.read(str(folder)).network)(rows.reshape(2, -1))
    assert_allclose(features, x.mean(dim=(2, 3)).numpy(), atol=1e-4, rtol=1e-4)
    assert features.max() > 0.1


def test_a_network_that_is_nearly_a_resnet_is_refused(tmp_path: Path) -> None:
    tensors = resnet_weights(deep=False)
    more = resnet_folder(tmp_path / "more", {**tensors, "layer1.0.se.fc1.weight": np.ones((2, 4, 1, 1), np.float32)})
    with pytest.raises(OptionError, match=r"no plain ResNet: it has weights 'layer1\.0\.se\.fc1\.weight'"):
        backbone.read(str(more))
    del tensors["layer2.0.bn1.bias"]
    with pytest.raises(OptionError, match=r"lacks the weights 'layer2\.0\.bn1\.bias'"):
        backbone.read(str(resnet_folder(tmp_path / "less", tensors)))


def test_a_column_is_fitted_through_the_folder_of_its_view(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "net")
    view = View("scaled", "onehot", images="backbone", backbone=str(folder))
    images = pl.Series([sample_image(0), sample_image(1)])
    fitted = backbone.preparer.fit(Column("photo", "image"), images, LABELS, view, 0)
    assert fitted.names == tuple(f"photo embedding {i}" for i in range(1, 13))
    vectors = compile(fitted.program)({"photo": [sample_image(0), None, b"no image"]})
    assert np.isfinite(vectors[0]).all()
    assert np.isnan(vectors[1:]).all()


def test_timms_description_is_read_too(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "net")
    before = backbone.read(str(folder))
    (folder / "preprocessor_config.json").unlink()
    config = {"architecture": "some", "pretrained_cfg": {"input_size": [3, SIDE, SIDE], "mean": MEAN, "std": STD}}
    (folder / "config.json").write_text(json.dumps(config))
    assert backbone.read(str(folder)).name == before.name


def test_the_name_is_of_the_folder_and_of_the_weights(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "net")
    before = backbone.read(str(folder)).name
    assert before.startswith("net ")
    (folder / "model.safetensors").write_bytes(safetensors(weights(seed=1)))
    assert backbone.read(str(folder)).name != before


def test_a_vocabulary_stands_in_tokenizer_json_too(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "net")
    text = {"t": ["Good films."]}
    expected = compile(backbone.read(str(folder)).program("t"))(text)
    words = (folder / "vocab.txt").read_text().split()
    (folder / "vocab.txt").unlink()
    tokenizer = {"model": {"type": "WordPiece", "vocab": {word: at for at, word in enumerate(words)}}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert_array_equal(compile(backbone.read(str(folder)).program("t"))(text), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"config.json": '{"model_type": "gpt2"}'},
            r"its network is a 'gpt2', and 0 ONNX files; what is run: for texts bert, roberta, .*mpnet; for images",
        ),
        ({"config.json": "{"}, "config.json is no JSON"),
        ({"config.json": "[]"}, "config.json is no JSON object"),
        ({"config.json": '{"model_type": "bert"}'}, "config.json does not say num_hidden_layers"),
        (
            {"config.json": '{"model_type": "bert", "hidden_act": "relu"}'},
            "have the activation 'relu', and those with 'gelu'",
        ),
        (
            {
                "config.json": '{"model_type": "bert", "position_embedding_type": "relative_key", "hidden_size": 8, '
                '"num_hidden_layers": 2, "num_attention_heads": 2}'
            },
            "its places are 'relative_key', and those that are 'absolute' are run",
        ),
        ({"config.json": '{"model_type": "distilbert"}'}, "config.json does not say n_layers"),
        ({"1_Pooling": '{"pooling_mode": "max"}'}, "asks for another vector than the mean"),
        (
            {"1_Pooling": '{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}'},
            "asks for another vector",
        ),
        ({"tokenizer_config.json": '{"strip_accents": false}'}, "of upper case and accents its network reads one"),
        ({"model.safetensors": "x" * 20}, "no file of safetensors"),
        ({"modules.json": '[{"type": "a.Dense"}]'}, "module 'Dense', which is not run"),
        ({"vocab.txt": "a\nb"}, "vocabulary has a word twice"),
        (
            {"model.safetensors": None, "vocab.txt": None},
            "it has no model.safetensors with a config.json, and 0 ONNX files; what is run",
        ),
        ({"vocab.txt": None}, "no vocab.txt, and no tokenizer.json"),
        (
            {"model.safetensors": None, "pytorch_model.bin": "PK"},
            r"a file that could run code, which is not read; save_pretrained\(FOLDER\) of transformers writes model",
        ),
    ],
)
def test_a_folder_without_a_network_that_is_run_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    folder = bert_folder(tmp_path / "net")
    (folder / "1_Pooling").mkdir()
    for name, content in change.items():
        file = folder / name / "config.json" if name == "1_Pooling" else folder / name
        file.unlink() if content is None else file.write_text(content)
    with pytest.raises(OptionError, match=message):
        backbone.read(str(folder))


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "net")
    for name in ("0.output.dense.weight", "embeddings.word_embeddings.weight"):
        other = {key: array[:-1] if key.endswith(name) else array for key, array in weights().items()}
        (folder / "model.safetensors").write_bytes(safetensors(other))
        if name.startswith("0."):
            with pytest.raises(OptionError, match="do not fit"):
                backbone.read(str(folder))
    more = {**weights(), "encoder.layer.1.adapter.weight": np.ones(3, np.float32)}
    (folder / "model.safetensors").write_bytes(safetensors(more))
    with pytest.raises(OptionError, match=r"it is no plain bert: it has weights '1\.adapter\.weight'"):
        backbone.read(str(folder))
    lacking = {name: array for name, array in weights().items() if "1.intermediate" not in name}
    (folder / "model.safetensors").write_bytes(safetensors(lacking))
    with pytest.raises(OptionError, match=r"lacks the weights '1\.intermediate\.dense\.weight'"):
        backbone.read(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preprocessor_config.json": None}, "write a preprocessor_config.json beside it"),
        ({"preprocessor_config.json": '{"size": 16, "image_mean": [0, 0, 0], "image_std": [0, 1, 1]}'}, "write a"),
        (
            {"preprocessor_config.json": '{"size": 32, "do_normalize": false}'},
            r"does not take one image as floats of shape \(1, 3, 32, 32\); torch\.onnx\.export",
        ),
        ({"model.onnx": b"\x08\x08"}, "times an opset"),
        ({"other.onnx": b""}, "and 2 ONNX files; what is run"),
    ],
)
def test_a_network_of_images_that_is_not_run_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    folder = image_folder(tmp_path / "net")
    for name, content in change.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(OptionError, match=message):
        backbone.read(str(folder))


def test_a_name_that_is_no_folder_says_how_to_get_one() -> None:
    with pytest.raises(OptionError, match=r"'org/net' is no folder here, .*hf download NAME --local-dir FOLDER"):
        backbone.read("org/net")


def test_numbers_of_16_bits_are_read() -> None:
    numbers = np.array([[1.5, -2.0], [0.25, 3.0]], dtype=np.float32)
    half = read_tensors(safetensors({"a": numbers.astype(np.float16)}, "F16"))["a"]
    upper = read_tensors(safetensors({"a": (numbers.view(np.uint32) >> 16).astype(np.uint16)}, "BF16"))["a"]
    assert_array_equal(half, numbers)
    assert_array_equal(upper, numbers)
    assert half.dtype == upper.dtype == np.float32


@pytest.mark.parametrize("cut", [0, 5, 30, -1])
def test_a_file_of_weights_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match=r"safetensors|not in it"):
        read_tensors(safetensors({"a": np.ones(3, np.float32)})[:cut])
