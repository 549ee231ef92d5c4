"""Networks beside a model file: written once, found in order, and none but the one that is named."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sortal.artifact import networks
from sortal.artifact.networks import FOLDERS, copy_beside, file_name, find, look_in, put
from sortal.core.errors import ArtifactError

CONTENT = b"a network"
SHA = hashlib.sha256(CONTENT).hexdigest()
REFERENCE = f"networks/{SHA}"
NAME = f"network-{SHA[:16]}.onnx"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDERS, "")


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model" / "m.sortal"


def test_a_network_is_written_once_and_mended(tmp_path: Path) -> None:
    assert put(CONTENT, tmp_path) == REFERENCE
    path = tmp_path / NAME
    assert file_name(SHA) == NAME
    before = path.stat().st_ino
    assert put(CONTENT, tmp_path) == REFERENCE
    assert path.stat().st_ino == before
    for other in (b"x network", b"a network and more", b""):
        path.write_bytes(other)
        put(CONTENT, tmp_path)
        assert path.read_bytes() == CONTENT


def test_it_is_looked_for_beside_the_file_and_then_in_the_folders_in_their_order(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv(FOLDERS, os.pathsep.join(["", *map(str, folders)]))
    with pytest.raises(ArtifactError, match=rf"^m\.sortal needs the network {NAME}, which is not beside it, and in no"):
        find(REFERENCE, model_file)
    put(CONTENT, folders[1])
    assert find(REFERENCE, model_file) == CONTENT
    (folders[0] / NAME).write_bytes(b"another")
    with pytest.raises(ArtifactError, match=r"first.*' was changed: it has another SHA-256; copy it anew$"):
        find(REFERENCE, model_file)
    put(CONTENT, model_file.parent)
    assert find(REFERENCE, model_file) == CONTENT


def test_what_is_too_large_for_a_network_is_not_read(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(CONTENT, model_file.parent)
    for most, is_read in ((len(CONTENT), True), (len(CONTENT) - 1, False)):
        monkeypatch.setattr(networks, "MOST_GRAPH", most)
        if is_read:
            assert find(REFERENCE, model_file) == CONTENT
        else:
            with pytest.raises(ArtifactError, match="was changed: it has another SHA-256"):
                find(REFERENCE, model_file)


def test_folders_are_added_to_those_that_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDERS)
    look_in(tmp_path / "a" / "..")
    assert os.environ[FOLDERS] == str(tmp_path.resolve())
    look_in(tmp_path / "b")
    assert os.environ[FOLDERS].split(os.pathsep) == [str(tmp_path.resolve()), str((tmp_path / "b").resolve())]


def test_copies_stand_beside_copies_and_what_is_there_stays(model_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    put(CONTENT, model_file.parent)
    put(b"second", model_file.parent)
    (model_file.parent / "other.onnx").write_bytes(b"x")
    (folder / NAME).write_bytes(b"mine")
    copy_beside(model_file, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in model_file.parent.glob("network-*")
    )
    assert (folder / NAME).read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "Permission denied"), "permission denied"), (OSError("Odd Thing"), "odd thing")],
)
def test_a_network_that_cannot_be_read_is_named_with_the_reason(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    put(CONTENT, model_file.parent)

    def fail(self: Path) -> bytes:
        raise error

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(ArtifactError) as excinfo:
        find(REFERENCE, model_file)
    path = str(model_file.parent / NAME)
    assert str(excinfo.value) == f"m.sortal needs the network {path!r}, which cannot be read: {reason}"
