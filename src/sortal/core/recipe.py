"""What was asked, and what was run for it. Written as TOML into every run folder; reading it back replays the run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from sortal.core.disclosure import SMALLEST_COUNT, Disclosure
from sortal.core.errors import InputError, OptionError, did_you_mean
from sortal.core.limits import check_options
from sortal.core.plain import quoted
from sortal.core.plan import Planned as Planned
from sortal.core.schema import column_name
from sortal.core.task import Capacity
from sortal.core.text_file import Unreadable, text_of
from sortal.core.toml_tree import toml_tree

RAN = ("plan", "refit", "unchecked")
"""What a run adds to the recipe: not what was asked, but what was done for it."""
MOST_BYTES = 2**20
"""Of a recipe; one that leaves out 20,000 columns has a fifth of that."""


@dataclass(frozen=True)
class Recipe:
    """A run's options, by the names that they have on the command line and in Python.

    ``budget`` in seconds; ``split`` as ``train/valid/test`` or ``train/test`` in percent, or the name of a column that says which
    part a row is in. Without a split, the test has 15 %, and where something is promised (``precision``, ``recall``, ``fpr``,
    ``sets``) another 20 % are kept out of training to prove it on.

    ``missing`` are the texts that mean "no value", beside an empty one; None for those that usually do. Names of columns are given
    as any object (3 for a column that pandas calls 3).

    ``smallest_count``: a value of a column that fewer rows hold leaves with no file, and is as unseen to every model. ``private``: no
    value, row or row number is quoted at all, in a finding or reason or anywhere in the report.

    ``cost`` as it was given: ``"fp=1,fn=8"``, the path of a CSV file, or costs by truth and decision. ``plan`` is empty until a run
    has been made; ``refit`` says whether its model was fitted again on all rows, and ``unchecked`` has the checks of the audit that
    it had no time for. With them the same data and recipe give the same model, byte for byte, whatever the clock says.
    """

    target: str
    metric: str = "auto"
    cost: Any = None
    cost_column: tuple[str, ...] = ()
    reject_cost: float | None = None
    positive: str | None = None
    precision: float | None = None
    recall: float | None = None
    fpr: float | None = None
    confidence: float = 0.95
    capacity: str | int | float | None = None
    f1: bool = False
    f_beta: float | None = None
    sets: float | None = None
    kind: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = None
    weight: str | None = None
    split: str | None = None
    select: int | None = None
    smallest_count: int = SMALLEST_COUNT
    private: bool = False
    models: tuple[str, ...] = ()
    budget: float = 120.0
    seed: int = 0
    plan: tuple[Planned, ...] = ()
    refit: bool = True
    unchecked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Names of columns as tables have them. Raises OptionError for what no data can make right."""
        for option, names in self._columns_asked().items():
            object.__setattr__(self, option, names)
        check_options(self)

    @classmethod
    def asked(cls, options: Mapping[str, Any], file: Path | None = None) -> Recipe:
        """The recipe that ``options`` amount to, by the names of its fields and as a person writes them; beside what stands in ``file``.

        An option that the file does not mention is taken; it makes another run of it, which is searched for anew. Raises
        OptionError for an option that contradicts the file, that has not the type it should have, or where no target is named.

        >>> asked = Recipe.asked({"target": "y", "budget": "2m", "kind": ["zip=category"], "models": "svm, tree"})
        >>> asked.budget, asked.kind, asked.models
        (120.0, {'zip': 'category'}, ('svm', 'tree'))
        """
        for name in options:
            if name not in _types():
                raise OptionError(f"no option {quoted(name)}; {did_you_mean(str(name), _types())}")
        given = {name: _value(name, value) for name, value in options.items() if value is not None}
        if file is None:
            if "target" not in given:
                raise OptionError("say which column is to be predicted: --target COLUMN")
            return cls(**given)
        recipe, said = cls.read(file), _said(file)
        for name, value in given.items():
            if name in said and getattr(recipe, name) != value:
                raise OptionError(
                    f"{flag(name)} contradicts {file.name}, which says {name} = {said[name]!r}; leave one of them out"
                )
        changed = replace(recipe, **given)
        return recipe if changed == recipe else replace(changed, **{name: defaults()[name] for name in RAN})

    @property
    def beta(self) -> float:
        """How much more recall weighs than precision in F-beta."""
        return 1.0 if self.f_beta is None else self.f_beta

    def _columns_asked(self) -> dict[str, Any]:
        """The options that name columns, each name in the form that ``column_name`` gives it in a table."""
        single = {
            "target": self.target,
            "time": self.time,
            "group": self.group,
            "weight": self.weight,
            "split": self.split_column,
        }
        costs = [cost.partition("=") for cost in self.cost_column]
        return {
            **{option: column_name(name) for option, name in single.items() if name is not None},
            "ignore": tuple(map(column_name, self.ignore)),
            "kind": {column_name(name): kind for name, kind in self.kind.items()},
            "cost_column": tuple(f"{cell}{equals}{column_name(name)}" for cell, equals, name in costs),
        }

    @property
    def disclosure(self) -> Disclosure:
        """What files may hold of the data."""
        return Disclosure(self.smallest_count, self.private)

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
        """What differs from the defaults: of everything else the recipe says nothing.

        >>> print(Recipe("churned", cost="fp=1,fn=8", seed=3).to_toml(), end="")
        target = "churned"
        cost = "fp=1,fn=8"
        seed = 3
        """
        import tomli_w

        said, usual = msgspec.to_builtins(self), defaults()
        changed = {
            name: value for name, value in said.items() if name not in usual or getattr(self, name) != usual[name]
        }
        return tomli_w.dumps(_without_none(changed))

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The recipe in a file. Raises OptionError where there is none."""
        return cls.from_toml(_text(path), path.name)

    @classmethod
    def from_toml(cls, text: str, name: str = "this") -> Recipe:
        """Raises OptionError where the text is no recipe; ``name`` is what the message calls it."""
        told = toml_tree(text, name)
        known = [field.name for field in fields(cls)]
        for key in told:
            if key not in known:
                raise OptionError(f"{name} is not a recipe of sortal: it has {quoted(key)}; {did_you_mean(key, known)}")
        if told.get("plan") == []:
            raise OptionError(f"{name} has an empty plan; take plan out, and candidates are searched anew")
        _check_planned(told.get("plan"), name)
        try:
            return msgspec.convert(told, cls, strict=False)
        except OptionError as error:
            raise OptionError(f"{name}: {error}") from None
        except msgspec.ValidationError as error:
            raise OptionError(f"{name} is not a recipe of sortal: {error}") from error


def _check_planned(plan: Any, name: str) -> None:
    """What stands in a plan beside what is read is not passed over in silence."""
    known = [field.name for field in fields(Planned)]
    for planned in plan if isinstance(plan, list) else ():
        for key in planned if isinstance(planned, dict) else ():
            if key not in known:
                raise OptionError(
                    f"{name} is not a recipe of sortal: a part of plan has {quoted(key)}; {did_you_mean(key, known)}"
                )


def _without_none(value: Any) -> Any:
    """TOML has no null: what is not there is not written."""
    if isinstance(value, dict):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list | tuple) else value


@cache
def defaults() -> dict[str, Any]:
    """What an option is where nothing is said of it, by name; the target has no default."""
    made = {f.name: f.default if f.default_factory is MISSING else f.default_factory() for f in fields(Recipe)}
    return {name: value for name, value in made.items() if value is not MISSING}


def flag(name: str) -> str:
    """An option as it is written on the command line.

    >>> flag("cost_column")
    '--cost-column'
    """
    return f"--{name.replace('_', '-')}"


def _text(path: Path) -> str:
    try:
        return text_of(path, MOST_BYTES)
    except Unreadable as reason:
        raise OptionError(f"no recipe can be read from {quoted(str(path))}: {reason}") from reason


def _said(path: Path) -> dict[str, Any]:
    """What stands in the file of a recipe, as it stands there."""
    return toml_tree(_text(path), path.name)


def _value(name: str, given: object) -> Any:
    """An option as a recipe holds it. Raises OptionError where it has another type."""
    try:
        return msgspec.convert(_READERS.get(name, _item)(given), _types()[name], strict=False)
    except InputError:
        raise
    except msgspec.ValidationError as error:
        said = str(error).lower().replace(" | null", "").replace("`", "")
        raise OptionError(f"{name} cannot be {quoted(given)}: {said}") from None
    except (TypeError, AttributeError, ValueError, RecursionError):
        raise OptionError(
            f"{name} cannot be {quoted(given)}: a {type(given).__name__} is not how it is written"
        ) from None


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Recipe)


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


def parse_texts(given: str | Iterable[object]) -> tuple[str, ...]:
    """Texts: one, or several."""
    return (given,) if isinstance(given, str) else tuple(map(str, given))


def parse_columns(given: object) -> tuple[str, ...]:
    """Names of columns: one, or several.

    >>> parse_columns("a"), parse_columns(["a", 3])
    (('a',), ('a', '3'))
    """
    return (str(given),) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(map(str, given))


def parse_pairs(given: Mapping[str, Any] | str | Sequence[str]) -> tuple[str, ...]:
    """``fn=COLUMN`` texts, from a mapping or as they are.

    >>> parse_pairs({"fn": "amount"}), parse_pairs("fn=amount")
    (('fn=amount',), ('fn=amount',))
    """
    if isinstance(given, Mapping):
        return tuple(f"{name}={column}" for name, column in given.items())
    return (given,) if isinstance(given, str) else tuple(given)


def plain_cost(cost: object) -> Any:
    """Costs as a recipe holds them: text, or text to Python's numbers.

    >>> plain_cost({0: {1: 2.5}, 1: {0: 1}})
    {'0': {'1': 2.5}, '1': {'0': 1}}
    """
    if isinstance(cost, str | Path):
        return str(cost)
    if not isinstance(cost, Mapping):
        raise OptionError(f'cost is {quoted(cost)}; give for example {{"fp": 1, "fn": 8}}')
    return {
        str(name): {str(decided): _item(amount) for decided, amount in value.items()}
        if isinstance(value, Mapping)
        else _item(value)
        for name, value in cost.items()
    }


def _item(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    return value.item() if hasattr(value, "item") else value


def parse_kinds(given: Mapping[Any, str] | str | Sequence[str]) -> dict[str, str]:
    """Kinds by column, from a mapping or from ``COLUMN=KIND`` texts; a kind may have a format.

    >>> parse_kinds(["zip=category", "day=datetime:%d/%m/%Y"])
    {'zip': 'category', 'day': 'datetime:%d/%m/%Y'}
    """
    if isinstance(given, Mapping):
        return {column_name(name): str(kind) for name, kind in given.items()}
    texts = [given] if isinstance(given, str) else given
    pairs = [text.rpartition("=") for text in texts]
    for text, (column, _, kind) in zip(texts, pairs, strict=True):
        if not column or not kind:
            raise OptionError(f"--kind {text} should read COLUMN=KIND, for example zip=category")
    return {column: kind for column, _, kind in pairs}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("target", "positive", "time", "group", "weight", "split"), str),
    "cost": plain_cost,
    "cost_column": parse_pairs,
    "kind": parse_kinds,
    "missing": parse_texts,
    "ignore": parse_columns,
    "models": parse_names,
    "budget": parse_budget,
}
"""How an option is read that a person may write in several ways."""
