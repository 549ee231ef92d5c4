"""The whole trip with a network of the user's own: it competes, ships, and scores; and what is said where it cannot."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from PIL import Image

import sortal as package
from sortal import SortalClassifier
from sortal.core.errors import ArtifactError
from tests.conftest import Sortal
from tests.prepare.checkpoints import bert_folder, image_folder


def textures(n: int, seed: int) -> tuple[pl.DataFrame, list[str]]:
    """Stripes and checks of single points: of the same mean in each field of a thumbnail."""
    rng = np.random.default_rng(seed)
    row, column = np.indices((16, 16))
    names, files = [], []
    for _ in range(n):
        checks, first = rng.integers(2), rng.integers(2)
        dark = (column + checks * row + first) % 2
        file = io.BytesIO()
        Image.fromarray((100 + 100 * dark + rng.integers(0, 30, (16, 16))).astype(np.uint8)).save(file, "PNG")
        files.append(file.getvalue())
        names.append("checks" if checks else "stripes")
    return pl.DataFrame({"photo": pl.Series(files, dtype=pl.Binary)}), names


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> SortalClassifier:
    folder = image_folder(tmp_path_factory.mktemp("networks") / "net")
    X, y = textures(240, 0)
    options = {"kind": {"photo": "image"}, "models": "logistic", "effort": 20, "embed_backbone": "no"}
    return SortalClassifier(backbone=str(folder), **options).fit(X, y)


def test_it_is_chosen_where_only_it_tells_and_scores_from_the_file(
    classifier: SortalClassifier, tmp_path: Path
) -> None:
    best = classifier.leaderboard_.row(0, named=True)
    assert best["name"].startswith("logistic_images on net ")
    assert best["chosen"]
    fresh, truth = textures(60, 1)
    probability = classifier.predict_proba(fresh)
    assert (classifier.classes_[probability.argmax(axis=1)] == np.array(truth)).mean() > 0.9
    replace(classifier.model_, embedded=True).save(tmp_path / "m.sortal")
    assert_allclose(package.load(tmp_path / "m.sortal").predict_proba(fresh), probability, atol=1e-9)
    assert [file.name for file in tmp_path.iterdir()] == ["m.sortal"]


def test_a_network_that_is_not_embedded_is_found_by_its_sha256(
    classifier: SortalClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier.model_.save(tmp_path / "m.sortal")
    (network,) = tmp_path.glob("*.onnx")
    content = network.read_bytes()
    assert network.name == f"network-{hashlib.sha256(content).hexdigest()[:16]}.onnx"
    assert content[100:300] not in b"".join(_members(tmp_path / "m.sortal"))
    fresh, _ = textures(5, 2)
    expected = classifier.predict_proba(fresh)
    model = package.load(tmp_path / "m.sortal")
    assert_allclose(model.predict_proba(fresh), expected, atol=1e-9)
    assert not model.embedded

    (tmp_path / "elsewhere").mkdir()
    new_path = network.rename(tmp_path / "elsewhere" / network.name)
    with pytest.raises(ArtifactError, match=rf"m\.sortal needs the network {network.name}, which is not beside it"):
        package.load(tmp_path / "m.sortal")
    monkeypatch.setenv("SORTAL_NETWORKS", os.pathsep.join([str(tmp_path / "none"), str(tmp_path / "elsewhere")]))
    assert_allclose(package.load(tmp_path / "m.sortal").predict_proba(fresh), expected, atol=1e-9)

    new_path.write_bytes(content[:-1] + b"!")
    with pytest.raises(ArtifactError, match=r"was changed: it has another SHA-256; copy it anew"):
        package.load(tmp_path / "m.sortal")
    network.write_bytes(content[:-1] + b"!")
    classifier.model_.save(tmp_path / "m.sortal")
    assert network.read_bytes() == content


def _members(file: Path) -> list[bytes]:
    with zipfile.ZipFile(file) as archive:
        return [archive.read(name) for name in archive.namelist()]


def test_a_run_repeats_unless_the_network_has_changed(sortal: Sortal, tmp_path: Path) -> None:
    texts = [f"{word} film {number}" for number in range(30) for word in ("a good", "the bad")]
    pl.DataFrame({"text": texts, "label": ["yes", "no"] * 30}).write_csv(tmp_path / "t.csv")
    folder = bert_folder(tmp_path / "tiny")
    options = ("--target", "label", "--kind", "text=text", "--models", "logistic", "--effort", "20", "--json")
    outcome = sortal("train", tmp_path / "t.csv", *options, "--backbone", folder, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    names = [row["name"] for row in outcome.json["leaderboard"]]
    assert sum(name.startswith("logistic_sentences on tiny ") for name in names) == 2
    recipe = tmp_path / "run" / "recipe.toml"
    repeat = sortal("train", tmp_path / "t.csv", "--recipe", recipe, "--out", tmp_path / "again", "--json")
    assert repeat.code == 0, repeat.err
    assert (tmp_path / "again" / "model.sortal").read_bytes() == (tmp_path / "run" / "model.sortal").read_bytes()
    shutil.rmtree(folder)
    bert_folder(folder, layer_norm_eps=1e-3)
    other = sortal("train", tmp_path / "t.csv", "--recipe", recipe, "--out", tmp_path / "other")
    assert other.code == 2
    assert "the recipe ran 'logistic_sentences on tiny " in other.err


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda path: path / "nowhere", "is no folder here, and no network is fetched from a hub"),
        (lambda path: image_folder(path / "net"), "reads images, and the table has no column of images"),
    ],
)
def test_a_network_that_has_nothing_to_read_is_refused_before_anything_is_trained(
    sortal: Sortal, tmp_path: Path, network: Callable[[Path], Path], message: str
) -> None:
    pl.DataFrame({"x": range(40), "y": ["a", "b"] * 20}).write_csv(tmp_path / "t.csv")
    outcome = sortal(
        "train", tmp_path / "t.csv", "--target", "y", "--backbone", network(tmp_path), "--out", tmp_path / "r"
    )
    assert outcome.code == 2
    assert message in " ".join(outcome.err.split())
    assert not (tmp_path / "r").exists()
