"""A101: a column that is the target under another name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sortal.core.frame import Table
from sortal.data.audit.finding import Check, Finding, NotApplicable, brief, ignoring
from sortal.data.audit.power import LEAST_ROWS, Power, alone, together

_EXPLAINED = 0.99
_EASY = 0.99
_GROUP_LEVELS = 10


def copies(powers: Sequence[Power], codes: NDArray[np.int64]) -> list[Power]:
    """The columns that alone spare 99 % of the errors of always guessing the commonest class.

    This share is Goodman and Kruskal's lambda, here on rows not used to find the classes of the values.
    """
    guess = 1 - np.bincount(codes).max() / len(codes)
    return [power for power in powers if power.error <= (1 - _EXPLAINED) * guess]


def find(table: Table, codes: NDArray[np.int64], classes: Sequence[str], seed: int) -> list[Finding] | NotApplicable:
    if len(codes) < LEAST_ROWS:
        return NotApplicable(f"fewer than {LEAST_ROWS} rows")
    powers = alone(table, codes, seed)
    found = copies(powers, codes)
    if not found:
        return []
    rest = together(table, codes, [power.column for power in powers if power not in found], seed)
    return [_finding(table, codes, classes, power, rest) for power in found]


def _finding(table: Table, codes: NDArray[np.int64], classes: Sequence[str], power: Power, rest: float) -> Finding:
    name = power.column
    values = table.frame[name]
    levels = values.n_unique()
    guess = 1 - np.bincount(codes).max() / len(codes)
    if levels <= len(classes):
        what = f"{name} is the target under another name"
    elif values.dtype.is_numeric() or values.dtype.is_temporal():
        what = f"{name} gives the target away"
    else:
        what = f"each value of {name} belongs to one class"
    right = f"alone it gets {100 * (1 - power.error):.1f} % of new rows right, guessing {100 * (1 - guess):.1f} %"
    fix = f"leave it out if it is known only with the outcome: {ignoring([name])}"
    if _GROUP_LEVELS <= levels <= len(table) / 2 and not values.dtype.is_temporal():
        fix += f"; if it says whose rows these are, keep them together: --group {name}"
    evidence = {
        "error": power.error,
        "guessing_error": float(guess),
        "roc_auc": power.auc,
        "roc_auc_rest": rest,
        "values": levels,
    }
    if rest >= _EASY:
        message = f"{what}: {right}; the other columns do as well (ROC-AUC {brief(rest)}), so this may be real"
        return Finding(check.code, "note", name, message, evidence, fix)
    message = f"{what}: {right}; the other columns together reach ROC-AUC {brief(rest)}"
    return Finding(check.code, "severe", name, message, evidence, fix)


check = Check("A101", "a column that is the target under another name", find)
