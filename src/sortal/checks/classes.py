"""A304: classes with too few rows to learn, or to say how well they were learnt."""

from __future__ import annotations

import numpy as np

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Finding, NotApplicable
from sortal.core.writing import listing, number

_LEARNABLE = 10
"""Rows: two in each of five folds."""
_JUDGED = 50
"""Rows: recall is known to about .14 by 50 of them (1.96 errors of a share of a half)."""
_NAMED = 12
"""Classes that the message names: as many as a few lines hold."""
_FIX = "collect more of it, join it with a class that is treated alike, or leave these rows out"


def find(context: AuditContext) -> list[Finding] | NotApplicable:
    """One finding for all of them, the rarest first: a warning below 10 rows (two in each of five folds), a note below
    50.
    """
    sizes = np.bincount(context.codes, minlength=len(context.classes))
    rare = [int(code) for code in np.argsort(sizes, kind="stable") if sizes[code] < _JUDGED]
    if not rare:
        return []
    labels, rows = [context.classes[code] for code in rare], sizes[rare].tolist()
    few = int(np.searchsorted(rows, _LEARNABLE))
    unlearnt, unjudged = _in_words(labels[:few], rows[:few]), _in_words(labels[few:], rows[few:])
    parts = []
    if unlearnt:
        parts.append(f"{unlearnt} to train on: too few to learn, or to say how well that went")
    if unjudged:
        width = 1.96 * np.sqrt(0.25 / rows[few])
        parts.append(f"{unjudged} to train on: recall will be known to about ± {number(width, 2)} only")
    fix = _FIX if len(rare) == 1 else _FIX.replace(" of it,", " of them,").replace("join it", "join each")
    evidence = {"classes": labels, "rows": rows}
    return [Finding(check.code, "warning" if few else "note", None, "; ".join(parts), evidence, fix)]


def _in_words(labels: list[str], rows: list[int]) -> str:
    if len(labels) == 1:
        return f"class {labels[0]!r} has {rows[0]} row{'' if rows[0] == 1 else 's'}"
    sizes = [f"{label!r} {size}" for label, size in zip(labels, rows, strict=True)]
    return f"{len(labels)} classes have {rows[0]} to {rows[-1]} rows ({listing(sizes, _NAMED)})" if labels else ""


check = Check("A304", "a class with few rows", find)
