"""Every registered family meets the requirements on families."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sortal.core import registry
from sortal.engine import compile
from sortal.engine.program import Program
from sortal.models.family import Family, FitRequest, Fitted, Settings
from sortal.models.neural import CUT, scaling
from sortal.prepare.view import ImageColumns
from sortal.testing import Requirement, check_family

SMALL: dict[str, Settings] = {
    "catboost": {"rounds": 20},
    "catboost_prep": {"rounds": 20},
    "cnn": {"epochs": 10, "width": 8},
    "extra_trees": {"trees": 30},
    "forest": {"trees": 30},
    "lightgbm": {"rounds": 30},
    "lightgbm_prep": {"rounds": 30},
    "mlp": {"epochs": 16, "width": 32},
    "xgboost": {"rounds": 30},
}
FAMILIES = {name: registry.load("sortal.models", name) for name in registry.names("sortal.models")}


def with_focal_loss(family: Family) -> Family:
    """The same family as it is fitted by candidates that minimise the focal loss."""

    def fit(request: FitRequest, settings: Settings) -> Fitted:
        return family.fit(request, {"focal": 2.0, **settings})

    return replace(family, name=f"{family.name}_focal", fit=fit)


def on_images(family: Family) -> Family:
    """The same family on grey images of stripes, as wide as columns are many, that are as light as a row's numbers."""

    def fit(request: FitRequest, settings: Settings) -> Fitted:
        d = request.train.X.shape[1]
        stripes = np.zeros((d, 256))
        stripes[np.arange(256) % d, np.arange(256)] = 1 / (2 * CUT)
        lift = Program("scale", arrays={"mean": np.full(256, -0.5), "scale": np.ones(256)})
        before = scaling(request.train.X).then(Program("project", arrays={"weight": stripes}), lift)
        to_images = compile(before)
        stop = None if request.stop is None else replace(request.stop, X=to_images(request.stop.X))
        train = replace(request.train, X=to_images(request.train.X))
        images = replace(request, train=train, stop=stop, categorical=(), image=ImageColumns(0, 1, 16))
        fitted = family.fit(images, settings)
        return replace(
            fitted,
            predict_proba=lambda X: fitted.predict_proba(to_images(X)),
            program=lambda: before.then(fitted.program()),
            importance=stripes @ fitted.importance,
        )

    return replace(family, name=f"{family.name}_on_images", fit=fit)


REQUIREMENTS = [
    *(r for name, family in FAMILIES.items() for r in check_family(family, SMALL.get(name))),
    *(r for r in check_family(on_images(FAMILIES["cnn"]), SMALL["cnn"]) if not r.name.endswith("-2")),
    *(r for name in ("lightgbm", "xgboost") for r in check_family(with_focal_loss(FAMILIES[name]), {"rounds": 20})),
]


def test_families_are_registered_under_their_names() -> None:
    assert {name: family.name for name, family in FAMILIES.items()} == {name: name for name in FAMILIES}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_family(requirement: Requirement) -> None:
    requirement()
