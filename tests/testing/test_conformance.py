"""The built-in kinds, metrics, calibrators and checks meet the requirements on theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sortal.core import registry
from sortal.core.registry import Group
from sortal.testing import Requirement, check_calibrator, check_check, check_kind, check_metric

TEXTS = {
    "number": ["1,5", "2"],
    "category": ["a", "B", "1.0"],
    "boolean": ["No", "Yes", "yes"],
    "datetime": ["31/01/2020", "01/02/2020"],
    "text": ["one word and another", "e\u0301t\u00e9"],
    "image": [
        "R0lGODdhAgACAIEAAP8AAAAAAAAAAAAAACwAAAAAAgACAAAIBgABCAQQEAA7",
        "data:image/gif;base64,R0lGODdhAgACAIEAAAAA/wAAAAAAAAAAACwAAAAAAgACAAAIBgABCAQQEAA7",
    ],
}
CHECKS: dict[Group, Callable[[Any], Iterator[Requirement]]] = {
    "sortal.kinds": lambda kind: check_kind(kind, TEXTS[kind.name]),
    "sortal.metrics": check_metric,
    "sortal.calibrators": check_calibrator,
    "sortal.checks": check_check,
}
REQUIREMENTS = [
    requirement
    for group, check in CHECKS.items()
    for name in registry.names(group)
    for requirement in check(registry.load(group, name))
]


@pytest.mark.parametrize("group", CHECKS)
def test_everything_is_registered_under_its_name(group: Group) -> None:
    names = registry.names(group)
    attribute = "code" if group == "sortal.checks" else "name"
    assert names
    assert [getattr(registry.load(group, name), attribute) for name in names] == list(names)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_builtin(requirement: Requirement) -> None:
    requirement()
