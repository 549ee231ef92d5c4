"""Embeddings by networks whose weights come in packages."""

from __future__ import annotations

import io
import pickle

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from sortal.core.images import sample_image
from sortal.core.schema import Column
from sortal.engine import compile
from sortal.engine.onnx import network
from sortal.prepare import efficientnet, embedding, minilm
from sortal.prepare.torch_file import read_weights
from sortal.prepare.view import Labels, View

SIDE = 32
LABELS = Labels(np.array([0, 1]), 2)
VIEW = View("scaled", "onehot", images="embedding")


def test_the_image_network_is_that_of_its_weights() -> None:
    """Layer by layer in numpy, with normalisation as layers of its own."""
    file = efficientnet.weights_file()
    assert file is not None
    weights = read_weights(file.read_bytes())

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        names = ("running_mean", "running_var", "weight", "bias")
        mean, var, scale, shift = (weights[f"{name}.{part}"][:, None, None] for part in names)
        return (x - mean) / np.sqrt(var + 1e-3) * scale + shift

    def conv(x: np.ndarray, name: str, stride: int = 1, depthwise: bool = False) -> np.ndarray:
        weight = weights[f"{name}.weight"]
        kernel, size = weight.shape[-1], x.shape[-1]
        pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        x = np.pad(x, ((0, 0), (0, 0), (pad // 2, pad - pad // 2), (pad // 2, pad - pad // 2)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
        if depthwise:
            return np.einsum("nchwij,cij->nchw", windows, weight[:, 0])
        return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)

    rows = np.random.default_rng(0).random((2, 3 * SIDE**2))
    x = (rows.reshape(2, 3, SIDE, SIDE) * 255 - 127) / 128
    x = np.clip(norm(conv(x, "_conv_stem", 2), "_bn0"), 0, 6)
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for at, stride in enumerate(strides):
        name, before = f"_blocks.{at}", x
        if at:
            x = np.clip(norm(conv(x, f"{name}._expand_conv"), f"{name}._bn0"), 0, 6)
        x = np.clip(norm(conv(x, f"{name}._depthwise_conv", stride, depthwise=True), f"{name}._bn1"), 0, 6)
        x = norm(conv(x, f"{name}._project_conv"), f"{name}._bn2")
        x = x + before if x.shape == before.shape else x
    expected = np.clip(norm(conv(x, "_conv_head"), "_bn1"), 0, 6).mean(axis=(2, 3))
    features = compile(network(efficientnet.network(SIDE, file), 3 * SIDE**2))(rows)
    assert_allclose(features, expected, atol=1e-4)


def test_sentences_of_like_meaning_are_near() -> None:
    texts = ["A cat sits on the mat.", "There is a kitten on the rug.", "The parliament passed the budget.", None]
    vectors = compile(embedding.SentenceEmbedding(16).program("t", VIEW))({"t": texts})
    assert_allclose(np.linalg.norm(vectors[:3], axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.4 > 0.2 > vectors[0] @ vectors[2]
    assert np.isnan(vectors[3]).all()


def test_the_sentence_network_gives_what_its_own_file_gives() -> None:
    runtime, file = pytest.importorskip("onnxruntime"), minilm.weights_file()
    assert file is not None
    session = runtime.InferenceSession(file.read_bytes())
    tokens = np.array([[101, 7592, 1010, 2088, 999, 102]])
    inputs = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
    (states,) = session.run(None, inputs)
    expected = states.mean(axis=1) / np.linalg.norm(states.mean(axis=1))
    row = np.array([[*tokens[0], -1, -1]], dtype=float)
    assert_allclose(compile(network(minilm.network(file), 8))(row), expected, atol=1e-5)


def test_a_fitted_column_names_its_numbers_and_learns_nothing() -> None:
    small = embedding.ImageEmbedding(SIDE)
    column, images = Column("photo", "image"), pl.Series([sample_image(0), sample_image(1)])
    fitted = small.fit(column, images, LABELS, VIEW, 0)
    assert len(fitted.names) == 1280
    assert fitted.names[0] == "photo embedding 1"
    assert fitted.numeric
    vectors = compile(fitted.program)({"photo": [sample_image(0), None, b"no image"]})
    assert np.isfinite(vectors[0]).all()
    assert np.isnan(vectors[1:]).all()


def test_other_weights_are_refused(tmp_path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"other")
    for build in (lambda path: efficientnet.network(SIDE, path), minilm.network):
        with pytest.raises(ValueError, match=r"weights\.pth is not the file of weights that it was"):
            build(tmp_path / "weights.pth")


def test_a_file_of_weights_builds_nothing_but_tensors() -> None:
    class Evil:
        def __reduce__(self):
            return print, ("here",)

    content = b"".join(pickle.dumps(value) for value in (1, 2, 3, Evil(), []))
    with pytest.raises(ValueError, match=r"it asks for builtins\.print"):
        read_weights(content)
    with pytest.raises(ValueError, match="no file of weights"):
        read_weights(io.BytesIO(b"").getvalue())
