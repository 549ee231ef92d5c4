"""Large networks are kept in 16 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sortal.core.errors import OptionError
from sortal.engine import compile
from sortal.engine.onnx_file import read
from sortal.prepare import backbone, half_precision, text_checkpoints
from tests.prepare.checkpoints import bert_folder, image_folder, safetensors, weights

TEXTS = {"t": ["Good films.", "the bad film was a bad", "", None]}


@pytest.fixture
def tiny_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "WHOLE", 100)
    monkeypatch.setattr(half_precision, "FEW", 30)


def test_a_large_network_has_half_the_bytes_and_nearly_the_same_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(bert_folder(tmp_path / "net"))
    whole = backbone.read(folder)
    assert "bits" not in whole.note
    backbone._read.cache_clear()
    monkeypatch.setattr(backbone, "WHOLE", 100)
    monkeypatch.setattr(half_precision, "FEW", 30)
    half = backbone.read(folder)
    assert " in 16 bits: vectors differ by 0." in half.note
    assert half.name != whole.name
    constants = read(half.network.arrays["graph"].tobytes()).constants
    assert {array.dtype.name for array in constants.values() if array.size > 30} == {"float16"}
    one, two = (compile(network.program("t"))(TEXTS) for network in (whole, half))
    assert 0 < np.nanmax(np.abs(one - two)) < 5e-3
    assert_allclose(one, two, atol=5e-3)


@pytest.mark.usefixtures("tiny_is_large")
def test_what_was_saved_in_16_bits_loses_nothing(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "net")
    small = {name: array.astype(np.float16) for name, array in weights().items()}
    (folder / "model.safetensors").write_bytes(safetensors(small, "F16"))
    assert backbone.read(str(folder)).note.endswith(" in 16 bits, as it was saved")


@pytest.mark.usefixtures("tiny_is_large")
def test_weights_that_16_bits_do_not_hold_are_refused(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path / "net")
    (folder / "model.safetensors").write_bytes(safetensors({k: v * np.float32(1e5) for k, v in weights().items()}))
    with pytest.raises(OptionError, match=r"kept in 16 bits, and has weights beyond 65,504"):
        backbone.read(str(folder))


@pytest.mark.usefixtures("tiny_is_large")
def test_other_vectors_than_with_32_bits_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "MOST_DIFFERENCE", 1e-9)
    with pytest.raises(OptionError, match=r"its vectors differ by 0\.\d% in 16 bits from those in 32"):
        backbone.read(str(image_folder(tmp_path / "net")))


def test_a_network_that_takes_long_reads_fewer_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bert_folder(tmp_path / "net")
    monkeypatch.setattr(text_checkpoints, "LENGTHS", (16, 8))
    monkeypatch.setattr(text_checkpoints, "MOST_OPERATIONS", 85_000)
    assert " reads 8 tokens of a text, " in backbone.read(str(folder)).note
    backbone._read.cache_clear()
    monkeypatch.setattr(text_checkpoints, "MOST_OPERATIONS", 50_000)
    with pytest.raises(OptionError, match="takes more than a second for 8 tokens of a text; give a smaller one"):
        backbone.read(str(folder))
