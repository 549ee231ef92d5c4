"""Every registered family meets the requirements on families."""

from __future__ import annotations

import pytest

from sortal.core import registry
from sortal.models.family import Settings
from sortal.testing import Requirement, check_family

SMALL: dict[str, Settings] = {
    "extra_trees": {"trees": 30},
    "forest": {"trees": 30},
    "lightgbm": {"rounds": 60},
    "xgboost": {"rounds": 60},
}
FAMILIES = {name: registry.load("sortal.models", name) for name in registry.names("sortal.models")}
REQUIREMENTS = [r for name, family in FAMILIES.items() for r in check_family(family, SMALL.get(name))]


def test_families_are_registered_under_their_names() -> None:
    assert {name: family.name for name, family in FAMILIES.items()} == {name: name for name in FAMILIES}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_family(requirement: Requirement) -> None:
    requirement()
