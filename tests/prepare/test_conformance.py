"""Every registered preparer meets the requirements on preparers."""

from __future__ import annotations

import pytest

from sortal.core import registry
from sortal.core.schema import KINDS
from sortal.testing import Requirement, check_preparer

REGISTERED = registry.names("sortal.preparers")
REQUIREMENTS = [
    requirement
    for kind in KINDS
    if kind in REGISTERED
    for requirement in check_preparer(registry.load("sortal.preparers", kind), kind)
]


def test_preparers_are_registered_under_kinds() -> None:
    assert set(REGISTERED) <= set(KINDS)
    assert {"number", "boolean", "category", "datetime"} <= set(REGISTERED)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_preparer(requirement: Requirement) -> None:
    requirement()
