"""What the columns of a table are: name, kind, role, and how their text is read.

A **kind** says what the values mean (``core.kinds``: number, category, boolean, datetime, text, image, and those of
others), a **role** what a column is for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from sortal.core.errors import OptionError, did_you_mean

Role = Literal["feature", "target", "time", "group", "split", "weight", "cost", "ignore"]


def column_name(name: object) -> str:
    """The one form in which a column is named, in every table that is read and in every option that names one.

    Blanks around it (and a byte-order mark) are cut off, a letter with an accent is one character (Unicode's form
    NFC), whichever of its forms a file has, and the levels of a name of several are joined.

    >>> column_name(" gro\u0308\u00dfe ") == "gr\u00f6\u00dfe", column_name(None), column_name(3), column_name(("a", 1))
    (True, '', '3', 'a_1')
    """
    flat = "_".join(map(str, name)) if isinstance(name, tuple) else name
    return "" if flat is None else unicodedata.normalize("NFC", str(flat)).strip(_AROUND)


def by_column(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the column that each is of, whichever form its name has; of two that are one the first counts.

    >>> by_column({" age": 3, "age": 4, "city": None})
    {'age': 3, 'city': None}
    """
    values: dict[str, Any] = {}
    for name, value in fields.items():
        values.setdefault(column_name(name), value)
    return values


_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``reason`` says in words why the kind (and the role ``ignore``, where it was inferred) was chosen. ``missing`` is
    the share of missing values, 0 to 1, in the rows that the schema was inferred from. ``format`` says how text becomes
    a value. number: the decimal mark, followed by the thousands mark if there is one (``"."``, ``",."``), or
    ``"duration"``; datetime: a strftime pattern, or empty where the file already holds dates; category: ``"exact"``
    where texts are kept as they are written, else 1 and 1.0, true and True are the same. ``levels`` are the two texts
    of a boolean, false first; empty where the file already holds booleans. ``absent`` are the texts that say that there
    is no value, beside the empty one; None for those that usually do. ``doubt`` says what was assumed where the values
    could be read in another way, or is empty.
    """

    name: str
    kind: str
    role: Role = "feature"
    reason: str = ""
    missing: float = 0.0
    format: str = ""
    levels: tuple[str, ...] = ()
    absent: tuple[str, ...] | None = None
    doubt: str = ""


@dataclass(frozen=True)
class Schema:
    """The columns of a table in file order."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that a model may see."""
        return self.role("feature")

    def role(self, role: Role) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if c.role == role)

    def only(self, role: Role) -> Column | None:
        """The one column with this role, or None."""
        columns = self.role(role)
        return columns[0] if columns else None

    @cached_property
    def _by_name(self) -> dict[object, Column]:
        # Each of thousands of columns is asked for by its name.
        return {column.name: column for column in reversed(self.columns)}

    def __getitem__(self, name: str) -> Column:
        if name in self._by_name:
            return self._by_name[name]
        raise OptionError(f"no column {name!r}; {did_you_mean(name, self.names)}")

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def with_role(self, name: str, role: Role, reason: str = "") -> Schema:
        """The same schema, with one column in another role."""
        column = self[name]
        changed = replace(column, role=role, reason=reason or column.reason)
        return Schema(tuple(changed if c.name == name else c for c in self.columns))
