"""Names to things: built-ins and plug-ins alike are entry points, and are imported only when asked for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sortal.core.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal[
    "sortal.kinds", "sortal.preparers", "sortal.models", "sortal.metrics", "sortal.calibrators", "sortal.checks"
]


@cache
def _points(group: Group) -> dict[str, EntryPoint]:
    # Imported where it is needed: scoring a row needs nothing that is registered.
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=group)}


def names(group: Group) -> tuple[str, ...]:
    """What is registered, sorted; nothing is imported."""
    return tuple(sorted(_points(group)))


def check(group: Group, name: str) -> None:
    """Raises OptionError, which lists what there is, where nothing has this name; nothing is imported."""
    if name not in _points(group):
        thing = group.removeprefix("sortal.").removesuffix("s")
        raise OptionError(f"no {thing} {name!r}; {did_you_mean(name, names(group), most=40)}")


@cache
def load(group: Group, name: str) -> Any:
    """The thing that is registered under this name. Raises OptionError as ``check`` does."""
    check(group, name)
    return _points(group)[name].load()
