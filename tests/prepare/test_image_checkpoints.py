"""Networks for images as transformers saves them (``tools/make_networks.py`` wrote its vectors), and as timm does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sortal.core.errors import OptionError
from sortal.engine import compile
from sortal.prepare import backbone, convnext, vit
from sortal.prepare.graph_builder import renamed
from sortal.prepare.safetensors_file import read_tensors
from tests.prepare.checkpoints import safetensors

NETWORKS = Path(__file__).parent / "networks"
SIDES = {"vit": 24, "deit": 16, "dinov2": 20, "dinov2-registers": 16, "convnext": 64}
"""Two of them other than those that they were made for: places are interpolated."""


def points(side: int) -> np.ndarray:
    return np.random.default_rng(0).random((4, 3, side, side)).reshape(4, -1)


@pytest.mark.parametrize("name", SIDES)
def test_vectors_are_those_of_transformers(name: str) -> None:
    expected = json.loads((NETWORKS / name / "expected.json").read_text())["vectors"]
    own = backbone.read(str(NETWORKS / name))
    assert f" reads images of {SIDES[name]} by {SIDES[name]} points, " in own.note
    assert_allclose(compile(own.network)(points(SIDES[name])), expected, atol=1e-4, rtol=1e-4)


def timm_weights(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By timm's names: query, key and value are one matrix."""
    named = vit._named(tensors)
    for name in [name for name in named if ".query." in name]:
        parts = [named.pop(name.replace("query", part)) for part in vit.PARTS]
        named[name.replace("query", "qkv")] = np.concatenate(parts)
    return {**named, "head.weight": np.ones((10, 8), np.float32)}


def timm_folder(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    folder.mkdir()
    config = {"input_size": [3, 16, 16], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
    (folder / "config.json").write_text(json.dumps({"architecture": "vit_tiny_patch4_16", "pretrained_cfg": config}))
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    return folder


@pytest.fixture
def registers() -> dict[str, np.ndarray]:
    return timm_weights(read_tensors((NETWORKS / "dinov2-registers" / "model.safetensors").read_bytes()))


def test_the_layout_of_timm_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registers: dict[str, np.ndarray]
) -> None:
    monkeypatch.setattr(vit, "HEAD", 4)
    expected = json.loads((NETWORKS / "dinov2-registers" / "expected.json").read_text())["vectors"]
    folder = timm_folder(tmp_path / "net", registers)
    assert_allclose(compile(backbone.read(str(folder)).network)(points(16)), expected, atol=1e-4, rtol=1e-4)
    # timm adds the place of the first token to that token where patches alone have places.
    places = registers.pop("pos_embed")
    registers |= {"cls_token": registers["cls_token"] + places[:, :1], "pos_embed": places[:, 1:]}
    folder = timm_folder(tmp_path / "patches", registers)
    assert_allclose(compile(backbone.read(str(folder)).network)(points(16)), expected, atol=1e-4, rtol=1e-4)


def test_the_mean_of_the_patches_where_it_was_trained_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registers: dict[str, np.ndarray]
) -> None:
    """Moving the last normalisation behind the mean of tokens that are all alike changes nothing."""
    monkeypatch.setattr(vit, "HEAD", 4)
    for name in [name for name in registers if name.startswith(("blocks.", "reg_token", "cls_token"))]:
        del registers[name]
    same = np.arange(8, dtype=np.float32)
    registers |= {"pos_embed": np.tile(same, (1, 16, 1)), "patch_embed.proj.weight": np.zeros((8, 3, 4, 4), np.float32)}
    before = compile(backbone.read(str(timm_folder(tmp_path / "before", registers))).network)(points(16))
    registers |= {f"fc_norm.{part}": registers.pop(f"norm.{part}") for part in ("weight", "bias")}
    after = compile(backbone.read(str(timm_folder(tmp_path / "after", registers))).network)(points(16))
    assert_allclose(before, after, atol=1e-5)
    assert np.ptp(before[0]) > 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"norm_pre.weight": np.ones(8, np.float32)},
            r"no plain vision transformer: it has weights 'norm_pre\.weight'",
        ),
        ({"pos_embed": np.ones((1, 14, 8), np.float32)}, "places are no square"),
        ({"blocks.0.mlp.fc1.weight": None}, r"lacks the weights 'blocks\.0\.mlp\.fc1\.weight'"),
        ({"patch_embed.proj.weight": np.ones((8, 3), np.float32)}, "another shape|do not fit|takes"),
    ],
)
def test_what_is_nearly_a_vision_transformer_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    registers: dict[str, np.ndarray],
    change: dict[str, np.ndarray | None],
    message: str,
) -> None:
    monkeypatch.setattr(vit, "HEAD", 4)
    changed = {name: array for name, array in {**registers, **change}.items() if array is not None}
    with pytest.raises(OptionError, match=message):
        backbone.read(str(timm_folder(tmp_path / "net", changed)))


def test_other_activations_and_heads_are_refused(tmp_path: Path, registers: dict[str, np.ndarray]) -> None:
    with pytest.raises(OptionError, match="its 8 numbers are not divisible among 0 heads"):
        backbone.read(str(timm_folder(tmp_path / "net", registers)))
    folder = tmp_path / "vit"
    shutil.copytree(NETWORKS / "vit", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_act": "quick_gelu"}))
    with pytest.raises(OptionError, match="the activation 'quick_gelu', and those with 'gelu' are run"):
        backbone.read(str(folder))


def test_a_convnext_of_timm_gives_the_same_and_another_is_refused(tmp_path: Path) -> None:
    named = {
        renamed(n, convnext.NAMES): a
        for n, a in read_tensors((NETWORKS / "convnext" / "model.safetensors").read_bytes()).items()
    }
    for name in [name for name in named if ".mlp.fc" in name and name.endswith("weight")]:
        named[name] = named[name][:, :, None, None]  # as its small networks have it
    folder = timm_folder(tmp_path / "net", named)
    config = {"input_size": [3, 64, 64], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
    config_text = json.dumps({"architecture": "convnext_atto", "pretrained_cfg": config, "layer_norm_eps": 1e-12})
    (folder / "config.json").write_text(config_text)
    expected = json.loads((NETWORKS / "convnext" / "expected.json").read_text())["vectors"]
    assert_allclose(compile(backbone.read(str(folder)).network)(points(64)), expected, atol=1e-4, rtol=1e-4)
    named["stages.0.blocks.0.mlp.grn.weight"] = np.ones(16, np.float32)
    (folder / "model.safetensors").write_bytes(safetensors(named))
    with pytest.raises(
        OptionError, match=r"no plain ConvNeXt: it has weights 'stages\.0\.blocks\.0\.mlp\.grn\.weight'"
    ):
        backbone.read(str(folder))
