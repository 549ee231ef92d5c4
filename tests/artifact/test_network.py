"""A model file that holds a network: proven on images of nothing, and refused where the network is another."""

from __future__ import annotations

import io
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from sortal.artifact import networks
from sortal.artifact.archive import write
from sortal.artifact.golden import golden_rows
from sortal.artifact.model import Model, load
from sortal.artifact.store import save
from sortal.core.errors import ArtifactError
from sortal.core.images import sample_image
from sortal.core.profile import profile
from sortal.core.schema import Column, Schema
from sortal.core.table import Table
from sortal.core.task import Task
from sortal.decide.policy import Decision
from sortal.engine import Program
from sortal.engine.onnx import network
from sortal.engine.onnx_file import Graph, Node, Spec

SCHEMA = Schema((Column("photo", "image"), Column("y", "category", "target")))
TASK = Task("y", ("no", "yes"), (0.5, 0.5), "yes", "log_loss", ("roc_auc",), ("because",))


def a_network(seed: int = 0) -> Program:
    weight = np.random.default_rng(seed).normal(size=(12, 2)).astype(np.float32)
    nodes = (Node("Flatten", ("x",), "f"), Node("MatMul", ("f", "w"), "y"))
    return network(Graph(nodes, {"w": weight}, {"x": Spec("float32", (1, 3, 2, 2))}, "y"), 12)


def a_model(graph: Program) -> Model:
    raster = Program("raster", {"column": "photo", "side": 2, "read": "colour"})
    fill = Program("fill", arrays={"value": np.full(12, 0.5), "indicator": np.zeros(0, dtype=np.int64)})
    last = Program("linear", {"link": "softmax"}, {"coef": np.eye(2), "intercept": np.zeros(2)})
    images = pl.DataFrame({"photo": [sample_image(number) for number in range(20)], "y": ["no", "yes"] * 10})
    profiles = profile(Table(SCHEMA, images, np.arange(20)), 1)
    return Model(
        schema=SCHEMA,
        task=TASK,
        decision=Decision("threshold", ("no", "yes"), "yes", threshold=0.5),
        program=raster.then(fill, graph, last),
        profile=profiles,
        golden=golden_rows(profiles),
    )


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    a_model(a_network()).save(tmp_path / "m.sortal")
    return tmp_path / "m.sortal"


def test_it_is_proven_on_images_of_nothing(model_file: Path) -> None:
    model = load(model_file)
    assert [sorted(row) for row in model.golden.rows] == [["photo"]] * 2 + [[]] * 7
    first, second, *others = model.golden.probability
    assert abs(first[0] - second[0]) > 0.01
    assert set(others) == {others[0]}


def test_it_says_of_an_image_what_the_network_computes(model_file: Path) -> None:
    white = sample_image(3)
    raster = np.asarray(Image.open(io.BytesIO(white)).resize((2, 2), Image.Resampling.BILINEAR)) / 255
    weight = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    logits = raster.transpose(2, 0, 1).ravel() @ weight
    p = load(model_file).predict_proba({"photo": white})
    assert p[0, 1] == pytest.approx(1 / (1 + np.exp(logits[0] - logits[1])), abs=1e-6)


def test_another_network_in_its_place_is_refused(model_file: Path, tmp_path: Path) -> None:
    model = load(model_file)
    steps = [*model.program.steps]
    steps[2] = a_network(seed=1)
    save(tmp_path / "other.sortal", replace(model, program=replace(model.program, steps=tuple(steps))))
    with pytest.raises(ArtifactError, match="scores its golden rows otherwise"):
        load(tmp_path / "other.sortal")


def test_changed_bytes_of_the_network_are_refused(model_file: Path) -> None:
    content = bytearray(model_file.read_bytes())
    content[content.find(b"arrays/00002.npy") + 60] ^= 1
    model_file.write_bytes(content)
    with pytest.raises(ArtifactError):
        load(model_file)


def test_a_file_with_what_no_network_has_is_refused(model_file: Path, tmp_path: Path) -> None:
    model = load(model_file)
    graph = model.program.steps[2]
    bad_graph = replace(
        graph, arrays={"graph": np.frombuffer(graph.arrays["graph"].tobytes() + b"\xca\x01\x00", np.uint8)}
    )
    steps = (*model.program.steps[:2], bad_graph, *model.program.steps[3:])
    save(tmp_path / "evil.sortal", replace(model, program=replace(model.program, steps=steps)))
    with pytest.raises(ArtifactError, match="op 'onnx': its model has a field 25"):
        load(tmp_path / "evil.sortal")


def test_a_name_of_a_network_leads_nowhere_else(model_file: Path) -> None:
    with zipfile.ZipFile(model_file) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    for reference in (f"networks/{'0' * 63}", "networks/../../etc/passwd", f"networks/{'0' * 64}"):
        program = members["program.json"].replace(b'"graph":"arrays/00002.npy"', f'"graph":"{reference}"'.encode())
        assert program != members["program.json"]
        others = {name: content for name, content in members.items() if name != "arrays/00002.npy"}
        write(model_file, {**others, "program.json": program}, "1")
        with pytest.raises(ArtifactError, match=r"does not name its arrays|needs the network network-0000"):
            load(model_file)


def test_members_of_an_ensemble_share_their_network(model_file: Path, tmp_path: Path) -> None:
    model = load(model_file)
    ensemble = Program("average", {}, {"weight": np.array([0.5, 0.5])}, (model.program, model.program))
    save(tmp_path / "both.sortal", replace(model, program=ensemble))
    assert sum(name.endswith(".npy") for name in zipfile.ZipFile(tmp_path / "both.sortal").namelist()) == 10
    assert sum(name.endswith(".npy") for name in zipfile.ZipFile(model_file).namelist()) == 5
    photo = {"photo": sample_image(5)}
    assert load(tmp_path / "both.sortal").predict_proba(photo) == pytest.approx(model.predict_proba(photo), abs=1e-12)


def test_a_copy_of_a_model_finds_its_network_where_it_was_told_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "served", tmp_path / "kept"
    source.mkdir()
    target.mkdir()
    reference = networks.put(b"many weights", source)
    monkeypatch.setenv(networks.FOLDERS, str(tmp_path))
    with pytest.raises(ArtifactError, match="not beside it"):
        networks.find(reference, target / "model.sortal")
    networks.look_in(source)
    assert networks.find(reference, target / "model.sortal") == b"many weights"
    networks.copy_beside(source / "model.sortal", target)
    monkeypatch.delenv(networks.FOLDERS)
    assert networks.find(reference, target / "model.sortal") == b"many weights"


@pytest.mark.parametrize(
    ("off", "is_refused"), [(0.99e-4, False), (-0.99e-4, False), (1.01e-4, True), (-1.01e-4, True)]
)
def test_sums_of_32_bits_may_differ_by_a_ten_thousandth(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, off: float, is_refused: bool
) -> None:
    score = Model.score_rows
    monkeypatch.setattr(Model, "score_rows", lambda self, rows: score(self, rows) + off * np.array([1.0, -1.0]))
    with pytest.raises(ArtifactError, match="scores its golden rows otherwise") if is_refused else nullcontext():
        load(model_file)
