"""Names of columns that are all different."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import count

from sortal.core.schema import column_name


def unique_names(names: Iterable[object]) -> tuple[list[str], list[str]]:
    """Names of columns that are texts, not blank and all different; and what was renamed, in words.

    Names take the form of ``column_name``, a blank one becomes ``column_N`` (counted from 1) and the second ``a``
    becomes ``a_2``.

    >>> unique_names(["a", "", "a"])
    (['a', 'column_2', 'a_2'], ["column 2 has no name: 'column_2'", "column 3 is a second 'a': 'a_2'"])
    """
    column_names = [column_name(name) for name in names]
    used_names = set(column_names)
    previous: set[str] = set()
    free: dict[str, int] = {}  # all numbers below are taken: without it, 20,000 equal names would take minutes
    result: list[str] = []
    notes: list[str] = []
    for position, name in enumerate(column_names, start=1):
        if name and name not in previous:
            previous.add(name)
            result.append(name)
            continue
        base = name or "column"
        number = max(2 if name else position, free.get(base, 0))
        while f"{base}_{number}" in used_names:
            number += 1
        new = f"{base}_{number}"
        free[base] = number + 1
        used_names.add(new)
        result.append(new)
        what = f"is a second {name!r}" if name else "has no name"
        notes.append(f"column {position} {what}: {new!r}")
    return result, notes


def free_names(names: Sequence[str], existing: Collection[str]) -> dict[str, str]:
    """For each name itself, or the first of ``name_2``, ``name_3``, ... that is neither ``existing`` nor one of them.

    >>> free_names(["decision", "set"], ["x", "decision", "decision_2"])
    {'decision': 'decision_3', 'set': 'set'}
    """
    used_names = {*existing, *names}
    free: dict[str, str] = {}
    for name in names:
        others = (f"{name}_{i}" for i in count(2))
        free[name] = name if name not in existing else next(other for other in others if other not in used_names)
        used_names.add(free[name])
    return free
