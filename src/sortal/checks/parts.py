"""A002, A003 and A004: what parts of the rows have in common, or in the wrong order. Counted, so there are no false
alarms."""

from __future__ import annotations

import numpy as np

from sortal.checks.context import AuditContext, SplitView
from sortal.checks.finding import Check, Evidence, Finding, NotApplicable, Severity
from sortal.core.writing import percent

_MANY = 0.01
"""Share of rows. Chosen, not measured: a hundredth of the rows moves accuracy by a hundredth at most."""


def _parted(context: AuditContext) -> SplitView | NotApplicable:
    split_view = context.split_view
    return (
        NotApplicable("the rows are not parted yet")
        if split_view is None or not split_view.held_out.any()
        else split_view
    )


def find_copies(context: AuditContext) -> list[Finding] | NotApplicable:
    """Severe where more than a hundredth of the held-out rows are copied from rows to train on, a warning where the
    parts follow time. Rows that agree by chance in a coarse table are no copies (``core.coincidence``).
    """
    split_view = _parted(context)
    if isinstance(split_view, NotApplicable):
        return split_view
    records = split_view.records
    shared = np.isin(records[split_view.held_out], records[~split_view.held_out])
    if not shared.any():
        return []
    count, share = int(shared.sum()), float(shared.mean())
    severity: Severity = "severe" if share > _MANY and split_view.times is None else "warning"
    rows = "row repeats" if count == 1 else "rows repeat"
    message = (
        f"{count:,} held-out {rows} a row to train on exactly ({percent(share)} of them): "
        "a model that learned it by heart is rewarded"
    )
    fix = "drop the copies from one side, or let sortal part the rows (no --split COLUMN), which keeps copies together"
    return [Finding(copies_check.code, severity, None, message, {"rows": count, "share": share}, fix)]


def find_groups(context: AuditContext) -> list[Finding] | NotApplicable:
    split_view = _parted(context)
    if isinstance(split_view, NotApplicable):
        return split_view
    if split_view.groups is None:
        return NotApplicable("no group column was named")
    groups = split_view.groups[split_view.held_out]
    overlap = np.isin(groups, split_view.groups[~split_view.held_out])
    if not overlap.any():
        return []
    n_groups = len(np.unique(groups[overlap]))
    message = (
        f"{n_groups:,} of the {len(np.unique(groups)):,} held-out groups have rows to train on as well "
        f"({int(overlap.sum()):,} "
        "held-out rows): what is known of a group there is known of it here"
    )
    fix = "let sortal part the rows (no --split COLUMN): it keeps groups whole"
    evidence: dict[str, Evidence] = {"groups": n_groups, "rows": int(overlap.sum()), "share": float(overlap.mean())}
    return [Finding(groups_check.code, "severe", None, message, evidence, fix)]


def find_newer(context: AuditContext) -> list[Finding] | NotApplicable:
    """Where groups are kept whole under time, older rows of the newest groups are in the test on purpose: a note."""
    split_view = _parted(context)
    if isinstance(split_view, NotApplicable):
        return split_view
    if split_view.times is None:
        return NotApplicable("no time column was named")
    newer = ~split_view.held_out & (split_view.times > split_view.times[split_view.held_out].min())
    if not newer.any():
        return []
    count, share = int(newer.sum()), float(newer.sum() / (~split_view.held_out).sum())
    severity: Severity = "note" if split_view.groups is not None and share < _MANY else "severe"
    rows = "row" if count == 1 else "rows"
    message = (
        f"{count:,} {rows} to train on ({percent(share)}) {'is' if count == 1 else 'are'} newer than the oldest "
        "held-out row: "
        "the model is asked about a past whose future it knows"
    )
    fix = "let sortal part the rows (--time without --split COLUMN): the newest rows are the test"
    return [Finding(newer_check.code, severity, None, message, {"rows": count, "share": share}, fix)]


copies_check = Check("A002", "exact copies of rows across parts", find_copies)
groups_check = Check("A003", "groups across parts", find_groups)
newer_check = Check("A004", "rows to train on that are newer than held-out rows", find_newer)
