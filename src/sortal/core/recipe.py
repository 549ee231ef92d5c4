"""What was asked, and what was run for it. Written as TOML into every run folder; reading it back replays the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from sortal.core.errors import OptionError, did_you_mean
from sortal.core.limits import check_goal, check_rows, check_search
from sortal.core.option_values import read_option
from sortal.core.plain import quoted
from sortal.core.plan import Planned
from sortal.core.sheets import FIELDS, RAN, SHEETS, GoalOptions, RowOptions, SearchOptions, option_types
from sortal.core.text_file import Unreadable, text_of
from sortal.core.toml_tree import toml_tree

MOST_BYTES = 2**20
"""Of a recipe; one that leaves out 20,000 columns has a fifth of that."""


@dataclass(frozen=True)
class Recipe:
    """A run's options on three sheets, each of which goes to the steps that it is about. Whoever writes or reads
    options sees one flat list of names. Raises OptionError for what no data can make right.
    """

    goal: GoalOptions
    rows: RowOptions
    search: SearchOptions

    def __post_init__(self) -> None:
        check_goal(self.goal)
        check_rows(self.rows)
        check_search(self.search)

    @classmethod
    def of(cls, target: object, **options: Any) -> Recipe:
        """The recipe that Python code asks for.

        >>> Recipe.of("churned", cost="fp=1,fn=8", budget="1m").search.budget
        60.0
        """
        return cls.from_options({"target": target, **options})

    @classmethod
    def from_options(cls, options: Mapping[str, Any], file: Path | None = None) -> Recipe:
        """The recipe that ``options`` amount to, by their names and as a person writes them; beside what stands in
        ``file``.

        An option that the file does not mention is taken; it makes another run of it, which is searched for anew.
        Raises OptionError for an option that contradicts the file, that has not the type it should have, or where no
        target is named.

        >>> options = {"target": "y", "budget": "2m", "kind": ["zip=category"], "models": "svm, tree"}
        >>> recipe = Recipe.from_options(options)
        >>> recipe.search.budget, recipe.rows.kind, recipe.search.models
        (120.0, {'zip': 'category'}, ('svm', 'tree'))
        """
        for name in options:
            if name not in option_types():
                raise OptionError(f"no option {quoted(name)}; {did_you_mean(str(name), option_types())}")
        requested = {name: read_option(name, value) for name, value in options.items() if value is not None}
        if file is None:
            if "target" not in requested:
                raise OptionError("say which column is to be predicted: --target COLUMN")
            return cls._from_flat(requested)
        text = _text(file)
        recipe, in_file = cls.from_toml(text, file.name), toml_tree(text, file.name)
        current = recipe.options()
        for name, value in requested.items():
            if name in in_file and current[name] != value:
                raise OptionError(
                    f"{flag(name)} contradicts {file.name}, which says {name} = {in_file[name]!r}; leave one of them "
                    "out"
                )
        changed = recipe.with_options(**requested)
        return recipe if changed == recipe else changed.with_options(**{name: defaults()[name] for name in RAN})

    @classmethod
    def _from_flat(cls, options: Mapping[str, Any]) -> Recipe:
        """Each option on its sheet."""
        by_sheet = [{f.name: options[f.name] for f in fields(sheet) if f.name in options} for sheet in SHEETS]
        return cls(GoalOptions(**by_sheet[0]), RowOptions(**by_sheet[1]), SearchOptions(**by_sheet[2]))

    def options(self) -> dict[str, Any]:
        """All options by name, as the sheets hold them."""
        return {**vars(self.goal), **vars(self.rows), **vars(self.search)}

    def with_options(self, **options: Any) -> Recipe:
        """The recipe with these options instead, in the form that the sheets hold."""
        return self._from_flat({**self.options(), **options})

    @property
    def parts(self) -> str:
        """How the rows are split, as told or by default: what is promised needs rows to be proven on."""
        return self.rows.split or ("65/20/15" if self.goal.promises else "85/15")

    def to_toml(self) -> str:
        """What differs from the defaults: of everything else the recipe says nothing.

        >>> print(Recipe.of("churned", cost="fp=1,fn=8", seed=3).to_toml(), end="")
        target = "churned"
        cost = "fp=1,fn=8"
        seed = 3
        """
        import tomli_w

        usual = defaults()
        changed = {n: value for n, value in self.options().items() if n not in usual or value != usual[n]}
        return tomli_w.dumps(_without_none(msgspec.to_builtins(changed)))

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The recipe in a file. Raises OptionError where there is none."""
        return cls.from_toml(_text(path), path.name)

    @classmethod
    def from_toml(cls, text: str, name: str = "this") -> Recipe:
        """Raises OptionError where the text is no recipe; ``name`` is what the message calls it."""
        tree = toml_tree(text, name)
        for key in tree:
            if key not in option_types():
                raise OptionError(
                    f"{name} is not a recipe of sortal: it has {quoted(key)}; {did_you_mean(key, option_types())}"
                )
        if "target" not in tree:
            raise OptionError(f"{name} is not a recipe of sortal: it names no target")
        if tree.get("plan") == []:
            raise OptionError(f"{name} has an empty plan; take plan out, and candidates are searched anew")
        _check_planned(tree.get("plan"), name)
        try:
            return cls._from_flat({key: _read_plain(key, value) for key, value in tree.items()})
        except OptionError as error:
            raise OptionError(f"{name}: {error}") from None
        except msgspec.ValidationError as error:
            raise OptionError(f"{name} is not a recipe of sortal: {error}") from error


def _read_plain(name: str, value: object) -> Any:
    """An option from a file, where each has only the form that ``to_toml`` gives it."""
    try:
        plain = msgspec.convert(value, option_types()[name], strict=False)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{name}: {error}") from error
    return read_option(name, plain)


def _check_planned(plan: Any, name: str) -> None:
    """What stands in a plan beside what is read is not passed over in silence."""
    keys = [field.name for field in fields(Planned)]
    for planned in plan if isinstance(plan, list) else ():
        for key in planned if isinstance(planned, dict) else ():
            if key not in keys:
                raise OptionError(
                    f"{name} is not a recipe of sortal: a part of plan has {quoted(key)}; {did_you_mean(key, keys)}"
                )


def _without_none(value: Any) -> Any:
    """TOML has no null: what is not there is not written."""
    if isinstance(value, dict):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list | tuple) else value


@cache
def defaults() -> dict[str, Any]:
    """What an option is where nothing is said of it, by name; the target has no default."""
    values = {f.name: f.default if f.default_factory is MISSING else f.default_factory() for f in FIELDS}
    return {name: value for name, value in values.items() if value is not MISSING}


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
