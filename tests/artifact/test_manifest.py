"""What a manifest says of who wrote a file, and which files are read."""

from __future__ import annotations

import json

import pytest

from sortal.artifact.manifest import FORMAT, PROTOCOL, Member, read_manifest
from sortal.core.errors import ArtifactError
from sortal.version import __version__


def manifest_bytes(**changes: object) -> bytes:
    members = [{"name": "a.json", "sha256": "ab", "size": 3}]
    return json.dumps({"format": FORMAT, "protocol": PROTOCOL, "sortal": "1.2", "members": members} | changes).encode()


def test_a_manifest_lists_its_members() -> None:
    manifest = read_manifest(manifest_bytes(), "m")
    assert (manifest.sortal, manifest.protocol, manifest.members) == ("1.2", PROTOCOL, (Member("a.json", "ab", 3),))


@pytest.mark.parametrize("version", ["0.1.0", "1", "2.0.0rc1", "1.0+local-x_y!z", "a" * 40])
def test_versions(version: str) -> None:
    assert read_manifest(manifest_bytes(sortal=version), "m").sortal == version


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sortal": ""}, "m is no sortal model: it was written by '', which is no version"),
        ({"sortal": "a" * 41}, f"m is no sortal model: it was written by '{'a' * 40}', which is no version"),
        ({"sortal": "1.0\nx"}, "m is no sortal model: it was written by '1.0"),
        ({"sortal": "-1"}, "m is no sortal model: it was written by '-1', which is no version"),
        ({"format": "other"}, "m is no sortal model: its format is 'other'"),
        ({"format": "other", "sortal": "?"}, "m is no sortal model: its format is 'other'"),
        ({"format": "x" * 50}, f"m is no sortal model: its format is '{'x' * 40}'"),
        (
            {"protocol": 2},
            f"m was written by sortal 1.2 with protocol 2, and this sortal {__version__} reads protocol 1; load it "
            "with the version that wrote it",
        ),
        ({"protocol": 0}, "m was written by sortal 1.2 with protocol 0"),
        ({"protocol": 2, "members": "of another form"}, "m was written by sortal 1.2 with protocol 2"),
        ({"members": None}, "m is no sortal model: its manifest.json does not fit ("),
        ({"protocol": "1"}, "m is no sortal model: its manifest.json does not fit ("),
    ],
)
def test_other_files_are_refused_in_a_sentence(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArtifactError) as error:
        read_manifest(manifest_bytes(**changes), "m")
    assert str(error.value).startswith(message)
