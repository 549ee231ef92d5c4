"""A201 and A202: rows whose features agree exactly, with the same label and with different ones."""

from __future__ import annotations

import numpy as np

from sortal.checks.context import AuditContext
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity
from sortal.core.writing import percent

_MANY_COPIES = 0.05
"""Share of rows that repeat another. Chosen, not measured: one row in twenty on both sides moves a score."""
_CHANCE = "chance brings that about in columns this coarse"
_CONFLICTING = 0.01
"""Share of rows no model can get right. Chosen, not measured: models are often compared by a point of accuracy."""


def find_copies(context: AuditContext) -> list[Finding] | NotApplicable:
    """A warning where copies are many and more than a coarse table brings about by itself (``core.coincidence``)."""
    if not context.table.schema.features:
        return NotApplicable("no features")
    groups, coincidence = context.table.copies, context.table.coincidence
    copies = len(groups) - int(groups.max()) - 1
    if copies == 0:
        return []
    share = copies / len(groups)
    largest = int(np.bincount(groups).max())
    evidence: dict[str, Evidence] = {
        "rows": copies,
        "share": share,
        "distinct": int(groups.max()) + 1,
        "share_copied": coincidence.copied,
        "share_by_chance": coincidence.by_chance,
    }
    many = f"; the most frequent row is there {largest:,} times" if largest > 2 else ""
    repeat = "row repeats" if copies == 1 else "rows repeat"
    message = f"{copies:,} {repeat} another row exactly ({percent(share)}){many}"
    if coincidence.explains:
        return [Finding(copies_check.code, "note", None, f"{message}; {_CHANCE}", evidence)]
    severity: Severity = "warning" if share >= _MANY_COPIES else "note"
    fix = "find out whether these are the same cases entered twice, and drop them if so"
    return [Finding(copies_check.code, severity, None, f"{message}; copies are kept on one side", evidence, fix)]


def find_conflicts(context: AuditContext) -> list[Finding] | NotApplicable:
    """Copies with different labels, and the accuracy that no model can pass because of them."""
    if not context.table.schema.features:
        return NotApplicable("no features")
    groups = context.table.copies
    cells, counts = np.unique(groups * len(context.classes) + context.codes, return_counts=True)
    best = np.zeros(int(groups.max()) + 1, dtype=np.int64)
    np.maximum.at(best, cells // len(context.classes), counts)
    sizes = np.bincount(groups)
    rows = int((sizes - best).sum())
    if rows == 0:
        return []
    share = rows / len(context)
    have = "row has" if rows == 1 else "rows have"
    message = (
        f"{rows:,} {have} another class than most rows with the very same features ({percent(share)}): "
        "no model can get these right"
    )
    evidence: dict[str, Evidence] = {
        "rows": rows,
        "share": share,
        "rows_in_conflict": int(sizes[best < sizes].sum()),
        "best_accuracy": 1 - share,
    }
    severity: Severity = "warning" if share >= _CONFLICTING else "note"
    fix = "look at the labels of these rows, or add a column that tells them apart"
    return [Finding(conflicts_check.code, severity, None, message, evidence, fix)]


copies_check = Check("A201", "exact copies of rows", find_copies)
conflicts_check = Check("A202", "the same features with different labels", find_conflicts)
