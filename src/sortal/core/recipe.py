"""What was asked, and what was run for it. Written as TOML into every run folder; reading it back replays the run."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from sortal.core import registry
from sortal.core.errors import OptionError, did_you_mean
from sortal.core.schema import column_name
from sortal.core.task import Capacity

Number = float | int | str


@dataclass(frozen=True)
class Planned:
    """One candidate as it was run: for each fold the settings that repeat it without a clock."""

    name: str
    efforts: tuple[dict[str, Number], ...]


@dataclass(frozen=True)
class Recipe:
    """A run's options. ``budget`` in seconds; ``split`` as ``train/valid/test`` or ``dev/test`` in percent, or
    the name of a column that says which part a row is in.

    Without a split, the test has 15 %, and where something is promised (``precision``, ``recall``, ``fpr``, ``sets``) another 20 %
    are kept out of training to prove it on.

    ``missing`` are the texts that mean "no value", beside an empty one; None for those that usually do. Names of columns are given
    as any object (3 for a column that pandas calls 3).

    ``cost`` as it was given: ``"fp=1,fn=8"``, the path of a CSV file, or costs by truth and decision. ``plan`` is empty until a run
    has been made, and ``unchecked`` has the checks of the audit that it had no time for; with them the same data and recipe give the same model, byte for byte, whatever the clock says.
    """

    target: str
    metric: str = "auto"
    cost: Any = None
    cost_columns: tuple[str, ...] = ()
    reject_cost: float | None = None
    positive: str | None = None
    goal: Literal["f1"] | None = None
    beta: float = 1.0
    precision: float | None = None
    recall: float | None = None
    fpr: float | None = None
    confidence: float = 0.95
    capacity: str | int | float | None = None
    sets: float | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = None
    split: str | None = None
    select: int | None = None
    models: tuple[str, ...] = ()
    budget: float = 120.0
    seed: int = 0
    plan: tuple[Planned, ...] = ()
    unchecked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Names of columns as tables have them. Raises OptionError for what no data can make right."""
        for option, names in self._columns_asked().items():
            object.__setattr__(self, option, names)
        if self.seed < 0:
            raise OptionError(f"seed {self.seed} is negative; give a whole number from 0 on")
        if self.select is not None and self.select < 1:
            raise OptionError(f"select {self.select} keeps no column; give the number of columns to keep, 1 or more")
        if not 0 < self.budget < math.inf:
            raise OptionError(f"budget {self.budget:g} leaves no time to train; give seconds, for example 60")
        if self.goal not in (None, "f1"):
            raise OptionError(f"no goal {self.goal!r}; {did_you_mean(str(self.goal), ['f1'])}")
        for name in ("precision", "recall", "fpr", "confidence", "sets"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise OptionError(f"{name} {value:g} is no share between 0 and 1; give for example 0.9")
        if not 0 < self.beta < math.inf:
            raise OptionError(
                f"beta {self.beta:g} is no weight; give a number above 0, such as 2 where recall weighs more"
            )
        if self.beta != 1 and self.goal != "f1":
            raise OptionError(
                f"beta {self.beta:g} weighs recall in F-beta, which is not the goal; give goal 'f1' with it"
            )
        if self.reject_cost is not None and not 0 <= self.reject_cost < math.inf:
            raise OptionError(f"reject cost {self.reject_cost:g} should be a number from 0 on")
        if self.metric != "auto":
            registry.check("sortal.metrics", self.metric)
        for name in self.models:
            registry.check("sortal.models", name)

    def _columns_asked(self) -> dict[str, Any]:
        """The options that name columns, each name in the form that ``column_name`` gives it in a table."""
        single = {"target": self.target, "time": self.time, "group": self.group, "split": self.split_column}
        costs = [cost.partition("=") for cost in self.cost_columns]
        return {
            **{option: column_name(name) for option, name in single.items() if name is not None},
            "ignore": tuple(map(column_name, self.ignore)),
            "kinds": {column_name(name): kind for name, kind in self.kinds.items()},
            "cost_columns": tuple(f"{cell}{equals}{column_name(name)}" for cell, equals, name in costs),
        }

    @property
    def promises(self) -> bool:
        """Whether something is promised that must be proven on rows that the shipped model never saw."""
        return any(value is not None for value in (self.precision, self.recall, self.fpr, self.sets))

    @property
    def parts(self) -> str:
        """How the rows are split, as told or by default."""
        return self.split or ("65/20/15" if self.promises else "85/15")

    @property
    def split_column(self) -> str | None:
        """The column that says which part a row is in, where ``split`` names one.

        >>> Recipe("y", split="fold").split_column, Recipe("y", split="70/15/15").split_column
        ('fold', None)
        """
        return None if self.split is None or re.fullmatch(r"[\d./\s+-]+", self.split) else self.split

    def to_toml(self) -> str:
        import tomli_w

        asked = {k: v for k, v in msgspec.to_builtins(self).items() if v is not None}
        return tomli_w.dumps(asked)

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The recipe in a file. Raises OptionError where there is none."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise OptionError(f"no recipe can be read from {str(path)!r}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise OptionError(f"no recipe can be read from {str(path)!r}: it is no text in UTF-8") from error
        return cls.from_toml(text, path.name)

    @classmethod
    def from_toml(cls, text: str, name: str = "this") -> Recipe:
        """Raises OptionError where the text is no recipe; ``name`` is what the message calls it."""
        try:
            told = tomllib.loads(text)
            recipe = msgspec.convert(told, cls, strict=False)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise OptionError(f"{name} is not a recipe of sortal: {error}") from error
        known = [field.name for field in fields(cls)]
        for key in told:
            if key not in known:
                raise OptionError(f"{name} is not a recipe of sortal: it has {key!r}; {did_you_mean(key, known)}")
        return recipe


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


def parse_capacity(capacity: str | float, rows: int) -> Capacity:
    """How many of a batch can be decided positive: a number (500) or a share (``"5%"``, .05).

    >>> parse_capacity("5%", 1_000), parse_capacity(20, 1_000)
    (Capacity(share=0.05, count=None), Capacity(share=0.02, count=20))
    """
    text = str(capacity).strip()
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = math.nan
    if 0 < number < 1:
        return Capacity(number)
    if number >= 1 and number.is_integer() and not text.endswith("%"):
        return Capacity(min(1.0, number / rows), int(number))
    raise OptionError(f"capacity {text} is no number of rows and no share; give for example 500 or 5%")


def parse_names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Names as a sequence, or in one text with commas between them.

    >>> parse_names("lightgbm, svm"), parse_names(["svm"])
    (('lightgbm', 'svm'), ('svm',))
    """
    names = given.split(",") if isinstance(given, str) else given
    return tuple(stripped for name in names if (stripped := name.strip()))


def plain_cost(cost: object) -> Any:
    """Costs as a recipe holds them: text, or text to Python's numbers.

    >>> plain_cost({0: {1: 2.5}, 1: {0: 1}})
    {'0': {'1': 2.5}, '1': {'0': 1}}
    """
    if isinstance(cost, Mapping):
        return {str(name): plain_cost(value) for name, value in cost.items()}
    if isinstance(cost, Path):
        return str(cost)
    return cost.item() if hasattr(cost, "item") else cost


def parse_kinds(given: Mapping[Any, str] | list[str] | tuple[str, ...]) -> dict[str, str]:
    """Kinds by column, from a mapping or from ``COLUMN=KIND`` texts; a kind may have a format.

    >>> parse_kinds(["zip=category", "day=datetime:%d/%m/%Y"])
    {'zip': 'category', 'day': 'datetime:%d/%m/%Y'}
    """
    if isinstance(given, Mapping):
        return {column_name(name): str(kind) for name, kind in given.items()}
    pairs = [text.rpartition("=") for text in given]
    for text, (column, _, kind) in zip(given, pairs, strict=True):
        if not column or not kind:
            raise OptionError(f"--kind {text} should read COLUMN=KIND, for example zip=category")
    return {column: kind for column, _, kind in pairs}
