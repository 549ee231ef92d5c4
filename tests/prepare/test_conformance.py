"""Every registered preparer meets the requirements on preparers."""

from __future__ import annotations

import pytest

from sortal.core import registry
from sortal.core.kinds import BUILT_IN
from sortal.testing import Requirement, check_preparer

REGISTERED = registry.names("sortal.preparers")
REQUIREMENTS = [
    requirement
    for name in REGISTERED
    for kind in BUILT_IN.values()
    if kind.encoding == name.partition(".")[0]
    for requirement in check_preparer(registry.load("sortal.preparers", name), kind.name)
]


def test_every_preparer_encodes_a_kind() -> None:
    assert {kind.encoding for kind in BUILT_IN.values()} == {name.partition(".")[0] for name in REGISTERED}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_preparer(requirement: Requirement) -> None:
    requirement()
