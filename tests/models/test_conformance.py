"""Every registered family meets the requirements on families."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sortal.core import registry
from sortal.models.family import Family, FitRequest, Fitted, Settings
from sortal.testing import Requirement, check_family

SMALL: dict[str, Settings] = {
    "catboost": {"rounds": 20},
    "extra_trees": {"trees": 30},
    "forest": {"trees": 30},
    "lightgbm": {"rounds": 60},
    "lightgbm_prep": {"rounds": 60},
    "mlp": {"epochs": 16, "width": 32},
    "xgboost": {"rounds": 60},
}
FAMILIES = {name: registry.load("sortal.models", name) for name in registry.names("sortal.models")}


def with_focal_loss(family: Family) -> Family:
    """The same family as it is fitted by candidates that minimise the focal loss."""

    def fit(request: FitRequest, settings: Settings) -> Fitted:
        return family.fit(request, {"focal": 2.0, **settings})

    return replace(family, name=f"{family.name}_focal", fit=fit)


REQUIREMENTS = [
    *(r for name, family in FAMILIES.items() for r in check_family(family, SMALL.get(name))),
    *(r for name in ("lightgbm", "xgboost") for r in check_family(with_focal_loss(FAMILIES[name]), {"rounds": 20})),
]


def test_families_are_registered_under_their_names() -> None:
    assert {name: family.name for name, family in FAMILIES.items()} == {name: name for name in FAMILIES}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_family(requirement: Requirement) -> None:
    requirement()
