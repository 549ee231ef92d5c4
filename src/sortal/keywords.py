"""The options of a recipe as keywords in Python: what a person may write for each, for editors and type checkers.

Names, defaults and meaning stand in ``core.sheets``; a static checker reads no fields, and so needs the names once
more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field
from inspect import Parameter
from pathlib import Path
from typing import Any, TypedDict, get_type_hints

from sortal.core.signatures import keyword


class AuditOptions(TypedDict, total=False):
    """What ``sortal.audit`` takes beside the data and the target."""

    metric: str
    cost: str | Path | Mapping[Any, Any] | None
    cost_column: Mapping[str, str] | Sequence[str]
    reject_cost: float | None
    precision: float | None
    recall: float | None
    fpr: float | None
    confidence: float
    capacity: str | float | None
    f1: bool
    f_beta: float | None
    sets: float | None
    positive: str | float | bool | None
    kind: Mapping[str, str] | Sequence[str]
    missing: str | Sequence[str] | None
    ignore: Any
    time: Any
    group: Any
    weight: Any
    split: str | None
    slice: Any
    smallest_count: int
    private: bool
    seed: int


class TrainOptions(AuditOptions, total=False):
    """What ``sortal.train`` takes beside these."""

    select: int | None
    models: str | Sequence[str]
    backbone: str | Path | Sequence[str | Path]
    embed_backbone: str | bool
    max_latency: str | float | None
    max_size: str | int | None
    budget: str | float | None
    effort: float | None
    device: str


def in_python(options: Iterable[Field[Any]], types: type[AuditOptions]) -> list[Parameter]:
    """Options as keywords; the target is an argument."""
    hints = get_type_hints(types)
    return [keyword(option, hints[option.name]) for option in options if option.name != "target"]
