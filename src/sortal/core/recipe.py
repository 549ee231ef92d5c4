"""What was asked, and what was run for it. Written as TOML into every run folder; reading it back replays the run."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from sortal.core.errors import OptionError
from sortal.core.schema import Kind

Number = float | int | str


@dataclass(frozen=True)
class Planned:
    """One candidate as it was run: for each fold the settings that repeat it without a clock."""

    name: str
    efforts: tuple[dict[str, Number], ...]


@dataclass(frozen=True)
class Recipe:
    """A run's options. ``budget`` in seconds; ``split`` as ``train/valid/test`` or ``dev/test`` in percent.

    ``cost`` as it was given: ``"fp=1,fn=8"``, the path of a CSV file, or costs by truth and decision. ``plan`` is empty until a run
    has been made; with it the same data and recipe give the same model, byte for byte, whatever the clock says.
    """

    target: str
    metric: str = "auto"
    cost: Any = None
    positive: str | None = None
    goal: Literal["f1"] | None = None
    kinds: dict[str, Kind] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = None
    split: str = "85/15"
    select: int | None = None
    models: tuple[str, ...] = ()
    budget: float = 120.0
    seed: int = 0
    plan: tuple[Planned, ...] = ()

    def to_toml(self) -> str:
        import tomli_w

        asked = {k: v for k, v in msgspec.to_builtins(self).items() if v is not None}
        return tomli_w.dumps(asked)

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The recipe in a file. Raises OptionError where there is none."""
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"no recipe can be read from {path}: {error}") from error

    @classmethod
    def from_toml(cls, text: str) -> Recipe:
        """Raises OptionError where the text is no recipe."""
        try:
            return msgspec.convert(tomllib.loads(text), cls, strict=False)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise OptionError(f"this is not a recipe of sortal: {error}") from error


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_budget(budget: str | float) -> float:
    """Seconds of a budget such as ``"90s"``, ``"2m"``, ``"1h"`` or a plain number of seconds.

    >>> parse_budget("2m"), parse_budget(45)
    (120.0, 45.0)
    """
    text = str(budget).strip().lower()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text)
    if match is None or match[2] not in _UNITS:
        raise OptionError(f"--budget {budget} is not a time; write for example 60s, 2m or 1h")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds <= 0 or math.isinf(seconds):
        raise OptionError(f"--budget {budget} leaves no time to train; write for example 60s, 2m or 1h")
    return seconds


def parse_kinds(given: Mapping[str, Any] | list[str] | tuple[str, ...]) -> dict[str, Kind]:
    """Kinds by column, from a mapping or from ``COLUMN=KIND`` texts.

    >>> parse_kinds(["zip=category"])
    {'zip': 'category'}
    """
    if isinstance(given, Mapping):
        return {str(k): v for k, v in given.items()}
    pairs = [text.rpartition("=") for text in given]
    for text, (column, _, kind) in zip(given, pairs, strict=True):
        if not column or not kind:
            raise OptionError(f"--kind {text} should read COLUMN=KIND, for example zip=category")
    return {column: kind for column, _, kind in pairs}  # type: ignore[misc]
