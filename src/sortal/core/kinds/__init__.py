"""Kinds of columns, a file each: how a kind is recognised, read, shown and compared. Everything else asks the kind.

Built-in kinds are imported with this package, so that a row is scored without a look at what is installed; kinds of
others are entry points (group ``sortal.kinds``), and are imported only when a column is of one.
"""

from __future__ import annotations

from sortal.core import registry
from sortal.core.kinds import boolean, category, datetime, image, number, text
from sortal.core.kinds.kind import Kind, Storage

__all__ = ["BUILT_IN", "INFERRED", "Kind", "Storage", "is_item", "is_kind", "kind_of", "names"]

BUILT_IN: dict[str, Kind] = {
    kind.name: kind for kind in (number.kind, category.kind, boolean.kind, datetime.kind, text.kind, image.kind)
}
INFERRED: tuple[Kind, ...] = (number.kind, datetime.kind, boolean.kind, image.kind, text.kind, category.kind)
"""In the order in which a column is asked whether it is one; the last refuses none."""


def names() -> tuple[str, ...]:
    """The kinds that a column may have: built-in ones first."""
    return (*BUILT_IN, *(name for name in registry.names("sortal.kinds") if name not in BUILT_IN))


def is_kind(name: str) -> bool:
    """Whether there is such a kind; nothing is imported."""
    return name in BUILT_IN or name in registry.names("sortal.kinds")


def kind_of(name: str) -> Kind:
    """The kind of this name. Raises OptionError, which lists what there is, where there is none."""
    built_in = BUILT_IN.get(name)
    if built_in is not None:
        return built_in
    kind: Kind = registry.load("sortal.kinds", name)
    return kind


def is_item(name: str) -> bool:
    """Whether values of this kind are things that a person can look at, of each of which something is made alone before
    anything is learned: texts and images.
    """
    return kind_of(name).encoding in ("text", "image")
