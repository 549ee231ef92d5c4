"""sortal: from a labelled table to a classifier that a person can trust with a decision.

>>> import sortal
>>> sorted(sortal.__all__)[:3]
['InputError', 'Model', 'Run']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sortal.version import __version__ as __version__

if TYPE_CHECKING:
    from sortal.api import audit, train
    from sortal.artifact.model import Model, load
    from sortal.core.errors import InputError, SortalError
    from sortal.estimator import SortalClassifier
    from sortal.run import Run

__all__ = ["InputError", "Model", "Run", "SortalClassifier", "SortalError", "audit", "load", "train"]

_HOMES = {
    "InputError": "sortal.core.errors",
    "Model": "sortal.artifact.model",
    "Run": "sortal.run",
    "SortalClassifier": "sortal.estimator",
    "SortalError": "sortal.core.errors",
    "audit": "sortal.api",
    "load": "sortal.artifact.model",
    "train": "sortal.api",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used: ``import sortal`` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sortal' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
