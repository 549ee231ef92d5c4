"""Every registered preparer meets the requirements on preparers."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sortal.core import registry
from sortal.core.kinds import BUILT_IN
from sortal.testing import Requirement, check_preparer
from tests.prepare.checkpoints import bert_folder, image_folder

REGISTERED = registry.names("sortal.preparers")
NETWORKS = TemporaryDirectory()
"""Small ones for the preparers that read a column with a network."""
BACKBONES = {
    "text.backbone": bert_folder(Path(NETWORKS.name) / "text"),
    "image.backbone": image_folder(Path(NETWORKS.name) / "image"),
}
REQUIREMENTS = [
    requirement
    for name in REGISTERED
    for kind in BUILT_IN.values()
    if kind.encoding == name.partition(".")[0]
    for requirement in check_preparer(registry.load("sortal.preparers", name), kind.name, str(BACKBONES.get(name, "")))
]


def test_every_preparer_encodes_a_kind() -> None:
    assert {kind.encoding for kind in BUILT_IN.values()} == {name.partition(".")[0] for name in REGISTERED}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_preparer(requirement: Requirement) -> None:
    requirement()
